// What a query's name means in Kubernetes' words, and who asks: values for `metadata`. Worker, cold path.
import type { MetadataProvider } from '../../chain/block-offers.ts';
import type { Query } from '../../chain/query.ts';
import { ZoneTable } from '../../chain/zone-table.ts';
import type { StoreReader } from '../../store/reader.ts';
import { ClientPlaces } from './client-places.ts';
import { ClientPods } from './client-pods.ts';
import type { KubernetesOptions } from './setup.ts';

/** Makes the provider of the labels `kubernetes/...`; see README.md. */
export function makeMetadata(options: KubernetesOptions, store: StoreReader): MetadataProvider {
  const zones = new ZoneTable(options.zones.map(({ zone }) => zone));
  const clients = options.trees.clients === undefined ? undefined : new ClientPods(store, options.trees.clients);
  const places = options.nearby && new ClientPlaces(options.nearby, store);
  return function provide(query, into) {
    if (clients) putClient(clients, query, into);
    if (places) putPlaces(places, query, into);
    const index = zones.match(query);
    if (index === -1) return;
    const { zone, isMulticluster } = options.zones[index]!;
    const labels = relativeLabels(query, zone);
    const values = parseLabels(labels, isMulticluster, options.zonal);
    if (values === undefined) into.set('kubernetes/parse-error', 'invalid query name');
    else for (const [name, value] of Object.entries(values)) into.set(`kubernetes/${name}`, value);
  };
}

function putClient(clients: ClientPods, query: Query, into: Map<string, string>): void {
  const pod = clients.find(query);
  if (!pod) return;
  into.set('kubernetes/client-namespace', pod.namespace);
  into.set('kubernetes/client-pod-name', pod.name);
  for (let i = 0; i < pod.labels.length; i += 2)
    into.set(`kubernetes/client-label/${pod.labels[i]!}`, pod.labels[i + 1]!);
}

function putPlaces(places: ClientPlaces, query: Query, into: Map<string, string>): void {
  const { node, zone } = places.names(query);
  if (node !== '') into.set('kubernetes/client-node', node);
  if (zone !== '') into.set('kubernetes/client-zone', zone);
}

function relativeLabels(query: Query, zone: string): string[] {
  const count = query.labelCount - (zone === '.' ? 0 : zone.split('.').length - 1);
  const labels: string[] = [];
  for (let i = 0; i < count; i++) {
    const at = query.labelAt[i]!;
    labels.push(Buffer.from(query.name.buffer, query.name.byteOffset + at + 1, query.name[at]).toString('latin1'));
  }
  return labels;
}

/** The parts of a name, '' where it has none; undefined for what can be no name of a cluster. */
function parseLabels(
  labels: readonly string[],
  isMulticluster: boolean,
  zonal: boolean,
): Record<string, string> | undefined {
  const right = labels.toReversed();
  const isTree = right.length === 1 && (right[0] === 'svc' || right[0] === 'pod');
  const [kind = '', namespace = '', service = '', ...front] = isTree ? [] : right;
  if (kind !== '' && kind !== 'svc' && kind !== 'pod') return undefined;
  const values = { 'port-name': '', protocol: '', endpoint: '', service, namespace, kind };
  const none = { ...(isMulticluster ? { cluster: '' } : {}), ...(zonal ? { zone: '' } : {}) };
  const [first = '', second = ''] = front;
  if (front.length === 0) return { ...values, ...none };
  if (front.length === 1) return { ...values, ...none, endpoint: first };
  if (front.length === 2) {
    if (isMulticluster && !first.startsWith('_') && !second.startsWith('_')) {
      return { ...values, ...none, cluster: first, endpoint: second };
    }
    return { ...values, ...none, protocol: stripUnderscore(first), 'port-name': stripUnderscore(second) };
  }
  if (!zonal || isMulticluster || first !== '_zone' || kind !== 'svc') return undefined;
  if (second !== 'pin' && second !== 'prefer') return undefined;
  return { ...values, zone: front.slice(2).toReversed().join('.') };
}

function stripUnderscore(label: string): string {
  return label.startsWith('_') ? label.slice(1) : label;
}
