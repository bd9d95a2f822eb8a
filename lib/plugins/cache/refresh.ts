// lib/plugins/cache/refresh.ts — worker. A query of the server's own that asks the rest of the chain again.
import { Answer } from '../../chain/answer.ts';
import { Query, TRANSPORT } from '../../chain/query.ts';

const MAX_MESSAGE = 65_535;

/** A query like `query` that does not end with it: same question, client and options; no reply goes to anyone. */
export function copyForRefresh(query: Query): Query {
  const copy = new Query();
  const { packet, packetAt, packetLength } = query;
  copy.parse(packet.slice(packetAt, packetAt + packetLength), 0, packetLength);
  if (query.renamed) copy.setName(query.name);
  copy.qtype = query.qtype;
  copy.qclass = query.qclass;
  copy.dnssecOk = query.dnssecOk;
  copy.udpSize = query.udpSize;
  // What comes back is checked for clients that want to know (RFC 6840 section 5.7); each gets AD only if it asked.
  copy.authenticData = true;
  copy.transport = TRANSPORT.INTERNAL;
  copy.family = query.family;
  copy.clientAddress.set(query.clientAddress);
  copy.clientPort = query.clientPort;
  copy.serverAddress.set(query.serverAddress);
  copy.serverPort = query.serverPort;
  copy.block = query.block;
  copy.server = query.server;
  copy.zone = query.zone;
  copy.depth = query.depth;
  copy.receivedMs = query.receivedMs;
  copy.sizeLimit = MAX_MESSAGE;
  return copy;
}

/** An answer of its own for `query`. */
export function answerFor(query: Query): Answer {
  const answer = new Answer();
  answer.begin(query);
  return answer;
}
