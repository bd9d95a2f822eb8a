// Makes AAAA records from A records for clients that have IPv6 alone (RFC 6147). Worker.
import { Answer } from '../../chain/answer.ts';
import { copyRecord } from '../../chain/copy-record.ts';
import { isWaiting, Outcome, type Result } from '../../chain/outcome.ts';
import type { Env, Handler } from '../../chain/plugin.ts';
import type { Query } from '../../chain/query.ts';
import { readName } from '../../wire/name.ts';
import { SECTION } from '../../wire/record-index.ts';
import { CLASS, RCODE, RRTYPE } from '../../wire/types.ts';
import type { Dns64Options } from './setup.ts';

/** A TTL in seconds for made-up records when the denial of AAAA says none (RFC 6147 section 5.1.7). */
const DEFAULT_TTL_SECONDS = 600;

export function createDns64Handler(options: Dns64Options, env: Env): Handler {
  const { next, cells } = env;
  const synthesizer = new Synthesizer(options);

  function finish(query: Query, answer: Answer, outcome: Outcome): Result {
    if (outcome !== Outcome.ANSWERED || !needsSynthesis(answer, options.translateAll)) return outcome;
    const ttlSeconds = denialTtl(answer);
    const into = new Answer();
    const result = env.resolve(query, query.name.slice(0, query.nameLength), RRTYPE.A, into);
    const cell = options.translatedCells[query.server];
    if (cell !== undefined) cells[cell]!++;
    if (isWaiting(result)) return result.then((asked) => synthesizer.fill(answer, into, asked, ttlSeconds));
    return synthesizer.fill(answer, into, result, ttlSeconds);
  }

  return function dns64(query, answer) {
    const isEligible =
      query.qtype === RRTYPE.AAAA && query.qclass === CLASS.IN && (query.family === 6 || options.allowIpv4);
    const result = next(query, answer);
    if (!isEligible) return result;
    if (isWaiting(result)) return waitFor(result, query, answer);
    return finish(query, answer, result);
  };

  // Apart, so that only queries that wait need an object for what is remembered.
  function waitFor(result: Promise<Outcome>, query: Query, answer: Answer): Promise<Outcome> {
    return result.then((outcome) => finish(query, answer, outcome));
  }
}

/** Whether there is no AAAA although the name may have addresses. */
function needsSynthesis(answer: Answer, translateAll: boolean): boolean {
  if (answer.rcode === RCODE.NXDOMAIN) return false;
  if (translateAll) return true;
  const { records } = answer;
  for (let i = 0; i < records.counts[SECTION.ANSWER]!; i++) if (records.type(i) === RRTYPE.AAAA) return false;
  return true;
}

function denialTtl(answer: Answer): number {
  const { records } = answer;
  for (let i = 0; i < records.count; i++) if (records.type(i) === RRTYPE.SOA) return answer.ttl(i);
  return DEFAULT_TTL_SECONDS;
}

class Synthesizer {
  readonly #options: Dns64Options;
  readonly #owner = new Uint8Array(256);
  readonly #address: Uint8Array;

  constructor(options: Dns64Options) {
    this.#options = options;
    this.#address = options.prefix.slice();
  }

  /** Replaces `answer` by what the A records in `from` say; other records of that answer are kept. */
  fill(answer: Answer, from: Answer, asked: Outcome, denialTtlSeconds: number): Outcome {
    if (asked !== Outcome.ANSWERED) {
      answer.fail(RCODE.SERVFAIL, from.error);
      return Outcome.FAILED;
    }
    answer.reset();
    answer.rcode = from.rcode;
    answer.truncated = from.truncated;
    const { records, bytes, base } = from;
    for (let i = 0; i < records.count; i++) {
      if (records.section(i) === SECTION.ANSWER && records.type(i) === RRTYPE.A)
        this.#add(answer, from, i, denialTtlSeconds);
      else copyRecord(answer, records.section(i), bytes, base, records, i);
    }
    return Outcome.ANSWERED;
  }

  #add(answer: Answer, from: Answer, i: number, denialTtlSeconds: number): void {
    const { records, bytes, base } = from;
    if (readName(bytes, base, records.ownerAt(i), records.endAt(i), this.#owner) === -1) return;
    const ttlSeconds = Math.min(from.ttl(i), denialTtlSeconds);
    if (!answer.beginRecord(SECTION.ANSWER, this.#owner, 0, RRTYPE.AAAA, ttlSeconds)) return;
    this.#embed(bytes, base + records.rdataAt(i));
    answer.putBytes(this.#address, 0, 16);
    answer.endRecord();
  }

  /** Puts the IPv4 address behind the prefix, leaving bits 64 to 71 zero (RFC 6052 section 2.2). */
  #embed(bytes: Uint8Array, at: number): void {
    const address = this.#address;
    let to = this.#options.prefixBytes;
    for (let i = 0; i < 4; i++) {
      if (to === 8) address[to++] = 0;
      address[to++] = bytes[at + i]!;
    }
  }
}
