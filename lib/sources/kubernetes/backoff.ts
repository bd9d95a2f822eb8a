// How long to wait after a failure: doubling, with jitter, and forgotten after a good spell. Control thread.
import type { Clock } from '../../base/clock.ts';

const BASE_MS = 800;
/** The longest pause in the first minutes of an outage: the truth must be back within 15 s of recovery. */
const SHORT_CAP_MS = 10_000;
/** The longest pause in a long outage, when thousands of servers may be knocking. */
const LONG_CAP_MS = 30_000;
const LONG_OUTAGE_MS = 300_000;
/** Without failures for so long, the next one counts as the first. */
const RESET_AFTER_MS = 120_000;

export class Backoff {
  readonly #clock: Clock;
  readonly #random: () => number;
  #failures = 0;
  #firstMs = 0;
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
   * @returns milliseconds to wait: between half and all of 0.8 s, 1.6 s, ... 10 s (30 s after five minutes)
   */
  nextDelayMs(atLeastMs = 0): number {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#lastMs > RESET_AFTER_MS) this.#failures = 0;
    if (this.#failures === 0) this.#firstMs = nowMs;
    this.#lastMs = nowMs;
    const capMs = nowMs - this.#firstMs > LONG_OUTAGE_MS ? LONG_CAP_MS : SHORT_CAP_MS;
    const delayMs = Math.min(capMs, BASE_MS * 2 ** Math.min(this.#failures++, 10));
    const jittered = delayMs * (0.5 + this.#random() / 2);
    return jittered >= atLeastMs ? jittered : atLeastMs * (1 + this.#random() * 0.1);
  }
}
