// A cluster's zone handed out whole: the transfer parts that every Service keeps in the store (`RRSET_FORM.TRANSFER`), sorted by
// Service. Worker, cold path.
//
// The parts are copied first, in slices between which the worker answers others; a change of the tree meanwhile starts the
// copying anew, and after a few times it is done in one go. What is sent is therefore one version of the zone.
import { ABSOLUTE, RRSET_FORM, TRANSFER_TYPE } from '../store/rrset-form.ts';
import type { StoreReader } from '../store/reader.ts';
import { nameLength } from '../wire/name.ts';
import { SECTION } from '../wire/record-index.ts';
import { RRTYPE } from '../wire/types.ts';
import type { Answer } from './answer.ts';
import { TRANSFER, type TransferState, type ZoneTransfer } from './zone-transfer.ts';

/** Slots of the store's table looked at in one turn; about a millisecond. */
const SLOTS_PER_SLICE = 32_768;
/** Copies begun that a change may void; the next one is not interrupted. */
const MAX_RESTARTS = 3;

/** One record about the zone itself, its name servers among them. */
export type ApexRecord = {
  readonly owner: Uint8Array;
  readonly type: number;
  readonly ttlSeconds: number;
  readonly rdata: (answer: Answer) => void;
};

export type ServiceZone = {
  readonly store: StoreReader;
  readonly tree: number;
  /** Wire form, lower case. */
  readonly origin: Uint8Array;
  readonly ttlSeconds: number;
  readonly soa: (serial: number) => ApexRecord;
  /** NS records and their addresses, as of now. */
  readonly nameServers: () => readonly ApexRecord[];
  /** Which entries count, by their flags. */
  readonly isListed: (flags: number) => boolean;
};

type Part = { readonly name: Uint8Array; readonly sortKey: string; readonly count: number; readonly bytes: Uint8Array };

const STEP = { FIRST_SOA: 0, NAME_SERVERS: 1, SERVICES: 2, LAST_SOA: 3, DONE: 4 } as const;

export class ServiceTransfer implements ZoneTransfer {
  serial: number;
  records = 0;
  readonly #zone: ServiceZone;
  #parts: Part[] = [];
  #nameServers: readonly ApexRecord[] = [];
  #generation = 0;
  #table = 0;
  #nextSlot = 0;
  #restarts = -1;
  #isReady = false;
  #step: number = STEP.FIRST_SOA;
  #part = 0;
  #recordsLeft = 0;
  #at = 0;
  readonly #owner = new Uint8Array(512);
  readonly #target = new Uint8Array(512);

  constructor(zone: ServiceZone) {
    this.#zone = zone;
    this.serial = zone.store.serial(zone.tree);
  }

  prepare(): boolean {
    if (this.#isReady) return true;
    const { store, tree } = this.#zone;
    const isMoved = this.#generation !== store.generation(tree) || this.#table !== store.table;
    if (this.#restarts === -1 || isMoved) this.#restart();
    const slots = this.#restarts >= MAX_RESTARTS ? store.slots : SLOTS_PER_SLICE;
    store.forEach(tree, (entry) => this.#take(entry), this.#nextSlot, this.#nextSlot + slots);
    this.#nextSlot += slots;
    if (this.#nextSlot < store.slots) return false;
    this.#parts.sort((a, b) => (a.sortKey < b.sortKey ? -1 : a.sortKey > b.sortKey ? 1 : 0));
    this.#nameServers = this.#zone.nameServers();
    this.#isReady = true;
    return true;
  }

  #restart(): void {
    const { store, tree } = this.#zone;
    this.#restarts++;
    this.#generation = store.generation(tree);
    this.#table = store.table;
    this.serial = store.serial(tree);
    this.#nextSlot = 0;
    this.#parts = [];
  }

  #take(entry: number): void {
    const { store, isListed } = this.#zone;
    const rrset = store.findRrset(entry, TRANSFER_TYPE);
    if (rrset === 0 || store.form(rrset) !== RRSET_FORM.TRANSFER || !isListed(store.flags(entry))) return;
    const nameAt = store.nameAt(entry);
    const bytesAt = store.bytesAt(rrset);
    const name = store.bytes.slice(nameAt, nameAt + store.nameLength(entry));
    const bytes = store.bytes.slice(bytesAt, bytesAt + store.byteLength(rrset));
    this.#parts.push({ name, sortKey: sortKey(name), count: store.recordCount(rrset), bytes });
  }

  addSoa(answer: Answer): void {
    this.#add(answer, this.#zone.soa(this.serial));
  }

  addRecords(answer: Answer, limitBytes: number): TransferState {
    while (answer.length <= limitBytes) {
      switch (this.#step) {
        case STEP.FIRST_SOA:
          this.addSoa(answer);
          this.#step = STEP.NAME_SERVERS;
          break;
        case STEP.NAME_SERVERS:
          for (const record of this.#nameServers) this.#add(answer, record);
          this.#step = STEP.SERVICES;
          break;
        case STEP.SERVICES:
          if (!this.#addNext(answer)) this.#step = STEP.LAST_SOA;
          break;
        case STEP.LAST_SOA:
          this.addSoa(answer);
          this.#step = STEP.DONE;
          break;
        default:
          return TRANSFER.DONE;
      }
    }
    return this.#step === STEP.DONE ? TRANSFER.DONE : TRANSFER.MORE;
  }

  #add(answer: Answer, { owner, type, ttlSeconds, rdata }: ApexRecord): void {
    if (!answer.beginRecord(SECTION.ANSWER, owner, 0, type, ttlSeconds)) return;
    rdata(answer);
    answer.endRecord();
    this.records++;
  }

  /** Appends one record of a Service; false when there is none left. */
  #addNext(answer: Answer): boolean {
    while (this.#recordsLeft === 0) {
      const next = this.#parts[this.#part++];
      if (!next) return false;
      this.#recordsLeft = next.count;
      this.#at = 0;
    }
    this.#recordsLeft--;
    const part = this.#parts[this.#part - 1]!;
    const { bytes } = part;
    const ownerLength = bytes[this.#at]!;
    const isUsable = this.#expand(this.#owner, part, this.#at + 1, ownerLength);
    this.#at += 1 + ownerLength;
    const type = (bytes[this.#at]! << 8) | bytes[this.#at + 1]!;
    this.#at += 2;
    const rdataAt = this.#at;
    this.#at += rdataLength(bytes, rdataAt, type);
    if (!isUsable || !answer.beginRecord(SECTION.ANSWER, this.#owner, 0, type, this.#zone.ttlSeconds)) return true;
    this.#putRdata(answer, part, type, rdataAt);
    answer.endRecord();
    this.records++;
    return true;
  }

  #putRdata(answer: Answer, part: Part, type: number, at: number): void {
    const { bytes } = part;
    if (type === RRTYPE.CNAME) {
      answer.writeName(bytes, at);
      return;
    }
    if (type !== RRTYPE.SRV) {
      answer.putBytes(bytes, at, type === RRTYPE.A ? 4 : 16);
      return;
    }
    answer.putShort(0);
    answer.putBytes(bytes, at, 4);
    const length = bytes[at + 4]!;
    if (length === ABSOLUTE) answer.writePlainName(bytes, at + 5);
    else {
      this.#expand(this.#target, part, at + 5, length);
      answer.writePlainName(this.#target);
    }
  }

  /** Joins labels, the part's name and the zone; false when that is longer than a name may be. */
  #expand(into: Uint8Array, part: Part, labelsAt: number, labelsLength: number): boolean {
    const { origin } = this.#zone;
    let to = 0;
    for (let i = 0; i < labelsLength; i++) into[to++] = part.bytes[labelsAt + i]!;
    const length = to + part.name.length + origin.length;
    if (length > 255) {
      into[0] = 0;
      return false;
    }
    into.set(part.name, to);
    into.set(origin, to + part.name.length);
    return true;
  }
}

function rdataLength(bytes: Uint8Array, at: number, type: number): number {
  if (type === RRTYPE.A) return 4;
  if (type === RRTYPE.AAAA) return 16;
  if (type === RRTYPE.CNAME) return nameLength(bytes, at);
  const length = bytes[at + 4]!;
  return 5 + (length === ABSOLUTE ? nameLength(bytes, at + 5) : length);
}

/** Service, then namespace: the first two labels as text. */
function sortKey(name: Uint8Array): string {
  const service = text(name, 0);
  return `${service}\0${text(name, 1 + service.length)}`;
}

function text(name: Uint8Array, at: number): string {
  return at < name.length ? Buffer.from(name.buffer, name.byteOffset + at + 1, name[at]).toString('latin1') : '';
}

/** The SOA record that CoreDNS gives a cluster's zone. */
export function soaRecord(
  origin: Uint8Array,
  mname: Uint8Array,
  rname: Uint8Array,
  ttlSeconds: number,
  minimumSeconds: number,
  serial: number,
): ApexRecord {
  return {
    owner: origin,
    type: RRTYPE.SOA,
    ttlSeconds,
    rdata(answer) {
      answer.writeName(mname);
      answer.writeName(rname);
      for (const value of [serial, 7200, 1800, 86_400, minimumSeconds]) answer.putLong(value);
    },
  };
}
