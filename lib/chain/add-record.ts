// Writes a record made from text into an answer: its names compressed where the type allows it. Worker, cold path.
import { nameLength } from '../wire/name.ts';
import { LAYOUT } from '../wire/rdata/codec.ts';
import { findLayout } from '../wire/rdata/registry.ts';
import type { ResourceRecord } from '../wire/record.ts';
import type { Section } from '../wire/record-index.ts';
import { CLASS } from '../wire/types.ts';
import type { Answer } from './answer.ts';
import { setLastClass } from './record-class.ts';

/** Appends the record to `section`; sections come in message order. Without room for it the answer is marked truncated. */
export function addRecord(answer: Answer, section: Section, record: ResourceRecord): void {
  const { rdata } = record;
  if (!answer.beginRecord(section, record.name, 0, record.type, record.ttlSeconds)) return;
  let at = 0;
  for (const step of findLayout(record.type, record.class) ?? []) {
    if (step >= LAYOUT.STRINGS) break;
    if (step === LAYOUT.NAME || step === LAYOUT.COMPRESSIBLE_NAME) {
      if (step === LAYOUT.NAME) answer.writePlainName(rdata, at);
      else answer.writeName(rdata, at);
      at += nameLength(rdata, at);
    } else {
      const size = step === LAYOUT.STRING ? rdata[at]! + 1 : step;
      answer.putBytes(rdata, at, size);
      at += size;
    }
  }
  answer.putBytes(rdata, at, rdata.length - at);
  const before = answer.records.count;
  answer.endRecord();
  if (record.class !== CLASS.IN && answer.records.count > before) setLastClass(answer, record.class);
}
