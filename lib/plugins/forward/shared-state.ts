// lib/plugins/forward/shared-state.ts — both kinds of thread. The numbers of one `forward` that all workers share.
//
// Rotation, concurrency and health are the server's, not a worker's: with two workers `max_concurrent 1000` is still 1000,
// and an upstream that is down is down for both and probed by one.
import { ClientCounts, clientCountWords } from './client-counts.ts';

/** Upstreams a `forward` can have after host names were resolved; the TO words are bounded by 15 anyway. */
export const MAX_UPSTREAMS = 128;
const MAX_WORKERS = 256;

const WORD = {
  ROBIN: 0,
  CONCURRENT: 1,
  WORKERS: 2,
  FAILS: 16,
  PROBER: 16 + MAX_UPSTREAMS,
  TROUBLE: 16 + 2 * MAX_UPSTREAMS,
  TRIAL: 16 + 3 * MAX_UPSTREAMS,
  LOOPED: 16 + 4 * MAX_UPSTREAMS,
  LOOP_NONCE: 16 + 5 * MAX_UPSTREAMS,
  LOOP_TRIAL: 16 + 6 * MAX_UPSTREAMS,
  OWN: 16 + 7 * MAX_UPSTREAMS,
} as const;

/** What is wrong with an upstream: nothing, its exchanges fail, or it says nothing at all. */
export const TROUBLE = { NONE: 0, FAILING: 1, SILENT: 2 } as const;

/** Made at setup; crosses threads by reference. */
export function createSharedState(): SharedArrayBuffer {
  return new SharedArrayBuffer((WORD.OWN + MAX_WORKERS + clientCountWords(MAX_WORKERS)) * 4);
}

/** Makes the place of an upstream that is gone fit for another one. */
export function clearSlot(memory: SharedArrayBuffer, slot: number): void {
  const words = new Int32Array(memory);
  for (let first: number = WORD.FAILS; first < WORD.OWN; first += MAX_UPSTREAMS) Atomics.store(words, first + slot, 0);
}

/** One worker's view. */
export class SharedState {
  readonly #words: Int32Array;
  readonly #worker: number;
  readonly clients: ClientCounts;

  /** Gives back what this worker's predecessor held when it died. */
  constructor(memory: SharedArrayBuffer, worker: number) {
    this.#words = new Int32Array(memory);
    this.#worker = worker % MAX_WORKERS;
    Atomics.sub(this.#words, WORD.CONCURRENT, Atomics.exchange(this.#words, WORD.OWN + this.#worker, 0));
    for (let i = 0; i < MAX_UPSTREAMS; i++) this.endProbe(i);
    this.clients = new ClientCounts(this.#words.subarray(WORD.OWN + MAX_WORKERS), this.#worker);
    this.#countWorkers();
  }

  #countWorkers(): void {
    for (let seen = this.workers; seen <= this.#worker; seen = this.workers) {
      Atomics.compareExchange(this.#words, WORD.WORKERS, seen, this.#worker + 1);
    }
  }

  /** Workers that there are or were, by the highest number. */
  get workers(): number {
    return Atomics.load(this.#words, WORD.WORKERS);
  }

  /** Queries of all workers that were let in and have not left. */
  get underWay(): number {
    return Atomics.load(this.#words, WORD.CONCURRENT);
  }

  /** The next number of the rotation, from 1. */
  turn(): number {
    return (Atomics.add(this.#words, WORD.ROBIN, 1) + 1) >>> 0;
  }

  /** Counts a query in; false, and not counted, when `limit` are under way. */
  enter(limit: number): boolean {
    if (Atomics.add(this.#words, WORD.CONCURRENT, 1) >= limit) {
      Atomics.sub(this.#words, WORD.CONCURRENT, 1);
      return false;
    }
    this.#words[WORD.OWN + this.#worker]!++;
    return true;
  }

  leave(): void {
    this.#words[WORD.OWN + this.#worker]!--;
    Atomics.sub(this.#words, WORD.CONCURRENT, 1);
  }

  /** Failed probes of upstream `i` since the last good one. */
  fails(i: number): number {
    return Atomics.load(this.#words, WORD.FAILS + i);
  }

  addFail(i: number): void {
    Atomics.add(this.#words, WORD.FAILS + i, 1);
  }

  clearFails(i: number): void {
    Atomics.store(this.#words, WORD.FAILS + i, 0);
  }

  /** Takes the right to probe upstream `i`; false when a worker has it. */
  beginProbe(i: number): boolean {
    return Atomics.compareExchange(this.#words, WORD.PROBER + i, 0, this.#worker + 1) === 0;
  }

  /** What is wrong with upstream `i`: a TROUBLE. */
  trouble(i: number): number {
    return Atomics.load(this.#words, WORD.TROUBLE + i);
  }

  setTrouble(i: number, trouble: number): void {
    Atomics.store(this.#words, WORD.TROUBLE + i, trouble);
  }

  /** Takes the right to try upstream `i` once; false when a worker did in this span of time. @param nowMs wall clock */
  claimTrial(i: number, nowMs: number, everyMs: number): boolean {
    return this.#claim(WORD.TRIAL + i, nowMs, everyMs);
  }

  /** The same for a look whether it leads back here. */
  claimLoopTrial(i: number, nowMs: number, everyMs: number): boolean {
    return this.#claim(WORD.LOOP_TRIAL + i, nowMs, everyMs);
  }

  #claim(word: number, nowMs: number, everyMs: number): boolean {
    const turn = Math.floor(nowMs / everyMs) | 0;
    const last = Atomics.load(this.#words, word);
    return turn !== last && Atomics.compareExchange(this.#words, word, last, turn) === last;
  }

  /** Whether queries to upstream `i` come back to this server. */
  isLooped(i: number): boolean {
    return Atomics.load(this.#words, WORD.LOOPED + i) !== 0;
  }

  /** @returns whether that is news */
  setLooped(i: number, looped: boolean): boolean {
    return Atomics.exchange(this.#words, WORD.LOOPED + i, looped ? 1 : 0) !== (looped ? 1 : 0);
  }

  /** Announces the number in the name that upstream `i` is asked for. */
  setLoopNonce(i: number, nonce: number): void {
    Atomics.store(this.#words, WORD.LOOP_NONCE + i, nonce | 0);
  }

  /** Takes the number away: whoever hears or ends the question first. False when it was gone or is another one. */
  takeLoopNonce(i: number, nonce: number): boolean {
    return nonce !== 0 && Atomics.compareExchange(this.#words, WORD.LOOP_NONCE + i, nonce | 0, 0) === (nonce | 0);
  }

  endProbe(i: number): void {
    Atomics.compareExchange(this.#words, WORD.PROBER + i, this.#worker + 1, 0);
  }
}
