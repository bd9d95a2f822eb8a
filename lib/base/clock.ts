// Time as a dependency: everything that waits or compares times takes a Clock, so tests never sleep. Both kinds of thread.

/** Ends a pending timer; calling it twice is harmless. */
export type CancelTimer = () => void;

export interface Clock {
  /** Wall clock, milliseconds since the Unix epoch. */
  nowMs(): number;
  /** Never goes back; milliseconds from an arbitrary start, with fractions. */
  monotonicMs(): number;
  /** Calls `run` once after `delayMs`; the timer does not keep the process alive. */
  after(delayMs: number, run: () => void): CancelTimer;
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs);
    timer.unref();
    return () => clearTimeout(timer);
  },
};

type Waiting = { readonly dueMs: number; readonly order: number; readonly run: () => void };

/** A clock that stands still until `advance` is called. For tests and the fault bench. */
export class ManualClock implements Clock {
  #nowMs: number;
  readonly #startMs: number;
  #order = 0;
  readonly #waiting = new Set<Waiting>();

  constructor(startMs = 1_700_000_000_000) {
    this.#nowMs = startMs;
    this.#startMs = startMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs - this.#startMs;
  }

  after(delayMs: number, run: () => void): CancelTimer {
    const entry: Waiting = { dueMs: this.#nowMs + Math.max(0, Math.ceil(delayMs)), order: this.#order++, run };
    this.#waiting.add(entry);
    return () => void this.#waiting.delete(entry);
  }

  /** Timers that have not fired. */
  get pending(): number {
    return this.#waiting.size;
  }

  /** Moves time on by `ms`, firing due timers in order, each at its own moment. */
  advance(ms: number): void {
    const endMs = this.#nowMs + ms;
    for (;;) {
      let next: Waiting | undefined;
      for (const entry of this.#waiting) {
        if (entry.dueMs > endMs) continue;
        if (!next || entry.dueMs < next.dueMs || (entry.dueMs === next.dueMs && entry.order < next.order)) next = entry;
      }
      if (!next) break;
      this.#waiting.delete(next);
      this.#nowMs = next.dueMs;
      next.run();
    }
    this.#nowMs = endMs;
  }

  /** Like `advance`, letting promises settle between steps of at most `stepMs`. */
  async advanceAsync(ms: number, stepMs = 100): Promise<void> {
    for (let left = ms; left > 0; left -= stepMs) {
      this.advance(Math.min(stepMs, left));
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  }
}
