// Answers questions for addresses of a family that nobody here can use without records, and without asking upstream. Worker.
import type { Answer } from '../../chain/answer.ts';
import { isWaiting, Outcome, type Result } from '../../chain/outcome.ts';
import type { Env, Handler } from '../../chain/plugin.ts';
import { type Query, REACH } from '../../chain/query.ts';
import { SECTION } from '../../wire/record-index.ts';
import { CLASS, RCODE, RRTYPE } from '../../wire/types.ts';
import type { IpFamiliesOptions } from './setup.ts';

/** A type for private use (RFC 6895 section 3.1) that no name has: the reply to it says what the zone says of a missing one. */
const TYPE_NOBODY_HAS = 65_280;
/** Of the denial made here, when no zone has one. What is wanted changes with a reload only. */
const DENIAL_TTL_SECONDS = 30;
/** Who made the denial, and that nobody is to be written to about it. */
const MNAME = Buffer.from('\x0bip-families\x07invalid\0', 'latin1');
const RNAME = Buffer.from('\x06nobody\x07invalid\0', 'latin1');

/** What stands in the answer section. */
const FOUND = { NOTHING: 0, RECORDS: 1, SIGNED: 2 } as const;

export function createIpFamiliesHandler(options: IpFamiliesOptions, env: Env): Handler {
  const { next, cells } = env;
  const { unwantedType } = options;
  if (unwantedType === 0) return next;
  const withholding = new Withholding(options, next);
  return function ipFamilies(query, answer) {
    // What this server asks itself (depth) is for its own use: dns64 needs the addresses of the other family.
    if (query.qtype !== unwantedType || query.depth > 0 || query.qclass !== CLASS.IN) return next(query, answer);
    // A client that validates (RFC 6147 section 5.5) could only take what is said here for forged.
    if (query.checkingDisabled && query.dnssecOk) return next(query, answer);
    const cell = options.withheldCells[query.server];
    if (cell !== undefined) cells[cell]!++;
    return withholding.begin(query, answer);
  };
}

class Withholding {
  readonly #options: IpFamiliesOptions;
  readonly #next: Handler;

  constructor(options: IpFamiliesOptions, next: Handler) {
    this.#options = options;
    this.#next = next;
  }

  /** Own zones say whether the name exists; nobody is asked upstream. */
  begin(query: Query, answer: Answer): Result {
    query.reach = REACH.OWN;
    return this.#then(query, this.#ask(query, answer), (outcome) => this.#judge(query, answer, outcome));
  }

  #judge(query: Query, answer: Answer, outcome: Outcome): Result {
    const wasWithheld = query.reach === REACH.WITHHELD;
    query.reach = REACH.ANYWHERE;
    if (outcome !== Outcome.ANSWERED || answer.rcode !== RCODE.NOERROR) return outcome;
    const found = findRecords(answer);
    if (found === FOUND.SIGNED) return outcome;
    // Of an outside name a cache may know that it does not exist: from the answer to the family that is wanted.
    if (wasWithheld && found === FOUND.NOTHING) {
      const wantedType = this.#options.unwantedType === RRTYPE.A ? RRTYPE.AAAA : RRTYPE.A;
      return this.#askAs(query, answer, wantedType, (asked) => this.#deny(query, answer, asked));
    }
    if (found === FOUND.RECORDS)
      return this.#askAs(query, answer, TYPE_NOBODY_HAS, (asked) => this.#empty(query, answer, asked));
    return this.#addSoa(query, answer);
  }

  /** Asks once more for another type, upstream neither. */
  #askAs(query: Query, answer: Answer, type: number, use: (outcome: Outcome) => Outcome): Result {
    answer.reset();
    query.reach = REACH.OWN;
    query.qtype = type;
    return this.#then(query, this.#ask(query, answer), (outcome) => {
      query.reach = REACH.ANYWHERE;
      query.qtype = this.#options.unwantedType;
      return use(outcome);
    });
  }

  #ask(query: Query, answer: Answer): Result {
    try {
      return this.#next(query, answer);
    } catch (error) {
      this.#restore(query);
      throw error;
    }
  }

  #then(query: Query, result: Result, use: (outcome: Outcome) => Result): Result {
    if (!isWaiting(result)) return use(result);
    return result.then(use, (error: unknown) => {
      this.#restore(query);
      throw error;
    });
  }

  /** The query is the client's again, and the loop's for the next packet. */
  #restore(query: Query): void {
    query.reach = REACH.ANYWHERE;
    query.qtype = this.#options.unwantedType;
  }

  /** A known NXDOMAIN stays; anything else comes to "no such records". */
  #deny(query: Query, answer: Answer, outcome: Outcome): Outcome {
    if (outcome === Outcome.ANSWERED && answer.rcode === RCODE.NXDOMAIN) return outcome;
    answer.reset();
    answer.recursionAvailable = true;
    return this.#addSoa(query, answer);
  }

  /** The name has records of the family: the zone's own denial of another type serves, without what it may have found. */
  #empty(query: Query, answer: Answer, outcome: Outcome): Outcome {
    const isDenial = outcome === Outcome.ANSWERED && answer.rcode === RCODE.NOERROR;
    if (!isDenial || findRecords(answer) !== FOUND.NOTHING) answer.reset();
    return this.#addSoa(query, answer);
  }

  /** Makes the reply a denial that can be kept (RFC 2308 section 5): with an SOA record of the server block's zone. */
  #addSoa(query: Query, answer: Answer): Outcome {
    const { records } = answer;
    for (let i = 0; i < records.count; i++) if (records.type(i) === RRTYPE.SOA) return Outcome.ANSWERED;
    const zoneLabel = query.labelCount - (this.#options.zoneLabels[query.zone] ?? 0);
    const zoneAt = 12 + query.labelAt[zoneLabel]!;
    answer.plugin = 'ip_families';
    if (!answer.beginRecordAt(SECTION.AUTHORITY, zoneAt, RRTYPE.SOA, DENIAL_TTL_SECONDS)) return Outcome.ANSWERED;
    answer.writeName(MNAME);
    answer.writeName(RNAME);
    for (const number of [1, 7200, 1800, 86_400, DENIAL_TTL_SECONDS]) answer.putLong(number);
    answer.endRecord();
    return Outcome.ANSWERED;
  }
}

function findRecords({ records }: Answer): number {
  let found: number = FOUND.NOTHING;
  let isSigned = false;
  for (let i = 0; i < records.counts[SECTION.ANSWER]!; i++) {
    const type = records.type(i);
    if (type === RRTYPE.RRSIG) isSigned = true;
    else if (type !== RRTYPE.CNAME && type !== RRTYPE.DNAME) found = FOUND.RECORDS;
  }
  return found === FOUND.RECORDS && isSigned ? FOUND.SIGNED : found;
}
