// Declares the metrics of secondary zones. Control thread.
import type { MetricRegistry } from '../../metrics/registry.ts';

/** Cell numbers; the first three are the source's, the last two the workers'. */
export type SecondaryCells = {
  readonly transfers: number;
  readonly increments: number;
  readonly failures: number;
  readonly notifies: number;
  readonly droppedNotifies: number;
};

export function declareSecondaryMetrics(metrics: MetricRegistry): SecondaryCells {
  return {
    transfers: metrics.counter('clusterdns_secondary_transfers_total', 'Zones fetched from a primary.'),
    increments: metrics.counter(
      'clusterdns_secondary_incremental_transfers_total',
      'Transfers of zones that brought the changes only (IXFR).',
    ),
    failures: metrics.counter('clusterdns_secondary_failures_total', 'Times no primary answered or gave a zone out.'),
    notifies: metrics.counter('clusterdns_secondary_notifies_total', 'NOTIFY messages taken from primaries.'),
    droppedNotifies: metrics.counter(
      'clusterdns_secondary_notifies_dropped_total',
      'NOTIFY messages left without reply: from others, or too many.',
    ),
  };
}
