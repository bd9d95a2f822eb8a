// A Pod reduced to its address and names. Control thread.
import { internText } from './interned.ts';
import { type ObjectIdentity, readLabel, readMetadata } from './metadata.ts';
import { ProblemCollector, type Trimmed } from './problem.ts';
import { addressFamily, isRawObject, type RawObject, readList, readObject, readText } from './raw-object.ts';

export type Pod = ObjectIdentity & {
  readonly namespace: string;
  readonly name: string;
  /** `status.podIP` as written; '' before it has one. */
  readonly podIp: string;
  /** Has a `deletionTimestamp`: a Pod that is first seen so is not taken in. */
  readonly deleting: boolean;
  /** Its resolver searches `<namespace>.svc`, `svc` and the cluster zone first: no DNS policy or search list of its own. */
  readonly clusterSearch: boolean;
  /** Only when asked for: name and value of each label, in turn. */
  readonly labels: readonly string[];
  /** Only when asked for, and once it has a node. */
  readonly place?: PodPlace;
};

export type PodPlace = {
  readonly node: string;
  /** Label `topology.kubernetes.io/zone`, which Kubernetes 1.35 and later copy from the node; '' when absent. */
  readonly zone: string;
  /** `status.podIPs` beside `podIp`. */
  readonly otherIps: readonly string[];
};

const ZONE_LABEL = 'topology.kubernetes.io/zone';
const NO_LABELS: readonly string[] = Object.freeze([]);

/**
 * Reduces a Pod; never throws, see `Trimmed`. `withLabels` keeps the labels (metadata of the client's Pod), `withPlace` where it
 * runs (`topology`).
 */
export function trimPod(raw: unknown, withLabels = false, withPlace = false): Trimmed<Pod> {
  const problems = new ProblemCollector('Pod');
  const metadata = readMetadata(raw, true, 'any', problems);
  if (metadata === undefined) return problems.finish<Pod>(undefined);
  const status = readObject(raw as RawObject, 'status', 'status', problems);
  let podIp = readText(status, 'podIP', 'status.podIP', problems);
  if (podIp !== '' && addressFamily(podIp) === 0) {
    problems.add('status.podIP', 'not an IP address', podIp);
    podIp = '';
  }
  const place = withPlace ? readPlace(raw as RawObject, metadata.raw, status, podIp, problems) : undefined;
  const deletionTimestamp = metadata.raw.deletionTimestamp;
  return problems.finish<Pod>({
    key: metadata.key,
    resourceVersion: metadata.resourceVersion,
    namespace: metadata.namespace,
    name: metadata.name,
    podIp,
    deleting: deletionTimestamp !== undefined && deletionTimestamp !== null,
    clusterSearch: hasClusterSearch(raw as RawObject, problems),
    labels: withLabels ? readLabels(metadata.raw, problems) : NO_LABELS,
    ...(place && { place }),
  });
}

/** `ClusterFirst` on the host's network means the host's search list, as does `Default`; `None` brings its own. */
function hasClusterSearch(raw: RawObject, problems: ProblemCollector): boolean {
  const spec = readObject(raw, 'spec', 'spec', problems);
  const { dnsPolicy = 'ClusterFirst', dnsConfig, hostNetwork } = spec;
  if (dnsPolicy !== 'ClusterFirstWithHostNet' && (dnsPolicy !== 'ClusterFirst' || hostNetwork === true)) return false;
  return dnsConfig === undefined || dnsConfig === null;
}

function readPlace(
  raw: RawObject,
  metadata: RawObject,
  status: RawObject,
  podIp: string,
  problems: ProblemCollector,
): PodPlace | undefined {
  const spec = readObject(raw, 'spec', 'spec', problems);
  const node = internText(readText(spec, 'nodeName', 'spec.nodeName', problems));
  if (node === '') return undefined;
  const otherIps: string[] = [];
  for (const [index, value] of readList(status, 'podIPs', 'status.podIPs', problems).entries()) {
    const ip = isRawObject(value) ? readText(value, 'ip', `status.podIPs[${index}].ip`, problems) : '';
    if (ip === podIp) continue;
    if (addressFamily(ip) !== 0) otherIps.push(ip);
    else problems.add(`status.podIPs[${index}]`, 'not an IP address', value);
  }
  const zone = internText(readLabel(metadata, ZONE_LABEL));
  return { node, zone, otherIps: otherIps.length === 0 ? NO_LABELS : otherIps };
}

function readLabels(metadata: RawObject, problems: ProblemCollector): readonly string[] {
  const labels: string[] = [];
  for (const [name, value] of Object.entries(readObject(metadata, 'labels', 'metadata.labels', problems))) {
    if (typeof value === 'string') labels.push(internText(name), internText(value));
    else problems.add(`metadata.labels[${name}]`, 'not a text', value);
  }
  return labels.length === 0 ? NO_LABELS : labels;
}
