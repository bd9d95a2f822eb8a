// Answers names of the cluster from the store. Worker.
import type { Answer } from '../../chain/answer.ts';
import { Outcome, type Result } from '../../chain/outcome.ts';
import { addAlias, addOutsideServices } from '../../chain/outside-names.ts';
import type { Env, Handler } from '../../chain/plugin.ts';
import { hasBothUnderscores, hasNoUnderscores, writePortName } from '../../chain/port-name.ts';
import type { Query } from '../../chain/query.ts';
import { addPointers, addServiceRecords } from '../../chain/service-answer.ts';
import { ZoneTable } from '../../chain/zone-table.ts';
import { parseIpv4, parseIpv6 } from '../../base/ip-address.ts';
import { TREE_STATE } from '../../store/layout.ts';
import { relativeNameHash } from '../../store/name-hash.ts';
import { RRSET_FORM } from '../../store/rrset-form.ts';
import { parseNameLower } from '../../wire/name.ts';
import { SECTION } from '../../wire/record-index.ts';
import { EDE, RCODE, RRTYPE } from '../../wire/types.ts';
import { ExternalNames } from './external-name.ts';
import { NearbyEndpoints } from './nearby-endpoints.ts';
import { makeOffers } from './offers.ts';
import type { KubernetesOptions } from './setup.ts';
import { SoaRecord } from './soa.ts';
import { findZonal, type ZonalName } from './zonal.ts';

/** Version of the Kubernetes DNS specification this follows; CoreDNS gives it with this TTL whatever `ttl` says. */
const SCHEMA_VERSION = Buffer.from('\x051.1.0', 'latin1');
const SCHEMA_VERSION_TTL_SECONDS = 28_800;

const DNS_VERSION = Buffer.from('\x0bdns-version', 'latin1');
const NS_DNS = Buffer.from('\x02ns\x03dns', 'latin1');
const POD = Buffer.from('\x03pod', 'latin1');
const SVC = Buffer.from('\x03svc', 'latin1');
const EMPTY = new Uint8Array(0);
/** What an outdated view denies may exist by now: nobody shall believe it for long. */
const OUTDATED_DENIAL_TTL_SECONDS = 5;

/** Labels before the zone in `_port._proto.service.namespace.svc` and in the longest Pod name. */
const MAX_RELATIVE_LABELS = 5;

export function createKubernetesHandler(options: KubernetesOptions, env: Env): Handler {
  makeOffers(options, env);
  return new KubernetesHandler(options, env).serve;
}

/** Kept as a class so that the many small steps share their state without a closure each. */
export class KubernetesHandler {
  readonly #env: Env;
  /** Tree of the cluster's own zones. */
  readonly #ownTree: number;
  /** Tree of each zone, where they differ. */
  readonly #trees: readonly number[] | undefined;
  /** Tree of the zone that is being served. */
  #tree: number;
  readonly #nearby: NearbyEndpoints | undefined;
  readonly #hostnameOnly: boolean;
  readonly #zonal: boolean;
  readonly #zonalName: ZonalName = { entry: 0, serviceLabel: 0, isKnown: false };
  readonly #ttlSeconds: number;
  readonly #pods: KubernetesOptions['pods'];
  readonly #zones: ZoneTable;
  readonly #zoneLabels: readonly number[];
  readonly #isReverse: readonly boolean[];
  readonly #primaryZone: Uint8Array;
  readonly #soa: SoaRecord;
  readonly #briefSoa: SoaRecord;
  readonly #fallthrough: ZoneTable | undefined;
  readonly #external: ExternalNames;
  readonly #scratch = new Uint8Array(256);
  readonly #podAddress = new Uint8Array(16);

  constructor(options: KubernetesOptions, env: Env) {
    this.#env = env;
    this.#ownTree = options.tree;
    this.#tree = options.tree;
    this.#trees = options.zones.some(({ isMulticluster }) => isMulticluster)
      ? options.zones.map(({ isMulticluster }) => (isMulticluster ? options.trees.imports! : options.tree))
      : undefined;
    this.#nearby = options.nearby && new NearbyEndpoints(options.nearby, env);
    this.#hostnameOnly = options.ptr === 'hostname-only';
    this.#zonal = options.zonal;
    this.#ttlSeconds = options.ttlSeconds;
    this.#pods = options.pods;
    this.#zones = new ZoneTable(options.zones.map(({ zone }) => zone));
    this.#zoneLabels = options.zones.map(({ zone }) => (zone === '.' ? 0 : zone.split('.').length - 1));
    this.#isReverse = options.zones.map(({ isReverse }) => isReverse);
    this.#primaryZone = parseNameLower(options.primaryZone) ?? Uint8Array.of(0);
    this.#soa = new SoaRecord(options.ttlSeconds);
    this.#briefSoa = new SoaRecord(Math.min(options.ttlSeconds, OUTDATED_DENIAL_TTL_SECONDS));
    this.#fallthrough = options.fallthrough ? new ZoneTable(options.fallthrough) : undefined;
    this.#external = new ExternalNames(env, options.ttlSeconds, (query, answer, depth) =>
      this.#serveZone(query, answer, this.#zones.match(query), depth),
    );
  }

  readonly serve: Handler = (query, answer) => {
    const zone = this.#zones.match(query);
    if (zone === -1) return this.#env.next(query, answer);
    const { store } = this.#env;
    store.enter();
    try {
      return this.#serveZone(query, answer, zone, 0);
    } finally {
      store.leave();
    }
  };

  #serveZone(query: Query, answer: Answer, zone: number, depth: number): Result {
    // Transfers are the transfer plugin's; without it they are refused.
    if (query.qtype === RRTYPE.AXFR || query.qtype === RRTYPE.IXFR) {
      answer.fail(RCODE.REFUSED);
      return Outcome.FAILED;
    }
    if (this.#trees !== undefined) this.#tree = this.#trees[zone]!;
    answer.plugin = 'kubernetes';
    answer.live = true;
    answer.authoritative = true;
    const zoneLabel = query.labelCount - this.#zoneLabels[zone]!;
    if (this.#env.store.state(this.#tree) === TREE_STATE.NOT_SYNCED) return this.#notReady(query, answer, zoneLabel);
    if (zoneLabel === 0) return this.#apex(query, answer);
    if (this.#isReverse[zone] === true) {
      // The key of a reverse name is all of it but the root.
      const entry = this.#find(query, query.nameLength - 1, query.labelCount);
      if (entry === 0) return this.#missing(query, answer, zoneLabel);
      if (query.qtype === RRTYPE.PTR) return this.#pointers(query, answer, entry, zoneLabel);
      return this.#noData(query, answer, zoneLabel);
    }
    if (zoneLabel > 2 && isLabelAt(query, zoneLabel - 1, POD)) return this.#pod(query, answer, zoneLabel);
    if (zoneLabel === MAX_RELATIVE_LABELS) return this.#portName(query, answer, zoneLabel, depth);
    if (zoneLabel > MAX_RELATIVE_LABELS) return this.#longName(query, answer, zoneLabel);
    const entry = this.#find(query, query.labelAt[zoneLabel]!, zoneLabel);
    if (entry === 0) return this.#special(query, answer, zoneLabel);
    return this.#answerNear(query, answer, entry, zoneLabel, depth);
  }

  /** Entry of the first `length` bytes of the name, which are its first `labels` labels; 0 for none. */
  #find(query: Query, length: number, labels: number): number {
    return this.#env.store.find(this.#tree, query.name, 0, length, query.relativeHash(labels, this.#tree));
  }

  /** Of a clusterset's endpoints nobody knows whose nodes and zones they are in. */
  #answerNear(query: Query, answer: Answer, entry: number, zoneLabel: number, depth: number): Result {
    if (this.#nearby !== undefined && this.#tree === this.#ownTree) {
      entry = this.#nearby.select(query, entry);
      if (entry === 0) return this.#noData(query, answer, zoneLabel);
    }
    return this.#answerEntry(query, answer, entry, zoneLabel, depth);
  }

  /** @param firstLabel where the name proper starts, as for `addServiceRecords` */
  #answerEntry(query: Query, answer: Answer, entry: number, zoneLabel: number, depth: number, firstLabel = 0): Result {
    const { store } = this.#env;
    const rrset = store.findRrset(entry, query.qtype);
    if (rrset !== 0) {
      switch (query.qtype) {
        case RRTYPE.A:
          answer.addAddresses(this.#ttlSeconds, 4, store.bytes, store.bytesAt(rrset), store.recordCount(rrset));
          return Outcome.ANSWERED;
        case RRTYPE.AAAA:
          answer.addAddresses(this.#ttlSeconds, 16, store.bytes, store.bytesAt(rrset), store.recordCount(rrset));
          return Outcome.ANSWERED;
        case RRTYPE.CNAME:
          addAlias(answer, this.#ttlSeconds, store.bytes, store.bytesAt(rrset));
          return Outcome.ANSWERED;
        case RRTYPE.SRV:
          if (store.form(rrset) === RRSET_FORM.RDATA) {
            return addOutsideServices(this.#env, query, answer, this.#ttlSeconds, store, rrset);
          }
          addServiceRecords(query, answer, store, rrset, zoneLabel, this.#ttlSeconds, firstLabel);
          return Outcome.ANSWERED;
        default:
          return this.#noData(query, answer, zoneLabel);
      }
    }
    if (query.qtype === RRTYPE.A || query.qtype === RRTYPE.AAAA) {
      const alias = store.findRrset(entry, RRTYPE.CNAME);
      if (alias !== 0) return this.#chase(query, answer, alias, zoneLabel, depth);
    }
    return this.#noData(query, answer, zoneLabel);
  }

  #chase(query: Query, answer: Answer, alias: number, zoneLabel: number, depth: number): Result {
    const { store } = this.#env;
    const zoneAt = query.labelAt[zoneLabel]!;
    const tree = this.#tree;
    const result = this.#external.follow(query, answer, store.bytes, store.bytesAt(alias), zoneAt, depth);
    if (result !== undefined) return result;
    this.#tree = tree;
    // A chain that leads back to itself or never ends answers nothing, as in CoreDNS.
    return this.#noData(query, answer, zoneLabel);
  }

  #pointers(query: Query, answer: Answer, entry: number, zoneLabel: number): Outcome {
    const { store } = this.#env;
    const rrset = store.findRrset(entry, RRTYPE.PTR);
    if (rrset === 0) return this.#noData(query, answer, zoneLabel);
    addPointers(answer, store, rrset, this.#primaryZone, this.#ttlSeconds, this.#hostnameOnly);
    return Outcome.ANSWERED;
  }

  #apex(query: Query, answer: Answer): Outcome {
    const { store } = this.#env;
    if (query.qtype === RRTYPE.SOA) {
      this.#soa.add(answer, SECTION.ANSWER, 12, query.nameLength, store.serial(this.#tree));
      return Outcome.ANSWERED;
    }
    if (query.qtype === RRTYPE.NS) {
      const rrset = this.#findNameServers();
      if (rrset !== 0) {
        addServiceRecords(query, answer, store, rrset, 0, this.#ttlSeconds);
        return Outcome.ANSWERED;
      }
    }
    return this.#noData(query, answer, 0);
  }

  #findRelative(name: Uint8Array, length: number): number {
    return this.#env.store.find(this.#tree, name, 0, length, relativeNameHash(this.#tree, name, 0, length));
  }

  /** The name servers of every zone are found among the cluster's own Services. */
  #findNameServers(): number {
    const { store } = this.#env;
    const tree = this.#ownTree;
    const entry = store.find(tree, EMPTY, 0, 0, relativeNameHash(tree, EMPTY, 0, 0));
    return entry === 0 ? 0 : store.findRrset(entry, RRTYPE.NS);
  }

  /** `<zone>.pin|prefer._zone.<service>...`; nothing else has so many labels. */
  #longName(query: Query, answer: Answer, zoneLabel: number): Result {
    if (!this.#zonal || this.#tree !== this.#ownTree) return this.#missing(query, answer, zoneLabel);
    const found = this.#zonalName;
    findZonal(this.#env.store, this.#tree, query, zoneLabel, found);
    if (!found.isKnown) return this.#missing(query, answer, zoneLabel);
    if (found.entry === 0) return this.#noData(query, answer, zoneLabel);
    return this.#answerEntry(query, answer, found.entry, zoneLabel, 0, found.serviceLabel);
  }

  /** Names that no object stands for. */
  #special(query: Query, answer: Answer, zoneLabel: number): Result {
    if (zoneLabel === 1 && isLabelAt(query, 0, DNS_VERSION)) return this.#dnsVersion(query, answer, zoneLabel);
    const zoneAt = query.labelAt[zoneLabel]!;
    if (zoneAt === NS_DNS.length && hasBytes(query.name, 0, NS_DNS)) return this.#nameServer(query, answer, zoneLabel);
    if (zoneLabel === 1 && (isLabelAt(query, 0, SVC) || isLabelAt(query, 0, POD))) {
      return this.#noData(query, answer, zoneLabel);
    }
    return this.#missing(query, answer, zoneLabel);
  }

  #dnsVersion(query: Query, answer: Answer, zoneLabel: number): Outcome {
    if (query.qtype !== RRTYPE.TXT) return this.#noData(query, answer, zoneLabel);
    answer.beginRecordAt(SECTION.ANSWER, 12, RRTYPE.TXT, SCHEMA_VERSION_TTL_SECONDS);
    answer.putBytes(SCHEMA_VERSION, 0, SCHEMA_VERSION.length);
    answer.endRecord();
    return Outcome.ANSWERED;
  }

  /** `ns.dns.<zone>`: the addresses of all name servers of the apex. */
  #nameServer(query: Query, answer: Answer, zoneLabel: number): Outcome {
    const { store } = this.#env;
    const size = query.qtype === RRTYPE.A ? 4 : query.qtype === RRTYPE.AAAA ? 16 : 0;
    const rrset = this.#findNameServers();
    if (size === 0 || rrset === 0) return this.#noData(query, answer, zoneLabel);
    const { bytes } = store;
    let at = store.bytesAt(rrset) + 4;
    for (let left = store.recordCount(rrset); left > 0; left--) {
      at += 1 + bytes[at]!;
      at += 1 + bytes[at]! * 4;
      const ipv4 = bytes[at]!;
      if (size === 4) answer.addAddresses(this.#ttlSeconds, 4, bytes, at + 1, ipv4);
      at += 1 + ipv4 * 4;
      const ipv6 = bytes[at]!;
      if (size === 16) answer.addAddresses(this.#ttlSeconds, 16, bytes, at + 1, ipv6);
      at += 1 + ipv6 * 16;
    }
    if (answer.records.count === 0) return this.#noData(query, answer, zoneLabel);
    return Outcome.ANSWERED;
  }

  /** `_port._proto.<service>...`; the underscores may be missing (CoreDNS strips them before it compares). */
  #portName(query: Query, answer: Answer, zoneLabel: number, depth: number): Result {
    const relativeLength = query.labelAt[zoneLabel]!;
    let entry = 0;
    // In a clusterset two labels without underscores are an endpoint and its cluster.
    const isExact = hasBothUnderscores(query) || (this.#tree !== this.#ownTree && hasNoUnderscores(query));
    if (isExact) entry = this.#find(query, relativeLength, zoneLabel);
    else if (relativeLength + 2 < this.#scratch.length) {
      const length = writePortName(query, relativeLength, this.#scratch);
      entry = this.#findRelative(this.#scratch, length);
    }
    if (entry === 0) return this.#missing(query, answer, zoneLabel);
    return this.#answerNear(query, answer, entry, zoneLabel, depth);
  }

  /** `<dashed address>.<namespace>.pod`; up to two labels in front are ignored, as CoreDNS does. */
  #pod(query: Query, answer: Answer, zoneLabel: number): Result {
    const addressLabel = zoneLabel - 3;
    if (this.#pods === 'disabled' || addressLabel > 2) return this.#missing(query, answer, zoneLabel);
    const namespaceAt = query.labelAt[zoneLabel - 2]!;
    const relativeLength = query.labelAt[zoneLabel]!;
    const length = relativeLength - namespaceAt;
    const tree = this.#ownTree;
    const hash = relativeNameHash(tree, query.name, namespaceAt, length);
    if (this.#env.store.find(tree, query.name, namespaceAt, length, hash) === 0) {
      return this.#missing(query, answer, zoneLabel);
    }
    const size = this.#podAddressSize(query, addressLabel, relativeLength);
    if (size === 0) return this.#missing(query, answer, zoneLabel);
    if (query.qtype === RRTYPE.SRV) return this.#podService(query, answer, addressLabel, size);
    if (query.qtype !== (size === 4 ? RRTYPE.A : RRTYPE.AAAA)) return this.#noData(query, answer, zoneLabel);
    answer.addAddresses(this.#ttlSeconds, size, this.#podAddress, 0, 1);
    return Outcome.ANSWERED;
  }

  /** Puts the Pod's address into `#podAddress`; returns its size, 0 when there is no such Pod name. */
  #podAddressSize(query: Query, label: number, relativeLength: number): number {
    const at = query.labelAt[label]!;
    if (this.#pods === 'verified') {
      const { store } = this.#env;
      const tree = this.#ownTree;
      const hash = relativeNameHash(tree, query.name, at, relativeLength - at);
      const entry = store.find(tree, query.name, at, relativeLength - at, hash);
      if (entry === 0) return 0;
      const rrset = store.firstRrset(entry);
      const size = store.byteLength(rrset);
      for (let i = 0; i < size; i++) this.#podAddress[i] = store.bytes[store.bytesAt(rrset) + i]!;
      return size;
    }
    const text = Buffer.from(query.name.buffer, query.name.byteOffset + at + 1, query.name[at]).toString('latin1');
    const isIpv4 = text.split('-').length === 4 && !text.includes('--');
    const address = isIpv4 ? parseIpv4(text.replaceAll('-', '.')) : parseIpv6(text.replaceAll('-', ':'));
    if (!address) return 0;
    const mapped = !isIpv4 && isIpv4Mapped(address);
    this.#podAddress.set(mapped ? address.subarray(12) : address);
    return isIpv4 || mapped ? 4 : 16;
  }

  /** A Pod's SRV names itself with port 0, as CoreDNS answers. */
  #podService(query: Query, answer: Answer, label: number, size: number): Outcome {
    if (!answer.beginRecordAt(SECTION.ANSWER, 12, RRTYPE.SRV, this.#ttlSeconds)) return Outcome.ANSWERED;
    answer.putShort(0);
    answer.putShort(100);
    answer.putShort(0);
    answer.writePlainName(query.rawName, query.labelAt[label]);
    answer.endRecord();
    const type = size === 4 ? RRTYPE.A : RRTYPE.AAAA;
    const at = query.labelAt[label]!;
    const length = query.nameLength - at;
    answer.addAddressAt(SECTION.ADDITIONAL, 12 + at, length, type, this.#ttlSeconds, this.#podAddress, 0, size);
    return Outcome.ANSWERED;
  }

  /** The name is not there: NXDOMAIN, the next plugin, or SERVFAIL as long as nobody can know. */
  #missing(query: Query, answer: Answer, zoneLabel: number): Result {
    if (this.#env.store.state(this.#tree) === TREE_STATE.INCOMPLETE) return this.#notReady(query, answer, zoneLabel);
    if (this.#fallthrough && this.#fallthrough.match(query) !== -1) return this.#passOn(query, answer);
    answer.rcode = RCODE.NXDOMAIN;
    return this.#noData(query, answer, zoneLabel);
  }

  #notReady(query: Query, answer: Answer, zoneLabel: number): Outcome {
    answer.rcode = RCODE.SERVFAIL;
    answer.ede = EDE.NOT_READY;
    answer.edeText = 'the view of the cluster is not complete yet';
    return this.#noData(query, answer, zoneLabel);
  }

  #passOn(query: Query, answer: Answer): Result {
    answer.reset();
    return this.#env.next(query, answer);
  }

  #noData(query: Query, answer: Answer, zoneLabel: number): Outcome {
    const zoneAt = query.labelAt[zoneLabel]!;
    const { store } = this.#env;
    const serial = store.serial(this.#tree);
    const soa = store.state(this.#tree) === TREE_STATE.SNAPSHOT ? this.#briefSoa : this.#soa;
    soa.add(answer, SECTION.AUTHORITY, 12 + zoneAt, query.nameLength - zoneAt, serial);
    return Outcome.ANSWERED;
  }
}

/** RFC 4291 section 2.5.5.2: such a Pod name answers with the IPv4 address inside. */
function isIpv4Mapped(address: Uint8Array): boolean {
  for (let i = 0; i < 10; i++) if (address[i] !== 0) return false;
  return address[10] === 0xff && address[11] === 0xff;
}

function isLabelAt(query: Query, label: number, expected: Uint8Array): boolean {
  return hasBytes(query.name, query.labelAt[label]!, expected);
}

function hasBytes(bytes: Uint8Array, at: number, expected: Uint8Array): boolean {
  for (let i = 0; i < expected.length; i++) if (bytes[at + i] !== expected[i]) return false;
  return true;
}
