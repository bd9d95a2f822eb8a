// Directive `debug` -> debug log lines for the whole process. Control thread.
import type { SetupContext } from '../../chain/plugin.ts';
import type { Directive } from '../../config/directive.ts';

/** `debug` has no handler. */
export type DebugOptions = undefined;

/**
 * Reads `debug`.
 *
 * @throws ConfigError `ARGUMENT_COUNT` when something follows the directive
 */
export function setupDebug(directives: readonly Directive[], context: SetupContext): DebugOptions {
  for (const directive of directives) {
    directive.expectArguments(0);
    directive.expectNoBlock();
  }
  context.listener.debug = true;
}
