// Answers names for use outside of the cluster from the tree that the kubernetes plugin of the block offers. Worker.
import type { Answer } from '../../chain/answer.ts';
import { Outcome, type Result } from '../../chain/outcome.ts';
import { addAlias, addOutsideServices, followAlias } from '../../chain/outside-names.ts';
import type { Env, Handler } from '../../chain/plugin.ts';
import { hasBothUnderscores, writePortName } from '../../chain/port-name.ts';
import type { Query } from '../../chain/query.ts';
import { addPointers, addServiceRecords } from '../../chain/service-answer.ts';
import { ZoneTable } from '../../chain/zone-table.ts';
import { TREE_STATE } from '../../store/layout.ts';
import { relativeNameHash } from '../../store/name-hash.ts';
import { RRSET_FORM } from '../../store/rrset-form.ts';
import { parseNameLower } from '../../wire/name.ts';
import { SECTION } from '../../wire/record-index.ts';
import { EDE, RCODE, RRTYPE } from '../../wire/types.ts';
import { ExternalZone } from './external-zone.ts';
import type { ExternalOptions } from './setup.ts';

/** Labels of `_port._protocol.service.namespace`. */
const MAX_RELATIVE_LABELS = 4;

export function createK8sExternalHandler(options: ExternalOptions, env: Env): Handler {
  const { external } = env.offers;
  // The Corefile was checked at setup; a plan without the tree passes everything on.
  if (!external) return env.next;
  return new ExternalHandler(options, env, external.tree).serve;
}

class ExternalHandler {
  readonly #options: ExternalOptions;
  readonly #env: Env;
  readonly #tree: number;
  readonly #table: ZoneTable;
  readonly #zones: readonly ExternalZone[];
  readonly #primaryZone: Uint8Array;
  readonly #fallthrough: ZoneTable | undefined;
  readonly #scratch = new Uint8Array(260);

  constructor(options: ExternalOptions, env: Env, tree: number) {
    this.#options = options;
    this.#env = env;
    this.#tree = tree;
    this.#table = new ZoneTable(options.zones.map(({ zone }) => zone));
    this.#zones = options.zones.map(({ zone }) => new ExternalZone(zone, options, env.store, tree));
    this.#primaryZone = parseNameLower(options.primaryZone) ?? Uint8Array.of(0);
    this.#fallthrough = options.fallthrough ? new ZoneTable(options.fallthrough) : undefined;
    env.offers.transferers.push({
      open: (query) => this.#zoneOf(query)?.openTransfer(query),
      zones: () => this.#zones.flatMap((zone) => zone.transferable()),
    });
  }

  #zoneOf(query: Query): ExternalZone | undefined {
    return this.#zones[this.#table.match(query)];
  }

  readonly serve: Handler = (query, answer) => {
    const index = this.#table.match(query);
    if (index === -1) return this.#env.next(query, answer);
    const { store } = this.#env;
    store.enter();
    try {
      return this.#serveZone(query, answer, index);
    } finally {
      store.leave();
    }
  };

  #serveZone(query: Query, answer: Answer, index: number): Result {
    if (query.qtype === RRTYPE.AXFR || query.qtype === RRTYPE.IXFR) {
      answer.fail(RCODE.REFUSED);
      return Outcome.FAILED;
    }
    answer.plugin = 'k8s_external';
    answer.live = true;
    answer.authoritative = true;
    const { store } = this.#env;
    const zone = this.#zones[index]!;
    const zoneLabel = query.labelCount - zone.labelCount;
    if (store.state(this.#tree) === TREE_STATE.NOT_SYNCED) return this.#notReady(answer, zone);
    if (zoneLabel === 0) return this.#apex(query, answer, zone);
    if (this.#options.zones[index]!.isReverse) return this.#reverse(query, answer, zone);
    const apexLabel = zone.findApex(query, zoneLabel);
    if (apexLabel !== -1) return this.#belowApex(query, answer, zone, apexLabel);
    if (zoneLabel > MAX_RELATIVE_LABELS) return this.#missing(query, answer, zone);
    const entry = this.#find(query, zoneLabel);
    if (entry === 0 || !zone.isServed(store.flags(entry))) return this.#missing(query, answer, zone);
    return this.#answerEntry(query, answer, zone, entry, zoneLabel);
  }

  #find(query: Query, zoneLabel: number): number {
    const { store } = this.#env;
    const tree = this.#tree;
    const length = query.labelAt[zoneLabel]!;
    if (zoneLabel < MAX_RELATIVE_LABELS || hasBothUnderscores(query)) {
      return store.find(tree, query.name, 0, length, query.relativeHash(zoneLabel, tree));
    }
    if (length + 2 > 254) return 0;
    const written = writePortName(query, length, this.#scratch);
    return store.find(tree, this.#scratch, 0, written, relativeNameHash(tree, this.#scratch, 0, written));
  }

  #answerEntry(query: Query, answer: Answer, zone: ExternalZone, entry: number, zoneLabel: number): Result {
    const { store } = this.#env;
    const { ttlSeconds } = this.#options;
    const { qtype } = query;
    const rrset = store.findRrset(entry, qtype);
    if (rrset === 0) {
      const alias = qtype === RRTYPE.A || qtype === RRTYPE.AAAA ? store.findRrset(entry, RRTYPE.CNAME) : 0;
      if (alias === 0) return this.#noData(answer, zone);
      return followAlias(this.#env, query, answer, ttlSeconds, store.bytes, store.bytesAt(alias));
    }
    switch (qtype) {
      case RRTYPE.A:
      case RRTYPE.AAAA: {
        const size = qtype === RRTYPE.A ? 4 : 16;
        answer.addAddresses(ttlSeconds, size, store.bytes, store.bytesAt(rrset), store.recordCount(rrset));
        return Outcome.ANSWERED;
      }
      case RRTYPE.CNAME:
        addAlias(answer, ttlSeconds, store.bytes, store.bytesAt(rrset));
        return Outcome.ANSWERED;
      case RRTYPE.SRV:
        if (store.form(rrset) === RRSET_FORM.RDATA) {
          return addOutsideServices(this.#env, query, answer, ttlSeconds, store, rrset);
        }
        addServiceRecords(query, answer, store, rrset, zoneLabel, ttlSeconds);
        return Outcome.ANSWERED;
      default:
        return this.#noData(answer, zone);
    }
  }

  #reverse(query: Query, answer: Answer, zone: ExternalZone): Result {
    const { store } = this.#env;
    const hash = query.relativeHash(query.labelCount, this.#tree);
    const entry = store.find(this.#tree, query.name, 0, query.nameLength - 1, hash);
    if (entry === 0) return this.#missing(query, answer, zone);
    const rrset = query.qtype === RRTYPE.PTR ? store.findRrset(entry, RRTYPE.PTR) : 0;
    if (rrset === 0) return this.#noData(answer, zone);
    addPointers(answer, store, rrset, this.#primaryZone, this.#options.ttlSeconds);
    return Outcome.ANSWERED;
  }

  #apex(query: Query, answer: Answer, zone: ExternalZone): Outcome {
    if (query.qtype === RRTYPE.SOA) {
      zone.addSoa(answer, SECTION.ANSWER);
      return Outcome.ANSWERED;
    }
    if (query.qtype !== RRTYPE.NS) return this.#noData(answer, zone);
    zone.addNameServer(answer);
    return Outcome.ANSWERED;
  }

  /** `<apex>.<zone>` and what is below it: `ns1` alone. */
  #belowApex(query: Query, answer: Answer, zone: ExternalZone, apexLabel: number): Outcome {
    if (apexLabel === 0) return this.#noData(answer, zone);
    if (apexLabel > 1 || !zone.isNameServer(query)) {
      answer.rcode = RCODE.NXDOMAIN;
      return this.#noData(answer, zone);
    }
    const { store } = this.#env;
    const size = query.qtype === RRTYPE.A ? 4 : query.qtype === RRTYPE.AAAA ? 16 : 0;
    const rrset = size === 0 ? 0 : zone.findNameServerAddresses(query.qtype);
    if (rrset === 0) return this.#noData(answer, zone);
    answer.addAddresses(this.#options.ttlSeconds, size, store.bytes, store.bytesAt(rrset), store.recordCount(rrset));
    return Outcome.ANSWERED;
  }

  #missing(query: Query, answer: Answer, zone: ExternalZone): Result {
    if (this.#env.store.state(this.#tree) === TREE_STATE.INCOMPLETE) return this.#notReady(answer, zone);
    if (this.#fallthrough && this.#fallthrough.match(query) !== -1) {
      answer.reset();
      return this.#env.next(query, answer);
    }
    answer.rcode = RCODE.NXDOMAIN;
    return this.#noData(answer, zone);
  }

  #notReady(answer: Answer, zone: ExternalZone): Outcome {
    answer.rcode = RCODE.SERVFAIL;
    answer.ede = EDE.NOT_READY;
    answer.edeText = 'the view of the cluster is not complete yet';
    return this.#noData(answer, zone);
  }

  #noData(answer: Answer, zone: ExternalZone): Outcome {
    zone.addSoa(answer, SECTION.AUTHORITY);
    return Outcome.ANSWERED;
  }
}
