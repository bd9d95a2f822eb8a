// Proof that a name or type does not exist in a signed zone: the stored NSEC records that cover it (RFC 4035 section 3.1.3).
// Worker; only for clients that set DO.
import type { StoreReader } from '../store/reader.ts';
import { NAME_FLAG, ZONE_FLAG, ZONE_ORDER_TYPE } from '../store/rrset-form.ts';
import { type LabelledName, ScratchName, type ZoneLookup } from '../store/zone-lookup.ts';
import { SECTION } from '../wire/record-index.ts';
import { RRTYPE } from '../wire/types.ts';
import type { Answer } from './answer.ts';
import { ZoneHashedDenial } from './zone-hashed-denial.ts';
import type { ZoneRecords } from './zone-records.ts';

const LONGEST_NAME = 256;
const MAX_LABELS = 128;

/** NSEC records of one answer that are remembered, so that none is sent twice; no denial needs more than four. */
const MAX_PROOFS = 4;

/**
 * In all methods `name` is what was looked up last, and the zone starts at its label `zoneLabel`. A zone with NSEC3 records is
 * proved by those, one without either by nothing.
 */
export class ZoneDenial {
  readonly #store: StoreReader;
  readonly #lookup: ZoneLookup;
  readonly #records: ZoneRecords;
  readonly #hashed: ZoneHashedDenial;
  readonly #owner = new ScratchName();
  readonly #wildcard = new ScratchName();
  readonly #bytes = new Uint8Array(LONGEST_NAME);
  readonly #starts = new Int32Array(MAX_LABELS);
  /** Handles of the names whose NSEC is in the answer. */
  readonly #added = new Int32Array(MAX_PROOFS);
  #count = 0;

  constructor(store: StoreReader, lookup: ZoneLookup, records: ZoneRecords) {
    this.#store = store;
    this.#lookup = lookup;
    this.#records = records;
    this.#hashed = new ZoneHashedDenial(store, lookup, records);
  }

  /** Before the first proof of an answer. */
  begin(): void {
    this.#count = 0;
    this.#hashed.begin();
  }

  /**
   * The name of `entry` has no records of the type: its own NSEC lists those it has (RFC 4035 section 3.1.3.1).
   *
   * @param label where the denied name starts in `name`
   * @param encloserLabel where the closest encloser starts when `entry` is a wildcard, else -1
   */
  addNoType(
    answer: Answer,
    entry: number,
    name: LabelledName,
    label: number,
    zoneLabel: number,
    encloserLabel: number,
  ): void {
    if (this.#isHashed) this.#hashed.addNoType(answer, entry, name, label, zoneLabel, encloserLabel);
    if ((this.#lookup.flags & ZONE_FLAG.NSEC) === 0) return;
    if (this.#store.findRrset(entry, RRTYPE.NSEC) !== 0) {
      this.#addAt(answer, entry, name, zoneLabel);
      return;
    }
    // An empty non-terminal has no NSEC; the one before it spans it.
    this.#owner.setEntry(this.#store, entry, name, zoneLabel);
    this.#addCovering(answer, this.#owner, name, zoneLabel);
  }

  /**
   * Neither the name nor a wildcard for it exists (RFC 4035 section 3.1.3.2).
   * @param encloserLabel where the closest encloser starts in `name`
   */
  addNoName(answer: Answer, name: LabelledName, zoneLabel: number, encloserLabel: number): void {
    if (this.#isHashed) this.#hashed.addNoName(answer, name, zoneLabel, encloserLabel);
    if ((this.#lookup.flags & ZONE_FLAG.NSEC) === 0) return;
    this.#addCovering(answer, name, name, zoneLabel);
    const bytes = this.#bytes;
    bytes[0] = 1;
    bytes[1] = 0x2a;
    const at = name.labelAt[encloserLabel]!;
    const length = name.labelAt[name.labelCount]! + 1 - at;
    if (length + 2 >= LONGEST_NAME) return;
    for (let i = 0; i < length; i++) bytes[2 + i] = name.name[at + i]!;
    this.#wildcard.set(bytes, 0);
    this.#addCovering(answer, this.#wildcard, name, zoneLabel);
  }

  /** No name closer than the wildcard exists (RFC 4035 section 3.1.3.3). */
  addNoCloser(answer: Answer, name: LabelledName, zoneLabel: number, encloserLabel: number): void {
    if (this.#isHashed) this.#hashed.addNoCloser(answer, name, zoneLabel, encloserLabel);
    if ((this.#lookup.flags & ZONE_FLAG.NSEC) !== 0) this.#addCovering(answer, name, name, zoneLabel);
  }

  /** NSEC records win in a zone that is being moved from one to the other. */
  get #isHashed(): boolean {
    return (this.#lookup.flags & (ZONE_FLAG.NSEC | ZONE_FLAG.NSEC3)) === ZONE_FLAG.NSEC3;
  }

  #addAt(answer: Answer, entry: number, zone: LabelledName, zoneLabel: number): void {
    for (let i = 0; i < this.#count; i++) if (this.#added[i] === entry) return;
    const rrset = this.#store.findRrset(entry, RRTYPE.NSEC);
    if (rrset === 0) return;
    if (this.#count < MAX_PROOFS) this.#added[this.#count++] = entry;
    this.#owner.setEntry(this.#store, entry, zone, zoneLabel);
    this.#records.addRrset(answer, SECTION.AUTHORITY, rrset, -1, this.#owner, 0);
    this.#records.addSignaturesOf(answer, SECTION.AUTHORITY, entry, RRTYPE.NSEC, -1, this.#owner, 0);
  }

  #addCovering(answer: Answer, name: LabelledName, zone: LabelledName, zoneLabel: number): void {
    const entry = this.#findBefore(name, name.labelCount - (zone.labelCount - zoneLabel));
    this.#addAt(answer, entry, zone, zoneLabel);
  }

  /** Entry with NSEC that comes last before the name in canonical order (RFC 4034 section 6.1); the apex comes first. */
  #findBefore(name: LabelledName, labels: number): number {
    const store = this.#store;
    const { apex } = this.#lookup;
    const order = store.findRrset(apex, ZONE_ORDER_TYPE);
    if (order === 0) return apex;
    const first = store.bytesAt(order) >>> 2;
    let low = 0;
    let high = store.byteLength(order) >>> 2;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#compare(store.words[first + middle]!, name, labels) <= 0) low = middle + 1;
      else high = middle;
    }
    for (let i = low - 1; i >= 0; i--) {
      const entry = store.words[first + i]!;
      if ((store.flags(entry) & NAME_FLAG.OCCLUDED) === 0 && store.findRrset(entry, RRTYPE.NSEC) !== 0) return entry;
    }
    return apex;
  }

  /** Order of an entry's name and the first `labels` labels of `name`. */
  #compare(entry: number, name: LabelledName, labels: number): number {
    const store = this.#store;
    const { bytes } = store;
    const start = store.nameAt(entry);
    const end = start + store.nameLength(entry);
    let count = 0;
    for (let at = start; at < end; at += bytes[at]! + 1) this.#starts[count++] = at;
    for (let i = 1; i <= count && i <= labels; i++) {
      const order = compareLabels(bytes, this.#starts[count - i]!, name.name, name.labelAt[labels - i]!);
      if (order !== 0) return order;
    }
    return count - labels;
  }
}

/** Bytes as numbers, the shorter of two that begin alike first. */
function compareLabels(left: Uint8Array, leftAt: number, right: Uint8Array, rightAt: number): number {
  const leftLength = left[leftAt]!;
  const rightLength = right[rightAt]!;
  for (let i = 1; i <= leftLength && i <= rightLength; i++) {
    const difference = left[leftAt + i]! - right[rightAt + i]!;
    if (difference !== 0) return difference;
  }
  return leftLength - rightLength;
}
