// Fault bench: option `ready_max_age`, readiness that ends when the view is too old and comes back by itself. Injected time.
import test from 'ava';
import { createLogger } from '../../lib/base/log.ts';
import type { FreshnessWatch } from '../../lib/sources/kubernetes/freshness-watch.ts';
import { createReadyLimit } from '../../lib/sources/kubernetes/ready-limit.ts';
import { FollowedCluster, nameOf, web } from './followed-cluster.ts';

const MAX_AGE_MS = 120_000;

function limitOf(bench: FollowedCluster, savedAtMs?: number): FreshnessWatch {
  const log = createLogger({ sink: (line) => void bench.logged.push(line.trimEnd()) });
  const limit = createReadyLimit(bench.source, { maxAgeMs: MAX_AGE_MS, savedAtMs, clock: bench.clock, log });
  limit.start();
  return limit;
}

const readyLines = (bench: FollowedCluster): string[] => bench.logged.filter((line) => line.includes('/ready'));

test('ready_max_age: a quiet cluster stays ready for an hour', async (t) => {
  const bench = await FollowedCluster.synced();
  const limit = limitOf(bench);
  for (let minute = 0; minute < 60; minute++) {
    await bench.pass(60_000, 1000);
    t.false(limit.isOutdated());
  }
  t.deepEqual(readyLines(bench), []);
  limit.stop();
  await bench.finish(t);
});

test('ready_max_age: API server away, not ready once the view is older than the limit, ready by itself when it is heard; a line each', async (t) => {
  const bench = await FollowedCluster.synced({ objects: [web('a', '10.96.0.2')] });
  const limit = limitOf(bench);
  for (let round = 1; round <= 2; round++) {
    const heardMs = bench.clock.nowMs();
    bench.api.goDown();
    await bench.pass(50_000, 1000);
    t.false(limit.isOutdated(), 'nothing is older than two minutes after 50 s');
    await bench.pass(600_000, 1000);
    t.true(limit.isOutdated());
    t.is(await bench.ask(nameOf('a')), '10.96.0.2');
    t.is(readyLines(bench).length, 2 * round - 1, readyLines(bench).join('\n'));
    t.regex(readyLines(bench).at(-1)!, /(services|namespaces|endpointslices\S*) was last known to be true 2m\d+s ago/);
    bench.api.comeBack();
    await bench.pass(15_000);
    t.false(limit.isOutdated());
    t.is(readyLines(bench).length, 2 * round);
    t.true(bench.clock.nowMs() > heardMs);
  }
  limit.stop();
  await bench.finish(t);
});

test('ready_max_age: one resource of three that is not heard is enough, and is named', async (t) => {
  const bench = await FollowedCluster.synced();
  const limit = limitOf(bench);
  bench.api.refuse({ status: 403, resource: 'endpointslices' });
  bench.api.endWatches();
  await bench.pass(300_000, 1000);
  t.true(limit.isOutdated());
  t.regex(readyLines(bench).join('\n'), /endpointslices\.discovery\.k8s\.io was last known/);
  bench.api.refuseNothing();
  await bench.pass(30_000, 1000);
  t.false(limit.isOutdated());
  limit.stop();
  await bench.finish(t);
});

test('ready_max_age: a saved view counts from the time it is of, until the API server has answered', async (t) => {
  const bench = new FollowedCluster();
  const limit = limitOf(bench, bench.clock.nowMs() - 60_000);
  bench.api.isDown = true;
  bench.start();
  await bench.pass(50_000, 1000);
  t.false(limit.isOutdated());
  await bench.pass(60_000, 1000);
  t.true(limit.isOutdated());
  t.regex(readyLines(bench).join('\n'), /the saved view was last known to be true 2m\d+s ago/);
  bench.api.comeBack();
  await bench.pass(20_000, 1000);
  t.false(limit.isOutdated());
  limit.stop();
  await bench.finish(t);
});

test('ready_max_age: before the first view nothing is too old, there is none', async (t) => {
  const bench = new FollowedCluster();
  const limit = limitOf(bench);
  bench.api.isDown = true;
  bench.start();
  await bench.pass(300_000, 1000);
  t.false(limit.isOutdated());
  limit.stop();
  bench.stop();
});
