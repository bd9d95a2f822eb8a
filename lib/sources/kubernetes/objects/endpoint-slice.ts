// An EndpointSlice packed into columns: one entry per endpoint address, ready ones first. Control thread.
import { internText, NO_TEXTS, type Port } from './interned.ts';
import { type ObjectIdentity, readLabel, readMetadata } from './metadata.ts';
import { ProblemCollector, type Trimmed } from './problem.ts';
import { addressFamily, isLabel, isRawObject, type RawObject, readList, readObject, readText } from './raw-object.ts';
import { readPorts } from './service.ts';

/**
 * The endpoints are columns of equal length: entry i is `addresses[i]` with `hostnames[i]` and so on. An endpoint with
 * several addresses is several entries. A column in which every value is '' is the empty list: read it with `column[i] ?? ''`.
 */
export type EndpointSlice = ObjectIdentity & {
  readonly namespace: string;
  readonly name: string;
  /** Label `kubernetes.io/service-name`: the Service in the same namespace; '' when absent. */
  readonly service: string;
  /** Label `multicluster.kubernetes.io/service-name`: the ServiceImport; '' when absent. */
  readonly importName: string;
  /** Label `multicluster.kubernetes.io/source-cluster`; '' when absent. */
  readonly sourceCluster: string;
  readonly addressType: 'IPv4' | 'IPv6' | 'FQDN';
  /** Empty when it has none; port -1 where the number is missing. Lists are shared: never change them. */
  readonly ports: readonly Port[];
  /** Entries before this one are ready (`conditions.ready` true or missing), the others are not. Each part is in the slice's order. */
  readonly readyCount: number;
  /** Addresses as written: valid IPv4 or IPv6 text of the slice's type, or host names (FQDN). */
  readonly addresses: readonly string[];
  readonly hostnames: readonly string[];
  /** `targetRef.name` where shorter than 64 characters: the Pod. */
  readonly targetNames: readonly string[];
  readonly nodeNames: readonly string[];
  readonly zones: readonly string[];
  /**
   * `hints.forZones` and `hints.forNodes`, the names of each endpoint with blanks between; absent where no endpoint has any, or
   * they are not kept.
   */
  readonly hints?: { readonly zones: readonly string[]; readonly nodes: readonly string[] };
  /** Annotation `endpoints.kubernetes.io/last-change-trigger-time` in Unix milliseconds; 0 when absent. */
  readonly triggerTimeMs: number;
};

/** Columns that only some configurations read; the others stay empty to save memory. */
export type SliceColumns = {
  readonly targetNames: boolean;
  readonly nodeNames: boolean;
  readonly zones: boolean;
  readonly hints?: boolean;
};

export const ALL_SLICE_COLUMNS: SliceColumns = { targetNames: true, nodeNames: true, zones: true, hints: true };

/** Reduces an EndpointSlice; never throws, see `Trimmed`. */
export function trimEndpointSlice(raw: unknown, columns: SliceColumns = ALL_SLICE_COLUMNS): Trimmed<EndpointSlice> {
  const problems = new ProblemCollector('EndpointSlice');
  const metadata = readMetadata(raw, true, 'any', problems);
  if (metadata === undefined) return problems.finish<EndpointSlice>(undefined);
  const slice = raw as RawObject;
  const addressType = readAddressType(slice, problems);
  if (addressType === undefined) return problems.finish<EndpointSlice>(undefined);
  const entries = readEntries(slice, addressType, columns, problems);
  return problems.finish<EndpointSlice>({
    key: metadata.key,
    resourceVersion: metadata.resourceVersion,
    namespace: metadata.namespace,
    name: metadata.name,
    service: readNameLabel(metadata.raw, 'kubernetes.io/service-name', problems),
    importName: readNameLabel(metadata.raw, 'multicluster.kubernetes.io/service-name', problems),
    sourceCluster: internText(readNameLabel(metadata.raw, 'multicluster.kubernetes.io/source-cluster', problems)),
    addressType,
    ports: readPorts(slice, 'ports', problems),
    readyCount: entries.readyCount,
    addresses: entries.addresses,
    hostnames: entries.hostnames,
    targetNames: entries.targetNames,
    nodeNames: entries.nodeNames,
    zones: entries.zones,
    ...(entries.hints && { hints: entries.hints }),
    triggerTimeMs: readTriggerTimeMs(metadata.raw),
  });
}

function readAddressType(slice: RawObject, problems: ProblemCollector): 'IPv4' | 'IPv6' | 'FQDN' | undefined {
  const value = slice.addressType;
  if (value === 'IPv4' || value === 'IPv6' || value === 'FQDN') return value;
  problems.add('addressType', 'not IPv4, IPv6 or FQDN', value ?? null);
  return undefined;
}

function readNameLabel(metadata: RawObject, label: string, problems: ProblemCollector): string {
  const value = readLabel(metadata, label);
  if (value === '' || isLabel(value)) return value;
  problems.add(`metadata.labels[${label}]`, 'not a DNS label', value);
  return '';
}

function readTriggerTimeMs(metadata: RawObject): number {
  const annotations = metadata.annotations;
  if (!isRawObject(annotations)) return 0;
  const text = annotations['endpoints.kubernetes.io/last-change-trigger-time'];
  const time = typeof text === 'string' ? Date.parse(text) : 0;
  return Number.isNaN(time) ? 0 : time;
}

type Entry = {
  readonly address: string;
  readonly hostname: string;
  readonly targetName: string;
  readonly nodeName: string;
  readonly zone: string;
  readonly zoneHints: string;
  readonly nodeHints: string;
};
type Entries = Pick<
  EndpointSlice,
  'readyCount' | 'addresses' | 'hostnames' | 'targetNames' | 'nodeNames' | 'zones' | 'hints'
>;

function readEntries(
  slice: RawObject,
  addressType: EndpointSlice['addressType'],
  columns: SliceColumns,
  problems: ProblemCollector,
): Entries {
  const ready: Entry[] = [];
  const unready: Entry[] = [];
  for (const [index, value] of readList(slice, 'endpoints', 'endpoints', problems).entries()) {
    const path = `endpoints[${index}]`;
    if (!isRawObject(value)) {
      problems.add(path, 'not an object', value);
      continue;
    }
    readEndpoint(value, path, addressType, columns, isReady(value, path, problems) ? ready : unready, problems);
  }
  const readyCount = ready.length;
  const all = unready.length === 0 ? ready : ready.concat(unready);
  const hasHints =
    columns.hints === true && all.some(({ zoneHints, nodeHints }) => zoneHints !== '' || nodeHints !== '');
  return {
    readyCount,
    addresses: column(all, 'address'),
    hostnames: column(all, 'hostname'),
    targetNames: column(all, 'targetName'),
    nodeNames: column(all, 'nodeName'),
    zones: column(all, 'zone'),
    ...(hasHints && { hints: { zones: column(all, 'zoneHints'), nodes: column(all, 'nodeHints') } }),
  };
}

function column(entries: readonly Entry[], field: keyof Entry): readonly string[] {
  return entries.some((entry) => entry[field] !== '') ? entries.map((entry) => entry[field]) : NO_TEXTS;
}

/** Ready is `conditions.ready` true or missing; a value of a wrong type is taken as not ready. */
function isReady(endpoint: RawObject, path: string, problems: ProblemCollector): boolean {
  const { ready } = readObject(endpoint, 'conditions', `${path}.conditions`, problems);
  if (ready === undefined || ready === null || ready === true) return true;
  if (ready !== false) problems.add(`${path}.conditions.ready`, 'not true or false', ready);
  return false;
}

function readEndpoint(
  endpoint: RawObject,
  path: string,
  addressType: EndpointSlice['addressType'],
  columns: SliceColumns,
  into: Entry[],
  problems: ProblemCollector,
): void {
  let hostname = readText(endpoint, 'hostname', `${path}.hostname`, problems);
  if (hostname !== '' && !isLabel(hostname)) {
    problems.add(`${path}.hostname`, 'not a DNS label', hostname);
    hostname = '';
  }
  let targetName = '';
  if (columns.targetNames) {
    const target = readObject(endpoint, 'targetRef', `${path}.targetRef`, problems);
    targetName = readText(target, 'name', `${path}.targetRef.name`, problems);
    // A StatefulSet's Pods are named like their host names: keep one copy.
    if (targetName === hostname) targetName = hostname;
    else if (targetName.length >= 64) targetName = '';
  }
  const nodeName = columns.nodeNames ? internText(readText(endpoint, 'nodeName', `${path}.nodeName`, problems)) : '';
  const zone = columns.zones ? internText(readText(endpoint, 'zone', `${path}.zone`, problems)) : '';
  const zoneHints = columns.hints === true ? readHints(endpoint, 'forZones', path, problems) : '';
  const nodeHints = columns.hints === true ? readHints(endpoint, 'forNodes', path, problems) : '';
  for (const [index, address] of readList(endpoint, 'addresses', `${path}.addresses`, problems).entries()) {
    if (typeof address === 'string' && isAddressOf(addressType, address))
      into.push({ address, hostname, targetName, nodeName, zone, zoneHints, nodeHints });
    else problems.add(`${path}.addresses[${index}]`, `not an ${addressType} address`, address);
  }
}

/** Names that a blank could not tell apart are no names of places. */
function readHints(
  endpoint: RawObject,
  field: 'forZones' | 'forNodes',
  path: string,
  problems: ProblemCollector,
): string {
  const hints = readObject(endpoint, 'hints', `${path}.hints`, problems);
  const names: string[] = [];
  for (const [index, value] of readList(hints, field, `${path}.hints.${field}`, problems).entries()) {
    const at = `${path}.hints.${field}[${index}]`;
    if (isRawObject(value) && typeof value.name === 'string' && /^\S+$/.test(value.name)) names.push(value.name);
    else problems.add(at, 'not the name of a place', value);
  }
  return internText(names.join(' '));
}

function isAddressOf(addressType: EndpointSlice['addressType'], text: string): boolean {
  if (addressType === 'FQDN') return isHostName(text);
  return addressFamily(text) === (addressType === 'IPv4' ? 4 : 6);
}

/** A host name that fits into a message; letters, digits, `-`, `_` only, as anything else was never a host. */
function isHostName(text: string): boolean {
  if (text.length === 0 || text.length > 253) return false;
  return (text.endsWith('.') ? text.slice(0, -1) : text).split('.').every((label) => /^[\w-]{1,63}$/.test(label));
}
