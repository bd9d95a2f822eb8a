// Signed queries and their signed replies (RFC 8945): the one place where codes are checked and made. Worker.
import { parseNameLower } from '../wire/name.ts';
import {
  computeMac,
  equalMacs,
  findMacLength,
  headerWithoutTsig,
  prefixedMac,
  readTsig,
  tsigLength,
  type TsigRecord,
  tsigTimers,
  tsigVariables,
  writeTsig,
} from '../wire/tsig.ts';
import { RCODE } from '../wire/types.ts';
import type { Query } from './query.ts';

/** Error of a TSIG record whose code is wrong; the number is BADVERS elsewhere. */
export const BADSIG = 16;
/** How far the clocks of both sides may differ; what is recommended (section 10). */
const FUDGE_SECONDS = 300;
/** Section 5.2.2.1: a code cut shorter than this is an error of form. */
const MIN_MAC_LENGTH = 10;
const MS_PER_SECOND = 1000;
const NOTHING = new Uint8Array(0);
const HEADER_LENGTH = 12;
const ARCOUNT_AT = 10;

/** Secrets of a listener by the key's name, absolute text in lower case. */
export type TsigSecrets = Readonly<Record<string, Uint8Array>>;

/** Checks signed queries against the keys of a listener. */
export class TsigVerifier {
  readonly #secrets = new Map<string, Uint8Array>();

  constructor(secrets: TsigSecrets) {
    for (const [name, secret] of Object.entries(secrets)) {
      const wire = parseNameLower(name);
      if (wire !== undefined) this.#secrets.set(keyOf(wire), secret);
    }
  }

  /** Checks `query`, which has a TSIG record. Called before the chain, while the message is as it came. */
  verify(query: Query, nowMs: number): TsigTransaction {
    const { packet, packetAt, packetLength, tsigAt } = query;
    const record = readTsig(packet, packetAt, tsigAt, packetLength);
    const nowSeconds = Math.floor(nowMs / MS_PER_SECOND);
    if (record === undefined) return new TsigTransaction(undefined, undefined, RCODE.FORMERR, nowSeconds);
    const secret = this.#secrets.get(keyOf(record.keyName));
    const macLength = findMacLength(record.algorithm);
    // Section 5.2.1
    if (secret === undefined || macLength === undefined) {
      return new TsigTransaction(record, undefined, RCODE.BADKEY, nowSeconds);
    }
    if (record.mac.length > macLength || record.mac.length < Math.max(MIN_MAC_LENGTH, macLength / 2)) {
      return new TsigTransaction(record, undefined, RCODE.FORMERR, nowSeconds);
    }
    const message = packet.subarray(packetAt + HEADER_LENGTH, packetAt + tsigAt);
    const mac = computeMac(secret, record.algorithm, [
      headerWithoutTsig(packet, packetAt, record.originalId),
      message,
      tsigVariables(record),
    ]);
    if (!equalMacs(mac.subarray(0, record.mac.length), record.mac)) {
      return new TsigTransaction(record, undefined, BADSIG, nowSeconds);
    }
    // Section 5.2.3: the time counts only once the code is known to be right.
    if (Math.abs(nowSeconds - record.timeSeconds) > record.fudgeSeconds) {
      return new TsigTransaction(record, secret, RCODE.BADTIME, nowSeconds);
    }
    // Section 5.2.4: whole codes only.
    if (record.mac.length < macLength) return new TsigTransaction(record, secret, RCODE.BADTRUNC, nowSeconds);
    return new TsigTransaction(record, secret, RCODE.NOERROR, nowSeconds);
  }
}

function keyOf(name: Uint8Array): string {
  return Buffer.from(name).toString('latin1');
}

/** A signed query and what is to be signed of its reply. */
export class TsigTransaction {
  /** NOERROR, FORMERR, BADKEY, BADSIG, BADTIME or BADTRUNC. */
  readonly error: number;
  /** Whether `finish` signs the reply; set by the plugin that is responsible for the zone. */
  signs = false;
  /** Bytes that the record takes in a reply. */
  readonly sizeBytes: number;
  readonly #request: TsigRecord | undefined;
  readonly #secret: Uint8Array | undefined;
  readonly #nowSeconds: number;
  readonly #other: Uint8Array;
  /** Code of the message before: the query's, then that of each reply. */
  #lastMac: Uint8Array;
  #isFirst = true;

  /** @param secret undefined when the reply cannot be signed: it then only says why (section 5.3.2) */
  constructor(request: TsigRecord | undefined, secret: Uint8Array | undefined, error: number, nowSeconds: number) {
    this.#request = request;
    this.#secret = secret;
    this.error = error;
    this.#nowSeconds = nowSeconds;
    this.#lastMac = request?.mac ?? NOTHING;
    this.#other = error === RCODE.BADTIME ? tsigTimers(nowSeconds, 0).slice(0, 6) : NOTHING;
    const macLength = request === undefined || secret === undefined ? 0 : (findMacLength(request.algorithm) ?? 0);
    this.sizeBytes =
      request === undefined ? 0 : tsigLength(request.keyName, request.algorithm, macLength, this.#other.length);
  }

  /**
   * Appends a TSIG record to the finished message `bytes[base .. base + length)`, behind which `sizeBytes` are free. Each
   * further message of a reply is signed on top of the one before.
   *
   * @returns the new length
   */
  sign(bytes: Uint8Array, base: number, length: number): number {
    const request = this.#request;
    if (request === undefined) return length;
    const { keyName, algorithm } = request;
    const variables = {
      keyName,
      algorithm,
      // Section 5.2.3: a client whose clock is wrong finds its own time here and ours in the other data.
      timeSeconds: this.error === RCODE.BADTIME ? request.timeSeconds : this.#nowSeconds,
      fudgeSeconds: FUDGE_SECONDS,
      error: this.error === RCODE.FORMERR ? RCODE.NOERROR : this.error,
      other: this.#other,
    };
    const originalId = (bytes[base]! << 8) | bytes[base + 1]!;
    let mac: Uint8Array = NOTHING;
    if (this.#secret !== undefined) {
      mac = computeMac(this.#secret, algorithm, [
        prefixedMac(this.#lastMac),
        bytes.subarray(base, base + length),
        this.#isFirst ? tsigVariables(variables) : tsigTimers(variables.timeSeconds, variables.fudgeSeconds),
      ]);
    }
    this.#lastMac = mac;
    this.#isFirst = false;
    const end = writeTsig(bytes, base + length, { ...variables, mac, originalId });
    const count = ((bytes[base + ARCOUNT_AT]! << 8) | bytes[base + ARCOUNT_AT + 1]!) + 1;
    bytes[base + ARCOUNT_AT] = count >>> 8;
    bytes[base + ARCOUNT_AT + 1] = count;
    return end - base;
  }
}

/** Takes the TSIG record off the message: who comes later, upstreams among them, must not see it. */
export function removeTsig(query: Query): void {
  const { packet, packetAt } = query;
  const at = packetAt + ARCOUNT_AT;
  const count = ((packet[at]! << 8) | packet[at + 1]!) - 1;
  packet[at] = count >>> 8;
  packet[at + 1] = count;
  query.packetLength = query.tsigAt;
  query.tsigAt = -1;
}
