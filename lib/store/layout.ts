// Where everything in the shared store lies: constants, and the memory that the control thread makes and passes to workers.
// Both kinds of thread.
//
// Two SharedArrayBuffers:
//   control   word 1: the table in use (one word, so that one atomic store publishes a table); one block of cells per tree;
//             one cell per reader, each on a cache line of its own.
//   arena     everything else in units of 16 bytes: entries and hash tables, placed by block-allocator.ts. Reserved in full
//             at start; a page costs memory only once it was written. Unit 0 stays zero: handle 0 means "none", and a
//             reader that follows a removed slot comes to tree 0, which no name is in.
//
// Table    power-of-two array of 32-bit slots. Slot: unit of the entry (26 bits) then the hash's top bits (6 bits).
// Entry    word 0  hash: finishHash(hashBytes(HASH_SEED, relative name), tree)
//          word 1  bits 0-15 tree, 16-23 length of the name in bytes, 24-31 number of rrsets
//          word 2  bits 0-15 flags, free for the source; 16-31 unused, 0
//          then the name relative to the zone: wire form, lower case, without the root label; padded to a word
//          then the rrsets
// Rrset    word 0  bits 0-15 type, 16-31 number of records
//          word 1  bits 0-23 length of the bytes, 24-31 form, free for the source
//          then the bytes, padded to a word. What they are (whole records or RDATA, TTL inside or not) is told by the form.
// Numbers are in the machine's byte order: memory is never written to disk as it is.
import { randomBytes } from 'node:crypto';
import { getEnvironmentData, setEnvironmentData } from 'node:worker_threads';

const SEED_KEY = 'clusterdns.store.hashSeed';

/**
 * Start of every name hash. Drawn by the first thread that loads this module and inherited by the workers it starts
 * afterwards, so that all of them agree and nobody outside can choose names that collide.
 */
export const HASH_SEED: number = inheritSeed();

function inheritSeed(): number {
  const inherited = getEnvironmentData(SEED_KEY);
  if (typeof inherited === 'number') return inherited;
  const drawn = randomBytes(4).readInt32LE(0);
  setEnvironmentData(SEED_KEY, drawn);
  return drawn;
}

/** Bytes of a unit of the arena; blocks start on and fill whole units. */
export const UNIT_BYTES = 16;
/** Words (4 bytes) of a unit, as a shift. */
export const UNIT_WORD_SHIFT = 2;
/** Units that 26 bits of a slot can name: 1 GiB. */
export const MAX_UNITS: number = 2 ** 26;

/** Slot without a name; a probe ends here. */
export const SLOT_EMPTY = 0;
/** Slot whose name was removed; a probe goes on. Its unit is 0. */
export const SLOT_REMOVED = 1;
/** Low bits of a slot: the tag, the top bits of the hash. */
export const TAG_MASK = 0x3f;
export const TAG_BITS = 6;
/** Shift that leaves the tag of a hash. */
export const HASH_TAG_SHIFT = 26;

/** Published table: unit of its first slot above these bits, binary logarithm of its slots in them. */
export const TABLE_SIZE_BITS = 5;
export const TABLE_SIZE_MASK = 0x1f;

/** Bytes of an entry before its name. */
export const ENTRY_HEADER_BYTES = 12;
/** Bytes of an rrset before its bytes. */
export const RRSET_HEADER_BYTES = 8;
/** Tree and name length in word 1 of an entry. */
export const ENTRY_KEY_MASK = 0xff_ffff;
/** Longest relative name, root label not counted. */
export const MAX_RELATIVE_NAME_LENGTH = 254;
export const MAX_RRSETS = 255;
export const MAX_RECORDS = 0xffff;
/** Bytes of one rrset. */
export const MAX_RRSET_BYTES = 0xff_ffff;

/** Trees are numbered 1 to `MAX_TREE`; 0 is no tree. */
export const MAX_TREE = 16_383;

/**
 * How far the names of a tree can be trusted: not at all yet; fully; as they were at an earlier time (a saved copy from
 * before the start, or the source has not been heard for long); what is there is true, but more may exist.
 */
export const TREE_STATE = { NOT_SYNCED: 0, SYNCED: 1, SNAPSHOT: 2, INCOMPLETE: 3 } as const;
export type TreeState = (typeof TREE_STATE)[keyof typeof TREE_STATE];

/** Words of `control`. */
export const CONTROL = { TABLE: 1, READERS: 2, TREES: 16 } as const;
export const TREE_WORDS = 8;
/** Cells of a tree, from `CONTROL.TREES + tree * TREE_WORDS`. `GENERATION` moves with every change of the tree. */
export const TREE_CELL = { STATE: 0, SERIAL: 1, ENTRIES: 2, BYTES: 3, GENERATION: 4 } as const;
/** Words from one reader's cell to the next: two cache lines, as neighbours are fetched in pairs. */
export const READER_WORDS = 32;
export const READERS_AT: number = CONTROL.TREES + (MAX_TREE + 1) * TREE_WORDS;

/** The store's memory as it crosses to workers: plain, cloneable, shared by reference. */
export type StoreMemory = {
  readonly control: SharedArrayBuffer;
  readonly arena: SharedArrayBuffer;
};

export type StoreMemoryOptions = {
  /** Bytes to reserve; halved until the system grants it. Rounded down to whole units. Default 1 GiB, the most there is. */
  readonly arenaBytes?: number;
  /** Readers there may ever be at one time. Default 64. */
  readonly readers?: number;
};

const DEFAULT_ARENA_BYTES = 2 ** 30;
const MIN_ARENA_BYTES = 2 ** 16;
const DEFAULT_READERS = 64;

/**
 * Reserves the store's memory. Control thread, once; `StoreWriter` makes it usable.
 *
 * @throws RangeError when the system grants not even 64 KiB, or the options are out of range
 */
export function createStoreMemory(options: StoreMemoryOptions = {}): StoreMemory {
  const readers = options.readers ?? DEFAULT_READERS;
  const arenaBytes = options.arenaBytes ?? DEFAULT_ARENA_BYTES;
  if (!Number.isInteger(readers) || readers < 1 || readers > 4096) throw new RangeError(`readers: ${readers}`);
  if (!(arenaBytes >= MIN_ARENA_BYTES && arenaBytes <= MAX_UNITS * UNIT_BYTES)) {
    throw new RangeError(`arenaBytes: ${arenaBytes}`);
  }
  // One cell more than readers: the writer's own view has one that never says "in a batch".
  const control = new SharedArrayBuffer((READERS_AT + (readers + 1) * READER_WORDS) * 4);
  new Int32Array(control)[CONTROL.READERS] = readers;
  return { control, arena: reserve(arenaBytes) };
}

function reserve(arenaBytes: number): SharedArrayBuffer {
  for (let bytes = arenaBytes; ; bytes /= 2) {
    try {
      return new SharedArrayBuffer(Math.floor(bytes / UNIT_BYTES) * UNIT_BYTES);
    } catch (error) {
      if (bytes / 2 < MIN_ARENA_BYTES) throw error;
    }
  }
}
