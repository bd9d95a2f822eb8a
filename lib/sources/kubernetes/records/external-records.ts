// One Service -> its names for use outside of the cluster (plugin k8s_external), relative to the external zone. Control, pure.
import { parseIpAddress } from '../../../base/ip-address.ts';
import { ENTRY_FLAG } from '../../../store/rrset-form.ts';
import type { EndpointSlice } from '../objects/endpoint-slice.ts';
import type { Service } from '../objects/service.ts';
import type { Contents } from './name-answer.ts';
import { wireLabel } from './relative-name.ts';
import { externalTransferRrset } from './transfer-records.ts';
import type { RecordOptions } from './labels.ts';
import { addEndpoints, addHeadless, addOwnAddresses } from './service-records.ts';

/** `<service>.<namespace>` */
export function externalName(namespace: string, service: string): string {
  return wireLabel(service) + wireLabel(namespace);
}

/**
 * Names of a Service with external addresses (`spec.externalIPs`, then the load balancer's): its own and its ports'. Of one
 * without: what the option `headless` adds, marked `ENTRY_FLAG.HEADLESS`; its endpoints' names, and its own if it is headless.
 * Parameters as in `serviceRecords`.
 */
export function externalRecords(
  service: Service,
  slices: readonly EndpointSlice[],
  options: RecordOptions,
  touched?: ReadonlySet<string>,
): Map<string, Contents> {
  const { externalAddresses } = service;
  const names = new Map<string, Contents>();
  const base = externalName(service.namespace, service.name);
  if (externalAddresses.length > 0) addOwnAddresses(names, base, service.ports, externalAddresses, isHostName);
  else {
    if (service.headless) addHeadless(names, base, slices, { ...options, zonal: false });
    const endpoints = new Map<string, Contents>();
    addEndpoints(endpoints, base, slices, options, touched);
    for (const [name, { flags, rrsets }] of endpoints) names.set(name, { flags: flags | ENTRY_FLAG.HEADLESS, rrsets });
  }
  const own = names.get(base);
  const rrset = options.transfer && own ? externalTransferRrset(service, slices, options) : undefined;
  if (own && rrset) names.set(base, { flags: own.flags, rrsets: [...own.rrsets, rrset] });
  return names;
}

/** A load balancer may have a host name in place of addresses. */
function isHostName(address: string): boolean {
  return parseIpAddress(address) === undefined;
}
