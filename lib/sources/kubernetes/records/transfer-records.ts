// One Service and its slices -> its records in the order of a zone transfer. Control thread, pure.
//
// As CoreDNS lists them: a ClusterIP Service with an SRV record per port at its own name and at the port's, each of weight 100;
// a headless one endpoint by endpoint, SRV records at named ports only, weighted within the slice. Endpoints of ClusterIP
// Services, Pods and topology zones are not part of a transfer.
import { parseIpAddress } from '../../../base/ip-address.ts';
import type { RrsetData } from '../../../store/change.ts';
import { ABSOLUTE, RRSET_FORM, TRANSFER_TYPE } from '../../../store/rrset-form.ts';
import { parseNameLower } from '../../../wire/name.ts';
import { RRTYPE } from '../../../wire/types.ts';
import type { EndpointSlice } from '../objects/endpoint-slice.ts';
import type { Port } from '../objects/interned.ts';
import type { Service } from '../objects/service.ts';
import { ByteList } from './byte-list.ts';
import { NO_PORT, PSEUDO_PORTS } from './name-answer.ts';
import { endpointLabels, portLabels, type RecordOptions } from './labels.ts';
import { toBytes } from './relative-name.ts';

const FULL_WEIGHT = 100;
const MAX_RECORDS = 0xffff;

/** Gathers the records of one Service. */
class TransferList {
  readonly #bytes = new ByteList();
  #count = 0;

  addAddress(owner: string, text: string): void {
    const address = parseIpAddress(text);
    if (!address || address.zone !== '' || !this.#begin(owner)) return;
    this.#bytes.putShort(address.bytes.length === 4 ? RRTYPE.A : RRTYPE.AAAA);
    this.#bytes.putBytes(address.bytes);
  }

  /** @param target labels before the Service's name; a name in wire form for one outside */
  addService(owner: string, weight: number, port: number, target: string | Uint8Array): void {
    if (port === NO_PORT || !this.#begin(owner)) return;
    this.#bytes.putShort(RRTYPE.SRV);
    this.#bytes.putShort(weight);
    this.#bytes.putShort(port);
    if (typeof target === 'string') {
      this.#bytes.putByte(target.length);
      this.#bytes.putBytes(toBytes(target));
      return;
    }
    this.#bytes.putByte(ABSOLUTE);
    this.#bytes.putBytes(target);
  }

  addAlias(target: Uint8Array): void {
    if (!this.#begin('')) return;
    this.#bytes.putShort(RRTYPE.CNAME);
    this.#bytes.putBytes(target);
  }

  #begin(owner: string): boolean {
    if (owner.length >= ABSOLUTE || this.#count === MAX_RECORDS) return false;
    this.#count++;
    this.#bytes.putByte(owner.length);
    this.#bytes.putBytes(toBytes(owner));
    return true;
  }

  take(): RrsetData | undefined {
    if (this.#count === 0) return undefined;
    return { type: TRANSFER_TYPE, count: this.#count, form: RRSET_FORM.TRANSFER, bytes: this.#bytes.take() };
  }
}

/** See `RRSET_FORM.TRANSFER`; undefined when the Service has no record. */
export function transferRrset(
  service: Service,
  slices: readonly EndpointSlice[],
  options: RecordOptions,
): RrsetData | undefined {
  const list = new TransferList();
  if (service.type === 'ExternalName') {
    const target = parseNameLower(service.externalName);
    if (target) list.addAlias(target);
  } else if (service.headless) addEndpoints(list, slices, options);
  else addAddresses(list, service.clusterIps, service.ports);
  return list.take();
}

/** The part of a Service with addresses for the outside; host names among them stand in for missing addresses. */
export function externalTransferRrset(
  service: Service,
  slices: readonly EndpointSlice[],
  options: RecordOptions,
): RrsetData | undefined {
  const list = new TransferList();
  const addresses = service.externalAddresses.filter((text) => parseIpAddress(text) !== undefined);
  if (service.externalAddresses.length === 0) addExternalEndpoints(list, slices, options);
  else if (addresses.length > 0) addAddresses(list, addresses, service.ports);
  else addHost(list, service);
  return list.take();
}

function addHost(list: TransferList, service: Service): void {
  const target = parseNameLower(service.externalAddresses[0]!);
  if (!target) return;
  // An alias stands alone at its name (RFC 1034 section 3.6.2): only the ports' own names have SRV records.
  list.addAlias(target);
  for (const port of service.ports)
    if (port.name !== '') list.addService(portLabels(port), FULL_WEIGHT, port.port, target);
}

function addAddresses(list: TransferList, addresses: readonly string[], ports: readonly Port[]): void {
  for (const address of addresses) list.addAddress('', address);
  if (addresses.length === 0) return;
  for (const port of ports) {
    list.addService('', FULL_WEIGHT, port.port, '');
    if (port.name !== '') list.addService(portLabels(port), FULL_WEIGHT, port.port, '');
  }
}

function addEndpoints(list: TransferList, slices: readonly EndpointSlice[], options: RecordOptions): void {
  for (const slice of slices) {
    if (slice.addressType === 'FQDN') continue;
    const weight = Math.max(1, Math.floor(FULL_WEIGHT / Math.max(1, slice.readyCount)));
    for (let i = 0; i < slice.readyCount; i++) {
      const labels = endpointLabels(slice, i, options);
      list.addAddress('', slice.addresses[i]!);
      list.addAddress(labels, slice.addresses[i]!);
      for (const port of slice.ports) {
        if (port.name !== '') list.addService(portLabels(port), weight, port.port, labels);
      }
    }
  }
}

/** Endpoints outside of the cluster's own zones: what queries for the Service, its ports and its endpoints answer. */
function addExternalEndpoints(list: TransferList, slices: readonly EndpointSlice[], options: RecordOptions): void {
  const entries = new Map<string, number>();
  const count = (name: string): void => void entries.set(name, (entries.get(name) ?? 0) + 1);
  forEachEntry(slices, options, (labels, _address, port) => {
    count('');
    count(labels);
    if (port.name !== '') count(portLabels(port));
  });
  const seen = new Set<string>();
  const isNew = (...parts: readonly (string | number)[]): boolean => {
    const key = parts.join('\0');
    return seen.size < seen.add(key).size;
  };
  const weight = (name: string): number => Math.max(1, Math.floor(FULL_WEIGHT / entries.get(name)!));
  forEachEntry(slices, options, (labels, address, port) => {
    for (const owner of ['', labels]) {
      if (isNew(owner, address)) list.addAddress(owner, address);
      if (isNew(owner, labels, port.port)) list.addService(owner, weight(owner), port.port, labels);
    }
    const owner = port.name === '' ? '' : portLabels(port);
    if (owner !== '' && isNew(owner, labels, port.port)) list.addService(owner, weight(owner), port.port, labels);
  });
}

function forEachEntry(
  slices: readonly EndpointSlice[],
  options: RecordOptions,
  visit: (labels: string, address: string, port: Port) => void,
): void {
  for (const slice of slices) {
    if (slice.addressType === 'FQDN') continue;
    for (let i = 0; i < slice.readyCount; i++) {
      const labels = endpointLabels(slice, i, options);
      for (const port of slice.ports.length === 0 ? PSEUDO_PORTS : slice.ports)
        visit(labels, slice.addresses[i]!, port);
    }
  }
}
