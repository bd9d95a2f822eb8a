// lib/plugins/forward/answer-chain.ts — worker. Which records of an answer section belong to the question: its name's, and those its aliases lead to.
//
// An upstream that is asked for one name has no business telling about another one (RFC 2181 section 5.4.1): such records could
// plant a name in a client's or a later cache.
import { LOWER } from '../../wire/name.ts';
import { type RecordIndex, SECTION } from '../../wire/record-index.ts';
import { RRTYPE } from '../../wire/types.ts';

/** Aliases that are followed; an answer with more has strays. */
const MAX_CHAIN = 32;

/** Where the names of the chain stand in the message. Reused. */
const chain = new Int32Array(MAX_CHAIN);
let chainLength = 0;

/**
 * Marks records of the answer section that are not in the question's chain of CNAME and DNAME.
 *
 * @param bytes checked message that starts at 0; pointers go backwards
 * @param strays gets 1 at the number of each stray, 0 at the others; at least as long as the index
 * @returns how many there are
 */
export function markStrays(bytes: Uint8Array, qnameAt: number, index: RecordIndex, strays: Uint8Array): number {
  const answers = index.counts[0]!;
  chain[0] = qnameAt;
  chainLength = 1;
  let left = 0;
  for (let i = 0; i < index.count; i++) {
    strays[i] = index.section(i) === SECTION.ANSWER ? 1 : 0;
    left += strays[i]!;
  }
  // Aliases come in the order of the chain nearly always; any other order takes a pass for each.
  for (let pass = 0; left > 0 && pass <= answers && pass < MAX_CHAIN; pass++) {
    const before = left;
    for (let i = 0; i < index.count; i++) {
      if (strays[i] === 0 || !belongs(bytes, index, i)) continue;
      strays[i] = 0;
      left--;
    }
    if (left === before) break;
  }
  return left;
}

function belongs(bytes: Uint8Array, index: RecordIndex, record: number): boolean {
  const ownerAt = index.ownerAt(record);
  const type = index.type(record);
  for (let i = 0; i < chainLength; i++) {
    const isMember = equalNames(bytes, ownerAt, chain[i]!);
    if (isMember) {
      if (type === RRTYPE.CNAME && chainLength < MAX_CHAIN) chain[chainLength++] = index.rdataAt(record);
      return true;
    }
    // A DNAME, and its signature, stand above the name that it redirects (RFC 6672 section 3).
    if ((type === RRTYPE.DNAME || type === RRTYPE.RRSIG) && isBelow(bytes, chain[i]!, ownerAt)) return true;
  }
  return false;
}

/** Follows pointers to where a label is written out. */
function follow(bytes: Uint8Array, at: number): number {
  while (bytes[at]! >= 0xc0) at = ((bytes[at]! & 0x3f) << 8) | bytes[at + 1]!;
  return at;
}

function equalNames(bytes: Uint8Array, left: number, right: number): boolean {
  for (;;) {
    left = follow(bytes, left);
    right = follow(bytes, right);
    if (left === right) return true;
    const length = bytes[left]!;
    if (length !== bytes[right]) return false;
    if (length === 0) return true;
    for (let i = 1; i <= length; i++) if (LOWER[bytes[left + i]!] !== LOWER[bytes[right + i]!]) return false;
    left += length + 1;
    right += length + 1;
  }
}

/** Whether `name` is below `zone`. */
function isBelow(bytes: Uint8Array, name: number, zone: number): boolean {
  for (;;) {
    name = follow(bytes, name);
    if (bytes[name] === 0) return false;
    name += bytes[name]! + 1;
    if (equalNames(bytes, name, zone)) return true;
  }
}
