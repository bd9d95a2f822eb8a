// Directive `cancel` -> how long a query may keep upstreams busy. Control thread.
import type { SetupContext } from '../../chain/plugin.ts';
import type { Directive } from '../../config/directive.ts';

/** One millisecond more than the usual client waits. */
const DEFAULT_TIMEOUT_MS = 5001;

export type CancelOptions = { readonly timeoutMs: number };

/**
 * Reads `cancel [DURATION]`; of several the last one counts.
 *
 * @throws ConfigError `ARGUMENT_COUNT`; `ARGUMENT_VALUE` for a duration that is not above 0
 */
export function setupCancel(directives: readonly Directive[], context: SetupContext): CancelOptions {
  let timeoutMs = DEFAULT_TIMEOUT_MS;
  for (const directive of directives) {
    directive.expectArguments(0, 1);
    if (directive.block !== undefined) context.warn('plugin/cancel: the block is ignored, cancel has no options');
    const given = directive.args[0];
    timeoutMs = given === undefined ? DEFAULT_TIMEOUT_MS : directive.parseDuration(given);
    if (given !== undefined && timeoutMs <= 0) throw directive.valueError(given, 'a duration above 0');
  }
  return { timeoutMs };
}
