// Signs answers for clients that set DO, and answers for the keys themselves (RFC 4035). Worker.
import type { Answer } from '../../chain/answer.ts';
import { addRecord } from '../../chain/add-record.ts';
import { Outcome, whenAnswered } from '../../chain/outcome.ts';
import type { Env, Handler } from '../../chain/plugin.ts';
import type { Query } from '../../chain/query.ts';
import { ZoneTable } from '../../chain/zone-table.ts';
import { makeCanonicalRrset } from '../../wire/dnssec/canonical-rrset.ts';
import { SigningKey } from '../../wire/dnssec/signing-key.ts';
import { parseNameLower } from '../../wire/name.ts';
import { SECTION } from '../../wire/record-index.ts';
import { CLASS, OPCODE, RRTYPE } from '../../wire/types.ts';
import { AnswerSigner } from './answer-signer.ts';
import type { DnssecOptions } from './setup.ts';

export function createDnssecHandler(options: DnssecOptions, env: Env): Handler {
  const { next } = env;
  const zones = new ZoneTable(options.zones);
  const names = options.zones.map((zone) => parseNameLower(zone) ?? Uint8Array.of(0));
  const keys = options.keys.map((key) => new SigningKey(key));
  const signer = new AnswerSigner(
    keys,
    names.toSorted((a, b) => b.length - a.length),
    options.cacheCapacity,
    env,
  );

  function addKeys(query: Query, answer: Answer, owner: Uint8Array): Outcome {
    answer.plugin = 'dnssec';
    answer.authoritative = true;
    for (const { dnskey, ttlSeconds } of keys) {
      addRecord(answer, SECTION.ANSWER, {
        name: owner,
        type: RRTYPE.DNSKEY,
        class: CLASS.IN,
        ttlSeconds,
        rdata: dnskey,
      });
    }
    if (query.dnssecOk) {
      const rrset = makeCanonicalRrset(
        owner,
        RRTYPE.DNSKEY,
        keys.map(({ dnskey }) => dnskey),
      );
      signer.signAnswer(answer, rrset, keys[0]!.ttlSeconds, options.cells[query.server]!);
    }
    return Outcome.ANSWERED;
  }

  function finishAnswer(query: Query, answer: Answer, outcome: Outcome): Outcome {
    // What does not fit as it is has to be asked for again.
    if (outcome === Outcome.ANSWERED && !answer.truncated) signer.sign(query, answer, options.cells[query.server]!);
    return outcome;
  }

  return function dnssec(query, answer) {
    if (keys.length === 0 || query.qclass !== CLASS.IN || query.opcode === OPCODE.NOTIFY) return next(query, answer);
    const zone = zones.match(query);
    if (zone === -1) return next(query, answer);
    const { qtype } = query;
    const name = names[zone]!;
    if (qtype === RRTYPE.DNSKEY && query.nameLength === name.length) return addKeys(query, answer, name);
    if (!query.dnssecOk || qtype === RRTYPE.AXFR || qtype === RRTYPE.IXFR) return next(query, answer);
    const result = next(query, answer);
    if (typeof result === 'object') return whenAnswered(result, query, answer, finishAnswer);
    return finishAnswer(query, answer, result);
  };
}
