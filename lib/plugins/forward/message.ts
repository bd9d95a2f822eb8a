// lib/plugins/forward/message.ts — worker. The query as it is sent to an upstream: the client's message, as the chain changed it.
import type { Query } from '../../chain/query.ts';
import { nextOption, optionCode } from '../../wire/edns.ts';
import { nameLength } from '../../wire/name.ts';
import { EDNS_OPTION, RRTYPE } from '../../wire/types.ts';

const HEADER_LENGTH = 12;
const OPT_LENGTH = 11;
const AD = 0x20;

/** The client's message with the ID 0, or one of the same meaning when its question was replaced. */
export function buildMessage(query: Query): Uint8Array {
  const { packet, packetAt, packetLength } = query;
  const message = query.renamed ? writeAnew(query) : packet.slice(packetAt, packetAt + packetLength);
  message[0] = 0;
  message[1] = 0;
  if (query.authenticData) message[3]! |= AD;
  if (query.renamed) return dropHopOptions(query, message);
  const typeAt = query.questionEnd - 4;
  message[typeAt] = query.qtype >>> 8;
  message[typeAt + 1] = query.qtype;
  if (query.hasEdns) writeOptFields(query, message, query.optionsAt - OPT_LENGTH);
  return dropHopOptions(query, message);
}

/**
 * Takes out the options that are between the client and this server: a cookie would tell the upstream who asks
 * (RFC 7873 section 6), keepalive and padding are about the client's own connection (RFC 7828, RFC 7830).
 */
function dropHopOptions(query: Query, message: Uint8Array): Uint8Array {
  if (!query.hasEdns || query.optionsLength === 0) return message;
  const optionsAt = query.renamed ? message.length - query.optionsLength : query.optionsAt;
  const end = optionsAt + query.optionsLength;
  let to = optionsAt;
  for (let at = optionsAt; at < end; ) {
    const next = nextOption(message, at);
    if (!isHopOption(optionCode(message, at))) {
      message.copyWithin(to, at, next);
      to += next - at;
    }
    at = next;
  }
  if (to === end) return message;
  message.copyWithin(to, end);
  message[optionsAt - 2] = (to - optionsAt) >>> 8;
  message[optionsAt - 1] = to - optionsAt;
  return message.subarray(0, message.length - (end - to));
}

function isHopOption(code: number): boolean {
  return code === EDNS_OPTION.COOKIE || code === EDNS_OPTION.TCP_KEEPALIVE || code === EDNS_OPTION.PADDING;
}

/** Size and DO of the OPT record at `at`: plugins may have changed them. */
function writeOptFields(query: Query, message: Uint8Array, at: number): void {
  message[at + 3] = query.udpSize >>> 8;
  message[at + 4] = query.udpSize;
  message[at + 7] = (message[at + 7]! & 0x7f) | (query.dnssecOk ? 0x80 : 0);
}

/** Header, the question as it is now, and the client's OPT. */
function writeAnew(query: Query): Uint8Array {
  const { packet, packetAt, name, optionsLength } = query;
  const length = nameLength(name);
  const optAt = HEADER_LENGTH + length + 4;
  const message = new Uint8Array(optAt + (query.hasEdns ? OPT_LENGTH + optionsLength : 0));
  message[2] = packet[packetAt + 2]!;
  message[3] = packet[packetAt + 3]!;
  message[5] = 1;
  message.set(name.subarray(0, length), HEADER_LENGTH);
  message[optAt - 4] = query.qtype >>> 8;
  message[optAt - 3] = query.qtype;
  message[optAt - 2] = query.qclass >>> 8;
  message[optAt - 1] = query.qclass;
  if (!query.hasEdns) return message;
  message[11] = 1;
  message[optAt + 2] = RRTYPE.OPT;
  message[optAt + 9] = optionsLength >>> 8;
  message[optAt + 10] = optionsLength;
  const from = packetAt + query.optionsAt;
  message.set(packet.subarray(from, from + optionsLength), optAt + OPT_LENGTH);
  writeOptFields(query, message, optAt);
  return message;
}

/**
 * A question of our own in class IN, ID 0.
 * @param name wire form
 */
export function buildQuestion(name: Uint8Array, type: number, recursionDesired: boolean): Uint8Array {
  const length = nameLength(name);
  const message = new Uint8Array(HEADER_LENGTH + length + 4);
  message[2] = recursionDesired ? 1 : 0;
  message[5] = 1;
  message.set(name.subarray(0, length), HEADER_LENGTH);
  message[HEADER_LENGTH + length] = type >>> 8;
  message[HEADER_LENGTH + length + 1] = type;
  message[HEADER_LENGTH + length + 3] = 1;
  return message;
}
