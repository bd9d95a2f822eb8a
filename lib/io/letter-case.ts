// A question's name in letters of random case: what a forger has to guess besides port and ID (0x20). Worker.
//
// draft-vixie-dnsext-dns0x20: servers copy the question as it is, so a genuine reply has the same letters. A name of twenty letters
// makes a guess a million times harder. Some servers do not keep the case: what becomes of their replies is in upstream-udp.ts.
import { randomUint32 } from './random.ts';

const QUESTION_AT = 12;
const CASE_BIT = 0x20;
const WORD_BITS = 32;

/** A copy of the message with the letters of its question's name in random case. The message must have a checked question. */
export function mixLetterCase(message: Uint8Array): Uint8Array {
  const mixed = message.slice();
  let bits = 0;
  let left = 0;
  for (let at = QUESTION_AT; mixed[at] !== 0; ) {
    for (const end = at + mixed[at]! + 1; ++at < end; ) {
      if (!isLetter(mixed[at]!)) continue;
      if (left === 0) {
        bits = randomUint32();
        left = WORD_BITS;
      }
      if ((bits & 1) !== 0) mixed[at]! ^= CASE_BIT;
      bits >>>= 1;
      left--;
    }
  }
  return mixed;
}

function isLetter(byte: number): boolean {
  const upper = byte & ~CASE_BIT;
  return upper >= 0x41 && upper <= 0x5a;
}
