// Asks a primary over TCP: for the serial of a zone, for what has changed in it, for the zone itself. Control thread.
import { randomInt } from 'node:crypto';
import net from 'node:net';
import { MessageWriter } from '../../wire/message-writer.ts';
import { readRdata } from '../../wire/read-rdata.ts';
import { SECTION } from '../../wire/record-index.ts';
import { CLASS, RRTYPE } from '../../wire/types.ts';
import type { ZoneContents } from '../zone-file/zone-contents.ts';
import { ChangeReader, type ZoneChange } from './change-reader.ts';
import { readSerial, ReplyReader, TransferError, TransferReader } from './transfer-reader.ts';

/** Silence after which a primary is given up, in connecting too. */
const IDLE_MS = 10_000;
/** Longest time a zone may take, and its largest size on the wire: those of zone files. */
const MAX_TRANSFER_MS = 30 * 60_000;
const MAX_TRANSFER_BYTES = 2 ** 30;

export type Primary = { readonly address: string; readonly port: number };

/** How a zone is had from a primary; a fake in tests. @throws Error with what went wrong, as a rejection */
export interface PrimaryClient {
  fetchSerial(origin: Uint8Array, primary: Primary, signal: AbortSignal): Promise<number>;
  fetchZone(origin: Uint8Array, primary: Primary, signal: AbortSignal): Promise<ZoneContents>;
  /** @param soa data of the SOA record that is held */
  fetchChange(origin: Uint8Array, soa: Uint8Array, primary: Primary, signal: AbortSignal): Promise<ZoneChange>;
}

export const tcpPrimaryClient: PrimaryClient = {
  async fetchSerial(origin, primary, signal) {
    const id = randomInt(0x1_0000);
    const replies = new ReplyReader(id);
    let serial: number | undefined;
    await exchange(primary, makeQuery(origin, RRTYPE.SOA, id), signal, (message) => {
      replies.read(message);
      const { index } = replies;
      for (let i = 0; i < replies.count && serial === undefined; i++) {
        if (index.type(i) !== RRTYPE.SOA) continue;
        const rdata = readRdata(message, 0, RRTYPE.SOA, CLASS.IN, index.rdataAt(i), index.endAt(i));
        if (rdata !== undefined) serial = readSerial(rdata);
      }
      return true;
    });
    if (serial === undefined) throw new TransferError('no SOA record in the answer');
    return serial;
  },

  async fetchZone(origin, primary, signal) {
    const id = randomInt(0x1_0000);
    const reader = new TransferReader(origin, id);
    await exchange(primary, makeQuery(origin, RRTYPE.AXFR, id), signal, (message) => reader.take(message));
    return reader.contents;
  },

  async fetchChange(origin, soa, primary, signal) {
    const id = randomInt(0x1_0000);
    const reader = new ChangeReader(origin, readSerial(soa), id);
    await exchange(primary, makeQuery(origin, RRTYPE.IXFR, id, soa), signal, (message) => reader.take(message));
    return reader.change;
  },
};

/** @param soa data of a SOA record for the authority section (RFC 1995 section 3) */
function makeQuery(origin: Uint8Array, type: number, id: number, soa?: Uint8Array): Uint8Array {
  const writer = new MessageWriter();
  writer.begin(id, 0);
  writer.addQuestion(origin, type, CLASS.IN);
  if (soa) {
    const record = { name: origin, type: RRTYPE.SOA, class: CLASS.IN, ttlSeconds: 0, rdata: soa };
    writer.addRecord(SECTION.AUTHORITY, record);
  }
  return writer.bytes.slice(0, writer.finish());
}

/** Sends the query and hands each message to `take` until that says it was the last. */
function exchange(
  { address, port }: Primary,
  query: Uint8Array,
  signal: AbortSignal,
  take: (message: Uint8Array) => boolean,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host: address, port, signal });
    const limit = setTimeout(() => end(new TransferError('the transfer took too long')), MAX_TRANSFER_MS);
    limit.unref();
    let rest: Buffer = Buffer.alloc(0);
    let received = 0;
    const end = (error?: Error): void => {
      clearTimeout(limit);
      socket.destroy();
      if (error === undefined) resolve();
      else reject(error);
    };
    socket.setTimeout(IDLE_MS, () => end(new TransferError('i/o timeout')));
    socket.on('error', end);
    socket.on('close', () => end(new TransferError('the connection was closed before the end')));
    socket.on('connect', () => socket.write(Buffer.concat([Buffer.of(query.length >>> 8, query.length), query])));
    socket.on('data', (chunk) => {
      received += chunk.length;
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      try {
        if (received > MAX_TRANSFER_BYTES) throw new TransferError(`over ${MAX_TRANSFER_BYTES} bytes`);
        while (rest.length >= 2 && rest.length >= 2 + rest.readUInt16BE(0)) {
          const next = 2 + rest.readUInt16BE(0);
          if (take(rest.subarray(2, next))) return end();
          rest = rest.subarray(next);
        }
      } catch (error) {
        end(error as Error);
      }
    });
  });
}
