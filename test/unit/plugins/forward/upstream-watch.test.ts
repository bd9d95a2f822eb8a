// Files and host names that name other upstreams while the server runs.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'ava';
import { ManualClock } from '../../../../lib/base/clock.ts';
import type { Handler, Service } from '../../../../lib/chain/plugin.ts';
import { MetricRegistry } from '../../../../lib/metrics/registry.ts';
import { createForwardHandler } from '../../../../lib/plugins/forward/handler.ts';
import { setupForward } from '../../../../lib/plugins/forward/setup.ts';
import {
  announceUpstreams,
  createUpstreamList,
  declareUpstreams,
} from '../../../../lib/plugins/forward/upstream-list.ts';
import { UpstreamListReader } from '../../../../lib/plugins/forward/upstream-list.ts';
import { type UpstreamWatch, runUpstreamWatch } from '../../../../lib/plugins/forward/upstream-watch.ts';
import { keepLines } from '../block-rig.ts';
import { type TestEnv, ask, directivesOf, makeContext, makeEnv, makeQuery } from '../fake-chain.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'forward-watch-'));
test.after.always(() => fs.rmSync(folder, { recursive: true }));

type WatchRig = {
  readonly env: TestEnv;
  readonly clock: ManualClock;
  readonly lines: string[];
  readonly handler: Handler;
  stop(): Promise<void>;
  /** Where a query goes now. */
  asked(): Promise<string>;
};

async function makeRig(body: string, resolve?: (host: string) => Promise<readonly string[]>): Promise<WatchRig> {
  const metrics = new MetricRegistry();
  const services: Service[] = [];
  const context = { ...makeContext(['.'], metrics), addService: (service: Service) => void services.push(service) };
  const options = await setupForward(directivesOf('forward', body), context);
  const env = makeEnv({ respond: () => ({ rcode: 3 }) as never });
  const handler = createForwardHandler(options, env);
  const lines: string[] = [];
  const abort = new AbortController();
  const { watch } = services[0] as { watch: UpstreamWatch };
  const done = runUpstreamWatch(watch, {
    clock: env.clock,
    log: keepLines(lines),
    metrics,
    signal: abort.signal,
    ...(resolve ? { resolve } : {}),
  });
  let count = 0;
  return {
    env,
    clock: env.clock,
    lines,
    handler,
    async stop() {
      abort.abort();
      await env.clock.advanceAsync(1000, 500);
      await done;
    },
    async asked() {
      env.exchanges.length = 0;
      for (let i = 0; i < 4; i++) await ask(handler, makeQuery(`q${count++}.test`, env.clock));
      return [...new Set(env.exchanges.map(({ address }) => address))].sort().join(' ');
    },
  };
}

test('a resolv.conf that is replaced, also by a symlink swap, is used within two seconds', async (t) => {
  const write = (version: string, text: string): void => {
    fs.mkdirSync(path.join(folder, version));
    fs.writeFileSync(path.join(folder, version, 'resolv.conf'), text);
    fs.symlinkSync(version, path.join(folder, '..data.new'));
    fs.renameSync(path.join(folder, '..data.new'), path.join(folder, '..data'));
  };
  write('v1', 'nameserver 192.0.2.1\n');
  const file = path.join(folder, '..data', 'resolv.conf');
  const rig = await makeRig(`forward . ${file}`);
  t.is(await rig.asked(), '192.0.2.1:53');
  write('v2', 'nameserver 192.0.2.2\nnameserver 192.0.2.3\n');
  await rig.clock.advanceAsync(2000, 500);
  t.is(await rig.asked(), '192.0.2.2:53 192.0.2.3:53');
  fs.writeFileSync(file, 'nameserver 192.0.2.3\n');
  await rig.clock.advanceAsync(2000, 500);
  t.is(await rig.asked(), '192.0.2.3:53');
  for (const [text, line] of [
    ['', `[WARNING] ${file} has no nameserver line; its upstreams stay as they were`],
    [undefined, `[WARNING] ${file} cannot be read; its upstreams stay as they were`],
  ] as const) {
    rig.lines.length = 0;
    if (text === undefined) fs.unlinkSync(file);
    else fs.writeFileSync(file, text);
    await rig.clock.advanceAsync(5000, 500);
    t.deepEqual(rig.lines, [line]);
    t.is(await rig.asked(), '192.0.2.3:53');
    fs.writeFileSync(file, 'nameserver 192.0.2.3\n');
    await rig.clock.advanceAsync(2000, 500);
  }
  await rig.stop();
});

test('a host name that moved is used within two seconds, the old addresses stay while it cannot be looked up', async (t) => {
  let addresses: string[] | Error = ['127.0.0.1'];
  const rig = await makeRig('forward . localhost:5300', async () => {
    if (addresses instanceof Error) throw addresses;
    return addresses;
  });
  addresses = ['192.0.2.8', '192.0.2.7'];
  await rig.clock.advanceAsync(2000, 500);
  t.is(await rig.asked(), '192.0.2.7:5300 192.0.2.8:5300');
  rig.lines.length = 0;
  addresses = ['192.0.2.7', '192.0.2.8'];
  await rig.clock.advanceAsync(3000, 500);
  t.deepEqual(rig.lines, [], 'another order is no change');
  addresses = new Error('queryA ETIMEOUT localhost');
  await rig.clock.advanceAsync(10_000, 500);
  t.deepEqual(rig.lines, [
    '[WARNING] cannot resolve "localhost": queryA ETIMEOUT localhost; its upstreams stay as they were',
  ]);
  t.is(await rig.asked(), '192.0.2.7:5300 192.0.2.8:5300');
  addresses = ['192.0.2.9'];
  await rig.clock.advanceAsync(2000, 500);
  t.is(await rig.asked(), '192.0.2.9:5300');
  t.regex(rig.lines.at(-1)!, /^\[INFO\] upstreams of "\." are now 192\.0\.2\.9:5300$/);
  await rig.stop();
});

test('a lookup that never ends holds nothing up, other words are looked at all the same', async (t) => {
  const file = path.join(folder, 'beside.conf');
  fs.writeFileSync(file, 'nameserver 192.0.2.1\n');
  const rig = await makeRig(`forward . ${file} localhost:5300 {\n policy sequential\n}`, () => new Promise(() => {}));
  fs.writeFileSync(file, 'nameserver 192.0.2.4\n');
  await rig.clock.advanceAsync(2000, 250);
  t.is(await rig.asked(), '192.0.2.4:53');
  await rig.stop();
});

test('a query under way at an upstream that is gone keeps its reply', async (t) => {
  const file = path.join(folder, 'moving.conf');
  fs.writeFileSync(file, 'nameserver 192.0.2.1\n');
  const rig = await makeRig(`forward . ${file}`);
  const before = ask(rig.handler, makeQuery('before.test', rig.clock));
  fs.writeFileSync(file, 'nameserver 192.0.2.2\n');
  await rig.clock.advanceAsync(2000, 500);
  t.is((await before).answer.rcode, 3);
  t.is(await rig.asked(), '192.0.2.2:53');
  await rig.stop();
  rig.env.close();
});

test('a forward with addresses alone is not watched', (t) => {
  const services: Service[] = [];
  const context = { ...makeContext(), addService: (service: Service) => void services.push(service) };
  void setupForward(directivesOf('forward', 'forward . 192.0.2.1 tls://192.0.2.2'), context);
  t.deepEqual(services, []);
});

test('announced lists: slots of those that stay stay, a reader sees whole lists only, labels are bounded', (t) => {
  const metrics = new MetricRegistry();
  const address = (host: string) => ({ scheme: 'dns' as const, host, port: '53', serverName: '' });
  const first = declareUpstreams([address('192.0.2.1'), address('192.0.2.2')], [], metrics);
  const second = declareUpstreams([address('192.0.2.3'), address('192.0.2.2')], first, metrics);
  t.deepEqual(
    first.map(({ to, slot }) => `${to} ${slot}`),
    ['192.0.2.1:53 0', '192.0.2.2:53 1'],
  );
  t.deepEqual(
    second.map(({ to, slot }) => `${to} ${slot}`),
    ['192.0.2.3:53 2', '192.0.2.2:53 1'],
  );
  const list = createUpstreamList();
  const reader = new UpstreamListReader(list);
  t.false(reader.isNew);
  t.true(announceUpstreams(list, second));
  t.true(reader.isNew);
  t.deepEqual(reader.read(), second);
  t.false(reader.isNew);
  Atomics.add(new Int32Array(list), 0, 1);
  t.is(reader.read(), undefined);
  t.true(reader.isNew);
  let current = second;
  for (let i = 0; i < 1000; i++) current = declareUpstreams([address(`10.0.${i >> 8}.${i & 255}`)], current, metrics);
  const labels = [...metrics.families.get('coredns_forward_requests_total')!.series.values()].map(
    ({ labels: { to } }) => to,
  );
  t.true(labels.length <= 65 && labels.includes('other'), `${labels.length}`);
});
