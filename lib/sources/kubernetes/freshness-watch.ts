// Notices that the cluster has not been heard for longer than a limit, and that it is heard again. Control thread.
import type { CancelTimer, Clock } from '../../base/clock.ts';
import type { SavedView } from './snapshot-keeper.ts';

export type FreshnessLimit = {
  readonly clock: Clock;
  /** Default 90 s: a quiet watch is opened anew after 66 s at the latest and then counts as heard. */
  readonly limitMs?: number;
  /** Called once for each change. */
  readonly onChange: (isOutdated: boolean) => void;
};

const CHECK_MS = 5000;
const OUTDATED_AFTER_MS = 90_000;

export class FreshnessWatch {
  readonly #view: Pick<SavedView, 'synced' | 'trueAtMs'>;
  readonly #limit: FreshnessLimit;
  #cancel: CancelTimer | undefined;
  #isOutdated = false;

  /** @param view is outdated only once it is synced */
  constructor(view: Pick<SavedView, 'synced' | 'trueAtMs'>, limit: FreshnessLimit) {
    this.#view = view;
    this.#limit = limit;
  }

  start(): void {
    this.#cancel = this.#limit.clock.after(CHECK_MS, () => {
      this.isOutdated();
      this.start();
    });
  }

  stop(): void {
    this.#cancel?.();
  }

  /** Whether the limit is passed at this moment. */
  isOutdated(): boolean {
    const { clock, limitMs = OUTDATED_AFTER_MS, onChange } = this.#limit;
    const isOutdated = this.#view.synced && clock.nowMs() - this.#view.trueAtMs > limitMs;
    if (isOutdated !== this.#isOutdated) {
      this.#isOutdated = isOutdated;
      onChange(isOutdated);
    }
    return isOutdated;
  }
}
