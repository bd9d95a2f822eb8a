// Records of a zone out of the store, where they are kept once: what a change is applied to. Control thread.
import { relativeNameHash } from '../../store/name-hash.ts';
import type { StoreReader } from '../../store/reader.ts';
import { RRSET_FORM, ZONE_ORDER_TYPE } from '../../store/rrset-form.ts';
import { CLASS, RRTYPE } from '../../wire/types.ts';
import { ZoneContents } from './zone-contents.ts';

/** Names read before other work of the thread gets its turn: about 3 ms. */
const NAMES_PER_SLICE = 2000;
const EMPTY = new Uint8Array(0);
const LAST_TYPE = 0xfffe;

/**
 * Reads a whole zone in slices, each with one step of the generator.
 *
 * @param tree must not change between the steps
 * @param origin wire form, lower case
 */
export function* readStoredZone(store: StoreReader, tree: number, origin: Uint8Array): Generator<void, ZoneContents> {
  const contents = new ZoneContents(origin);
  const apex = store.find(tree, EMPTY, 0, 0, relativeNameHash(tree, EMPTY));
  readName(store, apex, contents);
  const order = store.findRrset(apex, ZONE_ORDER_TYPE);
  const count = order === 0 ? 0 : store.byteLength(order) >>> 2;
  for (let i = 0; i < count; i++) {
    readName(store, store.words[(store.bytesAt(order) >>> 2) + i]!, contents);
    if ((i + 1) % NAMES_PER_SLICE === 0) yield;
  }
  return contents;
}

function readName(store: StoreReader, entry: number, contents: ZoneContents): void {
  const nameAt = store.nameAt(entry);
  const length = store.nameLength(entry);
  const name = new Uint8Array(length + contents.origin.length);
  name.set(store.bytes.subarray(nameAt, nameAt + length));
  name.set(contents.origin, length);
  let rrset = store.firstRrset(entry);
  for (let left = store.rrsetCount(entry); left > 0; left--, rrset = store.nextRrset(rrset)) {
    const type = store.rrsetType(rrset);
    if (type !== ZONE_ORDER_TYPE && type <= LAST_TYPE) readRrset(store, rrset, type, name, contents);
  }
}

/** Forms as lib/sources/zone-file/zone-names.ts writes them. */
function readRrset(store: StoreReader, rrset: number, type: number, name: Uint8Array, contents: ZoneContents): void {
  const { bytes } = store;
  const form = store.form(rrset);
  const hasOwnTtls = form === RRSET_FORM.ZONE_SIGNATURES;
  let at = store.bytesAt(rrset);
  let ttlSeconds = hasOwnTtls ? 0 : readLong(bytes, at);
  if (!hasOwnTtls) at += 4;
  for (let left = store.recordCount(rrset); left > 0; left--) {
    if (hasOwnTtls) {
      ttlSeconds = readLong(bytes, at);
      at += 4;
    }
    let length = type === RRTYPE.A ? 4 : 16;
    if (form !== RRSET_FORM.ZONE_ADDRESSES) {
      length = (bytes[at]! << 8) | bytes[at + 1]!;
      at += 2;
    }
    contents.add({ name, type, class: CLASS.IN, ttlSeconds, rdata: bytes.slice(at, at + length) });
    at += length;
  }
}

function readLong(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}
