// One entry of the arena: its size, writing it, comparing it with what a source brings, copying it out. Control thread.
import type { RrsetData } from './change.ts';
import {
  ENTRY_HEADER_BYTES,
  MAX_RECORDS,
  MAX_RELATIVE_NAME_LENGTH,
  MAX_RRSETS,
  MAX_RRSET_BYTES,
  RRSET_HEADER_BYTES,
} from './layout.ts';
import type { StoreReader } from './reader.ts';
import { LOWER, MAX_LABEL_LENGTH } from '../wire/name.ts';

/** An entry's contents outside the arena. */
export type EntryCopy = {
  readonly name: Uint8Array;
  readonly flags: number;
  readonly rrsets: readonly RrsetData[];
};

/**
 * Bytes of the entry, a multiple of 4.
 * @throws RangeError when the name is no lower-case relative name, or a number does not fit its field
 */
export function measureEntry(name: Uint8Array, flags: number, rrsets: readonly RrsetData[]): number {
  if (!isRelativeName(name)) throw new RangeError('name is not in lower-case wire form without root label');
  if (!isBelow(flags, 0x1_0000)) throw new RangeError(`flags: ${flags}`);
  if (rrsets.length > MAX_RRSETS) throw new RangeError(`${rrsets.length} rrsets at one name`);
  let size = align(ENTRY_HEADER_BYTES + name.length);
  for (let i = 0; i < rrsets.length; i++) {
    const { type, count, form, bytes } = rrsets[i]!;
    if (!isBelow(type, 0x1_0000)) throw new RangeError(`rrset type: ${type}`);
    if (!isBelow(count - 1, MAX_RECORDS)) throw new RangeError(`records in one rrset: ${count}`);
    if (!isBelow(form, 0x100)) throw new RangeError(`rrset form: ${form}`);
    if (bytes.length > MAX_RRSET_BYTES) throw new RangeError(`bytes in one rrset: ${bytes.length}`);
    for (let j = 0; j < i; j++) if (rrsets[j]!.type === type) throw new RangeError(`rrset type twice: ${type}`);
    size += RRSET_HEADER_BYTES + align(bytes.length);
  }
  return size;
}

/** Bytes that `measureEntry` gave for this entry. */
export function sizeOfEntry(reader: StoreReader, entry: number): number {
  let end = reader.firstRrset(entry);
  for (let left = reader.rrsetCount(entry); left > 0; left--) end = reader.nextRrset(end);
  return (end - entry) * 4;
}

/** Writes an entry that was measured to `words[at...]`; `bytes` is the same memory. */
export function writeEntry(
  words: Int32Array,
  bytes: Uint8Array,
  at: number,
  hash: number,
  tree: number,
  name: Uint8Array,
  flags: number,
  rrsets: readonly RrsetData[],
): void {
  words[at] = hash;
  words[at + 1] = tree | (name.length << 16) | (rrsets.length << 24);
  words[at + 2] = flags;
  let to = copyBytes(bytes, at * 4 + ENTRY_HEADER_BYTES, name);
  for (const rrset of rrsets) {
    words[to >>> 2] = rrset.type | (rrset.count << 16);
    words[(to >>> 2) + 1] = rrset.bytes.length | (rrset.form << 24);
    to = copyBytes(bytes, to + RRSET_HEADER_BYTES, rrset.bytes);
  }
}

/** Whether the entry has exactly these flags and rrsets, in this order. */
export function equalsEntry(reader: StoreReader, entry: number, flags: number, rrsets: readonly RrsetData[]): boolean {
  if (reader.flags(entry) !== flags || reader.rrsetCount(entry) !== rrsets.length) return false;
  let at = reader.firstRrset(entry);
  for (const { type, count, form, bytes } of rrsets) {
    if (reader.rrsetType(at) !== type || reader.recordCount(at) !== count || reader.form(at) !== form) return false;
    if (reader.byteLength(at) !== bytes.length) return false;
    const bytesAt = reader.bytesAt(at);
    for (let i = 0; i < bytes.length; i++) if (reader.bytes[bytesAt + i] !== bytes[i]) return false;
    at = reader.nextRrset(at);
  }
  return true;
}

/** Copies an entry out of the arena. */
export function copyEntry(reader: StoreReader, entry: number): EntryCopy {
  const nameAt = reader.nameAt(entry);
  const name = Uint8Array.from(reader.bytes.subarray(nameAt, nameAt + reader.nameLength(entry)));
  const rrsets: RrsetData[] = [];
  let at = reader.firstRrset(entry);
  for (let left = reader.rrsetCount(entry); left > 0; left--) {
    const bytesAt = reader.bytesAt(at);
    rrsets.push({
      type: reader.rrsetType(at),
      count: reader.recordCount(at),
      form: reader.form(at),
      bytes: Uint8Array.from(reader.bytes.subarray(bytesAt, bytesAt + reader.byteLength(at))),
    });
    at = reader.nextRrset(at);
  }
  return { name, flags: reader.flags(entry), rrsets };
}

/** Labels that end where the bytes end, lower case, with room for the root label (RFC 1035 section 3.1). */
function isRelativeName(name: Uint8Array): boolean {
  if (name.length > MAX_RELATIVE_NAME_LENGTH) return false;
  let at = 0;
  while (at < name.length) {
    const length = name[at]!;
    if (length === 0 || length > MAX_LABEL_LENGTH) return false;
    for (const end = ++at + length; at < end; at++) if (LOWER[name[at]!] !== name[at]) return false;
  }
  return at === name.length;
}

function isBelow(value: number, limit: number): boolean {
  return Number.isInteger(value) && value >= 0 && value < limit;
}

function align(length: number): number {
  return (length + 3) & ~3;
}

/** Copies `from` to `to` and zeroes the padding. @returns the next word's byte index */
function copyBytes(bytes: Uint8Array, to: number, from: Uint8Array): number {
  // A call of `set` costs about 50 ns; most names and rrsets are shorter than what that buys.
  if (from.length > 64) bytes.set(from, to);
  else for (let i = 0; i < from.length; i++) bytes[to + i] = from[i]!;
  let end = to + from.length;
  while ((end & 3) !== 0) bytes[end++] = 0;
  return end;
}
