// What the fault bench expects: answers computed from the objects alone, as plainly as can be, with nothing of lib. It knows
// IPv4 Services and slices with one named port, in one zone.
import type { KubeObject } from './simulated-api.ts';

type Spec = { readonly clusterIP?: string };
type Endpoint = { readonly addresses: readonly string[]; readonly conditions?: { readonly ready?: boolean } };

const ZONE = 'svc.cluster.local';

export function answersOf(objects: readonly KubeObject[]): { answer(name: string, type: string): string } {
  const namespaces = objects.filter(({ kind }) => kind === 'Namespace').map(({ metadata }) => metadata.name);
  const services = objects.filter(
    ({ kind, metadata }) => kind === 'Service' && namespaces.includes(metadata.namespace!),
  );
  const nameOf = ({ metadata }: KubeObject): string => `${metadata.name}.${metadata.namespace}.${ZONE}`;
  const clusterIpOf = ({ spec }: KubeObject): string => (spec as Spec).clusterIP!;
  const slices = objects
    .filter(({ kind }) => kind === 'EndpointSlice')
    .map(({ metadata, endpoints }) => ({
      service: `${(metadata.labels as Record<string, string>)['kubernetes.io/service-name']}.${metadata.namespace}.${ZONE}`,
      addresses: (endpoints as Endpoint[])
        .filter(({ conditions }) => conditions?.ready !== false)
        .flatMap(({ addresses }) => addresses),
    }));
  const addressesOf = (service: KubeObject): string[] => {
    const own = slices.filter((slice) => slice.service === nameOf(service));
    return [...new Set(own.flatMap(({ addresses }) => addresses))].sort();
  };
  const pointers = (address: string): string[] => {
    const owners = services
      .filter((service) => clusterIpOf(service) === address)
      .map((service) => `${nameOf(service)}.`);
    if (owners.length > 0) return owners.sort();
    // As in CoreDNS, a slice is enough for this; its Service need not exist.
    const dashed = address.replaceAll('.', '-');
    const claims = slices.filter(({ addresses }) => addresses.includes(address));
    return [...new Set(claims.map(({ service }) => `${dashed}.${service}.`))].sort();
  };
  const answer = (name: string, type: string): string => {
    if (type === 'PTR') {
      const found = pointers(name.replace('.in-addr.arpa', '').split('.').reverse().join('.'));
      return found.length === 0 ? 'NXDOMAIN' : found.join(', ');
    }
    const service = services.find((each) => nameOf(each) === name);
    if (!service) return 'NXDOMAIN';
    const isHeadless = clusterIpOf(service) === 'None';
    const addresses = isHeadless ? addressesOf(service) : [clusterIpOf(service)];
    if (addresses.length === 0) return 'NXDOMAIN';
    if (type === 'AAAA') return 'NODATA';
    if (type === 'A') return addresses.join(', ');
    if (!isHeadless) return `0 100 80 ${name}.`;
    // Two slices with one address count twice, as in CoreDNS.
    const entries = slices.filter((slice) => slice.service === name).flatMap((slice) => slice.addresses);
    const weight = Math.floor(100 / entries.length);
    return addresses.map((address) => `0 ${weight} 80 ${address.replaceAll('.', '-')}.${name}.`).join(', ');
  };
  return { answer };
}
