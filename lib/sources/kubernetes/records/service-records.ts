// One Service and its slices -> the names below it and their rrsets. Control thread, pure.
//
// Rules: kubernetes DNS specification 1.1.0 and CoreDNS's answers, see docs/kubernetes.md.
import { parseIpAddress } from '../../../base/ip-address.ts';
import { ENTRY_FLAG } from '../../../store/rrset-form.ts';
import { MAX_LABEL_LENGTH, parseNameLower } from '../../../wire/name.ts';
import type { EndpointSlice } from '../objects/endpoint-slice.ts';
import type { Port } from '../objects/interned.ts';
import type { Service } from '../objects/service.ts';
import { addressBytes, type Contents, NameAnswer, nameRrset, PSEUDO_PORTS, singleContents } from './name-answer.ts';
import { endpointLabels, endpointName, labelsOf, portLabels, type RecordOptions } from './labels.ts';
import { serviceName, wireLabel, wireLabels } from './relative-name.ts';
import { transferRrset } from './transfer-records.ts';

const PIN_LABELS = wireLabel('pin') + wireLabel('_zone');

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
    if (!target) return names;
    const rrsets = [nameRrset(target)];
    names.set(base, { flags: ENTRY_FLAG.SERVICE | ENTRY_FLAG.EXTERNAL_NAME, rrsets });
    return options.transfer ? addTransfer(names, base, service, slices, options) : names;
  }
  if (!service.headless && options.ignoreEmptyService && slices.every((slice) => slice.readyCount === 0)) return names;
  if (service.headless) addHeadless(names, base, slices, options);
  else addOwnAddresses(names, base, service.ports, service.clusterIps, () => false);
  if (names.size === 0) return names;
  addEndpoints(names, base, slices, options, touched);
  return options.transfer ? addTransfer(names, base, service, slices, options) : names;
}

/** Keeps the Service's part of a zone transfer beside its own records. */
function addTransfer(
  names: Map<string, Contents>,
  base: string,
  service: Service,
  slices: readonly EndpointSlice[],
  options: RecordOptions,
): Map<string, Contents> {
  const own = names.get(base);
  const rrset = transferRrset(service, slices, options);
  if (own && rrset) names.set(base, { flags: own.flags, rrsets: [...own.rrsets, rrset] });
  return names;
}

/** An address is no target (the name then does not exist), nor is what cannot be a name. */
function externalTarget(text: string): Uint8Array | undefined {
  if (text === '' || parseIpAddress(text)) return undefined;
  return parseNameLower(text);
}

/**
 * Names of a Service with addresses of its own: the Service's and its ports'.
 * @param isName whether one of the addresses is a host name
 */
export function addOwnAddresses(
  names: Map<string, Contents>,
  base: string,
  ports: readonly Port[],
  addresses: readonly string[],
  isName: (address: string) => boolean,
): void {
  if (addresses.length === 0) return;
  const own = new NameAnswer();
  const byPort = new Map<string, NameAnswer>();
  for (const port of ports.length === 0 ? PSEUDO_PORTS : ports) {
    let named: NameAnswer | undefined;
    if (port.name !== '') {
      const key = portLabels(port);
      named = byPort.get(key) ?? new NameAnswer();
      byPort.set(key, named);
    }
    for (const address of addresses) {
      own.add('', address, port.port, isName(address));
      named?.add('', address, port.port, isName(address));
    }
  }
  names.set(base, own.contents(ENTRY_FLAG.SERVICE, 0));
  for (const [key, answer] of byPort) names.set(key + base, answer.contents(ENTRY_FLAG.PORT, 2));
}

/** Names of a headless Service: its own and its ports', none without a ready endpoint. */
export function addHeadless(
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
        const key = portLabels(port);
        named = byPort.get(key) ?? new NameAnswer();
        byPort.set(key, named);
      }
      for (let i = 0; i < slice.readyCount; i++) {
        const target = endpointLabels(slice, i, options);
        own.add(target, slice.addresses[i]!, port.port, isName);
        named?.add(target, slice.addresses[i]!, port.port, isName);
      }
    }
  }
  if (options.zonal) addZones(names, base, slices, options);
  // Without a ready endpoint the name does not exist (DNS specification 1.1.0, section 2.4.1).
  if (own.entries === 0) return;
  names.set(base, own.contents(ENTRY_FLAG.SERVICE | ENTRY_FLAG.HEADLESS, 0));
  for (const [key, answer] of byPort) {
    if (answer.entries > 0) names.set(key + base, answer.contents(ENTRY_FLAG.PORT | ENTRY_FLAG.HEADLESS, 2));
  }
}

/**
 * `<zone>.pin._zone.<service>`: the endpoints of each topology zone; and `pin._zone.<service>` without records, which says
 * that the Service has such names at all. Neither can be asked for under its own name by other rules: the one has six labels
 * or more, the other no underscore in front.
 */
function addZones(
  names: Map<string, Contents>,
  base: string,
  slices: readonly EndpointSlice[],
  options: RecordOptions,
): void {
  const pin = PIN_LABELS + base;
  names.set(pin, { flags: ENTRY_FLAG.ZONAL, rrsets: [] });
  const byZone = new Map<string, NameAnswer>();
  for (const slice of slices) {
    const isName = slice.addressType === 'FQDN';
    for (const port of slice.ports.length === 0 ? PSEUDO_PORTS : slice.ports) {
      for (let i = 0; i < slice.readyCount; i++) {
        const zone = slice.zones[i] ?? '';
        if (zone === '' || !zone.split('.').every((label) => label.length > 0 && label.length <= MAX_LABEL_LENGTH))
          continue;
        const answer = byZone.get(zone) ?? new NameAnswer();
        byZone.set(zone, answer);
        answer.add(endpointLabels(slice, i, options), slice.addresses[i]!, port.port, isName);
      }
    }
  }
  for (const [zone, answer] of byZone) names.set(wireLabels(zone) + pin, answer.contents(ENTRY_FLAG.ZONAL, 0));
}

/** Names of the Service's endpoints; `touched` as in `serviceRecords`. */
export function addEndpoints(
  names: Map<string, Contents>,
  base: string,
  slices: readonly EndpointSlice[],
  options: RecordOptions,
  touched: ReadonlySet<string> | undefined,
): void {
  if (addSingleEndpoints(names, base, slices, options, touched)) return;
  const byEndpoint = new Map<string, NameAnswer>();
  for (const slice of slices) {
    const isName = slice.addressType === 'FQDN';
    const ports = slice.ports.length === 0 ? PSEUDO_PORTS : slice.ports;
    for (let i = 0; i < slice.readyCount; i++) {
      const name = endpointName(slice, i, options.endpointPodNames);
      if (name.includes('.') || (touched && !touched.has(name))) continue;
      const labels = labelsOf(name, slice, options);
      const answer = byEndpoint.get(labels) ?? new NameAnswer();
      byEndpoint.set(labels, answer);
      for (const port of ports) answer.add('', slice.addresses[i]!, port.port, isName);
    }
  }
  for (const [labels, answer] of byEndpoint) names.set(labels + base, answer.contents(ENTRY_FLAG.ENDPOINT, 0));
}

/**
 * The same where every endpoint has one address and a name of its own, as nearly always.
 * @returns false when one has not; what is in `names` by then is to be made anew
 */
function addSingleEndpoints(
  names: Map<string, Contents>,
  base: string,
  slices: readonly EndpointSlice[],
  options: RecordOptions,
  touched: ReadonlySet<string> | undefined,
): boolean {
  for (const slice of slices) {
    const ports = slice.ports.length === 0 ? PSEUDO_PORTS : slice.ports;
    for (let i = 0; i < slice.readyCount; i++) {
      const name = endpointName(slice, i, options.endpointPodNames);
      if (name.includes('.') || (touched && !touched.has(name))) continue;
      const key = labelsOf(name, slice, options) + base;
      const address = addressBytes(slice.addresses[i]!);
      if (slice.addressType === 'FQDN' || !address || names.has(key)) return false;
      names.set(key, singleContents(ENTRY_FLAG.ENDPOINT, address, ports));
    }
  }
  return true;
}
