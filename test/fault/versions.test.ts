// Fault bench: replicas that lag, clusters that go back in time, histories that are compacted. Injected time.
import test from 'ava';
import { FollowedCluster, nameOf, web } from './followed-cluster.ts';

for (const watchList of [true, false]) {
  const mode = watchList ? 'streaming' : 'paged';

  test(`${mode} list, a load balancer leads to a lagging replica: nothing comes back, nothing goes back`, async (t) => {
    const bench = await FollowedCluster.synced({
      watchList,
      objects: [web('gone', '10.96.0.2'), web('moved', '10.96.0.3')],
    });
    const before = bench.api.moment();
    bench.api.delete(web('gone', ''));
    bench.api.apply(web('moved', '10.96.0.33'));
    await bench.until(nameOf('gone'), 'NXDOMAIN', 1000);
    bench.api.lagAt(before);
    bench.api.compact();
    bench.api.endWatches();
    for (let step = 0; step < 600; step++) {
      await bench.pass(100);
      t.is(await bench.ask(nameOf('gone')), 'NXDOMAIN');
      t.is(await bench.ask(nameOf('moved')), '10.96.0.33');
    }
    bench.api.apply(web('new', '10.96.0.9'));
    bench.api.lagAt(undefined);
    t.log(`${(await bench.until(nameOf('new'), '10.96.0.9', 30_000)) / 1000} s after the replica caught up`);
    t.is(await bench.ask(nameOf('gone')), 'NXDOMAIN');
    t.is(bench.status('services').rewinds, 0);
    await bench.finish(t);
  });

  test(`${mode} list, etcd restored from a backup: noticed, truth within 90 s`, async (t) => {
    for (let seed = 1; seed <= 4; seed++) {
      const bench = await FollowedCluster.synced({
        watchList,
        seed,
        objects: [web('kept', '10.96.0.2'), web('back', '10.96.0.3')],
      });
      const backup = bench.api.moment();
      for (let count = 0; count < 500; count++) bench.api.apply(web('kept', `10.96.1.${count % 250}`));
      bench.api.delete(web('back', ''));
      bench.api.apply(web('lost', '10.96.0.4'));
      await bench.pass(30_000);
      t.is(await bench.ask(nameOf('lost')), '10.96.0.4');
      bench.api.restore(backup);
      const startMs = bench.clock.nowMs();
      await bench.pass(2000);
      bench.api.apply(web('after', '10.96.0.5'));
      for (const [name, expected] of [
        ['kept', '10.96.0.2'],
        ['back', '10.96.0.3'],
        ['lost', 'NXDOMAIN'],
        ['after', '10.96.0.5'],
      ] as const)
        await bench.until(nameOf(name), expected, 90_000 - (bench.clock.nowMs() - startMs));
      t.log(`seed ${seed}: ${(bench.clock.nowMs() - startMs) / 1000} s`);
      t.is(bench.status('services').rewinds, 1);
      t.true(bench.logged.some((line) => line.includes('went back from version')));
      await bench.finish(t);
    }
  });

  test(`${mode} list, restored behind connections that died without a word: noticed, truth within 90 s`, async (t) => {
    let slowestMs = 0;
    for (let seed = 1; seed <= 12; seed++) {
      const bench = await FollowedCluster.synced({ watchList, seed, objects: [web('kept', '10.96.0.2')] });
      const backup = bench.api.moment();
      for (let count = 0; count < 500; count++) bench.api.apply(web('kept', `10.96.1.${count % 250}`));
      bench.api.apply(web('lost', '10.96.0.4'));
      // Just after a bookmark, and at other moments of the watchdog's minute.
      await bench.pass(seed === 1 ? 57_200 : seed * 7000);
      const audits = bench.status('services').audits;
      const startMs = bench.clock.nowMs();
      bench.api.freeze();
      bench.api.restore(backup, { silent: true });
      await bench.until(nameOf('lost'), 'NXDOMAIN', 90_000);
      await bench.until(nameOf('kept'), '10.96.0.2', 90_000 - (bench.clock.nowMs() - startMs));
      slowestMs = Math.max(slowestMs, bench.clock.nowMs() - startMs);
      t.is(bench.status('services').rewinds, 1);
      t.is(bench.status('services').audits, audits, 'the audit found it, not the probe');
      // Each resource has its own watchdog.
      await bench.pass(40_000);
      await bench.finish(t);
    }
    t.log(`${slowestMs / 1000} s at worst`);
  });

  test(`${mode} list, restored and the counter raised above what it was (--bump-revision): truth within 90 s`, async (t) => {
    const bench = await FollowedCluster.synced({
      watchList,
      objects: [web('kept', '10.96.0.2'), web('back', '10.96.0.3')],
    });
    const backup = bench.api.moment();
    for (let count = 0; count < 50; count++) bench.api.apply(web('kept', `10.96.1.${count}`));
    bench.api.delete(web('back', ''));
    bench.api.apply(web('lost', '10.96.0.4'));
    await bench.until(nameOf('lost'), '10.96.0.4', 1000);
    const startMs = bench.clock.nowMs();
    bench.api.restore(backup);
    bench.api.version = 1_000_000;
    bench.api.compact();
    for (const [name, expected] of [
      ['kept', '10.96.0.2'],
      ['back', '10.96.0.3'],
      ['lost', 'NXDOMAIN'],
    ] as const)
      await bench.until(nameOf(name), expected, startMs + 90_000 - bench.clock.nowMs());
    t.log(`${(bench.clock.nowMs() - startMs) / 1000} s`);
    bench.api.apply(web('kept', '10.96.0.22'));
    await bench.until(nameOf('kept'), '10.96.0.22', 1000);
    await bench.finish(t);
  });

  test(`${mode} list, restored: what was lost and is created again is there at once, whatever version it had`, async (t) => {
    const bench = await FollowedCluster.synced({ watchList });
    const backup = bench.api.moment();
    for (let count = 0; count < 50; count++) bench.api.apply(web('again', `10.96.1.${count}`));
    await bench.until(nameOf('again'), '10.96.1.49', 1000);
    bench.api.restore(backup);
    await bench.until(nameOf('again'), 'NXDOMAIN', 90_000);
    bench.api.apply(web('again', '10.96.0.9'));
    await bench.until(nameOf('again'), '10.96.0.9', 1000);
    bench.api.delete(web('again', ''));
    await bench.until(nameOf('again'), 'NXDOMAIN', 1000);
    await bench.finish(t);
  });

  test(`${mode} list, restored and overtaken before anybody asked: the audit finds it within 10 min`, async (t) => {
    const bench = await FollowedCluster.synced({ watchList, objects: [web('kept', '10.96.0.2')] });
    const backup = bench.api.moment();
    bench.api.apply([web('kept', '10.96.1.1'), web('lost', '10.96.0.4')]);
    await bench.until(nameOf('lost'), '10.96.0.4', 1000);
    const startMs = bench.clock.nowMs();
    bench.api.restore(backup, { silent: true });
    bench.api.version += 10;
    for (const [name, expected] of [
      ['kept', '10.96.0.2'],
      ['lost', 'NXDOMAIN'],
    ] as const)
      await bench.until(nameOf(name), expected, startMs + 600_000 - bench.clock.nowMs());
    t.log(`${(bench.clock.nowMs() - startMs) / 1000} s`);
    await bench.finish(t);
  });

  test(`${mode} list, restored while the API server was away for an hour: truth within 90 s of its return`, async (t) => {
    const bench = await FollowedCluster.synced({ watchList, objects: [web('kept', '10.96.0.2')] });
    const backup = bench.api.moment();
    for (let count = 0; count < 500; count++) bench.api.apply(web('kept', `10.96.1.${count % 250}`));
    await bench.pass(5000);
    bench.api.goDown();
    await bench.pass(3_600_000, 5000);
    bench.api.restore(backup);
    bench.api.comeBack();
    t.log(`${(await bench.until(nameOf('kept'), '10.96.0.2', 90_000)) / 1000} s`);
    await bench.finish(t);
  });
}

test('a late older event loses against a newer object and against a deletion', async (t) => {
  const bench = await FollowedCluster.synced({ objects: [web('a', '10.96.0.2'), web('b', '10.96.0.3')] });
  const older = bench.api.objects().filter(({ kind }) => kind === 'Service');
  bench.api.apply(web('a', '10.96.0.22'));
  bench.api.delete(web('b', ''));
  await bench.until(nameOf('b'), 'NXDOMAIN', 1000);
  for (const object of older) bench.api.inject('services', { type: 'MODIFIED', object });
  for (const object of older) bench.api.inject('services', { type: 'ADDED', object });
  await bench.pass(1000);
  t.is(await bench.ask(nameOf('a')), '10.96.0.22');
  t.is(await bench.ask(nameOf('b')), 'NXDOMAIN');
  t.is(bench.status('services').staleEvents, 6);
  await bench.finish(t);
});

test('compaction every 20 s for ten minutes: truth within 15 s each time, at most one list in 10 s', async (t) => {
  const bench = await FollowedCluster.synced();
  let slowestMs = 0;
  for (let round = 0; round < 30; round++) {
    bench.api.compact();
    bench.api.endWatches();
    bench.api.apply(web('moving', `10.96.2.${round + 1}`));
    slowestMs = Math.max(slowestMs, await bench.until(nameOf('moving'), `10.96.2.${round + 1}`, 15_000));
    await bench.pass(5000);
  }
  t.log(`slowest ${slowestMs / 1000} s`);
  await bench.finish(t);
});
