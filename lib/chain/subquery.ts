// A query that this server asks itself on behalf of a client: the target of an alias. Worker, cold path.
import { nameLength } from '../wire/name.ts';
import { Query } from './query.ts';

/** How deep lookups may nest before the chain of aliases is taken for a loop. */
export const MAX_DEPTH = 10;

/**
 * Makes the query for another name: header flags, EDNS and addresses are the client's, the question is new.
 * @param name absolute, wire form
 */
export function makeSubquery(query: Query, name: Uint8Array, type: number): Query {
  const size = nameLength(name);
  const optLength = query.hasEdns ? 11 + query.optionsLength : 0;
  const packet = new Uint8Array(12 + size + 4 + optLength);
  packet.set(query.packet.subarray(query.packetAt, query.packetAt + 4));
  packet[5] = 1;
  packet.set(name.subarray(0, size), 12);
  let at = 12 + size;
  packet[at++] = type >>> 8;
  packet[at++] = type;
  packet[at++] = query.qclass >>> 8;
  packet[at++] = query.qclass;
  if (query.hasEdns) {
    packet[11] = 1;
    // The client's OPT record stands right before its options: root, type, size, rcode, version, flags, length.
    const optAt = query.packetAt + query.optionsAt - 11;
    packet.set(query.packet.subarray(optAt, optAt + optLength), at);
  }
  const subquery = new Query();
  subquery.parse(packet, 0, packet.length);
  subquery.copyOrigin(query);
  subquery.depth++;
  subquery.udpSize = query.udpSize;
  return subquery;
}
