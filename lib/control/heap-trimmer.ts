// Gives memory back that the control thread's heap holds but does not need: after the first view of a cluster has been read, and
// after later lists. Control thread; answers do not wait for this one.
import v8 from 'node:v8';
import vm from 'node:vm';
import type { CancelTimer, Clock } from '../base/clock.ts';

const CHECK_MS = 5000;
/** What the heap may hold above what was in use after the last collection before another one is worth it. */
const SLACK_BYTES = 12 * 2 ** 20;

type Collect = (options: { type: 'major'; execution: 'async'; flavor: 'last-resort' }) => Promise<void>;

export class HeapTrimmer {
  readonly #clock: Clock;
  readonly #collect: Collect | undefined;
  #cancel: CancelTimer | undefined;
  #usedBytes = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    v8.setFlagsFromString('--expose-gc');
    const found: unknown = vm.runInNewContext('typeof gc === "function" ? gc : undefined');
    this.#collect = found as Collect | undefined;
  }

  /**
   * Looks at the heap every few seconds from now on. Heaps of all threads are collected when they have grown by half of what
   * they held, not by three times as much: queries that wait for an upstream outlive a young generation, and 40 MB of them
   * would lie about. Not before the first view is read, which would be collected over and over while it grows.
   */
  start(): void {
    v8.setFlagsFromString('--heap-growing-percent=50');
    this.#watch();
  }

  #watch(): void {
    this.#cancel = this.#clock.after(CHECK_MS, () => void this.#check());
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  async #check(): Promise<void> {
    if (v8.getHeapStatistics().total_physical_size > this.#usedBytes + SLACK_BYTES) await this.trim();
    if (this.#cancel) this.#watch();
  }

  /** Collects now; takes some 30 ms of this thread for a cluster of 10,000 Services. */
  async trim(): Promise<void> {
    await this.#collect?.({ type: 'major', execution: 'async', flavor: 'last-resort' });
    this.#usedBytes = v8.getHeapStatistics().total_physical_size;
  }
}
