// Follows a folder of manifests in place of a cluster, feeding the same view. Control thread.
import fs from 'node:fs';
import { ConfigError } from '../../base/errors.ts';
import type { KubernetesSourceOptions } from '../../chain/kubernetes-source.ts';
import type { ClusterTrees } from '../kubernetes/cluster-trees.ts';
import {
  createEndpointSliceResource,
  createNamespaceResource,
  createPodResource,
  createServiceImportResource,
  createServiceResource,
} from '../kubernetes/resource.ts';
import type { SourceEnv } from '../source.ts';
import { ManifestSource } from './manifest-source.ts';

type Sinks = Pick<ClusterTrees, 'namespaceSink' | 'serviceSink' | 'importSink' | 'sliceSink' | 'podSink'>;

/** What of the folder is of use; the rest is not looked at. */
type Wanted = Pick<KubernetesSourceOptions, 'endpoints' | 'pods' | 'zonal' | 'topology' | 'podLabels' | 'trees'>;

/**
 * Starts to read the folder; the first view is delivered soon after.
 *
 * @returns ends it
 * @throws ConfigError `FILE` when the folder cannot be read now; one that goes away later is waited for
 */
export function startManifests(
  directory: string,
  wanted: Wanted,
  view: Sinks,
  env: Pick<SourceEnv, 'clock' | 'log'>,
): () => void {
  try {
    fs.readdirSync(directory);
  } catch (error) {
    throw new ConfigError('FILE', `manifests ${directory}: ${(error as Error).message}`);
  }
  const source = new ManifestSource(directory, { clock: env.clock, log: env.log });
  source.follow(createNamespaceResource(), view.namespaceSink);
  source.follow(createServiceResource(), view.serviceSink);
  const hasPlaces = wanted.topology !== undefined;
  const columns = { targetNames: true, nodeNames: hasPlaces, zones: wanted.zonal || hasPlaces, hints: hasPlaces };
  const hasImports = wanted.trees.imports !== undefined;
  if (hasImports) source.follow(createServiceImportResource(), view.importSink);
  if (wanted.endpoints || hasImports) source.follow(createEndpointSliceResource(columns), view.sliceSink);
  if (wanted.pods === 'verified') source.follow(createPodResource(wanted.podLabels, '', hasPlaces), view.podSink);
  source.start();
  return () => source.stop();
}
