// Keys that sign RRsets, and the signatures they make (RFC 4034 section 3). Pure; both kinds of thread.
import { createPrivateKey, createPublicKey, type JsonWebKey, type KeyObject, sign, verify } from 'node:crypto';
import { countLabels } from '../name.ts';
import { RdataWriter } from '../rdata/codec.ts';
import { CLASS } from '../types.ts';
import type { Rrset } from './canonical-rrset.ts';

type Algorithm = {
  readonly name: string;
  /** undefined where the algorithm hashes by itself. */
  readonly hash: string | undefined;
  readonly curve?: string;
};

/** By number (RFC 8624 section 3.1). */
const ALGORITHMS: Readonly<Record<number, Algorithm>> = {
  5: { name: 'RSASHA1', hash: 'sha1' },
  7: { name: 'RSASHA1-NSEC3-SHA1', hash: 'sha1' },
  8: { name: 'RSASHA256', hash: 'sha256' },
  10: { name: 'RSASHA512', hash: 'sha512' },
  13: { name: 'ECDSAP256SHA256', hash: 'sha256', curve: 'P-256' },
  14: { name: 'ECDSAP384SHA384', hash: 'sha384', curve: 'P-384' },
  15: { name: 'ED25519', hash: undefined, curve: 'Ed25519' },
  16: { name: 'ED448', hash: undefined, curve: 'Ed448' },
};
const SUPPORTED: string = Object.entries(ALGORITHMS)
  .map(([number, { name }]) => `${number} (${name})`)
  .join(', ');

/** Offset of the public key in DNSKEY data, behind flags, protocol and algorithm. */
const PUBLIC_KEY_AT = 4;
const ZONE_KEY_FLAG = 0x0100;
const SECURE_ENTRY_FLAG = 0x0001;
const WILDCARD = 0x2a;

/** A key pair as plain data. */
export type SigningKeyData = {
  /** Owner of the DNSKEY record, wire form, lower case. */
  readonly owner: Uint8Array;
  readonly ttlSeconds: number;
  /** Data of the DNSKEY record. */
  readonly dnskey: Uint8Array;
  /** PKCS #8 in DER. */
  readonly privateKey: Uint8Array;
};

/** What signatures say besides the records. Times in seconds since 1970. */
export type SignatureTerms = {
  /** Zone that the key is in, wire form, lower case. */
  readonly signer: Uint8Array;
  readonly originalTtlSeconds: number;
  readonly inceptionSeconds: number;
  readonly expirationSeconds: number;
};

/** A text that is no key pair; the message says why. */
export class SigningKeyError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'SigningKeyError';
  }
}

export class SigningKey {
  /** Data of the DNSKEY record. */
  readonly dnskey: Uint8Array;
  readonly ttlSeconds: number;
  readonly tag: number;
  readonly #algorithm: Algorithm;
  readonly #key: KeyObject;

  constructor({ dnskey, ttlSeconds, privateKey }: SigningKeyData) {
    this.dnskey = dnskey;
    this.ttlSeconds = ttlSeconds;
    this.tag = keyTag(dnskey);
    this.#algorithm = ALGORITHMS[dnskey[3]!]!;
    this.#key = createPrivateKey({ key: Buffer.from(privateKey), format: 'der', type: 'pkcs8' });
  }

  /** Whether the key may sign a zone's records but is no entry point. */
  get isZoneSigning(): boolean {
    return (flagsOf(this.dnskey) & (ZONE_KEY_FLAG | SECURE_ENTRY_FLAG)) === ZONE_KEY_FLAG;
  }

  /** Whether the key is one that a parent's DS record points to. */
  get isKeySigning(): boolean {
    const both = ZONE_KEY_FLAG | SECURE_ENTRY_FLAG;
    return (flagsOf(this.dnskey) & both) === both;
  }

  /** Data of the RRSIG record for `rrset` (RFC 4034 section 3.1.8.1). */
  sign(rrset: Rrset, terms: SignatureTerms): Uint8Array {
    const { owner, type, rdatas } = rrset;
    const to = new RdataWriter();
    to.uint(type, 2);
    to.uint(this.dnskey[3]!, 1);
    to.uint(countLabels(owner) - (isWildcard(owner) ? 1 : 0), 1);
    to.uint(terms.originalTtlSeconds, 4);
    to.uint(terms.expirationSeconds, 4);
    to.uint(terms.inceptionSeconds, 4);
    to.uint(this.tag, 2);
    to.append(terms.signer);
    const fields = to.finish();
    const fixed = new Uint8Array(10);
    const view = new DataView(fixed.buffer);
    view.setUint16(0, type);
    view.setUint16(2, CLASS.IN);
    view.setUint32(4, terms.originalTtlSeconds);
    const parts: Uint8Array[] = [fields];
    for (const rdata of rdatas) {
      view.setUint16(8, rdata.length);
      parts.push(owner, fixed.slice(), rdata);
    }
    return Buffer.concat([fields, signBytes(this.#algorithm, this.#key, Buffer.concat(parts))]);
  }
}

function isWildcard(owner: Uint8Array): boolean {
  return owner[0] === 1 && owner[1] === WILDCARD;
}

function signBytes({ hash, curve }: Algorithm, key: KeyObject, bytes: Uint8Array): Buffer {
  // RFC 6605 section 4: two numbers one after the other, not DER.
  return sign(hash, bytes, curve === undefined ? key : { key, dsaEncoding: 'ieee-p1363' });
}

/**
 * Makes a key from DNSKEY data and the text of a private key file as BIND writes it (`Private-key-format: v1.x`).
 *
 * @returns PKCS #8 in DER
 * @throws SigningKeyError for an algorithm that is not known, a missing field, or halves that do not belong together
 */
export function parsePrivateKey(text: string, dnskey: Uint8Array): Uint8Array {
  const algorithm = ALGORITHMS[dnskey[3]!];
  if (algorithm === undefined) throw new SigningKeyError(`algorithm ${dnskey[3]} is not one of ${SUPPORTED}`);
  const fields = readFields(text);
  const stated = Number.parseInt(fields.get('algorithm') ?? '', 10);
  if (stated !== dnskey[3]) throw new SigningKeyError(`the private key is for algorithm ${stated}, not ${dnskey[3]}`);
  const publicJwk = publicKeyOf(algorithm, dnskey.subarray(PUBLIC_KEY_AT));
  const privateJwk = algorithm.curve === undefined ? rsaFields(fields) : { d: readNumber(fields, 'privatekey') };
  try {
    const key = createPrivateKey({ key: { ...publicJwk, ...privateJwk }, format: 'jwk' });
    const probe = Buffer.from('probe');
    const signature = signBytes(algorithm, key, probe);
    const publicKey = createPublicKey({ key: publicJwk, format: 'jwk' });
    const checked = algorithm.curve === undefined ? publicKey : { key: publicKey, dsaEncoding: 'ieee-p1363' as const };
    if (!verify(algorithm.hash, probe, checked, signature)) throw new Error('wrong signature');
    return new Uint8Array(key.export({ format: 'der', type: 'pkcs8' }));
  } catch (error) {
    throw new SigningKeyError(`the private key does not belong to the public key (${(error as Error).message})`);
  }
}

/** `Name: value` lines, names in lower case. */
function readFields(text: string): Map<string, string> {
  const fields = new Map<string, string>();
  for (const line of text.split('\n')) {
    const colon = line.indexOf(':');
    if (colon > 0) fields.set(line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim());
  }
  return fields;
}

/** A number in base64 as JWK wants it. @throws SigningKeyError */
function readNumber(fields: ReadonlyMap<string, string>, name: string): string {
  const text = fields.get(name);
  if (text === undefined || text === '') throw new SigningKeyError(`the private key has no ${name} field`);
  return Buffer.from(text, 'base64').toString('base64url');
}

function rsaFields(fields: ReadonlyMap<string, string>): JsonWebKey {
  return {
    d: readNumber(fields, 'privateexponent'),
    p: readNumber(fields, 'prime1'),
    q: readNumber(fields, 'prime2'),
    dp: readNumber(fields, 'exponent1'),
    dq: readNumber(fields, 'exponent2'),
    qi: readNumber(fields, 'coefficient'),
  };
}

/** @throws SigningKeyError */
function publicKeyOf(algorithm: Algorithm, bytes: Uint8Array): JsonWebKey {
  const part = (from: number, to = bytes.length): string => Buffer.from(bytes.subarray(from, to)).toString('base64url');
  const { curve } = algorithm;
  if (curve === undefined) {
    // RFC 3110 section 2: the length of the exponent takes one byte, or three when the first is 0.
    const isLong = bytes[0] === 0;
    const exponentAt = isLong ? 3 : 1;
    const modulusAt = exponentAt + (isLong ? (bytes[1]! << 8) | bytes[2]! : bytes[0]!);
    if (!(modulusAt < bytes.length)) throw new SigningKeyError('the public key is too short');
    return { kty: 'RSA', e: part(exponentAt, modulusAt), n: part(modulusAt) };
  }
  if (curve.startsWith('Ed')) return { kty: 'OKP', crv: curve, x: part(0) };
  return { kty: 'EC', crv: curve, x: part(0, bytes.length / 2), y: part(bytes.length / 2) };
}

function flagsOf(dnskey: Uint8Array): number {
  return (dnskey[0]! << 8) | dnskey[1]!;
}

/** Number by which signatures name the key (RFC 4034 appendix B). */
export function keyTag(dnskey: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < dnskey.length; i++) sum += i % 2 === 0 ? dnskey[i]! << 8 : dnskey[i]!;
  return (sum + (sum >>> 16)) & 0xffff;
}
