// The messages of an incoming AXFR or IXFR -> records, and those of an AXFR -> a zone (RFC 5936 section 2.2). Control thread.
import { INDEXED, indexMessage, MessageInfo } from '../../wire/message-reader.ts';
import { equalNames, MAX_NAME_LENGTH, nameLength, readName } from '../../wire/name.ts';
import { readRdata } from '../../wire/read-rdata.ts';
import type { ResourceRecord } from '../../wire/record.ts';
import { RecordIndex, SECTION } from '../../wire/record-index.ts';
import { formatRcode, RCODE, RRTYPE } from '../../wire/types.ts';
import { ZoneContents } from '../zone-file/zone-contents.ts';

const RESPONSE_FLAG = 0x8000;
/** Offset of the serial from the end of SOA data. */
const SERIAL_FROM_END = 20;

/** What a primary sent is not what was asked for. */
export class TransferError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'TransferError';
  }
}

/** Takes the replies to one query, checks that they are its replies, and finds their records. */
export class ReplyReader {
  readonly index: RecordIndex = new RecordIndex();
  readonly #info = new MessageInfo();
  readonly #owner = new Uint8Array(MAX_NAME_LENGTH + 1);
  readonly #id: number;

  constructor(id: number) {
    this.#id = id;
  }

  /** @throws TransferError for anything but a reply to the query with response code NOERROR */
  read(message: Uint8Array): void {
    const info = this.#info;
    if (indexMessage(message, 0, message.length, this.index, info) !== INDEXED.OK) {
      throw new TransferError('a malformed message');
    }
    if (info.id !== this.#id || (info.flags & RESPONSE_FLAG) === 0) throw new TransferError('not a reply to the query');
    if (info.rcode !== RCODE.NOERROR) throw new TransferError(`bad xfr rcode: ${formatRcode(info.rcode)}`);
  }

  /** Records of the answer section. */
  get count(): number {
    return this.index.counts[SECTION.ANSWER]!;
  }

  /**
   * Records of the answer section, in their order.
   *
   * @throws TransferError when there are none, or one is malformed
   */
  *records(message: Uint8Array): Generator<ResourceRecord> {
    if (this.count === 0) throw new TransferError('a message without records');
    for (let i = 0; i < this.count; i++) yield this.#record(message, i);
  }

  #record(message: Uint8Array, i: number): ResourceRecord {
    const { index } = this;
    const owner = this.#owner;
    const end = index.endAt(i);
    const type = index.type(i);
    const ttlAt = index.ttlAt(i);
    const view = new DataView(message.buffer, message.byteOffset, message.length);
    const recordClass = view.getUint16(ttlAt - 2);
    const rdata = readRdata(message, 0, type, recordClass, index.rdataAt(i), end);
    if (readName(message, 0, index.ownerAt(i), end, owner) === -1 || rdata === undefined) {
      throw new TransferError('a malformed record');
    }
    const name = owner.slice(0, nameLength(owner));
    return { name, type, class: recordClass, ttlSeconds: view.getUint32(ttlAt), rdata };
  }
}

/** Collects one zone. */
export class TransferReader {
  readonly contents: ZoneContents;
  readonly #replies: ReplyReader;
  #isDone = false;
  #hasBegun = false;

  /** @param origin wire form, lower case; @param id of the query */
  constructor(origin: Uint8Array, id: number) {
    this.contents = new ZoneContents(origin);
    this.#replies = new ReplyReader(id);
  }

  /**
   * Takes one message.
   *
   * @returns whether the zone is complete
   * @throws TransferError
   */
  take(message: Uint8Array): boolean {
    this.#replies.read(message);
    for (const record of this.#replies.records(message)) this.add(record);
    return this.#isDone;
  }

  get isDone(): boolean {
    return this.#isDone;
  }

  /** Takes the next record. @throws TransferError */
  add(record: ResourceRecord): void {
    const isSoa = isSoaOf(record, this.contents.origin);
    if (this.#isDone) throw new TransferError('records follow the last SOA record');
    if (!this.#hasBegun && !isSoa) throw new TransferError('the first record is not the SOA record of the zone');
    if (this.#hasBegun && isSoa) {
      if (readSerial(record.rdata) !== this.contents.serial) {
        throw new TransferError('the zone changed during the transfer');
      }
      this.#isDone = true;
      return;
    }
    this.#hasBegun = true;
    this.contents.add(record);
  }
}

/** @param origin wire form, lower case */
export function isSoaOf({ type, name }: ResourceRecord, origin: Uint8Array): boolean {
  return type === RRTYPE.SOA && name.length === origin.length && equalNames(name, 0, origin, 0);
}

/** Serial in SOA data. */
export function readSerial(rdata: Uint8Array): number {
  return new DataView(rdata.buffer, rdata.byteOffset).getUint32(rdata.length - SERIAL_FROM_END);
}

/** Whether serial `a` is newer than `b` (RFC 1982 section 3.2). */
export function isNewer(a: number, b: number): boolean {
  return ((a - b) | 0) > 0;
}
