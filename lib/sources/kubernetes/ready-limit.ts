// Option `ready_max_age`: whether the view is too old for /ready, and a log line for each change. Control thread.
import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import { formatDuration } from '../../config/duration.ts';
import { FreshnessWatch } from './freshness-watch.ts';
import type { ResourceStatus } from './object-source.ts';
import type { SavedView } from './snapshot-keeper.ts';

export type ReadyLimitSettings = {
  readonly maxAgeMs: number;
  /** Unix milliseconds when the saved view that was taken in was true; undefined without one. */
  readonly savedAtMs: number | undefined;
  readonly clock: Clock;
  readonly log: Logger;
};

/** Makes the watch of a view for `/ready`; before the view is complete, a saved one is judged by the time it is of. */
export function createReadyLimit(
  view: Pick<SavedView, 'synced' | 'trueAtMs'> & { status(): readonly ResourceStatus[] },
  { maxAgeMs, savedAtMs, clock, log }: ReadyLimitSettings,
): FreshnessWatch {
  const judged = {
    get synced(): boolean {
      return view.synced || savedAtMs !== undefined;
    },
    get trueAtMs(): number {
      return view.synced ? view.trueAtMs : (savedAtMs ?? 0);
    },
  };
  const onChange = (isOutdated: boolean): void => {
    if (!isOutdated) {
      log.info('the API server has been heard, /ready is 200 again');
      return;
    }
    const age = formatDuration(Math.round((clock.nowMs() - judged.trueAtMs) / 1000) * 1000);
    const of = view.synced ? `the view of ${oldest(view.status())}` : 'the saved view';
    log.warning(`${of} was last known to be true ${age} ago, /ready is 503 until it is again (ready_max_age)`);
  };
  return new FreshnessWatch(judged, { clock, limitMs: maxAgeMs, onChange });
}

function oldest(statuses: readonly ResourceStatus[]): string {
  return statuses.reduce((a, b) => (b.lastProofOfLifeMs < a.lastProofOfLifeMs ? b : a)).resource;
}
