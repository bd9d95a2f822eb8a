// A cluster in memory: raw objects in, answers of the kubernetes plugin out, without sockets or threads.
import { ManualClock } from '../../../../lib/base/clock.ts';
import { createLogger } from '../../../../lib/base/log.ts';
import { Answer } from '../../../../lib/chain/answer.ts';
import { finish } from '../../../../lib/chain/finish.ts';
import { Outcome, type Result } from '../../../../lib/chain/outcome.ts';
import type { Env, Handler } from '../../../../lib/chain/plugin.ts';
import { Query } from '../../../../lib/chain/query.ts';
import { createKubernetesHandler } from '../../../../lib/plugins/kubernetes/handler.ts';
import type { KubernetesOptions } from '../../../../lib/plugins/kubernetes/setup.ts';
import type { ObjectSink } from '../../../../lib/sources/kubernetes/object-sink.ts';
import type { ObjectIdentity } from '../../../../lib/sources/kubernetes/objects/metadata.ts';
import type { Trimmed } from '../../../../lib/sources/kubernetes/objects/problem.ts';
import { trimEndpointSlice } from '../../../../lib/sources/kubernetes/objects/endpoint-slice.ts';
import { trimNamespace } from '../../../../lib/sources/kubernetes/objects/namespace.ts';
import { trimPod } from '../../../../lib/sources/kubernetes/objects/pod.ts';
import { trimService } from '../../../../lib/sources/kubernetes/objects/service.ts';
import { ClusterView, type ViewOptions } from '../../../../lib/sources/kubernetes/records/cluster-view.ts';
import { createStoreMemory } from '../../../../lib/store/layout.ts';
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

const VIEW: ViewOptions = {
  endpointPodNames: false,
  ignoreEmptyService: false,
  pods: 'disabled',
  namespaces: [],
  reverse: true,
  endpoints: true,
};

export class TestCluster {
  readonly writer: StoreWriter;
  readonly tree: number;
  readonly view: ClusterView;
  readonly #clock = new ManualClock();
  readonly #deferred: (() => void)[] = [];
  readonly #objects = new Map<string, ObjectIdentity>();
  readonly #handler: Handler;
  /** Names asked of the rest of the server, with what it says. */
  readonly outside: Map<string, (query: Query, answer: Answer) => Result> = new Map();

  constructor(
    view: Partial<ViewOptions> = {},
    options: Partial<KubernetesOptions> = {},
    localAddresses: string[] = [],
  ) {
    const memory = createStoreMemory({ arenaBytes: 2 ** 26 });
    this.writer = new StoreWriter(memory);
    this.tree = this.writer.openTree();
    const log = createLogger({ sink: () => undefined });
    this.view = new ClusterView(
      { ...VIEW, ...view },
      {
        writer: this.writer,
        tree: this.tree,
        log,
        nowMs: () => this.#clock.nowMs(),
        defer: (run) => void this.#deferred.push(run),
        localAddresses,
        onSynced: () => undefined,
        onProgrammed: () => undefined,
      },
    );
    const zones = ['cluster.local.', 'in-addr.arpa.', 'ip6.arpa.'];
    const env = {
      next: (_query: Query, answer: Answer) => {
        answer.fail(RCODE.REFUSED);
        return Outcome.FAILED;
      },
      store: new StoreReader(memory, 0),
      clock: this.#clock,
      log,
      resolve: (query: Query, name: Uint8Array, _type: number, into: Answer) => {
        const packet = encodeQuery({
          name: Buffer.from(name).toString('latin1') === '\0' ? '.' : textOf(name),
          type: 'A',
        });
        const subquery = new Query();
        subquery.parse(packet, 0, packet.length);
        subquery.qtype = query.qtype;
        into.begin(subquery);
        const serve = this.outside.get(textOf(name));
        if (serve) return serve(subquery, into);
        into.fail(RCODE.REFUSED);
        return Outcome.FAILED;
      },
    } as unknown as Env;
    this.#handler = createKubernetesHandler(
      {
        tree: this.tree,
        zones: zones.map((zone) => ({ zone, isReverse: zone.endsWith('arpa.') })),
        primaryZone: 'cluster.local.',
        ttlSeconds: 5,
        pods: view.pods ?? 'disabled',
        fallthrough: undefined,
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
      default:
        return this.#feed(raw, trimPod(raw), this.view.podSink, isGone);
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

  async ask(name: string, type: string): Promise<Reply> {
    const packet = encodeQuery({ name, type });
    const query = new Query();
    query.parse(packet, 0, packet.length);
    query.sizeLimit = 65_535;
    const answer = new Answer();
    answer.begin(query);
    await this.#handler(query, answer);
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
  async short(name: string, type: string): Promise<string> {
    const { rcode, answer, authority } = await this.ask(name, type);
    if (rcode !== 'NOERROR') return rcode;
    if (answer.length === 0) return authority.length > 0 ? 'NODATA' : 'EMPTY';
    return answer.map((record) => record.split(/\s+/).slice(4).join(' ')).join(', ');
  }

  /** Records in the store, for comparing two histories. */
  dump(): Map<string, string> {
    const dump = new Map<string, string>();
    this.writer.forEach(this.tree, (entry) => {
      const { reader } = this.writer;
      const at = reader.nameAt(entry);
      const name = Buffer.from(reader.bytes.slice(at, at + reader.nameLength(entry))).toString('latin1');
      const copy = this.writer.get(this.tree, Buffer.from(name, 'latin1'));
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

function textOf(name: Uint8Array): string {
  let text = '';
  for (let at = 0; name[at] !== 0; at += name[at]! + 1) {
    text += `${Buffer.from(name.subarray(at + 1, at + 1 + name[at]!)).toString('latin1')}.`;
  }
  return text === '' ? '.' : text;
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
