// Counters of `acl` per zone. Control thread declares them, workers count.
import type { MetricRegistry } from '../../metrics/registry.ts';

export type AclCells = { readonly blocked: number; readonly filtered: number; readonly dropped: number };

/** Cells by `server * zones.length + zone`. */
export function declareAclCells(
  metrics: MetricRegistry,
  servers: readonly string[],
  zones: readonly string[],
  view: string,
): AclCells[] {
  return servers.flatMap((server) =>
    zones.map((zone): AclCells => {
      const labels = { server, zone, view };
      return {
        blocked: metrics.counter('coredns_acl_blocked_requests_total', 'Queries refused by a rule.', labels),
        filtered: metrics.counter('coredns_acl_filtered_requests_total', 'Queries answered empty by a rule.', labels),
        dropped: metrics.counter(
          'coredns_acl_dropped_requests_total',
          'Queries left without a reply by a rule.',
          labels,
        ),
      };
    }),
  );
}
