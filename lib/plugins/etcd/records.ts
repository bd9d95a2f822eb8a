// Turns services into records of the answer. Worker.
import type { Answer } from '../../chain/answer.ts';
import type { Query } from '../../chain/query.ts';
import {
  nextServiceRecord,
  SERVICE_FLAG,
  SERVICE_KIND,
  serviceFlagsAt,
  serviceHostAt,
  serviceKindAt,
  type ServiceRecord,
  serviceTtlAt,
} from '../../chain/service-record.ts';
import type { StoreReader } from '../../store/reader.ts';
import { SECTION, type Section } from '../../wire/record-index.ts';
import { RRTYPE } from '../../wire/types.ts';
import type { ServiceLookup } from './service-lookup.ts';

/** Where the question's name stands in a message. */
export const QUESTION_AT = 12;

const SOA_TTL_SECONDS = 30;
const REFRESH_SECONDS = 7200;
const RETRY_SECONDS = 1800;
const EXPIRE_SECONDS = 86_400;
const NS_LABELS = Buffer.from('\x02ns\x03dns', 'latin1');
const HOSTMASTER_LABEL = Buffer.from('\x0ahostmaster', 'latin1');
const MAX_STRING = 255;

/** Addresses of the services found, each once. @param size 4 (A) or 16 (AAAA) */
export function addDistinctAddresses(answer: Answer, store: StoreReader, lookup: ServiceLookup, size: 4 | 16): void {
  if (lookup.hasNames) {
    const kind = size === 4 ? SERVICE_KIND.IPV4 : SERVICE_KIND.IPV6;
    for (const record of lookup.read(SERVICE_FLAG.LISTED)) {
      if (record.kind === kind) addOnce(answer, record.ttlSeconds, size, record.host, 0);
    }
    return;
  }
  const { bytes } = store;
  const kind = size === 4 ? SERVICE_KIND.IPV4 : SERVICE_KIND.IPV6;
  let at = store.bytesAt(lookup.rrset) + 1;
  for (let left = store.recordCount(lookup.rrset); left > 0; left--) {
    if (serviceKindAt(bytes, at) === kind && (serviceFlagsAt(bytes, at) & SERVICE_FLAG.LISTED) !== 0) {
      addOnce(answer, serviceTtlAt(bytes, at), size, bytes, serviceHostAt(at));
    }
    at = nextServiceRecord(bytes, at);
  }
}

function addOnce(answer: Answer, ttlSeconds: number, size: number, from: Uint8Array, at: number): void {
  const { records, bytes, base } = answer;
  for (let i = 0; i < records.count; i++) {
    const data = base + records.rdataAt(i);
    let same = 0;
    while (same < size && bytes[data + same] === from[at + same]) same++;
    if (same === size) return;
  }
  answer.addAddresses(ttlSeconds, size, from, at, 1);
}

/** TXT records, each text once, in strings of at most 255 bytes. */
export function addTexts(answer: Answer, services: readonly ServiceRecord[]): void {
  const seen = new Set<string>();
  for (const { kind, text, ttlSeconds } of services) {
    const key = Buffer.from(text).toString('latin1');
    if (kind !== SERVICE_KIND.TEXT || seen.has(key)) continue;
    seen.add(key);
    if (!answer.beginRecordAt(SECTION.ANSWER, QUESTION_AT, RRTYPE.TXT, ttlSeconds)) return;
    for (let at = 0; at < text.length; at += MAX_STRING) {
      const length = Math.min(MAX_STRING, text.length - at);
      answer.putByte(length);
      answer.putBytes(text, at, length);
    }
    answer.endRecord();
  }
}

/** The zone's SOA record. @param zoneLabel index of the zone's first label in the asked name */
export function addSoa(query: Query, answer: Answer, section: Section, zoneLabel: number, serial: number): void {
  const zoneAt = QUESTION_AT + query.labelAt[zoneLabel]!;
  if (!answer.beginRecordAt(section, zoneAt, RRTYPE.SOA, SOA_TTL_SECONDS)) return;
  for (const labels of [NS_LABELS, HOSTMASTER_LABEL]) {
    answer.putBytes(labels, 0, labels.length);
    answer.putShort(0xc000 | zoneAt);
  }
  for (const number of [serial, REFRESH_SECONDS, RETRY_SECONDS, EXPIRE_SECONDS, SOA_TTL_SECONDS])
    answer.putLong(number);
  answer.endRecord();
}
