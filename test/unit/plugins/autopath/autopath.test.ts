// One reply in place of a client's walk along its search path, and only where the path is known for certain.
import test from 'ava';
import { pod, type RawObject } from '../kubernetes/cluster-harness.ts';
import { ask, rig } from './autopath-rig.ts';

for (const waits of [false, true]) {
  const when = waits ? 'later' : 'at once';

  test(`autopath: a name outside is answered behind an alias to it (${when})`, async (t) => {
    const { cluster, completed, asked, cells } = rig(waits);
    cluster.apply(pod('a', 'p', '10.1.0.1'));
    t.deepEqual(await ask(completed, 'Ext.test.a.svc.cluster.local', '10.1.0.1'), {
      rcode: 'NOERROR',
      answer: ['Ext.test.a.svc.cluster.local. 60 IN CNAME Ext.test.', 'Ext.test. 60 IN A 198.51.100.1'],
    });
    t.deepEqual(asked, ['ext.test.']);
    t.is(cells[0], 1);
  });

  test(`autopath: what is found first stands as it is, ExternalNames too (${when})`, async (t) => {
    const { cluster, completed } = rig(waits);
    cluster.apply(pod('a', 'p', '10.1.0.1'));
    t.deepEqual((await ask(completed, 'web.a.svc.cluster.local', '10.1.0.1')).answer, [
      'web.a.svc.cluster.local. 5 IN A 10.96.0.1',
    ]);
    t.deepEqual((await ask(completed, 'out.a.svc.cluster.local', '10.1.0.1', 'CNAME')).answer, [
      'out.a.svc.cluster.local. 5 IN CNAME ext.test.',
    ]);
  });

  test(`autopath: nothing found is the first denial, a failure is that failure, no records end the search (${when})`, async (t) => {
    const { cluster, completed, cells } = rig(waits);
    cluster.apply(pod('a', 'p', '10.1.0.1'));
    t.is((await ask(completed, 'nope.a.svc.cluster.local', '10.1.0.1')).rcode, 'NXDOMAIN');
    t.is((await ask(completed, 'broken.test.a.svc.cluster.local', '10.1.0.1')).rcode, 'SERVFAIL');
    t.is(cells[0], 0);
    t.deepEqual(await ask(completed, 'only6.test.a.svc.cluster.local', '10.1.0.1'), { rcode: 'NOERROR', answer: [] });
  });
}

test("autopath: this machine's search domains come after the cluster's", async (t) => {
  const { cluster, completed, asked } = rig(false, {}, ['corp.test.']);
  cluster.apply(pod('a', 'p', '10.1.0.1'));
  t.deepEqual((await ask(completed, 'host.a.svc.cluster.local', '10.1.0.1')).answer, [
    'host.a.svc.cluster.local. 60 IN CNAME host.corp.test.',
    'host.corp.test. 60 IN A 198.51.100.2',
  ]);
  t.deepEqual(asked, ['host.corp.test.']);
});

const withSpec = (raw: RawObject, spec: Record<string, unknown>): RawObject => ({ ...raw, spec });
const UNSAFE: readonly (readonly [string, RawObject[]])[] = [
  ['an unknown client', []],
  ['two Pods at the address', [pod('a', 'p', '10.1.0.1'), pod('b', 'q', '10.1.0.1')]],
  ['a DNS policy of its own', [withSpec(pod('a', 'p', '10.1.0.1'), { dnsPolicy: 'None' })]],
  ['the host’s network', [withSpec(pod('a', 'p', '10.1.0.1'), { dnsPolicy: 'ClusterFirst', hostNetwork: true })]],
  [
    'a DNS configuration of its own',
    [withSpec(pod('a', 'p', '10.1.0.1'), { dnsConfig: { options: [{ name: 'ndots', value: '1' }] } })],
  ],
];
for (const [what, pods] of UNSAFE) {
  test(`autopath: ${what} gets the plain answer`, async (t) => {
    const { cluster, completed, asked } = rig();
    cluster.apply(...pods);
    t.is((await ask(completed, 'ext.test.a.svc.cluster.local', '10.1.0.1')).rcode, 'NXDOMAIN');
    t.deepEqual(asked, []);
  });
}

test('autopath: on the host’s network with ClusterFirstWithHostNet the path is known', async (t) => {
  const { cluster, completed } = rig();
  cluster.apply(withSpec(pod('a', 'p', '10.1.0.1'), { dnsPolicy: 'ClusterFirstWithHostNet', hostNetwork: true }));
  t.is((await ask(completed, 'ext.test.a.svc.cluster.local', '10.1.0.1')).rcode, 'NOERROR');
});

test('autopath: a search list from a file counts for every client, for names below its first domain', async (t) => {
  const { completed, asked } = rig(false, { plugin: '', search: ['example.test.', 'corp.test.'] });
  t.is((await ask(completed, 'host.example.test', '192.0.2.1')).answer.length, 2);
  t.deepEqual(asked.splice(0), ['host.example.test.', 'host.corp.test.']);
  for (const name of ['nope.corp.test', 'example.test']) {
    t.is((await ask(completed, name, '192.0.2.1')).rcode, 'NXDOMAIN');
    t.is(asked.splice(0).length, 1);
  }
});

test('autopath: a Pod that is being deleted gets the plain answer', async (t) => {
  const { cluster, completed } = rig();
  const raw = pod('a', 'p', '10.1.0.1');
  cluster.apply(raw);
  t.is((await ask(completed, 'ext.test.a.svc.cluster.local', '10.1.0.1')).rcode, 'NOERROR');
  cluster.apply({ ...raw, metadata: { ...raw.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } } as RawObject);
  t.is((await ask(completed, 'ext.test.a.svc.cluster.local', '10.1.0.1')).rcode, 'NXDOMAIN');
});

test('autopath: while the view may be out of date the answer is the plain one, afterwards the path is followed again', async (t) => {
  const { cluster, completed, asked } = rig();
  cluster.apply(pod('a', 'p', '10.1.0.1'));
  cluster.view.markOutdated(true);
  cluster.settle();
  t.is((await ask(completed, 'ext.test.a.svc.cluster.local', '10.1.0.1')).rcode, 'NXDOMAIN');
  t.deepEqual(asked, []);
  cluster.view.markOutdated(false);
  cluster.settle();
  t.is((await ask(completed, 'ext.test.a.svc.cluster.local', '10.1.0.1')).rcode, 'NOERROR');
});

test('autopath: from a saved view no path is followed, from the view of the API server it is', async (t) => {
  const { cluster, completed, asked } = rig(false, {}, [], false);
  cluster.apply(pod('a', 'p', '10.1.0.1'));
  cluster.view.serveSaved();
  cluster.settle();
  t.is((await ask(completed, 'web.a.svc.cluster.local', '10.1.0.1')).rcode, 'NOERROR');
  t.is((await ask(completed, 'ext.test.a.svc.cluster.local', '10.1.0.1')).rcode, 'NXDOMAIN');
  t.deepEqual(asked, []);
  cluster.sync();
  t.is((await ask(completed, 'ext.test.a.svc.cluster.local', '10.1.0.1')).rcode, 'NOERROR');
});
