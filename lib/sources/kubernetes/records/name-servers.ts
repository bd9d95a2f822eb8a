// Which Services this server is part of: the NS names at the apex of the cluster zone. Control thread, pure.
import type { EndpointSlice } from '../objects/endpoint-slice.ts';
import type { Service } from '../objects/service.ts';
import { endpointName } from './labels.ts';
import { serviceName, wireLabel, wireLabels } from './relative-name.ts';

/**
 * Every slice that holds a local address as ready endpoint leads to its Service: a ClusterIP Service is one name server,
 * each endpoint of a headless one another. When no slice does, `ns.dns` stands for all local addresses.
 *
 * @param localSlices slices with a local address among their ready endpoints
 * @returns relative name (see relative-name.ts) of each name server and its addresses; empty without local addresses
 */
export function findNameServers(
  localAddresses: readonly string[],
  localSlices: readonly EndpointSlice[],
  services: ReadonlyMap<string, Service>,
): Map<string, readonly string[]> {
  const servers = new Map<string, readonly string[]>();
  if (localAddresses.length === 0) return servers;
  for (const slice of localSlices) {
    const service = services.get(`${slice.namespace}/${slice.service}`);
    if (!service) continue;
    const base = serviceName(service.namespace, service.name);
    if (!service.headless) {
      servers.set(base, service.clusterIps);
      continue;
    }
    for (let i = 0; i < slice.readyCount; i++) {
      const name = wireLabels(endpointName(slice, i, false)) + base;
      servers.set(name, [...(servers.get(name) ?? []), slice.addresses[i]!]);
    }
  }
  if (localSlices.length === 0) servers.set(wireLabel('ns') + wireLabel('dns'), localAddresses);
  return servers;
}

/**
 * Addresses of the name server of the zone for the outside: the external addresses of the same Services; where `headless` is
 * asked for, of a headless one its endpoints. Local addresses when no slice leads to a Service.
 */
export function findExternalNameServers(
  localAddresses: readonly string[],
  localSlices: readonly EndpointSlice[],
  services: ReadonlyMap<string, Service>,
  headless: boolean,
): string[] {
  if (localSlices.length === 0) return [...localAddresses];
  return localSlices.flatMap((slice) => {
    const service = services.get(`${slice.namespace}/${slice.service}`);
    if (!service) return [];
    return headless && service.headless ? slice.addresses.slice(0, slice.readyCount) : service.externalAddresses;
  });
}
