// The plugin `prometheus`: every series of a request, with CoreDNS's labels and values.
import test from 'ava';
import { Answer } from '../../../lib/chain/answer.ts';
import { Outcome } from '../../../lib/chain/outcome.ts';
import type { Handler } from '../../../lib/chain/plugin.ts';
import { MetricRegistry } from '../../../lib/metrics/registry.ts';
import { countDropped, declareDropped, declareRequestCells } from '../../../lib/plugins/prometheus/metrics.ts';
import { parseName } from '../../../lib/wire/name.ts';
import { answerWith, BlockRig } from './block-rig.ts';

const BASE = { server: 'dns://:1053', zone: '.', view: '' };

test('prometheus: requests by protocol, family and type; types without a label are other', async (t) => {
  const rig = new BlockRig('prometheus\nwhoami');
  for (const type of ['A', 'A', 'UNKNOWN_65', 'CAA', 'UNKNOWN_65280', 'ANY']) await rig.ask('x', { type });
  await rig.ask('x', { tcp: true, from: '::1', type: 'SOA' });
  const count = (labels: Record<string, string>): number =>
    rig.metric('coredns_dns_requests_total', { ...BASE, ...labels });
  t.is(count({ proto: 'udp', family: '1', type: 'A' }), 2);
  t.is(count({ proto: 'udp', family: '1', type: 'HTTPS' }), 1);
  t.is(count({ proto: 'udp', family: '1', type: 'ANY' }), 1);
  t.is(count({ proto: 'udp', family: '1', type: 'other' }), 2);
  t.is(count({ proto: 'tcp', family: '2', type: 'SOA' }), 1);
  t.is(count({}), 7);
  t.is(rig.metric('coredns_dns_request_duration_seconds', BASE), 7);
});

const OWNER = parseName('www.example.org.')!;
const RESPONSES: readonly (readonly [what: string, last: Handler, rcode: string, plugin: string])[] = [
  ['an answer', answerWith([]), 'NOERROR', 'errors'],
  ['a denial', answerWith([], 3), 'NXDOMAIN', 'errors'],
  ['an unusual code', answerWith([], 11), 'RCODE11', 'errors'],
  ['an extended code', answerWith([], 3841), 'other', 'errors'],
  [
    'a failure, which the server writes',
    (_query, answer) => {
      answer.fail(5, 'no');
      return Outcome.FAILED;
    },
    'REFUSED',
    '',
  ],
  ['a dropped query', () => Outcome.DROPPED, 'NOERROR', ''],
];
for (const [what, last, rcode, plugin] of RESPONSES) {
  test(`prometheus: ${what} is ${rcode} by "${plugin}"`, async (t) => {
    const rig = new BlockRig('prometheus\nerrors', { last });
    await rig.ask('x');
    t.is(rig.metric('coredns_dns_responses_total', { ...BASE, rcode, plugin }), 1);
    t.is(rig.metric('coredns_dns_responses_total'), 1);
  });
}

test('prometheus: sizes in their buckets, the reply uncompressed; DO counted', async (t) => {
  const records = Array.from(
    { length: 10 },
    () => [0, OWNER, 1, 60, (a: { putLong(v: number): void }) => a.putLong(1)] as const,
  );
  const rig = new BlockRig('prometheus', { last: answerWith(records) });
  const { answer } = await rig.ask('www.example.org', { dnssecOk: true });
  t.is(answer.length + answer.saved, 33 + 10 * 31);
  const bucketOf = (name: string): number => {
    const family = rig.metrics.families.get(name)!;
    const { cell } = [...family.series.values()].find(({ labels }) => labels['proto'] === 'udp')!;
    return family.buckets.findIndex((_bound, i) => rig.cells[cell + i] === 1);
  };
  t.is(bucketOf('coredns_dns_request_size_bytes'), 1);
  t.is(bucketOf('coredns_dns_response_size_bytes'), 4);
  t.is(rig.metric('coredns_dns_do_requests_total', BASE), 1);
});

test('prometheus: a query that waits has its own duration', async (t) => {
  const late: Handler = async (query, answer) => {
    await Promise.resolve();
    rig.clock.advance(300);
    return answerWith([])(query, answer);
  };
  const rig: BlockRig = new BlockRig('prometheus', { last: late });
  await rig.ask('x');
  const { buckets, series } = rig.metrics.families.get('coredns_dns_request_duration_seconds')!;
  const [only] = [...series.values()];
  t.is(rig.cells[only!.cell + buckets.indexOf(0.512)], 1);
  t.is(rig.cells[only!.cell + buckets.length + 1], 0.3);
});

test('prometheus: cells by server and zone of the query', async (t) => {
  const rig = new BlockRig('prometheus\nwhoami', {
    zones: ['a.test.', 'b.test.'],
    servers: ['dns://127.0.0.1:53', 'dns://[::1]:53'],
    view: 'v',
  });
  const query = rig.makeQuery('b.test');
  query.zone = 1;
  query.server = 1;

  const answer = new Answer();
  answer.begin(query);
  await rig.handler(query, answer);
  t.is(rig.metric('coredns_dns_requests_total', { server: 'dns://[::1]:53', zone: 'b.test.', view: 'v' }), 1);
  t.is(rig.metric('coredns_dns_requests_total'), 1);
});

test('prometheus: plugin_enabled names plugins with a handler, is up while the block lives, from one worker only', (t) => {
  const rig = new BlockRig('prometheus\nerrors\nhealth\nwhoami');
  const enabled = (name: string): number => rig.metric('coredns_plugin_enabled', { ...BASE, name });
  t.deepEqual(['prometheus', 'errors', 'whoami', 'health'].map(enabled), [1, 1, 1, 0]);
  rig.close();
  t.is(enabled('errors'), 0);
  t.is(new BlockRig('prometheus\nwhoami', { worker: 1 }).metric('coredns_plugin_enabled'), 0);
});

test('prometheus: rejects before the chain count under zone dropped', (t) => {
  const rig = new BlockRig('whoami');
  const at = declareDropped(rig.metrics, 'dns://:1053');
  countDropped(rig.cells, at, rig.makeQuery('x', { type: 'MX' }), 5, 19);
  const labels = { server: 'dns://:1053', zone: 'dropped', view: '' };
  t.is(rig.metric('coredns_dns_requests_total', { ...labels, type: 'MX' }), 1);
  t.is(rig.metric('coredns_dns_responses_total', { ...labels, rcode: 'REFUSED', plugin: '' }), 1);
});

test('prometheus: the same series keep their cells over a reload, whatever the first plugin is', (t) => {
  const metrics = new MetricRegistry();
  const first = declareRequestCells(metrics, 's', '.', '', 'errors');
  declareRequestCells(metrics, 's', 'other.', '', 'errors');
  t.deepEqual(declareRequestCells(metrics, 's', '.', '', 'errors'), first);
  const second = declareRequestCells(metrics, 's', '.', '', 'log');
  t.is(second.requests, first.requests);
  t.is(second.unwritten, first.unwritten);
  t.not(second.written, first.written);
});

test('prometheus: many zones share series beyond the limit', (t) => {
  const zones = Array.from({ length: 400 }, (_, i) => `z${i}.test.`);
  const rig = new BlockRig('prometheus\nwhoami', { zones });
  const labels = new Set(
    [...rig.metrics.families.get('coredns_dns_do_requests_total')!.series.values()].map(({ labels: { zone } }) => zone),
  );
  t.is(labels.size, 65);
  t.true(labels.has('.'));
});
