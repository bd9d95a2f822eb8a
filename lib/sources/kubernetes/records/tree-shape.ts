// The kinds of store tree that one cluster's objects are turned into: which names a namespace and a Service have in each.
// Control thread, pure.
import { ENTRY_FLAG } from '../../../store/rrset-form.ts';
import { RRTYPE } from '../../../wire/types.ts';
import { parseIpAddress } from '../../../base/ip-address.ts';
import type { EndpointSlice } from '../objects/endpoint-slice.ts';
import type { Service } from '../objects/service.ts';
import { externalRecords } from './external-records.ts';
import { addressRrset, type Contents, nameServerRrset } from './name-answer.ts';
import { findExternalNameServers, findNameServers } from './name-servers.ts';
import { placeRecords, type Topology } from './place-records.ts';
import { POD_LABEL, SVC_LABEL, wireLabel } from './relative-name.ts';
import type { RecordOptions } from './labels.ts';
import { serviceRecords } from './service-records.ts';

export type TreeShape = {
  readonly kind: 'cluster' | 'imports' | 'external' | 'places';
  /** What the Services of this tree are in the API, for the log. */
  readonly services: string;
  /** Names that are there without any object. */
  readonly fixedNames: readonly string[];
  /** What follows a served namespace's label in the names it has. */
  readonly namespaceTails: readonly string[];
  /** The Service (or import) in its own namespace that a slice belongs to; '' for none. */
  serviceOf(slice: EndpointSlice): string;
  /** See `serviceRecords`. */
  records(
    service: Service,
    slices: readonly EndpointSlice[],
    options: RecordOptions,
    touched?: ReadonlySet<string>,
  ): Map<string, Contents>;
  /** Entries about the zone's name servers. */
  nameServers(
    localAddresses: readonly string[],
    localSlices: readonly EndpointSlice[],
    services: ReadonlyMap<string, Service>,
  ): readonly (readonly [name: string, contents: Contents])[];
};

const EMPTY: Contents = { flags: 0, rrsets: [] };

/** The cluster's own zones. `pods`: the tree of Pods is served. */
export function clusterShape(pods: boolean): TreeShape {
  return {
    kind: 'cluster',
    services: 'services',
    fixedNames: ['', SVC_LABEL, POD_LABEL],
    namespaceTails: pods ? [SVC_LABEL, POD_LABEL] : [SVC_LABEL],
    serviceOf: (slice) => slice.service,
    records: serviceRecords,
    nameServers(localAddresses, localSlices, services) {
      const found = findNameServers(localAddresses, localSlices, services);
      return [['', found.size === 0 ? EMPTY : { flags: 0, rrsets: [nameServerRrset(found)] }]];
    },
  };
}

/** Clusterset zones: imports in place of Services. Pods and name servers are those of the cluster's own tree. */
export function importShape(pods: boolean): TreeShape {
  return {
    kind: 'imports',
    services: 'serviceimports',
    fixedNames: ['', SVC_LABEL],
    namespaceTails: pods ? [SVC_LABEL, POD_LABEL] : [SVC_LABEL],
    serviceOf: (slice) => slice.importName,
    records: serviceRecords,
    nameServers: () => [],
  };
}

/** Headless names as clients of one node or topology zone get them; no zone is served from it. */
export function placeShape(topology: Topology): TreeShape {
  return {
    kind: 'places',
    services: 'services',
    fixedNames: [],
    namespaceTails: [],
    serviceOf: (slice) => slice.service,
    records: (service, slices, options) => placeRecords(service, slices, options, topology),
    nameServers: () => [],
  };
}

/** Name of the entry with the name servers' addresses where headless Services count; no namespace can be called so. */
export const HEADLESS_NAME_SERVERS: string = wireLabel('_headless');

/** Zones for use outside of the cluster: addresses of load balancers and the like. */
export const EXTERNAL_SHAPE: TreeShape = {
  kind: 'external',
  services: 'services',
  fixedNames: [''],
  namespaceTails: [''],
  serviceOf: (slice) => slice.service,
  records: externalRecords,
  nameServers(localAddresses, localSlices, services) {
    return [
      ['', addressesOf(findExternalNameServers(localAddresses, localSlices, services, false))],
      [HEADLESS_NAME_SERVERS, addressesOf(findExternalNameServers(localAddresses, localSlices, services, true))],
    ];
  },
};

function addressesOf(texts: readonly string[]): Contents {
  const addresses = [...new Set(texts)].flatMap((text) => parseIpAddress(text)?.bytes ?? []);
  const rrsets = [];
  for (const [type, size] of [
    [RRTYPE.A, 4],
    [RRTYPE.AAAA, 16],
  ] as const) {
    const family = addresses.filter((address) => address.length === size);
    if (family.length > 0) rrsets.push(addressRrset(type, family));
  }
  return { flags: ENTRY_FLAG.NAME_SERVER, rrsets };
}
