// Copies a record of another message into an answer: names are read through their pointers and compressed anew. Worker, cold path.
import { readName } from '../wire/name.ts';
import { LAYOUT } from '../wire/rdata/codec.ts';
import { findLayout } from '../wire/rdata/registry.ts';
import type { RecordIndex, Section } from '../wire/record-index.ts';
import { CLASS } from '../wire/types.ts';
import type { Answer } from './answer.ts';
import { setLastClass } from './record-class.ts';

/** Replaces names while a record is copied. Names are wire form; what is returned is used before the next call. */
export interface NameChanger {
  changeOwner(name: Uint8Array): Uint8Array;
  /** For the first name in the data of a record of `type`. */
  changeTarget(name: Uint8Array, type: number): Uint8Array;
}

const owner = new Uint8Array(256);
const target = new Uint8Array(256);

/**
 * Appends record `i` of a message to `section`; sections come in message order.
 *
 * @param bytes,base,index the message, as `indexMessage` or an answer describes it
 * @param changer asked for every owner and target; names stay as they are without it
 * @returns false when there was no room or a name is malformed; then nothing was added
 */
export function copyRecord(
  answer: Answer,
  section: Section,
  bytes: Uint8Array,
  base: number,
  index: RecordIndex,
  i: number,
  changer?: NameChanger,
): boolean {
  const end = index.endAt(i);
  if (readName(bytes, base, index.ownerAt(i), end, owner) === -1) return false;
  const start = answer.length;
  const ttlAt = base + index.ttlAt(i);
  const ttl = ((bytes[ttlAt]! << 24) | (bytes[ttlAt + 1]! << 16) | (bytes[ttlAt + 2]! << 8) | bytes[ttlAt + 3]!) >>> 0;
  const name = changer === undefined ? owner : changer.changeOwner(owner);
  if (!answer.beginRecord(section, name, 0, index.type(i), ttl)) return false;
  if (!copyRdata(answer, bytes, base, index.type(i), index.rdataAt(i), end, changer)) {
    answer.length = start;
    return false;
  }
  const before = answer.records.count;
  answer.endRecord();
  const recordClass = (bytes[ttlAt - 2]! << 8) | bytes[ttlAt - 1]!;
  if (recordClass !== CLASS.IN && answer.records.count > before) setLastClass(answer, recordClass);
  return true;
}

function copyRdata(
  answer: Answer,
  bytes: Uint8Array,
  base: number,
  type: number,
  at: number,
  end: number,
  changer: NameChanger | undefined,
): boolean {
  const layout = findLayout(type, CLASS.IN);
  let isFirst = true;
  for (const step of layout ?? []) {
    if (step >= LAYOUT.STRINGS) break;
    if (step === LAYOUT.NAME || step === LAYOUT.COMPRESSIBLE_NAME) {
      at = readName(bytes, base, at, end, target);
      if (at === -1) return false;
      const name = isFirst && changer !== undefined ? changer.changeTarget(target, type) : target;
      isFirst = false;
      if (step === LAYOUT.NAME) answer.writePlainName(name);
      else answer.writeName(name);
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
