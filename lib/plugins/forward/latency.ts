// lib/plugins/forward/latency.ts — worker. How long an upstream takes, smoothed as TCP does it (RFC 6298 section 2).

/** Before anything was measured. */
const UNKNOWN_HEDGE_MS = 150;
const UNKNOWN_SILENCE_MS = 250;
/** Below this a late reply is more likely our own pause than the upstream's. */
const MIN_HEDGE_MS = 20;
const MIN_SILENCE_MS = 100;
/** However unsteady an upstream is, nobody waits for it longer than this beyond its mean. */
const MAX_BEYOND_MEAN_MS = 250;

export class Latency {
  #meanMs = 0;
  #deviationMs = 0;
  #hasSample = false;

  /** Takes in the time of one exchange, milliseconds. */
  add(tookMs: number): void {
    if (!this.#hasSample) {
      this.#hasSample = true;
      this.#meanMs = tookMs;
      this.#deviationMs = tookMs / 2;
      return;
    }
    this.#deviationMs += (Math.abs(tookMs - this.#meanMs) - this.#deviationMs) / 4;
    this.#meanMs += (tookMs - this.#meanMs) / 8;
  }

  /** After how long a reply is late enough to ask another upstream as well, milliseconds. */
  get hedgeAfterMs(): number {
    return this.#hasSample ? this.#bound(this.#meanMs + 4 * this.#deviationMs, MIN_HEDGE_MS) : UNKNOWN_HEDGE_MS;
  }

  /** After how long without any reply, while several are due, the upstream counts as silent, milliseconds. */
  get silentAfterMs(): number {
    return this.#hasSample ? this.#bound(2 * this.hedgeAfterMs, MIN_SILENCE_MS) : UNKNOWN_SILENCE_MS;
  }

  #bound(ms: number, minMs: number): number {
    return Math.min(Math.max(ms, minMs), Math.max(minMs, this.#meanMs + MAX_BEYOND_MEAN_MS));
  }
}
