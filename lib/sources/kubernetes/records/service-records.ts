// One Service and its slices -> the names below it and their rrsets. Control thread, pure.
//
// Rules: kubernetes DNS specification 1.1.0 and CoreDNS's answers, see docs/kubernetes.md.
import { parseIpAddress } from '../../../base/ip-address.ts';
import type { RrsetData } from '../../../store/change.ts';
import { ENTRY_FLAG, RRSET_FORM } from '../../../store/rrset-form.ts';
import { parseNameLower } from '../../../wire/name.ts';
import { RRTYPE } from '../../../wire/types.ts';
import type { EndpointSlice } from '../objects/endpoint-slice.ts';
import type { Port } from '../objects/interned.ts';
import type { Service } from '../objects/service.ts';
import { ByteList } from './byte-list.ts';
import { serviceName, wireLabel, wireLabels } from './relative-name.ts';

/** What one name holds. */
export type Contents = { readonly flags: number; readonly rrsets: readonly RrsetData[] };

export type RecordOptions = {
  /** `endpoint_pod_names`: endpoints without hostname are called like their Pods. */
  readonly endpointPodNames: boolean;
  /** `ignore empty_service`: a ClusterIP Service without ready endpoints does not exist. */
  readonly ignoreEmptyService: boolean;
};

/** An endpoint port without number stands in the objects as this; it has addresses but no SRV record. */
const NO_PORT = -1;
const PSEUDO_PORTS: readonly Port[] = [{ name: '', protocol: '', port: NO_PORT }];

/** Addresses of one name or SRV target, each once, in order of appearance. */
class AddressSet {
  readonly ipv4: Uint8Array[] = [];
  readonly ipv6: Uint8Array[] = [];
  readonly #seen = new Set<string>();

  add(text: string): void {
    if (this.#seen.has(text)) return;
    const address = parseIpAddress(text);
    if (!address || address.zone !== '') return;
    this.#seen.add(text);
    (address.bytes.length === 4 ? this.ipv4 : this.ipv6).push(address.bytes);
  }

  get isEmpty(): boolean {
    return this.ipv4.length === 0 && this.ipv6.length === 0;
  }
}

type Target = { readonly addresses: AddressSet; readonly ports: Set<number> };

/** What is gathered for one name before its rrsets are made. */
class NameAnswer {
  readonly addresses = new AddressSet();
  readonly targets = new Map<string, Target>();
  /** Entries that the SRV weight is divided by: duplicates and ports without number count, as in CoreDNS. */
  entries = 0;
  /** First host name where a slice holds names instead of addresses. */
  alias = '';

  add(target: string, address: string, port: number, isName: boolean): void {
    this.entries++;
    if (isName) {
      if (this.alias === '') this.alias = address;
      return;
    }
    this.addresses.add(address);
    let entry = this.targets.get(target);
    if (!entry) {
      entry = { addresses: new AddressSet(), ports: new Set() };
      this.targets.set(target, entry);
    }
    entry.addresses.add(address);
    if (port !== NO_PORT) entry.ports.add(port);
  }

  /** @param drop labels of the asked name that stand before the targets' common end */
  contents(flags: number, drop: number): Contents {
    const rrsets: RrsetData[] = [];
    const { ipv4, ipv6 } = this.addresses;
    if (ipv4.length > 0) rrsets.push(addressRrset(RRTYPE.A, ipv4));
    if (ipv6.length > 0) rrsets.push(addressRrset(RRTYPE.AAAA, ipv6));
    const srv = serviceRrset(this.targets, drop, this.entries);
    if (srv) rrsets.push(srv);
    if (this.addresses.isEmpty && this.alias !== '') {
      const alias = parseNameLower(this.alias);
      if (alias) rrsets.push(nameRrset(alias));
    }
    return { flags, rrsets };
  }
}

const scratch = new ByteList();

export function addressRrset(type: number, addresses: readonly Uint8Array[]): RrsetData {
  scratch.clear();
  for (const address of addresses) scratch.putBytes(address);
  return { type, count: addresses.length, form: RRSET_FORM.ADDRESSES, bytes: scratch.take() };
}

function nameRrset(name: Uint8Array): RrsetData {
  return { type: RRTYPE.CNAME, count: 1, form: RRSET_FORM.NAME, bytes: name };
}

const MAX_TARGETS = 0xffff;
const MAX_PER_TARGET = 255;

/** See `RRSET_FORM.SERVICE`; undefined when no target has a port. */
function serviceRrset(targets: ReadonlyMap<string, Target>, drop: number, entries: number): RrsetData | undefined {
  const weight = Math.max(1, Math.floor(100 / entries));
  scratch.clear();
  scratch.putByte(drop);
  scratch.putByte(0);
  scratch.putShort(0);
  let targetCount = 0;
  let records = 0;
  for (const [prefix, { addresses, ports }] of targets) {
    if (ports.size === 0 || targetCount === MAX_TARGETS || records + MAX_PER_TARGET > MAX_TARGETS) continue;
    targetCount++;
    putTarget(prefix, ports, weight, addresses);
    records += Math.min(ports.size, MAX_PER_TARGET);
  }
  if (records === 0) return undefined;
  scratch.setShort(2, targetCount);
  return { type: RRTYPE.SRV, count: records, form: RRSET_FORM.SERVICE, bytes: scratch.take() };
}

function putTarget(prefix: string, ports: ReadonlySet<number>, weight: number, addresses: AddressSet): void {
  scratch.putByte(prefix.length);
  scratch.putBytes(Buffer.from(prefix, 'latin1'));
  scratch.putByte(Math.min(ports.size, MAX_PER_TARGET));
  let written = 0;
  for (const port of ports) {
    if (written++ === MAX_PER_TARGET) break;
    scratch.putShort(weight);
    scratch.putShort(port);
  }
  for (const family of [addresses.ipv4, addresses.ipv6]) {
    scratch.putByte(Math.min(family.length, MAX_PER_TARGET));
    for (const address of family.slice(0, MAX_PER_TARGET)) scratch.putBytes(address);
  }
}

/** NS names below the zone with their addresses; see `RRSET_FORM.NAME_SERVERS`. */
export function nameServerRrset(servers: ReadonlyMap<string, readonly string[]>): RrsetData {
  scratch.clear();
  scratch.putByte(0);
  scratch.putByte(0);
  scratch.putShort(servers.size);
  const noPorts = new Set<number>();
  for (const [name, texts] of servers) {
    const addresses = new AddressSet();
    for (const text of texts) addresses.add(text);
    putTarget(name, noPorts, 0, addresses);
  }
  return { type: RRTYPE.NS, count: servers.size, form: RRSET_FORM.NAME_SERVERS, bytes: scratch.take() };
}

/**
 * The label an endpoint is known by: its hostname, else its Pod's name where asked for, else its address with dashes.
 * May hold dots (a Pod's name): then it is only a target, never a name of its own.
 */
export function endpointName(slice: EndpointSlice, i: number, podNames: boolean): string {
  const hostname = slice.hostnames[i] ?? '';
  if (hostname !== '') return hostname;
  const target = podNames ? (slice.targetNames[i] ?? '') : '';
  if (target !== '' && target.length < 64) return target;
  const dashed = slice.addresses[i]!.replace(/[.:]/g, '-');
  return dashed.endsWith('-') ? `${dashed}0` : dashed;
}

function portKey(port: Port): string {
  return wireLabel(`_${port.name}`) + wireLabel(`_${port.protocol === '' ? 'TCP' : port.protocol}`);
}

/**
 * All names of a Service: its own, its ports', its endpoints'. Empty when the Service does not exist for DNS.
 *
 * @param touched endpoint names to make contents for; the others are left out of the result. undefined: all
 * @returns contents by relative name (see relative-name.ts)
 */
export function serviceRecords(
  service: Service,
  slices: readonly EndpointSlice[],
  options: RecordOptions,
  touched?: ReadonlySet<string>,
): Map<string, Contents> {
  const names = new Map<string, Contents>();
  const base = serviceName(service.namespace, service.name);
  if (service.type === 'ExternalName') {
    const target = externalTarget(service.externalName);
    if (target) names.set(base, { flags: ENTRY_FLAG.SERVICE | ENTRY_FLAG.EXTERNAL_NAME, rrsets: [nameRrset(target)] });
    return names;
  }
  if (!service.headless && options.ignoreEmptyService && slices.every((slice) => slice.readyCount === 0)) return names;
  if (service.headless) addHeadless(names, base, slices, options);
  else addClusterIp(names, base, service);
  if (names.size === 0) return names;
  addEndpoints(names, base, slices, options, touched);
  return names;
}

/** An address is no target (the name then does not exist), nor is what cannot be a name. */
function externalTarget(text: string): Uint8Array | undefined {
  if (text === '' || parseIpAddress(text)) return undefined;
  return parseNameLower(text);
}

function addClusterIp(names: Map<string, Contents>, base: string, service: Service): void {
  if (service.clusterIps.length === 0) return;
  const own = new NameAnswer();
  const byPort = new Map<string, NameAnswer>();
  for (const port of service.ports.length === 0 ? PSEUDO_PORTS : service.ports) {
    let named: NameAnswer | undefined;
    if (port.name !== '') {
      const key = portKey(port);
      named = byPort.get(key) ?? new NameAnswer();
      byPort.set(key, named);
    }
    for (const address of service.clusterIps) {
      own.add('', address, port.port, false);
      named?.add('', address, port.port, false);
    }
  }
  names.set(base, own.contents(ENTRY_FLAG.SERVICE, 0));
  for (const [key, answer] of byPort) names.set(key + base, answer.contents(ENTRY_FLAG.PORT, 2));
}

function addHeadless(
  names: Map<string, Contents>,
  base: string,
  slices: readonly EndpointSlice[],
  options: RecordOptions,
): void {
  const own = new NameAnswer();
  const byPort = new Map<string, NameAnswer>();
  for (const slice of slices) {
    const isName = slice.addressType === 'FQDN';
    for (const port of slice.ports.length === 0 ? PSEUDO_PORTS : slice.ports) {
      let named: NameAnswer | undefined;
      if (port.name !== '') {
        const key = portKey(port);
        named = byPort.get(key) ?? new NameAnswer();
        byPort.set(key, named);
      }
      for (let i = 0; i < slice.readyCount; i++) {
        const target = wireLabels(endpointName(slice, i, options.endpointPodNames));
        own.add(target, slice.addresses[i]!, port.port, isName);
        named?.add(target, slice.addresses[i]!, port.port, isName);
      }
    }
  }
  // Without a ready endpoint the name does not exist (DNS specification 1.1.0, section 2.4.1).
  if (own.entries === 0) return;
  names.set(base, own.contents(ENTRY_FLAG.SERVICE | ENTRY_FLAG.HEADLESS, 0));
  for (const [key, answer] of byPort) {
    if (answer.entries > 0) names.set(key + base, answer.contents(ENTRY_FLAG.PORT | ENTRY_FLAG.HEADLESS, 2));
  }
}

function addEndpoints(
  names: Map<string, Contents>,
  base: string,
  slices: readonly EndpointSlice[],
  options: RecordOptions,
  touched: ReadonlySet<string> | undefined,
): void {
  const byEndpoint = new Map<string, NameAnswer>();
  for (const slice of slices) {
    const isName = slice.addressType === 'FQDN';
    const ports = slice.ports.length === 0 ? PSEUDO_PORTS : slice.ports;
    for (let i = 0; i < slice.readyCount; i++) {
      const name = endpointName(slice, i, options.endpointPodNames);
      if (name.includes('.') || (touched && !touched.has(name))) continue;
      const answer = byEndpoint.get(name) ?? new NameAnswer();
      byEndpoint.set(name, answer);
      for (const port of ports) answer.add('', slice.addresses[i]!, port.port, isName);
    }
  }
  for (const [name, answer] of byEndpoint) names.set(wireLabel(name) + base, answer.contents(ENTRY_FLAG.ENDPOINT, 0));
}
