// The resources that can be followed: where they are in the API, how they are selected and trimmed. Control thread.
import { type EndpointSlice, type SliceColumns, trimEndpointSlice } from './objects/endpoint-slice.ts';
import type { ObjectIdentity } from './objects/metadata.ts';
import { type Namespace, trimNamespace } from './objects/namespace.ts';
import { type Pod, trimPod } from './objects/pod.ts';
import type { Trimmed } from './objects/problem.ts';
import { type Service, trimService } from './objects/service.ts';
import { type ServiceImport, trimServiceImport } from './objects/service-import.ts';

export type Resource<T extends ObjectIdentity> = {
  /** As in RBAC and `kubectl get`: `endpointslices.discovery.k8s.io`. */
  readonly name: string;
  /** Path of the list over all namespaces. */
  readonly path: string;
  readonly kind: string;
  readonly namespaced: boolean;
  /** '' selects all. */
  readonly labelSelector: string;
  readonly fieldSelector: string;
  trim(raw: unknown): Trimmed<T>;
  /** Whether an object is taken in, given what is known under its key. Absent: always. */
  accepts?(object: T, previous: T | undefined): boolean;
};

export function createServiceResource(labelSelector = ''): Resource<Service> {
  return {
    name: 'services',
    path: '/api/v1/services',
    kind: 'Service',
    namespaced: true,
    labelSelector,
    fieldSelector: '',
    trim: trimService,
  };
}

/** `columns` says what is kept of each endpoint beside address and host name. */
export function createEndpointSliceResource(columns: SliceColumns, labelSelector = ''): Resource<EndpointSlice> {
  return {
    name: 'endpointslices.discovery.k8s.io',
    path: '/apis/discovery.k8s.io/v1/endpointslices',
    kind: 'EndpointSlice',
    namespaced: true,
    labelSelector,
    fieldSelector: '',
    trim: (raw) => trimEndpointSlice(raw, columns),
  };
}

export function createNamespaceResource(labelSelector = ''): Resource<Namespace> {
  return {
    name: 'namespaces',
    path: '/api/v1/namespaces',
    kind: 'Namespace',
    namespaced: false,
    labelSelector,
    fieldSelector: '',
    trim: trimNamespace,
  };
}

/** Pods that may still run; one that is being deleted when first seen is not taken in. `withLabels`, `withPlaces`: see `trimPod`. */
export function createPodResource(withLabels: boolean, labelSelector = '', withPlaces = false): Resource<Pod> {
  return {
    name: 'pods',
    path: '/api/v1/pods',
    kind: 'Pod',
    namespaced: true,
    labelSelector,
    fieldSelector: 'status.phase!=Succeeded,status.phase!=Failed,status.phase!=Unknown',
    trim: (raw) => trimPod(raw, withLabels, withPlaces),
    accepts: (pod, previous) => !pod.deleting || previous !== undefined,
  };
}

export function createServiceImportResource(labelSelector = ''): Resource<ServiceImport> {
  return {
    name: 'serviceimports.multicluster.x-k8s.io',
    path: '/apis/multicluster.x-k8s.io/v1alpha1/serviceimports',
    kind: 'ServiceImport',
    namespaced: true,
    labelSelector,
    fieldSelector: '',
    trim: trimServiceImport,
  };
}
