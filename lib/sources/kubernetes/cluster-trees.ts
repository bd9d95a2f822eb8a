// Every store tree that one cluster's objects are turned into, behind one sink per resource. Control thread.
import type { KubernetesSourceOptions } from '../../chain/kubernetes-source.ts';
import type { Logger } from '../../base/log.ts';
import { StoreFullError } from '../../store/store-full-error.ts';
import type { ObjectSink } from './object-sink.ts';
import type { EndpointSlice } from './objects/endpoint-slice.ts';
import type { ObjectIdentity } from './objects/metadata.ts';
import type { Namespace } from './objects/namespace.ts';
import type { Pod } from './objects/pod.ts';
import type { Service } from './objects/service.ts';
import type { ServiceImport } from './objects/service-import.ts';
import { ClusterView, type ViewEnv, type ViewOptions } from './records/cluster-view.ts';
import { PodClients } from './records/pod-clients.ts';
import { clusterShape, EXTERNAL_SHAPE, importShape } from './records/tree-shape.ts';

/** What of the options decides which trees there are and what is in them. */
export type TreeOptions = Pick<
  KubernetesSourceOptions,
  | 'endpointPodNames'
  | 'ignoreEmptyService'
  | 'pods'
  | 'namespaces'
  | 'reverse'
  | 'endpoints'
  | 'zonal'
  | 'transfer'
  | 'trees'
>;

/** `onSynced` is called once, when every tree is complete. */
export type TreesEnv = ViewEnv;

export class ClusterTrees {
  readonly namespaceSink: ObjectSink<Namespace>;
  readonly serviceSink: ObjectSink<Service>;
  readonly sliceSink: ObjectSink<EndpointSlice>;
  readonly importSink: ObjectSink<ServiceImport>;
  readonly podSink: ObjectSink<Pod>;
  readonly #views: readonly ClusterView[];

  constructor(options: TreeOptions, env: TreesEnv) {
    let left = 0;
    const onSynced = (): void => {
      if (--left === 0) env.onSynced();
    };
    const base = {
      endpointPodNames: options.endpointPodNames,
      namespaces: options.namespaces,
      transfer: options.transfer,
      ignoreEmptyService: options.ignoreEmptyService,
      reverse: false,
      pods: 'disabled',
      zonal: false,
      clusterLabels: false,
    } as const;
    const quiet = { localAddresses: [], onProgrammed: () => undefined };
    const open = (viewOptions: ViewOptions, viewEnv: Partial<ViewEnv>): ClusterView => {
      left++;
      return new ClusterView(viewOptions, { ...env, ...viewEnv, onSynced });
    };
    const { pods, endpoints, reverse, zonal, trees } = options;
    const own = open({ ...base, shape: clusterShape(pods !== 'disabled'), pods, endpoints, reverse, zonal }, {});
    const external =
      trees.external === undefined
        ? undefined
        : open(
            { ...base, shape: EXTERNAL_SHAPE, endpoints, ignoreEmptyService: false, reverse: true },
            { tree: trees.external, onProgrammed: quiet.onProgrammed },
          );
    const imports =
      trees.imports === undefined
        ? undefined
        : open(
            { ...base, shape: importShape(pods !== 'disabled'), endpoints: true, clusterLabels: true },
            { ...quiet, tree: trees.imports },
          );
    const clients = trees.clients === undefined ? undefined : new PodClients(env.writer, trees.clients);
    const all = [own, external, imports].filter((view) => view !== undefined);
    this.#views = all;
    this.namespaceSink = fanOut(all.map((view) => view.namespaceSink));
    this.serviceSink = fanOut([own, external].flatMap((view) => view?.serviceSink ?? []));
    this.sliceSink = fanOut(
      [options.endpoints ? own : undefined, options.endpoints ? external : undefined, imports].flatMap(
        (view) => view?.sliceSink ?? [],
      ),
    );
    this.importSink = imports ? adapt(imports.serviceSink, asService) : fanOut([]);
    this.podSink = clients ? fanOut([own.podSink, clientSink(clients, env.log)]) : own.podSink;
  }

  /** Names of resources whose first complete view is still to come. */
  get waitingFor(): readonly string[] {
    return [...new Set(this.#views.flatMap((view) => view.waitingFor))];
  }

  /** The start waits no longer: names that are known are served, others are not denied before their tree is complete. */
  serveIncomplete(): void {
    for (const view of this.#views) view.serveIncomplete();
  }

  /** What has come so far is a saved view: served until the cluster's own is complete. */
  serveSaved(): void {
    for (const view of this.#views) view.serveSaved();
  }

  /** The cluster has not been heard for long, or has been heard again. */
  markOutdated(isOutdated: boolean): void {
    for (const view of this.#views) view.markOutdated(isOutdated);
  }

  /** Nothing is written any more. */
  stop(): void {
    for (const view of this.#views) view.stop();
  }
}

/** An import answers like a Service; its addresses are those of the clusterset. */
function asService(imported: ServiceImport): Service {
  return {
    key: imported.key,
    resourceVersion: imported.resourceVersion,
    namespace: imported.namespace,
    name: imported.name,
    type: 'ClusterIP',
    headless: imported.type === 'Headless',
    clusterIps: imported.ips,
    externalName: '',
    ports: imported.ports,
    externalAddresses: [],
  };
}

function adapt<From extends ObjectIdentity, To extends ObjectIdentity>(
  sink: ObjectSink<To>,
  convert: (object: From) => To,
): ObjectSink<From> {
  return {
    upsert: (object, previous) => sink.upsert(convert(object), previous && convert(previous)),
    remove: (previous) => sink.remove(convert(previous)),
    synced: () => sink.synced(),
    proofOfLife: (nowMs) => sink.proofOfLife(nowMs),
  };
}

function fanOut<T extends ObjectIdentity>(sinks: readonly ObjectSink<T>[]): ObjectSink<T> {
  if (sinks.length === 1) return sinks[0]!;
  return {
    upsert: (object, previous) => sinks.forEach((sink) => sink.upsert(object, previous)),
    remove: (previous) => sinks.forEach((sink) => sink.remove(previous)),
    synced: () => sinks.forEach((sink) => sink.synced()),
    proofOfLife: (nowMs) => sinks.forEach((sink) => sink.proofOfLife(nowMs)),
  };
}

function clientSink(clients: PodClients, log: Logger): ObjectSink<Pod> {
  let isFullLogged = false;
  const change = (now: Pod | undefined, before: Pod | undefined): void => {
    try {
      clients.change(now, before);
    } catch (error) {
      if (!(error instanceof StoreFullError)) throw error;
      if (isFullLogged) return;
      isFullLogged = true;
      log.error(
        `the Pod at an address could not be stored, its queries are answered without what is known of it: ${error.message}`,
      );
    }
  };
  return {
    upsert: (object, previous) => change(object, previous),
    remove: (previous) => change(undefined, previous),
    synced: () => undefined,
    proofOfLife: () => undefined,
  };
}
