// Checks a whole message and notes where its records are: for replies of upstreams. Worker; allocation-free, linear work.
import { LAYOUT } from './rdata/codec.ts';
import { findLayout } from './rdata/registry.ts';
import { areOptionsWellFormed } from './edns.ts';
import { MAX_LABEL_LENGTH, MAX_NAME_LENGTH } from './name.ts';
import { type RecordIndex, type Section } from './record-index.ts';
import { RRTYPE } from './types.ts';

/** What `indexMessage` found. */
export const INDEXED = {
  OK: 0,
  /** Not a message: a bad name, data that does not fit its type, a second OPT, more than one question. */
  FORMERR: 1,
  /** The message ends before the records that its header promises. */
  TRUNCATED: 2,
} as const;
export type Indexed = (typeof INDEXED)[keyof typeof INDEXED];

export const HEADER_LENGTH = 12;
/** Bytes of the smallest question and the smallest record: a root name and the fixed fields. */
const MIN_QUESTION = 5;
const MIN_RECORD = 11;

/** Header, question and EDNS of one message; reused. Offsets count from the start of the message. */
export class MessageInfo {
  id = 0;
  /** Second 16-bit word of the header. */
  flags = 0;
  /** Response code, with the upper bits of OPT when there is one. */
  rcode = 0;
  questionCount = 0;
  /** Where the question's name starts; its type and class follow the name. Valid when `questionCount` is 1. */
  qnameAt: number = HEADER_LENGTH;
  qtype = 0;
  qclass = 0;
  /** Offset after the question section. */
  questionEnd: number = HEADER_LENGTH;
  /** Offset after the last record read; bytes may follow that belong to nothing. */
  end: number = HEADER_LENGTH;

  hasEdns = false;
  /** Where the OPT record starts and ends. */
  optAt = 0;
  optEnd = 0;
  udpSize = 512;
  ednsVersion = 0;
  /** DO bit (RFC 3225). */
  dnssecOk = false;
  optionsAt = 0;
  optionsLength = 0;

  clear(): void {
    this.id = 0;
    this.flags = 0;
    this.rcode = 0;
    this.questionCount = 0;
    this.qtype = 0;
    this.qclass = 0;
    this.questionEnd = HEADER_LENGTH;
    this.end = HEADER_LENGTH;
    this.hasEdns = false;
    this.optAt = 0;
    this.optEnd = 0;
    this.udpSize = 512;
    this.ednsVersion = 0;
    this.dnssecOk = false;
    this.optionsAt = 0;
    this.optionsLength = 0;
  }
}

/**
 * Checks the message at `bytes[base .. base + length)` and fills `index` and `info`. Every owner name and every name in
 * the data of a known type is followed to its end, with the rules of `readName`; data of known types must have their
 * structure. OPT goes to `info` and is not indexed.
 *
 * @returns `INDEXED.OK`, or why not; `index` and `info` then hold what was read before
 */
export function indexMessage(
  bytes: Uint8Array,
  base: number,
  length: number,
  index: RecordIndex,
  info: MessageInfo,
): Indexed {
  index.clear();
  info.clear();
  if (length < HEADER_LENGTH) return INDEXED.TRUNCATED;
  info.id = readU16(bytes, base);
  info.flags = readU16(bytes, base + 2);
  info.rcode = info.flags & 15;
  const questions = readU16(bytes, base + 4);
  const answers = readU16(bytes, base + 6);
  const authorities = readU16(bytes, base + 8);
  const additionals = readU16(bytes, base + 10);
  if (questions > 1) return INDEXED.FORMERR;
  const least = questions * MIN_QUESTION + (answers + authorities + additionals) * MIN_RECORD;
  if (least > length - HEADER_LENGTH) return INDEXED.TRUNCATED;
  walk.start(bytes, base, length);
  let at = HEADER_LENGTH;
  if (questions === 1) {
    at = walk.name(at);
    if (at < 0) return failure();
    if (at + 4 > length) return INDEXED.TRUNCATED;
    info.questionCount = 1;
    info.qtype = readU16(bytes, base + at);
    info.qclass = readU16(bytes, base + at + 2);
    at += 4;
  }
  info.questionEnd = at;
  info.end = at;
  for (let section: Section = 0; ; section = section === 0 ? 1 : 2) {
    for (let left = section === 0 ? answers : section === 1 ? authorities : additionals; left > 0; left--) {
      const result = indexRecord(section, index, info);
      if (result !== INDEXED.OK) return result;
    }
    if (section === 2) return INDEXED.OK;
  }
}

/** Reads the record at `info.end` and moves `info.end` behind it. */
function indexRecord(section: Section, index: RecordIndex, info: MessageInfo): Indexed {
  const { bytes, base, end } = walk;
  const ownerAt = info.end;
  const typeAt = walk.name(ownerAt);
  if (typeAt < 0) return failure();
  if (typeAt + 10 > end) return INDEXED.TRUNCATED;
  const type = readU16(bytes, base + typeAt);
  const rdataLength = readU16(bytes, base + typeAt + 8);
  const rdataAt = typeAt + 10;
  if (rdataAt + rdataLength > end) return INDEXED.TRUNCATED;
  if (type === RRTYPE.OPT) {
    // One OPT, owner root, in the additional section (RFC 6891 section 6.1.1).
    if (info.hasEdns || section !== 2 || typeAt !== ownerAt + 1) return INDEXED.FORMERR;
    if (!areOptionsWellFormed(bytes, base + rdataAt, rdataLength)) return INDEXED.FORMERR;
    readOpt(info, ownerAt, typeAt, rdataLength);
  } else {
    const layout = findLayout(type, readU16(bytes, base + typeAt + 2));
    if (layout && !walk.rdata(layout, rdataAt, rdataAt + rdataLength)) return INDEXED.FORMERR;
    index.push(section, ownerAt, type, typeAt + 4, rdataLength);
  }
  info.end = rdataAt + rdataLength;
  return INDEXED.OK;
}

function readOpt(info: MessageInfo, ownerAt: number, typeAt: number, rdataLength: number): void {
  const { bytes, base } = walk;
  info.hasEdns = true;
  info.optAt = ownerAt;
  info.optEnd = typeAt + 10 + rdataLength;
  info.udpSize = readU16(bytes, base + typeAt + 2);
  info.rcode |= bytes[base + typeAt + 4]! << 4;
  info.ednsVersion = bytes[base + typeAt + 5]!;
  info.dnssecOk = (bytes[base + typeAt + 6]! & 0x80) !== 0;
  info.optionsAt = typeAt + 10;
  info.optionsLength = rdataLength;
}

function readU16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

function failure(): Indexed {
  return walk.ranOut ? INDEXED.TRUNCATED : INDEXED.FORMERR;
}

/** Offsets that a compression pointer can hold. */
const POINTER_RANGE = 0x4000;
/** As in `readName`. */
const MAX_POINTERS = 126;

/**
 * Follows names once. For every offset at which a label of a checked name starts it keeps how the name goes on from
 * there, so that a later pointer to it costs one step: no chain of pointers is walked twice, whatever the message.
 */
class NameWalk {
  bytes: Uint8Array = new Uint8Array(0);
  base = 0;
  end = 0;
  /** Whether the last name failed because the message ended. */
  ranOut = false;
  /** By offset: bytes of the uncompressed name from here on, root included; 0 when not checked yet. */
  readonly #length = new Uint8Array(POINTER_RANGE);
  /** By offset: pointers followed from here on. */
  readonly #pointers = new Uint8Array(POINTER_RANGE);
  /** By offset: where the labels end that start here, with the root label or a pointer. */
  readonly #stretchEnd = new Uint16Array(POINTER_RANGE);
  /** By offset: where the labels end that the pointer at `#stretchEnd` leads to, 0 when there is no pointer. */
  readonly #nextEnd = new Uint16Array(POINTER_RANGE);
  /** Label starts and pointers of the name being followed. */
  readonly #path = new Uint16Array(MAX_NAME_LENGTH + MAX_POINTERS);

  start(bytes: Uint8Array, base: number, length: number): void {
    this.bytes = bytes;
    this.base = base;
    this.end = length;
    this.ranOut = false;
    this.#length.fill(0, 0, Math.min(length, POINTER_RANGE));
  }

  /** Checks the name at `offset`; returns the offset after it, or -1 when it is malformed or over the end. */
  name(offset: number): number {
    const { bytes, base } = this;
    const path = this.#path;
    let end = this.end;
    let at = offset;
    let after = -1;
    let depth = 0;
    // A pointer leads to labels that lie wholly before this stretch of labels, which it ends.
    let stretch = offset;
    let tail = 0;
    let pointers = 0;
    let stretchEnd = 0;
    let nextEnd = 0;
    let hops = 0;
    let written = 0;
    for (;;) {
      // First: behind the end the notes are those of longer messages before.
      if (at >= end) return this.#over(after);
      if (at < POINTER_RANGE && after !== -1 && this.#length[at] !== 0) {
        stretchEnd = this.#stretchEnd[at]!;
        nextEnd = this.#nextEnd[at]!;
        if (stretchEnd > end || nextEnd > stretch) return -1;
        tail = this.#length[at]!;
        pointers = this.#pointers[at]!;
        break;
      }
      const length = bytes[base + at]!;
      if (length <= MAX_LABEL_LENGTH) {
        path[depth++] = at;
        written += length + 1;
        if (written > MAX_NAME_LENGTH) return -1;
        at += length + 1;
        if (length !== 0) continue;
        if (after === -1) after = at;
        stretchEnd = at;
        break;
      }
      if (length < 0xc0) return -1;
      if (at + 1 >= end) return this.#over(after);
      const to = ((length & 0x3f) << 8) | bytes[base + at + 1]!;
      if (to >= stretch || to < HEADER_LENGTH || ++hops > MAX_POINTERS) return -1;
      if (after === -1) after = at + 2;
      path[depth++] = at;
      end = stretch;
      stretch = to;
      at = to;
    }
    return this.#remember(depth, tail, pointers, stretchEnd, nextEnd) ? after : -1;
  }

  #over(after: number): -1 {
    this.ranOut = after === -1;
    return -1;
  }

  /** Notes for every place of the path how the name goes on, from its end backwards. */
  #remember(depth: number, tail: number, pointers: number, stretchEnd: number, nextEnd: number): boolean {
    const { bytes, base } = this;
    const path = this.#path;
    for (let i = depth - 1; i >= 0; i--) {
      const at = path[i]!;
      const length = bytes[base + at]!;
      if (length >= 0xc0) {
        nextEnd = stretchEnd;
        stretchEnd = at + 2;
        if (++pointers > MAX_POINTERS) return false;
      } else {
        tail += length + 1;
        if (tail > MAX_NAME_LENGTH) return false;
      }
      if (at < POINTER_RANGE) {
        this.#length[at] = tail;
        this.#pointers[at] = pointers;
        this.#stretchEnd[at] = stretchEnd;
        this.#nextEnd[at] = nextEnd;
      }
    }
    return true;
  }

  /** Whether `[at, end)` has the structure `layout`. */
  rdata(layout: Uint8Array, at: number, end: number): boolean {
    for (let i = 0; i < layout.length; i++) {
      const step = layout[i]!;
      if (step < LAYOUT.NAME) at += step;
      else if (step <= LAYOUT.COMPRESSIBLE_NAME) {
        if (at >= end) return false;
        at = this.name(at);
        if (at < 0) return false;
      } else if (step === LAYOUT.REST) at = Math.max(at, end);
      else {
        do {
          if (at >= end) return false;
          at += this.bytes[this.base + at]! + 1;
        } while (step === LAYOUT.STRINGS && at < end);
      }
      if (at > end) return false;
    }
    return at === end;
  }
}

const walk = new NameWalk();
