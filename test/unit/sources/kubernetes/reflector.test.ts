import test from 'ava';
import { ManualClock } from '../../../../lib/base/clock.ts';
import { createLogger } from '../../../../lib/base/log.ts';
import type { Service } from '../../../../lib/sources/kubernetes/objects/service.ts';
import { OneAtATime } from '../../../../lib/sources/kubernetes/one-at-a-time.ts';
import { Reflector } from '../../../../lib/sources/kubernetes/reflector.ts';
import { createServiceResource } from '../../../../lib/sources/kubernetes/resource.ts';
import { Auditor } from '../../../../lib/sources/kubernetes/auditor.ts';
import { bookmark, event, ScriptedApi, service, settle } from './scripted-api.ts';

/** A reflector of Services, what it tells, and the view that follows from it. */
function start() {
  const clock = new ManualClock();
  const api = new ScriptedApi();
  const logged: string[] = [];
  const log = createLogger({ sink: (line) => void logged.push(line.trimEnd()) });
  const told: string[] = [];
  const names = new Map<string, string>();
  let smallest = Number.POSITIVE_INFINITY;
  let proofs = 0;
  const sink = {
    upsert(object: Service, previous: Service | undefined) {
      told.push(`${previous === undefined ? '+' : '~'}${object.name}`);
      names.set(object.name, object.clusterIps.join());
    },
    remove(previous: Service) {
      told.push(`-${previous.name}`);
      names.delete(previous.name);
      smallest = Math.min(smallest, names.size);
    },
    synced: () => void told.push('synced'),
    proofOfLife: () => void proofs++,
  };
  const sideRequests = new OneAtATime();
  const settings = { clock, random: () => 0.5, log, sideRequests };
  const reflector = new Reflector(createServiceResource(), sink, api, settings);
  const auditor = new Auditor(reflector, api, settings);
  reflector.start();
  return {
    clock,
    api,
    logged,
    told,
    names,
    reflector,
    auditor,
    smallest: () => smallest,
    proofs: () => proofs,
    /** Moves time on and lets the reflector act. */
    pass: async (ms: number): Promise<void> => {
      await clock.advanceAsync(ms, Math.max(100, ms / 50));
      await settle();
    },
  };
}

/** A reflector whose first (streaming) list has ended at version 10 with Services a and b. */
async function startSynced() {
  const world = start();
  await settle();
  const watch = world.api.take();
  await watch.ok(event('ADDED', service('a', 5)), event('ADDED', service('b', 6)), bookmark(10, true));
  world.told.length = 0;
  return { ...world, watch };
}

test('first request: a streaming list of the newest state with bookmarks and a random end', async (t) => {
  const { api, reflector } = start();
  await settle();
  const { path, query } = api.take();
  t.is(path, '/api/v1/services');
  t.is(query.get('watch'), 'true');
  t.is(query.get('sendInitialEvents'), 'true');
  t.is(query.get('resourceVersionMatch'), 'NotOlderThan');
  t.is(query.get('allowWatchBookmarks'), 'true');
  t.is(query.get('resourceVersion'), null);
  t.is(query.get('timeoutSeconds'), '450');
  reflector.stop();
});

test('streaming list: nothing is told before the bookmark that ends it, then all and synced', async (t) => {
  const { api, told, reflector } = start();
  await settle();
  const watch = api.take();
  await watch.ok(event('ADDED', service('b', 6)), event('ADDED', service('a', 5)), bookmark(9));
  t.deepEqual(told, []);
  t.false(reflector.synced);
  await watch.lines(bookmark(10, true));
  t.deepEqual(told, ['+b', '+a', 'synced']);
  t.true(reflector.synced);
  t.is(reflector.version, '10');
  reflector.stop();
});

for (const status of [400, 422, 403]) {
  test(`streaming list refused with ${status}: pages of 500 follow at once, then a watch from the first page's version`, async (t) => {
    const { api, told, reflector } = start();
    await settle();
    await api.take().status(status, { kind: 'Status', message: 'sendInitialEvents is forbidden' });
    const first = api.take();
    t.is(first.verb, 'list');
    t.is(first.query.get('limit'), '500');
    t.is(first.query.get('resourceVersion'), '0');
    await first.list('20', [service('a', 5)], 'next');
    const second = api.take();
    t.is(second.query.get('continue'), 'next');
    t.is(second.query.get('resourceVersion'), null);
    await second.list('21', [service('b', 6)]);
    t.deepEqual(told, ['+a', '+b', 'synced']);
    t.is(api.take().query.get('resourceVersion'), '20');
    reflector.stop();
  });
}

test('watch: added, changed and deleted objects are told in order, each with the one before', async (t) => {
  const { watch, told, names, reflector } = await startSynced();
  await watch.lines(
    event('ADDED', service('c', 11, '10.96.0.3')),
    event('MODIFIED', service('a', 12, '10.96.0.9')),
    event('DELETED', service('b', 13)),
  );
  t.deepEqual(told, ['+c', '~a', '-b']);
  t.deepEqual(Object.fromEntries(names), { a: '10.96.0.9', c: '10.96.0.3' });
  t.is(reflector.version, '13');
  reflector.stop();
});

test('watch: an event cut into single bytes is one event', async (t) => {
  const { watch, told, reflector } = await startSynced();
  for (const char of `${JSON.stringify(event('ADDED', service('c', 11)))}\n`) await watch.text(char);
  t.deepEqual(told, ['+c']);
  reflector.stop();
});

test('watch: duplicate and older events lose, also against a deletion', async (t) => {
  const { watch, told, reflector } = await startSynced();
  await watch.lines(event('MODIFIED', service('a', 12)), event('DELETED', service('b', 13)));
  told.length = 0;
  await watch.lines(
    event('MODIFIED', service('a', 12)),
    event('MODIFIED', service('a', 11)),
    event('ADDED', service('b', 12)),
    event('DELETED', service('a', 11)),
  );
  t.deepEqual(told, []);
  t.is(reflector.view.counters.staleEvents, 4);
  t.is(reflector.version, '13');
  reflector.stop();
});

test('watch: the server ends it in good order: watched on from the last version, not listed', async (t) => {
  const { watch, api, pass, reflector } = await startSynced();
  await watch.lines(bookmark(40));
  await pass(30_000);
  await watch.end();
  await pass(1000);
  const next = api.take();
  t.is(next.query.get('resourceVersion'), '40');
  t.is(next.query.get('sendInitialEvents'), null);
  t.is(reflector.counters.errors, 0);
  reflector.stop();
});

test('watch: reset inside a line: watched on from the last whole event, nothing is lost or told twice', async (t) => {
  const { watch, api, pass, told, reflector } = await startSynced();
  await watch.lines(event('ADDED', service('c', 11)));
  await watch.text('{"type":"MODIFIED","object":{"kind":"Serv');
  await watch.reset();
  await pass(1000);
  const next = api.take();
  t.is(next.query.get('resourceVersion'), '11');
  await next.ok(event('MODIFIED', service('c', 12)));
  t.deepEqual(told, ['+c', '~c']);
  reflector.stop();
});

test('watch: a garbage line is counted and watched past; the second in a row brings a list', async (t) => {
  const { watch, api, pass, reflector } = await startSynced();
  await watch.text('<html>bad gateway</html>\n');
  await pass(1000);
  const next = api.take();
  t.is(next.query.get('resourceVersion'), '10');
  t.is(next.query.get('sendInitialEvents'), null);
  await next.ok();
  await next.text('{"type":"EXPLODED"}\n');
  t.is(reflector.counters.badLines, 2);
  await pass(11_000);
  t.is(api.take().query.get('sendInitialEvents'), 'true');
  reflector.stop();
});

test('watch: a line over the bound ends the connection without being held', async (t) => {
  const { watch, api, pass, reflector } = await startSynced();
  const mebibyte = 'x'.repeat(1024 * 1024);
  for (let count = 0; count < 9; count++) await watch.text(mebibyte);
  await pass(1000);
  t.is(reflector.counters.badLines, 1);
  t.is(api.waiting, 1);
  reflector.stop();
});

for (const [what, answer] of [
  [
    '410 as ERROR event',
    async (world: Awaited<ReturnType<typeof startSynced>>) => {
      await world.watch.lines(event('ERROR', { kind: 'Status', code: 410, reason: 'Expired', message: 'too old' }));
    },
  ],
  [
    'another ERROR event',
    async (world: Awaited<ReturnType<typeof startSynced>>) => {
      await world.watch.lines(
        event('ERROR', { kind: 'Status', code: 500, message: 'etcd event received with PrevKv=nil' }),
      );
    },
  ],
  [
    '410 as status',
    async (world: Awaited<ReturnType<typeof startSynced>>) => {
      await world.watch.reset();
      await world.pass(1000);
      await world.api.take().status(410, { kind: 'Status', code: 410, reason: 'Expired', message: 'too old' });
    },
  ],
] as const) {
  test(`${what}: a fresh list within 15 s, its difference told, the view never empty`, async (t) => {
    const world = await startSynced();
    await answer(world);
    await world.pass(15_000);
    const list = world.api.take();
    t.is(list.query.get('sendInitialEvents'), 'true');
    await list.ok(event('ADDED', service('b', 6)), event('ADDED', service('c', 48)), bookmark(50, true));
    t.deepEqual(world.told, ['+c', '-a', 'synced']);
    t.is(world.smallest(), 2);
    t.is(world.reflector.view.counters.repairs, 2);
    world.reflector.stop();
  });
}

test('lists: at most one in 10 s, however often 410 comes', async (t) => {
  const { watch, api, pass, clock, reflector } = await startSynced();
  const startMs = clock.nowMs();
  let lists = 0;
  let current = watch;
  while (clock.nowMs() - startMs < 60_000) {
    await current.lines(event('ERROR', { kind: 'Status', code: 410, reason: 'Expired' }));
    while (api.waiting === 0) await pass(200);
    current = api.take();
    lists++;
    await current.ok(event('ADDED', service('a', 5)), bookmark(50 + lists, true));
  }
  t.true(lists <= 6, `${lists} lists in a minute`);
  t.true(lists >= 4);
  reflector.stop();
});

test('streaming list that stalls: given up after 15 s, the next is paged', async (t) => {
  const { api, pass, reflector } = start();
  await settle();
  const stalled = api.take();
  await stalled.ok(event('ADDED', service('a', 5)));
  await pass(27_000);
  t.true(stalled.aborted);
  t.is(api.take().query.get('limit'), '500');
  reflector.stop();
});

test('half-open connection: a new watch from the last version within 70 s, without a list, and what was missed is told', async (t) => {
  const { watch, api, pass, told, reflector } = await startSynced();
  await pass(70_000);
  t.true(watch.aborted);
  const next = api.take();
  t.is(next.query.get('resourceVersion'), '10');
  t.is(next.query.get('sendInitialEvents'), null);
  await next.ok(event('ADDED', service('late', 11)));
  t.deepEqual(told, ['+late']);
  reflector.stop();
});

test('quiet cluster: one cheap watch a minute and one object for the version, no list, no error, no log line, for an hour', async (t) => {
  const { watch, api, pass, logged, reflector } = await startSynced();
  let watches = 0;
  let probes = 0;
  for (let second = 0; second < 3600; second += 5) {
    await pass(5000);
    while (api.waiting > 0) {
      const next = api.take();
      t.is(next.query.get('sendInitialEvents'), null);
      if (next.verb === 'list') {
        t.is(next.query.get('limit'), '1');
        await next.list('10', [service('a', 5)], 'more');
        probes++;
        continue;
      }
      await next.ok();
      watches++;
    }
  }
  t.true(watch.aborted);
  t.true(watches >= 50 && watches <= 61, `${watches} watches`);
  t.true(Math.abs(probes - watches) <= 1, `${probes} probes`);
  t.is(reflector.counters.errors, 0);
  t.deepEqual(logged, []);
  reflector.stop();
});

test('bookmarks keep a quiet watch alive and are proof of life', async (t) => {
  const { watch, pass, proofs, reflector } = await startSynced();
  const before = proofs();
  for (let version = 11; version < 21; version++) {
    await pass(50_000);
    await watch.lines(bookmark(version));
  }
  t.false(watch.aborted);
  t.is(proofs() - before, 10);
  reflector.stop();
});

test('401: credentials are read again and the request repeated at once; a second 401 waits', async (t) => {
  const { watch, api, pass, reflector } = await startSynced();
  await watch.reset();
  await pass(1000);
  await api.take().status(401, { kind: 'Status', message: 'Unauthorized' });
  t.is(api.refreshes, 1);
  t.is(api.waiting, 1);
  await api.take().status(401, { kind: 'Status', message: 'Unauthorized' });
  t.is(api.waiting, 0);
  await pass(3000);
  t.is(api.waiting, 1);
  reflector.stop();
});

test('403: one log line naming verb and resource, tried again for ever, one line when it works again', async (t) => {
  const { watch, api, pass, logged, reflector } = await startSynced();
  await watch.reset();
  for (let attempt = 0; attempt < 8; attempt++) {
    await pass(11_000);
    await api.take().status(403, { kind: 'Status', message: 'forbidden' });
  }
  t.is(logged.length, 1);
  t.regex(logged[0]!, /403 on watch services: the account may not "watch" it.*its names stay as of \d\d:\d\d:\d\d/);
  await pass(11_000);
  await api.take().ok();
  t.regex(logged[1]!, /services: following the API server again/);
  reflector.stop();
});

test('429 with Retry-After: obeyed with jitter, never undercut', async (t) => {
  const { api, pass, reflector } = start();
  await settle();
  await api.take().status(429, { kind: 'Status', message: 'slow down' }, 7000);
  await pass(6900);
  t.is(api.waiting, 0);
  await pass(1000);
  t.is(api.waiting, 1);
  reflector.stop();
});

test('API server down: retries with growing pauses up to 8 s, however long it lasts; no answer changes', async (t) => {
  const { watch, api, pass, clock, told, logged, reflector } = await startSynced();
  await watch.reset();
  const times: number[] = [];
  while (times.length < 60) {
    while (api.waiting === 0) await pass(100);
    times.push(clock.nowMs());
    await api.take().reset();
  }
  const gaps = times.slice(1).map((time, index) => time - times[index]!);
  t.true(gaps[0]! >= 800 && gaps[0]! <= 1700, `first pause ${gaps[0]}`);
  t.true(Math.max(...gaps) > 4000 && Math.max(...gaps) <= 8100);
  t.deepEqual(told, []);
  t.is(logged.length, 1);
  reflector.stop();
});

test('lagging replica: a list older than what is known is not believed, a deleted object stays deleted', async (t) => {
  const { watch, api, pass, told, reflector } = await startSynced();
  await watch.lines(event('DELETED', service('a', 30)));
  told.length = 0;
  await watch.lines(event('ERROR', { kind: 'Status', code: 410, reason: 'Expired' }));
  await pass(12_000);
  const stale = api.take();
  t.is(stale.query.get('resourceVersion'), '30');
  await stale.ok(event('ADDED', service('a', 5)), event('ADDED', service('b', 6)), bookmark(20, true));
  t.deepEqual(told, []);
  await pass(12_000);
  const newest = api.take();
  t.is(newest.query.get('resourceVersion'), null);
  await newest.ok(event('ADDED', service('b', 6)), bookmark(31, true));
  t.deepEqual(told, ['synced']);
  t.is(reflector.counters.rewinds, 0);
  reflector.stop();
});

test('too large resource version: the newest state is asked for instead', async (t) => {
  const { watch, api, pass, reflector } = await startSynced();
  await watch.lines(event('ERROR', { kind: 'Status', code: 410, reason: 'Expired' }));
  await pass(12_000);
  const causes = [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }];
  await api.take().status(504, { kind: 'Status', code: 504, message: 'Timeout', details: { causes } }, 1000);
  await pass(2000);
  t.is(api.take().query.get('resourceVersion'), null);
  reflector.stop();
});

test('cluster restored from a backup: noticed after the cut, believed when seen twice, truth within 90 s', async (t) => {
  const { watch, api, pass, told, names, clock, logged, reflector } = await startSynced();
  await watch.lines(event('ADDED', service('c', 1000)), event('MODIFIED', service('a', 1001, '10.96.0.77')));
  told.length = 0;
  const startMs = clock.nowMs();
  await watch.reset();
  // The restored server knows a (as it was), b and d; its counter is at 60.
  while (!told.includes('synced') && clock.nowMs() - startMs < 90_000) {
    await pass(500);
    while (api.waiting > 0) {
      const request = api.take();
      if (request.query.get('limit') === '1') await request.list('60', [service('a', 5)], 'more');
      else if (request.query.get('sendInitialEvents') === 'true')
        await request.ok(
          event('ADDED', service('a', 5)),
          event('ADDED', service('b', 6, '10.96.0.66')),
          event('ADDED', service('d', 59)),
          bookmark(60, true),
        );
      else await request.ok();
    }
  }
  t.deepEqual(Object.fromEntries(names), { a: '10.96.0.1', b: '10.96.0.66', d: '10.96.0.1' });
  t.is(reflector.counters.rewinds, 1);
  t.is(reflector.version, '60');
  t.true(logged.some((line) => line.includes('went back from version 1001 to 60')));
  reflector.stop();
});

test('cut connection to an unchanged server: one small request confirms the version, no list', async (t) => {
  const { watch, api, pass, reflector } = await startSynced();
  await watch.reset();
  await pass(1000);
  await api.take().ok();
  await pass(25_000);
  const probe = api.take();
  t.is(probe.query.get('limit'), '1');
  await probe.list('10', [service('a', 5)], 'more');
  await pass(30_000);
  t.is(api.waiting, 0);
  reflector.stop();
});

test('odd objects harm only themselves and are logged once with name and field', async (t) => {
  const { watch, told, logged, names, reflector } = await startSynced();
  const odd = {
    ...service('odd', 11),
    spec: { clusterIP: '10.96.0.300', ports: [{ port: 'http' }, { name: 'dns', port: 53 }] },
  };
  await watch.lines(
    event('ADDED', odd),
    event('ADDED', null),
    event('ADDED', { metadata: null }),
    event('ADDED', { metadata: { namespace: 'shop', name: 'x'.repeat(300), resourceVersion: '12' } }),
    event('MODIFIED', { ...odd, metadata: { namespace: 'shop', name: 'odd', resourceVersion: '13' } }),
    event('ADDED', service('good', 14)),
  );
  t.deepEqual(told, ['+odd', '~odd', '+good']);
  t.is(names.get('odd'), '');
  t.is(reflector.view.counters.badObjects, 5);
  t.is(logged.filter((line) => line.includes('Service shop/odd: spec.clusterIP')).length, 1);
  t.is(reflector.counters.watches, 1);
  reflector.stop();
});

test('audit: lost ADDED and lost DELETED are found, counted, logged and repaired within 10 minutes', async (t) => {
  const { watch, api, pass, told, logged, clock, auditor, reflector } = await startSynced();
  auditor.start();
  const startMs = clock.nowMs();
  while (!told.includes('synced') && clock.nowMs() - startMs < 600_000) {
    if (!watch.aborted) await watch.lines(bookmark(60));
    await pass(5000);
    while (api.waiting > 0) {
      const request = api.take();
      if (request.verb === 'list') await request.list('60', [service('b', 6), service('lost', 55)]);
      else await request.ok(event('ADDED', service('b', 6)), event('ADDED', service('lost', 55)), bookmark(61, true));
    }
  }
  t.deepEqual(told, ['+lost', '-a', 'synced']);
  t.is(auditor.counters.differences, 2);
  t.is(reflector.view.counters.repairs, 2);
  t.true(logged.some((line) => line.includes('audit: 2 of services differ from the API server')));
  auditor.stop();
  reflector.stop();
});

test('stop: the connection is closed and nothing is told afterwards', async (t) => {
  const { watch, api, pass, told, reflector } = await startSynced();
  reflector.stop();
  await settle();
  t.true(watch.aborted);
  await pass(60_000);
  t.is(api.waiting, 0);
  t.deepEqual(told, []);
});
