// Zones of a clusterset, served from ServiceImports beside the cluster's own Services.
import test from 'ava';
import { namespace, type RawObject, service, slice, TestCluster } from './cluster-harness.ts';

const imported = (name: string, spec: Record<string, unknown>): RawObject => ({
  kind: 'ServiceImport',
  metadata: { name, namespace: 'shop' },
  spec,
});

const importedSlice = (
  name: string,
  importName: string,
  cluster: string,
  address: string,
  hostname?: string,
): RawObject => {
  const raw = slice(
    'shop',
    name,
    importName,
    [{ name: 'pg', port: 5432, protocol: 'TCP' }],
    [{ address, ...(hostname === undefined ? {} : { hostname }) }],
  );
  raw.metadata.labels = {
    'multicluster.kubernetes.io/service-name': importName,
    ...(cluster === '' ? {} : { 'multicluster.kubernetes.io/source-cluster': cluster }),
  };
  return raw;
};

const cluster = new TestCluster({ pods: 'insecure' }, {}, ['10.9.9.9'], ['imports'])
  .apply(
    namespace('shop'),
    service('shop', 'web', { clusterIP: '10.96.0.17', ports: [{ name: 'http', port: 80, protocol: 'TCP' }] }),
    imported('web', {
      type: 'ClusterSetIP',
      ips: ['10.42.0.20'],
      ports: [{ name: 'http', port: 80, protocol: 'TCP' }],
    }),
    imported('bare', { type: 'ClusterSetIP', ips: ['10.42.0.21'] }),
    imported('db', { type: 'Headless', ports: [{ name: 'pg', port: 5432, protocol: 'TCP' }] }),
    importedSlice('e', 'db', 'east', '172.17.0.10', 'db-0'),
    importedSlice('w', 'db', 'west', '172.18.0.10', 'db-0'),
    importedSlice('n', 'db', '', '172.19.0.10'),
  )
  .sync();

const CASES = [
  ['web.shop.svc.cluster.local', 'A', '10.96.0.17'],
  ['web.shop.svc.clusterset.local', 'A', '10.42.0.20'],
  ['bare.shop.svc.cluster.local', 'A', 'NXDOMAIN'],
  ['bare.shop.svc.clusterset.local', 'A', '10.42.0.21'],
  ['_http._tcp.web.shop.svc.clusterset.local', 'SRV', '0 100 80 web.shop.svc.clusterset.local.'],
  ['http.tcp.web.shop.svc.clusterset.local', 'SRV', 'NXDOMAIN'],
  ['http.tcp.web.shop.svc.cluster.local', 'SRV', '0 100 80 web.shop.svc.cluster.local.'],
  ['db.shop.svc.clusterset.local', 'A', '172.17.0.10, 172.18.0.10, 172.19.0.10'],
  ['db-0.east.db.shop.svc.clusterset.local', 'A', '172.17.0.10'],
  ['DB-0.West.db.shop.svc.clusterset.local', 'A', '172.18.0.10'],
  ['db-0.north.db.shop.svc.clusterset.local', 'A', 'NXDOMAIN'],
  ['db-0.db.shop.svc.clusterset.local', 'A', 'NXDOMAIN'],
  ['172-19-0-10.db.shop.svc.clusterset.local', 'A', '172.19.0.10'],
  ['east.db.shop.svc.clusterset.local', 'A', 'NXDOMAIN'],
  [
    '_pg._tcp.db.shop.svc.clusterset.local',
    'SRV',
    '0 33 5432 172-19-0-10.db.shop.svc.clusterset.local., 0 33 5432 db-0.east.db.shop.svc.clusterset.local., ' +
      '0 33 5432 db-0.west.db.shop.svc.clusterset.local.',
  ],
  ['shop.svc.clusterset.local', 'A', 'NODATA'],
  ['svc.clusterset.local', 'A', 'NODATA'],
  ['clusterset.local', 'NS', 'ns.dns.clusterset.local.'],
  ['ns.dns.clusterset.local', 'A', '10.9.9.9'],
  ['dns-version.clusterset.local', 'TXT', '"1.1.0"'],
  ['10-1-2-3.shop.pod.clusterset.local', 'A', '10.1.2.3'],
  ['x.10-1-2-3.shop.pod.clusterset.local', 'SRV', '0 100 0 10-1-2-3.shop.pod.clusterset.local.'],
  ['shop.pod.clusterset.local', 'A', 'NODATA'],
  ['hidden.pod.clusterset.local', 'A', 'NXDOMAIN'],
  ['20.0.42.10.in-addr.arpa', 'PTR', 'NXDOMAIN'],
] as const;
for (const [name, type, expected] of CASES) {
  test(`multicluster: ${name} ${type} is ${expected}`, async (t) => {
    t.is(await cluster.short(name, type), expected);
  });
}

test('multicluster: without ServiceImports from the API its zone waits, the own zone answers', async (t) => {
  const half = new TestCluster({}, {}, [], ['imports']).apply(namespace('shop'));
  half.view.namespaceSink.synced();
  half.view.serviceSink.synced();
  half.view.sliceSink.synced();
  half.settle();
  t.is(await half.short('nope.shop.svc.cluster.local', 'A'), 'NXDOMAIN');
  t.is(await half.short('nope.shop.svc.clusterset.local', 'A'), 'SERVFAIL');
  t.deepEqual(half.view.waitingFor, ['serviceimports']);
});

test('multicluster: an import that goes takes its names along', async (t) => {
  const web = imported('web', { type: 'ClusterSetIP', ips: ['10.42.0.20'] });
  const changing = new TestCluster({}, {}, [], ['imports']).apply(namespace('shop'), web).sync();
  t.is(await changing.short('web.shop.svc.clusterset.local', 'A'), '10.42.0.20');
  changing.delete(web);
  t.is(await changing.short('web.shop.svc.clusterset.local', 'A'), 'NXDOMAIN');
  t.is(changing.dump(changing.trees.imports).size, 3);
});
