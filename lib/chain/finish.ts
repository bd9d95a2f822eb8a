// The one place that sets header, OPT, TC and the final size of a reply. Worker.
import {
  extendedErrorLength,
  finishOpt,
  nextOption,
  OPT_LENGTH,
  optionCode,
  writeExtendedError,
  writeOpt,
} from '../wire/edns.ts';
import { EDNS_OPTION, OPCODE, RCODE } from '../wire/types.ts';
import type { Answer } from './answer.ts';
import type { Query } from './query.ts';
import type { TsigTransaction } from './tsig.ts';

const DO_FLAG = 0x8000;

/**
 * Completes the reply in `answer` for `query`: drops records that do not fit (from the end; TC says so), writes the
 * header, adds OPT when the client sent one (RFC 6891 section 7).
 *
 * @returns length of the message, starting at `answer.bytes[answer.base]`
 */
export function finish(query: Query, answer: Answer): number {
  const length = complete(query, answer);
  const { tsig } = query;
  return tsig !== undefined && tsig.signs ? sign(tsig, answer, length) : length;
}

/** The one place where replies are signed: when nothing changes any more. The plugin has kept room for it. */
function sign(tsig: TsigTransaction, answer: Answer, length: number): number {
  answer.length = length;
  return answer.reserve(tsig.sizeBytes) ? tsig.sign(answer.bytes, answer.base, length) : length;
}

function complete(query: Query, answer: Answer): number {
  let optLength = 0;
  if (query.hasEdns) {
    optLength = OPT_LENGTH;
    if (query.optionsLength !== 0) optLength += echoedLength(query, answer);
    if (answer.options.length !== 0) optLength += answer.options.length;
    if (answer.ede !== -1) optLength += extendedErrorLength(answer.edeText);
    // Options that would not fit beside the question alone are left out.
    if (answer.questionEnd + optLength > query.sizeLimit) optLength = OPT_LENGTH;
  }
  if (answer.length + optLength > query.sizeLimit) fit(answer, query.sizeLimit - optLength);
  writeHeader(query, answer);
  const { bytes, base, records } = answer;
  writeCounts(bytes, base + 4, query.questionEnd > 12 ? 1 : 0, records.counts);
  if (!query.hasEdns) return answer.length;
  bytes[base + 11]!++;
  if (bytes[base + 11] === 0) bytes[base + 10]!++;
  return appendOpt(query, answer, optLength);
}

function writeHeader(query: Query, answer: Answer): void {
  const { bytes, base } = answer;
  bytes[base] = query.id >>> 8;
  bytes[base + 1] = query.id;
  bytes[base + 2] =
    0x80 |
    (query.opcode << 3) |
    (answer.authoritative ? 4 : 0) |
    (answer.truncated ? 2 : 0) |
    (query.recursionDesired ? 1 : 0);
  // An extended code cannot be told to a client without EDNS: SERVFAIL says as much as it can understand.
  const rcode = answer.rcode > 15 && !query.hasEdns ? RCODE.SERVFAIL : answer.rcode;
  bytes[base + 3] =
    (answer.recursionAvailable ? 0x80 : 0) |
    (answer.authenticData ? 0x20 : 0) |
    (query.checkingDisabled ? 0x10 : 0) |
    (rcode & 15);
}

function writeCounts(bytes: Uint8Array, at: number, questions: number, counts: Int32Array): void {
  bytes[at] = 0;
  bytes[at + 1] = questions;
  bytes[at + 2] = counts[0]! >>> 8;
  bytes[at + 3] = counts[0]!;
  bytes[at + 4] = counts[1]! >>> 8;
  bytes[at + 5] = counts[1]!;
  bytes[at + 6] = counts[2]! >>> 8;
  bytes[at + 7] = counts[2]!;
}

/** Drops records from the end until the message is at most `limit` bytes. */
function fit(answer: Answer, limit: number): void {
  const { records } = answer;
  let keep = records.count;
  while (keep > 0 && records.endAt(keep - 1) > limit) keep--;
  if (keep === records.count) return;
  records.truncate(keep);
  answer.length = keep === 0 ? answer.questionEnd : records.endAt(keep - 1);
  answer.truncated = true;
}

function appendOpt(query: Query, answer: Answer, optLength: number): number {
  if (!answer.reserve(optLength)) return answer.length;
  const { bytes, base } = answer;
  const optAt = base + answer.length;
  // The client's own size comes back, as CoreDNS does it; `bufsize` lowers it.
  const udpSize = answer.rcode === RCODE.BADVERS ? 0 : query.udpSize;
  let at = writeOpt(bytes, optAt, udpSize, answer.rcode, 0, query.dnssecOk ? DO_FLAG : 0);
  if (optLength === OPT_LENGTH) return at - base;
  at = echoOptions(query, answer, at);
  for (let i = 0; i < answer.options.length; i++) bytes[at++] = answer.options[i]!;
  if (answer.ede !== -1) at = writeExtendedError(bytes, at, answer.ede, answer.edeText);
  finishOpt(bytes, optAt, at);
  return at - base;
}

/** Options that go back to the client as they came (CoreDNS keeps these; see docs/differences.md). */
function isEchoed(code: number, answer: Answer): boolean {
  switch (code) {
    case EDNS_OPTION.NSID:
      return answer.options.length === 0;
    case EDNS_OPTION.EXPIRE:
    case EDNS_OPTION.COOKIE:
    case EDNS_OPTION.TCP_KEEPALIVE:
    case EDNS_OPTION.PADDING:
      return true;
    default:
      return false;
  }
}

function echoedLength(query: Query, answer: Answer): number {
  const { packet } = query;
  let length = 0;
  for (let at = query.packetAt + query.optionsAt, end = at + query.optionsLength; at < end; ) {
    const next = nextOption(packet, at);
    if (isEchoed(optionCode(packet, at), answer)) length += next - at;
    at = next;
  }
  return length;
}

function echoOptions(query: Query, answer: Answer, to: number): number {
  const { packet } = query;
  const { bytes } = answer;
  for (let at = query.packetAt + query.optionsAt, end = at + query.optionsLength; at < end; ) {
    const next = nextOption(packet, at);
    if (isEchoed(optionCode(packet, at), answer)) while (at < next) bytes[to++] = packet[at++]!;
    at = next;
  }
  return to;
}

/** What the header alone decides, before anything else is read. */
export const ADMISSION = { PASS: 0, DROP: 1, NOTIMP: 2, FORMERR: 3 } as const;

/**
 * Looks at the 12-byte header: too short or a response is dropped; another opcode than QUERY and NOTIFY is NOTIMP;
 * counts that no query has are FORMERR. Nothing is allocated or parsed before this passes.
 */
export function admit(packet: Uint8Array, at: number, length: number): number {
  if (length < 12 || packet[at + 2]! >= 0x80) return ADMISSION.DROP;
  const opcode = (packet[at + 2]! >>> 3) & 15;
  if (opcode !== OPCODE.QUERY && opcode !== OPCODE.NOTIFY) return ADMISSION.NOTIMP;
  // QDCOUNT 1, ANCOUNT and NSCOUNT at most 1, ARCOUNT at most 2 (OPT and TSIG).
  if (packet[at + 4] !== 0 || packet[at + 5] !== 1) return ADMISSION.FORMERR;
  if (packet[at + 6] !== 0 || packet[at + 7]! > 1 || packet[at + 8] !== 0 || packet[at + 9]! > 1) {
    return ADMISSION.FORMERR;
  }
  if (packet[at + 10] !== 0 || packet[at + 11]! > 2) return ADMISSION.FORMERR;
  return ADMISSION.PASS;
}

/**
 * Writes the 12-byte reply to a message that was not admitted or could not be read: its ID and flags, no question, no OPT.
 * @returns 12
 */
export function writeRejection(
  packet: Uint8Array,
  at: number,
  admission: number,
  to: Uint8Array,
  toAt: number,
): number {
  to[toAt] = packet[at]!;
  to[toAt + 1] = packet[at + 1]!;
  // QR set; opcode, TC and RD as asked, AA clear. FORMERR forces the opcode to QUERY.
  to[toAt + 2] = 0x80 | (packet[at + 2]! & (admission === ADMISSION.NOTIMP ? 0x7b : 0x03));
  to[toAt + 3] = (packet[at + 3]! & 0xb0) | (admission === ADMISSION.NOTIMP ? RCODE.NOTIMP : RCODE.FORMERR);
  for (let i = 4; i < 12; i++) to[toAt + i] = 0;
  return 12;
}
