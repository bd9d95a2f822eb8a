// The writer's side of the hash table: open addressing with linear probing, rebuilt in slices into a larger block. Control thread.
//
// Why a reader never misses a name that is there, whatever the writer does meanwhile:
//   - A name's entry is replaced by one store to its slot: the reader sees the old entry or the new one. A name changes its
//     slot only by being removed and put again, and a lookup that overlaps the time between may truly answer "none".
//   - A removed slot stays "removed", which a probe passes, unless the slot behind it is empty: then no probe for a name that
//     is there passes it, and it becomes empty. A new name may take a removed slot: another name's probe passes it as before.
//   - There is always an empty slot, so probes end.
//   - A rebuild fills a second table that no reader knows. Slots of the first are copied in order; a change to a slot that was
//     copied already is made in both tables, a change behind the cursor is copied later. At the end the second table holds
//     what the first holds, and one atomic store publishes it. A lookup loads that word once and stays with its table; when it
//     began before the store, the first table is what the store was at that moment, which lies within the lookup. The first
//     table is never written again and is retired like an entry, so it stays readable until the batch is over.
//   - Slots, entries and tables are published by atomic stores. A reader probes with plain loads (0.7 ns against 5 ns) and
//     loads the slot whose tag fits once more atomically before it follows it: that load acquires the entry's bytes. A plain
//     load may see an older value of a slot only as long as nothing orders the writer's store before the lookup.
import type { BlockAllocator } from './block-allocator.ts';
import { CONTROL, SLOT_EMPTY, SLOT_REMOVED, TABLE_SIZE_BITS, TAG_BITS, UNIT_BYTES, UNIT_WORD_SHIFT } from './layout.ts';

/** Slots cleared or copied by each insert while a rebuild is under way: far more than an insert fills. */
const CLEARED_PER_INSERT = 8192;
const COPIED_PER_INSERT = 256;
/** More than any arena holds. */
const MAX_RESERVED = 2 ** 25;
const CLEARED_PER_COPIED = CLEARED_PER_INSERT / COPIED_PER_INSERT;

/** One table of 2^log2 slots. */
class Slots {
  readonly #words: Int32Array;
  readonly unit: number;
  readonly log2: number;
  readonly size: number;
  readonly first: number;
  readonly #mask: number;
  live = 0;
  removed = 0;

  constructor(words: Int32Array, unit: number, log2: number) {
    this.#words = words;
    this.unit = unit;
    this.log2 = log2;
    this.size = 1 << log2;
    this.first = unit << UNIT_WORD_SHIFT;
    this.#mask = this.size - 1;
  }

  get units(): number {
    return unitsOfTable(this.log2);
  }

  /** Index of this very slot value, whose name has this hash; it must be there. */
  indexOf(slot: number, hash: number): number {
    let i = hash & this.#mask;
    while (this.#words[this.first + i] !== slot) i = (i + 1) & this.#mask;
    return i;
  }

  /** Index of the first slot on the hash's path that holds no entry. */
  vacancy(hash: number): number {
    let i = hash & this.#mask;
    for (;;) {
      const slot = this.#words[this.first + i]!;
      if (slot === SLOT_EMPTY || slot === SLOT_REMOVED) return i;
      i = (i + 1) & this.#mask;
    }
  }

  isEmpty(index: number): boolean {
    return this.#words[this.first + index] === SLOT_EMPTY;
  }

  fill(index: number, slot: number): void {
    if (!this.isEmpty(index)) this.removed--;
    this.live++;
    this.set(index, slot);
  }

  set(index: number, slot: number): void {
    Atomics.store(this.#words, this.first + index, slot);
  }

  clear(index: number): void {
    this.live--;
    if (!this.isEmpty((index + 1) & this.#mask)) {
      this.removed++;
      this.set(index, SLOT_REMOVED);
      return;
    }
    this.set(index, SLOT_EMPTY);
    for (let i = (index - 1) & this.#mask; this.#words[this.first + i] === SLOT_REMOVED; i = (i - 1) & this.#mask) {
      this.removed--;
      this.set(i, SLOT_EMPTY);
    }
  }
}

export class SlotTable {
  readonly #words: Int32Array;
  readonly #control: Int32Array;
  readonly #blocks: BlockAllocator;
  readonly #retire: (unit: number, units: number) => void;
  readonly #minLog2: number;
  #current: Slots;
  #next: Slots | undefined;
  /** Slots of `#next` that were cleared. */
  #cleared = 0;
  /** Slots of `#current` that were copied to `#next`. */
  #copied = 0;
  #rebuilds = 0;

  /**
   * Publishes an empty table.
   *
   * @param retire called with the block of a table that was replaced
   * @throws RangeError when the arena is too small for it
   */
  constructor(
    words: Int32Array,
    control: Int32Array,
    blocks: BlockAllocator,
    minSlots: number,
    retire: (unit: number, units: number) => void,
  ) {
    this.#words = words;
    this.#control = control;
    this.#blocks = blocks;
    this.#retire = retire;
    this.#minLog2 = Math.max(4, Math.ceil(Math.log2(minSlots)));
    const unit = blocks.allocate(unitsOfTable(this.#minLog2));
    if (unit === 0) throw new RangeError(`arena too small for ${minSlots} slots`);
    this.#current = new Slots(words, unit, this.#minLog2);
    this.#publish();
  }

  get slots(): number {
    return this.#current.size;
  }

  get removedSlots(): number {
    return this.#current.removed;
  }

  /** Rebuilds completed since the start. */
  get rebuilds(): number {
    return this.#rebuilds;
  }

  get isRebuilding(): boolean {
    return this.#next !== undefined;
  }

  /** Word of slot 0; changes when a rebuild completes. */
  get firstWord(): number {
    return this.#current.first;
  }

  /** Adds a name that is not there. @returns false when the table is full and no larger one fits into the arena */
  insert(slot: number, hash: number): boolean {
    const current = this.#current;
    const index = current.vacancy(hash);
    if (current.isEmpty(index)) {
      const used = current.live + current.removed + 1;
      if (used > current.size >>> 1) this.#beginRebuild();
      if (used > current.size - (current.size >>> 3)) return false;
    }
    current.fill(index, slot);
    if (index < this.#copied) this.#next!.fill(this.#next!.vacancy(hash), slot);
    if (this.#next) this.step(COPIED_PER_INSERT);
    return true;
  }

  /** Switches a name from one entry to another. */
  replace(slot: number, by: number, hash: number): void {
    const index = this.#current.indexOf(slot, hash);
    this.#current.set(index, by);
    if (index < this.#copied) this.#next!.set(this.#next!.indexOf(slot, hash), by);
  }

  remove(slot: number, hash: number): void {
    const index = this.#current.indexOf(slot, hash);
    this.#current.clear(index);
    if (index < this.#copied) this.#next!.clear(this.#next!.indexOf(slot, hash));
  }

  /** Goes on with a rebuild by at most `slots` slots. @returns whether it is still under way */
  step(slots: number): boolean {
    const next = this.#next;
    if (!next) return false;
    if (this.#cleared < next.size) {
      const end = Math.min(next.size, this.#cleared + slots * CLEARED_PER_COPIED);
      this.#words.fill(SLOT_EMPTY, next.first + this.#cleared, next.first + end);
      this.#cleared = end;
      return true;
    }
    const words = this.#words;
    const current = this.#current;
    const end = Math.min(current.size, this.#copied + slots);
    for (let i = this.#copied; i < end; i++) {
      const slot = words[current.first + i]!;
      if (slot === SLOT_EMPTY || slot === SLOT_REMOVED) continue;
      const hash = words[(slot >>> TAG_BITS) << UNIT_WORD_SHIFT]!;
      next.fill(next.vacancy(hash), slot);
    }
    this.#copied = end;
    if (end < current.size) return true;
    this.#current = next;
    this.#next = undefined;
    this.#copied = 0;
    this.#rebuilds++;
    this.#publish();
    this.#retire(current.unit, current.units);
    return false;
  }

  /** Makes room for so many names in all at once, unless a rebuild is under way or the arena is too small. */
  reserve(names: number): void {
    if (this.#next || names * 2 <= this.#current.size || names > MAX_RESERVED) return;
    this.#beginRebuild(names * 2);
    while (this.step(this.#current.size));
  }

  /** Starts a rebuild to a load of at most a third, unless one is under way or the arena has no room (then the next insert tries). */
  #beginRebuild(slots: number = this.#current.live * 3): void {
    if (this.#next) return;
    let log2 = this.#minLog2;
    while (2 ** log2 < slots) log2++;
    const unit = this.#blocks.allocate(unitsOfTable(log2));
    if (unit === 0) return;
    this.#next = new Slots(this.#words, unit, log2);
    this.#cleared = 0;
    this.#copied = 0;
  }

  #publish(): void {
    const { unit, log2 } = this.#current;
    Atomics.store(this.#control, CONTROL.TABLE, (unit << TABLE_SIZE_BITS) | log2);
  }
}

function unitsOfTable(log2: number): number {
  return Math.ceil((2 ** log2 * 4) / UNIT_BYTES);
}
