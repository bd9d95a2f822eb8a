// TSIG records (RFC 8945): reading, message authentication codes, writing. Pure; either kind of thread.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { formatName, lowerName, MAX_NAME_LENGTH, nameLength, readName } from './name.ts';
import { CLASS, RRTYPE } from './types.ts';

/** Hash and length of the code in bytes, by the algorithm's name (RFC 8945 section 6). */
const ALGORITHMS: Readonly<Record<string, { readonly hash: string; readonly sizeBytes: number }>> = {
  'hmac-md5.sig-alg.reg.int.': { hash: 'md5', sizeBytes: 16 },
  'hmac-sha1.': { hash: 'sha1', sizeBytes: 20 },
  'hmac-sha224.': { hash: 'sha224', sizeBytes: 28 },
  'hmac-sha256.': { hash: 'sha256', sizeBytes: 32 },
  'hmac-sha384.': { hash: 'sha384', sizeBytes: 48 },
  'hmac-sha512.': { hash: 'sha512', sizeBytes: 64 },
};

/** Bytes between owner and RDATA of a record. */
const FIXED_LENGTH = 10;
/** Of RDATA without names, code and other data: time 6, fudge, code length, ID, error, other length 2 each. */
const FIXED_RDATA = 16;
const HEADER_LENGTH = 12;
const ARCOUNT_AT = 10;

export type TsigRecord = {
  /** Wire form, lower case. */
  readonly keyName: Uint8Array;
  /** Wire form, lower case. */
  readonly algorithm: Uint8Array;
  /** Seconds since 1970. */
  readonly timeSeconds: number;
  readonly fudgeSeconds: number;
  readonly mac: Uint8Array;
  readonly originalId: number;
  readonly error: number;
  readonly other: Uint8Array;
};

/**
 * Reads the TSIG record whose owner stands at `packet[base + at]`.
 *
 * @param end offset after the message, from `base`
 * @returns undefined when it is malformed: class, TTL or lengths are not as they must be, or bytes follow
 */
export function readTsig(packet: Uint8Array, base: number, at: number, end: number): TsigRecord | undefined {
  const keyName = new Uint8Array(MAX_NAME_LENGTH + 1);
  const ownerEnd = readName(packet, base, at, end, keyName);
  if (ownerEnd === -1 || ownerEnd + FIXED_LENGTH > end) return undefined;
  const view = new DataView(packet.buffer, packet.byteOffset + base, end);
  const dataAt = ownerEnd + FIXED_LENGTH;
  const dataEnd = dataAt + view.getUint16(ownerEnd + 8);
  // Section 4.2: class ANY, TTL 0.
  if (view.getUint16(ownerEnd + 2) !== CLASS.ANY || view.getUint32(ownerEnd + 4) !== 0) return undefined;
  if (dataEnd > end) return undefined;
  const algorithm = new Uint8Array(MAX_NAME_LENGTH + 1);
  const fieldsAt = readName(packet, base, dataAt, dataEnd, algorithm);
  if (fieldsAt === -1 || fieldsAt + FIXED_RDATA > dataEnd) return undefined;
  const macAt = fieldsAt + 10;
  const macLength = view.getUint16(fieldsAt + 8);
  const afterMac = macAt + macLength;
  if (afterMac + 6 > dataEnd) return undefined;
  const otherLength = view.getUint16(afterMac + 4);
  if (afterMac + 6 + otherLength !== dataEnd) return undefined;
  const slice = (from: number, length: number): Uint8Array =>
    Uint8Array.from(packet.subarray(base + from, base + from + length));
  return {
    keyName: trimName(keyName),
    algorithm: trimName(algorithm),
    timeSeconds: view.getUint16(fieldsAt) * 2 ** 32 + view.getUint32(fieldsAt + 2),
    fudgeSeconds: view.getUint16(fieldsAt + 6),
    mac: slice(macAt, macLength),
    originalId: view.getUint16(afterMac),
    error: view.getUint16(afterMac + 2),
    other: slice(afterMac + 6, otherLength),
  };
}

function trimName(name: Uint8Array): Uint8Array {
  const trimmed = name.slice(0, nameLength(name));
  lowerName(trimmed);
  return trimmed;
}

/** Length of the algorithm's code in bytes; undefined for an algorithm that is not known. */
export function findMacLength(algorithm: Uint8Array): number | undefined {
  return ALGORITHMS[formatName(algorithm)]?.sizeBytes;
}

/**
 * The code of a message (section 4.3).
 *
 * @param parts what is digested, in order
 * @throws Error for an algorithm that is not known: ask `findMacLength` first
 */
export function computeMac(secret: Uint8Array, algorithm: Uint8Array, parts: readonly Uint8Array[]): Uint8Array {
  const known = ALGORITHMS[formatName(algorithm)];
  if (known === undefined) throw new Error('TSIG algorithm is not known');
  const hmac = createHmac(known.hash, secret);
  for (const part of parts) hmac.update(part);
  return hmac.digest();
}

/** Compares two codes in a time that does not tell where they differ. */
export function equalMacs(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

/** The header as it was before the TSIG record was added: ID of the sender, one additional record less (section 4.3.2). */
export function headerWithoutTsig(packet: Uint8Array, base: number, originalId: number): Uint8Array {
  // A copy also of a Buffer, whose own slice is a view.
  const header = Uint8Array.from(packet.subarray(base, base + HEADER_LENGTH));
  const view = new DataView(header.buffer);
  view.setUint16(0, originalId);
  view.setUint16(ARCOUNT_AT, view.getUint16(ARCOUNT_AT) - 1);
  return header;
}

/** The variables of a record that its code covers (section 4.3.3). */
export function tsigVariables(record: Omit<TsigRecord, 'mac' | 'originalId'>): Uint8Array {
  const { keyName, algorithm, other } = record;
  const bytes = new Uint8Array(keyName.length + 6 + algorithm.length + 12 + other.length);
  const view = new DataView(bytes.buffer);
  bytes.set(keyName, 0);
  let at = keyName.length;
  view.setUint16(at, CLASS.ANY);
  bytes.set(algorithm, at + 6);
  at += 6 + algorithm.length;
  putTimers(view, at, record.timeSeconds, record.fudgeSeconds);
  view.setUint16(at + 8, record.error);
  view.setUint16(at + 10, other.length);
  bytes.set(other, at + 12);
  return bytes;
}

/** What the codes of the second and later messages of a reply cover instead (section 5.3.1). */
export function tsigTimers(timeSeconds: number, fudgeSeconds: number): Uint8Array {
  const bytes = new Uint8Array(8);
  putTimers(new DataView(bytes.buffer), 0, timeSeconds, fudgeSeconds);
  return bytes;
}

function putTimers(view: DataView, at: number, timeSeconds: number, fudgeSeconds: number): void {
  view.setUint16(at, Math.floor(timeSeconds / 2 ** 32));
  view.setUint32(at + 2, timeSeconds >>> 0);
  view.setUint16(at + 6, fudgeSeconds);
}

/** A code with its length before it, as the next message's code covers it. */
export function prefixedMac(mac: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(2 + mac.length);
  bytes[0] = mac.length >>> 8;
  bytes[1] = mac.length;
  bytes.set(mac, 2);
  return bytes;
}

/** Bytes of a record in a message. */
export function tsigLength(keyName: Uint8Array, algorithm: Uint8Array, macLength: number, otherLength: number): number {
  return keyName.length + FIXED_LENGTH + algorithm.length + FIXED_RDATA + macLength + otherLength;
}

/** Writes the record at `bytes[at]`, where `tsigLength` bytes are free. Returns the offset after it. */
export function writeTsig(bytes: Uint8Array, at: number, record: TsigRecord): number {
  const { keyName, algorithm, mac, other } = record;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  bytes.set(keyName, at);
  let to = at + keyName.length;
  view.setUint16(to, RRTYPE.TSIG);
  view.setUint16(to + 2, CLASS.ANY);
  view.setUint32(to + 4, 0);
  view.setUint16(to + 8, algorithm.length + FIXED_RDATA + mac.length + other.length);
  to += FIXED_LENGTH;
  bytes.set(algorithm, to);
  to += algorithm.length;
  putTimers(view, to, record.timeSeconds, record.fudgeSeconds);
  view.setUint16(to + 8, mac.length);
  bytes.set(mac, to + 10);
  to += 10 + mac.length;
  view.setUint16(to, record.originalId);
  view.setUint16(to + 2, record.error);
  view.setUint16(to + 4, other.length);
  bytes.set(other, to + 6);
  return to + 6 + other.length;
}
