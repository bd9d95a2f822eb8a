// Proof that a name or type does not exist in a signed zone: the stored NSEC records that cover it (RFC 4035 section 3.1.3).
// Worker; only for clients that set DO.
import type { StoreReader } from '../store/reader.ts';
import { NAME_FLAG, ZONE_FLAG, ZONE_ORDER_TYPE } from '../store/rrset-form.ts';
import { type LabelledName, ScratchName, type ZoneLookup } from '../store/zone-lookup.ts';
import { RRTYPE } from '../wire/types.ts';
import type { Answer } from './answer.ts';
import { ZoneHashedDenial } from './zone-hashed-denial.ts';
import { ZoneProofs } from './zone-proofs.ts';
import type { ZoneRecords } from './zone-records.ts';

const MAX_LABELS = 128;

/**
 * In all methods `name` is what was looked up last, and the zone starts at its label `zoneLabel`. A zone with NSEC3 records is
 * proved by those, one without either by nothing.
 */
export class ZoneDenial {
  readonly #store: StoreReader;
  readonly #lookup: ZoneLookup;
  readonly #proofs: ZoneProofs;
  readonly #hashed: ZoneHashedDenial;
  readonly #owner = new ScratchName();
  readonly #wildcard = new ScratchName();
  readonly #starts = new Int32Array(MAX_LABELS);

  constructor(store: StoreReader, lookup: ZoneLookup, records: ZoneRecords) {
    this.#store = store;
    this.#lookup = lookup;
    this.#proofs = new ZoneProofs(store, records);
    this.#hashed = new ZoneHashedDenial(store, lookup, this.#proofs);
  }

  /** Before the first proof of an answer. */
  begin(): void {
    this.#proofs.begin();
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
      this.#proofs.add(answer, entry, RRTYPE.NSEC, name, zoneLabel);
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
    const wildcard = this.#proofs.wildcardBelow(name, encloserLabel);
    if (wildcard === undefined) return;
    this.#wildcard.set(wildcard, 0);
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

  #addCovering(answer: Answer, name: LabelledName, zone: LabelledName, zoneLabel: number): void {
    const entry = this.#findBefore(name, name.labelCount - (zone.labelCount - zoneLabel));
    this.#proofs.add(answer, entry, RRTYPE.NSEC, zone, zoneLabel);
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
