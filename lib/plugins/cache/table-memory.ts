// lib/plugins/cache/table-memory.ts — both kinds of thread. How a table of cached answers lies in shared memory.
//
//   locks    32 words per shard, so that each has cache lines of its own: see SHARD
//   tags     a word per entry: its hash, 0 when there is none; the 16 entries of a set are one cache line
//   entries  16 words per entry: see ENTRY
//   times    4 doubles per entry: see TIME
//   blocks   what block-store.ts keeps. An entry's stream: its key, padded to pairs of words; a pair per record (owner
//            offset and type, TTL offset and RDLENGTH); the message after the question
import { SHARD_BYTES } from './block-store.ts';

export const WAYS = 16;
export const SHARD_SETS = 16;
export const SHARD_ENTRIES: number = WAYS * SHARD_SETS;
const MIN_SHARDS = 4;
/** Entries a table can have, whatever the Corefile asks for. */
export const MAX_TABLE_ENTRIES = 1_048_576;

export const SHARD_WORDS = 32;
/** Bits 8-31 of the lock count the changes, bits 0-7 name the worker that is at one. HAND is where evictions go on. */
export const SHARD = { LOCK: 0, HAND: 1, BLOCKS: 2 } as const;

export const ENTRY_WORDS = 16;
export const ENTRY = {
  FIRST_BLOCK: 0,
  KEY_LENGTH: 1,
  /** qtype << 16 | qclass */
  QUESTION: 2,
  /** FLAG bits; the rcode from bit 16. */
  FLAGS: 3,
  BODY_LENGTH: 4,
  ANSWERS: 5,
  AUTHORITIES: 6,
  ADDITIONALS: 7,
  SAVED: 8,
  TTL: 9,
  /** Hits in a row, for prefetching. */
  HITS: 10,
  /** Set by a hit; falls when room is needed and all others were hit, too. */
  USED: 11,
  /** Listener that the entry counts for. */
  SERVER: 12,
} as const;

/** Bits of a key (the first three) and of what is stored with an answer. */
export const FLAG = { DO: 1, CD: 2, RENAMED: 4, AD: 8, RA: 16, ANSWERING: 32 } as const;
export const KEY_FLAGS: number = FLAG.DO | FLAG.CD | FLAG.RENAMED;

export const ENTRY_TIMES = 4;
/** Milliseconds; an entry may be dropped before others after DEAD_AFTER. */
export const TIME = { STORED: 0, LAST_HIT: 1, REFRESH_AFTER: 2, DEAD_AFTER: 3 } as const;

/** Crosses threads by reference. */
export type TableMemory = { readonly shards: number; readonly buffer: SharedArrayBuffer };

/**
 * Reserves a table for `capacity` answers, rounded down to whole shards, at least 1024. A page costs memory once it is
 * written: about 600 bytes an entry when the table is full.
 */
export function createTableMemory(capacity: number): TableMemory {
  const shards = Math.max(MIN_SHARDS, Math.floor(Math.min(capacity, MAX_TABLE_ENTRIES) / SHARD_ENTRIES));
  return { shards, buffer: new SharedArrayBuffer(layOutTable(shards).bytes) };
}

/** Byte offsets of the parts, and the size of the whole. */
export function layOutTable(shards: number): {
  tags: number;
  entries: number;
  times: number;
  blocks: number;
  bytes: number;
} {
  const count = shards * SHARD_ENTRIES;
  const tags = shards * SHARD_WORDS * 4;
  const entries = tags + count * 4;
  const times = entries + count * ENTRY_WORDS * 4;
  const blocks = times + count * ENTRY_TIMES * 8;
  return { tags, entries, times, blocks, bytes: blocks + shards * SHARD_BYTES };
}
