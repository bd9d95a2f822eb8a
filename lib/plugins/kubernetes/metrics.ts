// Metrics of the kubernetes plugin. Control thread.
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
