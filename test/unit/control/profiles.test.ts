// The pages below /debug/pprof/ with a fake profiler, and real profiles of a thread.
import test from 'ava';
import { createLogger } from '../../../lib/base/log.ts';
import { HttpServices } from '../../../lib/control/http-services.ts';
import { createProfiler, type Profiler } from '../../../lib/control/profiler.ts';

const SERVICE = { kind: 'pprof', address: '127.0.0.1:0' } as const;

async function serve(profiler: Profiler): Promise<{ base: string; close: () => void }> {
  const log = createLogger({ sink: () => {} });
  const services = new HttpServices({ notReady: () => [], metrics: () => '', profiler, log });
  (await services.prepare([SERVICE])).take();
  return {
    base: `http://127.0.0.1:${services.portOf(SERVICE.address)}/debug/pprof`,
    close: () => services.close('pprof'),
  };
}

const echo: Profiler = { workers: 2, profile: async (...args) => JSON.stringify(args) };

const PAGES: readonly (readonly [path: string, status: number, body: RegExp])[] = [
  ['', 200, /\/debug\/pprof\/profile\?seconds=N/],
  ['/', 200, /0 to 1, 0 unless given/],
  ['/profile?seconds=2', 200, /^\[0,"cpu",2000\]$/],
  ['/profile', 200, /^\[0,"cpu",30000\]$/],
  ['/heap?seconds=1&thread=1', 200, /^\[1,"heap",1000\]$/],
  ['/profile?thread=control', 200, /^\[-1,"cpu",30000\]$/],
  ['/profile?thread=2', 400, /out of range/],
  ['/profile?thread=x', 400, /out of range/],
  ['/profile?seconds=0', 400, /out of range/],
  ['/profile?seconds=301', 400, /out of range/],
  ['/profile?seconds=x', 400, /out of range/],
  ['/goroutine', 404, /no such profile/],
  ['/../../metrics', 404, /404/],
];
for (const [path, status, body] of PAGES) {
  test(`pprof: ${path === '' ? 'the root' : path} is status ${status}`, async (t) => {
    const { base, close } = await serve(echo);
    t.teardown(close);
    const response = await fetch(`${base}${path}`);
    t.is(response.status, status);
    t.regex(await response.text(), body);
  });
}

test('pprof: one profile at a time, and a failure is told', async (t) => {
  let fail: (error: Error) => void = () => undefined;
  const { base, close } = await serve({
    workers: 1,
    profile: () => new Promise((_resolve, reject) => void (fail = reject)),
  });
  t.teardown(close);
  const first = fetch(`${base}/heap`);
  while (fail.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  t.is((await fetch(`${base}/profile`)).status, 503);
  fail(new Error('the thread has ended'));
  t.is((await first).status, 500);
  t.is(await (await first).text(), 'the thread has ended\n');
});

test('pprof: profiles of the control thread have the shape that the developer tools read', async (t) => {
  const profiler = createProfiler(() => {
    throw new Error('no pool');
  });
  const cpu = JSON.parse(await profiler.profile(-1, 'cpu', 20)) as { nodes: unknown[]; samples: unknown[] };
  t.true(cpu.nodes.length > 0 && cpu.samples.length > 0);
  const heap = JSON.parse(await profiler.profile(-1, 'heap', 20)) as { head: { children: unknown[] } };
  t.true(Array.isArray(heap.head.children));
});
