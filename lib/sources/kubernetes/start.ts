// Follows a cluster: access, client, one reflector per resource, all feeding one view. Control thread.
import os from 'node:os';
import type { KubernetesSourceOptions } from '../../chain/kubernetes-source.ts';
import { observe, PROGRAMMING_BUCKETS } from '../../metrics/registry.ts';
import type { Source, SourceEnv } from '../source.ts';
import { type ApiAccess, openEndpointAccess, openInClusterAccess } from './access.ts';
import { ApiClient } from './client.ts';
import { ClusterSource } from './cluster-source.ts';
import { openKubeconfigAccess } from './kubeconfig.ts';
import { ClusterView, type ViewEnv } from './records/cluster-view.ts';
import {
  createEndpointSliceResource,
  createNamespaceResource,
  createPodResource,
  createServiceResource,
} from './resource.ts';

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
  const view = new ClusterView(
    {
      endpointPodNames: options.endpointPodNames,
      ignoreEmptyService: options.ignoreEmptyService,
      pods: options.pods,
      namespaces: options.namespaces,
      reverse: options.reverse,
      endpoints: options.endpoints,
    },
    viewEnv(options, env, resolveReady),
  );
  let isReady = false;
  void ready.then(() => {
    isReady = true;
  });
  const stopFeed =
    options.access.kind === 'manifests'
      ? (await importManifests()).startManifests(options.access.directory, options, view, env)
      : await startReflectors(options, view, env);
  return {
    ready,
    isReady: () => isReady,
    startupTimeoutMs: options.startupTimeoutMs,
    waitingFor: () => view.waitingFor.join(', '),
    serveIncomplete: () => view.serveIncomplete(),
    stop() {
      stopFeed();
      view.stop();
    },
  };
}

function viewEnv(options: KubernetesSourceOptions, env: SourceEnv, onSynced: () => void): ViewEnv {
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

async function startReflectors(
  options: KubernetesSourceOptions,
  view: ClusterView,
  env: SourceEnv,
): Promise<() => void> {
  const client = new ApiClient(await openAccess(options.access), {
    userAgent: `CoreDNS/1.14.7 clusterdns (${process.platform}/${process.arch})`,
    clock: env.clock,
  });
  const source = new ClusterSource(client, { clock: env.clock, random: Math.random, log: env.log });
  source.follow(createNamespaceResource(options.namespaceLabels), view.namespaceSink);
  source.follow(createServiceResource(options.labels), view.serviceSink);
  if (options.endpoints) {
    const columns = { targetNames: options.endpointPodNames, nodeNames: false, zones: false };
    source.follow(createEndpointSliceResource(columns, options.labels), view.sliceSink);
  }
  if (options.pods === 'verified') source.follow(createPodResource(false, options.labels), view.podSink);
  source.start();
  return () => {
    source.stop();
    client.close();
  };
}
