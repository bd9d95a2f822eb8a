// One coarse timer for thousands of deadlines: setting one costs a few assignments, no system timer. Worker.
import type { CancelTimer, Clock } from '../base/clock.ts';

const SLOTS = 512;
const IDLE = 0;
const WAITING = 1;
const EXPIRING = 2;

/** Something with at most one deadline in one wheel. */
export abstract class WheelEntry {
  /** The wheel's own; leave alone. */
  wheelState: number = IDLE;
  wheelTick = 0;
  wheelNext: WheelEntry | undefined;
  wheelPrevious: WheelEntry | undefined;

  /** Called once when the deadline has passed, up to two ticks late. */
  abstract expire(): void;
}

export class TimerWheel {
  readonly #clock: Clock;
  readonly #tickMs: number;
  readonly #slots: (WheelEntry | undefined)[] = Array.from({ length: SLOTS }, () => undefined);
  #size = 0;
  #lastTick = 0;
  #cancelTimer: CancelTimer | undefined;

  constructor(clock: Clock, tickMs: number) {
    this.#clock = clock;
    this.#tickMs = tickMs;
  }

  /** Entries that have a deadline. */
  get size(): number {
    return this.#size;
  }

  /** Sets the entry's deadline, replacing the one it had. */
  schedule(entry: WheelEntry, delayMs: number): void {
    this.cancel(entry);
    const nowMs = this.#clock.monotonicMs();
    if (this.#size === 0) this.#lastTick = Math.floor(nowMs / this.#tickMs);
    const tick = Math.max(Math.ceil((nowMs + delayMs) / this.#tickMs), this.#lastTick + 1);
    const slot = tick % SLOTS;
    const head = this.#slots[slot];
    entry.wheelState = WAITING;
    entry.wheelTick = tick;
    entry.wheelPrevious = undefined;
    entry.wheelNext = head;
    if (head) head.wheelPrevious = entry;
    this.#slots[slot] = entry;
    this.#size++;
    this.#cancelTimer ??= this.#clock.after(this.#tickMs, this.#turn);
  }

  /** How long an entry with a deadline has left, at least 0. */
  remainingMs(entry: WheelEntry): number {
    return Math.max(0, entry.wheelTick * this.#tickMs - this.#clock.monotonicMs());
  }

  /** Takes the deadline away; harmless when there is none. */
  cancel(entry: WheelEntry): void {
    if (entry.wheelState === WAITING) this.#unlink(entry);
    entry.wheelState = IDLE;
  }

  /** Forgets all deadlines. */
  close(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    for (let slot = 0; slot < SLOTS; slot++) {
      for (let entry = this.#slots[slot]; entry; entry = this.#slots[slot]) this.cancel(entry);
    }
  }

  #unlink(entry: WheelEntry): void {
    const { wheelNext, wheelPrevious } = entry;
    if (wheelPrevious) wheelPrevious.wheelNext = wheelNext;
    else this.#slots[entry.wheelTick % SLOTS] = wheelNext;
    if (wheelNext) wheelNext.wheelPrevious = wheelPrevious;
    entry.wheelNext = undefined;
    entry.wheelPrevious = undefined;
    this.#size--;
  }

  readonly #turn = (): void => {
    this.#cancelTimer = undefined;
    const nowTick = Math.floor(this.#clock.monotonicMs() / this.#tickMs);
    const expired: WheelEntry[] = [];
    // After a long pause one round over all slots finds everything that is due.
    for (let tick = Math.max(this.#lastTick + 1, nowTick - SLOTS + 1); tick <= nowTick; tick++) {
      for (let entry = this.#slots[tick % SLOTS]; entry; ) {
        const next: WheelEntry | undefined = entry.wheelNext;
        if (entry.wheelTick <= nowTick) {
          this.#unlink(entry);
          entry.wheelState = EXPIRING;
          expired.push(entry);
        }
        entry = next;
      }
    }
    this.#lastTick = nowTick;
    for (const entry of expired) {
      // An earlier one may have cancelled or moved it.
      if (entry.wheelState !== EXPIRING) continue;
      entry.wheelState = IDLE;
      entry.expire();
    }
    if (this.#size > 0) this.#cancelTimer ??= this.#clock.after(this.#tickMs, this.#turn);
  };
}
