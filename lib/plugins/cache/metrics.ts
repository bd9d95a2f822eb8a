// lib/plugins/cache/metrics.ts — control thread. Declares the metrics of one cache on one listener.
import type { MetricRegistry } from '../../metrics/registry.ts';

/** Values of the labels that all metrics of a cache carry. */
export type CacheLabels = { readonly server: string; readonly zones: string; readonly view: string };

/** Cell numbers; where two are listed, the first is of the success cache and the second of the denial cache. */
export type CacheCells = {
  readonly requests: number;
  readonly misses: number;
  readonly hits: readonly [number, number];
  readonly entries: readonly [number, number];
  readonly evictions: readonly [number, number];
  readonly prefetch: number;
  readonly drops: number;
  readonly servedStale: number;
  readonly refreshesRefused: number;
};

/** Declares the series of one listener. */
export function declareCacheMetrics(metrics: MetricRegistry, labels: CacheLabels): CacheCells {
  const counter = (name: string, help: string): number => metrics.counter(`coredns_cache_${name}`, help, labels);
  const pair = (name: string, help: string): readonly [number, number] => [
    metrics.counter(`coredns_cache_${name}`, help, { ...labels, type: 'success' }),
    metrics.counter(`coredns_cache_${name}`, help, { ...labels, type: 'denial' }),
  ];
  const entriesHelp = 'Answers in the cache.';
  return {
    requests: counter('requests_total', 'Queries that came to the cache.'),
    misses: counter('misses_total', 'Queries that the cache could not answer.'),
    hits: pair('hits_total', 'Queries answered from the cache.'),
    entries: [
      metrics.gauge('coredns_cache_entries', entriesHelp, { ...labels, type: 'success' }),
      metrics.gauge('coredns_cache_entries', entriesHelp, { ...labels, type: 'denial' }),
    ],
    evictions: pair('evictions_total', 'Answers dropped to make room.'),
    prefetch: counter('prefetch_total', 'Refreshes started behind an answer from the cache.'),
    drops: counter('drops_total', 'Replies not kept because they are malformed.'),
    servedStale: counter('served_stale_total', 'Queries answered with an expired answer.'),
    refreshesRefused: counter('refreshes_refused_total', 'Refreshes not started because too many are under way.'),
  };
}
