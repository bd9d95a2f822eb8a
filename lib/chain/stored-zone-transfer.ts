// A zone of master-file records handed out whole, in canonical order, over as many messages as it takes. Worker.
import type { StoreReader } from '../store/reader.ts';
import { RRSET_FORM, ZONE_FLAG, ZONE_ORDER_TYPE } from '../store/rrset-form.ts';
import { findZone } from '../store/zone-directory.ts';
import { ScratchName, ZoneLookup } from '../store/zone-lookup.ts';
import { SECTION } from '../wire/record-index.ts';
import { RRTYPE } from '../wire/types.ts';
import type { Answer } from './answer.ts';
import type { Query } from './query.ts';
import { ZoneRecords } from './zone-records.ts';
import { TRANSFER, type TransferState, type ZoneTransfer } from './zone-transfer.ts';

/** Where the walk is: the first SOA, the apex's other records, the names below it, the last SOA, past it. */
const STAGE = { FIRST_SOA: 0, APEX: 1, NAMES: 2, LAST_SOA: 3, END: 4 } as const;

/**
 * Opens the zone whose apex is the query's name. Inside a batch of the store.
 *
 * @param directory tree that says where the zone is
 * @returns undefined when the directory has no such zone or it has expired
 */
export function openZoneTransfer(store: StoreReader, directory: number, query: Query): ZoneTransfer | undefined {
  if (findZone(store, directory, query, 0) === 0) return undefined;
  const transfer = new StoredZoneTransfer(store, directory, query);
  return transfer.isExpired ? undefined : transfer;
}

class StoredZoneTransfer implements ZoneTransfer {
  readonly #store: StoreReader;
  readonly #directory: number;
  readonly #lookup: ZoneLookup;
  readonly #records: ZoneRecords;
  readonly #zone = new ScratchName();
  readonly #owner = new ScratchName();
  readonly #version: number;
  readonly serial: number;
  readonly isExpired: boolean;
  records = 0;
  #stage: number = STAGE.FIRST_SOA;
  /** Index of the next name in canonical order. */
  #next = 0;
  /** Name under way, its rrset under way, and the record of that to be sent next. */
  #entry = 0;
  #rrset = 0;
  #rrsetsLeft = 0;
  #recordsLeft = 0;
  #at = 0;

  constructor(store: StoreReader, directory: number, query: Query) {
    this.#store = store;
    this.#directory = directory;
    this.#zone.set(query.name, 0);
    this.#lookup = new ZoneLookup(store);
    this.#records = new ZoneRecords(store, this.#lookup);
    this.#lookup.open(findZone(store, directory, this.#zone, 0));
    this.#version = this.#lookup.version;
    this.serial = store.serial(this.#lookup.tree);
    this.isExpired = (this.#lookup.flags & ZONE_FLAG.EXPIRED) !== 0;
  }

  addSoa(answer: Answer): void {
    if (this.#isCurrent()) this.#addSoa(answer);
  }

  addRecords(answer: Answer, limitBytes: number): TransferState {
    // Another version may have come since the last message, and the tree of this one may be gone.
    if (!this.#isCurrent()) return TRANSFER.BROKEN;
    while (this.#stage !== STAGE.END) {
      if (answer.length > limitBytes) return TRANSFER.MORE;
      switch (this.#stage) {
        case STAGE.FIRST_SOA:
          this.#addSoa(answer);
          this.#begin(this.#lookup.apex);
          this.#stage = STAGE.APEX;
          break;
        case STAGE.LAST_SOA:
          this.#addSoa(answer);
          this.#stage = STAGE.END;
          break;
        default:
          if (!this.#addNext(answer)) this.#advance();
      }
    }
    return TRANSFER.DONE;
  }

  #isCurrent(): boolean {
    const zone = findZone(this.#store, this.#directory, this.#zone, 0);
    if (zone === 0) return false;
    this.#lookup.open(zone);
    return this.#lookup.version === this.#version && (this.#lookup.flags & ZONE_FLAG.EXPIRED) === 0;
  }

  #addSoa(answer: Answer): void {
    const rrset = this.#store.findRrset(this.#lookup.apex, RRTYPE.SOA);
    this.#records.addRrset(answer, SECTION.ANSWER, rrset, -1, this.#zone, 0);
    this.records++;
  }

  #begin(entry: number): void {
    this.#entry = entry;
    this.#rrset = this.#store.firstRrset(entry);
    this.#rrsetsLeft = this.#store.rrsetCount(entry);
    this.#recordsLeft = -1;
    this.#owner.setEntry(this.#store, entry, this.#zone, 0);
  }

  /** To the next name; the apex is followed by the first in order. */
  #advance(): void {
    const store = this.#store;
    const order = store.findRrset(this.#lookup.apex, ZONE_ORDER_TYPE);
    this.#stage = STAGE.NAMES;
    if (order === 0 || this.#next === store.byteLength(order) >>> 2) this.#stage = STAGE.LAST_SOA;
    else this.#begin(store.words[(store.bytesAt(order) >>> 2) + this.#next++]!);
  }

  /** Adds one record of the name under way. @returns false when it has no more */
  #addNext(answer: Answer): boolean {
    const store = this.#store;
    for (; this.#rrsetsLeft > 0; this.#rrsetsLeft--, this.#rrset = store.nextRrset(this.#rrset)) {
      const type = store.rrsetType(this.#rrset);
      const isSkipped = type === ZONE_ORDER_TYPE || (type === RRTYPE.SOA && this.#entry === this.#lookup.apex);
      if (isSkipped) continue;
      if (this.#recordsLeft === -1) {
        this.#recordsLeft = store.recordCount(this.#rrset);
        this.#at = store.bytesAt(this.#rrset) + (store.form(this.#rrset) === RRSET_FORM.ZONE_SIGNATURES ? 0 : 4);
      }
      if (this.#recordsLeft > 0) {
        this.#addRecord(answer, type);
        return true;
      }
      this.#recordsLeft = -1;
    }
    return false;
  }

  #addRecord(answer: Answer, type: number): void {
    const store = this.#store;
    const { bytes } = store;
    const form = store.form(this.#rrset);
    const hasOwnTtl = form === RRSET_FORM.ZONE_SIGNATURES;
    const ttlSeconds = readLong(bytes, hasOwnTtl ? this.#at : store.bytesAt(this.#rrset));
    let at = this.#at + (hasOwnTtl ? 4 : 0);
    let length = type === RRTYPE.A ? 4 : 16;
    if (form !== RRSET_FORM.ZONE_ADDRESSES) {
      length = (bytes[at]! << 8) | bytes[at + 1]!;
      at += 2;
    }
    this.#records.addRecord(answer, SECTION.ANSWER, type, ttlSeconds, at, length, -1, this.#owner, 0);
    this.#at = at + length;
    this.#recordsLeft--;
    this.records++;
  }
}

function readLong(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}
