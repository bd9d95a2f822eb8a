// Fault bench: many lists and many connections, seen by a client that asks all the time. Injected time.
import test from 'ava';
import { endpoints, FollowedCluster, headless, nameOf, seededRandom, STEADY, web } from './followed-cluster.ts';

for (const watchList of [true, false]) {
  const mode = watchList ? 'streaming' : 'paged';

  test(`${mode} list: a name asked more than 500 times a second through 20 relists has 0 wrong answers`, async (t) => {
    const objects = Array.from({ length: 1200 }, (_, n) => web(`s${n}`, `10.97.${n >> 8}.${n & 255}`));
    const bench = await FollowedCluster.synced({
      watchList,
      objects: [...objects, headless('db'), endpoints('db-1', 'db', '10.1.0.1')],
    });
    const listsBefore = bench.status('services').lists;
    let asked = 0;
    const wrong: string[] = [];
    const startMs = bench.clock.nowMs();
    const expected: readonly [string, string, string][] = [
      [STEADY, 'A', '10.96.0.1'],
      [nameOf('s999'), 'A', '10.97.3.231'],
      [nameOf('db'), 'A', '10.1.0.1'],
      ['231.3.97.10.in-addr.arpa', 'PTR', 's999.shop.svc.cluster.local.'],
    ];
    const ask = async (): Promise<void> => {
      for (const [name, type, answer] of expected) {
        asked++;
        const seen = await bench.ask(name, type);
        if (seen !== answer) wrong.push(`${name}: ${seen}`);
      }
    };
    for (let round = 0; bench.status('services').lists < listsBefore + 20; round++) {
      // Every other list finds what no event has told.
      bench.api.apply(web('s5', `10.98.0.${(round % 250) + 1}`), { silent: round % 2 === 1 });
      bench.api.compact();
      bench.api.endWatches();
      const before = bench.status('services').lists;
      while (bench.status('services').lists === before) {
        await bench.pass(5, 5);
        await ask();
      }
      for (let turn = 0; turn < 40; turn++) {
        await new Promise<void>((resolve) => void setImmediate(resolve));
        bench.cluster.settle();
        await ask();
      }
    }
    const seconds = (bench.clock.nowMs() - startMs) / 1000;
    t.deepEqual(wrong, []);
    t.true(asked / seconds >= 500, `${asked} in ${seconds} s`);
    t.log(`${asked} answers, ${Math.round(asked / seconds)} a second, 0 wrong`);
    await bench.finish(t);
  });
}

test('200 forced disconnects: one watch a resource, at most one connection more, no list, nothing lost', async (t) => {
  const bench = await FollowedCluster.synced();
  const random = seededRandom(3);
  const listsBefore = bench.status('services').lists;
  let slowestMs = 0;
  for (let count = 0; count < 200; count++) {
    bench.api.reset();
    bench.api.apply(web('moving', `10.96.4.${count + 1}`));
    slowestMs = Math.max(slowestMs, await bench.until(nameOf('moving'), `10.96.4.${count + 1}`, 15_000));
    await bench.pass(random() * 20_000, 500);
    t.true(bench.api.openWatches.length <= 3);
  }
  t.is(bench.status('services').lists, listsBefore);
  t.is(bench.wrong.length, 0);
  t.log(`slowest truth ${slowestMs / 1000} s, at most ${bench.api.mostConnections} connections`);
  await bench.finish(t);
});

test('a server that ends or resets every watch at once: requests stay few, at most one list in 10 s', async (t) => {
  const bench = await FollowedCluster.synced();
  const startMs = bench.clock.nowMs();
  const before = bench.api.seen.length;
  while (bench.clock.nowMs() - startMs < 600_000) {
    bench.api.endWatches();
    await bench.pass(500, 250);
  }
  const requests = bench.api.seen.length - before;
  t.true(requests <= 3 * 600 * 2, `${requests} requests in 10 minutes`);
  t.log(`${requests} requests in 10 minutes for 3 resources`);
  await bench.finish(t);
});

test('5,000 slices rewritten as fast as they come: 0 wrong answers, the last state is exact', async (t) => {
  const objects = Array.from({ length: 500 }, (_, n) => [
    headless(`h${n}`),
    endpoints(`h${n}-1`, `h${n}`, `10.2.${n >> 8}.${n & 255}`),
  ]);
  const bench = await FollowedCluster.synced({ objects: objects.flat() });
  const states = new Map<number, Set<string>>();
  const wrong: string[] = [];
  let asked = 0;
  for (let write = 0; write < 5000; write++) {
    const n = write % 500;
    const address = `10.${3 + Math.floor(write / 500)}.${n >> 8}.${n & 255}`;
    const known = states.get(n) ?? new Set([`10.2.${n >> 8}.${n & 255}`]);
    states.set(n, known.add(address));
    bench.api.apply(endpoints(`h${n}-1`, `h${n}`, address));
    if (write % 10 !== 0) continue;
    await new Promise<void>((resolve) => void setImmediate(resolve));
    bench.cluster.settle();
    const seen = await bench.ask(nameOf(`h${n}`));
    asked++;
    if (!known.has(seen)) wrong.push(`h${n}: ${seen}`);
  }
  await bench.pass(1000);
  for (let n = 0; n < 500; n++) t.is(await bench.ask(nameOf(`h${n}`)), `10.12.${n >> 8}.${n & 255}`);
  t.deepEqual(wrong, []);
  t.log(`${asked} answers in between, 0 wrong`);
  await bench.finish(t);
});
