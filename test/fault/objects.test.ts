// Fault bench: objects that no schema allows, and histories that are hard to follow. Injected time.
import test from 'ava';
import { endpoints, FollowedCluster, headless, HTTP, nameOf, seededRandom, web } from './followed-cluster.ts';
import { answersOf } from './reference-model.ts';
import type { KubeObject, Moment, SimulatedApi } from './simulated-api.ts';

const LONG = 'x'.repeat(300);
const object = (kind: string, name: string, rest: Record<string, unknown>): KubeObject => ({
  kind,
  metadata: { name, namespace: 'shop' },
  ...rest,
});
const slice = (name: string, rest: Record<string, unknown>): KubeObject => ({
  kind: 'EndpointSlice',
  metadata: { name, namespace: 'shop', labels: { 'kubernetes.io/service-name': 'db' } },
  addressType: 'IPv4',
  ports: [HTTP],
  ...rest,
});

/** Objects with something wrong, and whether nothing of them can be served. */
const ODD: Readonly<Record<string, KubeObject>> = {
  'spec null': object('Service', 'odd', { spec: null }),
  'spec missing': object('Service', 'odd', {}),
  'spec a list': object('Service', 'odd', { spec: [1, 2] }),
  'ports a number': object('Service', 'odd', { spec: { clusterIP: '10.96.7.7', ports: 80 } }),
  'port a text': object('Service', 'odd', { spec: { clusterIP: '10.96.7.7', ports: [{ port: 'http' }] } }),
  'port too large': object('Service', 'odd', { spec: { clusterIP: '10.96.7.7', ports: [{ port: 70_000 }] } }),
  'clusterIP no address': object('Service', 'odd', { spec: { clusterIP: 'example.org', ports: [HTTP] } }),
  'clusterIPs of wrong types': object('Service', 'odd', {
    spec: { clusterIPs: [null, 7, {}, '10.96.7.300'], ports: [HTTP] },
  }),
  'externalName of 300 characters': object('Service', 'odd', { spec: { type: 'ExternalName', externalName: LONG } }),
  'name of 300 characters': object('Service', LONG, { spec: { clusterIP: '10.96.7.7', ports: [HTTP] } }),
  'name with a dot': object('Service', 'a.b', { spec: { clusterIP: '10.96.7.7', ports: [HTTP] } }),
  'empty namespace': { kind: 'Service', metadata: { name: 'odd', namespace: '' }, spec: { clusterIP: '10.96.7.7' } },
  'labels a text': {
    kind: 'Service',
    metadata: { name: 'odd', namespace: 'shop', labels: 'x' },
    spec: { clusterIP: '10.96.7.7' },
  },
  'slice with endpoints null': slice('odd', { endpoints: null }),
  'slice with endpoints an object': slice('odd', { endpoints: {} }),
  'slice with null endpoints': slice('odd', { endpoints: [null, 3, 'x'] }),
  'slice with addresses that are none': slice('odd', {
    endpoints: [{ addresses: ['example.org', '10.1.0.999', null, ''] }],
  }),
  'slice with an IPv6 address in IPv4': slice('odd', { endpoints: [{ addresses: ['fd00::1'] }] }),
  'slice with host name of 300 characters': slice('odd', { endpoints: [{ addresses: ['10.1.0.1'], hostname: LONG }] }),
  'slice with an empty host name': slice('odd', { endpoints: [{ addresses: ['10.1.0.1'], hostname: '' }] }),
  'slice with a host name of two labels': slice('odd', { endpoints: [{ addresses: ['10.1.0.1'], hostname: 'a.b' }] }),
  'slice with conditions of wrong types': slice('odd', { endpoints: [{ addresses: ['10.1.0.1'], conditions: 'yes' }] }),
  'slice without addressType': slice('odd', { addressType: undefined, endpoints: [{ addresses: ['10.1.0.9'] }] }),
  'slice of an unknown addressType': slice('odd', { addressType: 'Carrier', endpoints: [{ addresses: ['10.1.0.9'] }] }),
  'slice with a service name of 300 characters': {
    ...slice('odd', { endpoints: [{ addresses: ['10.1.0.9'] }] }),
    metadata: { name: 'odd', namespace: 'shop', labels: { 'kubernetes.io/service-name': LONG } },
  },
};

for (const watchList of [true, false]) {
  for (const [what, odd] of Object.entries(ODD)) {
    test(`${watchList ? 'streaming' : 'paged'} list, ${what}: harms only itself, as an event and in a list`, async (t) => {
      const others = [web('a', '10.96.0.2'), headless('db'), endpoints('db-1', 'db', '10.1.0.1')];
      const bench = await FollowedCluster.synced({ watchList, objects: [...others, odd] });
      t.is(await bench.ask(nameOf('a')), '10.96.0.2');
      t.is(await bench.ask(nameOf('db')), '10.1.0.1');
      bench.api.delete(odd);
      bench.api.apply(odd);
      bench.api.apply(odd);
      bench.api.apply([web('a', '10.96.0.22'), endpoints('db-1', 'db', '10.1.0.2')]);
      await bench.until(nameOf('a'), '10.96.0.22', 1000);
      const withOdd =
        'addresses' in ((odd.endpoints as { addresses?: string[] }[] | null)?.[0] ?? {})
          ? '10.1.0.1, 10.1.0.2'
          : '10.1.0.2';
      t.true(['10.1.0.2', withOdd].includes(await bench.ask(nameOf('db'))), await bench.ask(nameOf('db')));
      const lines = bench.logged.filter((line) => line.includes('skipped'));
      t.true(lines.length <= 9, lines.join('\n'));
      t.is(new Set(lines).size, lines.length, 'a line was logged twice');
      t.is(bench.logged.length, lines.length, bench.logged.join('\n'));
      await bench.finish(t);
    });
  }
}

test('events with odd objects (null, no metadata, numbers): counted, the watch goes on', async (t) => {
  const bench = await FollowedCluster.synced();
  for (const odd of [
    null,
    7,
    'x',
    [],
    {},
    { metadata: null },
    { metadata: 7 },
    { metadata: { name: 7, namespace: [] } },
  ]) {
    for (const type of ['ADDED', 'MODIFIED', 'DELETED']) bench.api.inject('services', { type, object: odd });
  }
  bench.api.apply(web('new', '10.96.0.9'));
  await bench.until(nameOf('new'), '10.96.0.9', 1000);
  t.true(bench.status('services').badObjects >= 20, `${bench.status('services').badObjects}`);
  t.is(bench.status('services').errors, 0);
  await bench.finish(t);
});

test('namespaces named svc, pod and com: their Services answer, others are untouched', async (t) => {
  const objects = ['svc', 'pod', 'com'].flatMap((name, n) => [
    { kind: 'Namespace', metadata: { name } },
    { ...web('web', `10.96.8.${n + 1}`), metadata: { name: 'web', namespace: name } },
  ]);
  const bench = await FollowedCluster.synced({ objects: [...objects, web('a', '10.96.0.2')] });
  for (const [n, name] of ['svc', 'pod', 'com'].entries())
    t.is(await bench.ask(`web.${name}.svc.cluster.local`), `10.96.8.${n + 1}`);
  t.is(await bench.ask(nameOf('a')), '10.96.0.2');
  t.is(await bench.ask('svc.cluster.local'), 'NODATA');
  await bench.finish(t);
});

test('one name deleted and created 1,000 times: the last state is exact', async (t) => {
  const bench = await FollowedCluster.synced();
  for (let count = 0; count < 1000; count++) {
    bench.api.apply(web('reborn', `10.96.5.${(count % 250) + 1}`));
    if (count % 7 === 0) await bench.pass(100);
    bench.api.delete(web('reborn', ''));
    if (count % 11 === 0) await bench.pass(100);
    if (count % 97 === 0) bench.api.reset();
  }
  await bench.until(nameOf('reborn'), 'NXDOMAIN', 15_000);
  bench.api.apply(web('reborn', '10.96.5.251'));
  await bench.until(nameOf('reborn'), '10.96.5.251', 1000);
  t.is(await bench.ask('251.5.96.10.in-addr.arpa', 'PTR'), 'reborn.shop.svc.cluster.local.');
  t.is(await bench.ask('250.5.96.10.in-addr.arpa', 'PTR'), 'NXDOMAIN');
  await bench.finish(t);
});

test('a Service that changes between headless and ClusterIP, with two slices: exact each time', async (t) => {
  const bench = await FollowedCluster.synced({
    objects: [endpoints('x-1', 'x', '10.1.0.1'), endpoints('x-2', 'x', '10.1.0.2', '10.1.0.1')],
  });
  for (let count = 0; count < 20; count++) {
    bench.api.apply(web('x', '10.96.6.6'));
    await bench.until(nameOf('x'), '10.96.6.6', 1000);
    t.is(await bench.ask('6.6.96.10.in-addr.arpa', 'PTR'), 'x.shop.svc.cluster.local.');
    bench.api.apply(headless('x'));
    await bench.until(nameOf('x'), '10.1.0.1, 10.1.0.2', 1000);
    t.is(await bench.ask('6.6.96.10.in-addr.arpa', 'PTR'), 'NXDOMAIN');
  }
  await bench.finish(t);
});

/** Addresses that no other Service has: the API gives each to one, and to another one once that is gone. */
function freeAddresses({ api }: FollowedCluster, name: string): string[] {
  const others = api.objects().filter(({ kind, metadata }) => kind === 'Service' && metadata.name !== name);
  const taken = new Set(others.map(({ spec }) => (spec as { clusterIP?: string }).clusterIP));
  return Array.from({ length: 9 }, (_, n) => `10.96.9.${n + 1}`).filter((address) => !taken.has(address));
}

const FAULTS: readonly ((api: SimulatedApi) => void)[] = [
  (api) => api.reset(),
  (api) => api.compact(),
  (api) => api.freeze(),
  (api) => api.cutNext(),
  (api) => api.endWatches(),
  (api) => api.inject('services', 'garbage\n'),
  (api) => api.stallNextLists(1),
];
/**
 * What hides the API server for long. Not together with a plain restore: it may give out the same versions again meanwhile, and then
 * nothing tells one history from the other.
 */
const OUTAGES: readonly ((api: SimulatedApi) => void)[] = [
  (api) => api.lagAt(api.moment()),
  (api) => api.lagAt(undefined),
  (api) => {
    api.hangs = !api.hangs;
  },
  (api) => api.goDown(),
  (api) => api.comeBack(),
  (api) => api.refuse({ status: 500 }),
  (api) => api.refuseNothing(),
  (api) => {
    api.watchList = !api.watchList;
  },
];

function recover(api: SimulatedApi): void {
  api.lagAt(undefined);
  api.hangs = false;
  api.comeBack();
  api.refuseNothing();
}

/** A restore after which no version is given out a second time. */
function restoreAndRaise(api: SimulatedApi, backup: Moment): void {
  const { version } = api;
  api.restore(backup);
  api.version = version + 1_000_000;
  api.compact();
}

test('random histories with random faults: every answer is that of a reference model made from the objects alone', async (t) => {
  let compared = 0;
  for (let seed = 1; seed <= 60; seed++) {
    const random = seededRandom(seed * 7919);
    const pick = <T>(all: readonly T[]): T => all[Math.floor(random() * all.length)]!;
    const bench = await FollowedCluster.synced({ watchList: seed % 2 === 0, seed });
    const backup = bench.api.moment();
    const restore = (api: SimulatedApi): void => api.restore(backup);
    const raise = (api: SimulatedApi): void => restoreAndRaise(api, backup);
    for (let step = 0; step < 60; step++) {
      const name = pick(['a', 'b', 'c']);
      const silent = random() < 0.1;
      const change = pick([
        () => bench.api.apply(web(name, pick(freeAddresses(bench, name))), { silent }),
        () => bench.api.apply(headless(name), { silent }),
        () =>
          bench.api.apply(
            endpoints(`${name}-${pick([1, 2])}`, name, ...pick([['10.1.9.1'], ['10.1.9.2', '10.1.9.3'], []])),
            { silent },
          ),
        () => bench.api.delete(web(name, ''), { silent }),
        () => bench.api.delete(endpoints(`${name}-1`, name), { silent }),
      ]);
      change();
      if (random() < 0.15) pick(seed % 5 === 0 ? [...FAULTS, restore] : [...FAULTS, ...OUTAGES, raise])(bench.api);
      await bench.pass(random() * 8000, 400);
    }
    recover(bench.api);
    await bench.pass(700_000, 2000);
    const model = answersOf(bench.api.objects());
    for (const name of ['a', 'b', 'c'].map(nameOf))
      for (const type of ['A', 'AAAA', 'SRV'] as const) {
        compared++;
        t.is(await bench.ask(name, type), model.answer(name, type), `seed ${seed}: ${name} ${type}`);
      }
    for (let n = 1; n < 10; n++)
      for (const address of [`10.96.9.${n}`, `10.1.9.${n}`]) {
        compared++;
        const name = `${address.split('.').reverse().join('.')}.in-addr.arpa`;
        t.is(await bench.ask(name, 'PTR'), model.answer(name, 'PTR'), `seed ${seed}: ${name}`);
      }
    bench.stop();
  }
  t.log(`${compared} answers compared`);
});
