// Fault bench: connections that go silent, events that never arrive, an API server that is away. Injected time.
import test from 'ava';
import { endpoints, FollowedCluster, headless, nameOf, web } from './followed-cluster.ts';

for (const watchList of [true, false]) {
  const mode = watchList ? 'streaming list' : 'paged list';

  test(`${mode}: half-open connection without events or bookmarks: truth within 90 s`, async (t) => {
    for (let seed = 1; seed <= 5; seed++) {
      const bench = await FollowedCluster.synced({ watchList, seed, objects: [web('old', '10.96.0.2')] });
      // Just after a bookmark, and at other moments of the watchdog's minute.
      await bench.pass(seed === 1 ? 57_200 : seed * 17_000);
      bench.api.freeze();
      bench.api.apply([web('new', '10.96.0.9'), web('old', '10.96.0.22')]);
      const tookMs = await bench.until(nameOf('new'), '10.96.0.9', 90_000);
      t.is(await bench.ask(nameOf('old')), '10.96.0.22');
      t.log(`seed ${seed}: ${tookMs / 1000} s`);
      await bench.finish(t);
    }
  });

  test(`${mode}: lost ADDED, MODIFIED and DELETED are found, repaired, counted and logged within 10 min`, async (t) => {
    for (let seed = 1; seed <= 3; seed++) {
      const objects = [
        web('gone', '10.96.0.2'),
        web('moved', '10.96.0.3'),
        headless('db'),
        endpoints('db-1', 'db', '10.1.0.1'),
      ];
      const bench = await FollowedCluster.synced({ watchList, seed, objects });
      await bench.pass(seed * 70_000);
      const startMs = bench.clock.nowMs();
      bench.api.apply([web('added', '10.96.0.9'), web('moved', '10.96.0.33')], { silent: true });
      bench.api.apply(endpoints('db-1', 'db', '10.1.0.1', '10.1.0.2'), { silent: true });
      bench.api.delete(web('gone', ''), { silent: true });
      await bench.until(nameOf('added'), '10.96.0.9', 600_000);
      await bench.until(nameOf('gone'), 'NXDOMAIN', 600_000);
      await bench.until(nameOf('moved'), '10.96.0.33', 600_000);
      await bench.until(nameOf('db'), '10.1.0.1, 10.1.0.2', 600_000);
      const tookMs = bench.clock.nowMs() - startMs;
      t.true(tookMs <= 600_000, `${tookMs} ms`);
      t.is(bench.status('services').repairs, 3);
      t.is(bench.status('endpointslices').repairs, 1);
      t.is(bench.logged.filter((line) => line.includes('differ from the API server')).length, 2);
      t.log(`seed ${seed}: ${tookMs / 1000} s`);
      await bench.finish(t);
    }
  });
}

test('streaming list that stalls half way: truth within 90 s of the start of the fault', async (t) => {
  const bench = await FollowedCluster.synced({ objects: [web('old', '10.96.0.2')] });
  bench.api.apply(web('new', '10.96.0.9'), { silent: true });
  bench.api.stallNextLists(3);
  bench.api.compact();
  bench.api.endWatches();
  t.log(`${(await bench.until(nameOf('new'), '10.96.0.9', 90_000)) / 1000} s`);
  await bench.finish(t);
});

test('API server accepts connections and never answers: truth within 90 s, and within 40 s of its return', async (t) => {
  const bench = await FollowedCluster.synced();
  bench.api.hangs = true;
  bench.api.reset();
  await bench.pass(300_000);
  bench.api.apply(web('new', '10.96.0.9'));
  bench.api.hangs = false;
  t.log(`${(await bench.until(nameOf('new'), '10.96.0.9', 40_000)) / 1000} s`);
  await bench.finish(t);
});

test('API server down for 24 h: no answer changes, truth within 10 s of its return', async (t) => {
  const objects = [web('a', '10.96.0.2'), headless('db'), endpoints('db-1', 'db', '10.1.0.1')];
  const bench = await FollowedCluster.synced({ objects });
  bench.api.goDown();
  for (let hour = 0; hour < 24; hour++) {
    await bench.pass(3_600_000, 5000);
    t.is(await bench.ask(nameOf('a')), '10.96.0.2');
    t.is(await bench.ask(nameOf('db')), '10.1.0.1');
    t.is(await bench.ask('2.0.96.10.in-addr.arpa', 'PTR'), 'a.shop.svc.cluster.local.');
    t.is(await bench.ask(nameOf('nope')), 'NXDOMAIN');
  }
  bench.api.apply(web('new', '10.96.0.9'));
  bench.api.delete(web('a', ''));
  bench.api.compact();
  bench.api.comeBack();
  t.log(`${(await bench.until(nameOf('new'), '10.96.0.9', 10_000)) / 1000} s`);
  t.is(await bench.ask(nameOf('a')), 'NXDOMAIN');
  t.true(bench.logged.length <= 8, bench.logged.join('\n'));
  await bench.finish(t);
});
