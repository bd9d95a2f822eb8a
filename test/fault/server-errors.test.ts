// Fault bench: an API server that answers with errors, cuts streams or sends what it should not. Injected time.
import test from 'ava';
import { endpoints, FollowedCluster, headless, nameOf, web } from './followed-cluster.ts';

const RESOURCES = ['namespaces', 'services', 'endpointslices'];

/** How the server loses a watch; the next event never comes through it. */
const FAULTS: Readonly<Record<string, (bench: FollowedCluster) => void>> = {
  '410 inside the stream': ({ api }) => {
    api.compact();
    for (const name of RESOURCES)
      api.inject(name, { type: 'ERROR', object: { kind: 'Status', code: 410, reason: 'Expired' } });
    api.endWatches();
  },
  '410 as the status of a watch': ({ api }) => {
    api.goneAsStatus = true;
    api.compact();
    api.endWatches();
  },
  'ERROR event 500': ({ api }) => {
    for (const name of RESOURCES)
      api.inject(name, { type: 'ERROR', object: { kind: 'Status', code: 500, message: 'etcd' } });
    api.endWatches();
  },
  'ERROR event without a Status': ({ api }) => {
    for (const name of RESOURCES) api.inject(name, { type: 'ERROR', object: null });
  },
  'reset between events': ({ api }) => api.reset(),
  'reset inside a line of JSON': ({ api }) => api.cutNext(),
  'a line of garbage': ({ api }) => {
    for (const name of RESOURCES) api.inject(name, '<html>502 Bad Gateway</html>\n');
  },
  'garbage without an end': ({ api }) => {
    for (const name of RESOURCES) for (let part = 0; part < 9; part++) api.inject(name, 'x'.repeat(1024 * 1024));
  },
  'an event of an unknown type': ({ api }) => {
    for (const name of RESOURCES) api.inject(name, { type: 'EXPLODED', object: {} });
  },
};

for (const watchList of [true, false]) {
  for (const [fault, inflict] of Object.entries(FAULTS)) {
    test(`${watchList ? 'streaming' : 'paged'} list, ${fault}: truth within 15 s`, async (t) => {
      const objects = [web('old', '10.96.0.2'), headless('db'), endpoints('db-1', 'db', '10.1.0.1')];
      const bench = await FollowedCluster.synced({ watchList, objects });
      await bench.pass(20_000);
      inflict(bench);
      bench.api.apply([web('new', '10.96.0.9'), endpoints('db-1', 'db', '10.1.0.2')]);
      bench.api.delete(web('old', ''));
      const tookMs = await bench.until(nameOf('new'), '10.96.0.9', 15_000);
      await bench.until(nameOf('old'), 'NXDOMAIN', 15_000 - tookMs);
      await bench.until(nameOf('db'), '10.1.0.2', 15_000 - tookMs);
      t.log(`${tookMs / 1000} s`);
      await bench.finish(t);
    });
  }
}

for (const status of [500, 503, 504, 429]) {
  test(`${status} for five minutes: truth within 15 s of recovery, no answer changes meanwhile`, async (t) => {
    const bench = await FollowedCluster.synced({ objects: [web('old', '10.96.0.2')] });
    bench.api.refuse({ status });
    bench.api.reset();
    await bench.pass(300_000);
    t.is(await bench.ask(nameOf('old')), '10.96.0.2');
    const tries = bench.api.seen.filter((request) => request.status === status).length;
    t.true(tries >= 90 && tries <= 250, `${tries} tries in 5 minutes`);
    bench.api.refuseNothing();
    bench.api.apply(web('new', '10.96.0.9'));
    t.log(`${(await bench.until(nameOf('new'), '10.96.0.9', 15_000)) / 1000} s`);
    await bench.finish(t);
  });
}

test('429 with Retry-After 7: never undercut, the resources spread out, truth within 15 s of recovery', async (t) => {
  const bench = await FollowedCluster.synced();
  bench.api.refuse({ status: 429, retryAfterMs: 7000 });
  bench.api.reset();
  await bench.pass(120_000);
  const times = new Map<string, number[]>();
  for (const { resource, atMs, status } of bench.api.seen)
    if (status === 429) times.set(resource, [...(times.get(resource) ?? []), atMs]);
  for (const each of times.values()) {
    const gaps = each.slice(1).map((atMs, index) => atMs - each[index]!);
    t.true(Math.min(...gaps) >= 7000, `asked again after ${Math.min(...gaps)} ms`);
    t.true(new Set(gaps).size > 2, 'no jitter');
  }
  bench.api.refuseNothing();
  bench.api.apply(web('new', '10.96.0.9'));
  t.log(`${(await bench.until(nameOf('new'), '10.96.0.9', 15_000)) / 1000} s`);
  await bench.finish(t);
});

test('token rotation: a 401 has the file read again at once, truth within 10 s', async (t) => {
  const bench = await FollowedCluster.synced();
  bench.api.acceptedToken = 'second';
  bench.api.tokenFile = 'second';
  bench.api.reset();
  bench.api.apply(web('new', '10.96.0.9'));
  t.log(`${(await bench.until(nameOf('new'), '10.96.0.9', 10_000)) / 1000} s`);
  t.true(bench.api.refreshes >= 1);
  await bench.finish(t);
});

test('token rotation: a file that is changed late is picked up within 10 s', async (t) => {
  const bench = await FollowedCluster.synced();
  bench.api.acceptedToken = 'second';
  bench.api.reset();
  await bench.pass(60_000);
  bench.api.apply(web('new', '10.96.0.9'));
  bench.api.tokenFile = 'second';
  t.log(`${(await bench.until(nameOf('new'), '10.96.0.9', 10_000)) / 1000} s`);
  await bench.finish(t);
});

test('403 on one resource: one log line naming verb and resource, the rest serves and follows', async (t) => {
  const bench = await FollowedCluster.synced({ objects: [headless('db'), endpoints('db-1', 'db', '10.1.0.1')] });
  bench.api.refuse({ status: 403, resource: 'endpointslices' });
  bench.api.reset();
  await bench.pass(120_000);
  bench.api.apply(web('new', '10.96.0.9'));
  await bench.until(nameOf('new'), '10.96.0.9', 1000);
  t.is(await bench.ask(nameOf('db')), '10.1.0.1');
  const lines = bench.logged.filter((line) => line.includes('403'));
  t.is(lines.length, 1, lines.join('\n'));
  t.regex(
    lines[0]!,
    /403 on (?:watch|list) endpointslices\.discovery\.k8s\.io: the account may not "(?:watch|list)" it/,
  );
  bench.api.refuseNothing();
  await bench.pass(15_000);
  await bench.finish(t);
});

test('403 on one resource from the start: what the others tell is served, what it would tell is SERVFAIL, one log line', async (t) => {
  const bench = new FollowedCluster({
    objects: [web('a', '10.96.0.2'), headless('db'), endpoints('db-1', 'db', '10.1.0.1')],
  });
  bench.api.refuse({ status: 403, resource: 'endpointslices' });
  bench.source.start();
  await bench.pass(5000);
  t.is(await bench.ask(nameOf('a')), 'SERVFAIL');
  bench.cluster.view.serveIncomplete();
  await bench.pass(120_000);
  t.is(await bench.ask(nameOf('a')), '10.96.0.2');
  t.is(await bench.ask(nameOf('db')), 'SERVFAIL');
  t.is(await bench.ask(nameOf('nope')), 'SERVFAIL');
  const lines = bench.logged.filter((line) => line.includes('403'));
  t.is(lines.length, 1, lines.join('\n'));
  bench.api.refuseNothing();
  await bench.until(nameOf('db'), '10.1.0.1', 15_000);
  t.is(await bench.ask(nameOf('nope')), 'NXDOMAIN');
  await bench.finish(t);
});
