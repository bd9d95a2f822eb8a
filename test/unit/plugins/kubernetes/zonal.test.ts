// Names for the endpoints of one topology zone.
import test from 'ava';
import { namespace, type RawObject, service, slice, TestCluster } from './cluster-harness.ts';

const PORTS = [{ name: 'pg', port: 5432, protocol: 'TCP' }];

const zoned = (name: string, endpoints: readonly (readonly [address: string, zone: string])[]): RawObject => {
  const raw = slice(
    'shop',
    name,
    'db',
    PORTS,
    endpoints.map(([address]) => ({ address })),
  );
  (raw['endpoints'] as { zone?: string }[]).forEach((endpoint, i) => {
    endpoint.zone = endpoints[i]![1];
  });
  return raw;
};

const cluster = new TestCluster({ zonal: true })
  .apply(
    namespace('shop'),
    service('shop', 'web', { clusterIP: '10.96.0.17', ports: [] }),
    service('shop', 'db', { clusterIP: 'None', ports: PORTS }),
    service('shop', 'idle', { clusterIP: 'None', ports: PORTS }),
    zoned('v4', [
      ['10.0.0.1', 'eu-1a'],
      ['10.0.0.2', 'EU-1b'],
    ]),
    zoned('v6', [['fd00::1', 'eu.1c']]),
  )
  .sync();

const CASES = [
  ['eu-1a.pin._zone.db.shop.svc.cluster.local', 'A', '10.0.0.1'],
  ['eu-1b.pin._zone.db.shop.svc.cluster.local', 'A', '10.0.0.2'],
  ['EU-1B.Pin._Zone.db.shop.svc.cluster.local', 'A', '10.0.0.2'],
  ['eu-1a.pin._zone.db.shop.svc.cluster.local', 'AAAA', 'NODATA'],
  ['eu.1c.pin._zone.db.shop.svc.cluster.local', 'AAAA', 'fd00::1'],
  ['eu-9.pin._zone.db.shop.svc.cluster.local', 'A', 'NODATA'],
  ['eu-1a.prefer._zone.db.shop.svc.cluster.local', 'A', '10.0.0.1'],
  ['eu-1a.prefer._zone.db.shop.svc.cluster.local', 'AAAA', 'NODATA'],
  ['eu-9.prefer._zone.db.shop.svc.cluster.local', 'A', '10.0.0.1, 10.0.0.2'],
  ['eu-1a.pin._zone.idle.shop.svc.cluster.local', 'A', 'NODATA'],
  ['eu-1a.prefer._zone.idle.shop.svc.cluster.local', 'A', 'NODATA'],
  ['idle.shop.svc.cluster.local', 'A', 'NXDOMAIN'],
  ['eu-1a.pin._zone.web.shop.svc.cluster.local', 'A', 'NXDOMAIN'],
  ['eu-1a.pin._zone.none.shop.svc.cluster.local', 'A', 'NXDOMAIN'],
  ['eu-1a.near._zone.db.shop.svc.cluster.local', 'A', 'NXDOMAIN'],
  ['pin._zone.db.shop.svc.cluster.local', 'A', 'NXDOMAIN'],
  ['_pin._zone.db.shop.svc.cluster.local', 'A', 'NXDOMAIN'],
  ['x._zone.db.shop.svc.cluster.local', 'A', 'NXDOMAIN'],
  ['_zone.db.shop.svc.cluster.local', 'A', 'NXDOMAIN'],
  ['eu-1a.pin._zone.db.shop.pod.cluster.local', 'A', 'NXDOMAIN'],
  ['eu-1a.pin._zone.db.shop.svc.cluster.local', 'SRV', '0 100 5432 10-0-0-1.db.shop.svc.cluster.local.'],
  [
    'eu-9.prefer._zone.db.shop.svc.cluster.local',
    'SRV',
    '0 33 5432 10-0-0-1.db.shop.svc.cluster.local., 0 33 5432 10-0-0-2.db.shop.svc.cluster.local., ' +
      '0 33 5432 fd00--1.db.shop.svc.cluster.local.',
  ],
  ['eu-1a.pin._zone.db.shop.svc.cluster.local', 'TXT', 'NODATA'],
] as const;
for (const [name, type, expected] of CASES) {
  test(`zonal: ${name} ${type} is ${expected}`, async (t) => {
    t.is(await cluster.short(name, type), expected);
  });
}

test('zonal: glue of a selection is owned by the plain endpoint name', async (t) => {
  const { additional } = await cluster.ask('eu-1a.pin._zone.db.shop.svc.cluster.local', 'SRV');
  t.deepEqual(additional, ['10-0-0-1.db.shop.svc.cluster.local. 5 IN A 10.0.0.1']);
});

test('zonal: off, the names do not exist', async (t) => {
  const off = new TestCluster().apply(namespace('shop'), service('shop', 'db', { clusterIP: 'None' })).sync();
  t.is(await off.short('eu-1a.pin._zone.db.shop.svc.cluster.local', 'A'), 'NXDOMAIN');
});
