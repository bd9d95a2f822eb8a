// Writes the records of a zone of master-file records into an answer: rrsets, their signatures, addresses of targets. Worker.
import type { StoreReader } from '../store/reader.ts';
import { RRSET_FORM } from '../store/rrset-form.ts';
import { type LabelledName, ScratchName, type ZoneLookup } from '../store/zone-lookup.ts';
import { readName } from '../wire/name.ts';
import { LAYOUT } from '../wire/rdata/codec.ts';
import { findLayout } from '../wire/rdata/registry.ts';
import { SECTION, type Section } from '../wire/record-index.ts';
import { CLASS, RRTYPE } from '../wire/types.ts';
import type { Answer } from './answer.ts';

/** Offset of the question's name in every message. */
export const QUESTION_AT = 12;
const MAX_POINTER = 0x3fff;
/** Bytes a record takes besides its data, at most: owner, fixed part. */
const RECORD_OVERHEAD = 270;
/** Targets whose addresses are told apart within one answer; further ones may repeat. */
const MAX_TARGETS = 64;
const LONGEST_NAME = 256;
/** Any bytes will do. */
const NO_LAYOUT = new Uint8Array(0);

export class ZoneRecords {
  readonly #store: StoreReader;
  readonly #lookup: ZoneLookup;
  readonly #target = new ScratchName();
  readonly #name = new Uint8Array(LONGEST_NAME);
  readonly #added = new Int32Array(MAX_TARGETS);

  constructor(store: StoreReader, lookup: ZoneLookup) {
    this.#store = store;
    this.#lookup = lookup;
  }

  /**
   * Adds all records of an rrset.
   * @param ownerAt offset in the message of a name equal to the owner; -1: the owner is `name` from label `label` on
   */
  addRrset(answer: Answer, section: Section, rrset: number, ownerAt: number, name: LabelledName, label: number): void {
    const store = this.#store;
    const type = store.rrsetType(rrset);
    const start = store.bytesAt(rrset);
    switch (store.form(rrset)) {
      case RRSET_FORM.ZONE_ADDRESSES:
        this.#addAddresses(answer, section, rrset, ownerAt, name, label);
        return;
      case RRSET_FORM.ZONE_SIGNATURES:
        this.#addSignatures(answer, section, rrset, -1, ownerAt, name, label);
        return;
      default: {
        const ttlSeconds = readLong(store.bytes, start);
        let at = start + 4;
        for (let left = store.recordCount(rrset); left > 0; left--) {
          const length = readShort(store.bytes, at);
          if (!this.addRecord(answer, section, type, ttlSeconds, at + 2, length, ownerAt, name, label)) return;
          at += 2 + length;
        }
      }
    }
  }

  /** Adds the signatures that cover `type` at `entry`; owner as in `addRrset`. */
  addSignaturesOf(
    answer: Answer,
    section: Section,
    entry: number,
    type: number,
    ownerAt: number,
    name: LabelledName,
    label: number,
  ): void {
    const rrset = this.#store.findRrset(entry, RRTYPE.RRSIG);
    if (rrset !== 0) this.#addSignatures(answer, section, rrset, type, ownerAt, name, label);
  }

  #addSignatures(
    answer: Answer,
    section: Section,
    rrset: number,
    covered: number,
    ownerAt: number,
    name: LabelledName,
    label: number,
  ): void {
    const { bytes } = this.#store;
    let at = this.#store.bytesAt(rrset);
    for (let left = this.#store.recordCount(rrset); left > 0; left--) {
      const length = readShort(bytes, at + 4);
      const isWanted = covered === -1 || readShort(bytes, at + 6) === covered;
      const ttlSeconds = readLong(bytes, at);
      if (
        isWanted &&
        !this.addRecord(answer, section, RRTYPE.RRSIG, ttlSeconds, at + 6, length, ownerAt, name, label)
      ) {
        return;
      }
      at += 6 + length;
    }
  }

  #addAddresses(
    answer: Answer,
    section: Section,
    rrset: number,
    ownerAt: number,
    name: LabelledName,
    label: number,
  ): void {
    const store = this.#store;
    const size = store.rrsetType(rrset) === RRTYPE.A ? 4 : 16;
    const count = store.recordCount(rrset);
    let at = store.bytesAt(rrset);
    const ttlSeconds = readLong(store.bytes, at);
    at += 4;
    if (ownerAt === QUESTION_AT && section === SECTION.ANSWER) {
      answer.addAddresses(ttlSeconds, size, store.bytes, at, count);
      return;
    }
    const type = store.rrsetType(rrset);
    for (let left = count; left > 0; left--, at += size) {
      if (!this.addRecord(answer, section, type, ttlSeconds, at, size, ownerAt, name, label)) return;
    }
  }

  /** Adds one record whose data is `length` bytes of the store at `at`; owner as in `addRrset`. @returns false without room */
  addRecord(
    answer: Answer,
    section: Section,
    type: number,
    ttlSeconds: number,
    at: number,
    length: number,
    ownerAt: number,
    name: LabelledName,
    label: number,
  ): boolean {
    if (!answer.reserve(RECORD_OVERHEAD + length)) return false;
    if (ownerAt !== -1 && ownerAt <= MAX_POINTER) answer.beginRecordAt(section, ownerAt, type, ttlSeconds);
    else answer.beginRecord(section, name.name, name.labelAt[label]!, type, ttlSeconds);
    this.#putRdata(answer, type, at, length);
    answer.endRecord();
    return true;
  }

  #putRdata(answer: Answer, type: number, at: number, length: number): void {
    const { bytes } = this.#store;
    const end = at + length;
    const layout = findLayout(type, CLASS.IN) ?? NO_LAYOUT;
    for (let i = 0; i < layout.length; i++) {
      const step = layout[i]!;
      if (step === LAYOUT.COMPRESSIBLE_NAME) {
        answer.writeName(bytes, at);
        at = skipName(bytes, at);
      } else if (step === LAYOUT.NAME) {
        answer.writePlainName(bytes, at);
        at = skipName(bytes, at);
      } else if (step > LAYOUT.STRING) {
        break;
      } else {
        const size = step === LAYOUT.STRING ? bytes[at]! + 1 : step;
        answer.putBytes(bytes, at, size);
        at += size;
      }
    }
    answer.putBytes(bytes, at, end - at);
  }

  /**
   * Adds the addresses that the zone has for the targets of a section's records of one type, each target once.
   *
   * @param offset where the target stands in the record's data
   * @param below only targets at or below this name, from label `belowLabel` on
   * @param zoneLabel where the zone starts in `below`
   */
  addTargetAddresses(
    answer: Answer,
    from: Section,
    type: number,
    offset: number,
    below: LabelledName,
    belowLabel: number,
    zoneLabel: number,
    withSignatures: boolean,
  ): void {
    const { records } = answer;
    const first = from === SECTION.ANSWER ? 0 : records.counts[SECTION.ANSWER]!;
    const end = first + records.counts[from]!;
    const target = this.#target;
    const nameEnd = below.labelAt[below.labelCount]! + 1;
    const belowAt = below.labelAt[belowLabel]!;
    const zoneLength = nameEnd - below.labelAt[zoneLabel]!;
    let added = 0;
    for (let i = first; i < end; i++) {
      if (records.type(i) !== type) continue;
      const at = records.rdataAt(i) + offset;
      if (readName(answer.bytes, answer.base, at, answer.length, this.#name) === -1) continue;
      target.set(this.#name, 0);
      if (target.labelOf(below.name, belowAt, nameEnd - belowAt) === -1) continue;
      const entry = this.#lookup.find(target.name, 0, target.length - zoneLength);
      if (entry === 0 || this.#isAdded(entry, added)) continue;
      if (added < MAX_TARGETS) this.#added[added++] = entry;
      this.#addAddressesOf(answer, entry, RRTYPE.A, at, withSignatures);
      this.#addAddressesOf(answer, entry, RRTYPE.AAAA, at, withSignatures);
    }
  }

  #isAdded(entry: number, added: number): boolean {
    for (let i = 0; i < added; i++) if (this.#added[i] === entry) return true;
    return false;
  }

  #addAddressesOf(answer: Answer, entry: number, type: number, ownerAt: number, withSignatures: boolean): void {
    const rrset = this.#store.findRrset(entry, type);
    if (rrset === 0) return;
    this.addRrset(answer, SECTION.ADDITIONAL, rrset, ownerAt, this.#target, 0);
    if (withSignatures) this.addSignaturesOf(answer, SECTION.ADDITIONAL, entry, type, ownerAt, this.#target, 0);
  }
}

function skipName(bytes: Uint8Array, at: number): number {
  for (let length = bytes[at]!; length !== 0; length = bytes[at]!) at += length + 1;
  return at + 1;
}

function readShort(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

/** Big-endian, 0 to 2^32 - 1. */
function readLong(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}
