// Notices that the cluster has not been heard for long, so that denials get a short life. Control thread.
import type { CancelTimer, Clock } from '../../base/clock.ts';
import type { SavedView } from './snapshot-keeper.ts';

const CHECK_MS = 5000;
/** A quiet watch is opened anew after 66 s at the latest and then counts as heard. */
const OUTDATED_AFTER_MS = 90_000;

export class FreshnessWatch {
  readonly #view: Pick<SavedView, 'synced' | 'trueAtMs'>;
  readonly #clock: Clock;
  readonly #onChange: (isOutdated: boolean) => void;
  #cancel: CancelTimer | undefined;
  #isOutdated = false;

  constructor(view: Pick<SavedView, 'synced' | 'trueAtMs'>, clock: Clock, onChange: (isOutdated: boolean) => void) {
    this.#view = view;
    this.#clock = clock;
    this.#onChange = onChange;
  }

  start(): void {
    this.#cancel = this.#clock.after(CHECK_MS, () => {
      this.#check();
      this.start();
    });
  }

  stop(): void {
    this.#cancel?.();
  }

  #check(): void {
    const isOutdated = this.#view.synced && this.#clock.nowMs() - this.#view.trueAtMs > OUTDATED_AFTER_MS;
    if (isOutdated === this.#isOutdated) return;
    this.#isOutdated = isOutdated;
    this.#onChange(isOutdated);
  }
}
