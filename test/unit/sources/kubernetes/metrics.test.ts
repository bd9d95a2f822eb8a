// What a followed cluster shows of itself.
import test from 'ava';
import { formatExposition } from '../../../../lib/metrics/exposition.ts';
import { MetricRegistry, ROW_CELLS } from '../../../../lib/metrics/registry.ts';
import { createRequestObserver, sampleFreshness } from '../../../../lib/sources/kubernetes/metrics.ts';
import type { ResourceStatus } from '../../../../lib/sources/kubernetes/object-source.ts';

const linesOf = (text: string, name: string): string[] =>
  text.split('\n').filter((line) => line.startsWith(name) && !line.startsWith('#'));

test('requests are counted by code and host, failures as <error>, and timed to their headers', (t) => {
  const metrics = new MetricRegistry();
  const cells = new Float64Array(ROW_CELLS);
  const observe = createRequestObserver(metrics, cells);
  observe('list', '10.0.0.1:6443', 200, 0.004);
  observe('watch', '10.0.0.1:6443', 200, 0.02);
  observe('watch', '10.0.0.1:6443', 0, 3);
  observe('list', '[fd00::1]:6443', 403, 0.2);
  const text = formatExposition(metrics, [cells]);
  t.deepEqual(linesOf(text, 'coredns_kubernetes_rest_client_requests_total'), [
    'coredns_kubernetes_rest_client_requests_total{code="200",host="10.0.0.1:6443",method="GET"} 2',
    'coredns_kubernetes_rest_client_requests_total{code="403",host="[fd00::1]:6443",method="GET"} 1',
    'coredns_kubernetes_rest_client_requests_total{code="<error>",host="10.0.0.1:6443",method="GET"} 1',
  ]);
  const buckets = linesOf(text, 'coredns_kubernetes_rest_client_request_duration_seconds').filter((line) =>
    line.includes('10.0.0.1'),
  );
  t.true(
    buckets.includes(
      'coredns_kubernetes_rest_client_request_duration_seconds_bucket{host="10.0.0.1:6443",verb="GET",le="0.005"} 1',
    ),
  );
  t.true(
    buckets.includes(
      'coredns_kubernetes_rest_client_request_duration_seconds_bucket{host="10.0.0.1:6443",verb="GET",le="0.025"} 2',
    ),
  );
  t.true(
    buckets.includes(
      'coredns_kubernetes_rest_client_request_duration_seconds_count{host="10.0.0.1:6443",verb="GET"} 3',
    ),
  );
});

test('freshness: seconds since the last proof of life, counters and state per resource', (t) => {
  const status: ResourceStatus = {
    resource: 'services',
    synced: true,
    objects: 7,
    lastProofOfLifeMs: 58_500,
    events: 3,
    staleEvents: 1,
    badObjects: 0,
    badLines: 0,
    lists: 2,
    watches: 4,
    errors: 5,
    rewinds: 0,
    repairs: 6,
    audits: 9,
  };
  const silent = { ...status, resource: 'pods', synced: false, lastProofOfLifeMs: 0 };
  const text = formatExposition(
    new MetricRegistry(),
    [new Float64Array(ROW_CELLS)],
    sampleFreshness([status, silent], 60_000),
  );
  t.deepEqual(linesOf(text, 'clusterdns_kubernetes_proof_of_life_age_seconds'), [
    'clusterdns_kubernetes_proof_of_life_age_seconds{resource="services"} 1.5',
    'clusterdns_kubernetes_proof_of_life_age_seconds{resource="pods"} NaN',
  ]);
  t.deepEqual(linesOf(text, 'clusterdns_kubernetes_synced'), [
    'clusterdns_kubernetes_synced{resource="services"} 1',
    'clusterdns_kubernetes_synced{resource="pods"} 0',
  ]);
  for (const [name, value] of [
    ['events', 3],
    ['stale_events', 1],
    ['lists', 2],
    ['watches', 4],
    ['repairs', 6],
    ['audits', 9],
    ['errors', 5],
  ] as const) {
    t.true(text.includes(`clusterdns_kubernetes_${name}_total{resource="services"} ${value}\n`), name);
  }
});
