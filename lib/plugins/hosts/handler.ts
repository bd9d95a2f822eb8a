// Answers from the hosts table in the store. Worker.
import type { Answer } from '../../chain/answer.ts';
import { Outcome } from '../../chain/outcome.ts';
import type { Env, Handler } from '../../chain/plugin.ts';
import type { Query } from '../../chain/query.ts';
import { ZoneTable } from '../../chain/zone-table.ts';
import { relativeNameHash } from '../../store/name-hash.ts';
import { SECTION } from '../../wire/record-index.ts';
import { RCODE, RRTYPE } from '../../wire/types.ts';
import type { HostsOptions } from './setup.ts';

const QUESTION_NAME_AT = 12;
const LONGEST_NAME = 256;

export function createHostsHandler(options: HostsOptions, env: Env): Handler {
  const { next, store } = env;
  const { tree, ttlSeconds, fallthroughUnsupported } = options;
  const zones = new ZoneTable(options.zones);
  const fallthrough = new ZoneTable(options.fallthrough);
  const wildcard = new Uint8Array(LONGEST_NAME);

  /** Entry of the name itself, 0 when there is none. Names of the tree are absolute, less the root label. */
  function findExact(query: Query): number {
    return store.find(tree, query.name, 0, query.nameLength - 1, query.relativeHash(query.labelCount, tree));
  }

  /** Entry of `*` in place of the first label, or 0. */
  function findWildcard(query: Query): number {
    if (query.labelCount === 0) return 0;
    const from = query.labelAt[1]!;
    const length = 2 + query.nameLength - 1 - from;
    wildcard[0] = 1;
    wildcard[1] = 0x2a;
    for (let i = 2; i < length; i++) wildcard[i] = query.name[from + i - 2]!;
    return store.find(tree, wildcard, 0, length, relativeNameHash(tree, wildcard, 0, length));
  }

  function findRrset(entry: number, type: number): number {
    return entry === 0 ? 0 : store.findRrset(entry, type);
  }

  function answerPointers(query: Query, answer: Answer): boolean {
    const rrset = findRrset(findExact(query), RRTYPE.PTR);
    if (rrset === 0) return false;
    answer.authoritative = true;
    let at = store.bytesAt(rrset);
    for (let left = store.recordCount(rrset); left > 0; left--) {
      const length = (store.bytes[at]! << 8) | store.bytes[at + 1]!;
      if (answer.beginRecordAt(SECTION.ANSWER, QUESTION_NAME_AT, RRTYPE.PTR, ttlSeconds)) {
        answer.writeName(store.bytes, at + 2);
        answer.endRecord();
      }
      at += 2 + length;
    }
    return true;
  }

  return function hosts(query, answer) {
    const { qtype } = query;
    if (qtype === RRTYPE.PTR) {
      // Reverse names count in any zone; one that is unknown is the next plugin's, fallthrough or not.
      return answerPointers(query, answer) ? Outcome.ANSWERED : next(query, answer);
    }
    if (zones.match(query) === -1) return next(query, answer);
    const isAddress = qtype === RRTYPE.A || qtype === RRTYPE.AAAA;
    if (!isAddress && fallthroughUnsupported && fallthrough.match(query) !== -1) return next(query, answer);

    // An exact name beats a wildcard, for each family on its own.
    const exact = findExact(query);
    let ipv4 = findRrset(exact, RRTYPE.A);
    let ipv6 = findRrset(exact, RRTYPE.AAAA);
    if (ipv4 === 0 || ipv6 === 0) {
      const entry = findWildcard(query);
      if (ipv4 === 0) ipv4 = findRrset(entry, RRTYPE.A);
      if (ipv6 === 0) ipv6 = findRrset(entry, RRTYPE.AAAA);
    }
    if (ipv4 === 0 && ipv6 === 0) {
      if (fallthrough.match(query) !== -1) return next(query, answer);
      // A hosts file has no SOA to deny a name with; CoreDNS answers SERVFAIL and logs nothing.
      answer.fail(RCODE.SERVFAIL);
      return Outcome.FAILED;
    }
    answer.authoritative = true;
    const rrset = qtype === RRTYPE.A ? ipv4 : qtype === RRTYPE.AAAA ? ipv6 : 0;
    if (rrset !== 0) {
      const size = qtype === RRTYPE.A ? 4 : 16;
      answer.addAddresses(ttlSeconds, size, store.bytes, store.bytesAt(rrset), store.recordCount(rrset));
    }
    return Outcome.ANSWERED;
  };
}
