// What `metadata` learns about a query from the kubernetes plugin.
import test from 'ava';
import { makeQuery, namespace, pod, type RawObject, TestCluster } from './cluster-harness.ts';

const labelled = (raw: RawObject, labels: Record<string, string>): RawObject => {
  raw.metadata.labels = labels;
  return raw;
};

const cluster = new TestCluster({ pods: 'verified' }, { zonal: true }, [], ['clients', 'imports'])
  .apply(
    namespace('shop'),
    labelled(pod('shop', 'foo', '10.1.0.1'), { 'app.kubernetes.io/name': 'foo', grün: 'ja' }),
    pod('shop', 'one', '10.1.0.2'),
    pod('shop', 'two', '10.1.0.2'),
    pod('shop', 'six', 'fd00::1'),
  )
  .sync();

function collect(name: string, from: string, of: TestCluster = cluster): Record<string, string> {
  const values = new Map<string, string>();
  for (const provide of of.offers.metadata) provide(makeQuery(name, 'A', from), values);
  return Object.fromEntries([...values].map(([key, value]) => [key.replace('kubernetes/', ''), value]));
}

const NAMES = [
  ['web.shop.svc.cluster.local', { kind: 'svc', namespace: 'shop', service: 'web' }],
  ['EP.Web.shop.svc.cluster.local', { kind: 'svc', namespace: 'shop', service: 'web', endpoint: 'ep' }],
  [
    '_http._tcp.web.shop.svc.cluster.local',
    { kind: 'svc', namespace: 'shop', service: 'web', 'port-name': 'http', protocol: 'tcp' },
  ],
  ['10-1-0-1.shop.pod.cluster.local', { kind: 'pod', namespace: 'shop', service: '10-1-0-1' }],
  ['eu.1a.pin._zone.web.shop.svc.cluster.local', { kind: 'svc', namespace: 'shop', service: 'web', zone: 'eu.1a' }],
  ['cluster.local', {}],
  ['svc.cluster.local', {}],
] as const;
for (const [name, expected] of NAMES) {
  test(`metadata: ${name} is ${JSON.stringify(expected)}`, (t) => {
    const empty = { 'port-name': '', protocol: '', endpoint: '', service: '', namespace: '', kind: '', zone: '' };
    t.deepEqual(collect(name, '10.9.9.9'), { ...empty, ...expected });
  });
}

test('metadata: in a clusterset zone two labels are endpoint and cluster', (t) => {
  const values = collect('db-0.east.db.shop.svc.clusterset.local', '10.9.9.9');
  t.is(values['cluster'], 'east');
  t.is(values['endpoint'], 'db-0');
});

for (const name of ['foo.bar.notapod.cluster.local', 'a.b.c.web.shop.svc.cluster.local', 'x.dns.cluster.local']) {
  test(`metadata: ${name} is a parse error`, (t) => {
    t.deepEqual(collect(name, '10.9.9.9'), { 'parse-error': 'invalid query name' });
  });
}

test("metadata: a Pod's queries carry its name, namespace and labels, also for names outside", (t) => {
  t.deepEqual(collect('example.org', '10.1.0.1'), {
    'client-namespace': 'shop',
    'client-pod-name': 'foo',
    'client-label/app.kubernetes.io/name': 'foo',
    'client-label/grün': 'ja',
  });
  t.is(collect('example.org', 'fd00::1')['client-pod-name'], 'six');
});

test('metadata: an address that several Pods share names none of them', (t) => {
  t.deepEqual(collect('example.org', '10.1.0.2'), {});
});

test('metadata: a Pod at the address of one that is gone is named, and the one that stays when the other goes', (t) => {
  const changing = new TestCluster({ pods: 'verified' }, {}, [], ['clients']).apply(namespace('shop')).sync();
  const old = pod('shop', 'old', '10.1.0.9');
  const young = pod('shop', 'young', '10.1.0.9');
  const name = (): string | undefined => collect('example.org', '10.1.0.9', changing)['client-pod-name'];
  changing.apply(old);
  t.is(name(), 'old');
  changing.apply(young);
  t.is(name(), undefined);
  changing.delete(old);
  t.is(name(), 'young');
  changing.apply(pod('shop', 'young', '10.1.0.8'));
  t.is(name(), undefined);
  changing.delete(pod('shop', 'young', '10.1.0.8'));
  t.is(changing.dump(changing.trees.clients).size, 0);
});
