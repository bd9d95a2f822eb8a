// A cluster in memory: raw objects in, answers of the kubernetes plugin out, without sockets or threads.
import { ManualClock } from '../../../../lib/base/clock.ts';
import { parseIpAddress } from '../../../../lib/base/ip-address.ts';
import { createLogger } from '../../../../lib/base/log.ts';
import { Answer } from '../../../../lib/chain/answer.ts';
import { BlockOffers } from '../../../../lib/chain/block-offers.ts';
import { finish } from '../../../../lib/chain/finish.ts';
import { Outcome, type Result } from '../../../../lib/chain/outcome.ts';
import type { Env, Handler } from '../../../../lib/chain/plugin.ts';
import { Query } from '../../../../lib/chain/query.ts';
import { createKubernetesHandler } from '../../../../lib/plugins/kubernetes/handler.ts';
import type { KubernetesOptions } from '../../../../lib/plugins/kubernetes/setup.ts';
import type { NearbyOptions } from '../../../../lib/plugins/kubernetes/topology-option.ts';
import type { ObjectSink } from '../../../../lib/sources/kubernetes/object-sink.ts';
import type { ObjectIdentity } from '../../../../lib/sources/kubernetes/objects/metadata.ts';
import type { Trimmed } from '../../../../lib/sources/kubernetes/objects/problem.ts';
import { trimEndpointSlice } from '../../../../lib/sources/kubernetes/objects/endpoint-slice.ts';
import { trimNamespace } from '../../../../lib/sources/kubernetes/objects/namespace.ts';
import { trimPod } from '../../../../lib/sources/kubernetes/objects/pod.ts';
import { trimService } from '../../../../lib/sources/kubernetes/objects/service.ts';
import { ClusterTrees, type TreeOptions } from '../../../../lib/sources/kubernetes/cluster-trees.ts';
import { trimServiceImport } from '../../../../lib/sources/kubernetes/objects/service-import.ts';
import { createStoreMemory } from '../../../../lib/store/layout.ts';
import { placeLabel } from '../../../../lib/store/place-name.ts';
import { StoreReader } from '../../../../lib/store/reader.ts';
import { StoreWriter } from '../../../../lib/store/writer.ts';
import { RCODE } from '../../../../lib/wire/types.ts';
import { decodeMessage, encodeQuery } from '../../wire-text.ts';

export type RawObject = {
  kind: string;
  metadata: { name: string; namespace?: string; labels?: Record<string, string> };
  [field: string]: unknown;
};

/** An answer in short: response code, then each section's records as text, sorted. */
export type Reply = {
  rcode: string;
  aa: boolean;
  answer: string[];
  authority: string[];
  additional: string[];
};

const VIEW: TreeOptions = {
  endpointPodNames: false,
  ignoreEmptyService: false,
  pods: 'disabled',
  namespaces: [],
  reverse: true,
  endpoints: true,
  zonal: false,
  transfer: false,
  trees: {},
};

/** Zones of a test cluster; `clusterset.local.` is served from imports where these are asked for. */
const ZONES = ['cluster.local.', 'clusterset.local.', 'in-addr.arpa.', 'ip6.arpa.'];

export class TestCluster {
  readonly writer: StoreWriter;
  readonly reader: StoreReader;
  readonly tree: number;
  readonly trees: TreeOptions['trees'];
  readonly view: ClusterTrees;
  readonly offers: BlockOffers = new BlockOffers();
  readonly clock: ManualClock = new ManualClock();
  readonly #deferred: (() => void)[] = [];
  readonly #objects = new Map<string, ObjectIdentity>();
  readonly handler: Handler;
  readonly env: Env;
  /** Names asked of the rest of the server, with what it says. */
  readonly outside: Map<string, (query: Query, answer: Answer) => Result> = new Map();
  /** Metric cells of the worker. */
  readonly cells: Float64Array = new Float64Array(16);

  /** `more`: further trees to fill; `ownNode`: what the option `topology` names beside its mode. */
  constructor(
    view: Partial<TreeOptions> = {},
    options: Partial<KubernetesOptions> = {},
    localAddresses: string[] = [],
    more: readonly ('imports' | 'external' | 'clients' | 'places')[] = [],
    ownNode = '',
  ) {
    const memory = createStoreMemory({ arenaBytes: 2 ** 26 });
    this.writer = new StoreWriter(memory);
    this.tree = this.writer.openTree();
    this.reader = new StoreReader(memory, 0);
    this.trees = Object.fromEntries(more.map((part) => [part, this.writer.openTree()]));
    const { trees } = this;
    const log = createLogger({ sink: () => undefined });
    this.view = new ClusterTrees(
      { ...VIEW, ...view, trees },
      {
        writer: this.writer,
        tree: this.tree,
        log,
        nowMs: () => this.clock.nowMs(),
        defer: (run) => void this.#deferred.push(run),
        localAddresses,
        onSynced: () => undefined,
        onProgrammed: () => undefined,
      },
    );
    const zones = trees.imports === undefined ? ZONES.filter((zone) => !zone.startsWith('clusterset')) : ZONES;
    const env = {
      next: (_query: Query, answer: Answer) => {
        answer.fail(RCODE.REFUSED);
        return Outcome.FAILED;
      },
      store: this.reader,
      offers: this.offers,
      clock: this.clock,
      cells: this.cells,
      log,
      resolve: (_query: Query, name: Uint8Array, type: number, into: Answer) => {
        const packet = encodeQuery({
          name: Buffer.from(name).toString('latin1') === '\0' ? '.' : textOf(name),
          type: 'A',
        });
        const subquery = new Query();
        subquery.parse(packet, 0, packet.length);
        subquery.qtype = type;
        into.begin(subquery);
        const serve = this.outside.get(textOf(name));
        if (serve) return serve(subquery, into);
        into.fail(RCODE.REFUSED);
        return Outcome.FAILED;
      },
    } as unknown as Env;
    this.env = env;
    this.handler = createKubernetesHandler(
      {
        tree: this.tree,
        trees,
        zones: zones.map((zone) => ({
          zone,
          isReverse: zone.endsWith('arpa.'),
          isMulticluster: zone === 'clusterset.local.',
        })),
        primaryZone: 'cluster.local.',
        ttlSeconds: 5,
        pods: view.pods ?? 'disabled',
        zonal: view.zonal ?? false,
        hostSearch: [],
        fallthrough: undefined,
        ...(trees.places === undefined ? {} : { nearby: nearbyOptions(trees, ownNode) }),
        ...options,
      },
      env,
    );
  }

  /** All resources have been listed. */
  sync(): this {
    this.view.namespaceSink.synced();
    this.view.serviceSink.synced();
    this.view.sliceSink.synced();
    this.view.podSink.synced();
    this.view.importSink.synced();
    return this.settle();
  }

  apply(...objects: RawObject[]): this {
    for (const raw of objects) this.#change(raw, false);
    return this.settle();
  }

  delete(...objects: RawObject[]): this {
    for (const raw of objects) this.#change(raw, true);
    return this.settle();
  }

  /** Runs what was put off to a later turn of the event loop. */
  settle(): this {
    while (this.#deferred.length > 0) this.#deferred.shift()!();
    return this;
  }

  #change(raw: RawObject, isGone: boolean): void {
    switch (raw.kind) {
      case 'Namespace':
        return this.#feed(raw, trimNamespace(raw), this.view.namespaceSink, isGone);
      case 'Service':
        return this.#feed(raw, trimService(raw), this.view.serviceSink, isGone);
      case 'EndpointSlice':
        return this.#feed(raw, trimEndpointSlice(raw), this.view.sliceSink, isGone);
      case 'ServiceImport':
        return this.#feed(raw, trimServiceImport(raw), this.view.importSink, isGone);
      default:
        return this.#feed(raw, trimPod(raw, true, true), this.view.podSink, isGone);
    }
  }

  #feed<T extends ObjectIdentity>(raw: RawObject, trimmed: Trimmed<T>, sink: ObjectSink<T>, isGone: boolean): void {
    const key = `${raw.kind} ${raw.metadata.namespace ?? ''}/${raw.metadata.name}`;
    const previous = this.#objects.get(key) as T | undefined;
    if (isGone || !trimmed.object) {
      this.#objects.delete(key);
      if (previous) sink.remove(previous);
      return;
    }
    this.#objects.set(key, trimmed.object);
    sink.upsert(trimmed.object, previous);
  }

  async ask(name: string, type: string, handler: Handler = this.handler, from?: string): Promise<Reply> {
    const query = makeQuery(name, type, from);
    const answer = new Answer();
    answer.begin(query);
    await handler(query, answer);
    const length = finish(query, answer);
    const reply = decodeMessage(answer.bytes.subarray(answer.base, answer.base + length));
    return {
      rcode: reply.rcode,
      aa: answer.authoritative,
      answer: reply.answer.toSorted(),
      authority: reply.authority.toSorted(),
      additional: reply.additional.toSorted(),
    };
  }

  /** The answer in one line: records of the answer section without owner, TTL and class; else the kind of negative answer. */
  async short(name: string, type: string, handler: Handler = this.handler, from?: string): Promise<string> {
    const { rcode, answer, authority } = await this.ask(name, type, handler, from);
    if (rcode !== 'NOERROR') return rcode;
    if (answer.length === 0) return authority.length > 0 ? 'NODATA' : 'EMPTY';
    return answer.map((record) => record.split(/\s+/).slice(4).join(' ')).join(', ');
  }

  /** Records in the store, for comparing two histories. */
  dump(tree: number = this.tree): Map<string, string> {
    const dump = new Map<string, string>();
    this.writer.forEach(tree, (entry) => {
      const { reader } = this.writer;
      const at = reader.nameAt(entry);
      const name = Buffer.from(reader.bytes.slice(at, at + reader.nameLength(entry))).toString('latin1');
      const copy = this.writer.get(tree, Buffer.from(name, 'latin1'));
      dump.set(
        name,
        JSON.stringify([
          copy?.flags,
          copy?.rrsets.map((rrset) => [rrset.type, rrset.count, Buffer.from(rrset.bytes).toString('hex')]),
        ]),
      );
    });
    return dump;
  }
}

function nearbyOptions({ places, clients }: TreeOptions['trees'], ownNode: string): NearbyOptions {
  return {
    places: places!,
    clients,
    ownNode,
    ownNodeLabel: ownNode === '' ? '' : placeLabel('node', ownNode),
    cells: { node: 0, zone: 1, all: 2, none: 3, unknown: 4 },
  };
}

function textOf(name: Uint8Array): string {
  let text = '';
  for (let at = 0; name[at] !== 0; at += name[at]! + 1) {
    text += `${Buffer.from(name.subarray(at + 1, at + 1 + name[at]!)).toString('latin1')}.`;
  }
  return text === '' ? '.' : text;
}

/** A query as the loop hands it to a chain. */
export function makeQuery(name: string, type: string, from = '127.0.0.1'): Query {
  const packet = encodeQuery({ name, type });
  const query = new Query();
  query.parse(packet, 0, packet.length);
  query.sizeLimit = 65_535;
  const address = parseIpAddress(from)!.bytes;
  query.clientAddress.set(address);
  query.family = address.length === 4 ? 4 : 6;
  return query;
}

export const namespace = (name: string): RawObject => ({ kind: 'Namespace', metadata: { name } });

export const service = (namespaceName: string, name: string, spec: Record<string, unknown>): RawObject => ({
  kind: 'Service',
  metadata: { name, namespace: namespaceName },
  spec,
});

export type EndpointSpec = { address: string; hostname?: string; ready?: boolean };

export const slice = (
  namespaceName: string,
  name: string,
  serviceName: string,
  ports: { name?: string; port?: number; protocol?: string }[],
  endpoints: EndpointSpec[],
): RawObject => ({
  kind: 'EndpointSlice',
  metadata: { name, namespace: namespaceName, labels: { 'kubernetes.io/service-name': serviceName } },
  addressType: endpoints[0]?.address.includes(':') ? 'IPv6' : 'IPv4',
  ports,
  endpoints: endpoints.map(({ address, hostname, ready }) => ({
    addresses: [address],
    ...(hostname === undefined ? {} : { hostname }),
    conditions: { ready: ready ?? true },
  })),
});

export const pod = (namespaceName: string, name: string, podIP: string): RawObject => ({
  kind: 'Pod',
  metadata: { name, namespace: namespaceName },
  status: { podIP },
});
