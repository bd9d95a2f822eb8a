import test from 'ava';
import { TREE_STATE, createStoreMemory } from '../../../lib/store/layout.ts';
import type { TreeState } from '../../../lib/store/layout.ts';
import { LOOKUP, Lookup } from '../../../lib/store/lookup.ts';
import { relativeNameHash } from '../../../lib/store/name-hash.ts';
import { StoreWriter } from '../../../lib/store/writer.ts';
import { RRTYPE } from '../../../lib/wire/types.ts';

const HOST = Uint8Array.of(1, 104, 1, 100);
const PARENT = Uint8Array.of(1, 100);
const ALIAS = Uint8Array.of(1, 97);
const OTHER = Uint8Array.of(1, 111);

function lookUp(state: TreeState, name: Uint8Array, type: number): { kind: string | undefined; lookup: Lookup } {
  const writer = new StoreWriter(createStoreMemory({ arenaBytes: 1 << 16 }), { minSlots: 16 });
  const rrset = (type: number) => ({ type, count: 1, form: 0, bytes: Uint8Array.of(type) });
  writer.put(1, HOST, 0, [rrset(RRTYPE.A), rrset(RRTYPE.TXT)]);
  writer.put(1, PARENT, 0, []);
  writer.put(1, ALIAS, 0, [rrset(RRTYPE.CNAME)]);
  writer.setState(1, state);
  const lookup = new Lookup();
  const kind = lookup.run(writer.reader, 1, name, 0, name.length, relativeNameHash(1, name), type);
  if (lookup.rrset !== 0) lookup.rrset = writer.reader.rrsetType(lookup.rrset);
  return { kind: Object.keys(LOOKUP)[kind], lookup };
}

const CASES = [
  // name           type          synced      not synced, or from a saved copy   type of the rrset found
  ['host', HOST, 'A', 'HIT', 'HIT', RRTYPE.A],
  ['host', HOST, 'TXT', 'HIT', 'HIT', RRTYPE.TXT],
  ['host', HOST, 'AAAA', 'NODATA', 'NOT_SYNCED', 0],
  ['empty non-terminal', PARENT, 'A', 'NODATA', 'NOT_SYNCED', 0],
  ['alias', ALIAS, 'A', 'CNAME', 'CNAME', RRTYPE.CNAME],
  ['alias', ALIAS, 'CNAME', 'HIT', 'HIT', RRTYPE.CNAME],
  ['missing name', OTHER, 'A', 'NXDOMAIN', 'NOT_SYNCED', 0],
] as const;
for (const [what, name, type, synced, unsynced, rrset] of CASES) {
  test(`lookup: ${what} ${type} is ${synced}, ${unsynced} before the tree is synced`, (t) => {
    const known = lookUp(TREE_STATE.SYNCED, name, RRTYPE[type]);
    t.is(known.kind, synced);
    t.is(known.lookup.rrset, rrset);
    t.is(known.lookup.entry === 0, what === 'missing name');
    t.is(lookUp(TREE_STATE.NOT_SYNCED, name, RRTYPE[type]).kind, unsynced);
    t.is(lookUp(TREE_STATE.SNAPSHOT, name, RRTYPE[type]).kind, unsynced);
  });
}
