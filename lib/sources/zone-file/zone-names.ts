// Records of a zone -> entries of the store, in canonical order: rrsets, empty non-terminals, and what stands above and below
// each name. Control thread.
import type { Change, RrsetData } from '../../store/change.ts';
import { MAX_RECORDS, MAX_RRSET_BYTES } from '../../store/layout.ts';
import { NAME_FLAG, RRSET_FORM } from '../../store/rrset-form.ts';
import { equalRdata } from '../../wire/rdata/registry.ts';
import { formatType, RRTYPE } from '../../wire/types.ts';
import { keyBoundaries, relativeName, WILDCARD_LABEL } from './canonical-key.ts';
import type { KeptRecord, ZoneContents } from './zone-contents.ts';

export type ZoneName = Extract<Change, { kind: 'put' }>;

/** Above this many records of one type duplicates are found by a set instead of one by one. */
const SMALL_RRSET = 8;

/**
 * Entries of all names, each after those above it.
 *
 * @param keys all keys of `contents`, sorted
 * @throws RangeError when a name has more records than the store takes
 */
export function* zoneNames(contents: ZoneContents, keys: readonly string[]): Generator<ZoneName> {
  let previous = '';
  /** Key of the cut or DNAME that the names now coming may be below. */
  let occluder: string | undefined;
  // The apex always exists.
  if (keys[0] !== '') yield makeName(contents, keys, '', undefined, keys[0]);
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i]!;
    for (const end of keyBoundaries(key, commonLength(previous, key))) {
      if (end === key.length) break;
      // Names above it come first: whatever lies between `previous` and `key` has no records.
      const above = key.slice(0, end);
      if (!above.startsWith(occluder ?? NO_KEY)) occluder = undefined;
      yield makeName(contents, keys, above, occluder, key);
    }
    if (occluder !== undefined && !key.startsWith(occluder)) occluder = undefined;
    const name = makeName(contents, keys, key, occluder, keys[i + 1]);
    yield name;
    if (occluder === undefined && (name.flags & (NAME_FLAG.CUT | NAME_FLAG.DNAME)) !== 0) occluder = key;
    previous = key;
  }
}
/** No key starts with it. */
const NO_KEY = '\uffff';

/** Length of the longest key of a name above both, or of one of them. */
function commonLength(left: string, right: string): number {
  let common = 0;
  for (const end of keyBoundaries(right, 0)) {
    if (end > left.length || left.slice(0, end) !== right.slice(0, end)) break;
    common = end;
  }
  return common;
}

/** @param next key that follows this one */
function makeName(
  contents: ZoneContents,
  keys: readonly string[],
  key: string,
  occluder: string | undefined,
  next: string | undefined,
): ZoneName {
  const rrsets = makeRrsets(contents.records(key));
  let flags = occluder === undefined ? 0 : NAME_FLAG.OCCLUDED;
  const has = (type: number): boolean => rrsets.some((rrset) => rrset.type === type);
  if (key !== '' && has(RRTYPE.NS) && !isWildcard(key)) flags |= NAME_FLAG.CUT;
  if (has(RRTYPE.DNAME) && !isWildcard(key)) flags |= NAME_FLAG.DNAME;
  if (
    rrsets.length > 0 &&
    rrsets.every(({ type }) => type === RRTYPE.NSEC3 || type === RRTYPE.RRSIG) &&
    has(RRTYPE.NSEC3)
  ) {
    flags |= NAME_FLAG.HASHED;
  }
  if (next?.startsWith(key) === true && hasFrom(keys, key + WILDCARD_LABEL)) flags |= NAME_FLAG.WILDCARD_BELOW;
  return { kind: 'put', name: relativeName(key), flags, rrsets };
}

/** Whether a name with this key, or one below it, has records. */
function hasFrom(keys: readonly string[], key: string): boolean {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (keys[middle]! < key) low = middle + 1;
    else high = middle;
  }
  return keys[low]?.startsWith(key) === true;
}

/** NS and DNAME records of a wildcard have no effect (RFC 4592 sections 4.2 and 4.4). */
function isWildcard(key: string): boolean {
  return key.endsWith(`\0${WILDCARD_LABEL}`) || key === WILDCARD_LABEL;
}

function makeRrsets(records: readonly KeptRecord[]): RrsetData[] {
  const byType = new Map<number, KeptRecord[]>();
  for (const record of records) {
    const same = byType.get(record.type);
    // A second SOA replaces the first: transfers end with the one they begin with.
    if (same === undefined || record.type === RRTYPE.SOA) byType.set(record.type, [record]);
    else same.push(record);
  }
  return [...byType].map(([type, all]) => makeRrset(type, withoutDuplicates(type, all)));
}

/** RFC 2181 section 5: a record stands once in its set. */
function withoutDuplicates(type: number, records: readonly KeptRecord[]): readonly KeptRecord[] {
  if (records.length === 1) return records;
  if (records.length > SMALL_RRSET) {
    const seen = new Map<string, KeptRecord>();
    for (const record of records) {
      const text = Buffer.from(dataOf(record)).toString('latin1');
      if (!seen.has(text)) seen.set(text, record);
    }
    return [...seen.values()];
  }
  const kept: KeptRecord[] = [];
  for (const record of records) {
    if (!kept.some((other) => equalRdata(type, dataOf(other), dataOf(record)))) kept.push(record);
  }
  return kept;
}

function dataOf({ bytes, at, length }: KeptRecord): Uint8Array {
  return bytes.subarray(at, at + length);
}

/** The records of a set have one TTL, the lowest (RFC 2181 section 5.2); signatures keep their own. */
function makeRrset(type: number, records: readonly KeptRecord[]): RrsetData {
  const isAddress = type === RRTYPE.A || type === RRTYPE.AAAA;
  const isSignature = type === RRTYPE.RRSIG;
  const perRecord = isAddress ? 0 : isSignature ? 6 : 2;
  let length = isSignature ? 0 : 4;
  let ttlSeconds = Number.POSITIVE_INFINITY;
  for (const record of records) {
    length += perRecord + record.length;
    ttlSeconds = Math.min(ttlSeconds, record.ttlSeconds);
  }
  if (records.length > MAX_RECORDS || length > MAX_RRSET_BYTES) {
    throw new RangeError(`${records.length} ${formatType(type)} records at one name are too many`);
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  const putLong = (value: number): void => {
    bytes[at++] = value >>> 24;
    bytes[at++] = value >>> 16;
    bytes[at++] = value >>> 8;
    bytes[at++] = value;
  };
  if (!isSignature) putLong(ttlSeconds);
  for (const record of records) {
    if (isSignature) putLong(record.ttlSeconds);
    if (!isAddress) {
      bytes[at++] = record.length >>> 8;
      bytes[at++] = record.length;
    }
    for (let i = 0; i < record.length; i++) bytes[at++] = record.bytes[record.at + i]!;
  }
  const form = isAddress ? RRSET_FORM.ZONE_ADDRESSES : isSignature ? RRSET_FORM.ZONE_SIGNATURES : RRSET_FORM.ZONE_RDATA;
  return { type, count: records.length, form, bytes };
}
