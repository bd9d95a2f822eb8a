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
import { NodeZones } from './records/node-zones.ts';
import { clusterShape, EXTERNAL_SHAPE, importShape, placeShape } from './records/tree-shape.ts';

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
  | 'topology'
  | 'sortedPointers'
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
      sortedPointers: false,
      pods: 'disabled',
      zonal: false,
      clusterLabels: false,
    } as const;
    const quiet = { localAddresses: [], onProgrammed: () => undefined };
    const open = (viewOptions: ViewOptions, viewEnv: Partial<ViewEnv>): ClusterView => {
      left++;
      return new ClusterView(viewOptions, { ...env, ...viewEnv, onSynced });
    };
    const { pods, endpoints, reverse, zonal, sortedPointers = false, trees } = options;
    const shape = clusterShape(pods !== 'disabled');
    const own = open({ ...base, shape, pods, endpoints, reverse, sortedPointers, zonal }, {});
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
    const places =
      trees.places === undefined || options.topology === undefined
        ? undefined
        : open(
            { ...base, shape: placeShape(options.topology), endpoints, ignoreEmptyService: false },
            { ...quiet, tree: trees.places },
          );
    const nodeZones = places && new NodeZones(env.writer, trees.places!);
    const clients = trees.clients === undefined ? undefined : new PodClients(env.writer, trees.clients);
    const all = [own, external, imports, places].filter((view) => view !== undefined);
    this.#views = all;
    this.namespaceSink = fanOut(all.map((view) => view.namespaceSink));
    this.serviceSink = fanOut([own, external, places].flatMap((view) => view?.serviceSink ?? []));
    const ofEndpoints = endpoints ? [own, external, places] : [];
    this.sliceSink = fanOut([
      ...[...ofEndpoints, imports].flatMap((view) => view?.sliceSink ?? []),
      ...(nodeZones ? [boundedSink<EndpointSlice>((now, before) => nodeZones.changeSlice(now, before), env.log)] : []),
    ]);
    this.importSink = imports ? adapt(imports.serviceSink, asService) : fanOut([]);
    this.podSink = fanOut([
      own.podSink,
      ...(clients ? [boundedSink<Pod>((now, before) => clients.change(now, before), env.log)] : []),
      ...(nodeZones ? [boundedSink<Pod>((now, before) => nodeZones.changePod(now, before), env.log)] : []),
    ]);
  }

  /** Names of resources whose first complete view is still to come. */
  get waitingFor(): readonly string[] {
    return [...new Set(this.#views.flatMap((view) => view.waitingFor))];
  }

  /** The start waits no longer: names that are known are served, others are not denied before their tree is complete. */
  serveIncomplete(): void {
    for (const view of this.#views) view.serveIncomplete();
  }

  /** A saved view is about to come. */
  expectSaved(): void {
    for (const view of this.#views) view.expectSaved();
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

/** What is known of clients: a store without room for it serves them as strangers. */
function boundedSink<T extends ObjectIdentity>(
  learn: (now: T | undefined, before: T | undefined) => void,
  log: Logger,
): ObjectSink<T> {
  let isFullLogged = false;
  const change = (now: T | undefined, before: T | undefined): void => {
    try {
      learn(now, before);
    } catch (error) {
      if (!(error instanceof StoreFullError)) throw error;
      if (isFullLogged) return;
      isFullLogged = true;
      log.error(
        `a client's Pod or place could not be stored, its queries are answered without what is known of it: ${error.message}`,
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
