// Names of a cluster that stand for names elsewhere: aliases, and services at a host name. Worker, cold path.
import type { StoreReader } from '../store/reader.ts';
import { nameLength } from '../wire/name.ts';
import { SECTION } from '../wire/record-index.ts';
import { RCODE, RRTYPE } from '../wire/types.ts';
import { Answer } from './answer.ts';
import { copyRecord } from './copy-record.ts';
import { isWaiting, Outcome, type Result } from './outcome.ts';
import type { Env } from './plugin.ts';
import type { Query } from './query.ts';

type Resolver = Pick<Env, 'resolve'>;

/** Appends the CNAME of the question's name; the target stands at `bytes[at]`. */
export function addAlias(answer: Answer, ttlSeconds: number, bytes: Uint8Array, at: number): void {
  if (!answer.beginRecordAt(SECTION.ANSWER, 12, RRTYPE.CNAME, ttlSeconds)) return;
  answer.writeName(bytes, at);
  answer.endRecord();
}

/**
 * Answers with the alias and what the whole server says about its target.
 * @param bytes,at the target; not needed any more when this returns
 */
export function followAlias(
  env: Resolver,
  query: Query,
  answer: Answer,
  ttlSeconds: number,
  bytes: Uint8Array,
  at: number,
): Result {
  const target = bytes.slice(at, at + nameLength(bytes, at));
  const into = new Answer();
  const result = env.resolve(query, target, query.qtype, into);
  if (isWaiting(result)) return result.then((outcome) => joinAlias(answer, ttlSeconds, target, into, outcome, false));
  return joinAlias(answer, ttlSeconds, target, into, result, false);
}

/**
 * Completes an answer with the alias and what came of its target. The response code is that of the last name in the
 * chain (RFC 6604 section 3).
 * @param isInZone the target is of the same zone, whose SOA record proves what is missing
 */
export function joinAlias(
  answer: Answer,
  ttlSeconds: number,
  target: Uint8Array,
  into: Answer,
  outcome: Outcome,
  isInZone: boolean,
): Outcome {
  if (outcome === Outcome.DROPPED) {
    answer.fail(RCODE.SERVFAIL, 'the target of an alias was not answered');
    return Outcome.FAILED;
  }
  addAlias(answer, ttlSeconds, target, 0);
  // Nobody here serves the target: the alias is still true.
  answer.rcode = into.rcode === RCODE.REFUSED ? RCODE.NOERROR : into.rcode;
  answer.error = into.error;
  answer.truncated ||= into.truncated;
  answer.live ||= into.live;
  const { records } = into;
  const answers = records.counts[SECTION.ANSWER]!;
  for (let i = 0; i < answers; i++) copyRecord(answer, SECTION.ANSWER, into.bytes, into.base, records, i);
  const authorities = isInZone ? records.counts[SECTION.AUTHORITY]! : 0;
  for (let i = answers; i < answers + authorities; i++) {
    copyRecord(answer, SECTION.AUTHORITY, into.bytes, into.base, records, i);
  }
  return Outcome.ANSWERED;
}

/** Answers with SRV records from an rrset of form RDATA, all to one host, and the host's addresses as the server finds them. */
export function addOutsideServices(
  env: Resolver,
  query: Query,
  answer: Answer,
  ttlSeconds: number,
  store: StoreReader,
  rrset: number,
): Result {
  const { bytes } = store;
  let at = store.bytesAt(rrset);
  const targetAt = at + 8;
  const target = bytes.slice(targetAt, targetAt + nameLength(bytes, targetAt));
  for (let left = store.recordCount(rrset); left > 0; left--) {
    const length = (bytes[at]! << 8) | bytes[at + 1]!;
    if (!answer.beginRecordAt(SECTION.ANSWER, 12, RRTYPE.SRV, ttlSeconds)) return Outcome.ANSWERED;
    answer.putBytes(bytes, at + 2, 6);
    answer.writePlainName(target);
    answer.endRecord();
    at += 2 + length;
  }
  const ipv4 = resolveGlue(env, query, answer, target, RRTYPE.A);
  if (isWaiting(ipv4)) return ipv4.then(() => resolveGlue(env, query, answer, target, RRTYPE.AAAA));
  return resolveGlue(env, query, answer, target, RRTYPE.AAAA);
}

/** Glue is a courtesy: whatever goes wrong, the answer stands. */
function resolveGlue(env: Resolver, query: Query, answer: Answer, target: Uint8Array, type: number): Result {
  const into = new Answer();
  const take = (): Outcome => {
    const answers = into.records.counts[SECTION.ANSWER]!;
    for (let i = 0; i < answers; i++) copyRecord(answer, SECTION.ADDITIONAL, into.bytes, into.base, into.records, i);
    return Outcome.ANSWERED;
  };
  const result = env.resolve(query, target, type, into);
  return isWaiting(result) ? result.then(take) : take();
}
