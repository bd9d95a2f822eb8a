// Follows a cluster: access, client, one reflector per resource, all feeding one view. Control thread.
import os from 'node:os';
import type { KubernetesSourceOptions } from '../../chain/kubernetes-source.ts';
import type { SampledFamily } from '../../metrics/exposition.ts';
import { observe, PROGRAMMING_BUCKETS } from '../../metrics/registry.ts';
import type { Source, SourceEnv } from '../source.ts';
import { type ApiAccess, openEndpointAccess, openInClusterAccess } from './access.ts';
import { ApiClient } from './client.ts';
import type { ApiTransport } from './transport.ts';
import { identifyCluster } from './cluster-identity.ts';
import { ClusterSource } from './cluster-source.ts';
import { openKubeconfigAccess } from './kubeconfig.ts';
import { FreshnessWatch } from './freshness-watch.ts';
import { restoreSaved } from './saved-start.ts';
import { createReadyLimit } from './ready-limit.ts';
import { SnapshotKeeper, type SnapshotKeeperSettings } from './snapshot-keeper.ts';
import { createRequestObserver, sampleFreshness } from './metrics.ts';
import { ClusterTrees, type TreesEnv } from './cluster-trees.ts';
import {
  createEndpointSliceResource,
  createNamespaceResource,
  createPodResource,
  createServiceImportResource,
  createServiceResource,
} from './resource.ts';

/** What delivers objects. */
type Feed = { sample(): readonly SampledFamily[]; isOutdated?(): boolean; stop(): void };

/** Marks the slices of a ServiceImport. */
const IMPORT_LABEL = 'multicluster.kubernetes.io/service-name';

/**
 * Starts to follow what the `kubernetes` directive asks for.
 *
 * @throws ConfigError `CLUSTER` when the client cannot be built (no Pod, bad kubeconfig), `FILE` for an unreadable folder;
 *   an API server that cannot be reached is waited for
 */
export async function startKubernetes(options: KubernetesSourceOptions, env: SourceEnv): Promise<Source> {
  let resolveReady: () => void = () => {};
  const ready = new Promise<void>((resolve) => {
    resolveReady = resolve;
  });
  const view = new ClusterTrees(options, treesEnv(options, env, resolveReady));
  let isReady = false;
  void ready.then(() => {
    isReady = true;
  });
  const feed: Feed =
    options.access.kind === 'manifests'
      ? {
          stop: (await importManifests()).startManifests(options.access.directory, options, view, env),
          sample: () => [],
        }
      : await startReflectors(options, view, env).catch((error: unknown) => {
          view.stop();
          throw error;
        });
  return {
    ready,
    isReady: () => isReady,
    startupTimeoutMs: options.startupTimeoutMs,
    waitingFor: () => view.waitingFor.join(', '),
    serveIncomplete: () => view.serveIncomplete(),
    sample: () => feed.sample(),
    isOutdated: () => feed.isOutdated?.() === true,
    stop() {
      feed.stop();
      view.stop();
    },
  };
}

function treesEnv(options: KubernetesSourceOptions, env: SourceEnv, onSynced: () => void): TreesEnv {
  const { writer, tree, clock, log, cells } = env;
  return {
    writer,
    tree,
    log,
    nowMs: () => clock.nowMs(),
    defer: (run) => void setImmediate(run),
    localAddresses: findLocalAddresses(options.bind),
    onSynced,
    onProgrammed(kind, triggerTimeMs) {
      const cell = kind === 'cluster_ip' ? options.programmingCells.clusterIp : options.programmingCells.headless;
      observe(cells, cell, PROGRAMMING_BUCKETS, Math.max(0, clock.nowMs() - triggerTimeMs) / 1000);
    },
  };
}

/** Only who reads manifests pays for the YAML reader. */
function importManifests(): Promise<typeof import('../manifests/start.ts')> {
  return import('../manifests/start.ts');
}

/** Addresses of this machine other than loopback; with `bind` only those among the bound ones. */
function findLocalAddresses(bind: readonly string[]): string[] {
  const addresses: string[] = [];
  for (const list of Object.values(os.networkInterfaces())) {
    for (const { address, internal } of list ?? []) {
      if (!internal && (bind.length === 0 || bind.includes(address))) addresses.push(address.replace(/%.*$/, ''));
    }
  }
  return addresses;
}

async function openAccess(access: KubernetesSourceOptions['access']): Promise<ApiAccess> {
  switch (access.kind) {
    case 'endpoint':
      return openEndpointAccess(access.url, access.tls);
    case 'kubeconfig':
      return openKubeconfigAccess(access.file, access.context === '' ? undefined : access.context);
    default:
      return openInClusterAccess();
  }
}

async function startReflectors(options: KubernetesSourceOptions, trees: ClusterTrees, env: SourceEnv): Promise<Feed> {
  let client: ApiClient | undefined;
  const transport: ApiTransport = {
    get: (request) => client!.get(request),
    refreshCredentials: () => client!.refreshCredentials(),
  };
  const source = new ClusterSource(transport, { clock: env.clock, random: Math.random, log: env.log });
  followAll(source, options, trees);
  const keeper = options.snapshot && new SnapshotKeeper(snapshotSettings(options.snapshot, options, env));
  // A saved view is served while the way to the cluster is still being opened: that takes long with a kubeconfig.
  const saved = env.isReload === true ? undefined : keeper?.read();
  let isStopped = false;
  const { writer } = env;
  const restored = saved && restoreSaved(saved, { source, trees, writer, log: env.log, isStopped: () => isStopped });
  const access = await openAccess(options.access).catch((error: unknown) => {
    isStopped = true;
    throw error;
  });
  client = new ApiClient(access, {
    userAgent: `CoreDNS/1.14.7 clusterdns (${process.platform}/${process.arch})`,
    clock: env.clock,
    ...(env.metrics && { observe: createRequestObserver(env.metrics, env.cells) }),
  });
  const follow = (): void => {
    if (isStopped) return;
    source.start();
    keeper?.keep(source);
  };
  if (restored === undefined) follow();
  else void restored.then(follow);
  const { clock, log } = env;
  const freshness = new FreshnessWatch(source, { clock, onChange: (isOutdated) => trees.markOutdated(isOutdated) });
  const { readyMaxAgeMs: maxAgeMs } = options;
  const readyLimit =
    maxAgeMs === undefined ? undefined : createReadyLimit(source, { maxAgeMs, savedAtMs: saved?.trueAtMs, clock, log });
  freshness.start();
  readyLimit?.start();
  return {
    sample: () => sampleFreshness(source.status(), clock.nowMs()),
    isOutdated: () => readyLimit?.isOutdated() === true,
    stop() {
      isStopped = true;
      freshness.stop();
      readyLimit?.stop();
      keeper?.stop();
      source.stop();
      client.close();
    },
  };
}

function followAll(source: ClusterSource, options: KubernetesSourceOptions, trees: ClusterTrees): void {
  source.follow(createNamespaceResource(options.namespaceLabels), trees.namespaceSink);
  source.follow(createServiceResource(options.labels), trees.serviceSink);
  const hasImports = options.trees.imports !== undefined;
  const hasPlaces = options.topology !== undefined;
  if (hasImports) source.follow(createServiceImportResource(), trees.importSink);
  if (options.endpoints || hasImports) {
    const zones = options.zonal || hasPlaces;
    const columns = { targetNames: options.endpointPodNames, nodeNames: hasPlaces, zones, hints: hasPlaces };
    source.follow(createEndpointSliceResource(columns, sliceSelector(options)), trees.sliceSink);
  }
  if (options.pods === 'verified') {
    source.follow(createPodResource(options.podLabels, options.labels, hasPlaces), trees.podSink);
  }
}

function snapshotSettings(
  snapshot: NonNullable<KubernetesSourceOptions['snapshot']>,
  options: KubernetesSourceOptions,
  { clock, log, cells, writer }: SourceEnv,
): SnapshotKeeperSettings {
  const { pods, namespaceLabels, labels, endpointPodNames, endpoints, zonal, topology, podLabels, trees } = options;
  const hasImports = trees.imports !== undefined;
  // What decides which objects there are and what is kept of them.
  const shape = JSON.stringify([
    pods,
    namespaceLabels,
    labels,
    endpointPodNames,
    endpoints,
    zonal,
    podLabels,
    hasImports,
    ...(topology === undefined ? [] : ['places']),
  ]);
  const countNames = (): number => writer.stats().entries;
  return {
    options: snapshot,
    origin: `${identifyCluster(options.access)} ${shape}`,
    shape,
    clock,
    log,
    cells,
    countNames,
  };
}

/** Slices of imports are among those of the cluster; where these are not wanted only the former are followed. */
function sliceSelector({ endpoints, labels }: KubernetesSourceOptions): string {
  if (endpoints) return labels;
  return labels === '' ? IMPORT_LABEL : `${labels},${IMPORT_LABEL}`;
}
