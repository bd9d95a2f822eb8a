// The messages of an incoming IXFR -> what has changed in a zone since the version that is held (RFC 1995 section 4). Control thread.
import type { ResourceRecord } from '../../wire/record.ts';
import type { ZoneContents } from '../zone-file/zone-contents.ts';
import { isNewer, isSoaOf, readSerial, ReplyReader, TransferError, TransferReader } from './transfer-reader.ts';

/** Of changes one by one; beyond it the whole zone is the better way. */
const MAX_CHANGE_BYTES = 2 ** 24;

/** From one serial to the next; SOA records are not among them. */
export type ChangeStep = { readonly removed: ResourceRecord[]; readonly added: ResourceRecord[] };

/** What a primary has to say about a version: it is the current one, the zone as a whole, or the steps to the new one. */
export type ZoneChange =
  | { readonly kind: 'current' }
  | { readonly kind: 'whole'; readonly contents: ZoneContents }
  | { readonly kind: 'steps'; readonly steps: readonly ChangeStep[]; readonly soa: ResourceRecord };

export class ChangeReader {
  readonly #origin: Uint8Array;
  readonly #serial: number;
  readonly #id: number;
  readonly #replies: ReplyReader;
  /** First record of the reply. */
  #soa: ResourceRecord | undefined;
  #isCurrent = false;
  /** The reply is a whole zone after all. */
  #whole: TransferReader | undefined;
  readonly #steps: ChangeStep[] = [];
  /** Serial that the step under way starts from or, with additions, leads to. */
  #at: number;
  #isAdding = true;
  #isDone = false;
  #bytes = 0;

  /** @param origin wire form, lower case; @param serial of the version that is held; @param id of the query */
  constructor(origin: Uint8Array, serial: number, id: number) {
    this.#origin = origin;
    this.#serial = serial;
    this.#at = serial;
    this.#id = id;
    this.#replies = new ReplyReader(id);
  }

  /**
   * Takes one message.
   *
   * @returns whether it was the last one
   * @throws TransferError
   */
  take(message: Uint8Array): boolean {
    this.#replies.read(message);
    if (this.#whole === undefined) this.#bytes += message.length;
    if (this.#steps.length > 0 && this.#bytes > MAX_CHANGE_BYTES) {
      throw new TransferError(`changes of more than ${MAX_CHANGE_BYTES} bytes`);
    }
    for (const record of this.#replies.records(message)) {
      if (this.#isCurrent || this.#isDone) throw new TransferError('records follow the last SOA record');
      this.#add(record);
    }
    return this.#isCurrent || this.#isDone || this.#whole?.isDone === true;
  }

  /** After the last message. */
  get change(): ZoneChange {
    if (this.#whole !== undefined) return { kind: 'whole', contents: this.#whole.contents };
    return this.#isCurrent ? { kind: 'current' } : { kind: 'steps', steps: this.#steps, soa: this.#soa! };
  }

  #add(record: ResourceRecord): void {
    const serial = isSoaOf(record, this.#origin) ? readSerial(record.rdata) : undefined;
    if (this.#whole !== undefined) this.#whole.add(record);
    else if (this.#soa === undefined) this.#begin(record, serial);
    else if (this.#steps.length === 0 && serial !== this.#serial) {
      this.#whole = new TransferReader(this.#origin, this.#id);
      this.#whole.add(this.#soa);
      this.#whole.add(record);
    } else if (serial === undefined) {
      const { removed, added } = this.#steps.at(-1)!;
      (this.#isAdding ? added : removed).push(record);
    } else this.#turn(serial);
  }

  #begin(record: ResourceRecord, serial: number | undefined): void {
    if (serial === undefined) throw new TransferError('the first record is not the SOA record of the zone');
    this.#soa = record;
    this.#isCurrent = !isNewer(serial, this.#serial);
  }

  /** A SOA record ends the additions before it, or the removals. */
  #turn(serial: number): void {
    const last = readSerial(this.#soa!.rdata);
    if (this.#isAdding && this.#steps.length > 0 && serial === last && this.#at === last) {
      this.#isDone = true;
      return;
    }
    if (this.#isAdding) {
      if (serial !== this.#at) throw new TransferError('steps of the change are missing');
      this.#steps.push({ removed: [], added: [] });
    } else if (!isNewer(serial, this.#at) || isNewer(serial, last)) {
      throw new TransferError('a step of the change leads to no newer version');
    }
    this.#isAdding = !this.#isAdding;
    this.#at = serial;
  }
}

/**
 * Makes a zone the new version.
 *
 * @throws TransferError when it is not the version that the steps start from; the zone is half changed then
 */
export function applySteps(contents: ZoneContents, steps: readonly ChangeStep[], soa: ResourceRecord): void {
  for (const { removed, added } of steps) {
    for (const record of removed) {
      if (!contents.remove(record)) throw new TransferError('a record to be removed is not there');
    }
    for (const record of added) contents.add(record);
  }
  // The last SOA record counts.
  contents.add(soa);
}
