// Keeps a flood of alike errors from becoming a flood of lines: the first few as they are, then a count and a sample a period. Worker.
//
// Errors are alike when their texts are the same but for numbers (addresses, ports, IDs) and quoted names. The counts are shared
// between workers: one of them writes the line for all.
import type { CancelTimer, Clock } from '../../base/clock.ts';
import { formatDuration } from '../../config/duration.ts';

/** Lines written one by one before counting starts. */
const FIRST_LINES = 5;
const PERIOD_SECONDS = 20;
/** After this long without an alike error its next ones are lines of their own again. */
const QUIET_SECONDS = 60;
/** Kinds of errors told apart; those whose hashes fall together share a count. */
const SLOTS = 64;
/** Longest part of a text that decides what it is like. */
const MAX_LENGTH = 512;

const WORD = { LINES: 0, COUNT: 1, LAST_SECOND: 2, NEXT_SECOND: 3 } as const;
const SLOT_WORDS = 4;

/** Made at setup; crosses threads by reference. */
export function createGuardMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(SLOTS * SLOT_WORDS * Int32Array.BYTES_PER_ELEMENT);
}

type Pending = { readonly sample: string; readonly cancel: CancelTimer };

export class FloodGuard {
  readonly #words: Int32Array;
  readonly #clock: Clock;
  readonly #write: (line: string) => void;
  /** Slots that this worker has counted errors for. */
  readonly #pending = new Map<number, Pending>();

  constructor(memory: SharedArrayBuffer, clock: Clock, write: (line: string) => void) {
    this.#words = new Int32Array(memory);
    this.#clock = clock;
    this.#write = write;
  }

  /** Writes the line or counts it. `subject` is called when its text is needed. */
  report(text: string, subject: () => string): void {
    const words = this.#words;
    const slot = slotOf(text);
    const at = slot * SLOT_WORDS;
    const second = this.#second();
    const last = Atomics.exchange(words, at + WORD.LAST_SECOND, second);
    if (second - last > QUIET_SECONDS) Atomics.store(words, at + WORD.LINES, 0);
    if (Atomics.load(words, at + WORD.LINES) < FIRST_LINES && Atomics.add(words, at + WORD.LINES, 1) < FIRST_LINES) {
      Atomics.store(words, at + WORD.NEXT_SECOND, second + PERIOD_SECONDS);
      this.#write(`${subject()}: ${text}`);
      return;
    }
    Atomics.add(words, at + WORD.COUNT, 1);
    if (!this.#pending.has(slot)) this.#wait(slot, `${subject()}: ${text}`);
  }

  #second(): number {
    return Math.floor(this.#clock.nowMs() / 1000) | 0;
  }

  #wait(slot: number, sample: string): void {
    const seconds = Atomics.load(this.#words, slot * SLOT_WORDS + WORD.NEXT_SECOND) - this.#second();
    const delayMs = Math.min(Math.max(seconds, 1), PERIOD_SECONDS) * 1000;
    this.#pending.set(slot, { sample, cancel: this.#clock.after(delayMs, () => this.#due(slot, sample)) });
  }

  #due(slot: number, sample: string): void {
    const at = slot * SLOT_WORDS + WORD.NEXT_SECOND;
    this.#pending.delete(slot);
    const second = this.#second();
    const next = Atomics.load(this.#words, at);
    const isTurn = second >= next && Atomics.compareExchange(this.#words, at, next, second + PERIOD_SECONDS) === next;
    if (isTurn) this.#summarize(slot, sample);
    // Another worker was first and has counted ours, or it is too early.
    else if (Atomics.load(this.#words, slot * SLOT_WORDS + WORD.COUNT) > 0) this.#wait(slot, sample);
  }

  #summarize(slot: number, sample: string): void {
    const count = Atomics.exchange(this.#words, slot * SLOT_WORDS + WORD.COUNT, 0);
    if (count === 1) this.#write(sample);
    else if (count > 1) {
      this.#write(`${count} errors like '${sample}' occurred in last ${formatDuration(PERIOD_SECONDS * 1000)}`);
    }
  }

  /** Writes what was counted and not told yet. */
  close(): void {
    for (const [slot, { sample, cancel }] of this.#pending) {
      cancel();
      this.#summarize(slot, sample);
    }
    this.#pending.clear();
  }
}

function slotOf(text: string): number {
  let hash = 0x811c9dc5;
  let wasNumber = false;
  let isQuoted = false;
  for (let i = 0; i < text.length && i < MAX_LENGTH; i++) {
    const code = text.charCodeAt(i);
    if (code === 0x22) isQuoted = !isQuoted;
    if (isQuoted) continue;
    const isNumber = isNumeric(code);
    if (isNumber && wasNumber) continue;
    wasNumber = isNumber;
    hash = Math.imul(hash ^ (isNumber ? 0x30 : code), 0x01000193);
  }
  return (hash >>> 0) % SLOTS;
}

/** Digits and what joins them in addresses. */
function isNumeric(code: number): boolean {
  return (code >= 0x30 && code <= 0x39) || code === 0x2e || code === 0x3a || code === 0x5b || code === 0x5d;
}
