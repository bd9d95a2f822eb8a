// One question as the plugins see it: parsed once into buffers that are reused for every packet. Worker.
import { HASH_SEED } from '../store/layout.ts';
import { areOptionsWellFormed, findOption } from '../wire/edns.ts';
import { LOWER, MAX_LABEL_LENGTH, MAX_NAME_LENGTH, formatName, nameLength, skipName } from '../wire/name.ts';
import { finishHash, hashByte, hashBytes } from '../wire/hash.ts';
import { RRTYPE } from '../wire/types.ts';
import type { TsigTransaction } from './tsig.ts';

/** What `Query.parse` found. */
export const PARSED = { OK: 0, FORMERR: 1 } as const;

/** How the packet came in. */
export const TRANSPORT = { UDP: 0, TCP: 1, TLS: 2, HTTPS: 3, INTERNAL: 4 } as const;

/** Where an answer may come from. */
export const REACH = {
  ANYWHERE: 0,
  /** From what this server holds: nobody is asked upstream. */
  OWN: 1,
  /** The same, and an upstream would have been asked: the answer stays empty. */
  WITHHELD: 2,
} as const;

const MAX_LABELS = 128;
const FIRST_OWN_BYTES = 128;
const NAME_BYTES = MAX_NAME_LENGTH + 1;
const ADDRESS_BYTES = 16;
/** Where a query's arrays lie in its memory. */
const HASH_AT = 0;
const NAME_AT = HASH_AT + 4 * (MAX_LABELS + 1);
const RAW_NAME_AT = NAME_AT + NAME_BYTES;
const LABEL_AT = RAW_NAME_AT + NAME_BYTES;
const CLIENT_AT = LABEL_AT + MAX_LABELS + 1;
const SERVER_AT = CLIENT_AT + ADDRESS_BYTES;
const OWN_AT = SERVER_AT + ADDRESS_BYTES;
const MEMORY_BYTES = OWN_AT + FIRST_OWN_BYTES;
const TYPE_OPT = RRTYPE.OPT;
const TYPE_TSIG = RRTYPE.TSIG;

/**
 * A query in flight. The loop owns one and reuses it; when a handler returns a promise the loop takes another one, so
 * handlers may keep the reference until their promise settles, never longer.
 */
export class Query {
  /** In one piece: thousands of queries may wait, and an array with memory of its own costs 300 bytes more. */
  readonly #memory = new ArrayBuffer(MEMORY_BYTES);

  /** Where a waiting query keeps its message; reused. */
  #own = new Uint8Array(this.#memory, OWN_AT, FIRST_OWN_BYTES);

  /** The message as received: `packet[packetAt .. packetAt + packetLength)`. */
  packet: Uint8Array = this.#own;
  packetAt = 0;
  packetLength = 0;

  id = 0;
  /** Second and third 16-bit words of the header: flags as received. */
  flags = 0;
  opcode = 0;
  recursionDesired = false;
  checkingDisabled = false;
  authenticData = false;

  /** The name asked now, wire form, lower case. Plugins may replace it with `setName`. */
  readonly name: Uint8Array = new Uint8Array(this.#memory, NAME_AT, NAME_BYTES);
  /** Bytes of `name`, root label included. */
  nameLength = 1;
  /** Labels of `name`, root not counted. */
  labelCount = 0;
  /** Where each label starts in `name`; entry `labelCount` is the root label's. */
  readonly labelAt: Uint8Array = new Uint8Array(this.#memory, LABEL_AT, MAX_LABELS + 1);
  /** Running hash of the bytes before each label, for `relativeHash`. */
  readonly #hashBefore = new Int32Array(this.#memory, HASH_AT, MAX_LABELS + 1);
  /** The name as the client spelled it, uncompressed wire form; same length as the first `name`. */
  readonly rawName: Uint8Array = new Uint8Array(this.#memory, RAW_NAME_AT, NAME_BYTES);
  /** Whether `setName` replaced the client's name. */
  renamed = false;

  qtype = 0;
  qclass = 0;
  /** Offset in the message after the question section. */
  questionEnd = 0;

  hasEdns = false;
  ednsVersion = 0;
  /** UDP payload size the client announced; 512 without EDNS, as the client sent it otherwise. */
  udpSize = 512;
  /** DO bit (RFC 3225). */
  dnssecOk = false;
  /** EDNS options: `packet[packetAt + optionsAt .. +optionsLength)`. */
  optionsAt = 0;
  optionsLength = 0;

  /** Offset in the message of the TSIG record at its end; -1 without one. */
  tsigAt = -1;
  /** What the listener found out about the TSIG record; undefined without one, and on listeners without keys. */
  tsig: TsigTransaction | undefined;

  transport: number = TRANSPORT.UDP;
  /** 4 or 6. */
  family = 4;
  /** Client address, 4 or 16 bytes. */
  readonly clientAddress: Uint8Array = new Uint8Array(this.#memory, CLIENT_AT, ADDRESS_BYTES);
  clientPort = 0;
  /** Address the packet was sent to, 4 or 16 bytes. */
  readonly serverAddress: Uint8Array = new Uint8Array(this.#memory, SERVER_AT, ADDRESS_BYTES);
  serverPort = 0;
  /** Index of the listener in the plan. */
  listener = 0;
  /** Index of the server block, and of this listener among that block's `servers`. Set by the router. */
  block = -1;
  server = 0;
  /** Index of the matched zone among the block's zones. Set by the router. */
  zone = 0;
  /** `Clock.monotonicMs` when the batch was read. */
  receivedMs = 0;
  /** `Clock.monotonicMs` after which nothing more is tried upstream; 0 without a limit (`cancel`). */
  deadlineMs = 0;
  /** One of `REACH`; whoever changes it puts it back. */
  reach: number = REACH.ANYWHERE;
  /** How often this server asked itself on the way here (CNAME targets). */
  depth = 0;
  /** The query that `rewrite` made this one from; undefined for a client's own. As long-lived as this one. */
  asked: Query | undefined;
  /** Largest reply in bytes: by UDP payload size or 65535. */
  sizeLimit = 512;
  /** Free for plugins: values kept while the query is under way (`metadata`). Empty unless a plugin asked for it. */
  metadata: Map<string, string> | undefined;

  /**
   * Reads header, question and EDNS of the message at `packet[at .. at + length)`. The caller has already looked at the
   * header (length, QR, opcode, counts). Sets nothing about the transport.
   */
  parse(packet: Uint8Array, at: number, length: number): number {
    this.packet = packet;
    this.packetAt = at;
    this.packetLength = length;
    this.id = (packet[at]! << 8) | packet[at + 1]!;
    const high = packet[at + 2]!;
    const low = packet[at + 3]!;
    this.flags = (high << 8) | low;
    this.opcode = (high >>> 3) & 15;
    this.recursionDesired = (high & 1) !== 0;
    this.checkingDisabled = (low & 0x10) !== 0;
    this.authenticData = (low & 0x20) !== 0;
    this.hasEdns = false;
    this.ednsVersion = 0;
    this.udpSize = 512;
    this.dnssecOk = false;
    this.optionsLength = 0;
    this.tsigAt = -1;
    this.tsig = undefined;
    this.renamed = false;
    this.metadata = undefined;
    this.depth = 0;
    this.deadlineMs = 0;

    const end = at + length;
    const { name, rawName, labelAt } = this;
    const hashBefore = this.#hashBefore;
    let from = at + 12;
    let to = 0;
    let labels = 0;
    let hash = HASH_SEED;
    for (;;) {
      if (from >= end) return this.#malformed(from - at);
      const labelLength = packet[from]!;
      labelAt[labels] = to;
      hashBefore[labels] = hash;
      rawName[to] = labelLength;
      name[to++] = labelLength;
      from++;
      if (labelLength === 0) break;
      // A question cannot hold a pointer: nothing stands before it.
      if (labelLength > MAX_LABEL_LENGTH || from + labelLength >= end || to + labelLength >= MAX_NAME_LENGTH) {
        return this.#malformed(from - at);
      }
      hash = hashByte(hash, labelLength);
      labels++;
      for (const stop = from + labelLength; from < stop; from++) {
        const byte = packet[from]!;
        rawName[to] = byte;
        const lower = LOWER[byte]!;
        name[to++] = lower;
        hash = hashByte(hash, lower);
      }
    }
    this.nameLength = to;
    this.labelCount = labels;
    if (from + 4 > end) return this.#malformed(from - at);
    this.qtype = (packet[from]! << 8) | packet[from + 1]!;
    this.qclass = (packet[from + 2]! << 8) | packet[from + 3]!;
    from += 4;
    this.questionEnd = from - at;
    const records =
      ((packet[at + 6]! << 8) | packet[at + 7]!) +
      ((packet[at + 8]! << 8) | packet[at + 9]!) +
      ((packet[at + 10]! << 8) | packet[at + 11]!);
    return records === 0 ? PARSED.OK : this.#parseRecords(records, (packet[at + 10]! << 8) | packet[at + 11]!);
  }

  #malformed(offset: number): number {
    // No name is left half written: whoever prints it or asks its length finds the root.
    this.rawName[0] = 0;
    this.name[0] = 0;
    this.labelAt[0] = 0;
    this.nameLength = 1;
    this.labelCount = 0;
    this.qtype = 0;
    this.qclass = 0;
    this.questionEnd = Math.min(offset, this.packetLength);
    return PARSED.FORMERR;
  }

  /** Walks the records behind the question; only OPT in the additional section matters, one at most (RFC 6891 section 6.1.1). */
  #parseRecords(records: number, additional: number): number {
    const { packet, packetAt: base, packetLength: end } = this;
    let at = this.questionEnd;
    for (let left = records; left > 0; left--) {
      const ownerAt = at;
      at = skipName(packet, base, at, end);
      if (at === -1 || at + 10 > end) return PARSED.FORMERR;
      const fixed = base + at;
      const type = (packet[fixed]! << 8) | packet[fixed + 1]!;
      const rdataLength = (packet[fixed + 8]! << 8) | packet[fixed + 9]!;
      at += 10 + rdataLength;
      if (at > end) return PARSED.FORMERR;
      if (type === TYPE_TSIG) {
        // RFC 8945 section 5.1: one, the last record of the additional section.
        if (left !== 1 || additional === 0) return PARSED.FORMERR;
        this.tsigAt = ownerAt;
      }
      if (type !== TYPE_OPT || left > additional) continue;
      if (this.hasEdns || packet[base + ownerAt] !== 0) return PARSED.FORMERR;
      this.hasEdns = true;
      this.udpSize = (packet[fixed + 2]! << 8) | packet[fixed + 3]!;
      this.ednsVersion = packet[fixed + 5]!;
      this.dnssecOk = (packet[fixed + 6]! & 0x80) !== 0;
      this.optionsAt = fixed + 10 - base;
      this.optionsLength = rdataLength;
      if (!areOptionsWellFormed(packet, fixed + 10, rdataLength)) return PARSED.FORMERR;
    }
    return PARSED.OK;
  }

  /** Hash of the name without its last labels: of the bytes before label `label`. `salt` is the store's tree. */
  relativeHash(label: number, salt: number): number {
    return finishHash(this.#hashBefore[label]!, salt);
  }

  /** Replaces the name asked (wire form, any case). The client's own spelling stays in `rawName`. */
  setName(name: Uint8Array): void {
    const length = nameLength(name);
    let hash = HASH_SEED;
    let labels = 0;
    for (let at = 0; at < length; ) {
      const labelLength = name[at]!;
      this.labelAt[labels] = at;
      this.#hashBefore[labels] = hash;
      for (const stop = at + labelLength + 1; at < stop; at++) this.name[at] = LOWER[name[at]!]!;
      if (labelLength === 0) break;
      hash = hashBytes(hash, this.name, at - labelLength - 1, labelLength + 1);
      labels++;
    }
    this.nameLength = length;
    this.labelCount = labels;
    this.renamed = true;
  }

  /** Takes over where `query` came from, where it was routed, and its limits: for a query made on its behalf. */
  copyOrigin(query: Query): void {
    this.transport = query.transport;
    this.family = query.family;
    this.clientAddress.set(query.clientAddress);
    this.clientPort = query.clientPort;
    this.serverAddress.set(query.serverAddress);
    this.serverPort = query.serverPort;
    this.listener = query.listener;
    this.block = query.block;
    this.server = query.server;
    this.zone = query.zone;
    this.receivedMs = query.receivedMs;
    this.deadlineMs = query.deadlineMs;
    this.reach = query.reach;
    this.depth = query.depth;
    this.sizeLimit = query.sizeLimit;
  }

  /** Copies the message out of its receive slot, for a query that has to wait. */
  detach(): void {
    const { packet, packetAt, packetLength } = this;
    if (this.#own.length < packetLength) this.#own = new Uint8Array(packetLength);
    const own = this.#own;
    for (let i = 0; i < packetLength; i++) own[i] = packet[packetAt + i]!;
    this.packet = own;
    this.packetAt = 0;
  }

  /** Text of `name`, absolute. Allocates: for logs and cold paths. */
  formatName(): string {
    return formatName(this.name);
  }

  /** Where option `code` starts in `packet` (its code bytes, see lib/wire/edns.ts), or -1. */
  findOption(code: number): number {
    return findOption(this.packet, this.packetAt + this.optionsAt, this.optionsLength, code);
  }
}
