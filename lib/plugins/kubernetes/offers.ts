// What the kubernetes plugin offers to the other plugins of its block. Worker.
import type { Env } from '../../chain/plugin.ts';
import { makeMetadata } from './query-metadata.ts';
import { makeSearchPath } from './search-path.ts';
import type { KubernetesOptions } from './setup.ts';
import { ClusterTransferer } from './transferer.ts';

export function makeOffers(options: KubernetesOptions, { offers, store }: Pick<Env, 'offers' | 'store'>): void {
  offers.metadata.push(makeMetadata(options, store));
  offers.searchPaths.set('kubernetes', makeSearchPath(options, store));
  offers.transferers.push(new ClusterTransferer(options, store));
  const { external: tree } = options.trees;
  if (tree !== undefined) offers.external = { tree };
}
