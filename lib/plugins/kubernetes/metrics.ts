// Metrics of the kubernetes plugin. Control thread.
import type { KubernetesSourceOptions } from '../../chain/kubernetes-source.ts';
import type { NearbyOptions } from './topology-option.ts';
import { type MetricRegistry, PROGRAMMING_BUCKETS } from '../../metrics/registry.ts';

/** First cells of the histogram, by kind of Service. */
export function programmingHistogram(metrics: MetricRegistry): { clusterIp: number; headless: number } {
  const declare = (kind: string): number =>
    metrics.histogram(
      'coredns_kubernetes_dns_programming_duration_seconds',
      'In cluster DNS programming latency in seconds',
      PROGRAMMING_BUCKETS,
      { service_kind: kind },
    );
  return { clusterIp: declare('cluster_ip'), headless: declare('headless_with_selector') };
}

/** Cells of the option `topology`, by what became of a query for a headless name. */
export function nearbyCells(metrics: MetricRegistry): NearbyOptions['cells'] {
  const declare = (result: keyof NearbyOptions['cells']): number =>
    metrics.counter(
      'clusterdns_kubernetes_topology_answers_total',
      'Answers of headless Services by where their endpoints are, seen from the client.',
      { result },
    );
  return {
    node: declare('node'),
    zone: declare('zone'),
    all: declare('all'),
    none: declare('none'),
    unknown: declare('unknown'),
  };
}

/** Cells of the saved view. */
export function snapshotCells(metrics: MetricRegistry): NonNullable<KubernetesSourceOptions['snapshot']>['cells'] {
  return {
    served: metrics.gauge(
      'clusterdns_kubernetes_snapshot_served',
      'Whether answers come from a saved view because the API server has not answered since the start.',
      {},
      true,
    ),
    ageSeconds: metrics.gauge(
      'clusterdns_kubernetes_snapshot_age_seconds',
      'Age of the saved view that is served, 0 when none is.',
      {},
      true,
    ),
    writes: metrics.counter('clusterdns_kubernetes_snapshot_writes_total', 'Times the view was saved.', {}, true),
    failures: metrics.counter(
      'clusterdns_kubernetes_snapshot_failures_total',
      'Times the view could not be saved.',
      {},
      true,
    ),
  };
}
