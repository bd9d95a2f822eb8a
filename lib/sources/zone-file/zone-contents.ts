// The records of one zone before they go into the store: kept as bytes, by name, in the order they came. Control thread.
import { equalNames, lowerName } from '../../wire/name.ts';
import type { ResourceRecord } from '../../wire/record.ts';
import { equalRdata, findRdataNames } from '../../wire/rdata/registry.ts';
import { CLASS, formatType, RRTYPE } from '../../wire/types.ts';
import { canonicalKey } from './canonical-key.ts';

const CHUNK_BYTES = 2 ** 20;
const NONE = -1;

/** Names in the data of these types are kept in lower case, as CoreDNS does. */
const LOWERED: ReadonlySet<number> = new Set([
  RRTYPE.NS,
  RRTYPE.SOA,
  RRTYPE.CNAME,
  RRTYPE.MX,
  RRTYPE.SVCB,
  RRTYPE.HTTPS,
]);

/** One record as it is kept: its data is `bytes[at .. at + length)`. */
export type KeptRecord = {
  readonly type: number;
  readonly ttlSeconds: number;
  readonly bytes: Uint8Array;
  readonly at: number;
  readonly length: number;
};

export class ZoneContents {
  /** Wire form, lower case. */
  readonly origin: Uint8Array;
  /** Number of the first and of the last record of each name, by turns. */
  readonly #ends: number[] = [];
  /** Index in `#ends`, by key. */
  readonly #names = new Map<string, number>();
  readonly #next: number[] = [];
  readonly #types: number[] = [];
  readonly #ttls: number[] = [];
  readonly #places: number[] = [];
  readonly #lengths: number[] = [];
  readonly #chunks: Uint8Array[] = [];
  #used = CHUNK_BYTES;
  #removed = 0;
  /** What was left out, and why; the first few. */
  readonly warnings: string[] = [];
  #serial: number | undefined;

  constructor(origin: Uint8Array) {
    this.origin = origin;
  }

  /** Records kept. */
  get recordCount(): number {
    return this.#types.length - this.#removed;
  }

  /** Serial of the SOA, undefined without one. */
  get serial(): number | undefined {
    return this.#serial;
  }

  /** Keys of the names that have records, see canonical-key.ts. */
  keys(): string[] {
    return [...this.#names.keys()];
  }

  /** Adds a record; what cannot be served is left out with a warning. */
  add(record: ResourceRecord): void {
    if (record.class !== CLASS.IN) {
      this.#warn(`${formatType(record.type)} record of another class than IN left out`);
      return;
    }
    // A zone has one SOA, at its apex, whatever name the file gives it; CoreDNS takes any too.
    const isSoa = record.type === RRTYPE.SOA;
    const key = isSoa ? '' : canonicalKey(record.name, this.origin);
    if (key === undefined) {
      this.#warn(`${formatType(record.type)} record of a name outside of the zone left out`);
      return;
    }
    if (isSoa) {
      if (record.name.length !== this.origin.length || !equalNames(record.name, 0, this.origin, 0)) {
        this.#warn("the SOA record has another name than the zone, it is served as the zone's");
      }
      this.#serial = readSerial(record.rdata);
    }
    this.#append(key, record);
  }

  /**
   * Takes a record out, whatever its TTL; the case of letters in names does not count.
   *
   * @returns false when there is none; true for one that `add` would have left out
   */
  remove({ class: recordClass, name, type, rdata }: ResourceRecord): boolean {
    const key = canonicalKey(name, this.origin);
    if (recordClass !== CLASS.IN || key === undefined) return true;
    const ends = this.#names.get(key);
    let before = NONE;
    for (let number = ends === undefined ? NONE : this.#ends[ends]!; number !== NONE; number = this.#next[number]!) {
      if (this.#types[number] === type && equalRdata(type, this.#rdata(number), rdata)) {
        this.#unlink(key, ends!, before, number);
        return true;
      }
      before = number;
    }
    return false;
  }

  #unlink(key: string, ends: number, before: number, number: number): void {
    const after = this.#next[number]!;
    if (before !== NONE) this.#next[before] = after;
    else this.#ends[ends] = after;
    if (after === NONE) this.#ends[ends + 1] = before;
    if (before === NONE && after === NONE) this.#names.delete(key);
    this.#removed++;
  }

  #warn(text: string): void {
    if (this.warnings.length < MAX_WARNINGS && !this.warnings.includes(text)) this.warnings.push(text);
  }

  #append(key: string, { type, ttlSeconds, rdata }: ResourceRecord): void {
    const number = this.#types.length;
    this.#types.push(type);
    this.#ttls.push(ttlSeconds);
    this.#places.push(this.#keep(rdata));
    this.#lengths.push(rdata.length);
    this.#next.push(NONE);
    if (LOWERED.has(type)) {
      const kept = this.#rdata(number);
      for (const { at } of findRdataNames(type, kept)) lowerName(kept, at);
    }
    const ends = this.#names.get(key);
    if (ends === undefined) {
      this.#names.set(key, this.#ends.length);
      this.#ends.push(number, number);
    } else {
      this.#next[this.#ends[ends + 1]!] = number;
      this.#ends[ends + 1] = number;
    }
  }

  /** Copies bytes into a chunk; returns their place. */
  #keep(rdata: Uint8Array): number {
    if (this.#used + rdata.length > CHUNK_BYTES) {
      this.#chunks.push(new Uint8Array(CHUNK_BYTES));
      this.#used = 0;
    }
    const chunk = this.#chunks.at(-1)!;
    for (let i = 0; i < rdata.length; i++) chunk[this.#used + i] = rdata[i]!;
    const place = (this.#chunks.length - 1) * CHUNK_BYTES + this.#used;
    this.#used += rdata.length;
    return place;
  }

  #rdata(number: number): Uint8Array {
    const place = this.#places[number]!;
    const at = place % CHUNK_BYTES;
    return this.#chunks[Math.floor(place / CHUNK_BYTES)]!.subarray(at, at + this.#lengths[number]!);
  }

  /** Records of a name in the order they came; none for a name that has none. */
  records(key: string): KeptRecord[] {
    const list: KeptRecord[] = [];
    const ends = this.#names.get(key);
    for (let number = ends === undefined ? NONE : this.#ends[ends]!; number !== NONE; number = this.#next[number]!) {
      const place = this.#places[number]!;
      list.push({
        type: this.#types[number]!,
        ttlSeconds: this.#ttls[number]!,
        bytes: this.#chunks[Math.floor(place / CHUNK_BYTES)]!,
        at: place % CHUNK_BYTES,
        length: this.#lengths[number]!,
      });
    }
    return list;
  }
}
const MAX_WARNINGS = 5;

/** The serial stands 20 bytes before the end of SOA data (RFC 1035 section 3.3.13). */
function readSerial(rdata: Uint8Array): number {
  return new DataView(rdata.buffer, rdata.byteOffset).getUint32(rdata.length - 20);
}
