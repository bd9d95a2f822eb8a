// What a zone of master-file records says about a name: the algorithm of RFC 1034 section 4.3.2 with the wildcards of
// RFC 4592, over entries whose flags the source has worked out beforehand. Worker; allocation-free.
import { LOWER } from '../wire/name.ts';
import { relativeNameHash } from './name-hash.ts';
import type { StoreReader } from './reader.ts';
import { NAME_FLAG, ZONE_WORD } from './rrset-form.ts';

/**
 * NAME: the name itself. WILDCARD: it does not exist, `entry` is the wildcard it is answered from. CUT, DNAME: the name
 * is at or below a zone cut, or below a DNAME, that `entry` stands for. NONE: it does not exist.
 */
export const FOUND = { NAME: 0, WILDCARD: 1, CUT: 2, DNAME: 3, NONE: 4 } as const;
export type Found = (typeof FOUND)[keyof typeof FOUND];

/** A name in wire form, lower case, and where its labels start; `Query` is one. */
export interface LabelledName {
  readonly name: Uint8Array;
  /** Entry `labelCount` is the root label's. */
  readonly labelAt: Uint8Array;
  readonly labelCount: number;
}

const ASTERISK = 0x2a;
const LONGEST_NAME = 256;

/** One version of one zone, and the last name looked up in it. Made once per handler and reused. */
export class ZoneLookup {
  readonly #store: StoreReader;
  readonly #wildcard = new Uint8Array(LONGEST_NAME);
  /** Tree of the version in use. */
  tree = 0;
  /** Handle of the zone's apex. */
  apex = 0;
  /** `ZONE_FLAG` bits. */
  flags = 0;
  /** Number of the version. */
  version = 0;
  #depth = 0;
  /** What was found; 0 for `FOUND.NONE`. */
  entry = 0;
  /** Index of the first label of `entry` in the name, of the closest encloser for WILDCARD and NONE. */
  label = 0;
  /** Handle of the closest encloser for WILDCARD and NONE. */
  encloser = 0;

  constructor(store: StoreReader) {
    this.#store = store;
  }

  /**
   * Takes the version of a zone that its directory names now. It holds until the reader's batch ends.
   * @param rrset handle of a ZONE rrset, as `findZone` returns it
   */
  open(rrset: number): void {
    const { words } = this.#store;
    const at = this.#store.bytesAt(rrset) >>> 2;
    this.tree = words[at + ZONE_WORD.TREE]!;
    this.apex = words[at + ZONE_WORD.APEX]!;
    this.flags = words[at + ZONE_WORD.FLAGS]!;
    this.#depth = words[at + ZONE_WORD.DEPTH]!;
    this.version = words[at + ZONE_WORD.VERSION]!;
  }

  /**
   * Looks up a name in the open zone.
   *
   * @param zoneLabel index of the zone's first label in the name
   * @param hash hash of the name's bytes before that label, salted with `tree`
   */
  run(name: LabelledName, zoneLabel: number, hash: number): Found {
    const store = this.#store;
    this.label = 0;
    if (zoneLabel === 0) {
      this.entry = this.apex;
      return FOUND.NAME;
    }
    const length = name.labelAt[zoneLabel]!;
    if (zoneLabel <= this.#depth) {
      const entry = store.find(this.tree, name.name, 0, length, hash);
      if (entry !== 0) {
        const flags = store.flags(entry);
        if ((flags & (NAME_FLAG.CUT | NAME_FLAG.OCCLUDED | NAME_FLAG.HASHED)) === 0) {
          this.entry = entry;
          return FOUND.NAME;
        }
        if ((flags & NAME_FLAG.OCCLUDED) !== 0) return this.#findOccluder(name, zoneLabel);
        if ((flags & NAME_FLAG.CUT) !== 0) {
          this.entry = entry;
          return FOUND.CUT;
        }
      }
    }
    return this.#findEncloser(name, zoneLabel);
  }

  /** Handle of the entry at the last labels of the name, from `label` on; 0 for none. */
  findFrom(name: LabelledName, label: number, zoneLabel: number): number {
    if (label === zoneLabel) return this.apex;
    const at = name.labelAt[label]!;
    const length = name.labelAt[zoneLabel]! - at;
    return this.#store.find(this.tree, name.name, at, length, relativeNameHash(this.tree, name.name, at, length));
  }

  /** Handle of the entry of a relative name, 0 for none. */
  find(name: Uint8Array, at: number, length: number): number {
    if (length === 0) return this.apex;
    return this.#store.find(this.tree, name, at, length, relativeNameHash(this.tree, name, at, length));
  }

  /** The highest cut or DNAME above a name that is in the tree but not in the zone. */
  #findOccluder(name: LabelledName, zoneLabel: number): Found {
    for (let label = zoneLabel; label > 0; label--) {
      const entry = this.findFrom(name, label, zoneLabel);
      if (entry === 0) continue;
      const found = this.#occluderAt(entry, label, zoneLabel);
      if (found !== FOUND.NONE) return found;
    }
    // Not reached: the source marks a name as occluded only below one of the two.
    this.entry = 0;
    return FOUND.NONE;
  }

  #occluderAt(entry: number, label: number, zoneLabel: number): Found {
    const flags = this.#store.flags(entry);
    if ((flags & (NAME_FLAG.CUT | NAME_FLAG.DNAME)) === 0) return FOUND.NONE;
    this.entry = entry;
    this.label = label;
    return (flags & NAME_FLAG.CUT) !== 0 && label !== zoneLabel ? FOUND.CUT : FOUND.DNAME;
  }

  /** The name is not there: finds the closest encloser (RFC 4592 section 3.3.1) and what it says. */
  #findEncloser(name: LabelledName, zoneLabel: number): Found {
    let label = Math.max(1, zoneLabel - this.#depth);
    let entry = 0;
    for (; label < zoneLabel; label++) {
      entry = this.findFrom(name, label, zoneLabel);
      if (entry !== 0 && (this.#store.flags(entry) & NAME_FLAG.HASHED) === 0) break;
      entry = 0;
    }
    if (entry === 0) entry = this.apex;
    const flags = this.#store.flags(entry);
    this.label = label;
    this.encloser = entry;
    if ((flags & NAME_FLAG.OCCLUDED) !== 0) return this.#findOccluder(name, zoneLabel);
    const found = this.#occluderAt(entry, label, zoneLabel);
    if (found !== FOUND.NONE) return found;
    this.entry = 0;
    if ((flags & NAME_FLAG.WILDCARD_BELOW) === 0) return FOUND.NONE;
    this.entry = this.#findWildcard(name, label, zoneLabel);
    return this.entry === 0 ? FOUND.NONE : FOUND.WILDCARD;
  }

  #findWildcard(name: LabelledName, encloserLabel: number, zoneLabel: number): number {
    const wildcard = this.#wildcard;
    wildcard[0] = 1;
    wildcard[1] = ASTERISK;
    let length = 2;
    const end = name.labelAt[zoneLabel]!;
    for (let at = name.labelAt[encloserLabel]!; at < end; at++) wildcard[length++] = name.name[at]!;
    return this.find(wildcard, 0, length);
  }
}

/** A name kept beside the query: the target of an alias. Reused; at most 255 bytes in lower case. */
export class ScratchName implements LabelledName {
  readonly name: Uint8Array = new Uint8Array(LONGEST_NAME);
  readonly labelAt: Uint8Array = new Uint8Array(130);
  readonly #bytes = new Uint8Array(LONGEST_NAME);
  labelCount = 0;
  length = 1;

  /** Takes over the uncompressed name at `bytes[at]`, in lower case. */
  set(bytes: Uint8Array, at: number): void {
    let to = 0;
    let labels = 0;
    for (let length = bytes[at]!; ; length = bytes[at]!) {
      this.labelAt[labels] = to;
      this.name[to++] = length;
      at++;
      if (length === 0) break;
      labels++;
      for (const end = at + length; at < end; at++) this.name[to++] = LOWER[bytes[at]!]!;
    }
    this.labelCount = labels;
    this.length = to;
  }

  /** Takes over the full name of an entry: its relative name, then the last labels of `zone` from `zoneLabel` on. */
  setEntry(store: StoreReader, entry: number, zone: LabelledName, zoneLabel: number): void {
    const bytes = this.#bytes;
    const nameAt = store.nameAt(entry);
    const length = store.nameLength(entry);
    for (let i = 0; i < length; i++) bytes[i] = store.bytes[nameAt + i]!;
    const zoneAt = zone.labelAt[zoneLabel]!;
    const zoneLength = zone.labelAt[zone.labelCount]! + 1 - zoneAt;
    for (let i = 0; i < zoneLength; i++) bytes[length + i] = zone.name[zoneAt + i]!;
    this.set(bytes, 0);
  }

  /** Index of the first label of `zone` (wire form, lower case) when the name is in it, else -1. */
  labelOf(zone: Uint8Array, zoneAt: number, zoneLength: number): number {
    const start = this.length - zoneLength;
    if (start < 0) return -1;
    for (let i = 0; i < zoneLength; i++) if (this.name[start + i] !== zone[zoneAt + i]) return -1;
    for (let label = this.labelCount; label >= 0; label--) {
      if (this.labelAt[label] === start) return label;
      if (this.labelAt[label]! < start) return -1;
    }
    return -1;
  }
}
