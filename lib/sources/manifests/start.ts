// Follows a folder of manifests in place of a cluster, feeding the same view. Control thread.
import fs from 'node:fs';
import { ConfigError } from '../../base/errors.ts';
import type { ClusterView } from '../kubernetes/records/cluster-view.ts';
import {
  createEndpointSliceResource,
  createNamespaceResource,
  createPodResource,
  createServiceResource,
} from '../kubernetes/resource.ts';
import type { SourceEnv } from '../source.ts';
import { ManifestSource } from './manifest-source.ts';

/** The sinks of a view. */
type Sinks = Pick<ClusterView, 'namespaceSink' | 'serviceSink' | 'sliceSink' | 'podSink'>;

/** What of the folder is of use; the rest is not looked at. */
type Wanted = { readonly endpoints: boolean; readonly pods: 'disabled' | 'insecure' | 'verified' };

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
  const columns = { targetNames: true, nodeNames: false, zones: false };
  if (wanted.endpoints) source.follow(createEndpointSliceResource(columns), view.sliceSink);
  if (wanted.pods === 'verified') source.follow(createPodResource(false), view.podSink);
  source.start();
  return () => source.stop();
}
