// The only writer of the store. Control thread.
//
// Every method returns after a bounded amount of work (a put of a usual name takes about 1 µs), except `clearTree`, `forEach`
// and the end of a drop that a put forces, which walk the whole table: about 100 ns a name. Work that was put off
// (a larger table, space to reclaim, a dropped tree to empty) goes on in `commit`.
import { BlockAllocator } from './block-allocator.ts';
import type { RrsetData } from './change.ts';
import { copyEntry, equalsEntry, measureEntry, sizeOfEntry, writeEntry } from './entry.ts';
import type { EntryCopy } from './entry.ts';
import {
  CONTROL,
  HASH_TAG_SHIFT,
  MAX_TREE,
  TAG_BITS,
  TREE_CELL,
  TREE_STATE,
  TREE_WORDS,
  UNIT_BYTES,
  UNIT_WORD_SHIFT,
  READERS_AT,
  READER_WORDS,
} from './layout.ts';
import type { StoreMemory, TreeState } from './layout.ts';
import { relativeNameHash } from './name-hash.ts';
import { StoreReader } from './reader.ts';
import { ReaderMarks } from './reader-marks.ts';
import { Reclaimer } from './reclaimer.ts';
import { SlotTable } from './slot-table.ts';
import { StoreFullError } from './store-full-error.ts';

/** Slots of a rebuild or of a dropped tree that one `commit` works through: about 1 ms. */
const SLOTS_PER_COMMIT = 16_384;
/** Blocks that one `commit` gives back: about 1 ms. */
const BLOCKS_PER_COMMIT = 16_384;
/** Deferred blocks at which a put reclaims by itself, for callers that commit rarely. */
const BLOCKS_BEFORE_RECLAIM = 4096;
const DEFAULT_SLOTS = 4096;

export type StoreWriterOptions = {
  /** Slots of the first table; it grows and never gets smaller than this. Default 4096. */
  readonly minSlots?: number;
  /** For tests that need collisions; readers must look up with the same hash. Default `relativeNameHash`. */
  readonly hash?: (tree: number, name: Uint8Array) => number;
};

export type StoreStats = {
  /** Names of all trees. */
  readonly entries: number;
  /** Bytes of the reserved arena. */
  readonly arenaBytes: number;
  /** Bytes ever written, from the start of the arena: what the arena costs in physical memory, rounded to pages. */
  readonly touchedBytes: number;
  /** Bytes in entries and tables. */
  readonly usedBytes: number;
  /** Bytes of `touchedBytes` that are free for new entries. */
  readonly freeBytes: number;
  /** Bytes given up that readers may still look at. */
  readonly deferredBytes: number;
  /** Bytes given back by readers since the start. */
  readonly reclaimedBytes: number;
  readonly tableSlots: number;
  /** Slots that hold neither a name nor nothing. */
  readonly removedSlots: number;
  /** Tables that were replaced since the start. */
  readonly rebuilds: number;
  /** Puts that failed because the arena was full. */
  readonly rejected: number;
};

export class StoreWriter {
  /** The writer's own view: lookups between writes, for sources and tests. */
  readonly reader: StoreReader;
  readonly #control: Int32Array;
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #blocks: BlockAllocator;
  readonly #reclaimer: Reclaimer;
  readonly #table: SlotTable;
  readonly #hash: (tree: number, name: Uint8Array) => number;
  readonly #openTrees = new Set<number>();
  /** No tree below this one is free. */
  #lowestFree = 1;
  /** Trees being dropped, and how far the first of them is in which table. */
  readonly #dropping: number[] = [];
  /** Trees to drop once no reader can be in them, oldest first. */
  readonly #retired: { readonly tree: number; readonly marks: ReaderMarks }[] = [];
  #dropAt = 0;
  #dropTable = 0;
  #entries = 0;
  #rejected = 0;

  /** @throws RangeError when the memory has a writer already or is too small for the first table */
  constructor(memory: StoreMemory, options: StoreWriterOptions = {}) {
    this.#control = new Int32Array(memory.control);
    if (Atomics.load(this.#control, CONTROL.TABLE) !== 0) throw new RangeError('this memory has a writer already');
    this.#words = new Int32Array(memory.arena);
    this.#bytes = new Uint8Array(memory.arena);
    this.#hash = options.hash ?? relativeNameHash;
    this.#blocks = new BlockAllocator(this.#words, 1);
    this.#reclaimer = new Reclaimer(this.#control, this.#blocks);
    this.#table = new SlotTable(
      this.#words,
      this.#control,
      this.#blocks,
      options.minSlots ?? DEFAULT_SLOTS,
      (unit, units) => this.#reclaimer.retire(unit, units),
    );
    this.reader = new StoreReader(memory, this.#control[CONTROL.READERS]!);
  }

  /**
   * Takes a tree number into use: empty, not synced, serial 0.
   * @throws RangeError when all are in use
   */
  openTree(): number {
    for (let tree = this.#lowestFree; tree <= MAX_TREE; tree++) {
      if (this.hasTree(tree)) continue;
      this.#openTrees.add(tree);
      this.#lowestFree = tree + 1;
      return tree;
    }
    throw new RangeError(`all ${MAX_TREE} trees are in use`);
  }

  /**
   * Gives a name new contents.
   *
   * @param name relative to the zone: wire form, lower case, without the root label; the apex is empty
   * @param flags 16 bits, meaning is the source's
   * @param rrsets no type twice; none makes an empty non-terminal
   * @param onlyNew a name that is there keeps what it has
   * @returns whether anything changed; the same contents again are no change
   * @throws StoreFullError when there is no room; the name keeps what it had
   * @throws RangeError when an argument is not of this form
   */
  put(tree: number, name: Uint8Array, flags: number, rrsets: readonly RrsetData[], onlyNew = false): boolean {
    checkTree(tree);
    const size = measureEntry(name, flags, rrsets);
    if (this.#dropping.length > 0 && this.#dropping.includes(tree)) this.#finishDrop(tree);
    const hash = this.#hash(tree, name);
    const { reader } = this;
    const before = reader.find(tree, name, 0, name.length, hash);
    if (before !== 0 && (onlyNew || equalsEntry(reader, before, flags, rrsets))) return false;

    if (this.#reclaimer.deferredBlocks >= BLOCKS_BEFORE_RECLAIM) this.#reclaimer.step(BLOCKS_BEFORE_RECLAIM);
    const units = Math.ceil(size / UNIT_BYTES);
    const unit = this.#allocate(units);
    writeEntry(this.#words, this.#bytes, unit << UNIT_WORD_SHIFT, hash, tree, name, flags, rrsets);
    const slot = (unit << TAG_BITS) | (hash >>> HASH_TAG_SHIFT);
    if (before !== 0) {
      this.#table.replace(slotOf(before, hash), slot, hash);
      this.#retire(tree, before);
    } else {
      if (!this.#table.insert(slot, hash)) {
        this.#blocks.free(unit, units);
        throw this.#full(this.#table.slots * 8);
      }
      this.#entries++;
      this.#addToCell(tree, TREE_CELL.ENTRIES, 1);
    }
    this.#addToCell(tree, TREE_CELL.BYTES, units * UNIT_BYTES);
    this.#addToCell(tree, TREE_CELL.GENERATION, 1);
    return true;
  }

  /**
   * Makes the table large enough for so many names in all, if there is room: whoever knows how many come spares the tables in
   * between. Up to a millisecond for 100,000 names.
   */
  reserve(names: number): void {
    this.#table.reserve(names);
  }

  /** Removes a name. @returns whether it was there */
  remove(tree: number, name: Uint8Array): boolean {
    checkTree(tree);
    const hash = this.#hash(tree, name);
    const entry = this.reader.find(tree, name, 0, name.length, hash);
    if (entry === 0) return false;
    this.#removeEntry(tree, entry);
    return true;
  }

  /** Contents of a name, copied; undefined when it is not there. */
  get(tree: number, name: Uint8Array): EntryCopy | undefined {
    const entry = this.reader.find(tree, name, 0, name.length, this.#hash(tree, name));
    return entry === 0 ? undefined : copyEntry(this.reader, entry);
  }

  /** Calls `visit` with the handle of each entry of the tree, in no order. `visit` must not write to the store. */
  forEach(tree: number, visit: (entry: number) => void): void {
    this.reader.forEach(tree, visit);
  }

  /** Removes all names of a tree at once; state and serial stay. @returns names removed */
  clearTree(tree: number): number {
    checkTree(tree);
    const found: number[] = [];
    this.reader.forEach(tree, (entry) => void found.push(entry));
    for (const entry of found) this.#removeEntry(tree, entry);
    return found.length;
  }

  /**
   * Gives up a tree: not synced and serial 0 at once, its names removed by the following commits, its number free
   * afterwards. A put into it before then finishes the removal first.
   */
  dropTree(tree: number): void {
    checkTree(tree);
    this.setState(tree, TREE_STATE.NOT_SYNCED);
    this.setSerial(tree, 0);
    this.#openTrees.delete(tree);
    if (!this.#dropping.includes(tree)) this.#dropping.push(tree);
  }

  /**
   * Gives up a tree that nothing published names any more: readers that are in a batch now may finish with it, the
   * following commits drop it then.
   */
  retireTree(tree: number): void {
    checkTree(tree);
    const marks = new ReaderMarks(this.#control);
    marks.note();
    this.#retired.push({ tree, marks });
  }

  /** Whether the tree is in use or still being emptied. */
  hasTree(tree: number): boolean {
    return this.#openTrees.has(tree) || this.#dropping.includes(tree);
  }

  setState(tree: number, state: TreeState): void {
    checkTree(tree);
    Atomics.store(this.#control, treeCell(tree, TREE_CELL.STATE), state);
  }

  /** @param serial SOA serial, 0 to 2^32 - 1; set it after the changes it stands for */
  setSerial(tree: number, serial: number): void {
    checkTree(tree);
    Atomics.store(this.#control, treeCell(tree, TREE_CELL.SERIAL), serial | 0);
  }

  /**
   * Does work that was put off, a slice of at most a few milliseconds. Call after each batch of changes.
   * @returns whether more could be done at once; readers inside a batch do not count
   */
  commit(): boolean {
    while (this.#retired[0]?.marks.haveMovedOn()) this.dropTree(this.#retired.shift()!.tree);
    const dropping = this.#dropping.length > 0 && this.#stepDrop(SLOTS_PER_COMMIT);
    const rebuilding = this.#table.step(SLOTS_PER_COMMIT);
    return this.#reclaimer.step(BLOCKS_PER_COMMIT) || rebuilding || dropping;
  }

  /** Lets go of what a reader held whose thread is dead. Only once the thread has ended. */
  forgetReader(reader: number): void {
    if (!Number.isInteger(reader) || reader < 0 || reader >= this.#control[CONTROL.READERS]!) {
      throw new RangeError(`no reader ${reader}`);
    }
    const cell = READERS_AT + reader * READER_WORDS;
    if ((Atomics.load(this.#control, cell) & 1) === 1) Atomics.add(this.#control, cell, 1);
  }

  stats(): StoreStats {
    const { topUnit, freeUnits, limitUnits } = this.#blocks;
    const { deferredUnits, reclaimedUnits } = this.#reclaimer;
    return {
      entries: this.#entries,
      arenaBytes: limitUnits * UNIT_BYTES,
      touchedBytes: this.#blocks.peakUnit * UNIT_BYTES,
      usedBytes: (topUnit - freeUnits - deferredUnits) * UNIT_BYTES,
      freeBytes: (this.#blocks.peakUnit - topUnit + freeUnits) * UNIT_BYTES,
      deferredBytes: deferredUnits * UNIT_BYTES,
      reclaimedBytes: reclaimedUnits * UNIT_BYTES,
      tableSlots: this.#table.slots,
      removedSlots: this.#table.removedSlots,
      rebuilds: this.#table.rebuilds,
      rejected: this.#rejected,
    };
  }

  #allocate(units: number): number {
    let unit = this.#blocks.allocate(units);
    if (unit !== 0) return unit;
    while (this.#reclaimer.step(BLOCKS_PER_COMMIT));
    unit = this.#blocks.allocate(units);
    if (unit === 0) throw this.#full(units * UNIT_BYTES);
    return unit;
  }

  #full(neededBytes: number): StoreFullError {
    this.#rejected++;
    return new StoreFullError(neededBytes, this.#blocks.limitUnits * UNIT_BYTES);
  }

  #removeEntry(tree: number, entry: number): void {
    const hash = this.#words[entry]!;
    this.#table.remove(slotOf(entry, hash), hash);
    this.#retire(tree, entry);
    this.#entries--;
    this.#addToCell(tree, TREE_CELL.ENTRIES, -1);
    this.#addToCell(tree, TREE_CELL.GENERATION, 1);
  }

  #retire(tree: number, entry: number): void {
    const units = Math.ceil(sizeOfEntry(this.reader, entry) / UNIT_BYTES);
    this.#reclaimer.retire(entry >>> UNIT_WORD_SHIFT, units);
    this.#addToCell(tree, TREE_CELL.BYTES, -units * UNIT_BYTES);
  }

  #addToCell(tree: number, cell: number, amount: number): void {
    Atomics.add(this.#control, treeCell(tree, cell), amount);
  }

  /** Empties the first tree being dropped by one slice. @returns whether trees are left to drop */
  #stepDrop(slots: number): boolean {
    const tree = this.#dropping[0]!;
    // A rebuild moved the slots: what was swept may be ahead again.
    if (this.#dropTable !== this.#table.firstWord) {
      this.#dropTable = this.#table.firstWord;
      this.#dropAt = 0;
    }
    const end = Math.min(this.#table.slots, this.#dropAt + slots);
    const found: number[] = [];
    this.reader.forEach(tree, (entry) => void found.push(entry), this.#dropAt, end);
    for (const entry of found) this.#removeEntry(tree, entry);
    this.#dropAt = end;
    if (end === this.#table.slots) {
      this.#dropping.shift();
      this.#lowestFree = Math.min(this.#lowestFree, tree);
      this.#dropAt = 0;
    }
    return this.#dropping.length > 0;
  }

  #finishDrop(tree: number): void {
    while (this.#dropping.includes(tree)) this.#stepDrop(this.#table.slots);
  }
}

function slotOf(entry: number, hash: number): number {
  return ((entry >>> UNIT_WORD_SHIFT) << TAG_BITS) | (hash >>> HASH_TAG_SHIFT);
}

function treeCell(tree: number, cell: number): number {
  return CONTROL.TREES + tree * TREE_WORDS + cell;
}

function checkTree(tree: number): void {
  if (!Number.isInteger(tree) || tree < 1 || tree > MAX_TREE) throw new RangeError(`tree: ${tree}`);
}
