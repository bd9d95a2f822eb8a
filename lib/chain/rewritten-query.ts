// A client's query with another question or other EDNS options, as the plugins behind `rewrite` see it. Worker.
import { OPT_LENGTH, writeOpt } from '../wire/edns.ts';
import { nameLength } from '../wire/name.ts';
import { RCODE } from '../wire/types.ts';
import type { Query } from './query.ts';

const HEADER_LENGTH = 12;
const DO_FLAG = 0x8000;

/** What the new query asks; everything else is the client's. */
export type Rewritten = {
  /** Wire form. */
  readonly name: Uint8Array;
  readonly type: number;
  readonly class: number;
  /** Code, length, data triples; undefined for a query without EDNS. */
  readonly options: Uint8Array | undefined;
  readonly udpSize: number;
};

/** Makes `into` the query that `rewritten` says; both live on their own afterwards, but share their metadata. */
export function rewriteQuery(query: Query, rewritten: Rewritten, into: Query): void {
  const packet = writePacket(query, rewritten);
  into.parse(packet, 0, packet.length);
  into.recursionDesired = query.recursionDesired;
  into.authenticData = query.authenticData;
  into.copyOrigin(query);
  into.metadata = query.metadata;
  into.asked = query;
}

function writePacket(query: Query, { name, type, class: qclass, options, udpSize }: Rewritten): Uint8Array {
  const size = nameLength(name);
  const questionEnd = HEADER_LENGTH + size + 4;
  const packet = new Uint8Array(questionEnd + (options === undefined ? 0 : OPT_LENGTH + options.length));
  const from = query.packetAt;
  for (let i = 0; i < 4; i++) packet[i] = query.packet[from + i]!;
  packet[5] = 1;
  packet.set(name.subarray(0, size), HEADER_LENGTH);
  packet[questionEnd - 4] = type >>> 8;
  packet[questionEnd - 3] = type;
  packet[questionEnd - 2] = qclass >>> 8;
  packet[questionEnd - 1] = qclass;
  if (options === undefined) return packet;
  packet[11] = 1;
  const at = writeOpt(packet, questionEnd, udpSize, RCODE.NOERROR, 0, query.dnssecOk ? DO_FLAG : 0);
  packet[at - 2] = options.length >>> 8;
  packet[at - 1] = options.length;
  packet.set(options, at);
  return packet;
}
