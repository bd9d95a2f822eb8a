// How long to wait after a failure: doubling, with jitter, and forgotten after a good spell. Control thread.
import type { Clock } from '../../base/clock.ts';

const BASE_MS = 800;
/** The longest pause, however long the outage: the truth must be back within 10 s of recovery. */
const CAP_MS = 8000;
/** Without failures for so long, the next one counts as the first. */
const RESET_AFTER_MS = 120_000;

export class Backoff {
  readonly #clock: Clock;
  readonly #random: () => number;
  #failures = 0;
  #lastMs = Number.NEGATIVE_INFINITY;

  /** @param random uniform in [0, 1) */
  constructor(clock: Clock, random: () => number) {
    this.#clock = clock;
    this.#random = random;
  }

  /** Failures in a row. */
  get failures(): number {
    return this.#failures;
  }

  /** Things went well: the next failure is the first one. */
  reset(): void {
    this.#failures = 0;
  }

  /**
   * Counts a failure.
   *
   * @param atLeastMs what the server asked for (`Retry-After`); never undercut
   * @returns milliseconds to wait: between half and all of 0.8 s, 1.6 s, ... 8 s
   */
  nextDelayMs(atLeastMs = 0): number {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#lastMs > RESET_AFTER_MS) this.#failures = 0;
    this.#lastMs = nowMs;
    const delayMs = Math.min(CAP_MS, BASE_MS * 2 ** Math.min(this.#failures++, 10));
    const jittered = delayMs * (0.5 + this.#random() / 2);
    return jittered >= atLeastMs ? jittered : atLeastMs * (1 + this.#random() * 0.1);
  }
}
