// lib/plugins/cache/cache-table.ts — worker. Cached answers in memory that all workers share: found without a lock.
//
// A shard's lock word counts its changes. A reader notes it, copies what it needs, and looks again: when the word moved, the
// copy is worthless. So readers never wait for each other, and a worker that dies in a change costs one shard until it is
// replaced (`repair`). What a race shows may be wrong, but never out of bounds: numbers are masked or checked before use.
import type { Answer } from '../../chain/answer.ts';
import type { Query } from '../../chain/query.ts';
import { LOWER } from '../../wire/name.ts';
import { SECTION } from '../../wire/record-index.ts';
import { BlockStore, PAYLOAD_BYTES, PAYLOAD_WORDS, SHARD_BLOCKS, blocksFor } from './block-store.ts';
import {
  ENTRY,
  ENTRY_TIMES,
  ENTRY_WORDS,
  FLAG,
  KEY_FLAGS,
  SHARD,
  SHARD_ENTRIES,
  SHARD_SETS,
  SHARD_WORDS,
  TIME,
  type TableMemory,
  WAYS,
  layOutTable,
} from './table-memory.ts';

const OWNER_MASK = 0xff;
/** Looks at a lock that is taken before giving up: a few microseconds. */
const MAX_SPINS = 1000;
/** Values of `ENTRY.USED`: an entry that was hit, down to one that was not, or not since others were. */
const IN_USE = 2;
const UNUSED = 0;
/** Records that fit a message of 65,535 bytes. */
const MAX_RECORDS = 5958;

/** What `store` did: nothing, or one of the first two, and whether others had to go. */
export const STORED = { REFUSED: 0, NEW: 1, REPLACED: 2, EVICTED: 4 } as const;

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
  readonly #blocks: BlockStore;
  readonly #owner: number;
  /** Lock word and its value as `find` saw it. */
  #seenAt = 0;
  #seen = 0;
  /** Listener of the entry that `store` dropped for room; one call may drop more, `onDrop` hears of each. */
  readonly #onDrop: (server: number) => void;

  /** @param worker tells workers apart in locks @param onDrop called for each entry that leaves without a successor */
  constructor(memory: TableMemory, worker: number, onDrop: (server: number) => void) {
    const { shards, buffer } = memory;
    const at = layOutTable(shards);
    const count = shards * SHARD_ENTRIES;
    this.#shards = shards;
    this.#locks = new Int32Array(buffer, 0, shards * SHARD_WORDS);
    this.#tags = new Int32Array(buffer, at.tags, count);
    this.#entries = new Int32Array(buffer, at.entries, count * ENTRY_WORDS);
    this.#times = new Float64Array(buffer, at.times, count * ENTRY_TIMES);
    this.#blocks = new BlockStore(buffer, at.blocks, shards, this.#locks, SHARD.BLOCKS, SHARD_WORDS);
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
      this.#blocks.forget(shard);
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
    const { bytes } = this.#blocks;
    const { name, rawName } = query;
    let block = entries[at]!;
    for (let done = 0; done < keyLength; ) {
      let from = this.#blocks.byteAt(shard, block);
      const stop = Math.min(keyLength, done + PAYLOAD_BYTES);
      for (; done < stop; done++) {
        const wanted = done < nameLength ? name[done] : LOWER[rawName[done - nameLength]!];
        if (bytes[from++] !== wanted) return false;
      }
      if (done < keyLength) block = this.#blocks.next(shard, block);
    }
    return true;
  }

  /** Whether nothing in the entry's shard changed since `find`. */
  isUnchanged(): boolean {
    // Keeps the reads above from being done after the look at the lock (they may be, on ARM, past a load).
    Atomics.exchange(fence, 0, 0);
    return Atomics.load(this.#locks, this.#seenAt) === this.#seen;
  }

  /** TTL at `nowMs` in whole seconds; 0 or less when it has run out. */
  ttlLeft(entry: number, nowMs: number): number {
    const ageSeconds = Math.floor((nowMs - this.#times[entry * ENTRY_TIMES + TIME.STORED]!) / 1000);
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
    const time = entry * ENTRY_TIMES + TIME.LAST_HIT;
    const at = entry * ENTRY_WORDS + ENTRY.HITS;
    const hits = this.#times[time]! < nowMs - windowMs ? 1 : this.#entries[at]! + 1;
    this.#times[time] = nowMs;
    this.#entries[at] = hits;
    return hits;
  }

  /** Takes the right to refresh the entry until `untilMs`; false when someone has it, or a failed refresh is too recent. */
  claimRefresh(entry: number, nowMs: number, untilMs: number): boolean {
    const at = entry * ENTRY_TIMES + TIME.REFRESH_AFTER;
    if (this.#times[at]! > nowMs) return false;
    this.#times[at] = untilMs;
    return true;
  }

  /** Lets the next refresh start at `afterMs`. */
  endRefresh(entry: number, afterMs: number): void {
    this.#times[entry * ENTRY_TIMES + TIME.REFRESH_AFTER] = afterMs;
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
    if (entries[at + ENTRY.USED] !== IN_USE) entries[at + ENTRY.USED] = IN_USE;

    const answers = entries[at + ENTRY.ANSWERS]! & 0xffff;
    const authorities = answers + (entries[at + ENTRY.AUTHORITIES]! & 0xffff);
    const records = authorities + (entries[at + ENTRY.ADDITIONALS]! & 0xffff);
    // More than any message holds is a race, too.
    if (records > MAX_RECORDS) return;
    this.#copyStream(answer, shard, at, answers, authorities, records);
    for (let i = 0; i < records; i++) {
      // A record outside the copied bytes is a race that `isUnchanged` will find.
      if (answer.records.ttlAt(i) + 4 > answer.length) return;
      answer.setTtl(i, ttlSeconds);
    }
  }

  /** Records, then body, from the stream of the entry whose words start at `at`. */
  #copyStream(answer: Answer, shard: number, at: number, answers: number, authorities: number, records: number): void {
    const blocks = this.#blocks;
    const { words } = blocks;
    let block = this.#entries[at]!;
    let word = paddedLength(this.#entries[at + ENTRY.KEY_LENGTH]! & 0x3ff) >>> 2;
    for (; word >= PAYLOAD_WORDS; word -= PAYLOAD_WORDS) block = blocks.next(shard, block);
    let base = blocks.wordAt(shard, block);
    for (let i = 0; i < records; i++) {
      const first = words[base + word]!;
      const second = words[base + word + 1]!;
      const section = i < answers ? SECTION.ANSWER : i < authorities ? SECTION.AUTHORITY : SECTION.ADDITIONAL;
      answer.records.push(section, first >>> 16, first & 0xffff, second >>> 16, second & 0xffff);
      word += 2;
      if (word !== PAYLOAD_WORDS) continue;
      block = blocks.next(shard, block);
      base = blocks.wordAt(shard, block);
      word = 0;
    }
    let offset = word * 4;
    for (let left = this.#entries[at + ENTRY.BODY_LENGTH]! & 0xffff; left > 0; ) {
      const part = Math.min(left, PAYLOAD_BYTES - offset);
      answer.putBytes(blocks.bytes, blocks.byteAt(shard, block) + offset, part);
      left -= part;
      offset = 0;
      if (left > 0) block = blocks.next(shard, block);
    }
  }

  /** Keeps the records of `answer` for the question. Older entries make room, unused and expired ones first. */
  store(query: Query, hash: number, answer: Answer, what: StoredAnswer): number {
    const { records } = answer;
    const keyLength = query.nameLength + (query.renamed ? rawLength(query) : 0);
    const bodyLength = answer.length - answer.questionEnd;
    const needed = blocksFor(streamBytes(keyLength, records.count, bodyLength));
    if (needed > SHARD_BLOCKS || bodyLength > 0xffff) return STORED.REFUSED;
    const shard = (hash >>> 4) % this.#shards;
    const lockAt = shard * SHARD_WORDS;
    const seen = this.#acquire(lockAt);
    if (seen === -1) return STORED.REFUSED;
    this.#blocks.prepare(shard);

    let result: number = STORED.NEW;
    let entry = this.#search(query, hash, shard);
    if (entry !== -1) {
      result = STORED.REPLACED;
      this.#free(entry, shard);
    } else {
      entry = this.#pickWay(shard, hash, what.nowMs);
      if (this.#tags[entry] !== 0) {
        result |= STORED.EVICTED;
        this.#drop(entry, shard);
      }
    }
    this.#tags[entry] = 0;
    while (this.#blocks.freeCount(shard) < needed) {
      result |= STORED.EVICTED;
      this.#drop(this.#pickAny(shard), shard);
    }
    this.#fill(entry, shard, query, answer, what, (result & STORED.REPLACED) !== 0 && what.keepHits);
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

  /**
   * A way of the set: an empty one, else one that is dead, else one that was not used. Only where all were used they age: names
   * that are asked once, however many come, never touch those that are asked for.
   */
  #pickWay(shard: number, hash: number, nowMs: number): number {
    const first = shard * SHARD_ENTRIES + (hash & (SHARD_SETS - 1)) * WAYS;
    let dead = -1;
    for (let entry = first; entry < first + WAYS; entry++) {
      if (this.#tags[entry] === 0) return entry;
      if (this.#times[entry * ENTRY_TIMES + TIME.DEAD_AFTER]! < nowMs) dead = entry;
    }
    if (dead !== -1) return dead;
    const hand = this.#turn(shard);
    for (let age = 0; age <= IN_USE; age++) {
      for (let step = 0; step < WAYS; step++) {
        const entry = first + ((hand + step) & (WAYS - 1));
        if (this.#entries[entry * ENTRY_WORDS + ENTRY.USED]! <= UNUSED + age) return this.#ageWays(first, age, entry);
      }
    }
    return first + (hand & (WAYS - 1));
  }

  /** Makes all ways of the set older by `age`. @returns `chosen` */
  #ageWays(first: number, age: number, chosen: number): number {
    if (age === 0) return chosen;
    for (let entry = first; entry < first + WAYS; entry++) this.#entries[entry * ENTRY_WORDS + ENTRY.USED]! -= age;
    return chosen;
  }

  /** An entry of the shard to give up for its blocks: the next from the hand that was not used since. */
  #pickAny(shard: number): number {
    const first = shard * SHARD_ENTRIES;
    for (let step = 0; ; step++) {
      const entry = first + (this.#turn(shard) & (SHARD_ENTRIES - 1));
      if (this.#tags[entry] === 0) continue;
      const used = entry * ENTRY_WORDS + ENTRY.USED;
      if (this.#entries[used]! <= UNUSED || step > IN_USE * SHARD_ENTRIES) return entry;
      this.#entries[used]!--;
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
    const entries = this.#entries;
    const at = entry * ENTRY_WORDS;
    const records = entries[at + ENTRY.ANSWERS]! + entries[at + ENTRY.AUTHORITIES]! + entries[at + ENTRY.ADDITIONALS]!;
    const bytes = streamBytes(entries[at + ENTRY.KEY_LENGTH]!, records, entries[at + ENTRY.BODY_LENGTH]!);
    this.#blocks.free(shard, entries[at + ENTRY.FIRST_BLOCK]!, blocksFor(bytes));
  }

  /** Writes the entry; there are blocks enough. */
  #fill(entry: number, shard: number, query: Query, answer: Answer, what: StoredAnswer, keepHits: boolean): void {
    const entries = this.#entries;
    const at = entry * ENTRY_WORDS;
    const { records } = answer;
    entries[at + ENTRY.FIRST_BLOCK] = this.#writeStream(shard, query, answer);
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
    entries[at + ENTRY.USED] = UNUSED;
    entries[at + ENTRY.SERVER] = what.server;
    const times = this.#times;
    const time = entry * ENTRY_TIMES;
    times[time + TIME.STORED] = what.nowMs;
    times[time + TIME.REFRESH_AFTER] = 0;
    times[time + TIME.DEAD_AFTER] = what.deadAfterMs;
    if (keepHits) return;
    entries[at + ENTRY.HITS] = 0;
    times[time + TIME.LAST_HIT] = 0;
  }

  /** Writes key, records and body; returns the first block. */
  #writeStream(shard: number, query: Query, answer: Answer): number {
    const blocks = this.#blocks;
    const first = blocks.begin(shard);
    const { nameLength } = query;
    blocks.put(query.name, 0, nameLength);
    const spelled = query.renamed ? rawLength(query) : 0;
    for (let i = 0; i < spelled; i++) LOWERED[i] = LOWER[query.rawName[i]!]!;
    blocks.put(LOWERED, 0, spelled);
    blocks.put(ZEROS, 0, paddedLength(nameLength + spelled) - nameLength - spelled);
    const { records } = answer;
    for (let i = 0; i < records.count; i++) {
      blocks.putPair((records.ownerAt(i) << 16) | records.type(i), (records.ttlAt(i) << 16) | records.rdataLength(i));
    }
    blocks.put(answer.bytes, answer.base + answer.questionEnd, answer.length - answer.questionEnd);
    blocks.end();
    return first;
  }
}

const LOWERED = new Uint8Array(256);
const ZEROS = new Uint8Array(8);

/** Bytes of a key with what is added to come to a pair of words. */
function paddedLength(keyLength: number): number {
  return (keyLength + 7) & ~7;
}

/** Padded key, a pair of words per record, body. */
function streamBytes(keyLength: number, records: number, bodyLength: number): number {
  return paddedLength(keyLength) + records * 8 + bodyLength;
}

/** Length of the client's name in the packet; the question's type and class follow it. */
function rawLength(query: Query): number {
  return query.questionEnd - 16;
}
