// lib/plugins/cache/cache-table.ts — worker. Answers in shared memory: found without a lock, stored under a lock per shard.
//
// All workers use one table. It is cut into shards of 256 entries, an entry's place is one of the 16 ways of its set.
//   locks    a word per shard, on cache lines of its own: bits 8-31 count the changes, bits 0-7 name the worker that is
//            changing the shard, 0 when none is. A reader notes the word, copies, and looks again: if it moved, the copy is
//            worthless. So readers never wait for each other, and a worker that dies in a change costs one shard until it
//            is replaced (`repair`).
//   tags     the hash of each entry, 0 when the way is empty: one cache line a set
//   entries  16 words an entry, see ENTRY; 4 doubles an entry, see TIME
//   blocks   128 bytes each: 124 bytes of an entry's stream and the number of the next block. Stream: key, then
//            two words a record (owner offset and type, TTL offset and RDLENGTH), then the message after the question
// What races can only give wrong bytes, never wrong bounds: every number read is checked or masked before it is used.
import type { Answer } from '../../chain/answer.ts';
import type { Query } from '../../chain/query.ts';
import { LOWER } from '../../wire/name.ts';
import { SECTION } from '../../wire/record-index.ts';

const WAYS = 16;
const SHARD_SETS = 16;
const SHARD_ENTRIES = WAYS * SHARD_SETS;
const MIN_SHARDS = 4;
/** Entries a table can have, whatever the Corefile asks for. */
export const MAX_TABLE_ENTRIES = 1_048_576;

const BLOCK_BYTES = 128;
const BLOCK_WORDS = BLOCK_BYTES / 4;
const PAYLOAD_BYTES = BLOCK_BYTES - 4;
const PAYLOAD_WORDS = PAYLOAD_BYTES / 4;
/** Blocks per shard: 512 bytes an entry on average, and room for one message of 65,535 bytes with all its records. */
const SHARD_BLOCKS = SHARD_ENTRIES * 4;

/** Words of a shard: the lock, the first free block (its number in the shard plus one), how many are free, a clock hand. */
const SHARD = { LOCK: 0, FREE: 1, FREE_COUNT: 2, HAND: 3, READY: 4 } as const;
const SHARD_WORDS = 32;
const OWNER_MASK = 0xff;
/** Looks at a lock that is taken before giving up: a few microseconds. */
const MAX_SPINS = 1000;

/** Records that fit a message of 65,535 bytes. */
const MAX_RECORDS = 5958;

const ENTRY_WORDS = 16;
const ENTRY = {
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
  /** Set by a hit, cleared by the clock hand. */
  USED: 11,
  /** Listener that the entry counts for. */
  SERVER: 12,
} as const;
const TIMES = 4;
const TIME = { STORED: 0, LAST_HIT: 1, REFRESH_AFTER: 2, DEAD_AFTER: 3 } as const;

/** Bits of a key (the first three) and of what is stored with an answer. */
export const FLAG = { DO: 1, CD: 2, RENAMED: 4, AD: 8, RA: 16, ANSWERING: 32 } as const;
const KEY_FLAGS = FLAG.DO | FLAG.CD | FLAG.RENAMED;

/** What `store` did. */
export const STORED = { NEW: 0, REPLACED: 1, EVICTED: 2, REFUSED: 3 } as const;

/** Crosses threads by reference. */
export type TableMemory = { readonly shards: number; readonly buffer: SharedArrayBuffer };

/** Values of an answer that are not in its bytes. */
export type StoredAnswer = {
  ttlSeconds: number;
  /** FLAG.ANSWERING or 0. */
  answering: number;
  nowMs: number;
  /** From when on the entry may be dropped before others, milliseconds. */
  deadAfterMs: number;
  /** Keep the hit counts of the entry that is replaced. */
  keepHits: boolean;
  server: number;
};

/**
 * Reserves a table for `capacity` answers, rounded down to whole shards, at least 1024. Pages cost memory once they are
 * written: about 600 bytes an entry when full.
 */
export function createTableMemory(capacity: number): TableMemory {
  const shards = Math.max(MIN_SHARDS, Math.floor(Math.min(capacity, MAX_TABLE_ENTRIES) / SHARD_ENTRIES));
  return { shards, buffer: new SharedArrayBuffer(layOut(shards).bytes) };
}

function layOut(shards: number): { tags: number; entries: number; times: number; blocks: number; bytes: number } {
  const entryCount = shards * SHARD_ENTRIES;
  const tags = shards * SHARD_WORDS * 4;
  const entries = tags + entryCount * 4;
  const times = entries + entryCount * ENTRY_WORDS * 4;
  const blocks = times + entryCount * TIMES * 8;
  return { tags, entries, times, blocks, bytes: blocks + shards * SHARD_BLOCKS * BLOCK_BYTES };
}

/** The question's share of a hash: type, class, DO and CD. */
function saltOf(query: Query, keyFlags: number): number {
  return ((query.qtype << 3) | keyFlags) ^ (query.qclass << 20);
}

/** Bits of the key that come from the query's flags. */
function keyFlagsOf(query: Query): number {
  return (query.dnssecOk ? FLAG.DO : 0) | (query.checkingDisabled ? FLAG.CD : 0) | (query.renamed ? FLAG.RENAMED : 0);
}

/** Hash of the whole key but the client's spelling; the same in every worker. */
export function hashKey(query: Query): number {
  return query.relativeHash(query.labelCount, saltOf(query, keyFlagsOf(query)));
}

const fence = new Int32Array(1);

/** One worker's view of a table. */
export class CacheTable {
  readonly #shards: number;
  readonly #locks: Int32Array;
  readonly #tags: Int32Array;
  readonly #entries: Int32Array;
  readonly #times: Float64Array;
  readonly #blocks: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #owner: number;
  /** Lock word and its value as `find` saw it. */
  #seenAt = 0;
  #seen = 0;
  /** Listener of the entry that `store` dropped for room; one call may drop more, `onDrop` hears of each. */
  readonly #onDrop: (server: number) => void;

  /** @param worker tells workers apart in locks @param onDrop called for each entry that leaves without a successor */
  constructor(memory: TableMemory, worker: number, onDrop: (server: number) => void) {
    const { shards, buffer } = memory;
    const at = layOut(shards);
    const count = shards * SHARD_ENTRIES;
    this.#shards = shards;
    this.#locks = new Int32Array(buffer, 0, shards * SHARD_WORDS);
    this.#tags = new Int32Array(buffer, at.tags, count);
    this.#entries = new Int32Array(buffer, at.entries, count * ENTRY_WORDS);
    this.#times = new Float64Array(buffer, at.times, count * TIMES);
    this.#blocks = new Int32Array(buffer, at.blocks, shards * SHARD_BLOCKS * BLOCK_WORDS);
    this.#bytes = new Uint8Array(buffer, at.blocks, shards * SHARD_BLOCKS * BLOCK_BYTES);
    this.#owner = 1 + (worker % OWNER_MASK);
    this.#onDrop = onDrop;
  }

  /** Empties the shards that this worker's predecessor left locked when it died. */
  repair(): void {
    for (let shard = 0; shard < this.#shards; shard++) {
      const lockAt = shard * SHARD_WORDS;
      const seen = Atomics.load(this.#locks, lockAt);
      if ((seen & OWNER_MASK) !== this.#owner) continue;
      const first = shard * SHARD_ENTRIES;
      for (let entry = first; entry < first + SHARD_ENTRIES; entry++) {
        if (this.#tags[entry] !== 0) this.#onDrop(this.#entries[entry * ENTRY_WORDS + ENTRY.SERVER]!);
        this.#tags[entry] = 0;
      }
      this.#locks[lockAt + SHARD.READY] = 0;
      this.#release(lockAt, seen);
    }
  }

  /** The entry for the question, whatever its age, or -1. What is read from it counts only if `isUnchanged` says so afterwards. */
  find(query: Query, hash: number): number {
    const shard = (hash >>> 4) % this.#shards;
    const lockAt = shard * SHARD_WORDS;
    let seen = Atomics.load(this.#locks, lockAt);
    for (let spins = 0; (seen & OWNER_MASK) !== 0; spins++) {
      if (spins === MAX_SPINS) return -1;
      seen = Atomics.load(this.#locks, lockAt);
    }
    this.#seenAt = lockAt;
    this.#seen = seen;
    return this.#search(query, hash, shard);
  }

  #search(query: Query, hash: number, shard: number): number {
    const tags = this.#tags;
    const tag = hash | 1;
    const first = shard * SHARD_ENTRIES + (hash & (SHARD_SETS - 1)) * WAYS;
    for (let entry = first; entry < first + WAYS; entry++) {
      if (tags[entry] === tag && this.#isFor(entry, query, shard)) return entry;
    }
    return -1;
  }

  /** Compares the full key: a hash alone must never answer (TOB-CDNS-8). */
  #isFor(entry: number, query: Query, shard: number): boolean {
    const entries = this.#entries;
    const at = entry * ENTRY_WORDS;
    const keyFlags = keyFlagsOf(query);
    const { nameLength } = query;
    if (entries[at + ENTRY.QUESTION] !== ((query.qtype << 16) | query.qclass)) return false;
    if ((entries[at + ENTRY.FLAGS]! & KEY_FLAGS) !== keyFlags) return false;
    const keyLength = query.renamed ? nameLength + rawLength(query) : nameLength;
    if (entries[at + ENTRY.KEY_LENGTH] !== keyLength) return false;
    const bytes = this.#bytes;
    const { name, rawName } = query;
    let block = entries[at]!;
    for (let done = 0; done < keyLength; ) {
      let from = this.#payloadAt(shard, block);
      const stop = Math.min(keyLength, done + PAYLOAD_BYTES);
      for (; done < stop; done++) {
        const wanted = done < nameLength ? name[done] : LOWER[rawName[done - nameLength]!];
        if (bytes[from++] !== wanted) return false;
      }
      block = this.#nextBlock(shard, block);
    }
    return true;
  }

  /** Where the payload of a block starts in bytes; a number that is no block counts as the first. */
  #payloadAt(shard: number, block: number): number {
    return (shard * SHARD_BLOCKS + (block & (SHARD_BLOCKS - 1))) * BLOCK_BYTES;
  }

  #nextBlock(shard: number, block: number): number {
    return this.#blocks[(shard * SHARD_BLOCKS + (block & (SHARD_BLOCKS - 1))) * BLOCK_WORDS + PAYLOAD_WORDS]!;
  }

  /** Whether nothing in the entry's shard changed since `find`. */
  isUnchanged(): boolean {
    // Keeps the reads above from being done after the look at the lock (they may be, on ARM, past a load).
    Atomics.exchange(fence, 0, 0);
    return Atomics.load(this.#locks, this.#seenAt) === this.#seen;
  }

  /** TTL at `nowMs` in whole seconds; 0 or less when it has run out. */
  ttlLeft(entry: number, nowMs: number): number {
    const ageSeconds = Math.floor((nowMs - this.#times[entry * TIMES + TIME.STORED]!) / 1000);
    return this.ttl(entry) - Math.max(0, ageSeconds);
  }

  /** TTL as stored. */
  ttl(entry: number): number {
    return this.#entries[entry * ENTRY_WORDS + ENTRY.TTL]!;
  }

  rcode(entry: number): number {
    return this.#entries[entry * ENTRY_WORDS + ENTRY.FLAGS]! >>> 16;
  }

  /** Whether the entry has an answer of the type asked. */
  isAnswering(entry: number): boolean {
    return (this.#entries[entry * ENTRY_WORDS + ENTRY.FLAGS]! & FLAG.ANSWERING) !== 0;
  }

  /** Counts a hit; hits further apart than `windowMs` start again at one. @returns hits in a row */
  countHit(entry: number, nowMs: number, windowMs: number): number {
    const time = entry * TIMES + TIME.LAST_HIT;
    const at = entry * ENTRY_WORDS + ENTRY.HITS;
    const hits = this.#times[time]! < nowMs - windowMs ? 1 : this.#entries[at]! + 1;
    this.#times[time] = nowMs;
    this.#entries[at] = hits;
    return hits;
  }

  /** Takes the right to refresh the entry until `untilMs`; false when someone has it, or a failed refresh is too recent. */
  claimRefresh(entry: number, nowMs: number, untilMs: number): boolean {
    const at = entry * TIMES + TIME.REFRESH_AFTER;
    if (this.#times[at]! > nowMs) return false;
    this.#times[at] = untilMs;
    return true;
  }

  /** Lets the next refresh start at `afterMs`. */
  endRefresh(entry: number, afterMs: number): void {
    this.#times[entry * TIMES + TIME.REFRESH_AFTER] = afterMs;
  }

  /** Appends the stored records to `answer`, each with the TTL given, and sets rcode, RA and AD as stored. */
  copyTo(answer: Answer, entry: number, ttlSeconds: number): void {
    const entries = this.#entries;
    const shard = Math.floor(entry / SHARD_ENTRIES);
    const at = entry * ENTRY_WORDS;
    const flags = entries[at + ENTRY.FLAGS]!;
    answer.rcode = flags >>> 16;
    answer.recursionAvailable = (flags & FLAG.RA) !== 0;
    answer.authenticData = (flags & FLAG.AD) !== 0;
    answer.saved = entries[at + ENTRY.SAVED]!;
    if (entries[at + ENTRY.USED] === 0) entries[at + ENTRY.USED] = 1;

    const answers = entries[at + ENTRY.ANSWERS]! & 0xffff;
    const authorities = answers + (entries[at + ENTRY.AUTHORITIES]! & 0xffff);
    const records = authorities + (entries[at + ENTRY.ADDITIONALS]! & 0xffff);
    // More than any message holds is a race, too.
    if (records > MAX_RECORDS) return;
    const words = this.#blocks;
    let block = entries[at]!;
    // The key is padded to whole words.
    let word = ((entries[at + ENTRY.KEY_LENGTH]! & 0x3ff) + 3) >>> 2;
    while (word >= PAYLOAD_WORDS) {
      word -= PAYLOAD_WORDS;
      block = this.#nextBlock(shard, block);
    }
    let base = this.#payloadAt(shard, block) >>> 2;
    for (let i = 0; i < records; i++) {
      const high = words[base + word]!;
      if (++word === PAYLOAD_WORDS) {
        block = this.#nextBlock(shard, block);
        base = this.#payloadAt(shard, block) >>> 2;
        word = 0;
      }
      const low = words[base + word]!;
      if (++word === PAYLOAD_WORDS) {
        block = this.#nextBlock(shard, block);
        base = this.#payloadAt(shard, block) >>> 2;
        word = 0;
      }
      const section = i < answers ? SECTION.ANSWER : i < authorities ? SECTION.AUTHORITY : SECTION.ADDITIONAL;
      answer.records.push(section, high >>> 16, high & 0xffff, low >>> 16, low & 0xffff);
    }
    let offset = word * 4;
    for (let left = entries[at + ENTRY.BODY_LENGTH]! & 0xffff; left > 0; ) {
      const part = Math.min(left, PAYLOAD_BYTES - offset);
      answer.putBytes(this.#bytes, this.#payloadAt(shard, block) + offset, part);
      left -= part;
      offset = 0;
      block = this.#nextBlock(shard, block);
    }
    for (let i = 0; i < records; i++) {
      // A record outside the copied bytes is a race that `isUnchanged` will find.
      if (answer.records.ttlAt(i) + 4 > answer.length) return;
      answer.setTtl(i, ttlSeconds);
    }
  }

  /** Keeps the records of `answer` for the question. Older entries make room, unused and expired ones first. */
  store(query: Query, hash: number, answer: Answer, what: StoredAnswer): number {
    const { records } = answer;
    const keyLength = query.nameLength + (query.renamed ? rawLength(query) : 0);
    const bodyLength = answer.length - answer.questionEnd;
    const streamBytes = ((keyLength + 3) & ~3) + records.count * 8 + bodyLength;
    const needed = Math.ceil(streamBytes / PAYLOAD_BYTES);
    if (needed > SHARD_BLOCKS || bodyLength > 0xffff) return STORED.REFUSED;
    const shard = (hash >>> 4) % this.#shards;
    const lockAt = shard * SHARD_WORDS;
    const seen = this.#acquire(lockAt);
    if (seen === -1) return STORED.REFUSED;
    if (this.#locks[lockAt + SHARD.READY] === 0) this.#linkBlocks(shard);

    let result: number = STORED.NEW;
    let entry = this.#search(query, hash, shard);
    if (entry !== -1) {
      result = STORED.REPLACED;
      this.#free(entry, shard);
    } else {
      entry = this.#pickWay(shard, hash, what.nowMs);
      if (this.#tags[entry] !== 0) {
        result = STORED.EVICTED;
        this.#drop(entry, shard);
      }
    }
    this.#tags[entry] = 0;
    while (this.#locks[lockAt + SHARD.FREE_COUNT]! < needed) {
      result = STORED.EVICTED;
      this.#drop(this.#pickAny(shard), shard);
    }
    this.#fill(entry, shard, query, answer, needed, what, result === STORED.REPLACED && what.keepHits);
    this.#tags[entry] = hash | 1;
    this.#release(lockAt, seen);
    return result;
  }

  /** Forgets the question. */
  remove(query: Query, hash: number): void {
    if (this.find(query, hash) === -1) return;
    const shard = (hash >>> 4) % this.#shards;
    const lockAt = shard * SHARD_WORDS;
    const seen = this.#acquire(lockAt);
    if (seen === -1) return;
    const entry = this.#search(query, hash, shard);
    if (entry !== -1) this.#drop(entry, shard);
    this.#release(lockAt, seen);
  }

  /** @returns the lock's value before, or -1 when others kept it for too long */
  #acquire(lockAt: number): number {
    for (let spins = 0; spins < MAX_SPINS; spins++) {
      const seen = Atomics.load(this.#locks, lockAt);
      if ((seen & OWNER_MASK) !== 0) continue;
      if (Atomics.compareExchange(this.#locks, lockAt, seen, seen | this.#owner) === seen) return seen >>> 0;
    }
    return -1;
  }

  #release(lockAt: number, seen: number): void {
    Atomics.store(this.#locks, lockAt, ((seen >>> 8) + 1) << 8);
  }

  /** Puts all blocks of a shard on its free list. */
  #linkBlocks(shard: number): void {
    const first = shard * SHARD_BLOCKS;
    for (let i = 0; i < SHARD_BLOCKS; i++) {
      this.#blocks[(first + i) * BLOCK_WORDS + PAYLOAD_WORDS] = (i + 1) & (SHARD_BLOCKS - 1);
    }
    const lockAt = shard * SHARD_WORDS;
    this.#locks[lockAt + SHARD.FREE] = 0;
    this.#locks[lockAt + SHARD.FREE_COUNT] = SHARD_BLOCKS;
    this.#locks[lockAt + SHARD.READY] = 1;
  }

  /** A way of the set: an empty one, else one that is dead, else the first that was not used since the hand came by. */
  #pickWay(shard: number, hash: number, nowMs: number): number {
    const first = shard * SHARD_ENTRIES + (hash & (SHARD_SETS - 1)) * WAYS;
    let dead = -1;
    for (let entry = first; entry < first + WAYS; entry++) {
      if (this.#tags[entry] === 0) return entry;
      if (this.#times[entry * TIMES + TIME.DEAD_AFTER]! < nowMs) dead = entry;
    }
    if (dead !== -1) return dead;
    const hand = this.#turn(shard);
    for (let step = 0; step < WAYS; step++) {
      const entry = first + ((hand + step) & (WAYS - 1));
      const used = entry * ENTRY_WORDS + ENTRY.USED;
      if (this.#entries[used] === 0) return entry;
      this.#entries[used] = 0;
    }
    return first + (hand & (WAYS - 1));
  }

  /** An entry of the shard to give up for its blocks: the next from the hand that was not used since. */
  #pickAny(shard: number): number {
    const first = shard * SHARD_ENTRIES;
    for (let step = 0; ; step++) {
      const entry = first + (this.#turn(shard) & (SHARD_ENTRIES - 1));
      if (this.#tags[entry] === 0) continue;
      const used = entry * ENTRY_WORDS + ENTRY.USED;
      if (this.#entries[used] === 0 || step > SHARD_ENTRIES) return entry;
      this.#entries[used] = 0;
    }
  }

  #turn(shard: number): number {
    return this.#locks[shard * SHARD_WORDS + SHARD.HAND]!++;
  }

  #drop(entry: number, shard: number): void {
    this.#onDrop(this.#entries[entry * ENTRY_WORDS + ENTRY.SERVER]!);
    this.#free(entry, shard);
    this.#tags[entry] = 0;
  }

  /** Gives the blocks of an entry back. */
  #free(entry: number, shard: number): void {
    const at = entry * ENTRY_WORDS;
    const lockAt = shard * SHARD_WORDS;
    const first = this.#entries[at + ENTRY.FIRST_BLOCK]!;
    let last = first;
    let count = 1;
    for (const total = this.#blockCount(at); count < total; count++) last = this.#nextBlock(shard, last);
    this.#setNext(shard, last, this.#locks[lockAt + SHARD.FREE]!);
    this.#locks[lockAt + SHARD.FREE] = first;
    this.#locks[lockAt + SHARD.FREE_COUNT]! += count;
  }

  #blockCount(at: number): number {
    const entries = this.#entries;
    const records = entries[at + ENTRY.ANSWERS]! + entries[at + ENTRY.AUTHORITIES]! + entries[at + ENTRY.ADDITIONALS]!;
    const streamBytes = ((entries[at + ENTRY.KEY_LENGTH]! + 3) & ~3) + records * 8 + entries[at + ENTRY.BODY_LENGTH]!;
    return Math.ceil(streamBytes / PAYLOAD_BYTES);
  }

  #setNext(shard: number, block: number, next: number): void {
    this.#blocks[(shard * SHARD_BLOCKS + block) * BLOCK_WORDS + PAYLOAD_WORDS] = next;
  }

  /** Takes `needed` blocks off the free list and writes the entry. */
  #fill(
    entry: number,
    shard: number,
    query: Query,
    answer: Answer,
    needed: number,
    what: StoredAnswer,
    keepHits: boolean,
  ): void {
    const entries = this.#entries;
    const at = entry * ENTRY_WORDS;
    const { records } = answer;
    entries[at + ENTRY.FIRST_BLOCK] = this.#writeStream(shard, query, answer);
    const lockAt = shard * SHARD_WORDS;
    this.#locks[lockAt + SHARD.FREE_COUNT]! -= needed;
    entries[at + ENTRY.KEY_LENGTH] = query.nameLength + (query.renamed ? rawLength(query) : 0);
    entries[at + ENTRY.QUESTION] = (query.qtype << 16) | query.qclass;
    entries[at + ENTRY.FLAGS] =
      keyFlagsOf(query) |
      (answer.authenticData ? FLAG.AD : 0) |
      (answer.recursionAvailable ? FLAG.RA : 0) |
      what.answering |
      (answer.rcode << 16);
    entries[at + ENTRY.BODY_LENGTH] = answer.length - answer.questionEnd;
    entries[at + ENTRY.ANSWERS] = records.counts[0]!;
    entries[at + ENTRY.AUTHORITIES] = records.counts[1]!;
    entries[at + ENTRY.ADDITIONALS] = records.counts[2]!;
    entries[at + ENTRY.SAVED] = answer.saved;
    entries[at + ENTRY.TTL] = what.ttlSeconds;
    entries[at + ENTRY.USED] = 0;
    entries[at + ENTRY.SERVER] = what.server;
    const times = this.#times;
    const time = entry * TIMES;
    times[time + TIME.STORED] = what.nowMs;
    times[time + TIME.REFRESH_AFTER] = 0;
    times[time + TIME.DEAD_AFTER] = what.deadAfterMs;
    if (keepHits) return;
    entries[at + ENTRY.HITS] = 0;
    times[time + TIME.LAST_HIT] = 0;
  }

  /** Writes key, records and body into blocks from the free list; returns the first of them. */
  #writeStream(shard: number, query: Query, answer: Answer): number {
    const lockAt = shard * SHARD_WORDS;
    const out = cursor;
    const first = this.#locks[lockAt + SHARD.FREE]!;
    out.block = first;
    out.at = this.#payloadAt(shard, first);
    out.left = PAYLOAD_BYTES;
    this.#put(shard, query.name, 0, query.nameLength, false);
    if (query.renamed) this.#put(shard, query.rawName, 0, rawLength(query), true);
    const padding = -(query.nameLength + (query.renamed ? rawLength(query) : 0)) & 3;
    this.#put(shard, ZEROS, 0, padding, false);
    const { records } = answer;
    for (let i = 0; i < records.count; i++) {
      this.#putWord(shard, (records.ownerAt(i) << 16) | records.type(i));
      this.#putWord(shard, (records.ttlAt(i) << 16) | records.rdataLength(i));
    }
    this.#put(shard, answer.bytes, answer.base + answer.questionEnd, answer.length - answer.questionEnd, false);
    this.#locks[lockAt + SHARD.FREE] = this.#nextBlock(shard, out.block);
    return first;
  }

  #put(shard: number, from: Uint8Array, at: number, length: number, lower: boolean): void {
    const out = cursor;
    const bytes = this.#bytes;
    for (const end = at + length; at < end; at++) {
      if (out.left === 0) this.#advance(shard);
      bytes[out.at++] = lower ? LOWER[from[at]!]! : from[at]!;
      out.left--;
    }
  }

  /** Words are written at multiples of four, which a block's payload holds a whole number of. */
  #putWord(shard: number, value: number): void {
    const out = cursor;
    if (out.left === 0) this.#advance(shard);
    this.#blocks[out.at >>> 2] = value;
    out.at += 4;
    out.left -= 4;
  }

  #advance(shard: number): void {
    cursor.block = this.#nextBlock(shard, cursor.block);
    cursor.at = this.#payloadAt(shard, cursor.block);
    cursor.left = PAYLOAD_BYTES;
  }
}

const cursor = { block: 0, at: 0, left: 0 };
const ZEROS = new Uint8Array(4);

/** Length of the client's name in the packet; the question's type and class follow it. */
function rawLength(query: Query): number {
  return query.questionEnd - 16;
}
