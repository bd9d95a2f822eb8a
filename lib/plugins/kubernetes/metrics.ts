// Metrics of the kubernetes plugin. Control thread.
import type { MetricRegistry } from '../../metrics/registry.ts';

/** Seconds from a change in the cluster to its answer: 0.001 doubling to 524.288. */
export const PROGRAMMING_BUCKETS: readonly number[] = Array.from({ length: 20 }, (_, i) => 0.001 * 2 ** i);

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
