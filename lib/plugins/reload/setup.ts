// Directive `reload` -> a service that looks for a changed Corefile. Control thread.
import type { SetupContext } from '../../chain/plugin.ts';
import type { Directive } from '../../config/directive.ts';

const DEFAULT_INTERVAL_MS = 30_000;
const DEFAULT_JITTER_MS = 15_000;
const MIN_INTERVAL_MS = 2000;
const MIN_JITTER_MS = 1000;

/** `reload` has no handler. */
export type ReloadOptions = undefined;

/**
 * Reads `reload [INTERVAL [JITTER]]`; a second one in the block is ignored.
 *
 * @throws ConfigError `ARGUMENT_COUNT`; `ARGUMENT_VALUE` for an interval below 2 s or a jitter between 0 and 1 s
 */
export function setupReload(directives: readonly Directive[], context: SetupContext): ReloadOptions {
  const directive = directives[0]!;
  directive.expectArguments(0, 2);
  if (directive.block !== undefined) context.warn('plugin/reload: the block is ignored, reload has no options');
  const [interval, jitter] = directive.args;
  const intervalMs =
    interval === undefined ? DEFAULT_INTERVAL_MS : directive.parseDuration(interval, { min: MIN_INTERVAL_MS });
  let jitterMs = jitter === undefined ? DEFAULT_JITTER_MS : directive.parseDuration(jitter);
  if (jitter !== undefined && jitterMs !== 0 && jitterMs < MIN_JITTER_MS) {
    throw directive.valueError(jitter, 'a jitter of 0 or at least 1s');
  }
  jitterMs = Math.min(jitterMs, intervalMs / 2);
  context.addService({ kind: 'reload', intervalMs, jitterMs });
}
