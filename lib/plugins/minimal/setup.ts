// Directive `minimal`. Control thread.
import type { SetupContext } from '../../chain/plugin.ts';
import type { Directive } from '../../config/directive.ts';

/** `minimal` has no options. */
export type MinimalOptions = Readonly<Record<string, never>>;

/**
 * Reads `minimal`.
 *
 * @throws ConfigError `ARGUMENT_COUNT` when something follows the directive
 */
export function setupMinimal(directives: readonly Directive[], _context: SetupContext): MinimalOptions {
  const directive = directives[0]!;
  directive.expectArguments(0);
  directive.expectNoBlock();
  return {};
}
