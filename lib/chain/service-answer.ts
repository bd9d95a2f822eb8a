// SRV and NS answers with their glue, and PTR answers: the store's forms turned into records. Worker.
import type { StoreReader } from '../store/reader.ts';
import { PTR_KIND } from '../store/rrset-form.ts';
import { MAX_NAME_LENGTH } from '../wire/name.ts';
import { SECTION } from '../wire/record-index.ts';
import { RRTYPE } from '../wire/types.ts';
import type { Answer } from './answer.ts';
import type { Query } from './query.ts';

const MAX_POINTER = 0x3fff;

/** Where each target's name was written, for the owners of its glue. Grows to the largest answer seen. */
let targetAt = new Int32Array(256);
const targetName = new Uint8Array(MAX_NAME_LENGTH + 1);

/**
 * Answers from an rrset of form SERVICE or NAME_SERVERS: records in the answer section, addresses of their targets in the
 * additional section. Targets are the stored labels, then the end of the asked name: its relative part in lower case, its
 * zone as the client spelled it.
 *
 * @param zoneLabel index of the zone's first label in the asked name
 * @param firstLabel index of the label that the stored labels stand in front of: 0 but for names that are a selection
 */
export function addServiceRecords(
  query: Query,
  answer: Answer,
  store: StoreReader,
  rrset: number,
  zoneLabel: number,
  ttlSeconds: number,
  firstLabel = 0,
): void {
  const { bytes } = store;
  const start = store.bytesAt(rrset);
  const tailAt = query.labelAt[bytes[start]! + firstLabel]!;
  const zoneAt = query.labelAt[zoneLabel]!;
  const isNameServers = store.rrsetType(rrset) === RRTYPE.NS;
  const targets = (bytes[start + 2]! << 8) | bytes[start + 3]!;
  if (targets > targetAt.length) targetAt = new Int32Array(targets * 2);
  let at = start + 4;
  for (let i = 0; i < targets; i++) {
    const prefixAt = at + 1;
    const prefixLength = bytes[at]!;
    at = prefixAt + prefixLength;
    const ports = bytes[at++]!;
    const fits = prefixLength + query.nameLength - tailAt <= MAX_NAME_LENGTH;
    targetAt[i] = -1;
    if (fits && isNameServers)
      targetAt[i] = addNs(query, answer, bytes, prefixAt, prefixLength, tailAt, zoneAt, ttlSeconds);
    for (let port = 0; port < ports; port++, at += 4) {
      if (fits) targetAt[i] = addSrv(query, answer, bytes, at, prefixAt, prefixLength, tailAt, zoneAt, ttlSeconds);
    }
    at = skipGlue(bytes, at);
  }
  addGlue(query, answer, bytes, start + 4, targets, tailAt, zoneAt, ttlSeconds);
}

function skipGlue(bytes: Uint8Array, at: number): number {
  at += 1 + bytes[at]! * 4;
  return at + 1 + bytes[at]! * 16;
}

/** Writes a target's name without pointers (RFC 2782); returns its offset. */
function writeTarget(
  query: Query,
  answer: Answer,
  bytes: Uint8Array,
  prefixAt: number,
  prefixLength: number,
  tailAt: number,
  zoneAt: number,
): number {
  const at = answer.length;
  answer.putBytes(bytes, prefixAt, prefixLength);
  if (tailAt < zoneAt) answer.putBytes(query.name, tailAt, zoneAt - tailAt);
  answer.putBytes(query.rawName, zoneAt, query.nameLength - zoneAt);
  return at;
}

function addSrv(
  query: Query,
  answer: Answer,
  bytes: Uint8Array,
  portAt: number,
  prefixAt: number,
  prefixLength: number,
  tailAt: number,
  zoneAt: number,
  ttlSeconds: number,
): number {
  if (!answer.beginRecordAt(SECTION.ANSWER, 12, RRTYPE.SRV, ttlSeconds)) return -1;
  answer.putShort(0);
  answer.putBytes(bytes, portAt, 4);
  const target = writeTarget(query, answer, bytes, prefixAt, prefixLength, tailAt, zoneAt);
  answer.endRecord();
  return target;
}

function addNs(
  query: Query,
  answer: Answer,
  bytes: Uint8Array,
  prefixAt: number,
  prefixLength: number,
  tailAt: number,
  zoneAt: number,
  ttlSeconds: number,
): number {
  if (!answer.beginRecordAt(SECTION.ANSWER, 12, RRTYPE.NS, ttlSeconds)) return -1;
  const target = writeTarget(query, answer, bytes, prefixAt, prefixLength, tailAt, zoneAt);
  answer.endRecord();
  return target;
}

/** Second walk over the targets: addresses, owned by the names written in the first. */
function addGlue(
  query: Query,
  answer: Answer,
  bytes: Uint8Array,
  at: number,
  targets: number,
  tailAt: number,
  zoneAt: number,
  ttlSeconds: number,
): void {
  for (let i = 0; i < targets; i++) {
    const prefixAt = at + 1;
    const prefixLength = bytes[at]!;
    at = prefixAt + prefixLength;
    at += 1 + bytes[at]! * 4;
    const owner = targetAt[i]!;
    const nameLength = prefixLength + query.nameLength - tailAt;
    for (let size = 4; size <= 16; size += 12) {
      const type = size === 4 ? RRTYPE.A : RRTYPE.AAAA;
      for (let left = bytes[at++]!; left > 0; left--, at += size) {
        if (owner === -1) continue;
        if (owner <= MAX_POINTER) {
          if (!answer.addAddressAt(SECTION.ADDITIONAL, owner, nameLength, type, ttlSeconds, bytes, at, size)) return;
          continue;
        }
        makeTarget(query, bytes, prefixAt, prefixLength, tailAt, zoneAt);
        if (!answer.beginRecord(SECTION.ADDITIONAL, targetName, 0, type, ttlSeconds)) return;
        answer.putBytes(bytes, at, size);
        answer.endRecord();
      }
    }
  }
}

function makeTarget(
  query: Query,
  bytes: Uint8Array,
  prefixAt: number,
  prefixLength: number,
  tailAt: number,
  zoneAt: number,
): void {
  let to = 0;
  for (let i = 0; i < prefixLength; i++) targetName[to++] = bytes[prefixAt + i]!;
  for (let i = tailAt; i < zoneAt; i++) targetName[to++] = query.name[i]!;
  for (let i = zoneAt; i < query.nameLength; i++) targetName[to++] = query.rawName[i]!;
}

/**
 * Answers from an rrset of form POINTERS: the first Service at the address, else every endpoint there.
 * @param zone primary zone in wire form, appended to each target
 * @param hostnameOnly endpoints without a host name of their own only where there is none with one; these stand first then
 */
export function addPointers(
  answer: Answer,
  store: StoreReader,
  rrset: number,
  zone: Uint8Array,
  ttlSeconds: number,
  hostnameOnly = false,
): void {
  const { bytes } = store;
  const start = store.bytesAt(rrset);
  const end = start + store.byteLength(rrset);
  for (let at = start; at < end; at += 2 + bytes[at + 1]!) {
    if (bytes[at] !== PTR_KIND.SERVICE) continue;
    addPointer(answer, bytes, at, zone, ttlSeconds);
    return;
  }
  const kind = hostnameOnly ? bytes[start]! : PTR_KIND.ENDPOINT;
  for (let at = start; at < end; at += 2 + bytes[at + 1]!) {
    if (kind === PTR_KIND.HOSTNAME && bytes[at] !== kind) return;
    addPointer(answer, bytes, at, zone, ttlSeconds);
  }
}

function addPointer(answer: Answer, bytes: Uint8Array, at: number, zone: Uint8Array, ttlSeconds: number): void {
  const length = bytes[at + 1]!;
  if (length + zone.length > MAX_NAME_LENGTH) return;
  if (!answer.beginRecordAt(SECTION.ANSWER, 12, RRTYPE.PTR, ttlSeconds)) return;
  answer.putBytes(bytes, at + 2, length);
  answer.putBytes(zone, 0, zone.length);
  answer.endRecord();
}
