// Builds whole messages with compressed names, for everything that is not the packet path's own answer. Both kinds of thread.
import { CompressionTable } from './compression-table.ts';
import { OPT_LENGTH, writeOpt } from './edns.ts';
import { MAX_NAME_LENGTH, nameLength, readName } from './name.ts';
import { LAYOUT } from './rdata/codec.ts';
import { findLayout } from './rdata/registry.ts';
import type { ResourceRecord } from './record.ts';
import { RecordIndex, SECTION, type Section } from './record-index.ts';

/** Largest DNS message over any transport. */
export const MAX_MESSAGE_LENGTH = 65_535;
const HEADER_LENGTH = 12;
const FIRST_CAPACITY = 1024;

/**
 * A message under construction. Reused through `begin`. What does not fit below the size limit is left out whole: the
 * method returns false and the message is as before.
 *
 * Names are compressed against every earlier name with the same letter case, in the places where RFC 3597 section 4
 * allows it.
 */
export class MessageWriter {
  /** The message is `bytes[0 .. length)`. Taken anew after any call that writes: it moves when it grows. */
  bytes: Uint8Array = new Uint8Array(FIRST_CAPACITY);
  length: number = HEADER_LENGTH;
  /** The records written, OPT not among them. */
  readonly records: RecordIndex = new RecordIndex();
  readonly #names = new CompressionTable();
  readonly #scratch = new Uint8Array(MAX_NAME_LENGTH + 1);
  #limit = MAX_MESSAGE_LENGTH;
  #hasOpt = false;
  #questions = 0;
  #section: Section = SECTION.ANSWER;

  /**
   * Starts a new message.
   * @param flags second word of the header: QR, opcode, AA, TC, RD, RA, AD, CD, rcode
   * @param limit largest size in bytes, at most 65535
   */
  begin(id: number, flags: number, limit: number = MAX_MESSAGE_LENGTH): void {
    this.#names.rollback(0);
    this.records.clear();
    this.length = HEADER_LENGTH;
    this.#limit = Math.min(limit, MAX_MESSAGE_LENGTH);
    this.#hasOpt = false;
    this.#questions = 0;
    this.#section = SECTION.ANSWER;
    this.bytes.fill(0, 0, HEADER_LENGTH);
    this.#patch(0, id);
    this.#patch(2, flags);
  }

  /** The one question; before any record. */
  addQuestion(name: Uint8Array, type: number, qclass: number): boolean {
    const start = this.length;
    const names = this.#names.count;
    if (!this.#name(name, 0, true) || !this.#words(type, qclass)) return this.#undo(start, names);
    this.#questions++;
    return true;
  }

  /** Appends a record; sections must come in message order, and OPT after all of them. */
  addRecord(section: Section, record: ResourceRecord): boolean {
    const { name, type, ttlSeconds, rdata } = record;
    const start = this.length;
    const names = this.#names.count;
    const layout = findLayout(type, record.class);
    const isWritten =
      this.#name(name, 0, true) &&
      this.#words(type, record.class, ttlSeconds >>> 16, ttlSeconds & 0xffff, 0) &&
      this.#rdata(layout, rdata, 0, 0, rdata.length);
    return isWritten ? this.#close(section, start, type) : this.#undo(start, names);
  }

  /**
   * Appends record `i` of another message, its names decompressed and compressed anew.
   * @param index of that message, from `indexMessage`
   */
  copyRecord(section: Section, bytes: Uint8Array, base: number, index: RecordIndex, i: number): boolean {
    const start = this.length;
    const names = this.#names.count;
    const fixedAt = index.ttlAt(i) - 4;
    const rdataAt = index.rdataAt(i);
    const recordClass = readU16(bytes, base + fixedAt + 2);
    if (readName(bytes, base, index.ownerAt(i), rdataAt, this.#scratch) === -1) return false;
    const isWritten =
      this.#name(this.#scratch, 0, true) &&
      this.#copy(bytes, base + fixedAt, 8) &&
      this.#words(0) &&
      this.#rdata(findLayout(index.type(i), recordClass), bytes, base, rdataAt, index.endAt(i));
    return isWritten ? this.#close(section, start, index.type(i)) : this.#undo(start, names);
  }

  /**
   * Appends the OPT record. `options` are code/length/data triples.
   * @param rcode whole response code; the header's four bits are set too
   * @param flags DO is 0x8000
   */
  addOpt(udpSize: number, rcode: number, version: number, flags: number, options: Uint8Array): boolean {
    if (this.#hasOpt || !this.#reserve(OPT_LENGTH + options.length)) return false;
    const after = writeOpt(this.bytes, this.length, udpSize, rcode, version, flags);
    this.#patch(after - 2, options.length);
    this.bytes.set(options, after);
    this.length = after + options.length;
    this.bytes[3] = (this.bytes[3]! & 0xf0) | (rcode & 15);
    this.#hasOpt = true;
    return true;
  }

  /** Sets the header's counts; returns the message's length. */
  finish(): number {
    const { counts } = this.records;
    this.#patch(4, this.#questions);
    this.#patch(6, counts[SECTION.ANSWER]!);
    this.#patch(8, counts[SECTION.AUTHORITY]!);
    this.#patch(10, counts[SECTION.ADDITIONAL]! + (this.#hasOpt ? 1 : 0));
    return this.length;
  }

  /** Sets RDLENGTH of the record that starts at `start` and ends here. */
  #close(section: Section, start: number, type: number): boolean {
    if (section < this.#section) throw new RangeError('records out of section order');
    this.#section = section;
    const rdataLength = this.length - this.#rdataAt;
    this.#patch(this.#rdataAt - 2, rdataLength);
    this.records.push(section, start, type, this.#rdataAt - 6, rdataLength);
    return true;
  }
  #rdataAt = 0;

  #undo(start: number, names: number): false {
    this.#names.rollback(names);
    this.length = start;
    return false;
  }

  /** Writes rdata that stands at `bytes[base + at .. base + end)`; pointers count from `base`. */
  #rdata(layout: Uint8Array | undefined, bytes: Uint8Array, base: number, at: number, end: number): boolean {
    this.#rdataAt = this.length;
    if (layout) {
      for (let i = 0; i < layout.length; i++) {
        const step = layout[i]!;
        if (step >= LAYOUT.STRINGS) break;
        if (step === LAYOUT.NAME || step === LAYOUT.COMPRESSIBLE_NAME) {
          at = this.#copyName(bytes, base, at, end, step === LAYOUT.COMPRESSIBLE_NAME);
          if (at === -1) return false;
        } else {
          const size = step === LAYOUT.STRING ? bytes[base + at]! + 1 : step;
          if (at + size > end || !this.#copy(bytes, base + at, size)) return false;
          at += size;
        }
      }
    }
    return this.#copy(bytes, base + at, end - at);
  }

  /** Copies one name of an rdata; returns the offset after it, or -1. Data outside of a message has no pointers. */
  #copyName(bytes: Uint8Array, base: number, at: number, end: number, compress: boolean): number {
    const after = readName(bytes, base, at, end, this.#scratch);
    return after !== -1 && this.#name(this.#scratch, 0, compress) ? after : -1;
  }

  #name(name: Uint8Array, at: number, compress: boolean): boolean {
    const target = this.#names.find(this.bytes, 0, name, at);
    const start = this.length;
    const isPointer = compress && target !== -1;
    if (!this.#copy(name, at, isPointer ? this.#names.ownLength : nameLength(name, at))) return false;
    if (isPointer && !this.#words(0xc000 | target)) return false;
    this.#names.remember(start);
    return true;
  }

  #copy(from: Uint8Array, at: number, size: number): boolean {
    if (!this.#reserve(size)) return false;
    const { bytes } = this;
    for (let to = this.length, end = at + size; at < end; at++) bytes[to++] = from[at]!;
    this.length += size;
    return true;
  }

  #words(...values: readonly number[]): boolean {
    if (!this.#reserve(values.length * 2)) return false;
    for (const value of values) {
      this.#patch(this.length, value);
      this.length += 2;
    }
    return true;
  }

  #patch(at: number, value: number): void {
    this.bytes[at] = value >>> 8;
    this.bytes[at + 1] = value;
  }

  /** Makes room for `size` more bytes; false when the limit is in the way. */
  #reserve(size: number): boolean {
    const end = this.length + size;
    if (end > this.#limit) return false;
    if (end > this.bytes.length) {
      const larger = new Uint8Array(Math.max(end, this.bytes.length * 2));
      larger.set(this.bytes.subarray(0, this.length));
      this.bytes = larger;
    }
    return true;
  }
}

function readU16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}
