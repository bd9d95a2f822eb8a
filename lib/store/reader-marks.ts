// Which readers were inside a batch at one moment, and whether each of them has left it since. Control thread.
import { CONTROL, READERS_AT, READER_WORDS } from './layout.ts';

/** Why this is enough to know that nothing unpublished is seen any more: see reclaimer.ts. */
export class ReaderMarks {
  readonly #control: Int32Array;
  readonly #readers: number;
  /** Cell and the odd value it had by turns. */
  readonly #awaited: number[] = [];

  constructor(control: Int32Array) {
    this.#control = control;
    this.#readers = control[CONTROL.READERS]!;
  }

  /** Notes the readers that are in a batch now. */
  note(): void {
    this.#awaited.length = 0;
    for (let reader = 0; reader < this.#readers; reader++) {
      const cell = READERS_AT + reader * READER_WORDS;
      const value = Atomics.load(this.#control, cell);
      if ((value & 1) === 1) this.#awaited.push(cell, value);
    }
  }

  /** Whether every noted reader has ended that batch. */
  haveMovedOn(): boolean {
    const awaited = this.#awaited;
    while (awaited.length > 0) {
      if (Atomics.load(this.#control, awaited[awaited.length - 2]!) === awaited[awaited.length - 1]) return false;
      awaited.length -= 2;
    }
    return true;
  }
}
