// lib/plugins/forward/relay.ts — worker. An upstream's reply -> Answer: checked, then copied as it is or written anew.
import type { Answer } from '../../chain/answer.ts';
import type { Query } from '../../chain/query.ts';
import { OPTION_HEADER_LENGTH, findOption, nextOption, optionCode, optionLength } from '../../wire/edns.ts';
import { INDEXED, type Indexed, MessageInfo, indexMessage } from '../../wire/message-reader.ts';
import { LOWER, readName } from '../../wire/name.ts';
import { LAYOUT } from '../../wire/rdata/codec.ts';
import { findLayout } from '../../wire/rdata/registry.ts';
import { RecordIndex } from '../../wire/record-index.ts';
import { markStrays } from './answer-chain.ts';
import { EDE, EDNS_OPTION, RRTYPE } from '../../wire/types.ts';

const FLAG = { AA: 0x400, TC: 0x200, RA: 0x80, AD: 0x20 } as const;
const NO_OPTIONS = new Uint8Array(0);
/** Extended errors that tell of signatures: DNSSEC Indeterminate to NSEC Missing. */
const EDE_DNSSEC_FIRST = 5;
const EDE_DNSSEC_LAST = 12;

/** What `ReplyReader.read` found. */
export const REPLY = {
  OK: 0,
  /** Not a DNS message that can be relayed. */
  MALFORMED: 1,
  /** Ends before its records do; header and question are whole. */
  CUT: 2,
  /** Answers another question. */
  MISMATCH: 3,
} as const;

/** Reads one reply at a time; reused, so that nothing is allocated per reply. */
export class ReplyReader {
  readonly info: MessageInfo = new MessageInfo();
  readonly #index = new RecordIndex();
  readonly #scratch = new Uint8Array(256);
  #bytes: Uint8Array = NO_OPTIONS;
  #isStray = new Uint8Array(64);
  /** Records of the answer section that have nothing to do with the question; `relay` leaves them out. */
  strays = 0;

  /** Checks the reply to `query`; `info` and `relay` are about it from now on. */
  read(query: Query, bytes: Uint8Array, length: number): number {
    this.#bytes = bytes;
    const result: Indexed = indexMessage(bytes, 0, length, this.#index, this.info);
    if (result === INDEXED.FORMERR) return REPLY.MALFORMED;
    if (result === INDEXED.TRUNCATED && this.info.questionCount === 0) return REPLY.MALFORMED;
    if (!this.#isAbout(query)) return REPLY.MISMATCH;
    this.#findStrays(query.qtype);
    return result === INDEXED.TRUNCATED ? REPLY.CUT : REPLY.OK;
  }

  #findStrays(qtype: number): void {
    const { count } = this.#index;
    this.strays = 0;
    if (count === 0 || qtype === RRTYPE.AXFR || qtype === RRTYPE.IXFR) return;
    if (this.#isStray.length < count) this.#isStray = new Uint8Array(2 * count);
    this.strays = markStrays(this.#bytes, this.info.qnameAt, this.#index, this.#isStray);
  }

  #isAbout(query: Query): boolean {
    const { info } = this;
    if (info.questionCount !== 1 || info.qtype !== query.qtype || info.qclass !== query.qclass) return false;
    const { name, nameLength } = query;
    if (info.questionEnd - info.qnameAt !== nameLength + 4) return false;
    for (let i = 0; i < nameLength; i++) if (LOWER[this.#bytes[info.qnameAt + i]!] !== name[i]) return false;
    return true;
  }

  get isTruncated(): boolean {
    return (this.info.flags & FLAG.TC) !== 0;
  }

  /** Whether the upstream says that its failure is no accident: the data is bogus, or nobody is to have it (RFC 8914). */
  get isMeant(): boolean {
    const { info } = this;
    if (!info.hasEdns || info.optionsLength === 0) return false;
    const at = findOption(this.#bytes, info.optionsAt, info.optionsLength, EDNS_OPTION.EXTENDED_ERROR);
    if (at === -1 || optionLength(this.#bytes, at) < 2) return false;
    const code = (this.#bytes[at + OPTION_HEADER_LENGTH]! << 8) | this.#bytes[at + OPTION_HEADER_LENGTH + 1]!;
    return (code >= EDE_DNSSEC_FIRST && code <= EDE_DNSSEC_LAST) || (code >= EDE.BLOCKED && code <= EDE.PROHIBITED);
  }

  get answers(): number {
    return this.#index.counts[0]! - this.strays;
  }

  /** Makes `answer` what the upstream said. */
  relay(query: Query, answer: Answer): void {
    const { info } = this;
    answer.reset();
    const isFit = !query.renamed && answer.questionEnd === info.questionEnd;
    if (!isFit || this.strays > 0 || this.#isOptInside() || this.#isWordy()) this.#writeAnew(answer);
    else answer.copyBody(this.#bytes, 0, this.#index, this.#savedBytes());
    answer.rcode = info.rcode;
    answer.authoritative = (info.flags & FLAG.AA) !== 0;
    answer.truncated ||= (info.flags & FLAG.TC) !== 0;
    answer.recursionAvailable = (info.flags & FLAG.RA) !== 0;
    answer.authenticData = (info.flags & FLAG.AD) !== 0;
    answer.options = query.hasEdns && info.optionsLength > 0 ? this.#copyOptions() : NO_OPTIONS;
    answer.plugin = 'forward';
  }

  /** An empty answer with TC: what came was cut off on the way, the client is to ask over TCP. */
  relayCut(answer: Answer): void {
    answer.reset();
    answer.rcode = this.info.flags & 15;
    answer.truncated = true;
    answer.recursionAvailable = (this.info.flags & FLAG.RA) !== 0;
    answer.plugin = 'forward';
  }

  /** Whether records stand behind OPT. */
  #isOptInside(): boolean {
    const { count } = this.#index;
    return this.info.hasEdns && count > 0 && this.#index.endAt(count - 1) > this.info.optAt;
  }

  /** Whether names stand written out that a pointer could replace: the question's, or one record's after the other. */
  #isWordy(): boolean {
    const index = this.#index;
    const bytes = this.#bytes;
    for (let i = 0; i < index.count; i++) {
      const at = index.ownerAt(i);
      if (bytes[at]! >= 0xc0 || bytes[at] === 0) continue;
      if (equalLabels(bytes, at, this.info.qnameAt)) return true;
      if (i > 0 && equalLabels(bytes, at, index.ownerAt(i - 1))) return true;
    }
    return false;
  }

  /** The upstream's EDNS options that are not about the hop between it and us. */
  #copyOptions(): Uint8Array {
    const { optionsAt, optionsLength } = this.info;
    const bytes = this.#bytes;
    const kept: number[] = [];
    for (let at = optionsAt; at < optionsAt + optionsLength; at = nextOption(bytes, at)) {
      if (isHopByHop(optionCode(bytes, at))) continue;
      for (let i = at; i < nextOption(bytes, at); i++) kept.push(bytes[i]!);
    }
    return Uint8Array.from(kept);
  }

  /** Bytes that compression saved, for the sizes in metrics and log. */
  #savedBytes(): number {
    const index = this.#index;
    const bytes = this.#bytes;
    let saved = 0;
    for (let i = 0; i < index.count; i++) {
      saved += savedIn(bytes, index.ownerAt(i));
      const at = index.rdataAt(i);
      switch (index.type(i)) {
        case RRTYPE.CNAME:
        case RRTYPE.NS:
        case RRTYPE.PTR:
        case RRTYPE.DNAME:
          saved += savedIn(bytes, at);
          break;
        case RRTYPE.MX:
          saved += savedIn(bytes, at + 2);
          break;
        case RRTYPE.SRV:
          saved += savedIn(bytes, at + 6);
          break;
        case RRTYPE.SOA:
          saved += savedIn(bytes, at) + savedIn(bytes, skipWritten(bytes, at));
          break;
        default:
      }
    }
    return saved;
  }

  /** Writes every record with its names read out and compressed again. */
  #writeAnew(answer: Answer): void {
    const index = this.#index;
    for (let i = 0; i < index.count; i++) {
      if (this.strays > 0 && this.#isStray[i] === 1) continue;
      const owner = this.#name(index.ownerAt(i));
      const ttlAt = index.ttlAt(i);
      if (!answer.beginRecord(index.section(i), owner, 0, index.type(i), readLong(this.#bytes, ttlAt))) return;
      // The answer writes class IN; the record may have another.
      const classAt = answer.base + answer.length - 8;
      answer.bytes[classAt] = this.#bytes[ttlAt - 2]!;
      answer.bytes[classAt + 1] = this.#bytes[ttlAt - 1]!;
      this.#writeRdata(answer, i);
      answer.endRecord();
    }
  }

  #writeRdata(answer: Answer, record: number): void {
    const index = this.#index;
    const bytes = this.#bytes;
    const end = index.endAt(record);
    const ttlAt = index.ttlAt(record);
    const layout = findLayout(index.type(record), (bytes[ttlAt - 2]! << 8) | bytes[ttlAt - 1]!) ?? NO_OPTIONS;
    let at = index.rdataAt(record);
    for (const step of layout) {
      if (step === LAYOUT.NAME || step === LAYOUT.COMPRESSIBLE_NAME) {
        const name = this.#name(at);
        if (step === LAYOUT.NAME) answer.writePlainName(name);
        else answer.writeName(name);
        at = skipWritten(bytes, at);
        continue;
      }
      const size = step < LAYOUT.NAME ? step : step === LAYOUT.STRING ? bytes[at]! + 1 : end - at;
      answer.putBytes(bytes, at, size);
      at += size;
    }
    answer.putBytes(bytes, at, end - at);
  }

  #name(at: number): Uint8Array {
    readName(this.#bytes, 0, at, this.info.end, this.#scratch);
    return this.#scratch;
  }
}

/** Makes `to` the same reply as `from`, which is for the same question. */
export function copyAnswer(from: Answer, to: Answer): void {
  to.reset();
  to.copyBody(from.bytes, from.base, from.records, from.saved);
  to.rcode = from.rcode;
  to.authoritative = from.authoritative;
  to.truncated = from.truncated;
  to.recursionAvailable = from.recursionAvailable;
  to.authenticData = from.authenticData;
  to.options = from.options;
  to.error = from.error;
  to.ede = from.ede;
  to.edeText = from.edeText;
  to.plugin = from.plugin;
  to.live = from.live;
}

function isHopByHop(code: number): boolean {
  return (
    code === EDNS_OPTION.COOKIE ||
    code === EDNS_OPTION.EXPIRE ||
    code === EDNS_OPTION.TCP_KEEPALIVE ||
    code === EDNS_OPTION.PADDING
  );
}

/** Whether the checked names are written alike, letter case aside. */
function equalLabels(bytes: Uint8Array, left: number, right: number): boolean {
  for (const end = skipWritten(bytes, left); left < end; left++, right++) {
    if (LOWER[bytes[left]!] !== LOWER[bytes[right]!]) return false;
  }
  return true;
}

/** Offset after a checked name as it is written, pointer included. */
function skipWritten(bytes: Uint8Array, at: number): number {
  for (let length = bytes[at]!; ; length = bytes[at]!) {
    if (length === 0) return at + 1;
    if (length >= 0xc0) return at + 2;
    at += length + 1;
  }
}

/** How much longer the checked name at `at` is without its pointer. */
function savedIn(bytes: Uint8Array, at: number): number {
  while (bytes[at]! > 0 && bytes[at]! < 0xc0) at += bytes[at]! + 1;
  if (bytes[at] === 0) return 0;
  let saved = -1;
  for (;;) {
    const length = bytes[at]!;
    if (length === 0) return saved;
    if (length >= 0xc0) at = ((length & 0x3f) << 8) | bytes[at + 1]!;
    else {
      saved += length + 1;
      at += length + 1;
    }
  }
}

function readLong(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}
