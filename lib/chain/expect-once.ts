// A check that several plugins share: the directive may stand once in a server block. Control thread.
import type { Directive } from '../config/directive.ts';

/**
 * The block's only directive of this name.
 *
 * @throws ConfigError `DIRECTIVE_REPEATED` at the second one
 */
export function expectOnce(directives: readonly Directive[]): Directive {
  const [first, second] = directives;
  if (first === undefined) throw new Error('setup called without a directive');
  if (second !== undefined) {
    throw second.error(
      'DIRECTIVE_REPEATED',
      `can stand once in a server block, the first one is in line ${first.line}`,
    );
  }
  return first;
}
