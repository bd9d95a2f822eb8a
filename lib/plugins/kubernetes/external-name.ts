// ExternalName Services: the alias, and what stands behind it. Worker, cold path.
import { Answer } from '../../chain/answer.ts';
import { copyRecord } from '../../chain/copy-record.ts';
import { isWaiting, Outcome, type Result } from '../../chain/outcome.ts';
import type { Env } from '../../chain/plugin.ts';
import type { Query } from '../../chain/query.ts';
import { makeSubquery } from '../../chain/subquery.ts';
import { isSubdomain, nameLength } from '../../wire/name.ts';
import { SECTION } from '../../wire/record-index.ts';
import { RCODE, RRTYPE } from '../../wire/types.ts';

/** Aliases followed inside the zone. */
const MAX_ALIASES = 11;

/** Answers a query for a name of the same zone; `depth` is how many aliases led there. */
type ServeInZone = (query: Query, answer: Answer, depth: number) => Result;

export class ExternalNames {
  readonly #env: Env;
  readonly #ttlSeconds: number;
  readonly #serveInZone: ServeInZone;
  /** The chain under way met itself or grew too long. */
  #isLoop = false;

  constructor(env: Env, ttlSeconds: number, serveInZone: ServeInZone) {
    this.#env = env;
    this.#ttlSeconds = ttlSeconds;
    this.#serveInZone = serveInZone;
  }

  /** Appends the CNAME of the question's name; the target stands at `bytes[at]`. */
  addAlias(answer: Answer, bytes: Uint8Array, at: number): void {
    if (!answer.beginRecordAt(SECTION.ANSWER, 12, RRTYPE.CNAME, this.#ttlSeconds)) return;
    answer.writeName(bytes, at);
    answer.endRecord();
  }

  /**
   * Answers with the alias and its target's records: names of the own zone from the store, all others from the whole
   * server.
   *
   * @param bytes,at the target; not needed any more when this returns
   * @param zoneAt where the zone starts in `query.name`
   * @returns undefined when the chain is a loop: the caller answers NODATA
   */
  follow(
    query: Query,
    answer: Answer,
    bytes: Uint8Array,
    at: number,
    zoneAt: number,
    depth: number,
  ): Result | undefined {
    if (depth === 0) this.#isLoop = false;
    const target = bytes.slice(at, at + nameLength(bytes, at));
    const into = new Answer();
    const isInZone = isSubdomain(target, query.name.subarray(zoneAt));
    // The apex never has addresses: such an alias is as empty as a loop.
    const isApex = target.length === query.nameLength - zoneAt;
    if (isInZone && (isApex || depth >= MAX_ALIASES || isSubdomain(target, query.name))) {
      this.#isLoop = true;
      return undefined;
    }
    let result: Result;
    if (isInZone) {
      const subquery = makeSubquery(query, target, query.qtype);
      into.begin(subquery);
      result = this.#serveInZone(subquery, into, depth + 1);
      if (this.#isLoop) return undefined;
    } else {
      result = this.#env.resolve(query, target, query.qtype, into);
    }
    if (isWaiting(result)) return result.then((outcome) => this.#join(answer, target, into, outcome, isInZone));
    return this.#join(answer, target, into, result, isInZone);
  }

  /** The response code is that of the last name in the chain (RFC 6604 section 3). */
  #join(answer: Answer, target: Uint8Array, into: Answer, outcome: Outcome, isInZone: boolean): Outcome {
    if (outcome === Outcome.DROPPED) {
      answer.fail(RCODE.SERVFAIL, 'the target of an ExternalName was not answered');
      return Outcome.FAILED;
    }
    this.addAlias(answer, target, 0);
    // Nobody here serves the target: the alias is still true.
    answer.rcode = into.rcode === RCODE.REFUSED ? RCODE.NOERROR : into.rcode;
    answer.error = into.error;
    answer.truncated ||= into.truncated;
    const { records } = into;
    const answers = records.counts[SECTION.ANSWER]!;
    for (let i = 0; i < answers; i++) copyRecord(answer, SECTION.ANSWER, into.bytes, into.base, records, i);
    // Below an alias out of the zone CoreDNS shows answers only.
    if (!isInZone) return Outcome.ANSWERED;
    for (let i = answers; i < answers + records.counts[SECTION.AUTHORITY]!; i++) {
      copyRecord(answer, SECTION.AUTHORITY, into.bytes, into.base, records, i);
    }
    return Outcome.ANSWERED;
  }
}
