// A saved view is taken in: reverse names are made last, and what happens meanwhile is not lost.
import test from 'ava';
import { namespace, service, slice, TestCluster } from './cluster-harness.ts';

const HTTP = { name: 'http', port: 80, protocol: 'TCP' };

function restoring(): TestCluster {
  const cluster = new TestCluster();
  cluster.view.expectSaved();
  return cluster.apply(
    namespace('shop'),
    service('shop', 'db', { type: 'ClusterIP', clusterIP: 'None', ports: [HTTP] }),
    slice('shop', 'db-1', 'db', [HTTP], [{ address: '10.1.0.1' }, { address: '10.1.0.2' }]),
    slice('shop', 'db-2', 'db', [HTTP], [{ address: '10.1.0.3' }]),
  );
}

const PTR = (last: number): [string, string] => [`${last}.0.1.10.in-addr.arpa`, 'PTR'];

test('saved view: nothing is answered before it is served, everything afterwards', async (t) => {
  const cluster = restoring();
  t.is(await cluster.short('db.shop.svc.cluster.local', 'A'), 'SERVFAIL');
  t.is(await cluster.short(...PTR(1)), 'SERVFAIL');
  cluster.view.serveSaved();
  cluster.settle();
  t.is(await cluster.short('db.shop.svc.cluster.local', 'A'), '10.1.0.1, 10.1.0.2, 10.1.0.3');
  for (const last of [1, 2, 3])
    t.regex(await cluster.short(...PTR(last)), /^10-1-0-\d\.db\.shop\.svc\.cluster\.local\.$/);
  t.is(await cluster.short(...PTR(4)), 'NXDOMAIN');
});

test('saved view: a slice that goes or changes before its reverse names were made leaves none behind', async (t) => {
  const cluster = restoring();
  cluster.delete(slice('shop', 'db-2', 'db', [HTTP], [{ address: '10.1.0.3' }]));
  cluster.apply(slice('shop', 'db-1', 'db', [HTTP], [{ address: '10.1.0.2' }, { address: '10.1.0.9' }]));
  cluster.view.serveSaved();
  cluster.settle();
  t.is(await cluster.short('db.shop.svc.cluster.local', 'A'), '10.1.0.2, 10.1.0.9');
  for (const last of [1, 3]) t.is(await cluster.short(...PTR(last)), 'NXDOMAIN');
  for (const last of [2, 9]) t.regex(await cluster.short(...PTR(last)), /^10-1-0-\d\.db\.shop/);
});

test('saved view: after it, and without one, reverse names are made at once', async (t) => {
  const cluster = restoring();
  cluster.view.serveSaved();
  cluster.settle();
  cluster.apply(slice('shop', 'db-3', 'db', [HTTP], [{ address: '10.1.0.7' }]));
  t.regex(await cluster.short(...PTR(7)), /^10-1-0-7\.db\.shop/);
});
