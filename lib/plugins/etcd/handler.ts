// Answers from SkyDNS services in the store. Worker.
import { Answer } from '../../chain/answer.ts';
import { copyRecord } from '../../chain/copy-record.ts';
import { isWaiting, Outcome, type Result } from '../../chain/outcome.ts';
import type { Env, Handler } from '../../chain/plugin.ts';
import type { Query } from '../../chain/query.ts';
import { SERVICE_FLAG, SERVICE_KIND, type ServiceRecord } from '../../chain/service-record.ts';
import { ZoneTable } from '../../chain/zone-table.ts';
import { isSubdomain, parseNameLower } from '../../wire/name.ts';
import { SECTION, type Section } from '../../wire/record-index.ts';
import { RCODE, RRTYPE } from '../../wire/types.ts';
import { addDistinctAddresses, addTexts, addSoa, QUESTION_AT } from './records.ts';
import type { EtcdOptions } from './setup.ts';
import { ServiceLookup } from './service-lookup.ts';

/** Host names followed for one answer, and how deep: each of them may lead to as many again. */
const MAX_NAMES = 8;
const MAX_FOLLOWED_DEPTH = 3;

export function createEtcdHandler(options: EtcdOptions, env: Env): Handler {
  const { next } = env;
  const zones = new ZoneTable(options.zones);
  const zoneNames = options.zones.map((zone) => parseNameLower(zone)!);
  const fallthrough = new ZoneTable(options.fallthrough);
  const lookup = new ServiceLookup(env.store, options.tree);

  function deny(query: Query, answer: Answer, zoneLabel: number, rcode: number): Outcome {
    answer.rcode = rcode;
    addSoa(query, answer, SECTION.AUTHORITY, zoneLabel, env.store.serial(options.tree));
    return Outcome.ANSWERED;
  }

  /** Ends an answer: one without records says so with the zone's SOA. */
  function conclude(query: Query, answer: Answer, zoneLabel: number): Outcome {
    return answer.records.count === 0 ? deny(query, answer, zoneLabel, RCODE.NOERROR) : Outcome.ANSWERED;
  }

  function answerFrom(query: Query, answer: Answer, zoneLabel: number): Result {
    switch (query.qtype) {
      case RRTYPE.A:
      case RRTYPE.AAAA: {
        const size = query.qtype === RRTYPE.A ? 4 : 16;
        if (!lookup.hasNames) {
          addDistinctAddresses(answer, env.store, lookup, size);
          return conclude(query, answer, zoneLabel);
        }
        const listed = lookup.read(SERVICE_FLAG.LISTED);
        addDistinctAddresses(answer, env.store, lookup, size);
        return thenConclude(followNames(query, answer, listed, zoneLabel, env), query, answer, zoneLabel);
      }
      case RRTYPE.TXT: {
        const texts = lookup.read(SERVICE_FLAG.TEXTS);
        addTexts(answer, texts);
        return thenConclude(followNames(query, answer, texts, zoneLabel, env), query, answer, zoneLabel);
      }
      case RRTYPE.SRV:
        return thenConclude(
          addTargets(query, answer, env, RRTYPE.SRV, lookup.read(SERVICE_FLAG.LISTED)),
          query,
          answer,
          zoneLabel,
        );
      case RRTYPE.MX: {
        const mail = lookup.read(SERVICE_FLAG.LISTED).filter(({ flags }) => (flags & SERVICE_FLAG.MAIL) !== 0);
        return thenConclude(addTargets(query, answer, env, RRTYPE.MX, mail), query, answer, zoneLabel);
      }
      case RRTYPE.CNAME:
      case RRTYPE.PTR:
        addHosts(query, answer, lookup.read(SERVICE_FLAG.EXACT));
        return conclude(query, answer, zoneLabel);
      default:
        return deny(query, answer, zoneLabel, RCODE.NOERROR);
    }
  }

  function thenConclude(result: Result, query: Query, answer: Answer, zoneLabel: number): Result {
    return isWaiting(result)
      ? result.then(() => conclude(query, answer, zoneLabel))
      : conclude(query, answer, zoneLabel);
  }

  /** The apex has its addresses at apex.dns and its name servers at ns.dns, below the zone. */
  function answerApex(query: Query, answer: Answer): Result {
    switch (query.qtype) {
      case RRTYPE.SOA:
        addSoa(query, answer, SECTION.ANSWER, 0, env.store.serial(options.tree));
        return Outcome.ANSWERED;
      case RRTYPE.NS:
        if (!lookup.findBelow(query, 'ns.dns')) return deny(query, answer, 0, RCODE.NOERROR);
        return thenConclude(
          addTargets(query, answer, env, RRTYPE.NS, lookup.read(SERVICE_FLAG.LISTED)),
          query,
          answer,
          0,
        );
      case RRTYPE.A:
      case RRTYPE.AAAA:
        if (!lookup.findBelow(query, 'apex.dns') && !lookup.find(query)) return deny(query, answer, 0, RCODE.NOERROR);
        return answerFrom(query, answer, 0);
      default:
        return lookup.find(query) ? answerFrom(query, answer, 0) : deny(query, answer, 0, RCODE.NOERROR);
    }
  }

  return function etcd(query, answer) {
    const zone = zones.match(query);
    if (zone === -1) return next(query, answer);
    // Asked before the names: a tree is synced after its last name was put.
    const isSynced = env.store.isSynced(options.tree);
    answer.authoritative = true;
    const zoneLabel = lookup.labelOfZone(query, zoneNames[zone]!);
    if (zoneLabel === 0 && isSynced) return answerApex(query, answer);
    if (isSynced && lookup.find(query)) return answerFrom(query, answer, zoneLabel);
    if (!isSynced) {
      answer.fail(RCODE.SERVFAIL, 'etcd has not been read yet');
      return Outcome.FAILED;
    }
    if (fallthrough.match(query) !== -1) {
      answer.reset();
      return next(query, answer);
    }
    return deny(query, answer, zoneLabel, RCODE.NXDOMAIN);
  };
}

/** Records of services at host names: for A, AAAA and TXT the alias and what the server knows of it. */
function followNames(
  query: Query,
  answer: Answer,
  services: readonly ServiceRecord[],
  zoneLabel: number,
  env: Env,
): Result {
  if (query.depth >= MAX_FOLLOWED_DEPTH) return Outcome.ANSWERED;
  const zone = query.name.slice(query.labelAt[zoneLabel], query.nameLength);
  const seen = new Set<string>();
  const names = services.filter(({ kind, host }) => {
    // A name at or below the asked one leads back here: lookups find what stands below.
    if (kind !== SERVICE_KIND.NAME || isSubdomain(host, query.name)) return false;
    const key = Buffer.from(host).toString('latin1');
    return !seen.has(key) && seen.add(key);
  });
  return inTurn(names.slice(0, MAX_NAMES), ({ host, ttlSeconds }) => {
    const into = new Answer();
    const take = (): Outcome => {
      // An alias within the zone that leads to nothing would only hide the other services.
      if (into.records.counts[SECTION.ANSWER] === 0 && isSubdomain(host, zone)) return Outcome.ANSWERED;
      if (answer.beginRecordAt(SECTION.ANSWER, QUESTION_AT, RRTYPE.CNAME, ttlSeconds)) {
        answer.writeName(host);
        answer.endRecord();
      }
      copyAnswers(answer, SECTION.ANSWER, into);
      return Outcome.ANSWERED;
    };
    const result = env.resolve(query, host, query.qtype, into);
    return isWaiting(result) ? result.then(take) : take();
  });
}

/** SRV, MX and NS records, and the addresses of their targets in the additional section. */
function addTargets(query: Query, answer: Answer, env: Env, type: number, services: readonly ServiceRecord[]): Result {
  const seen = new Set<string>();
  const isNew = (key: string): boolean => !seen.has(key) && seen.add(key) !== undefined;
  const keyOf = ({ target }: ServiceRecord): string => Buffer.from(target).toString('latin1');
  // Name servers must have addresses here: a name cannot be told to a resolver that looks for one.
  const usable = services.filter(
    ({ kind }) =>
      kind === SERVICE_KIND.IPV4 || kind === SERVICE_KIND.IPV6 || (kind === SERVICE_KIND.NAME && type !== RRTYPE.NS),
  );
  for (const service of usable) {
    const { priority, weight, port } = service;
    const discriminator =
      type === RRTYPE.SRV
        ? `${port} ${service.kind === SERVICE_KIND.NAME ? `${priority} ${weight}` : ''}`
        : `${type === RRTYPE.MX ? priority : ''}`;
    if (!isNew(`${discriminator} ${keyOf(service)}`)) continue;
    if (!answer.beginRecordAt(SECTION.ANSWER, QUESTION_AT, type, service.ttlSeconds)) break;
    if (type !== RRTYPE.NS) answer.putShort(priority);
    if (type === RRTYPE.SRV) {
      answer.putShort(weight);
      answer.putShort(port);
      answer.writePlainName(service.target);
    } else answer.writeName(service.target);
    answer.endRecord();
  }
  for (const service of usable) {
    if (service.kind === SERVICE_KIND.NAME) continue;
    const isIpv4 = service.kind === SERVICE_KIND.IPV4;
    if (!isNew(`glue ${keyOf(service)} ${Buffer.from(service.host).toString('latin1')}`)) continue;
    if (!answer.beginRecord(SECTION.ADDITIONAL, service.target, 0, isIpv4 ? RRTYPE.A : RRTYPE.AAAA, service.ttlSeconds))
      break;
    answer.putBytes(service.host, 0, service.host.length);
    answer.endRecord();
  }
  const names = usable.filter((service) => service.kind === SERVICE_KIND.NAME && isNew(`name ${keyOf(service)}`));
  if (query.depth >= MAX_FOLLOWED_DEPTH) return Outcome.ANSWERED;
  return inTurn(
    names.slice(0, MAX_NAMES).flatMap(({ target }) => [RRTYPE.A, RRTYPE.AAAA].map((wanted) => ({ target, wanted }))),
    ({ target, wanted }) => addGlue(query, answer, env, target, wanted),
  );
}

/** Glue is a courtesy: whatever goes wrong, the answer stands. */
function addGlue(query: Query, answer: Answer, env: Env, target: Uint8Array, type: number): Result {
  const into = new Answer();
  const take = (): Outcome => {
    copyAnswers(answer, SECTION.ADDITIONAL, into);
    return Outcome.ANSWERED;
  };
  const result = env.resolve(query, target, type, into);
  return isWaiting(result) ? result.then(take) : take();
}

function copyAnswers(answer: Answer, section: Section, { records, bytes, base, live }: Answer): void {
  answer.live ||= live;
  const answers = records.counts[SECTION.ANSWER]!;
  for (let i = 0; i < answers; i++) copyRecord(answer, section, bytes, base, records, i);
}

/** CNAME and PTR records of the services at this very name; an alias stands alone. */
function addHosts(query: Query, answer: Answer, services: readonly ServiceRecord[]): void {
  const names = services.filter(({ kind }) => kind === SERVICE_KIND.NAME);
  for (const { host, ttlSeconds } of query.qtype === RRTYPE.CNAME ? names.slice(0, 1) : names) {
    if (!answer.beginRecordAt(SECTION.ANSWER, QUESTION_AT, query.qtype, ttlSeconds)) return;
    answer.writeName(host);
    answer.endRecord();
  }
}

/** Runs one step after the other; a promise only from the first that has to wait. */
function inTurn<Item>(items: readonly Item[], run: (item: Item) => Result, from = 0): Result {
  for (let i = from; i < items.length; i++) {
    const result = run(items[i]!);
    if (isWaiting(result)) return result.then(() => inTurn(items, run, i + 1));
  }
  return Outcome.ANSWERED;
}
