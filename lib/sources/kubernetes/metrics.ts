// What a followed cluster shows of itself: requests to the API server, and how fresh each resource is. Control thread.
import type { SampledFamily } from '../../metrics/exposition.ts';
import { type MetricRegistry, observe } from '../../metrics/registry.ts';
import type { RequestObserver } from './client.ts';
import type { ResourceStatus } from './object-source.ts';

/** Prometheus's default buckets, in seconds. */
const REQUEST_BUCKETS: readonly number[] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/**
 * Counts requests as client-go does: `code` is `<error>` when no answer came, `verb` and `method` are GET for lists and watches
 * alike, the time is that until the headers.
 */
export function createRequestObserver(metrics: MetricRegistry, cells: Float64Array): RequestObserver {
  return (_verb, host, status, seconds) => {
    const code = status === 0 ? '<error>' : String(status);
    const requests = metrics.counter(
      'coredns_kubernetes_rest_client_requests_total',
      'Requests to the API server, by status, method and host.',
      { code, method: 'GET', host },
    );
    cells[requests]!++;
    const duration = metrics.histogram(
      'coredns_kubernetes_rest_client_request_duration_seconds',
      'Seconds until the API server answered a request, by verb and host.',
      REQUEST_BUCKETS,
      { verb: 'GET', host },
    );
    observe(cells, duration, REQUEST_BUCKETS, seconds);
  };
}

type Column = {
  readonly name: string;
  readonly help: string;
  readonly type: SampledFamily['type'];
  readonly value: (status: ResourceStatus, nowMs: number) => number;
};

const COLUMNS: readonly Column[] = [
  {
    name: 'clusterdns_kubernetes_proof_of_life_age_seconds',
    help: 'Seconds since the API server last said anything about this resource; NaN before the first time.',
    type: 'gauge',
    value: ({ lastProofOfLifeMs }, nowMs) =>
      lastProofOfLifeMs === 0 ? Number.NaN : Math.max(0, nowMs - lastProofOfLifeMs) / 1000,
  },
  {
    name: 'clusterdns_kubernetes_synced',
    help: 'Whether a complete view of this resource has been received: 1, else 0.',
    type: 'gauge',
    value: ({ synced }) => (synced ? 1 : 0),
  },
  {
    name: 'clusterdns_kubernetes_objects',
    help: 'Objects of this resource that are known.',
    type: 'gauge',
    value: ({ objects }) => objects,
  },
  {
    name: 'clusterdns_kubernetes_events_total',
    help: 'Watch events with an object.',
    type: 'counter',
    value: ({ events }) => events,
  },
  {
    name: 'clusterdns_kubernetes_stale_events_total',
    help: 'Watch events that lost against something newer.',
    type: 'counter',
    value: ({ staleEvents }) => staleEvents,
  },
  {
    name: 'clusterdns_kubernetes_lists_total',
    help: 'Complete lists begun.',
    type: 'counter',
    value: ({ lists }) => lists,
  },
  {
    name: 'clusterdns_kubernetes_watches_total',
    help: 'Watches begun.',
    type: 'counter',
    value: ({ watches }) => watches,
  },
  {
    name: 'clusterdns_kubernetes_audits_total',
    help: 'Audits: lists compared in the background.',
    type: 'counter',
    value: ({ audits }) => audits,
  },
  {
    name: 'clusterdns_kubernetes_repairs_total',
    help: 'Objects put right by a list or an audit because no event had told of their change.',
    type: 'counter',
    value: ({ repairs }) => repairs,
  },
  {
    name: 'clusterdns_kubernetes_rewinds_total',
    help: 'Times the cluster went back to an earlier state (etcd restored from a backup).',
    type: 'counter',
    value: ({ rewinds }) => rewinds,
  },
  {
    name: 'clusterdns_kubernetes_bad_objects_total',
    help: 'Objects seen of which a part could not be used.',
    type: 'counter',
    value: ({ badObjects }) => badObjects,
  },
  {
    name: 'clusterdns_kubernetes_bad_lines_total',
    help: 'Lines of watches that were no event.',
    type: 'counter',
    value: ({ badLines }) => badLines,
  },
  {
    name: 'clusterdns_kubernetes_errors_total',
    help: 'Lists and watches that failed.',
    type: 'counter',
    value: ({ errors }) => errors,
  },
];

/** The families `clusterdns_kubernetes_*` with a series per resource. */
export function sampleFreshness(statuses: readonly ResourceStatus[], nowMs: number): SampledFamily[] {
  return COLUMNS.map(({ name, help, type, value }) => ({
    name,
    help,
    type,
    samples: statuses.map((status) => ({ labels: { resource: status.resource }, value: value(status, nowMs) })),
  }));
}
