import { array, assert, constantFrom, integer, property, record } from 'fast-check';
import test from 'ava';
import type { RrsetData } from '../../../lib/store/change.ts';
import { copyEntry } from '../../../lib/store/entry.ts';
import type { EntryCopy } from '../../../lib/store/entry.ts';
import { MAX_TREE, createStoreMemory } from '../../../lib/store/layout.ts';
import { relativeNameHash } from '../../../lib/store/name-hash.ts';
import { StoreReader } from '../../../lib/store/reader.ts';
import { StoreFullError } from '../../../lib/store/store-full-error.ts';
import { StoreWriter } from '../../../lib/store/writer.ts';
import { createRandom } from './random.ts';

type Hash = (tree: number, name: Uint8Array) => number;

/** The store beside a plain Map that must always say the same, and a reader that checks what it found in its batch. */
class Pair {
  readonly #hash: Hash;
  readonly #writer: StoreWriter;
  readonly #reader: StoreReader;
  readonly #model = new Map<string, { readonly tree: number; readonly copy: EntryCopy }>();
  readonly #found: { readonly entry: number; readonly copy: EntryCopy }[] = [];
  #isInBatch = false;
  rejected = 0;

  constructor(hash: Hash, arenaBytes: number, minSlots = 16) {
    const memory = createStoreMemory({ arenaBytes, readers: 1 });
    this.#hash = hash;
    this.#writer = new StoreWriter(memory, { minSlots, hash });
    this.#reader = new StoreReader(memory, 0);
  }

  put(tree: number, name: Uint8Array, flags: number, rrsets: readonly RrsetData[]): void {
    const key = `${tree}/${String(name)}`;
    const copy: EntryCopy = { name, flags, rrsets };
    const before = this.#model.get(key);
    try {
      const changed = this.#writer.put(tree, name, flags, rrsets);
      const expected = before === undefined || !isEqual(before.copy, copy);
      if (changed !== expected) throw new Error(`put ${key}: says ${changed}`);
      this.#model.set(key, { tree, copy });
    } catch (error) {
      if (!(error instanceof StoreFullError)) throw error;
      this.rejected++;
    }
    this.check(tree, name);
  }

  remove(tree: number, name: Uint8Array): void {
    const was = this.#model.delete(`${tree}/${String(name)}`);
    if (this.#writer.remove(tree, name) !== was) throw new Error(`remove: says ${!was}`);
    this.check(tree, name);
  }

  /** The reader's answer is the model's. */
  check(tree: number, name: Uint8Array): void {
    if (!this.#isInBatch) this.#reader.enter();
    const entry = this.#reader.find(tree, name, 0, name.length, this.#hash(tree, name));
    const expected = this.#model.get(`${tree}/${String(name)}`)?.copy;
    const got = entry === 0 ? undefined : copyEntry(this.#reader, entry);
    if (!isEqual(got, expected)) throw new Error(`find ${tree}/${String(name)}: ${show(got)}, not ${show(expected)}`);
    if (this.#isInBatch && got) this.#found.push({ entry, copy: got });
    if (!this.#isInBatch) this.#reader.leave();
  }

  /** Begins a batch, or ends it and checks that everything found in it is still what it was. */
  turnBatch(): void {
    for (const { entry, copy } of this.#found) {
      if (!isEqual(copyEntry(this.#reader, entry), copy)) throw new Error(`changed within a batch: ${show(copy)}`);
    }
    this.#found.length = 0;
    if (this.#isInBatch) this.#reader.leave();
    else this.#reader.enter();
    this.#isInBatch = !this.#isInBatch;
  }

  commit(): void {
    this.#writer.commit();
  }

  clearTree(tree: number): void {
    let names = 0;
    for (const [key, entry] of this.#model) if (entry.tree === tree && this.#model.delete(key)) names++;
    if (this.#writer.clearTree(tree) !== names) throw new Error('clearTree: wrong number');
  }

  dropTree(tree: number): void {
    this.#writer.dropTree(tree);
    while (this.#writer.commit());
    for (const [key, entry] of this.#model) if (entry.tree === tree) this.#model.delete(key);
  }

  /** Every name by lookup and by walking; then an empty store gives all its room back. */
  finish(): void {
    if (this.#isInBatch) this.turnBatch();
    const perTree = new Map<number, number>();
    for (const { tree, copy } of this.#model.values()) {
      this.check(tree, copy.name);
      perTree.set(tree, (perTree.get(tree) ?? 0) + 1);
    }
    let bytes = 0;
    for (const [tree, names] of perTree) {
      let walked = 0;
      this.#writer.forEach(tree, (entry) => {
        const { name } = copyEntry(this.#writer.reader, entry);
        if (!this.#model.has(`${tree}/${String(name)}`)) throw new Error(`walked over ${tree}/${String(name)}`);
        walked++;
      });
      if (walked !== names || this.#reader.entryCount(tree) !== names) throw new Error(`tree ${tree}: ${walked} names`);
      bytes += this.#reader.treeBytes(tree);
    }
    while (this.#writer.commit());
    const { usedBytes, tableSlots, entries, deferredBytes } = this.#writer.stats();
    if (entries !== this.#model.size) throw new Error(`${entries} entries`);
    if (usedBytes !== 16 + tableSlots * 4 + bytes || deferredBytes !== 0) throw new Error(`${usedBytes} bytes in use`);
    for (const tree of perTree.keys()) this.#writer.clearTree(tree);
    while (this.#writer.commit());
    const left = this.#writer.stats();
    if (left.usedBytes !== 16 + left.tableSlots * 4) throw new Error(`${left.usedBytes} bytes left`);
  }

  stats(): ReturnType<StoreWriter['stats']> {
    return this.#writer.stats();
  }
}

function isEqual(a: EntryCopy | undefined, b: EntryCopy | undefined): boolean {
  return show(a) === show(b);
}

function show(copy: EntryCopy | undefined): string {
  if (!copy) return 'none';
  const rrsets = copy.rrsets.map(({ type, count, form, bytes }) => `${type}x${count}.${form}=${String(bytes)}`);
  return `${String(copy.name)}:${copy.flags}[${rrsets.join(' ')}]`;
}

function numbered(number: number): Uint8Array {
  const label = Buffer.from(`n${number}`);
  return Uint8Array.of(label.length, ...label, 3, 115, 118, 99);
}

const HASHES: readonly (readonly [string, Hash])[] = [
  ['the usual hash', relativeNameHash],
  ['four hashes in all', (_tree, name) => [0, 1, -1, 0x0400_0000][name[name[0]!]! & 3]!],
  ['one hash, whose first slot is the last of the table', () => -1],
  ['one table place, different tags', (tree, name) => relativeNameHash(tree, name) & ~0x03ff_ffff],
];

const operation = record({
  kind: integer({ min: 0, max: 15 }),
  tree: constantFrom(1, 2, MAX_TREE),
  name: integer({ min: 0, max: 60 }),
  flags: integer({ min: 0, max: 2 }),
  sizes: array(integer({ min: 0, max: 90 }), { maxLength: 3 }),
});

for (const [what, hash] of HASHES) {
  test(`random histories with ${what}: the store says what a Map says`, (t) => {
    assert(
      property(array(operation, { maxLength: 250 }), (operations) => {
        const pair = new Pair(hash, 1 << 17);
        for (const { kind, tree, name, flags, sizes } of operations) {
          const bytes = numbered(name);
          if (kind < 8) {
            pair.put(
              tree,
              bytes,
              flags,
              sizes.map((size, type) => ({ type, count: 1, form: flags, bytes: new Uint8Array(size).fill(flags + 1) })),
            );
          } else if (kind < 11) pair.remove(tree, bytes);
          else if (kind < 12) pair.check(tree, bytes);
          else if (kind < 13) pair.turnBatch();
          else if (kind < 14 && flags === 0) pair.clearTree(tree);
          else if (kind < 15 && flags === 0) pair.dropTree(tree);
          else pair.commit();
        }
        pair.finish();
      }),
      { seed: 20_250_701, numRuns: 60 },
    );
    t.pass();
  });
}

test('a long history in a small arena: growth, removed slots, reuse of space and a full arena, all as a Map says', (t) => {
  let rejected = 0;
  for (let seed = 1; seed <= 3; seed++) {
    const random = createRandom(seed);
    const pair = new Pair(relativeNameHash, 300_000);
    for (let step = 0; step < 25_000; step++) {
      // Fill, thin out, fill with other sizes, ...: what was freed must fit what comes.
      const filling = (step >>> 11) % 2 === 0;
      const name = numbered(random(4000));
      const dice = random(100);
      if (dice < (filling ? 80 : 25)) {
        const size = random(1 + ((step >>> 12) % 4) * 60);
        pair.put(1, name, random(4), [{ type: 1, count: 1, form: 0, bytes: new Uint8Array(size).fill(random(256)) }]);
      } else if (dice < 90) pair.remove(1, name);
      else if (dice < 96) pair.check(1, name);
      else if (dice < 98) pair.turnBatch();
      else pair.commit();
    }
    const stats = pair.stats();
    t.true(stats.rebuilds > 5, `${stats.rebuilds} rebuilds`);
    t.true(stats.reclaimedBytes > stats.arenaBytes, `${stats.reclaimedBytes} reclaimed`);
    rejected += pair.rejected;
    pair.finish();
  }
  t.true(rejected > 0, 'the arena was full at times');
});

test('changes while a large table is copied: what is put, replaced and removed meanwhile is so in the new table', (t) => {
  for (let seed = 1; seed <= 3; seed++) {
    const random = createRandom(seed);
    const pair = new Pair(relativeNameHash, 1 << 21, 8192);
    let next = 0;
    for (; next <= 4096; next++) pair.put(1, numbered(next), 0, []);
    t.is(pair.stats().rebuilds, 0);
    for (; pair.stats().rebuilds === 0; next++) {
      pair.put(1, numbered(next), 0, []);
      for (let i = 0; i < 10; i++) {
        const name = numbered(random(next));
        if (random(2) === 0) pair.put(1, name, 1 + random(1000), []);
        else pair.remove(1, name);
      }
    }
    t.true(next > 4096 + 16, `the rebuild took ${next - 4096} inserts`);
    for (let i = 0; i < next; i++) pair.check(1, numbered(i));
    pair.finish();
  }
});
