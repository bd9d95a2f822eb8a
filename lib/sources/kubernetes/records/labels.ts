// What endpoints and ports are called below their Service, and the options that decide about it. Control thread, pure.
import type { EndpointSlice } from '../objects/endpoint-slice.ts';
import type { Port } from '../objects/interned.ts';
import { wireLabel, wireLabels } from './relative-name.ts';

/** What decides about the names of a Service. */
export type RecordOptions = {
  /** `endpoint_pod_names`: endpoints without hostname are called like their Pods. */
  readonly endpointPodNames: boolean;
  /** `ignore empty_service`: a ClusterIP Service without ready endpoints does not exist. */
  readonly ignoreEmptyService: boolean;
  /** Endpoint names end in the cluster that the endpoint is in (clusterset). */
  readonly clusterLabels: boolean;
  /** `zonal`: headless Services have names for the endpoints of one topology zone. */
  readonly zonal: boolean;
  /** The zone may be handed out whole: each Service's records are kept in the order of a transfer as well. */
  readonly transfer: boolean;
};

/**
 * The label an endpoint is known by: its hostname, else its Pod's name where asked for, else its address with dashes.
 * May hold dots (a Pod's name): then it is only a target, never a name of its own.
 */
export function endpointName(slice: EndpointSlice, i: number, podNames: boolean): string {
  const hostname = slice.hostnames[i] ?? '';
  if (hostname !== '') return hostname;
  const target = podNames ? (slice.targetNames[i] ?? '') : '';
  if (target !== '' && target.length < 64) return target;
  return dashedAddresses(slice)[i]!;
}

let lastSlice: EndpointSlice | undefined;
let lastDashed: readonly string[] = [];

/** Of the slice asked for last they are kept: whoever makes names asks for one endpoint after the other, more than once. */
function dashedAddresses(slice: EndpointSlice): readonly string[] {
  if (slice !== lastSlice) {
    lastSlice = slice;
    lastDashed = slice.addresses.map((address) => {
      if (!address.includes(':')) return address.replaceAll('.', '-');
      const dashed = address.replaceAll(':', '-').replaceAll('.', '-');
      return dashed.endsWith('-') ? `${dashed}0` : dashed;
    });
  }
  return lastDashed;
}

/**
 * The labels in front of the Service's name in the name of an endpoint. In a clusterset the cluster it is in follows, so
 * that equal names of two clusters stay apart.
 */
export function endpointLabels(slice: EndpointSlice, i: number, options: RecordOptions): string {
  return labelsOf(endpointName(slice, i, options.endpointPodNames), slice, options);
}

/** The same, of an endpoint whose name is known. */
export function labelsOf(name: string, slice: EndpointSlice, options: RecordOptions): string {
  const labels = wireLabels(name);
  return options.clusterLabels && slice.sourceCluster !== '' ? labels + wireLabel(slice.sourceCluster) : labels;
}

/** `_port._protocol` */
export function portLabels(port: Port): string {
  return wireLabel(`_${port.name}`) + wireLabel(`_${port.protocol === '' ? 'TCP' : port.protocol}`);
}
