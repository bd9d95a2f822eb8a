// All services of etcd as a tree of names, and what the store is to say at each name. Control thread.
import { SERVICE_FLAG, SERVICE_KIND, type ServiceRecord, writeServiceRecords } from '../../chain/service-record.ts';
import type { Change } from '../../store/change.ts';
import { RRSET_FORM, SERVICES_TYPE } from '../../store/rrset-form.ts';
import { parseNameLower } from '../../wire/name.ts';
import type { Service } from './service.ts';

/** A name with more services below it answers with these many, first ones first: more do not fit a message. */
export const MAX_SERVICES_PER_NAME = 1000;
const DEFAULT_TTL_SECONDS = 300;
/** What the weights of a priority add up to, and the weight of a service without one. */
const FULL_WEIGHT = 100;

type Node = {
  readonly label: string;
  readonly parent: Node | undefined;
  readonly children: Map<string, Node>;
  key: string;
  service: Service | undefined;
};

/** A service with the name that it stands at. */
type Placed = { readonly node: Node; readonly service: Service };

export class ServiceTree {
  readonly #root: Node = createNode('', undefined);
  readonly #byKey = new Map<string, Node>();
  readonly #zones: readonly (readonly string[])[];
  readonly #leaseTtl: (lease: string) => number;
  #dirty = new Set<Node>();

  /**
   * @param zones absolute names; services elsewhere are left out
   * @param leaseTtl TTL in seconds that a lease allows; 0 when it is not known
   */
  constructor(zones: readonly string[], leaseTtl: (lease: string) => number) {
    this.#zones = zones.map((zone) => zone.split('.').filter((label) => label !== ''));
    this.#leaseTtl = leaseTtl;
  }

  /** Number of services. */
  get size(): number {
    return this.#byKey.size;
  }

  keys(): Iterable<string> {
    return this.#byKey.keys();
  }

  /** @param labels of the name, the leftmost first */
  set(key: string, labels: readonly string[], service: Service): void {
    if (!this.#isInZones(labels)) return;
    let node = this.#root;
    for (const label of labels.toReversed()) {
      let child = node.children.get(label);
      if (child === undefined) {
        child = createNode(label, node);
        node.children.set(label, child);
      }
      node = child;
    }
    // Two keys that differ in letter case are one name: the later one counts.
    if (node.key !== '') this.#byKey.delete(node.key);
    node.key = key;
    node.service = service;
    this.#byKey.set(key, node);
    this.#touch(node);
  }

  delete(key: string): void {
    const node = this.#byKey.get(key);
    if (node === undefined) return;
    this.#byKey.delete(key);
    node.key = '';
    node.service = undefined;
    this.#touch(node);
    for (let at = node; at.parent !== undefined && at.children.size === 0 && at.service === undefined; at = at.parent) {
      at.parent.children.delete(at.label);
    }
  }

  /** What the store must be told since the last call. */
  takeChanges(): Change[] {
    const dirty = this.#dirty;
    this.#dirty = new Set();
    // By name, the last word of each: a name that went and came back must not be missing in between.
    const changes = new Map<string, Change>();
    for (const node of dirty) {
      const change = this.#describe(node);
      if (change !== undefined) changes.set(labelsOf(node).join('.'), change);
    }
    return [...changes.values()];
  }

  #isInZones(labels: readonly string[]): boolean {
    return this.#zones.some((zone) => zone.every((label, i) => labels[labels.length - zone.length + i] === label));
  }

  #touch(node: Node): void {
    for (let at: Node | undefined = node; at !== undefined; at = at.parent) this.#dirty.add(at);
  }

  #describe(node: Node): Change | undefined {
    const labels = labelsOf(node);
    const wire = parseNameLower(labels.length === 0 ? '.' : labels.join('.'));
    if (wire === undefined || !this.#isInZones(labels)) return undefined;
    const name = wire.subarray(0, wire.length - 1);
    const records = this.#recordsOf(node);
    if (records.length === 0) return { kind: 'remove', name };
    const bytes = writeServiceRecords(records);
    const rrset = { type: SERVICES_TYPE, count: records.length, form: RRSET_FORM.SERVICES, bytes };
    return { kind: 'put', name, flags: 0, rrsets: [rrset] };
  }

  /** As in SkyDNS: what stands below a name answers for it; only without anything there its own service does. */
  #recordsOf(node: Node): ServiceRecord[] {
    const below: Placed[] = [];
    for (const child of sortedChildren(node)) collect(child, below);
    const own: Placed[] = node.service === undefined ? [] : [{ node, service: node.service }];
    const found = below.length > 0 ? below : own;
    const listed = new Set(groupOf(found.filter(({ service }) => service.host.length > 0)));
    const texts = new Set(groupOf(found));
    const weights = sumWeights(listed);
    return [...new Set([...own, ...found])].map((placed) => {
      const flags =
        (listed.has(placed) ? SERVICE_FLAG.LISTED : 0) |
        (texts.has(placed) ? SERVICE_FLAG.TEXTS : 0) |
        (placed.node === node ? SERVICE_FLAG.EXACT : 0) |
        (placed.service.mail ? SERVICE_FLAG.MAIL : 0);
      return this.#toRecord(placed, flags, weights.get(placed.service.priority) ?? FULL_WEIGHT);
    });
  }

  #toRecord({ node, service }: Placed, flags: number, weightSum: number): ServiceRecord {
    const { kind, host, priority, port, text } = service;
    const name = parseNameLower(labelsOf(node).join('.'))!;
    const target = kind === SERVICE_KIND.NAME || (kind === SERVICE_KIND.TEXT && host.length > 0) ? host : name;
    return {
      kind,
      flags,
      ttlSeconds: this.#ttlOf(service),
      priority,
      weight: Math.max(1, Math.floor((FULL_WEIGHT / weightSum) * (service.weight || FULL_WEIGHT))),
      port,
      host,
      target: stripLabels(target, service.targetStrip),
      name,
      text,
    };
  }

  #ttlOf({ lease, ttlSeconds }: Service): number {
    const leaseSeconds = lease === '0' ? 0 : this.#leaseTtl(lease);
    if (leaseSeconds === 0) return ttlSeconds || DEFAULT_TTL_SECONDS;
    return ttlSeconds === 0 ? leaseSeconds : Math.min(ttlSeconds, leaseSeconds);
  }
}

function createNode(label: string, parent: Node | undefined): Node {
  return { label, parent, children: new Map(), key: '', service: undefined };
}

function labelsOf(node: Node): string[] {
  const labels: string[] = [];
  for (let at: Node | undefined = node; at?.parent !== undefined; at = at.parent) labels.push(at.label);
  return labels;
}

/** In the order of etcd's keys, more or less. */
function sortedChildren({ children }: Node): Node[] {
  return [...children.values()].sort((a, b) => (a.label < b.label ? -1 : 1));
}

function collect(node: Node, into: Placed[]): void {
  if (into.length >= MAX_SERVICES_PER_NAME) return;
  if (node.service !== undefined) into.push({ node, service: node.service });
  for (const child of sortedChildren(node)) collect(child, into);
}

/**
 * SkyDNS's groups: when the services nearest to the name agree on a group, those of other groups are left out.
 */
function groupOf(found: readonly Placed[]): readonly Placed[] {
  const [first] = found;
  if (first === undefined) return found;
  const depths = found.map(({ node }) => labelsOf(node).length);
  let depth = depths[0]!;
  let { group } = first.service;
  for (const [i, { service }] of found.entries()) {
    if (depths[i]! >= depth) continue;
    if (service.group === '') break;
    depth = depths[i]!;
    group = service.group;
  }
  if (group === '') return found;
  const disagrees = found.some(
    ({ service }, i) => depths[i] === depth && service.group !== '' && service.group !== group,
  );
  return disagrees ? found : found.filter(({ service }) => service.group === '' || service.group === group);
}

function sumWeights(listed: Iterable<Placed>): Map<number, number> {
  const sums = new Map<number, number>();
  for (const { service } of listed) {
    sums.set(service.priority, (sums.get(service.priority) ?? 0) + (service.weight || FULL_WEIGHT));
  }
  return sums;
}

/** Leaves out the first labels of a name, if it has more than these. */
function stripLabels(name: Uint8Array, count: number): Uint8Array {
  let at = 0;
  for (let left = count; left > 0; left--) {
    if (name[at] === 0) return name;
    at += name[at]! + 1;
  }
  return name[at] === 0 ? name : name.subarray(at);
}
