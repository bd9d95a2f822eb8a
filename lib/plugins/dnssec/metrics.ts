// Declares the metrics of the signature cache on one listener. Control thread.
import type { MetricRegistry } from '../../metrics/registry.ts';

/** Cell numbers. */
export type DnssecCells = { readonly entries: number; readonly hits: number; readonly misses: number };

export function declareDnssecMetrics(metrics: MetricRegistry, server: string): DnssecCells {
  return {
    entries: metrics.gauge('coredns_dnssec_cache_entries', 'RRsets whose signatures are kept.', {
      server,
      type: 'signature',
    }),
    hits: metrics.counter('coredns_dnssec_cache_hits_total', 'RRsets whose signatures were kept.', { server }),
    misses: metrics.counter('coredns_dnssec_cache_misses_total', 'RRsets that had to be signed.', { server }),
  };
}
