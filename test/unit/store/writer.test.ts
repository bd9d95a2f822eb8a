import test from 'ava';
import type { RrsetData } from '../../../lib/store/change.ts';
import { MAX_TREE, TREE_STATE, createStoreMemory } from '../../../lib/store/layout.ts';
import type { StoreMemory } from '../../../lib/store/layout.ts';
import { relativeNameHash } from '../../../lib/store/name-hash.ts';
import { StoreReader } from '../../../lib/store/reader.ts';
import { StoreFullError } from '../../../lib/store/store-full-error.ts';
import { StoreWriter } from '../../../lib/store/writer.ts';

/** Relative name in wire form; '' is the apex. */
function name(text: string): Uint8Array {
  const out: number[] = [];
  for (const label of text === '' ? [] : text.split('.')) out.push(label.length, ...Buffer.from(label));
  return Uint8Array.from(out);
}

function rrset(type: number, ...bytes: number[]): RrsetData {
  return { type, count: 1, form: 0, bytes: Uint8Array.from(bytes) };
}

function createStore(arenaBytes = 1 << 20): { memory: StoreMemory; writer: StoreWriter; reader: StoreReader } {
  const memory = createStoreMemory({ arenaBytes, readers: 2 });
  const writer = new StoreWriter(memory, { minSlots: 16 });
  return { memory, writer, reader: new StoreReader(memory, 0) };
}

function find(reader: StoreReader, tree: number, text: string): number {
  const bytes = name(text);
  return reader.find(tree, bytes, 0, bytes.length, relativeNameHash(tree, bytes));
}

test('put: a reader finds name, flags and each rrset as given', (t) => {
  const { writer, reader } = createStore();
  const rrsets = [
    { type: 1, count: 2, form: 1, bytes: Uint8Array.of(10, 0, 0, 1, 10, 0, 0, 2) },
    { type: 65535, count: 65535, form: 255, bytes: Uint8Array.of(1, 2, 3) },
    { type: 16, count: 1, form: 0, bytes: new Uint8Array(0) },
  ];
  t.true(writer.put(1023, name('web.shop.svc'), 0xfffe, rrsets));
  const entry = find(reader, 1023, 'web.shop.svc');
  t.not(entry, 0);
  t.is(reader.tree(entry), 1023);
  t.is(reader.flags(entry), 0xfffe);
  t.is(reader.rrsetCount(entry), 3);
  t.is(reader.nameLength(entry), 13);
  t.deepEqual(writer.get(1023, name('web.shop.svc')), { name: name('web.shop.svc'), flags: 0xfffe, rrsets });
  const odd = reader.findRrset(entry, 65535);
  t.is(reader.rrsetType(odd), 65535);
  t.is(reader.recordCount(odd), 65535);
  t.is(reader.form(odd), 255);
  t.is(reader.byteLength(odd), 3);
  t.is(reader.bytesAt(odd) % 4, 0);
  t.deepEqual([...reader.bytes.subarray(reader.bytesAt(odd), reader.bytesAt(odd) + 3)], [1, 2, 3]);
  t.is(reader.findRrset(entry, 28), 0);
});

test('find: the name may lie anywhere in a packet; other trees, longer and shorter names are not found', (t) => {
  const { writer, reader } = createStore();
  writer.put(1, name('a.b'), 0, [rrset(1, 1)]);
  writer.put(1, name(''), 0, [rrset(6, 1)]);
  const packet = Uint8Array.of(9, 9, 9, ...name('a.b'), 0);
  t.not(reader.find(1, packet, 3, 4, relativeNameHash(1, packet, 3, 4)), 0);
  t.not(find(reader, 1, ''), 0);
  t.is(find(reader, 2, 'a.b'), 0);
  t.is(find(reader, 1, 'a'), 0);
  t.is(find(reader, 1, 'b'), 0);
  t.is(find(reader, 1, 'a.b.c'), 0);
});

test('find: before there is a writer nothing is found and no tree is synced', (t) => {
  const reader = new StoreReader(createStoreMemory({ arenaBytes: 1 << 16 }), 0);
  t.is(find(reader, 1, 'a'), 0);
  t.false(reader.isSynced(1));
});

test('put: the same contents again are no change, any difference is one', (t) => {
  const { writer, reader } = createStore();
  const base = [rrset(1, 1, 2, 3, 4), rrset(28, 5)];
  t.true(writer.put(1, name('a'), 1, base));
  const generation = reader.generation(1);
  t.false(writer.put(1, name('a'), 1, base));
  t.is(reader.generation(1), generation);
  t.true(writer.put(1, name('a'), 2, base), 'flags');
  t.true(writer.put(1, name('a'), 2, [rrset(1, 1, 2, 3, 5), rrset(28, 5)]), 'bytes');
  t.true(writer.put(1, name('a'), 2, [rrset(1, 1, 2, 3, 5)]), 'fewer');
  t.true(writer.put(1, name('a'), 2, [{ ...rrset(1, 1, 2, 3, 5), count: 2 }]), 'count');
  t.true(writer.put(1, name('a'), 2, [{ ...rrset(1, 1, 2, 3, 5), count: 2, form: 3 }]), 'form');
  t.true(writer.put(1, name('a'), 2, [{ ...rrset(2, 1, 2, 3, 5), count: 2, form: 3 }]), 'type');
  t.true(writer.put(1, name('a'), 2, [rrset(2, 1, 2, 3)]), 'length');
  t.is(reader.generation(1), generation + 7);
  t.is(reader.entryCount(1), 1);
});

test('remove: says whether the name was there, and the tree counts entries and bytes', (t) => {
  const { writer, reader } = createStore();
  writer.put(1, name('a'), 0, [rrset(1, 1)]);
  writer.put(1, name('b'), 0, []);
  t.is(reader.entryCount(1), 2);
  t.is(reader.treeBytes(1), 48);
  t.true(writer.remove(1, name('a')));
  t.false(writer.remove(1, name('a')));
  t.false(writer.remove(1, name('c')));
  t.is(find(reader, 1, 'a'), 0);
  t.is(reader.entryCount(1), 1);
  t.is(reader.treeBytes(1), 16);
});

const REFUSED: readonly (readonly [string, number, Uint8Array, number, readonly RrsetData[]])[] = [
  ['tree 0', 0, name('a'), 0, []],
  [`tree ${MAX_TREE + 1}`, MAX_TREE + 1, name('a'), 0, []],
  ['upper case', 1, name('A'), 0, []],
  ['root label', 1, Uint8Array.of(1, 97, 0), 0, []],
  ['label past the end', 1, Uint8Array.of(2, 97), 0, []],
  ['label of 64', 1, Uint8Array.of(64, ...new Uint8Array(64).fill(97)), 0, []],
  ['255 bytes', 1, name([63, 63, 63, 62].map((n) => 'x'.repeat(n)).join('.')), 0, []],
  ['flags of 17 bits', 1, name('a'), 0x1_0000, []],
  ['one type twice', 1, name('a'), 0, [rrset(1), rrset(1)]],
  ['count 0', 1, name('a'), 0, [{ ...rrset(1), count: 0 }]],
  ['count 65536', 1, name('a'), 0, [{ ...rrset(1), count: 65536 }]],
  ['form 256', 1, name('a'), 0, [{ ...rrset(1), form: 256 }]],
  ['16 MiB', 1, name('a'), 0, [{ ...rrset(1), bytes: new Uint8Array(1 << 24) }]],
];
for (const [what, tree, bytes, flags, rrsets] of REFUSED) {
  test(`put: ${what} is a RangeError and changes nothing`, (t) => {
    const { writer } = createStore();
    const before = writer.stats();
    t.throws(() => writer.put(tree, bytes, flags, rrsets), { instanceOf: RangeError });
    t.deepEqual(writer.stats(), before);
  });
}

test('put: a name of 254 bytes and 255 rrsets fit', (t) => {
  const { writer } = createStore();
  const longest = name([63, 63, 63, 61].map((n) => 'x'.repeat(n)).join('.'));
  t.is(longest.length, 254);
  const rrsets = Array.from({ length: 255 }, (_, i) => rrset(i, i));
  t.true(writer.put(1, longest, 0, rrsets));
  t.deepEqual(writer.get(1, longest), { name: longest, flags: 0, rrsets });
});

test('put: a full arena is a StoreFullError, what was there stays, room given back is used', (t) => {
  const { writer, reader } = createStore(1 << 16);
  const bytes = new Uint8Array(1000);
  let stored = 0;
  const error = t.throws(
    () => {
      for (; stored < 1000; stored++) writer.put(1, name(`n${stored}`), 0, [{ type: 16, count: 1, form: 0, bytes }]);
    },
    { instanceOf: StoreFullError },
  );
  t.true(error.neededBytes > 1000);
  t.true(stored > 50 && stored < 65, `${stored} stored`);
  t.is(writer.stats().rejected, 1);
  t.throws(() => writer.put(1, name('n0'), 1, [rrset(16, ...bytes)]), { instanceOf: StoreFullError });
  for (let i = 0; i < stored; i++) t.not(find(reader, 1, `n${i}`), 0);
  t.is(writer.get(1, name('n0'))!.flags, 0);
  writer.remove(1, name('n1'));
  t.true(writer.put(1, name('n0'), 1, [rrset(16, ...bytes)]), 'reclaims without a commit');
});

test('put: small names alone fill the arena without an error other than StoreFullError', (t) => {
  const { writer, reader } = createStore(1 << 16);
  let stored = 0;
  t.throws(
    () => {
      for (; ; stored++) writer.put(1, name(`n${stored}`), 0, []);
    },
    { instanceOf: StoreFullError },
  );
  t.true(stored > 1000, `${stored} stored`);
  for (let i = 0; i < stored; i++) if (find(reader, 1, `n${i}`) === 0) t.fail(`n${i} is gone`);
  t.is(find(reader, 1, 'other'), 0);
});

test('commit: space is given back at once when no reader is in a batch', (t) => {
  const { writer } = createStore();
  writer.put(1, name('a'), 0, [rrset(1, 1)]);
  writer.put(1, name('a'), 0, [rrset(1, 2)]);
  t.is(writer.stats().deferredBytes, 32);
  writer.commit();
  t.is(writer.stats().deferredBytes, 0);
  t.is(writer.stats().reclaimedBytes, 32);
});

test('commit: what a reader in a batch found stays as it was until that reader leaves', (t) => {
  const { writer, reader } = createStore();
  writer.put(1, name('a'), 7, [rrset(1, 1, 1, 1, 1)]);
  writer.put(1, name('z'), 0, []);
  reader.enter();
  const entry = find(reader, 1, 'a');
  writer.remove(1, name('a'));
  t.is(find(reader, 1, 'a'), 0, 'removed for lookups of the same batch');
  writer.commit();
  writer.put(1, name('b'), 9, [rrset(1, 2, 2, 2, 2)]);
  t.is(reader.flags(entry), 7);
  t.is(reader.bytes[reader.bytesAt(reader.findRrset(entry, 1))], 1);
  t.is(writer.stats().deferredBytes, 32);
  reader.leave();
  writer.commit();
  t.is(writer.stats().deferredBytes, 0);
  t.is(find(reader, 1, 'a'), 0);
});

test('commit: a reader that left and entered again does not hold what it cannot see', (t) => {
  const { writer, reader } = createStore();
  writer.put(1, name('a'), 0, []);
  reader.enter();
  writer.remove(1, name('a'));
  writer.commit();
  t.is(writer.stats().deferredBytes, 16);
  reader.leave();
  reader.enter();
  writer.commit();
  t.is(writer.stats().deferredBytes, 0);
});

test('forgetReader: a reader that died inside a batch holds nothing, and its successor starts outside one', (t) => {
  const { memory, writer, reader } = createStore();
  writer.put(1, name('a'), 0, []);
  reader.enter();
  writer.remove(1, name('a'));
  writer.commit();
  writer.forgetReader(0);
  writer.commit();
  t.is(writer.stats().deferredBytes, 0);

  new StoreReader(memory, 1).enter();
  const successor = new StoreReader(memory, 1);
  writer.put(1, name('b'), 0, []);
  writer.remove(1, name('b'));
  writer.commit();
  t.is(writer.stats().deferredBytes, 0);
  successor.enter();
  writer.put(1, name('b'), 0, []);
  writer.remove(1, name('b'));
  writer.commit();
  t.is(writer.stats().deferredBytes, 16);
  t.throws(() => writer.forgetReader(2), { instanceOf: RangeError });
  t.throws(() => new StoreReader(memory, 3), { instanceOf: RangeError });
});

test('state and serial: per tree, serial is unsigned', (t) => {
  const { writer, reader } = createStore();
  t.is(reader.state(1), TREE_STATE.NOT_SYNCED);
  writer.setState(1, TREE_STATE.SNAPSHOT);
  t.false(reader.isSynced(1));
  t.is(reader.state(1), TREE_STATE.SNAPSHOT);
  writer.setState(1, TREE_STATE.SYNCED);
  writer.setSerial(1, 4_294_967_295);
  t.true(reader.isSynced(1));
  t.false(reader.isSynced(2));
  t.is(reader.serial(1), 4_294_967_295);
  t.is(reader.serial(2), 0);
});

test('forEach: every name of the tree once, none of another', (t) => {
  const { writer } = createStore();
  for (let i = 0; i < 200; i++) writer.put((i & 1) + 1, name(`n${i}`), i, []);
  const seen: number[] = [];
  writer.forEach(1, (entry) => void seen.push(writer.reader.flags(entry)));
  t.deepEqual(
    seen.sort((a, b) => a - b),
    Array.from({ length: 100 }, (_, i) => i * 2),
  );
});

test('clearTree: the tree is empty, others and its serial stay', (t) => {
  const { writer, reader } = createStore();
  for (let i = 0; i < 200; i++) writer.put((i & 1) + 1, name(`n${i}`), i, []);
  writer.setSerial(1, 5);
  t.is(writer.clearTree(1), 100);
  t.is(reader.entryCount(1), 0);
  t.is(reader.treeBytes(1), 0);
  t.is(reader.serial(1), 5);
  t.is(find(reader, 1, 'n0'), 0);
  t.not(find(reader, 2, 'n1'), 0);
  t.is(writer.stats().entries, 100);
});

test('dropTree: not synced at once, emptied by commits, its number free afterwards', (t) => {
  const { writer, reader } = createStore();
  t.is(writer.openTree(), 1);
  t.is(writer.openTree(), 2);
  for (let i = 0; i < 200; i++) writer.put((i & 1) + 1, name(`n${i}`), i, []);
  writer.setState(1, TREE_STATE.SYNCED);
  writer.setSerial(1, 5);
  writer.dropTree(1);
  t.false(reader.isSynced(1));
  t.is(reader.serial(1), 0);
  t.is(writer.openTree(), 3, 'the number is not free yet');
  while (writer.commit());
  t.is(reader.entryCount(1), 0);
  t.is(reader.entryCount(2), 100);
  t.is(writer.openTree(), 1);
});

test('dropTree: a put into the tree before it is empty brings back no old name', (t) => {
  const { writer, reader } = createStore();
  for (let i = 0; i < 100; i++) writer.put(1, name(`n${i}`), i, []);
  writer.dropTree(1);
  writer.put(1, name('new'), 0, []);
  while (writer.commit());
  t.is(reader.entryCount(1), 1);
  t.not(find(reader, 1, 'new'), 0);
});

test('retireTree: a reader in a batch keeps every name, whoever enters later does not hold the tree', (t) => {
  const { memory, writer, reader } = createStore();
  const tree = writer.openTree();
  writer.put(tree, name('a'), 0, []);
  reader.enter();
  writer.retireTree(tree);
  for (let i = 0; i < 10; i++) writer.commit();
  t.not(find(reader, tree, 'a'), 0);
  const other = new StoreReader(memory, 1);
  other.enter();
  reader.leave();
  while (writer.commit());
  t.is(find(other, tree, 'a'), 0);
  t.false(writer.hasTree(tree));
});

test(`openTree: ${MAX_TREE} trees, then a RangeError`, (t) => {
  const { writer } = createStore();
  for (let tree = 1; tree <= MAX_TREE; tree++) writer.openTree();
  t.throws(() => writer.openTree(), { instanceOf: RangeError });
});

test('writer: a second one on the same memory is refused', (t) => {
  const { memory } = createStore();
  t.throws(() => new StoreWriter(memory), { instanceOf: RangeError });
});

test('table: growth and removal keep the load at most a half and drop the marks of removed names', (t) => {
  const { writer, reader } = createStore(1 << 22);
  for (let i = 0; i < 10_000; i++) writer.put(1, name(`n${i}`), 0, []);
  while (writer.commit());
  const grown = writer.stats();
  t.true(grown.tableSlots >= 20_000 && grown.tableSlots <= 65_536, `${grown.tableSlots} slots`);
  t.true(grown.rebuilds >= 8);
  for (let i = 0; i < 10_000; i++) if (find(reader, 1, `n${i}`) === 0) t.fail(`n${i} is gone`);
  for (let i = 0; i < 10_000; i++) writer.remove(1, name(`n${i}`));
  while (writer.commit());
  t.is(writer.stats().removedSlots, 0);
  t.is(writer.stats().usedBytes, 16 + grown.tableSlots * 4);
});

test('reserve: the names that follow cost no rebuild, those before stay, and what does not fit changes nothing', (t) => {
  const { writer, reader } = createStore();
  for (let i = 0; i < 5; i++) writer.put(1, name(`before-${i}`), 0, [rrset(1, i)]);
  writer.reserve(1000);
  const { rebuilds, tableSlots } = writer.stats();
  t.is(tableSlots, 2048);
  for (let i = 0; i < 995; i++) writer.put(1, name(`after-${i}`), 0, [rrset(1, i & 255)]);
  t.is(writer.stats().rebuilds, rebuilds);
  for (let i = 0; i < 5; i++) t.not(find(reader, 1, `before-${i}`), 0);
  for (let i = 0; i < 995; i++) t.not(find(reader, 1, `after-${i}`), 0);
  for (const names of [0, 10, 10_000_000, 2 ** 40]) writer.reserve(names);
  t.is(writer.stats().tableSlots, tableSlots);
  t.not(find(reader, 1, 'after-994'), 0);
});

test('put only a new name: one that is there keeps what it has', (t) => {
  const { writer } = createStore();
  t.true(writer.put(1, name('a'), 0, [rrset(1, 1)], true));
  t.false(writer.put(1, name('a'), 0, [rrset(1, 2)], true));
  t.deepEqual(writer.get(1, name('a'))?.rrsets, [rrset(1, 1)]);
  t.true(writer.put(1, name('a'), 0, [rrset(1, 2)]));
  t.deepEqual(writer.get(1, name('a'))?.rrsets, [rrset(1, 2)]);
});
