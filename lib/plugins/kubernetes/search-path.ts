// The search path of the Pod that a query comes from, for `autopath @kubernetes`. Worker.
import type { SearchPathFinder } from '../../chain/block-offers.ts';
import { ZoneTable } from '../../chain/zone-table.ts';
import { TREE_STATE } from '../../store/layout.ts';
import type { StoreReader } from '../../store/reader.ts';
import { parseNameLower } from '../../wire/name.ts';
import { ClientPods } from './client-pods.ts';
import type { KubernetesOptions } from './setup.ts';

/** Lists kept; more namespaces than that start anew. */
const MAX_LISTS = 4096;

/**
 * Knows the path of a client that is exactly one Pod without DNS settings of its own, for names in a zone of the plugin; none
 * while the view may be out of date, as an address may be another Pod's by now.
 */
export function makeSearchPath(options: KubernetesOptions, store: StoreReader): SearchPathFinder {
  const zones = new ZoneTable(options.zones.map(({ zone }) => zone));
  const { clients: tree } = options.trees;
  if (tree === undefined) return () => undefined;
  const clients = new ClientPods(store, tree);
  const lists = new Map<string, readonly Uint8Array[]>();
  return function findSearchPath(query) {
    const index = zones.match(query);
    if (index === -1 || store.state(options.tree) !== TREE_STATE.SYNCED) return undefined;
    const namespace = clients.findSearchNamespace(query);
    if (namespace === '') return undefined;
    const { zone } = options.zones[index]!;
    const key = `${namespace} ${zone}`;
    let list = lists.get(key);
    if (!list) {
      list = makeList(namespace, zone, options.hostSearch);
      if (lists.size >= MAX_LISTS) lists.clear();
      lists.set(key, list);
    }
    return list;
  };
}

function makeList(namespace: string, zone: string, hostSearch: readonly string[]): readonly Uint8Array[] {
  const below = zone === '.' ? '' : zone;
  return [`${namespace}.svc.${below}`, `svc.${below}`, zone, ...hostSearch, '.'].flatMap(
    (text) => parseNameLower(text) ?? [],
  );
}
