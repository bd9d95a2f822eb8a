// Directive `multisocket` -> how many sockets share an address. Control thread.
import type { SetupContext } from '../../chain/plugin.ts';
import type { Directive } from '../../config/directive.ts';

const MAX_SOCKETS = 1024;

/** `multisocket` has no handler. */
export type MultisocketOptions = undefined;

/**
 * Reads `multisocket [N]`.
 *
 * @throws ConfigError `ARGUMENT_COUNT`, `DIRECTIVE_REPEATED`; `ARGUMENT_VALUE` outside 1 to 1024
 */
export function setupMultisocket(directives: readonly Directive[], context: SetupContext): MultisocketOptions {
  const directive = directives[0]!;
  directive.expectArguments(0, 1);
  directive.expectNoBlock();
  const second = directives[1];
  if (second !== undefined) throw second.error('DIRECTIVE_REPEATED', 'can stand once in a server block');
  const given = directive.args[0];
  // 0 is one socket per worker, which is what this program does in any case.
  context.listener.sockets = given === undefined ? 0 : directive.parseInteger(given, { min: 1, max: MAX_SOCKETS });
}
