// Puts the records of one section into another order without changing any of them. Worker.
import type { Answer } from '../../chain/answer.ts';
import { copyRecord } from '../../chain/copy-record.ts';
import { RecordIndex, type Section } from '../../wire/record-index.ts';

/** Bytes of an owner that is a pointer, type and class: what stands between a record's start and its TTL. */
const POINTER_OWNER_HEAD = 6;

const scratchIndex = new RecordIndex();
let scratchBytes = new Uint8Array(4096);

/** First record of a section. */
export function sectionStart(answer: Answer, section: Section): number {
  const { counts } = answer.records;
  let start = 0;
  for (let i = 0; i < section; i++) start += counts[i]!;
  return start;
}

/** Whether records `first .. end` have the same owner, written as the same pointer. */
export function haveSameOwner(answer: Answer, first: number, end: number): boolean {
  const { bytes, base, records } = answer;
  const owner = base + records.ownerAt(first);
  for (let i = first; i < end; i++) {
    const at = base + records.ownerAt(i);
    if (records.ttlAt(i) - records.ownerAt(i) !== POINTER_OWNER_HEAD) return false;
    if (bytes[at] !== bytes[owner] || bytes[at + 1] !== bytes[owner + 1]) return false;
  }
  return true;
}

/** Exchanges TTL and RDATA of two records of equal owner, type and length: no name moves, so no pointer breaks. */
export function swapContents(answer: Answer, i: number, j: number): void {
  const { bytes, base, records } = answer;
  let a = base + records.ttlAt(i);
  let b = base + records.ttlAt(j);
  for (const end = a + 6 + records.rdataLength(i); a < end; a++, b++) {
    const kept = bytes[a]!;
    bytes[a] = bytes[b]!;
    bytes[b] = kept;
  }
}

/**
 * Puts records `first .. first + count` of `section` into the order of `order[0 .. count)`, whose entries are record
 * numbers.
 *
 * @param addressesOnly whether all of them are A and AAAA, so that no name stands in their RDATA
 */
export function applyOrder(
  answer: Answer,
  section: Section,
  first: number,
  count: number,
  order: Int32Array,
  addressesOnly: boolean,
): void {
  let isSame = true;
  for (let i = 0; i < count; i++) if (order[i] !== first + i) isSame = false;
  if (isSame) return;
  if (addressesOnly && first + count === answer.records.count && pointBefore(answer, first)) {
    permuteTail(answer, section, first, count, order);
  } else rebuild(answer, first, count, order);
}

/** Whether every record from `first` on has a pointer as owner that leads to before them. */
function pointBefore(answer: Answer, first: number): boolean {
  const { bytes, base, records } = answer;
  const start = records.ownerAt(first);
  for (let i = first; i < records.count; i++) {
    const at = base + records.ownerAt(i);
    if (bytes[at]! < 0xc0 || (((bytes[at]! & 0x3f) << 8) | bytes[at + 1]!) >= start) return false;
  }
  return true;
}

/** Keeps the message in `scratchBytes` and its records in `scratchIndex`. */
function keepCopy(answer: Answer): void {
  if (scratchBytes.length < answer.length) scratchBytes = new Uint8Array(65_535);
  const { bytes, base, length } = answer;
  for (let i = 0; i < length; i++) scratchBytes[i] = bytes[base + i]!;
  scratchIndex.copyFrom(answer.records);
}

/** The last records of the message, moved as bytes. */
function permuteTail(answer: Answer, section: Section, first: number, count: number, order: Int32Array): void {
  keepCopy(answer);
  const { bytes, base, records } = answer;
  let to = records.ownerAt(first);
  records.truncate(first);
  for (let i = 0; i < count; i++) {
    const record = order[i]!;
    const from = scratchIndex.ownerAt(record);
    const end = scratchIndex.endAt(record);
    records.push(
      section,
      to,
      scratchIndex.type(record),
      to + scratchIndex.ttlAt(record) - from,
      scratchIndex.rdataLength(record),
    );
    for (let at = from; at < end; at++) bytes[base + to++] = scratchBytes[at]!;
  }
}

/** Any records: written anew, names compressed again. */
function rebuild(answer: Answer, first: number, count: number, order: Int32Array): void {
  keepCopy(answer);
  const { rcode, authoritative, recursionAvailable, authenticData, truncated } = answer;
  const { ede, edeText, options, plugin, live } = answer;
  answer.reset();
  Object.assign(answer, { rcode, authoritative, recursionAvailable, authenticData, truncated });
  Object.assign(answer, { ede, edeText, options, plugin, live });
  for (let i = 0; i < scratchIndex.count; i++) {
    const record = i >= first && i < first + count ? order[i - first]! : i;
    copyRecord(answer, scratchIndex.section(i), scratchBytes, 0, scratchIndex, record);
  }
}
