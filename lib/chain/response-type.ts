// What kind of reply a finished answer is, in the words of CoreDNS's log and cache. Worker.
import { SECTION } from '../wire/record-index.ts';
import { OPCODE, RCODE, RRTYPE } from '../wire/types.ts';
import type { Answer } from './answer.ts';
import { Outcome } from './outcome.ts';
import type { Query } from './query.ts';

export const RESPONSE_TYPE = {
  /** NOERROR with an answer, or with nothing at all. */
  NOERROR: 0,
  NXDOMAIN: 1,
  /** SERVFAIL or NOTIMP. */
  SERVERERROR: 2,
  /** NOERROR without an answer, with SOA. */
  NODATA: 3,
  /** NOERROR without an answer, with NS and no SOA. */
  DELEGATION: 4,
  /** NOTIFY and zone transfers. */
  META: 5,
  OTHERERROR: 6,
} as const;
export type ResponseType = (typeof RESPONSE_TYPE)[keyof typeof RESPONSE_TYPE];

/** Coarser: what `class` of the `log` plugin chooses by. Bits, so that a rule can hold several. */
export const RESPONSE_CLASS = { SUCCESS: 1, DENIAL: 2, ERROR: 4 } as const;
export type ResponseClass = (typeof RESPONSE_CLASS)[keyof typeof RESPONSE_CLASS];

/** Kind of the reply; a query without a reply counts as `OTHERERROR`. */
export function findResponseType(query: Query, answer: Answer, outcome: Outcome): ResponseType {
  if (outcome === Outcome.DROPPED) return RESPONSE_TYPE.OTHERERROR;
  if (query.opcode === OPCODE.NOTIFY || query.qtype === RRTYPE.AXFR || query.qtype === RRTYPE.IXFR) {
    return RESPONSE_TYPE.META;
  }
  const { rcode, records } = answer;
  if (records.counts[SECTION.ANSWER]! > 0) {
    return rcode === RCODE.NOERROR ? RESPONSE_TYPE.NOERROR : findErrorType(rcode, rcode === RCODE.NXDOMAIN);
  }
  if (rcode !== RCODE.NOERROR) return findErrorType(rcode, false);
  let delegations = 0;
  for (let i = records.counts[SECTION.ANSWER]!, end = i + records.counts[SECTION.AUTHORITY]!; i < end; i++) {
    const type = records.type(i);
    if (type === RRTYPE.SOA) return RESPONSE_TYPE.NODATA;
    if (type === RRTYPE.NS) delegations++;
  }
  return delegations > 0 ? RESPONSE_TYPE.DELEGATION : RESPONSE_TYPE.NOERROR;
}

function findErrorType(rcode: number, isContradiction: boolean): ResponseType {
  if (rcode === RCODE.NXDOMAIN && !isContradiction) return RESPONSE_TYPE.NXDOMAIN;
  return rcode === RCODE.SERVFAIL || rcode === RCODE.NOTIMP ? RESPONSE_TYPE.SERVERERROR : RESPONSE_TYPE.OTHERERROR;
}

/** Class of a kind of reply. */
export function classOf(type: ResponseType): ResponseClass {
  switch (type) {
    case RESPONSE_TYPE.NOERROR:
    case RESPONSE_TYPE.DELEGATION:
      return RESPONSE_CLASS.SUCCESS;
    case RESPONSE_TYPE.NXDOMAIN:
    case RESPONSE_TYPE.NODATA:
      return RESPONSE_CLASS.DENIAL;
    default:
      return RESPONSE_CLASS.ERROR;
  }
}

/** Name of a kind of reply, as the metadata value `log/type` has it. */
export function formatResponseType(type: ResponseType): string {
  return TYPE_NAMES[type]!;
}
const TYPE_NAMES: readonly string[] = Object.keys(RESPONSE_TYPE);

/** Name of a class, as the metadata value `log/class` has it. */
export function formatResponseClass(value: ResponseClass): string {
  return value === RESPONSE_CLASS.SUCCESS ? 'success' : value === RESPONSE_CLASS.DENIAL ? 'denial' : 'error';
}
