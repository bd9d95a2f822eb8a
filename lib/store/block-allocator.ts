// Hands out blocks of the arena, in units of 16 bytes, and takes them back. Control thread.
//
// Free blocks are linked in bins by size (exact below 64 units, eight steps a doubling above) and merged with free neighbours
// at once, so that space freed by entries of one size serves entries of any other. An allocated block carries no header: who
// frees it knows its size. A free block holds its own links:
//   word 0 size in units, word 1 next in the bin, word 2 previous in the bin, last word size again
// and one bit a unit, kept outside the arena, marks the first and last unit of every free block: that is how a block being
// freed finds free neighbours. Every operation takes constant time.
import { UNIT_WORD_SHIFT } from './layout.ts';

const EXACT_BINS = 64;
const FIRST_LOG2 = 6;
const STEP_BITS = 3;
const BINS = EXACT_BINS + (26 - FIRST_LOG2 + 1) * (1 << STEP_BITS);
/** Blocks looked at in the bin whose lower end is too small for a request: at first, and before the request is refused. */
const FIRST_TRY_BLOCKS = 4;
const LAST_TRY_BLOCKS = 256;

export class BlockAllocator {
  readonly #words: Int32Array;
  readonly #limit: number;
  readonly #edges: Uint32Array;
  readonly #heads = new Int32Array(BINS);
  readonly #filled = new Int32Array((BINS + 31) >>> 5);
  #top: number;
  #peak: number;
  #freeUnits = 0;

  /** @param firstUnit the first unit that may be handed out; at least 1, as 0 means "none" */
  constructor(words: Int32Array, firstUnit: number) {
    this.#words = words;
    this.#limit = words.length >>> UNIT_WORD_SHIFT;
    this.#edges = new Uint32Array((this.#limit >>> 5) + 1);
    this.#top = firstUnit;
    this.#peak = firstUnit;
  }

  /** Every unit from this one on is free. */
  get topUnit(): number {
    return this.#top;
  }

  /** Every unit from this one on was never handed out, so never written. */
  get peakUnit(): number {
    return this.#peak;
  }

  /** Units in free blocks below `topUnit`. */
  get freeUnits(): number {
    return this.#freeUnits;
  }

  get limitUnits(): number {
    return this.#limit;
  }

  /** @returns first unit of a block with undefined contents, or 0 when there is no room */
  allocate(units: number): number {
    if (units >= EXACT_BINS) {
      // Mostly the place that something of the same size left.
      const unit = this.#takeFrom(binOf(units), units, FIRST_TRY_BLOCKS);
      if (unit !== 0) return unit;
    }
    const bin = this.#nextFilled(binThatFits(units));
    if (bin !== -1) return this.#take(this.#heads[bin]!, units);
    if (this.#top + units <= this.#limit) {
      const unit = this.#top;
      this.#top += units;
      if (this.#top > this.#peak) this.#peak = this.#top;
      return unit;
    }
    return units >= EXACT_BINS ? this.#takeFrom(binOf(units), units, LAST_TRY_BLOCKS) : 0;
  }

  /** Takes back a block, or any part of one. */
  free(unit: number, units: number): void {
    const words = this.#words;
    this.#freeUnits += units;
    let first = unit;
    let size = units;
    if (this.#isEdge(unit - 1)) {
      const before = words[(unit << UNIT_WORD_SHIFT) - 1]!;
      first -= before;
      size += before;
      this.#unlink(first, before);
    }
    const after = unit + units;
    if (after < this.#top && this.#isEdge(after)) {
      const behind = words[after << UNIT_WORD_SHIFT]!;
      size += behind;
      this.#unlink(after, behind);
    }
    if (first + size === this.#top) {
      this.#top = first;
      this.#freeUnits -= size;
      return;
    }
    this.#link(first, size);
  }

  #take(unit: number, units: number): number {
    const size = this.#words[unit << UNIT_WORD_SHIFT]!;
    this.#unlink(unit, size);
    this.#freeUnits -= units;
    if (size > units) this.#link(unit + units, size - units);
    return unit;
  }

  /** Takes the first of at most `tries` blocks of the bin that is large enough, or 0. */
  #takeFrom(bin: number, units: number, tries: number): number {
    const words = this.#words;
    let unit = this.#heads[bin]!;
    for (let left = tries; unit !== 0 && left > 0; left--) {
      if (words[unit << UNIT_WORD_SHIFT]! >= units) return this.#take(unit, units);
      unit = words[(unit << UNIT_WORD_SHIFT) + 1]!;
    }
    return 0;
  }

  #link(unit: number, size: number): void {
    const words = this.#words;
    const bin = binOf(size);
    const head = this.#heads[bin]!;
    const at = unit << UNIT_WORD_SHIFT;
    words[at] = size;
    words[at + 1] = head;
    words[at + 2] = 0;
    words[at + (size << UNIT_WORD_SHIFT) - 1] = size;
    if (head !== 0) words[(head << UNIT_WORD_SHIFT) + 2] = unit;
    this.#heads[bin] = unit;
    this.#filled[bin >>> 5]! |= 1 << (bin & 31);
    this.#markEdges(unit, size);
  }

  #unlink(unit: number, size: number): void {
    const words = this.#words;
    const at = unit << UNIT_WORD_SHIFT;
    const next = words[at + 1]!;
    const previous = words[at + 2]!;
    if (next !== 0) words[(next << UNIT_WORD_SHIFT) + 2] = previous;
    if (previous !== 0) words[(previous << UNIT_WORD_SHIFT) + 1] = next;
    else {
      const bin = binOf(size);
      this.#heads[bin] = next;
      if (next === 0) this.#filled[bin >>> 5]! &= ~(1 << (bin & 31));
    }
    this.#clearEdges(unit, size);
  }

  #markEdges(unit: number, size: number): void {
    const last = unit + size - 1;
    this.#edges[unit >>> 5]! |= 1 << (unit & 31);
    this.#edges[last >>> 5]! |= 1 << (last & 31);
  }

  #clearEdges(unit: number, size: number): void {
    const last = unit + size - 1;
    this.#edges[unit >>> 5]! &= ~(1 << (unit & 31));
    this.#edges[last >>> 5]! &= ~(1 << (last & 31));
  }

  #isEdge(unit: number): boolean {
    return (this.#edges[unit >>> 5]! & (1 << (unit & 31))) !== 0;
  }

  /** The first bin from `bin` on that holds a block, or -1. */
  #nextFilled(bin: number): number {
    let word = bin >>> 5;
    let bits = this.#filled[word]! & (-1 << (bin & 31));
    while (bits === 0) {
      if (++word >= this.#filled.length) return -1;
      bits = this.#filled[word]!;
    }
    return (word << 5) + 31 - Math.clz32(bits & -bits);
  }
}

/** The bin that a free block of this size is kept in. */
function binOf(units: number): number {
  if (units < EXACT_BINS) return units;
  const log2 = 31 - Math.clz32(units);
  return EXACT_BINS + ((log2 - FIRST_LOG2) << STEP_BITS) + ((units >>> (log2 - STEP_BITS)) & ((1 << STEP_BITS) - 1));
}

/** The first bin in which every block has at least this size. */
function binThatFits(units: number): number {
  if (units < EXACT_BINS) return units;
  const step = 1 << (31 - Math.clz32(units) - STEP_BITS);
  return Math.min(binOf(units + step - 1), BINS - 1);
}
