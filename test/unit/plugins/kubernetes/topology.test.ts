// Option `topology`: headless names answered with the endpoints near the client.
import test from 'ava';
import { BlockRig } from '../block-rig.ts';
import { makeQuery, namespace, pod, type RawObject, service, TestCluster } from './cluster-harness.ts';

const PORTS = [{ name: 'pg', port: 5432, protocol: 'TCP' }];

type Endpoint = {
  address: string;
  node?: string;
  zone?: string;
  hostname?: string;
  forZones?: string[];
  forNodes?: string[];
  ready?: boolean;
};

const named = (names: readonly string[]): { name: string }[] => names.map((name) => ({ name }));

function placed(name: string, serviceName: string, endpoints: readonly Endpoint[]): RawObject {
  return {
    kind: 'EndpointSlice',
    metadata: { name, namespace: 'shop', labels: { 'kubernetes.io/service-name': serviceName } },
    addressType: endpoints[0]?.address.includes(':') ? 'IPv6' : 'IPv4',
    ports: PORTS,
    endpoints: endpoints.map(({ address, node, zone, hostname, forZones, forNodes, ready = true }) => ({
      addresses: [address],
      conditions: { ready },
      ...(node !== undefined && { nodeName: node }),
      ...(zone !== undefined && { zone }),
      ...(hostname !== undefined && { hostname }),
      ...((forZones ?? forNodes) && {
        hints: { ...(forZones && { forZones: named(forZones) }), ...(forNodes && { forNodes: named(forNodes) }) },
      }),
    })),
  };
}

const onNode = (name: string, podIP: string, nodeName: string, more: Record<string, unknown> = {}): RawObject => ({
  ...pod('shop', name, podIP),
  spec: { nodeName },
  ...more,
});

const headless = (name: string, spec: Record<string, unknown> = {}): RawObject =>
  service('shop', name, { clusterIP: 'None', ports: PORTS, ...spec });

/** Nodes a1 and a2 in zone a, b1 in zone b; one client on each, one on a node that nothing is known of. */
const CLIENTS = { a1: '10.1.0.1', a2: '10.1.0.2', b1: '10.1.0.3', lost: '10.1.0.4', stranger: '192.0.2.1' } as const;

const DB: readonly Endpoint[] = [
  { address: '10.0.0.1', node: 'a1', zone: 'a', hostname: 'db-0' },
  { address: '10.0.0.2', node: 'a2', zone: 'a', hostname: 'db-1' },
  { address: '10.0.0.3', node: 'b1', zone: 'b', hostname: 'db-2' },
];

function makeCluster(topology: 'zone' | 'node', ownNode = ''): TestCluster {
  return new TestCluster(
    { pods: ownNode === '' ? 'verified' : 'disabled', topology },
    {},
    [],
    ownNode === '' ? ['clients', 'places'] : ['places'],
    ownNode,
  )
    .apply(
      namespace('shop'),
      headless('db'),
      placed('db-v4', 'db', DB),
      service('shop', 'web', { clusterIP: '10.96.0.17', ports: PORTS }),
      placed('web', 'web', DB),
      headless('local', { internalTrafficPolicy: 'Local', trafficDistribution: 'PreferClose' }),
      placed('local', 'local', DB.slice(1)),
      headless('close', { trafficDistribution: 'PreferClose' }),
      placed('close', 'close', DB),
      headless('same-node', { trafficDistribution: 'PreferSameNode', internalTrafficPolicy: 'Cluster' }),
      placed('same-node', 'same-node', DB.slice(1)),
      headless('hinted'),
      placed('hinted', 'hinted', [
        { ...DB[0]!, forZones: ['a', 'c'] },
        { ...DB[1]!, forZones: ['b'] },
      ]),
      headless('half-hinted'),
      placed('half-hinted', 'half-hinted', [{ ...DB[0]!, forZones: ['b'] }, DB[2]!]),
      headless('v6'),
      placed('v6-4', 'v6', DB),
      placed('v6-6', 'v6', [{ address: 'fd00::3', node: 'b1', zone: 'b' }]),
      headless('unready'),
      placed('unready', 'unready', [{ ...DB[0]!, ready: false }, DB[2]!]),
      onNode('on-a1', CLIENTS.a1, 'a1'),
      onNode('on-a2', CLIENTS.a2, 'a2'),
      onNode('on-b1', CLIENTS.b1, 'b1'),
      onNode('lost', CLIENTS.lost, 'nowhere'),
    )
    .sync();
}

const byZone = makeCluster('zone');
const byNode = makeCluster('node');
const perNode = makeCluster('node', 'a1');

const ALL = '10.0.0.1, 10.0.0.2, 10.0.0.3';
const CASES = [
  // mode, name, type, client, expected
  ['zone', 'db', 'A', 'a1', '10.0.0.1, 10.0.0.2'],
  ['zone', 'db', 'A', 'a2', '10.0.0.1, 10.0.0.2'],
  ['zone', 'db', 'A', 'b1', '10.0.0.3'],
  ['zone', 'db', 'A', 'lost', ALL],
  ['zone', 'db', 'A', 'stranger', ALL],
  ['zone', 'db', 'AAAA', 'b1', 'NODATA'],
  ['zone', 'db', 'TXT', 'b1', 'NODATA'],
  ['zone', 'db', 'SRV', 'b1', '0 100 5432 db-2.db.shop.svc.cluster.local.'],
  ['zone', '_pg._tcp.db', 'SRV', 'b1', '0 100 5432 db-2.db.shop.svc.cluster.local.'],
  ['zone', 'pg.tcp.db', 'SRV', 'b1', '0 100 5432 db-2.db.shop.svc.cluster.local.'],
  ['zone', '_http._tcp.db', 'SRV', 'b1', 'NXDOMAIN'],
  ['zone', 'db-0.db', 'A', 'b1', '10.0.0.1'],
  ['zone', 'web', 'A', 'b1', '10.96.0.17'],
  ['zone', 'hinted', 'A', 'a1', '10.0.0.1'],
  ['zone', 'hinted', 'A', 'b1', '10.0.0.2'],
  ['zone', 'half-hinted', 'A', 'a1', '10.0.0.1'],
  ['zone', 'half-hinted', 'A', 'b1', '10.0.0.3'],
  ['zone', 'v6', 'A', 'a1', '10.0.0.1, 10.0.0.2'],
  ['zone', 'v6', 'AAAA', 'a1', 'fd00::3'],
  ['zone', 'v6', 'A', 'b1', '10.0.0.3'],
  ['zone', 'v6', 'AAAA', 'b1', 'fd00::3'],
  ['zone', 'unready', 'A', 'a1', '10.0.0.3'],
  ['zone', 'close', 'A', 'a1', '10.0.0.1, 10.0.0.2'],
  ['zone', 'same-node', 'A', 'a2', '10.0.0.2'],
  ['zone', 'same-node', 'A', 'a1', '10.0.0.2'],
  ['zone', 'same-node', 'A', 'b1', '10.0.0.3'],
  ['zone', 'same-node', 'A', 'lost', '10.0.0.2, 10.0.0.3'],
  ['zone', 'local', 'A', 'b1', '10.0.0.3'],
  ['zone', 'local', 'A', 'a1', 'NODATA'],
  ['zone', 'local', 'SRV', 'a1', 'NODATA'],
  ['zone', '_pg._tcp.local', 'SRV', 'a1', 'NODATA'],
  ['zone', '_pg._tcp.local', 'SRV', 'a2', '0 100 5432 db-1.local.shop.svc.cluster.local.'],
  ['zone', 'local', 'A', 'lost', 'NODATA'],
  ['zone', 'local', 'A', 'stranger', '10.0.0.2, 10.0.0.3'],
  ['node', 'db', 'A', 'a1', '10.0.0.1'],
  ['node', 'db', 'A', 'b1', '10.0.0.3'],
  ['node', 'db', 'A', 'lost', ALL],
  ['node', 'same-node', 'A', 'a1', '10.0.0.2'],
  ['node', 'close', 'A', 'a1', '10.0.0.1, 10.0.0.2'],
  ['node', 'local', 'A', 'a1', 'NODATA'],
  ['own', 'db', 'A', 'stranger', '10.0.0.1'],
  ['own', 'db', 'A', 'b1', '10.0.0.1'],
  ['own', 'close', 'A', 'stranger', '10.0.0.1, 10.0.0.2'],
  ['own', 'local', 'A', 'stranger', 'NODATA'],
] as const;
const CLUSTERS = { zone: byZone, node: byNode, own: perNode };
for (const [mode, name, type, client, expected] of CASES) {
  test(`topology ${mode}: ${name} ${type} asked from ${client} is ${expected}`, async (t) => {
    const cluster = CLUSTERS[mode];
    const asked = `${name}.shop.svc.cluster.local`;
    t.is(await cluster.short(asked, type, cluster.handler, CLIENTS[client]), expected);
  });
}

test('topology: SRV glue is that of the endpoints that are left', async (t) => {
  const reply = await byZone.ask('db.shop.svc.cluster.local', 'SRV', byZone.handler, CLIENTS.b1);
  t.deepEqual(reply.additional, ['db-2.db.shop.svc.cluster.local. 5 IN A 10.0.0.3']);
});

test('topology: letter case of the question does not matter', async (t) => {
  t.is(await byZone.short('DB.Shop.svc.Cluster.local', 'A', byZone.handler, CLIENTS.b1), '10.0.0.3');
});

test('topology: off, the same client gets all', async (t) => {
  const off = new TestCluster({ pods: 'verified' }, {}, [], ['clients'])
    .apply(namespace('shop'), headless('db'), placed('db', 'db', DB), onNode('on-b1', CLIENTS.b1, 'b1'))
    .sync();
  t.is(await off.short('db.shop.svc.cluster.local', 'A', off.handler, CLIENTS.b1), ALL);
});

test('topology: no name can be asked that is not there without it', async (t) => {
  const label = 'n'.padEnd(25, '0');
  t.is(await byZone.short(`${label}.db.shop.svc.cluster.local`, 'A', byZone.handler, CLIENTS.b1), 'NXDOMAIN');
});

test('topology: answers are counted by what was near', async (t) => {
  const cluster = makeCluster('zone');
  const ask = (name: string, client: string): Promise<string> =>
    cluster.short(`${name}.shop.svc.cluster.local`, 'A', cluster.handler, client);
  await ask('db', CLIENTS.a1);
  await ask('same-node', CLIENTS.a2);
  await ask('local', CLIENTS.a1);
  await ask('db', CLIENTS.stranger);
  await ask('web', CLIENTS.a1);
  t.deepEqual([...cluster.cells.subarray(0, 5)], [1, 1, 0, 1, 1]);
});

test('topology: a client is where its Pod is now, and nowhere while two Pods on two nodes share the address', async (t) => {
  const cluster = makeCluster('zone');
  const ask = (): Promise<string> => cluster.short('db.shop.svc.cluster.local', 'A', cluster.handler, '10.1.0.9');
  t.is(await ask(), ALL);
  cluster.apply(onNode('young', '10.1.0.9', 'b1'));
  t.is(await ask(), '10.0.0.3');
  cluster.apply(onNode('old', '10.1.0.9', 'a1'));
  t.is(await ask(), ALL);
  cluster.delete(onNode('young', '10.1.0.9', 'b1'));
  t.is(await ask(), '10.0.0.1, 10.0.0.2');
  cluster.delete(onNode('old', '10.1.0.9', 'a1'));
  t.is(await ask(), ALL);
});

test('topology: a Pod that ends has lost its address to one that does not', async (t) => {
  const cluster = makeCluster('zone').apply(onNode('old', '10.1.0.9', 'a1'));
  const ending = onNode('old', '10.1.0.9', 'a1');
  (ending.metadata as { deletionTimestamp?: string }).deletionTimestamp = '2026-11-22T10:00:00Z';
  const ask = (): Promise<string> => cluster.short('db.shop.svc.cluster.local', 'A', cluster.handler, '10.1.0.9');
  cluster.apply(ending);
  t.is(await ask(), '10.0.0.1, 10.0.0.2', 'it still asks');
  cluster.apply(onNode('young', '10.1.0.9', 'b1'));
  t.is(await ask(), '10.0.0.3');
});

test('topology: nobody is denied by a view that may be out of date', async (t) => {
  const cluster = makeCluster('zone');
  const ask = (): Promise<string> => cluster.short('local.shop.svc.cluster.local', 'A', cluster.handler, CLIENTS.a1);
  t.is(await ask(), 'NODATA');
  cluster.view.markOutdated(true);
  cluster.settle();
  t.is(await ask(), '10.0.0.2, 10.0.0.3');
  cluster.view.markOutdated(false);
  cluster.settle();
  t.is(await ask(), 'NODATA');
});

test('topology: Pods on the host network share an address and a node', async (t) => {
  const cluster = makeCluster('zone').apply(
    onNode('proxy', '192.168.0.1', 'b1', { spec: { nodeName: 'b1', hostNetwork: true } }),
    onNode('agent', '192.168.0.1', 'b1', { spec: { nodeName: 'b1', hostNetwork: true } }),
  );
  t.is(await cluster.short('db.shop.svc.cluster.local', 'A', cluster.handler, '192.168.0.1'), '10.0.0.3');
});

test('topology: a Pod is known by each of its addresses', async (t) => {
  const status = { podIP: '10.1.0.9', podIPs: [{ ip: '10.1.0.9' }, { ip: 'fd00::9' }] };
  const dual = onNode('dual', '10.1.0.9', 'b1', { status });
  const cluster = makeCluster('zone').apply(dual);
  for (const from of ['10.1.0.9', 'fd00::9']) {
    t.is(await cluster.short('db.shop.svc.cluster.local', 'A', cluster.handler, from), '10.0.0.3', from);
  }
  cluster.delete(dual);
  t.is(await cluster.short('db.shop.svc.cluster.local', 'A', cluster.handler, 'fd00::9'), ALL);
});

test('topology: the zone of a node without endpoints is read from a label of its Pods', async (t) => {
  const cluster = makeCluster('zone');
  const labelled = onNode('lost', CLIENTS.lost, 'nowhere');
  labelled.metadata.labels = { 'topology.kubernetes.io/zone': 'b' };
  const ask = (): Promise<string> => cluster.short('db.shop.svc.cluster.local', 'A', cluster.handler, CLIENTS.lost);
  t.is(await ask(), ALL);
  cluster.apply(labelled);
  t.is(await ask(), '10.0.0.3');
  cluster.apply(onNode('lost', CLIENTS.lost, 'nowhere'));
  t.is(await ask(), ALL);
});

test('topology: a label of a Pod counts for nothing against the EndpointSlices', async (t) => {
  const odd = onNode('odd', '10.1.0.8', 'b1');
  odd.metadata.labels = { 'topology.kubernetes.io/zone': 'a' };
  const cluster = makeCluster('zone').apply(odd);
  t.is(await cluster.short('db.shop.svc.cluster.local', 'A', cluster.handler, CLIENTS.b1), '10.0.0.3');
});

test('topology: a node that is said to be in two zones is in none', async (t) => {
  const cluster = makeCluster('zone');
  const odd = placed('odd', 'odd', [{ address: '10.0.0.9', node: 'b1', zone: 'a' }]);
  const ask = (): Promise<string> => cluster.short('db.shop.svc.cluster.local', 'A', cluster.handler, CLIENTS.b1);
  cluster.apply(odd);
  t.is(await ask(), ALL);
  cluster.delete(odd);
  t.is(await ask(), '10.0.0.3');
});

test('topology: endpoints that come and go, and a policy that changes, are in the next answer', async (t) => {
  const cluster = makeCluster('zone');
  const ask = (type = 'A'): Promise<string> =>
    cluster.short('db.shop.svc.cluster.local', type, cluster.handler, CLIENTS.b1);
  cluster.apply(placed('db-v4', 'db', DB.slice(0, 2)));
  t.is(await ask(), '10.0.0.1, 10.0.0.2');
  cluster.apply(placed('db-v4', 'db', [...DB, { address: '10.0.0.4', node: 'b1', zone: 'b' }]));
  t.is(await ask(), '10.0.0.3, 10.0.0.4');
  cluster.apply(headless('db', { internalTrafficPolicy: 'Local' }), placed('db-v4', 'db', DB.slice(0, 2)));
  t.is(await ask(), 'NODATA');
  cluster.apply(service('shop', 'db', { clusterIP: '10.96.0.18', ports: PORTS }));
  t.is(await ask(), '10.96.0.18');
  cluster.delete(headless('db'));
  t.is(await ask(), 'NXDOMAIN');
});

test('topology: a slice without hints makes those of the others void', async (t) => {
  const cluster = makeCluster('zone');
  const ask = (): Promise<string> => cluster.short('hinted.shop.svc.cluster.local', 'A', cluster.handler, CLIENTS.b1);
  t.is(await ask(), '10.0.0.2');
  const more = placed('hinted-2', 'hinted', [{ address: '10.0.0.9', node: 'c1', zone: 'c' }]);
  cluster.apply(more);
  t.is(await ask(), '10.0.0.1, 10.0.0.2, 10.0.0.9');
  cluster.delete(more);
  t.is(await ask(), '10.0.0.2');
});

test('topology: nothing is left when all objects are gone, and a cluster of one zone keeps nothing', (t) => {
  const cluster = new TestCluster({ pods: 'verified', topology: 'zone' }, {}, [], ['clients', 'places']);
  const objects = [
    namespace('shop'),
    headless('db'),
    placed('db', 'db', DB),
    headless('same-node', { trafficDistribution: 'PreferSameNode' }),
    placed('same-node', 'same-node', DB),
    onNode('on-a1', CLIENTS.a1, 'a1'),
  ];
  cluster.apply(...objects).sync();
  t.true(cluster.dump(cluster.trees.places).size > 0);
  cluster.delete(...objects);
  t.is(cluster.dump(cluster.trees.places).size, 0);
  t.is(cluster.dump(cluster.trees.clients).size, 0);
  cluster.apply(namespace('shop'), headless('db'), placed('db', 'db', DB.slice(0, 2)));
  t.is(cluster.dump(cluster.trees.places).size, 2, 'the zones of two nodes');
});

test('topology: endpoints of a clusterset are left alone', async (t) => {
  const imported = placed('far', '', [{ address: '10.9.0.1', node: 'b1', zone: 'a' }, { address: '10.9.0.2' }]);
  imported.metadata.labels = {
    'multicluster.kubernetes.io/service-name': 'far',
    'multicluster.kubernetes.io/source-cluster': 'east',
  };
  const cluster = new TestCluster({ pods: 'verified', topology: 'zone' }, {}, [], ['clients', 'places', 'imports'])
    .apply(
      namespace('shop'),
      { kind: 'ServiceImport', metadata: { name: 'far', namespace: 'shop' }, spec: { type: 'Headless' } },
      imported,
      headless('db'),
      placed('db', 'db', DB),
      onNode('on-b1', CLIENTS.b1, 'b1'),
    )
    .sync();
  const ask = (name: string): Promise<string> => cluster.short(name, 'A', cluster.handler, CLIENTS.b1);
  t.is(await ask('far.shop.svc.clusterset.local'), '10.9.0.1, 10.9.0.2');
  t.is(await ask('db.shop.svc.cluster.local'), '10.0.0.3', 'a node of another cluster may be called the same');
});

test("topology: metadata names the client's node and zone", (t) => {
  const collect = (cluster: TestCluster, from: string): Record<string, string> => {
    const values = new Map<string, string>();
    for (const provide of cluster.offers.metadata) provide(makeQuery('example.org', 'A', from), values);
    return Object.fromEntries([...values].filter(([key]) => /node|zone/.test(key)));
  };
  t.deepEqual(collect(byZone, CLIENTS.b1), { 'kubernetes/client-node': 'b1', 'kubernetes/client-zone': 'b' });
  t.deepEqual(collect(byZone, CLIENTS.lost), { 'kubernetes/client-node': 'nowhere' });
  t.deepEqual(collect(byZone, CLIENTS.stranger), {});
  t.deepEqual(collect(perNode, CLIENTS.stranger), { 'kubernetes/client-node': 'a1', 'kubernetes/client-zone': 'a' });
});

test('topology: names of nodes that are too long for a label, and odd hints, harm nobody', async (t) => {
  const node = `${'long-'.repeat(20)}node.example.internal`;
  const odd = placed('db', 'db', [{ address: '10.0.0.1', node, zone: 'Zone_a.1' }, DB[2]!]);
  (odd['endpoints'] as Record<string, unknown>[])[1]!['hints'] = { forZones: [{ name: 'a b' }, 7, { name: 3 }] };
  const cluster = new TestCluster({ pods: 'verified', topology: 'node' }, {}, [], ['clients', 'places'])
    .apply(namespace('shop'), headless('db'), odd, onNode('on-it', CLIENTS.a1, node))
    .sync();
  t.is(await cluster.short('db.shop.svc.cluster.local', 'A', cluster.handler, CLIENTS.a1), '10.0.0.1');
});

/** Block in front of the cluster, and the name by which `db` is asked there. */
const BLOCKS = [
  ['cache 30', 'db.shop.svc.cluster.local'],
  ['cache 3600 {\n serve_stale 1h immediate\n prefetch 1 1m 90%\n }', 'db.shop.svc.cluster.local'],
  ['cache 30\nloadbalance', 'db.shop.svc.cluster.local'],
  ['cache 30\nrewrite name exact db.example.org db.shop.svc.cluster.local answer auto', 'db.example.org'],
  ['cache 30\nrewrite stop {\n name suffix .short.example .shop.svc.cluster.local\n }', 'db.short.example'],
  [
    'cache 30\ntemplate IN A db.example.org {\n answer "{{ .Name }} 60 IN CNAME db.shop.svc.cluster.local."\n }',
    'db.example.org',
  ],
  ['cache 30', 'alias.shop.svc.cluster.local'],
] as const;
for (const [body, name] of BLOCKS) {
  test(`topology: ${name} behind "${body.split(' {')[0]!.replaceAll('\n', ', ')}" is never what another client got`, async (t) => {
    const cluster = makeCluster('zone').apply(
      service('shop', 'alias', { type: 'ExternalName', externalName: 'db.shop.svc.cluster.local' }),
    );
    const rig = new BlockRig(body, { last: cluster.handler });
    const ask = async (from: string): Promise<string[]> => {
      const { answers } = await rig.ask(name, { from });
      return answers.flatMap((record) => / A (\S+)$/.exec(record)?.[1] ?? []).toSorted();
    };
    for (let round = 0; round < 3; round++) {
      t.deepEqual(await ask(CLIENTS.a1), ['10.0.0.1', '10.0.0.2']);
      t.deepEqual(await ask(CLIENTS.b1), ['10.0.0.3']);
      t.deepEqual(await ask(CLIENTS.stranger), ['10.0.0.1', '10.0.0.2', '10.0.0.3']);
    }
    rig.close();
  });
}
