// Fault bench: starts before the API server answers, with and without a saved view. Injected time, real files.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'ava';
import { endpoints, FollowedCluster, headless, nameOf, STEADY, web } from './followed-cluster.ts';

const OBJECTS = [web('a', '10.96.0.2'), headless('db'), endpoints('db-1', 'db', '10.1.0.1', '10.1.0.2')];
const made: string[] = [];
test.after.always(() => {
  for (const folder of made) fs.rmSync(folder, { recursive: true, force: true });
});

function makeFolder(): string {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clusterdns-snapshot-'));
  made.push(folder);
  return folder;
}

/** Time passes until the view has been saved `count` times; files take real time, so it passes slowly. */
async function saved(bench: FollowedCluster, count: number): Promise<void> {
  for (let step = 0; step < 5000 && bench.cells[2]! < count; step++) {
    await bench.pass(100);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  if (bench.cells[2]! < count) throw new Error(`not saved\n${bench.logged.join('\n')}`);
}

/** A folder with the saved view of a cluster that held `OBJECTS`. */
async function saveView(): Promise<{ folder: string; file: string }> {
  const folder = makeFolder();
  const bench = await FollowedCluster.synced({ objects: OBJECTS, snapshot: folder });
  await saved(bench, 1);
  bench.stop();
  return { folder, file: bench.keeper!.file };
}

test('no saved view, API server down: every name is SERVFAIL, nothing is denied; truth within 10 s of its return', async (t) => {
  const bench = new FollowedCluster({ objects: OBJECTS });
  bench.api.isDown = true;
  bench.start();
  await bench.pass(120_000);
  for (const name of [nameOf('a'), nameOf('nope'), '2.0.96.10.in-addr.arpa']) t.is(await bench.ask(name), 'SERVFAIL');
  bench.api.comeBack();
  t.log(`${(await bench.until(nameOf('a'), '10.96.0.2', 10_000)) / 1000} s`);
  await bench.finish(t);
});

test('saved view, API server down: served before any time passes, flagged; a missing name is NXDOMAIN with negative TTL 5', async (t) => {
  const { folder } = await saveView();
  const bench = new FollowedCluster({ objects: OBJECTS, snapshot: folder, ttlSeconds: 30 });
  bench.api.isDown = true;
  bench.start();
  await bench.settle();
  t.is(await bench.ask(nameOf('a')), '10.96.0.2');
  t.is(await bench.ask(nameOf('db')), '10.1.0.1, 10.1.0.2');
  t.is(await bench.ask('2.0.96.10.in-addr.arpa', 'PTR'), 'a.shop.svc.cluster.local.');
  const { rcode, authority } = await bench.cluster.ask(nameOf('nope'), 'A');
  t.is(rcode, 'NXDOMAIN');
  t.regex(authority[0]!, /\s5\s+IN\s+SOA\s.*\s5$/);
  t.is(bench.cells[0], 1);
  t.true(bench.logged.some((line) => /serving the snapshot of \S+ \(5 objects, \d+ s old\)/.test(line)));
  await bench.pass(3_600_000, 5000);
  t.is(await bench.ask(nameOf('a')), '10.96.0.2');
  t.true(bench.cells[1]! >= 3500);
  bench.stop();
});

for (const watchList of [true, false]) {
  test(`saved view, ${watchList ? 'streaming' : 'paged'} list: truth within 10 s of the API server's return, whatever its versions`, async (t) => {
    for (const rewound of [false, true]) {
      const { folder } = await saveView();
      const bench = new FollowedCluster({ watchList, snapshot: folder });
      if (!rewound) bench.api.version += 1000;
      bench.api.apply([web('b', '10.96.0.3'), headless('db'), endpoints('db-1', 'db', '10.1.0.2')]);
      bench.api.isDown = true;
      bench.start();
      await bench.pass(60_000);
      t.is(await bench.ask(nameOf('a')), '10.96.0.2');
      bench.api.comeBack();
      const startMs = bench.clock.nowMs();
      for (const [name, expected] of [
        ['b', '10.96.0.3'],
        ['a', 'NXDOMAIN'],
        ['db', '10.1.0.2'],
      ] as const)
        await bench.until(nameOf(name), expected, startMs + 10_000 - bench.clock.nowMs());
      t.log(`${(bench.clock.nowMs() - startMs) / 1000} s`);
      await bench.pass(2000);
      t.is(bench.cells[0], 0);
      t.true(bench.logged.some((line) => line.includes('the snapshot is no longer served')));
      t.is(bench.status('services').repairs, 0);
      await bench.finish(t);
    }
  });
}

const DAMAGES: Readonly<Record<string, [(bytes: Buffer) => Buffer, RegExp]>> = {
  'one bit of an object': [(bytes) => flip(bytes, bytes.length >> 1), /is damaged: its checksum does not match/],
  'the last byte is missing': [(bytes) => bytes.subarray(0, -1), /is damaged: its checksum does not match/],
  'cut in half': [(bytes) => bytes.subarray(0, bytes.length >> 1), /is damaged: its checksum does not match/],
  empty: [() => Buffer.alloc(0), /is damaged or no snapshot/],
  'random bytes': [(bytes) => Buffer.from(bytes.map((_, at) => (at * 7919) >> 3)), /is damaged or no snapshot/],
  'another program’s file': [() => Buffer.from('{"kind":"List"}\n'), /is damaged or no snapshot/],
  'a later format': [(bytes) => Buffer.from(bytes.toString().replace('"version":2', '"version":9')), /is of format 9/],
};

for (const [damage, [change, reason]] of Object.entries(DAMAGES)) {
  test(`saved view refused with a reason: ${damage}`, async (t) => {
    const { folder, file } = await saveView();
    fs.writeFileSync(file, change(fs.readFileSync(file)));
    const bench = new FollowedCluster({ objects: OBJECTS, snapshot: folder });
    bench.api.isDown = true;
    bench.start();
    await bench.settle();
    t.is(await bench.ask(nameOf('a')), 'SERVFAIL');
    t.regex(bench.logged.join('\n'), reason);
    bench.api.comeBack();
    await bench.until(STEADY, '10.96.0.1', 10_000);
    bench.stop();
  });
}

test('saved view refused with a reason: of another cluster, and too old', async (t) => {
  const { folder } = await saveView();
  const foreign = new FollowedCluster({ snapshot: folder });
  foreign.origin = 'another cluster';
  const other = new FollowedCluster({ snapshot: folder, maxAgeMs: 3_600_000 });
  other.clock.advance(2 * 3_600_000);
  for (const [bench, reason] of [
    [refit(foreign, folder), /is of another cluster or of another configuration/],
    [other, /is \d+ s old, more than 3600 s/],
  ] as const) {
    bench.api.isDown = true;
    bench.start();
    await bench.settle();
    t.is(await bench.ask(nameOf('a')), 'SERVFAIL');
    t.regex(bench.logged.join('\n'), reason);
    bench.stop();
  }
});

test('saved view: written at once, then at most every 30 s, hardly while nothing changes, not when the API server is away', async (t) => {
  const folder = makeFolder();
  const bench = await FollowedCluster.synced({ objects: OBJECTS, snapshot: folder });
  await saved(bench, 1);
  for (let count = 0; count < 120; count++) {
    if (count < 60) bench.api.apply(web('busy', `10.96.3.${count + 1}`));
    await bench.pass(1000);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  t.true(bench.cells[2]! >= 2 && bench.cells[2]! <= 4, `${bench.cells[2]} times in 60 s and 60 s after`);
  await quiet();
  // A write that took long on a busy disk puts the next one off, so one may still come.
  const busy = bench.cells[2]!;
  await bench.pass(300_000);
  await quiet();
  t.true(bench.cells[2]! <= busy + 1, `${bench.cells[2]! - busy} times in 5 minutes without a change`);
  bench.api.goDown();
  await bench.pass(150_000);
  await quiet();
  const before = bench.cells[2];
  await bench.pass(1_800_000);
  await quiet();
  t.is(bench.cells[2], before);
  t.is(fs.readdirSync(folder).length, 1);
  bench.stop();
});

test('saved view: a folder that cannot be written is one line in the log and counted', async (t) => {
  const folder = makeFolder();
  fs.writeFileSync(path.join(folder, 'file'), '');
  const bench = await FollowedCluster.synced({ snapshot: path.join(folder, 'file', 'below') });
  for (let count = 0; count < 5; count++) {
    await bench.pass(31_000);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  t.true(bench.cells[3]! >= 2);
  t.is(bench.logged.filter((line) => line.includes('cannot be written')).length, 1);
  await bench.finish(t);
});

test('connection lost for 90 s: denials live 5 s, answers stay; full TTL again when it is back', async (t) => {
  const bench = await FollowedCluster.synced({ objects: OBJECTS, ttlSeconds: 30 });
  const denialTtl = async (): Promise<string> =>
    (await bench.cluster.ask(nameOf('nope'), 'A')).authority[0]!.split(/\s+/)[1]!;
  t.is(await denialTtl(), '30');
  bench.api.goDown();
  await bench.pass(100_000);
  t.is(await denialTtl(), '5');
  t.is(await bench.ask(nameOf('a')), '10.96.0.2');
  bench.api.comeBack();
  await bench.pass(20_000);
  t.is(await denialTtl(), '30');
  await bench.finish(t);
});

/** Gives a write that is under way the real time it needs. */
function quiet(): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, 500));
}

function flip(bytes: Buffer, at: number): Buffer {
  const changed = Buffer.from(bytes);
  changed[at]! ^= 1;
  return changed;
}

/** The keeper anew, after the bench's origin was changed. */
function refit(bench: FollowedCluster, folder: string): FollowedCluster {
  bench.keepIn(folder);
  return bench;
}
