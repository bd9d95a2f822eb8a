// Reads the store in place, without locks and without allocating. Worker (the writer keeps one for itself).
//
// A handle is the index of a word of the arena: of an entry or of an rrset. It is valid from `find` until the `leave` that
// follows; whoever has to wait copies what it needs first.
import {
  CONTROL,
  ENTRY_HEADER_BYTES,
  ENTRY_KEY_MASK,
  HASH_TAG_SHIFT,
  READERS_AT,
  READER_WORDS,
  SLOT_EMPTY,
  TABLE_SIZE_BITS,
  TABLE_SIZE_MASK,
  TAG_BITS,
  TAG_MASK,
  TREE_CELL,
  TREE_STATE,
  TREE_WORDS,
  UNIT_WORD_SHIFT,
} from './layout.ts';
import type { StoreMemory, TreeState } from './layout.ts';

export class StoreReader {
  /** The arena as bytes: names and rrset bytes are copied from here. Never write to it. */
  readonly bytes: Uint8Array;
  /** The arena as words, for what the accessors below do not cover. Never write to it. */
  readonly words: Int32Array;
  readonly #control: Int32Array;
  readonly #cell: number;
  #epoch: number;
  #depth = 0;

  /**
   * @param reader number of this reader, below `readers` of `createStoreMemory`; each is used by one thread at a time
   * @throws RangeError when there is no such reader
   */
  constructor(memory: StoreMemory, reader: number) {
    this.#control = new Int32Array(memory.control);
    if (!Number.isInteger(reader) || reader < 0 || reader > this.#control[CONTROL.READERS]!) {
      throw new RangeError(`no reader ${reader}`);
    }
    this.bytes = new Uint8Array(memory.arena);
    this.words = new Int32Array(memory.arena);
    this.#cell = READERS_AT + reader * READER_WORDS;
    // A reader that died inside a batch left an odd number; its successor goes on from the next even one.
    this.#epoch = (Atomics.load(this.#control, this.#cell) + 1) & ~1;
    Atomics.store(this.#control, this.#cell, this.#epoch);
  }

  /** Begins a batch: what is found from now on stays readable until `leave`. Nests: only the outermost pair counts. */
  enter(): void {
    if (this.#depth++ !== 0) return;
    this.#epoch = (this.#epoch + 1) | 0;
    Atomics.store(this.#control, this.#cell, this.#epoch);
  }

  /** Ends the batch: every handle is void. */
  leave(): void {
    if (--this.#depth !== 0) return;
    this.#epoch = (this.#epoch + 1) | 0;
    Atomics.store(this.#control, this.#cell, this.#epoch);
  }

  /**
   * Finds a name.
   *
   * @param name holds the name relative to the zone at `name[at .. at + length)`: wire form, lower case, no root label
   * @param hash `Query.relativeHash(label, tree)`, or `relativeNameHash` of name-hash.ts
   * @returns handle of the entry, or 0 when the tree has no such name
   */
  find(tree: number, name: Uint8Array, at: number, length: number, hash: number): number {
    const { words, bytes } = this;
    const table = Atomics.load(this.#control, CONTROL.TABLE);
    const first = (table >>> TABLE_SIZE_BITS) << UNIT_WORD_SHIFT;
    const mask = (1 << (table & TABLE_SIZE_MASK)) - 1;
    const tag = hash >>> HASH_TAG_SHIFT;
    const key = tree | (length << 16);
    for (let i = hash & mask, left = mask; left >= 0; i = (i + 1) & mask, left--) {
      const seen = words[first + i]!;
      if (seen === SLOT_EMPTY) return 0;
      if ((seen & TAG_MASK) !== tag) continue;
      const entry = (Atomics.load(words, first + i) >>> TAG_BITS) << UNIT_WORD_SHIFT;
      if (words[entry] !== hash || (words[entry + 1]! & ENTRY_KEY_MASK) !== key) continue;
      const nameAt = (entry << 2) + ENTRY_HEADER_BYTES;
      let same = 0;
      while (same < length && bytes[nameAt + same] === name[at + same]) same++;
      if (same === length) return entry;
    }
    return 0;
  }

  /**
   * Calls `visit` with the handle of each entry of the tree, in no order; about 100 ns a name. Inside a batch. Names
   * that are put or removed meanwhile may be visited or not.
   *
   * @param from first slot of the table, `to` the slot behind the last; the whole table by default
   */
  forEach(tree: number, visit: (entry: number) => void, from = 0, to: number = Infinity): void {
    const { words } = this;
    const table = Atomics.load(this.#control, CONTROL.TABLE);
    const first = (table >>> TABLE_SIZE_BITS) << UNIT_WORD_SHIFT;
    const end = Math.min(to, 1 << (table & TABLE_SIZE_MASK));
    for (let i = from; i < end; i++) {
      if (words[first + i] === SLOT_EMPTY) continue;
      const entry = (Atomics.load(words, first + i) >>> TAG_BITS) << UNIT_WORD_SHIFT;
      if (entry !== 0 && this.tree(entry) === tree) visit(entry);
    }
  }

  /** Differs from an earlier value when all names have moved to a table of another size since. */
  get table(): number {
    return Atomics.load(this.#control, CONTROL.TABLE);
  }

  /** Slots of the table that names are in now, for `forEach` in parts. */
  get slots(): number {
    return 1 << (this.table & TABLE_SIZE_MASK);
  }

  /** Handle of the entry's rrset of this type, or 0. */
  findRrset(entry: number, type: number): number {
    const { words } = this;
    let rrset = this.firstRrset(entry);
    for (let left = words[entry + 1]! >>> 24; left > 0; left--) {
      const head = words[rrset]!;
      if ((head & 0xffff) === type) return rrset;
      rrset += 2 + (((words[rrset + 1]! & 0xff_ffff) + 3) >>> 2);
    }
    return 0;
  }

  /** Rrsets of the entry; 0 means an empty non-terminal. */
  rrsetCount(entry: number): number {
    return this.words[entry + 1]! >>> 24;
  }

  /** The source's own 16 bits. */
  flags(entry: number): number {
    return this.words[entry + 2]! & 0xffff;
  }

  /** Tree of the entry. */
  tree(entry: number): number {
    return this.words[entry + 1]! & 0xffff;
  }

  /** Where the relative name starts in `bytes`. */
  nameAt(entry: number): number {
    return (entry << 2) + ENTRY_HEADER_BYTES;
  }

  /** Bytes of the relative name, which has no root label. */
  nameLength(entry: number): number {
    return (this.words[entry + 1]! >>> 16) & 0xff;
  }

  /** Handle of the entry's first rrset; only meaningful when `rrsetCount` is not 0. */
  firstRrset(entry: number): number {
    return entry + ((ENTRY_HEADER_BYTES + this.nameLength(entry) + 3) >>> 2);
  }

  /** Handle of the rrset behind this one in the same entry. */
  nextRrset(rrset: number): number {
    return rrset + 2 + ((this.byteLength(rrset) + 3) >>> 2);
  }

  rrsetType(rrset: number): number {
    return this.words[rrset]! & 0xffff;
  }

  /** Records of the rrset. */
  recordCount(rrset: number): number {
    return this.words[rrset]! >>> 16;
  }

  /** The source's own 8 bits that say what the bytes are. */
  form(rrset: number): number {
    return this.words[rrset + 1]! >>> 24;
  }

  /** Where the rrset's bytes start in `bytes`; a multiple of 4. */
  bytesAt(rrset: number): number {
    return (rrset + 2) << 2;
  }

  byteLength(rrset: number): number {
    return this.words[rrset + 1]! & 0xff_ffff;
  }

  state(tree: number): TreeState {
    return Atomics.load(this.#control, treeCell(tree, TREE_CELL.STATE)) as TreeState;
  }

  /** Whether the source has seen everything, so that a missing name does not exist. A saved copy does not count. */
  isSynced(tree: number): boolean {
    return Atomics.load(this.#control, treeCell(tree, TREE_CELL.STATE)) === TREE_STATE.SYNCED;
  }

  /** SOA serial, 0 to 2^32 - 1. */
  serial(tree: number): number {
    return Atomics.load(this.#control, treeCell(tree, TREE_CELL.SERIAL)) >>> 0;
  }

  /** Names of the tree, empty non-terminals included. */
  entryCount(tree: number): number {
    return Atomics.load(this.#control, treeCell(tree, TREE_CELL.ENTRIES));
  }

  /** Arena bytes of the tree's entries. */
  treeBytes(tree: number): number {
    return Atomics.load(this.#control, treeCell(tree, TREE_CELL.BYTES));
  }

  /** Differs from an earlier value when any name of the tree changed since. 32 bits, wraps. */
  generation(tree: number): number {
    return Atomics.load(this.#control, treeCell(tree, TREE_CELL.GENERATION));
  }
}

function treeCell(tree: number, cell: number): number {
  return CONTROL.TREES + tree * TREE_WORDS + cell;
}
