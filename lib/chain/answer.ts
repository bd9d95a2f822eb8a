// The reply as it is built: wire bytes in their final place plus an index of the records. Worker.
//
// The bytes are those of the transmit slot, so nothing is copied at the end. Names are compressed as they are written:
// pointers into the question, or to names written before. Wrappers change TTLs and addresses in place through `records`;
// what cannot be done in place is done by `rebuild` (lib/chain/rebuild.ts).
import { RecordIndex, SECTION, type Section } from '../wire/record-index.ts';
import { nameLength } from '../wire/name.ts';
import { CLASS, RCODE, RRTYPE } from '../wire/types.ts';
import type { Continuation } from './continuation.ts';
import type { Query } from './query.ts';

/** Largest DNS message over any transport. */
export const MAX_MESSAGE = 65_535;
/** Pointers reach this far (RFC 1035 section 4.1.4). */
const MAX_POINTER = 0x3fff;
const MAX_KNOWN_NAMES = 64;
const FIRST_OWN_BYTES = 1024;
/** Of an answer that waits: the question, and room for most replies. */
const WAITING_BYTES = 256;
const MAX_SPARE_BYTES = 4096;

export class Answer {
  /** The message starts at `bytes[base]`. Taken anew after any call that writes: it may move when it grows. */
  bytes: Uint8Array;
  base = 0;
  /** Bytes written so far; offsets in `records` and `question*` count from `base`. */
  length = 12;
  #capacity: number;
  /** Whether `bytes` is this answer's own buffer, which may grow. */
  #own: boolean;
  /** A buffer of its own that is not in use. */
  #spare: Uint8Array = NO_BYTES;

  readonly records: RecordIndex = new RecordIndex();
  /** Response code; above 15 it needs EDNS. */
  rcode: number = RCODE.NOERROR;
  authoritative = false;
  truncated = false;
  recursionAvailable = false;
  authenticData = false;
  /** Bytes that name compression saved: `length + saved` is the size CoreDNS's metrics and log speak of. */
  saved = 0;
  /** Offset after the question. */
  questionEnd = 12;
  /** Why a FAILED outcome failed, for the `errors` plugin; '' says nothing. */
  error = '';
  /** Extended DNS error to add when the client has EDNS; -1 for none (RFC 8914). */
  ede = -1;
  edeText = '';
  /** EDNS options to send, code/length/data triples; empty for none. */
  options: Uint8Array = NO_BYTES;
  /** Name of the plugin that answered; '' when the server did. */
  plugin = '';
  /** Comes from an own zone, which is true at this moment only: caches pass it on and keep nothing. */
  live = false;
  /** More messages follow this one; undefined for nearly every reply. */
  continuation: Continuation | undefined;

  /** Names written so far that later names may point to. */
  readonly #knownNames = new Uint16Array(MAX_KNOWN_NAMES);
  #knownCount = 0;
  #openTtlAt = 0;
  #openSection: Section = SECTION.ANSWER;
  #openOwnerAt = 0;
  #openType = 0;
  #openSaved = 0;
  /** Whether a part of the open record found no room. */
  #openCut = false;

  /** `ownBytes`: size of a buffer of its own; without it `attach` must be called first. */
  constructor(ownBytes: number = FIRST_OWN_BYTES) {
    this.bytes = ownBytes > 0 ? new Uint8Array(ownBytes) : NO_BYTES;
    this.#capacity = ownBytes;
    this.#own = ownBytes > 0;
  }

  /** Builds into `bytes[base .. base + capacity)` from now on. */
  attach(bytes: Uint8Array, base: number, capacity: number): void {
    // A buffer from an earlier wait is kept for the next one, unless a large reply made it grow.
    if (this.#own && this.bytes.length <= MAX_SPARE_BYTES) this.#spare = this.bytes;
    this.bytes = bytes;
    this.base = base;
    this.#capacity = capacity;
    this.#own = false;
  }

  /** Moves what is there to a buffer of its own: its slot is needed for another query. */
  detach(): void {
    if (this.#own) return;
    if (this.#spare.length < this.length) this.#spare = new Uint8Array(Math.max(WAITING_BYTES, this.length));
    const own = this.#spare;
    for (let i = 0; i < this.length; i++) own[i] = this.bytes[this.base + i]!;
    this.bytes = own;
    this.base = 0;
    this.#capacity = own.length;
    this.#own = true;
  }

  /** Starts a reply to `query`: header space and the question as the client spelled it. */
  begin(query: Query): void {
    this.reset();
    const { packet, packetAt, questionEnd } = query;
    this.length = 12;
    this.reserve(questionEnd - 12);
    const { bytes, base } = this;
    for (let i = 12; i < questionEnd; i++) bytes[base + i] = packet[packetAt + i]!;
    this.length = questionEnd;
    this.questionEnd = questionEnd;
    this.#knownNames[0] = 12;
    this.#knownCount = 1;
  }

  /** Forgets the records to write them anew; the question, codes and flags stay. */
  clearRecords(): void {
    this.records.clear();
    this.saved = 0;
    this.length = this.questionEnd;
    this.#knownCount = 1;
  }

  /** Forgets records, codes and flags; the question stays. */
  reset(): void {
    this.clearRecords();
    this.rcode = RCODE.NOERROR;
    this.authoritative = false;
    this.truncated = false;
    this.recursionAvailable = false;
    this.authenticData = false;
    this.error = '';
    this.plugin = '';
    this.ede = -1;
    this.edeText = '';
    this.options = NO_BYTES;
    this.live = false;
    this.continuation = undefined;
  }

  /** Makes a FAILED outcome's contents: rcode, and a text for the `errors` plugin. */
  fail(rcode: number, error = ''): void {
    this.reset();
    this.rcode = rcode;
    this.error = error;
  }

  /** Makes room for `size` more bytes; false when the message would pass 65,535 bytes (then it is marked truncated). */
  reserve(size: number): boolean {
    const needed = this.length + size;
    if (needed <= this.#capacity) return true;
    if (needed > MAX_MESSAGE) {
      this.truncated = true;
      this.#openCut = true;
      return false;
    }
    const larger = new Uint8Array(Math.min(MAX_MESSAGE, Math.max(needed, this.#capacity * 2)));
    for (let i = 0; i < this.length; i++) larger[i] = this.bytes[this.base + i]!;
    this.bytes = larger;
    this.base = 0;
    this.#capacity = larger.length;
    this.#own = true;
    return true;
  }

  /**
   * Appends `count` address records owned by the question's name, or as many as there is room for; TC says so.
   * @param size 4 (A) or 16 (AAAA)
   * @param from addresses one after the other at `from[at]`
   */
  addAddresses(ttlSeconds: number, size: number, from: Uint8Array, at: number, count: number): void {
    const recordLength = 12 + size;
    const room = Math.floor((MAX_MESSAGE - this.length) / recordLength);
    if (count > room) {
      this.truncated = true;
      count = room;
    }
    this.reserve(count * recordLength);
    const { bytes, base, records } = this;
    const type = size === 4 ? RRTYPE.A : RRTYPE.AAAA;
    let to = base + this.length;
    for (let i = 0; i < count; i++) {
      records.push(SECTION.ANSWER, to - base, type, to - base + 6, size);
      bytes[to++] = 0xc0;
      bytes[to++] = 0x0c;
      to = putFixed(bytes, to, type, ttlSeconds, size);
      for (let k = 0; k < size; k++) bytes[to++] = from[at++]!;
    }
    this.length = to - base;
    this.saved += count * (this.questionEnd - 18);
  }

  /**
   * Appends one address record whose owner stands in the message already.
   * @param ownerAt offset of that name, at most 16383
   * @param ownerLength bytes of the name, for `saved`
   */
  addAddressAt(
    section: Section,
    ownerAt: number,
    ownerLength: number,
    type: number,
    ttlSeconds: number,
    from: Uint8Array,
    at: number,
    size: number,
  ): boolean {
    if (!this.reserve(12 + size)) return false;
    const { bytes, base } = this;
    let to = base + this.length;
    this.records.push(section, this.length, type, this.length + 6, size);
    bytes[to++] = 0xc0 | (ownerAt >>> 8);
    bytes[to++] = ownerAt;
    to = putFixed(bytes, to, type, ttlSeconds, size);
    for (let k = 0; k < size; k++) bytes[to++] = from[at++]!;
    this.length = to - base;
    this.saved += ownerLength - 2;
    return true;
  }

  /**
   * Appends a record made beforehand whose owner is a pointer, so that its TTL stands at byte 6.
   * @param saved bytes that the pointers in it save
   */
  addPrepared(section: Section, type: number, record: Uint8Array, length: number, saved: number): void {
    const start = this.length;
    if (!this.reserve(length)) return;
    this.putBytes(record, 0, length);
    this.records.push(section, start, type, start + 6, length - 12);
    this.saved += saved;
  }

  /**
   * Starts a record; follow with `put*` and `writeName` for the rdata, then `endRecord`.
   * @param ownerAt offset of a name already in the message (12: the question's)
   */
  beginRecordAt(section: Section, ownerAt: number, type: number, ttlSeconds: number): boolean {
    this.#open();
    if (!this.reserve(12)) return false;
    this.putShort(0xc000 | ownerAt);
    this.saved += this.#expandedLength(ownerAt) - 2;
    return this.#beginFixed(section, type, ttlSeconds);
  }

  /** Starts a record whose owner is the wire-form name at `name[at]`, compressed where possible. */
  beginRecord(section: Section, name: Uint8Array, at: number, type: number, ttlSeconds: number): boolean {
    this.#open();
    if (!this.reserve(266)) return false;
    this.writeName(name, at);
    return this.#beginFixed(section, type, ttlSeconds);
  }

  #open(): void {
    this.#openOwnerAt = this.length;
    this.#openSaved = this.saved;
    this.#openCut = false;
  }

  #beginFixed(section: Section, type: number, ttlSeconds: number): boolean {
    this.#openSection = section;
    this.#openType = type;
    this.length = putFixed(this.bytes, this.base + this.length, type, ttlSeconds, 0) - this.base;
    this.#openTtlAt = this.length - 6;
    return true;
  }

  /** Closes the record: sets RDLENGTH and indexes it. One that found no room in whole is taken back; TC says so. */
  endRecord(): void {
    if (this.#openCut) {
      this.length = this.#openOwnerAt;
      this.saved = this.#openSaved;
      return;
    }
    const rdataLength = this.length - this.#openTtlAt - 6;
    this.bytes[this.base + this.#openTtlAt + 4] = rdataLength >>> 8;
    this.bytes[this.base + this.#openTtlAt + 5] = rdataLength & 255;
    this.records.push(this.#openSection, this.#openOwnerAt, this.#openType, this.#openTtlAt, rdataLength);
  }

  putByte(value: number): void {
    if (this.reserve(1)) this.bytes[this.base + this.length++] = value;
  }

  putShort(value: number): void {
    if (!this.reserve(2)) return;
    this.bytes[this.base + this.length++] = value >>> 8;
    this.bytes[this.base + this.length++] = value & 255;
  }

  putLong(value: number): void {
    this.putShort(value >>> 16);
    this.putShort(value & 0xffff);
  }

  putBytes(from: Uint8Array, at: number, length: number): void {
    if (!this.reserve(length)) return;
    const { bytes } = this;
    let to = this.base + this.length;
    for (const end = at + length; at < end; at++) bytes[to++] = from[at]!;
    this.length += length;
  }

  /** Writes a wire-form name, pointing to the longest tail that stands in the message already. */
  writeName(name: Uint8Array, at = 0): void {
    if (!this.reserve(256)) return;
    const start = this.length;
    for (let label = at; name[label] !== 0; label += name[label]! + 1) {
      const target = this.#findName(name, label);
      if (target === -1) continue;
      this.putBytes(name, at, label - at);
      this.putShort(0xc000 | target);
      this.saved += nameLength(name, label) - 2;
      this.#remember(start);
      return;
    }
    this.putBytes(name, at, nameLength(name, at));
    this.#remember(start);
  }

  /** Writes a wire-form name without pointers (SRV targets and newer types, RFC 3597 section 4); returns its offset. */
  writePlainName(name: Uint8Array, at = 0): number {
    const start = this.length;
    this.putBytes(name, at, nameLength(name, at));
    this.#remember(start);
    return start;
  }

  #remember(offset: number): void {
    if (this.#knownCount < MAX_KNOWN_NAMES && offset <= MAX_POINTER) this.#knownNames[this.#knownCount++] = offset;
  }

  /** Offset of a name in the message equal (letter case too) to `name[at..]`, or -1. */
  #findName(name: Uint8Array, at: number): number {
    for (let i = 0; i < this.#knownCount; i++) {
      for (let offset = this.#knownNames[i]!; ; ) {
        const length = this.bytes[this.base + offset]!;
        if (length === 0 || length >= 0xc0) break;
        if (offset <= MAX_POINTER && this.#equalAt(offset, name, at)) return offset;
        offset += length + 1;
      }
    }
    return -1;
  }

  #equalAt(offset: number, name: Uint8Array, at: number): boolean {
    for (;;) {
      let length = this.bytes[this.base + offset]!;
      while (length >= 0xc0) {
        offset = ((length & 0x3f) << 8) | this.bytes[this.base + offset + 1]!;
        length = this.bytes[this.base + offset]!;
      }
      if (length !== name[at]) return false;
      if (length === 0) return true;
      for (let i = 1; i <= length; i++) if (this.bytes[this.base + offset + i] !== name[at + i]) return false;
      offset += length + 1;
      at += length + 1;
    }
  }

  #expandedLength(offset: number): number {
    if (offset === 12) return this.questionEnd - 16;
    let size = 1;
    for (;;) {
      const length = this.bytes[this.base + offset]!;
      if (length === 0) return size;
      if (length >= 0xc0) offset = ((length & 0x3f) << 8) | this.bytes[this.base + offset + 1]!;
      else {
        size += length + 1;
        offset += length + 1;
      }
    }
  }

  /**
   * Takes over the records of a finished message with the same question length, bytes as they are: its pointers stay
   * true because they count from the message's start.
   * @param index records of that message, OPT not among them; the copied range ends with the last of them
   */
  copyBody(from: Uint8Array, base: number, index: RecordIndex, saved: number): boolean {
    this.length = this.questionEnd;
    const end = index.count === 0 ? this.questionEnd : index.endAt(index.count - 1);
    if (!this.reserve(end - this.questionEnd)) return false;
    const { bytes } = this;
    const shift = base - this.base;
    for (let to = this.base + this.questionEnd, stop = this.base + end; to < stop; to++) bytes[to] = from[to + shift]!;
    this.length = end;
    this.saved = saved;
    this.records.copyFrom(index);
    return true;
  }

  /** TTL of record `i` in seconds, 0 to 2^32-1. */
  ttl(i: number): number {
    const at = this.base + this.records.ttlAt(i);
    const { bytes } = this;
    return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
  }

  setTtl(i: number, ttlSeconds: number): void {
    const at = this.base + this.records.ttlAt(i);
    const { bytes } = this;
    bytes[at] = ttlSeconds >>> 24;
    bytes[at + 1] = ttlSeconds >>> 16;
    bytes[at + 2] = ttlSeconds >>> 8;
    bytes[at + 3] = ttlSeconds;
  }
}

const NO_BYTES = new Uint8Array(0);

/** Writes type, class IN, TTL and RDLENGTH; returns the offset behind them. */
function putFixed(bytes: Uint8Array, to: number, type: number, ttlSeconds: number, rdataLength: number): number {
  bytes[to++] = type >>> 8;
  bytes[to++] = type;
  bytes[to++] = 0;
  bytes[to++] = CLASS.IN;
  bytes[to++] = ttlSeconds >>> 24;
  bytes[to++] = ttlSeconds >>> 16;
  bytes[to++] = ttlSeconds >>> 8;
  bytes[to++] = ttlSeconds;
  bytes[to++] = rdataLength >>> 8;
  bytes[to++] = rdataLength;
  return to;
}
