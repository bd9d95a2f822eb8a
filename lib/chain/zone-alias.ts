// The end of an alias that leads out of its zone, or to a name there that another zone may serve: the whole server is asked.
// Worker, cold path.
import type { ScratchName } from '../store/zone-lookup.ts';
import { SECTION } from '../wire/record-index.ts';
import { RCODE, RRTYPE } from '../wire/types.ts';
import { Answer } from './answer.ts';
import { copyRecord } from './copy-record.ts';
import { isWaiting, Outcome, type Result } from './outcome.ts';
import type { Env } from './plugin.ts';
import type { Query } from './query.ts';

/** The zone that the alias stands in. */
export interface ZoneEnd {
  addAuthority(query: Query, answer: Answer, zoneLabel: number, type: number): void;
}

export class ZoneAliases {
  readonly #env: Pick<Env, 'store' | 'resolve'>;
  readonly #zone: ZoneEnd;

  constructor(env: Pick<Env, 'store' | 'resolve'>, zone: ZoneEnd) {
    this.#env = env;
    this.#zone = zone;
  }

  /** Completes an answer that ends with an alias to `target`; `target` is not needed any more when this returns. */
  follow(query: Query, answer: Answer, target: ScratchName, zoneLabel: number): Result {
    const into = new Answer();
    // The zone that is open may change while the server asks itself: what is needed of it afterwards is taken now.
    const positive = this.#takeApex(query, zoneLabel, RRTYPE.NS);
    const negative = this.#takeApex(query, zoneLabel, RRTYPE.SOA);
    const join = (outcome: Outcome): Outcome => this.#join(query, answer, into, outcome, positive, negative);
    const result = this.#env.resolve(query, target.name.slice(0, target.length), query.qtype, into);
    return isWaiting(result) ? result.then(join) : join(result);
  }

  #takeApex(query: Query, zoneLabel: number, type: number): Answer {
    const taken = new Answer();
    taken.begin(query);
    this.#zone.addAuthority(query, taken, zoneLabel, type);
    return taken;
  }

  /** The response code is that of the last name in the chain (RFC 6604 section 3). */
  #join(query: Query, answer: Answer, into: Answer, outcome: Outcome, positive: Answer, negative: Answer): Outcome {
    const { records } = into;
    const answers = records.counts[SECTION.ANSWER]!;
    let isPositive = true;
    if (outcome === Outcome.DROPPED || into.rcode === RCODE.SERVFAIL) answer.rcode = RCODE.SERVFAIL;
    else if (into.rcode === RCODE.NXDOMAIN || into.rcode === RCODE.YXDOMAIN) {
      answer.rcode = into.rcode;
      isPositive = false;
    } else isPositive = into.rcode !== RCODE.NOERROR || hasAnswer(into, query.qtype);
    answer.error = into.error;
    answer.truncated ||= into.truncated;
    answer.live ||= into.live;
    for (let i = 0; i < answers; i++) copyRecord(answer, SECTION.ANSWER, into.bytes, into.base, records, i);
    copyAll(answer, isPositive ? positive : negative);
    if (query.dnssecOk) copyProofs(answer, into);
    copyAddresses(answer, into);
    return Outcome.ANSWERED;
  }
}

/** Aliases alone are no answer (RFC 2308 section 2.2). */
function hasAnswer({ records }: Answer, type: number): boolean {
  const answers = records.counts[SECTION.ANSWER]!;
  for (let i = 0; i < answers; i++) if (records.type(i) === type) return true;
  return answers > 0 && type === RRTYPE.ANY;
}

function copyAll(answer: Answer, from: Answer): void {
  const { records } = from;
  for (let i = 0; i < records.count; i++) copyRecord(answer, SECTION.AUTHORITY, from.bytes, from.base, records, i);
}

/** NSEC and NSEC3 records with their signatures: without them a wildcard or a denial behind the alias is not proved. */
function copyProofs(answer: Answer, from: Answer): void {
  const { records } = from;
  const first = records.counts[SECTION.ANSWER]!;
  for (let i = first; i < first + records.counts[SECTION.AUTHORITY]!; i++) {
    let type = records.type(i);
    if (type === RRTYPE.RRSIG) {
      const at = from.base + records.rdataAt(i);
      type = (from.bytes[at]! << 8) | from.bytes[at + 1]!;
    }
    if (type !== RRTYPE.NSEC && type !== RRTYPE.NSEC3) continue;
    copyRecord(answer, SECTION.AUTHORITY, from.bytes, from.base, records, i);
  }
}

/** Addresses that came with records whose targets a client looks up next. */
function copyAddresses(answer: Answer, from: Answer): void {
  const { records } = from;
  for (let i = records.count - records.counts[SECTION.ADDITIONAL]!; i < records.count; i++) {
    const type = records.type(i);
    if (type !== RRTYPE.A && type !== RRTYPE.AAAA) continue;
    copyRecord(answer, SECTION.ADDITIONAL, from.bytes, from.base, records, i);
  }
}
