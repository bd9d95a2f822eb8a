// lib/plugins/cache/classify.ts — worker. What kind of reply an answer is: kept as success, as denial, or not at all.
import type { Answer } from '../../chain/answer.ts';
import type { Query } from '../../chain/query.ts';
import { LOWER } from '../../wire/name.ts';
import { CLASS, OPCODE, RCODE, RRTYPE } from '../../wire/types.ts';

/** Kinds of replies; from `UNCACHED` on they are not kept. */
export const KIND = { SUCCESS: 0, DENIAL: 1, SERVFAIL: 2, DELEGATION: 3, UNCACHED: 4, UNCACHED_SUCCESS: 5 } as const;
export type Kind = (typeof KIND)[keyof typeof KIND];

/** CNAMEs followed; a longer chain counts as no answer. */
const MAX_CHAIN = 32;

/**
 * Sorts a reply.
 *
 * @param nowSeconds wall clock, for the validity of signatures
 * @see RFC 2308 sections 2 and 5
 */
export function classify(query: Query, answer: Answer, nowSeconds: number): Kind {
  const { records, rcode } = answer;
  if (query.opcode !== OPCODE.QUERY || query.qtype === RRTYPE.AXFR || query.qtype === RRTYPE.IXFR) return KIND.UNCACHED;
  if (query.dnssecOk && hasExpiredSignature(answer, nowSeconds)) return KIND.UNCACHED;
  const answers = records.counts[0]!;
  const authorities = records.counts[1]!;
  let hasSoa = false;
  let hasNs = false;
  for (let i = answers; i < answers + authorities; i++) {
    const type = records.type(i);
    if (type === RRTYPE.SOA) hasSoa = true;
    else if (type === RRTYPE.NS) hasNs = true;
  }
  if (rcode === RCODE.NOERROR) {
    if (answers === 0) {
      if (hasSoa) return KIND.DENIAL;
      return hasNs ? KIND.DELEGATION : KIND.SUCCESS;
    }
    if (isAnswering(query, answer)) return KIND.SUCCESS;
    // A CNAME chain that ends without the type: NODATA when an SOA bounds it, nothing to keep otherwise.
    return hasSoa ? KIND.DENIAL : KIND.UNCACHED_SUCCESS;
  }
  if (rcode === RCODE.NXDOMAIN) return answers === 0 && hasSoa ? KIND.DENIAL : KIND.UNCACHED;
  return rcode === RCODE.SERVFAIL || rcode === RCODE.NOTIMP ? KIND.SERVFAIL : KIND.UNCACHED;
}

/** RFC 4034 section 3.1.5: times are compared as serial numbers. */
function hasExpiredSignature(answer: Answer, nowSeconds: number): boolean {
  const { records, bytes, base } = answer;
  for (let i = 0; i < records.count; i++) {
    if (records.type(i) !== RRTYPE.RRSIG || records.rdataLength(i) < 18) continue;
    const at = base + records.rdataAt(i);
    const expiration = readLong(bytes, at + 8);
    const inception = readLong(bytes, at + 12);
    if (((expiration - nowSeconds) | 0) < 0 || ((nowSeconds - inception) | 0) < 0) return true;
  }
  return false;
}

function readLong(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
}

/**
 * Whether the answer section has a record of the type asked at the end of the CNAME chain that starts at the question.
 * A chain that forks, loops or is too long answers nothing.
 */
export function isAnswering(query: Query, answer: Answer): boolean {
  const { records } = answer;
  const answers = records.counts[0]!;
  if (answer.rcode !== RCODE.NOERROR || answers === 0) return false;
  // Nearly every answer: its first record is what was asked for.
  if (records.type(0) === query.qtype && isOwned(query, answer, 0) && hasClass(query, answer, 0)) return true;
  let ownerAt = -1;
  for (let hop = 0; hop <= MAX_CHAIN; hop++) {
    let targetAt = -1;
    for (let i = 0; i < answers; i++) {
      if (!hasOwner(query, answer, i, ownerAt) || !hasClass(query, answer, i)) continue;
      const type = records.type(i);
      if (type === query.qtype || (query.qtype === RRTYPE.ANY && ownerAt === -1)) return true;
      if (type !== RRTYPE.CNAME) continue;
      const target = records.rdataAt(i);
      if (targetAt !== -1 && !equalNamesIn(answer, targetAt, target)) return false;
      targetAt = target;
    }
    if (targetAt === -1 || query.qtype === RRTYPE.CNAME || query.qtype === RRTYPE.ANY) return false;
    ownerAt = targetAt;
  }
  return false;
}

/** `ownerAt` is -1 for the name asked, else where the name stands in the message. */
function hasOwner(query: Query, answer: Answer, record: number, ownerAt: number): boolean {
  return ownerAt === -1
    ? isOwned(query, answer, record)
    : equalNamesIn(answer, answer.records.ownerAt(record), ownerAt);
}

function hasClass(query: Query, answer: Answer, record: number): boolean {
  if (query.qclass === CLASS.ANY) return true;
  const at = answer.base + answer.records.ttlAt(record) - 2;
  return ((answer.bytes[at]! << 8) | answer.bytes[at + 1]!) === query.qclass;
}

/** Whether the record's owner is the name asked: as the client spelled it, or as it was rewritten. */
function isOwned(query: Query, answer: Answer, record: number): boolean {
  const at = answer.records.ownerAt(record);
  const { bytes, base } = answer;
  if (bytes[base + at] === 0xc0 && bytes[base + at + 1] === 12) return true;
  return equalNamesIn(answer, at, 12) || (query.renamed && equalsName(answer, at, query.name));
}

/** Compares two names of the message without letter case. */
function equalNamesIn(answer: Answer, left: number, right: number): boolean {
  const { bytes, base } = answer;
  for (;;) {
    left = skipPointers(bytes, base, left);
    right = skipPointers(bytes, base, right);
    if (left === right) return true;
    const length = bytes[base + left]!;
    if (length !== bytes[base + right]) return false;
    if (length === 0) return true;
    for (let i = 1; i <= length; i++) {
      if (LOWER[bytes[base + left + i]!] !== LOWER[bytes[base + right + i]!]) return false;
    }
    left += length + 1;
    right += length + 1;
  }
}

/** Compares a name of the message with one in wire form and lower case. */
function equalsName(answer: Answer, offset: number, name: Uint8Array): boolean {
  const { bytes, base } = answer;
  for (let at = 0; ; ) {
    offset = skipPointers(bytes, base, offset);
    const length = bytes[base + offset]!;
    if (length !== name[at]) return false;
    if (length === 0) return true;
    for (let i = 1; i <= length; i++) if (LOWER[bytes[base + offset + i]!] !== name[at + i]) return false;
    offset += length + 1;
    at += length + 1;
  }
}

/** Pointers were checked to go backwards when the message was read. */
function skipPointers(bytes: Uint8Array, base: number, at: number): number {
  while (bytes[base + at]! >= 0xc0) at = ((bytes[base + at]! & 0x3f) << 8) | bytes[base + at + 1]!;
  return at;
}
