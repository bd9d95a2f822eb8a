import test from 'ava';
import { applyChanges } from '../../../lib/store/change.ts';
import { createStoreMemory } from '../../../lib/store/layout.ts';
import { StoreWriter } from '../../../lib/store/writer.ts';

const A = Uint8Array.of(1, 97);
const B = Uint8Array.of(1, 98);

test('applyChanges: in order, counts what altered something, and reclaims', (t) => {
  const writer = new StoreWriter(createStoreMemory({ arenaBytes: 1 << 16 }), { minSlots: 16 });
  const result = applyChanges(writer, 1, [
    { kind: 'put', name: A, flags: 1, rrsets: [] },
    { kind: 'put', name: A, flags: 1, rrsets: [] },
    { kind: 'put', name: A, flags: 2, rrsets: [] },
    { kind: 'remove', name: B },
    { kind: 'put', name: B, flags: 1, rrsets: [] },
    { kind: 'remove', name: B },
  ]);
  t.deepEqual(result, { changed: 4, rejected: 0 });
  t.is(writer.get(1, A)?.flags, 2);
  t.is(writer.get(1, B), undefined);
  t.is(writer.stats().deferredBytes, 0);
});

test('applyChanges: what does not fit is counted, the rest is applied', (t) => {
  const writer = new StoreWriter(createStoreMemory({ arenaBytes: 1 << 16 }), { minSlots: 16 });
  const rrsets = [{ type: 16, count: 1, form: 0, bytes: new Uint8Array(1 << 17) }];
  const result = applyChanges(writer, 1, [
    { kind: 'put', name: A, flags: 0, rrsets },
    { kind: 'put', name: B, flags: 0, rrsets: [] },
  ]);
  t.deepEqual(result, { changed: 1, rejected: 1 });
  t.is(writer.stats().rejected, 1);
});

test('applyChanges: a change that no source may make is a bug and throws', (t) => {
  const writer = new StoreWriter(createStoreMemory({ arenaBytes: 1 << 16 }), { minSlots: 16 });
  t.throws(() => applyChanges(writer, 1, [{ kind: 'put', name: Uint8Array.of(0), flags: 0, rrsets: [] }]), {
    instanceOf: RangeError,
  });
});
