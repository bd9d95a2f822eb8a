// SkyDNS services in the store: what the source writes and the etcd plugin reads. Both kinds of thread.
import { nameLength } from '../wire/name.ts';

/** What the `host` of a service is. TEXT: no address, and a text instead. */
export const SERVICE_KIND = { IPV4: 1, IPV6: 2, NAME: 3, TEXT: 4 } as const;

/** LISTED: one of the services that a lookup of the name finds. TEXTS: the same for TXT. EXACT: it stands at this very name. */
export const SERVICE_FLAG = { LISTED: 1, TEXTS: 2, EXACT: 4, MAIL: 8 } as const;

/** First byte of a name's services: some of those that are listed are at host names. */
export const HAS_NAMES = 1;

export type ServiceRecord = {
  readonly kind: number;
  /** `SERVICE_FLAG` bits. */
  readonly flags: number;
  readonly ttlSeconds: number;
  readonly priority: number;
  readonly weight: number;
  readonly port: number;
  /** 4 or 16 bytes, or an absolute name in wire form; empty for TEXT. */
  readonly host: Uint8Array;
  /** The name that SRV, MX and NS records point to, absolute. */
  readonly target: Uint8Array;
  /** The name that the service stands at, absolute, lower case. */
  readonly name: Uint8Array;
  readonly text: Uint8Array;
};

/** Length 16, kind 8, flags 8, TTL 32, priority, weight, port 16 each, length of host 8. */
const FIXED_LENGTH = 15;
const TTL_AT = 4;

/** Bytes of an rrset of form SERVICES; `count` of it is the number of records. */
export function writeServiceRecords(records: readonly ServiceRecord[]): Uint8Array {
  const sizes = records.map(
    ({ host, target, name, text }) => FIXED_LENGTH + host.length + target.length + name.length + text.length,
  );
  const bytes = new Uint8Array(sizes.reduce((sum, size) => sum + size, 1));
  const view = new DataView(bytes.buffer);
  if (records.some(({ kind, flags }) => kind === SERVICE_KIND.NAME && (flags & SERVICE_FLAG.LISTED) !== 0)) {
    bytes[0] = HAS_NAMES;
  }
  let at = 1;
  records.forEach((record, i) => {
    view.setUint16(at, sizes[i]!);
    bytes[at + 2] = record.kind;
    bytes[at + 3] = record.flags;
    view.setUint32(at + TTL_AT, record.ttlSeconds);
    view.setUint16(at + 8, record.priority);
    view.setUint16(at + 10, record.weight);
    view.setUint16(at + 12, record.port);
    bytes[at + 14] = record.host.length;
    let to = at + FIXED_LENGTH;
    for (const part of [record.host, record.target, record.name, record.text]) {
      bytes.set(part, to);
      to += part.length;
    }
    at = to;
  });
  return bytes;
}

/** A record's parts without copying it: kind, flags, TTL, and where its address stands. */
export function serviceKindAt(bytes: Uint8Array, at: number): number {
  return bytes[at + 2]!;
}
export function serviceFlagsAt(bytes: Uint8Array, at: number): number {
  return bytes[at + 3]!;
}
export function serviceTtlAt(bytes: Uint8Array, at: number): number {
  const ttlAt = at + TTL_AT;
  return ((bytes[ttlAt]! << 24) | (bytes[ttlAt + 1]! << 16) | (bytes[ttlAt + 2]! << 8) | bytes[ttlAt + 3]!) >>> 0;
}
export function serviceHostAt(at: number): number {
  return at + FIXED_LENGTH;
}
/** Where the record after the one at `at` starts. */
export function nextServiceRecord(bytes: Uint8Array, at: number): number {
  return at + ((bytes[at]! << 8) | bytes[at + 1]!);
}

/** Copies `count` records that start at `bytes[at]`. For what needs more than addresses. */
export function readServiceRecords(bytes: Uint8Array, at: number, count: number): ServiceRecord[] {
  const records: ServiceRecord[] = [];
  for (let left = count; left > 0; left--) {
    const end = nextServiceRecord(bytes, at);
    const short = (offset: number): number => (bytes[at + offset]! << 8) | bytes[at + offset + 1]!;
    const targetAt = at + FIXED_LENGTH + bytes[at + 14]!;
    const nameAt = targetAt + nameLength(bytes, targetAt);
    const textAt = nameAt + nameLength(bytes, nameAt);
    records.push({
      kind: serviceKindAt(bytes, at),
      flags: serviceFlagsAt(bytes, at),
      ttlSeconds: serviceTtlAt(bytes, at),
      priority: short(8),
      weight: short(10),
      port: short(12),
      host: bytes.slice(at + FIXED_LENGTH, targetAt),
      target: bytes.slice(targetAt, nameAt),
      name: bytes.slice(nameAt, textAt),
      text: bytes.slice(textAt, end),
    });
    at = end;
  }
  return records;
}
