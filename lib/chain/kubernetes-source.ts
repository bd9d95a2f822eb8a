// What the `kubernetes` directive asks of its source: plain data between the plugin's setup and lib/sources/kubernetes.

export type KubernetesSourceOptions = {
  /** How to reach the API server; `manifests` reads a folder instead. */
  readonly access:
    | { readonly kind: 'in-cluster' }
    | {
        readonly kind: 'endpoint';
        readonly url: string;
        readonly tls?: { readonly cert: string; readonly key: string; readonly ca: string };
      }
    | { readonly kind: 'kubeconfig'; readonly file: string; readonly context: string }
    | { readonly kind: 'manifests'; readonly directory: string };
  readonly pods: 'disabled' | 'insecure' | 'verified';
  /** Exact list of namespaces served; empty: all. */
  readonly namespaces: readonly string[];
  /** Label selector of the namespace watch, '' for none. */
  readonly namespaceLabels: string;
  /** Label selector of the Service, EndpointSlice and Pod watches, '' for none. */
  readonly labels: string;
  readonly endpointPodNames: boolean;
  /** Whether EndpointSlices are watched. */
  readonly endpoints: boolean;
  readonly ignoreEmptyService: boolean;
  /** Whether reverse names are served. */
  readonly reverse: boolean;
  /** Names for the endpoints of one topology zone. */
  readonly zonal: boolean;
  /** The zones may be transferred. */
  readonly transfer: boolean;
  /** Labels of Pods are kept for the metadata of queries. */
  readonly podLabels: boolean;
  /** Headless names are kept by node or topology zone as well: where clients look first unless a Service says otherwise. */
  readonly topology?: 'zone' | 'node';
  /** PTR targets are kept in the order of their names, those with a host name first. */
  readonly sortedPointers?: boolean;
  /** Further store trees to fill: imports of a clusterset, names for the outside, Pods by address, names by place. */
  readonly trees: {
    readonly imports?: number;
    readonly external?: number;
    readonly clients?: number;
    readonly places?: number;
  };
  /** The listener's own addresses (`bind`); empty: all of this machine. */
  readonly bind: readonly string[];
  /** How long the start waits for the first complete view. */
  readonly startupTimeoutMs: number;
  /** Older than that, the view makes /ready fail; without it never. */
  readonly readyMaxAgeMs?: number;
  /** Where to save the view, and how old a saved one may be when it is served. */
  readonly snapshot?: {
    readonly directory: string;
    readonly maxAgeMs: number;
    readonly cells: {
      readonly served: number;
      readonly ageSeconds: number;
      readonly writes: number;
      readonly failures: number;
    };
  };
  /** First cells of `coredns_kubernetes_dns_programming_duration_seconds`, by Service kind. */
  readonly programmingCells: { readonly clusterIp: number; readonly headless: number };
};
