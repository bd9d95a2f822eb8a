// Cells of the request metrics and how a query is counted in them. Setup part: control thread; counting: worker.
import type { Answer } from '../../chain/answer.ts';
import { Outcome } from '../../chain/outcome.ts';
import { TRANSPORT, type Query } from '../../chain/query.ts';
import { type MetricRegistry, observe, SIZE_BUCKETS, TIME_BUCKETS } from '../../metrics/registry.ts';
import { formatRcode, RRTYPE } from '../../wire/types.ts';

/** Query types with a label of their own; all others are `other`. */
const TYPES = [
  'A', 'AAAA', 'CNAME', 'DNSKEY', 'DS', 'HTTPS', 'IXFR', 'AXFR', 'ANY', 'MX', 'NS', 'NSEC', 'NSEC3', 'PTR', 'RRSIG', 'SOA',
  'SRV', 'SVCB', 'TXT',
] as const; // biome-ignore format: a list
/** Response codes with a label of their own; an extended code from here on is `other`. */
const RCODES = 24;
const FAMILIES = ['1', '2'] as const;
const PROTOCOLS = ['udp', 'tcp'] as const;
const MS_PER_SECOND = 1000;

const TYPE_COUNT = TYPES.length + 1;
/** Type number -> index in `TYPES`, or of `other`. All types with a label are below 256. */
const TYPE_INDEX: Uint8Array = new Uint8Array(256).fill(TYPES.length);
for (const [index, name] of TYPES.entries()) TYPE_INDEX[RRTYPE[name]] = index;

/** First cells of one server and zone; plain data. Each is the start of a dense table. */
export type RequestCells = {
  /** Cell + (protocol * 2 + family) * 20 + type. */
  readonly requests: number;
  /** Cell + rcode: replies a plugin wrote. */
  readonly written: number;
  /** Cell + rcode: replies the server wrote because no plugin did. */
  readonly unwritten: number;
  readonly dnssecOk: number;
  readonly duration: number;
  /** Indexed by protocol. */
  readonly requestSize: readonly number[];
  readonly responseSize: readonly number[];
};

const NAMES = {
  requests: ['coredns_dns_requests_total', 'Queries received, by zone, protocol, address family and type.'],
  responses: ['coredns_dns_responses_total', 'Replies, by response code.'],
  dnssecOk: ['coredns_dns_do_requests_total', 'Queries that asked for DNSSEC records (DO bit).'],
  duration: ['coredns_dns_request_duration_seconds', 'Seconds from a query to its reply.'],
  requestSize: ['coredns_dns_request_size_bytes', 'Size of the request in bytes per zone and protocol.'],
  responseSize: ['coredns_dns_response_size_bytes', 'Bytes of replies, names written out in full.'],
} as const;

/** The value of the label `zone` for queries that were answered before any server block saw them. */
export const DROPPED_ZONE = 'dropped';

/**
 * Declares all series of one server and zone. Cells of a table follow one another because they are declared in one go;
 * a series that was declared before keeps its cell, and so does its whole table.
 *
 * @param writer value of the label `plugin` for replies that a plugin wrote
 */
export function declareRequestCells(
  registry: MetricRegistry,
  server: string,
  zone: string,
  view: string,
  writer: string,
): RequestCells {
  const base = { server, zone, view };
  const table = (cells: readonly number[]): number => cells[0]!;
  const rcodes = Array.from({ length: RCODES + 1 }, (_, rcode) => (rcode === RCODES ? 'other' : formatRcode(rcode)));
  const responses = (plugin: string): number =>
    table(rcodes.map((rcode) => registry.counter(...NAMES.responses, { ...base, rcode, plugin })));
  return {
    requests: table(
      PROTOCOLS.flatMap((proto) =>
        FAMILIES.flatMap((family) =>
          [...TYPES, 'other'].map((type) => registry.counter(...NAMES.requests, { ...base, proto, family, type })),
        ),
      ),
    ),
    written: responses(writer),
    unwritten: responses(''),
    dnssecOk: registry.counter(...NAMES.dnssecOk, base),
    duration: registry.histogram(...NAMES.duration, TIME_BUCKETS, base),
    requestSize: PROTOCOLS.map((proto) => registry.histogram(...NAMES.requestSize, SIZE_BUCKETS, { ...base, proto })),
    responseSize: PROTOCOLS.map((proto) => registry.histogram(...NAMES.responseSize, SIZE_BUCKETS, { ...base, proto })),
  };
}

/** Series of what a listener answers itself, before a server block is found: zone `dropped`, no view, no plugin. */
export function declareDropped(registry: MetricRegistry, server: string): RequestCells {
  return declareRequestCells(registry, server, DROPPED_ZONE, '', '');
}

/**
 * Counts one query and what became of it.
 *
 * @param qtype the type asked, before any rewriting
 * @param durationSeconds from the first plugin to the last byte of the answer
 */
export function countRequest(
  cells: Float64Array,
  at: RequestCells,
  query: Query,
  qtype: number,
  answer: Answer,
  outcome: Outcome,
  durationSeconds: number,
): void {
  // A dropped query counts as NOERROR of size 0, as in CoreDNS; so does the size of a bare error code.
  const rcode = outcome === Outcome.DROPPED ? 0 : answer.rcode;
  const size = outcome === Outcome.ANSWERED ? answer.length + answer.saved : 0;
  count(
    cells,
    at,
    query,
    qtype,
    rcode,
    outcome === Outcome.ANSWERED ? at.written : at.unwritten,
    size,
    durationSeconds,
  );
}

/**
 * Counts a query that the listener answered without a plugin (REFUSED for a class or name that nobody serves, SERVFAIL
 * after a fault).
 *
 * @param sizeBytes of the reply
 */
export function countDropped(
  cells: Float64Array,
  at: RequestCells,
  query: Query,
  rcode: number,
  sizeBytes: number,
): void {
  count(cells, at, query, query.qtype, rcode, at.unwritten, sizeBytes, 0);
}

function count(
  cells: Float64Array,
  at: RequestCells,
  query: Query,
  qtype: number,
  rcode: number,
  responses: number,
  sizeBytes: number,
  durationSeconds: number,
): void {
  const protocol = query.transport === TRANSPORT.UDP ? 0 : 1;
  const family = query.family === 4 ? 0 : 1;
  const type = qtype < 256 ? TYPE_INDEX[qtype]! : TYPES.length;
  cells[at.requests + (protocol * 2 + family) * TYPE_COUNT + type]!++;
  cells[responses + (rcode < RCODES ? rcode : RCODES)]!++;
  if (query.dnssecOk) cells[at.dnssecOk]!++;
  observe(cells, at.duration, TIME_BUCKETS, durationSeconds);
  observe(cells, at.requestSize[protocol]!, SIZE_BUCKETS, query.packetLength);
  observe(cells, at.responseSize[protocol]!, SIZE_BUCKETS, sizeBytes);
}

/** Seconds between two readings of `Clock.monotonicMs`. */
export function secondsBetween(startMs: number, endMs: number): number {
  return Math.max(0, endMs - startMs) / MS_PER_SECOND;
}
