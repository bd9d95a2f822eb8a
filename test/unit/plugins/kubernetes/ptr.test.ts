// Option `ptr`: which names the address of an endpoint has, and in which order.
import test from 'ava';
import { Answer } from '../../../../lib/chain/answer.ts';
import { finish } from '../../../../lib/chain/finish.ts';
import type { Handler } from '../../../../lib/chain/plugin.ts';
import type { KubernetesOptions } from '../../../../lib/plugins/kubernetes/setup.ts';
import { decodeMessage } from '../../wire-text.ts';
import { BlockRig } from '../block-rig.ts';
import { makeQuery, namespace, type RawObject, service, slice, TestCluster } from './cluster-harness.ts';

const PORTS = [{ name: 'pg', port: 5432, protocol: 'TCP' }];
const ADDRESS = '10.0.0.1';
const REVERSE = '1.0.0.10.in-addr.arpa';

/** One Pod behind a governing Service (with host name), two other headless ones and one with a cluster address. */
const SLICES = {
  db: slice('shop', 'db-1', 'db', PORTS, [{ address: ADDRESS, hostname: 'db-0' }]),
  all: slice('shop', 'all-1', 'all', PORTS, [{ address: ADDRESS }, { address: '10.0.0.2' }]),
  canary: slice('shop', 'canary-1', 'canary', PORTS, [{ address: ADDRESS }]),
  web: slice('shop', 'web-1', 'web', PORTS, [{ address: ADDRESS }]),
};
const SERVICES = [
  namespace('shop'),
  ...['db', 'all', 'canary'].map((name) => service('shop', name, { clusterIP: 'None', ports: PORTS })),
  service('shop', 'web', { clusterIP: '10.96.0.17', ports: PORTS }),
];

function makeCluster(ptr: KubernetesOptions['ptr'], slices: readonly RawObject[]): TestCluster {
  const view = ptr === 'all' ? {} : { sortedPointers: true };
  return new TestCluster(view, ptr === undefined ? {} : { ptr }).apply(...SERVICES, ...slices).sync();
}

/** First two labels of each target, in the order of the reply. */
async function targets(handler: Handler, name = REVERSE): Promise<string> {
  const query = makeQuery(name, 'PTR');
  const answer = new Answer();
  answer.begin(query);
  await handler(query, answer);
  const length = finish(query, answer);
  const reply = decodeMessage(answer.bytes.subarray(answer.base, answer.base + length));
  return reply.answer.map((record) => record.split(/\s+/)[4]!.split('.').slice(0, 2).join('.')).join(' ');
}

const { db, all, canary, web } = SLICES;
const HISTORIES = {
  forwards: [db, all, canary, web],
  backwards: [web, canary, all, db],
  mixed: [canary, db, web, all],
};

for (const [history, slices] of Object.entries(HISTORIES)) {
  test(`ptr prefer-hostname: the host name comes first, the rest by name (slices came ${history})`, async (t) => {
    const cluster = makeCluster('prefer-hostname', slices);
    t.is(await targets(cluster.handler), 'db-0.db 10-0-0-1.all 10-0-0-1.canary 10-0-0-1.web');
  });

  test(`ptr hostname-only: only the host name (slices came ${history})`, async (t) => {
    t.is(await targets(makeCluster('hostname-only', slices).handler), 'db-0.db');
  });
}

test('ptr all: every name, as CoreDNS', async (t) => {
  t.is(
    await targets(makeCluster('all', HISTORIES.forwards).handler),
    'db-0.db 10-0-0-1.all 10-0-0-1.canary 10-0-0-1.web',
  );
  t.is(
    await targets(makeCluster('all', HISTORIES.backwards).handler),
    '10-0-0-1.web 10-0-0-1.canary 10-0-0-1.all db-0.db',
  );
});

test('ptr hostname-only: an address without host name has all its names', async (t) => {
  const cluster = makeCluster('hostname-only', [web, canary, all]);
  t.is(await targets(cluster.handler), '10-0-0-1.all 10-0-0-1.canary 10-0-0-1.web');
  t.is(await targets(cluster.handler, '2.0.0.10.in-addr.arpa'), '10-0-0-2.all');
});

test('ptr: a cluster address is its Service alone, with every word', async (t) => {
  for (const ptr of ['all', 'prefer-hostname', 'hostname-only'] as const) {
    const cluster = makeCluster(ptr, HISTORIES.forwards);
    t.is(await targets(cluster.handler, '17.0.96.10.in-addr.arpa'), 'web.shop', ptr);
  }
});

test('ptr: the order stays when endpoints come and go, and nothing is left of what is gone', async (t) => {
  const cluster = makeCluster('prefer-hostname', HISTORIES.forwards);
  cluster.delete(db, canary);
  t.is(await targets(cluster.handler), '10-0-0-1.all 10-0-0-1.web');
  cluster.apply(canary, db);
  t.is(await targets(cluster.handler), 'db-0.db 10-0-0-1.all 10-0-0-1.canary 10-0-0-1.web');
  const again = makeCluster('prefer-hostname', HISTORIES.mixed);
  t.deepEqual(cluster.dump(), again.dump());
  // The same endpoint loses its host name.
  cluster.apply(slice('shop', 'db-1', 'db', PORTS, [{ address: ADDRESS }]));
  t.is(await targets(cluster.handler), '10-0-0-1.all 10-0-0-1.canary 10-0-0-1.db 10-0-0-1.web');
});

test('ptr: several host names at one address stand in the order of their names', async (t) => {
  const other = slice('shop', 'a-1', 'a', PORTS, [{ address: ADDRESS, hostname: 'host' }]);
  for (const slices of [
    [db, other, all],
    [all, other, db],
  ]) {
    const cluster = makeCluster('hostname-only', slices).apply(service('shop', 'a', { clusterIP: 'None' }));
    t.is(await targets(cluster.handler), 'db-0.db host.a');
  }
});

for (const policy of ['loadbalance', 'loadbalance round_robin {\n prefer 10.0.0.0/8\n }', '']) {
  test(`ptr: the order passes "${policy.split(' {')[0]}" and cache unchanged`, async (t) => {
    const cluster = makeCluster('prefer-hostname', HISTORIES.mixed);
    const rig = new BlockRig(`cache 30\n${policy}`, { last: cluster.handler });
    for (let i = 0; i < 20; i++) {
      t.is(await targets(rig.handler), 'db-0.db 10-0-0-1.all 10-0-0-1.canary 10-0-0-1.web');
    }
  });
}
