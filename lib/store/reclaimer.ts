// Keeps blocks that readers may still look at until every reader has ended the batch it was in. Control thread.
//
// Each reader has a cell: odd inside a batch, even outside, never the same number twice in a row of 2^32. A block is
// retired after the last pointer to it was switched. Then:
//   1. `step` closes the list of retired blocks and notes the cells that are odd.
//   2. Once each noted cell has another value, no reader can hold a pointer to a block of the list: a reader that was idle
//      or begins a batch later finds the switched pointers, because the switch, the writer's look at the cell, the reader's
//      store to its cell and its load of the pointer are all atomic operations and so stand in one order that both agree on.
//      (A reader's load that comes before the switch has its store to the cell before the writer's look: it was noted.)
//   3. The blocks go back to the allocator. What was retired meanwhile is on the next list.
import type { BlockAllocator } from './block-allocator.ts';
import { ReaderMarks } from './reader-marks.ts';

export class Reclaimer {
  readonly #marks: ReaderMarks;
  readonly #blocks: BlockAllocator;
  /** Unit and size by turns: closed list, and the one still open. */
  #closed: number[] = [];
  #open: number[] = [];
  #deferredUnits = 0;
  #reclaimedUnits = 0;

  constructor(control: Int32Array, blocks: BlockAllocator) {
    this.#marks = new ReaderMarks(control);
    this.#blocks = blocks;
  }

  /** Units retired and not yet given back. */
  get deferredUnits(): number {
    return this.#deferredUnits;
  }

  /** Units given back since the start. */
  get reclaimedUnits(): number {
    return this.#reclaimedUnits;
  }

  /** Blocks retired and not yet given back. */
  get deferredBlocks(): number {
    return (this.#open.length + this.#closed.length) / 2;
  }

  /** Gives up a block that no published pointer leads to any more. */
  retire(unit: number, units: number): void {
    this.#open.push(unit, units);
    this.#deferredUnits += units;
  }

  /**
   * Gives back what no reader can see.
   *
   * @param maxBlocks at most this many blocks in this call
   * @returns whether blocks are left that could be given back at once
   */
  step(maxBlocks: number): boolean {
    let left = maxBlocks;
    for (;;) {
      if (this.#closed.length === 0) {
        if (this.#open.length === 0) return false;
        [this.#closed, this.#open] = [this.#open, this.#closed];
        this.#marks.note();
      }
      if (!this.#marks.haveMovedOn()) return false;
      for (; this.#closed.length > 0 && left > 0; left--) {
        const units = this.#closed.pop()!;
        this.#blocks.free(this.#closed.pop()!, units);
        this.#deferredUnits -= units;
        this.#reclaimedUnits += units;
      }
      if (left === 0) return this.#closed.length > 0;
    }
  }
}
