// A Service reduced to what its DNS answers need. Control thread.
import { internPorts, internText, NO_TEXTS, type Port } from './interned.ts';
import { type ObjectIdentity, readMetadata } from './metadata.ts';
import { ProblemCollector, type Trimmed } from './problem.ts';
import { addressFamily, isRawObject, type RawObject, readList, readObject, readPort, readText } from './raw-object.ts';

export type Service = ObjectIdentity & {
  readonly namespace: string;
  readonly name: string;
  /** As written: `ClusterIP`, `NodePort`, `LoadBalancer`, `ExternalName`; '' when absent. */
  readonly type: string;
  /** The first cluster address is `None`: the endpoints are the answer. */
  readonly headless: boolean;
  /** Valid addresses as written, first family first; empty when headless or not allocated. */
  readonly clusterIps: readonly string[];
  /** Target of an ExternalName Service as written, else ''. */
  readonly externalName: string;
  /** Empty when it has none. Lists are shared between Services: never change them. */
  readonly ports: readonly Port[];
  /** `spec.externalIPs`, then the load balancer's addresses (or host names where it has no address). */
  readonly externalAddresses: readonly string[];
  /** Of a headless Service, which endpoints its own fields ask for; absent where they ask for nothing. */
  readonly traffic?: TrafficPolicy;
};

/** `Local`: `internalTrafficPolicy`, which goes before `trafficDistribution`. */
export type TrafficPolicy = 'Local' | 'PreferSameZone' | 'PreferSameNode';

/** The longest name in text form, final dot included. */
const MAX_NAME_TEXT = 254;

/** Reduces a Service; never throws, see `Trimmed`. */
export function trimService(raw: unknown): Trimmed<Service> {
  const problems = new ProblemCollector('Service');
  const metadata = readMetadata(raw, true, 'label', problems);
  if (metadata === undefined) return problems.finish<Service>(undefined);
  const spec = readObject(raw as RawObject, 'spec', 'spec', problems);
  const cluster = readClusterIps(spec, problems);
  const type = internText(readText(spec, 'type', 'spec.type', problems));
  const traffic = cluster === undefined ? readTraffic(spec, problems) : undefined;
  return problems.finish<Service>({
    key: metadata.key,
    resourceVersion: metadata.resourceVersion,
    namespace: metadata.namespace,
    name: metadata.name,
    type,
    headless: cluster === undefined,
    clusterIps: cluster ?? NO_TEXTS,
    externalName: readExternalName(spec, type, problems),
    ports: readPorts(spec, 'spec.ports', problems),
    externalAddresses: readExternalAddresses(raw as RawObject, spec, problems),
    ...(traffic && { traffic }),
  });
}

/** The cluster addresses; undefined for a headless Service. */
function readClusterIps(spec: RawObject, problems: ProblemCollector): readonly string[] | undefined {
  let listed = readList(spec, 'clusterIPs', 'spec.clusterIPs', problems);
  let path = 'spec.clusterIPs';
  if (listed.length === 0) {
    path = 'spec.clusterIP';
    listed = [readText(spec, 'clusterIP', path, problems)];
  }
  if (listed[0] === 'None') return undefined;
  const addresses = readAddresses(listed, path, problems);
  return addresses.length === 0 ? NO_TEXTS : addresses;
}

/** Values that Kubernetes may add one day are as good as none. */
function readTraffic(spec: RawObject, problems: ProblemCollector): TrafficPolicy | undefined {
  if (readText(spec, 'internalTrafficPolicy', 'spec.internalTrafficPolicy', problems) === 'Local') return 'Local';
  switch (readText(spec, 'trafficDistribution', 'spec.trafficDistribution', problems)) {
    case 'PreferClose':
    case 'PreferSameZone':
      return 'PreferSameZone';
    case 'PreferSameNode':
      return 'PreferSameNode';
    default:
      return undefined;
  }
}

/** Keeps the valid addresses of a list; an empty text is absent, anything else is a problem. */
export function readAddresses(listed: readonly unknown[], path: string, problems: ProblemCollector): string[] {
  const addresses: string[] = [];
  for (const [index, value] of listed.entries()) {
    if (value === '' || value === null) continue;
    if (typeof value === 'string' && addressFamily(value) !== 0) addresses.push(value);
    else problems.add(`${path}[${index}]`, 'not an IP address', value);
  }
  return addresses;
}

function readExternalName(spec: RawObject, type: string, problems: ProblemCollector): string {
  const name = readText(spec, 'externalName', 'spec.externalName', problems);
  if (name === '') return '';
  const labels = (name.endsWith('.') ? name.slice(0, -1) : name).split('.');
  const fits = name.length <= MAX_NAME_TEXT && labels.every((label) => label !== '' && Buffer.byteLength(label) <= 63);
  if (fits) return name;
  if (type === 'ExternalName') problems.add('spec.externalName', 'not a domain name', name);
  return '';
}

/** The ports of a Service, an import or a slice. A port without a number is kept as -1, one with a bad part is skipped. */
export function readPorts(raw: RawObject, path: string, problems: ProblemCollector): readonly Port[] {
  const listed = readList(raw, 'ports', path, problems);
  const ports: Port[] = [];
  for (const [index, value] of listed.entries()) {
    const at = `${path}[${index}]`;
    if (!isRawObject(value)) {
      problems.add(at, 'not an object', value);
      continue;
    }
    const port = readPort(value, 'port', `${at}.port`, problems);
    if (port === -2) continue;
    const name = readText(value, 'name', `${at}.name`, problems);
    if (Buffer.byteLength(name) > 62) {
      problems.add(`${at}.name`, 'longer than 62 bytes', name);
      continue;
    }
    const protocol = readText(value, 'protocol', `${at}.protocol`, problems);
    ports.push({ name: internText(name), protocol: internText(protocol), port });
  }
  return internPorts(ports);
}

function readExternalAddresses(raw: RawObject, spec: RawObject, problems: ProblemCollector): readonly string[] {
  const addresses = readAddresses(
    readList(spec, 'externalIPs', 'spec.externalIPs', problems),
    'spec.externalIPs',
    problems,
  );
  const status = readObject(raw, 'status', 'status', problems);
  const balancer = readObject(status, 'loadBalancer', 'status.loadBalancer', problems);
  const path = 'status.loadBalancer.ingress';
  for (const [index, value] of readList(balancer, 'ingress', path, problems).entries()) {
    if (!isRawObject(value)) {
      problems.add(`${path}[${index}]`, 'not an object', value);
      continue;
    }
    const ip = readText(value, 'ip', `${path}[${index}].ip`, problems);
    const hostname = readText(value, 'hostname', `${path}[${index}].hostname`, problems);
    if (ip !== '') addresses.push(...readAddresses([ip], `${path}[${index}].ip`, problems));
    else if (hostname !== '' && hostname.length <= MAX_NAME_TEXT) addresses.push(hostname);
    else if (hostname !== '') problems.add(`${path}[${index}].hostname`, 'longer than a domain name', hostname);
  }
  return addresses.length === 0 ? NO_TEXTS : addresses;
}
