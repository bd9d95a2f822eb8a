import test from 'ava';
import { createStoreMemory } from '../../../lib/store/layout.ts';
import { StoreReader } from '../../../lib/store/reader.ts';
import { StoreWriter } from '../../../lib/store/writer.ts';

// All names have one hash, so that a lookup of SECOND compares it with FIRST before. The name asked is an object that lets
// the writer work at that very moment: an interleaving of two threads, made by one.
const HASH = 0x7654_3210 | 0;
const FIRST = Uint8Array.of(1, 97);
const SECOND = Uint8Array.of(1, 98);
const OTHER = Uint8Array.of(1, 99);

function lookUpWhile(work: (writer: StoreWriter) => void): number {
  const memory = createStoreMemory({ arenaBytes: 1 << 20, readers: 1 });
  const writer = new StoreWriter(memory, {
    minSlots: 16,
    hash: (tree, name) => (tree === 1 ? HASH : (name[1]! << 8) | name[2]!),
  });
  const reader = new StoreReader(memory, 0);
  writer.put(1, FIRST, 1, []);
  writer.put(1, SECOND, 2, []);
  let comparisons = 0;
  const asked = new Proxy(SECOND, {
    get(name, key) {
      if (key === '0' && comparisons++ === 0) work(writer);
      return Reflect.get(name, key) as unknown;
    },
  });
  reader.enter();
  const entry = reader.find(1, asked, 0, 2, HASH);
  if (comparisons === 0) throw new Error('FIRST was not on the way to SECOND');
  return entry === 0 ? 0 : reader.flags(entry);
}

/** Rebuilds the table several times, and overwrites all room that was given back. */
function grow(writer: StoreWriter): void {
  for (let i = 0; i < 250; i++) {
    const name = Uint8Array.of(2, 97 + (i >>> 4), 97 + (i & 15));
    const bytes = new Uint8Array(40).fill(0xff);
    writer.put(2, name, 0xffff, [{ type: 1, count: 1, form: 255, bytes }]);
    writer.commit();
  }
  if (writer.stats().rebuilds < 3) throw new Error('the table did not grow');
}

const CASES: readonly (readonly [string, number, (writer: StoreWriter) => void])[] = [
  ['nothing happens: it is found', 2, () => undefined],
  ['the table is rebuilt thrice: it is found', 2, grow],
  ['the name before it is removed: it is found', 2, (writer) => void writer.remove(1, FIRST)],
  ['the name before it is replaced: it is found', 2, (writer) => void writer.put(1, FIRST, 9, [])],
  ['it is replaced: the new contents are found', 5, (writer) => void writer.put(1, SECOND, 5, [])],
  ['it is removed: it is not found', 0, (writer) => void writer.remove(1, SECOND)],
  [
    'it is replaced and the table is rebuilt: the old or new contents are found',
    5,
    (writer) => {
      writer.put(1, SECOND, 5, []);
      grow(writer);
    },
  ],
  [
    'the table is rebuilt and it is replaced: the contents it had are found, not overwritten',
    2,
    (writer) => {
      grow(writer);
      writer.put(1, SECOND, 5, []);
      grow(writer);
    },
  ],
  [
    'the name before it is removed and another takes that slot: it is found',
    2,
    (writer) => {
      writer.remove(1, FIRST);
      writer.put(1, OTHER, 3, []);
      writer.commit();
    },
  ],
];
for (const [what, flags, work] of CASES) {
  test(`a lookup under way while ${what}`, (t) => {
    t.is(lookUpWhile(work), flags);
  });
}
