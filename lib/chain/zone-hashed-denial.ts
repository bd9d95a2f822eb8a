// Proof by hashed names that a name or type does not exist: the stored NSEC3 records that match or cover it (RFC 5155 section
// 7.2). Worker; only for clients that set DO.
import { hash } from 'node:crypto';
import type { StoreReader } from '../store/reader.ts';
import { HASHED_ORDER_TYPE } from '../store/rrset-form.ts';
import { type LabelledName, ScratchName, type ZoneLookup } from '../store/zone-lookup.ts';
import { RRTYPE } from '../wire/types.ts';
import type { Answer } from './answer.ts';
import type { ZoneProofs } from './zone-proofs.ts';

const SHA1 = 1;
const HASH_LENGTH = 20;
/** Base 32 digits of a hash. */
const LABEL_LENGTH = 32;
const DIGITS = Buffer.from('0123456789abcdefghijklmnopqrstuv', 'latin1');
/** Zones that ask for more work per name get no proofs: validators take them for unsigned (RFC 9276 section 3.2). */
const MAX_ITERATIONS = 150;

/** In all methods the zone starts at label `zoneLabel` of `name`. */
export class ZoneHashedDenial {
  readonly #store: StoreReader;
  readonly #lookup: ZoneLookup;
  readonly #proofs: ZoneProofs;
  readonly #owner = new ScratchName();
  /** Owner of the NSEC3 record of a name, relative to the zone: one label. */
  readonly #label = new Uint8Array(1 + LABEL_LENGTH).fill(LABEL_LENGTH, 0, 1);
  #iterations = 0;
  #salt: Uint8Array = new Uint8Array(0);

  constructor(store: StoreReader, lookup: ZoneLookup, proofs: ZoneProofs) {
    this.#store = store;
    this.#lookup = lookup;
    this.#proofs = proofs;
  }

  /**
   * The name of `entry` has no records of the type (sections 7.2.3 to 7.2.5, 7.2.7).
   * @param label where the denied name starts in `name`
   * @param encloserLabel where the closest encloser starts in `name` when `entry` is a wildcard, else -1
   */
  addNoType(
    answer: Answer,
    entry: number,
    name: LabelledName,
    label: number,
    zoneLabel: number,
    encloserLabel: number,
  ): void {
    if (!this.#readParameters()) return;
    this.#owner.setEntry(this.#store, entry, name, zoneLabel);
    const match = this.#findMatch(this.#owner.name, 0, this.#owner.length);
    if (encloserLabel !== -1) this.#addEncloser(answer, name, zoneLabel, encloserLabel);
    // A cut without a record of its own is in a span that opts out.
    if (match === 0 && encloserLabel === -1) this.#addEncloser(answer, name, zoneLabel, label);
    this.#addAt(answer, match, name, zoneLabel);
  }

  /** Neither the name nor a wildcard for it exists (section 7.2.2). */
  addNoName(answer: Answer, name: LabelledName, zoneLabel: number, encloserLabel: number): void {
    if (!this.#readParameters()) return;
    const label = this.#addEncloser(answer, name, zoneLabel, encloserLabel);
    const wildcard = this.#proofs.wildcardBelow(name, label);
    if (wildcard === undefined) return;
    const length = name.labelAt[name.labelCount]! + 1 - name.labelAt[label]!;
    this.#addAt(answer, this.#findCover(wildcard, 0, length + 2), name, zoneLabel);
  }

  /** No name closer than the wildcard exists (section 7.2.6). */
  addNoCloser(answer: Answer, name: LabelledName, zoneLabel: number, encloserLabel: number): void {
    if (this.#readParameters()) this.#addNextCloser(answer, name, zoneLabel, encloserLabel);
  }

  /**
   * The closest provable encloser from `label` up, and that the name one label longer is not there (section 7.2.1).
   * @returns its label
   */
  #addEncloser(answer: Answer, name: LabelledName, zoneLabel: number, label: number): number {
    const end = name.labelAt[name.labelCount]! + 1;
    for (; label <= zoneLabel; label++) {
      const at = name.labelAt[label]!;
      const match = this.#findMatch(name.name, at, end - at);
      if (match === 0) continue;
      this.#addAt(answer, match, name, zoneLabel);
      break;
    }
    const found = Math.min(label, zoneLabel);
    this.#addNextCloser(answer, name, zoneLabel, found);
    return found;
  }

  #addNextCloser(answer: Answer, name: LabelledName, zoneLabel: number, encloserLabel: number): void {
    if (encloserLabel === 0) return;
    const at = name.labelAt[encloserLabel - 1]!;
    const end = name.labelAt[name.labelCount]! + 1;
    this.#addAt(answer, this.#findCover(name.name, at, end - at), name, zoneLabel);
  }

  #addAt(answer: Answer, entry: number, zone: LabelledName, zoneLabel: number): void {
    if (entry !== 0) this.#proofs.add(answer, entry, RRTYPE.NSEC3, zone, zoneLabel);
  }

  /** Takes hash, iterations and salt from the apex (section 4). @returns false when no proof can be given */
  #readParameters(): boolean {
    const store = this.#store;
    const rrset = store.findRrset(this.#lookup.apex, RRTYPE.NSEC3PARAM);
    if (rrset === 0) return false;
    // TTL and length of the first record stand before its data.
    const at = store.bytesAt(rrset) + 6;
    const { bytes } = store;
    this.#iterations = (bytes[at + 2]! << 8) | bytes[at + 3]!;
    if (bytes[at] !== SHA1 || this.#iterations > MAX_ITERATIONS) return false;
    this.#salt = bytes.slice(at + 5, at + 5 + bytes[at + 4]!);
    return true;
  }

  /** Entry of the NSEC3 record of a name, 0 when it has none. */
  #findMatch(name: Uint8Array, at: number, length: number): number {
    this.#hash(name, at, length);
    const entry = this.#lookup.find(this.#label, 0, this.#label.length);
    return entry !== 0 && this.#store.findRrset(entry, RRTYPE.NSEC3) !== 0 ? entry : 0;
  }

  /** Entry of the NSEC3 record whose hash comes last before that of a name; the last covers what is before the first. */
  #findCover(name: Uint8Array, at: number, length: number): number {
    this.#hash(name, at, length);
    const store = this.#store;
    const order = store.findRrset(this.#lookup.apex, HASHED_ORDER_TYPE);
    if (order === 0) return 0;
    const first = store.bytesAt(order) >>> 2;
    const count = store.byteLength(order) >>> 2;
    let low = 0;
    let high = count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#compare(store.words[first + middle]!) < 0) low = middle + 1;
      else high = middle;
    }
    return store.words[first + (low === 0 ? count : low) - 1]!;
  }

  /** Order of an entry's hash and that in `#label`: digits sort as the bits they stand for. */
  #compare(entry: number): number {
    const nameAt = this.#store.nameAt(entry);
    for (let i = 1; i <= LABEL_LENGTH; i++) {
      const difference = this.#store.bytes[nameAt + i]! - this.#label[i]!;
      if (difference !== 0) return difference;
    }
    return 0;
  }

  /** Puts the hash of a full name (wire form, lower case) into `#label` (section 5). */
  #hash(name: Uint8Array, at: number, length: number): void {
    const salt = this.#salt;
    let digest = hash('sha1', Buffer.concat([name.subarray(at, at + length), salt]), 'buffer');
    for (let i = 0; i < this.#iterations; i++) digest = hash('sha1', Buffer.concat([digest, salt]), 'buffer');
    let to = 1;
    for (let from = 0; from < HASH_LENGTH; from += 5) {
      // 40 bits make eight digits (RFC 4648 section 7).
      const high = (digest[from]! << 12) | (digest[from + 1]! << 4) | (digest[from + 2]! >>> 4);
      const low = ((digest[from + 2]! & 15) << 16) | (digest[from + 3]! << 8) | digest[from + 4]!;
      for (let shift = 15; shift >= 0; shift -= 5) this.#label[to++] = DIGITS[(high >>> shift) & 31]!;
      for (let shift = 15; shift >= 0; shift -= 5) this.#label[to++] = DIGITS[(low >>> shift) & 31]!;
    }
  }
}
