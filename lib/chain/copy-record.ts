// Copies a record of another message into an answer: names are read through their pointers and compressed anew. Worker, cold path.
import { readName } from '../wire/name.ts';
import { LAYOUT } from '../wire/rdata/codec.ts';
import { findLayout } from '../wire/rdata/registry.ts';
import type { RecordIndex, Section } from '../wire/record-index.ts';
import { CLASS } from '../wire/types.ts';
import type { Answer } from './answer.ts';

const owner = new Uint8Array(256);
const target = new Uint8Array(256);

/**
 * Appends record `i` of a message to `section`; sections come in message order.
 *
 * @param bytes,base,index the message, as `indexMessage` or an answer describes it
 * @returns false when there was no room or a name is malformed; then nothing was added
 */
export function copyRecord(
  answer: Answer,
  section: Section,
  bytes: Uint8Array,
  base: number,
  index: RecordIndex,
  i: number,
): boolean {
  const end = index.endAt(i);
  if (readName(bytes, base, index.ownerAt(i), end, owner) === -1) return false;
  const start = answer.length;
  const ttlAt = base + index.ttlAt(i);
  const ttl = ((bytes[ttlAt]! << 24) | (bytes[ttlAt + 1]! << 16) | (bytes[ttlAt + 2]! << 8) | bytes[ttlAt + 3]!) >>> 0;
  if (!answer.beginRecord(section, owner, 0, index.type(i), ttl)) return false;
  if (!copyRdata(answer, bytes, base, index.type(i), index.rdataAt(i), end)) {
    answer.length = start;
    return false;
  }
  answer.endRecord();
  return true;
}

function copyRdata(answer: Answer, bytes: Uint8Array, base: number, type: number, at: number, end: number): boolean {
  const layout = findLayout(type, CLASS.IN);
  for (const step of layout ?? []) {
    if (step >= LAYOUT.STRINGS) break;
    if (step === LAYOUT.NAME || step === LAYOUT.COMPRESSIBLE_NAME) {
      at = readName(bytes, base, at, end, target);
      if (at === -1) return false;
      if (step === LAYOUT.NAME) answer.writePlainName(target);
      else answer.writeName(target);
    } else {
      const size = step === LAYOUT.STRING ? bytes[base + at]! + 1 : step;
      if (at + size > end) return false;
      answer.putBytes(bytes, base + at, size);
      at += size;
    }
  }
  answer.putBytes(bytes, base + at, end - at);
  return true;
}
