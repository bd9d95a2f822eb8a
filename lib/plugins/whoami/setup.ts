// Directive `whoami`. Control thread.
import type { SetupContext } from '../../chain/plugin.ts';
import type { Directive } from '../../config/directive.ts';

/** `whoami` has no options. */
export type WhoamiOptions = Readonly<Record<string, never>>;

/**
 * Reads `whoami`.
 *
 * @throws ConfigError `ARGUMENT_COUNT` when something follows the directive
 */
export function setupWhoami(directives: readonly Directive[], _context: SetupContext): WhoamiOptions {
  const directive = directives[0]!;
  directive.expectArguments(0);
  directive.expectNoBlock();
  return {};
}
