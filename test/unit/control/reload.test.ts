// When and how a configuration is replaced, on a fake server and a manual clock.
import test from 'ava';
import { ManualClock } from '../../../lib/base/clock.ts';
import { ConfigError } from '../../../lib/base/errors.ts';
import { createLogger } from '../../../lib/base/log.ts';
import type { Service } from '../../../lib/chain/plugin.ts';
import type { Corefile } from '../../../lib/config/corefile.ts';
import { Reloader } from '../../../lib/control/reload.ts';

const corefile = (hash: string): Corefile => ({ blocks: [], warnings: [], hash, importedFiles: [] });
const RELOAD: Service = { kind: 'reload', intervalMs: 30_000, jitterMs: 0 };

type Bench = {
  readonly reloader: Reloader;
  readonly clock: ManualClock;
  readonly lines: string[];
  readonly taken: string[];
  readonly server: { services: readonly Service[]; failures: number; refuse: string };
  /** What the next look finds: a hash, or an error. */
  found: string | ConfigError;
};

function createBench(random = 0.5): Bench {
  const clock = new ManualClock();
  const lines: string[] = [];
  const taken: string[] = [];
  const server = {
    services: [RELOAD] as readonly Service[],
    failures: 0,
    refuse: '',
    async replace({ hash }: Corefile): Promise<void> {
      await Promise.resolve();
      if (server.refuse !== '') throw new ConfigError('ARGUMENT_VALUE', server.refuse, 'Corefile', 6);
      taken.push(hash);
    },
    countFailedReload(): void {
      server.failures++;
    },
  };
  const bench: Omit<Bench, 'reloader'> = { clock, lines, taken, server, found: 'a' };
  const reloader = new Reloader('a', {
    server,
    load: () => {
      if (bench.found instanceof ConfigError) throw bench.found;
      return corefile(bench.found);
    },
    clock,
    log: createLogger({ sink: (line) => void lines.push(line.trimEnd()) }),
    random: () => random,
  });
  return Object.assign(bench, { reloader });
}

test('reload: logs the hash at start and looks again at each interval', async (t) => {
  const { reloader, clock, lines, taken } = createBench();
  reloader.watch();
  await clock.advanceAsync(90_000, 30_000);
  t.deepEqual(lines, ['[INFO] plugin/reload: Running configuration SHA512 = a']);
  t.deepEqual(taken, []);
});

test('reload: a changed Corefile is taken once, with the lines that CoreDNS logs', async (t) => {
  const bench = createBench();
  const { reloader, clock, lines, taken } = bench;
  reloader.watch();
  lines.length = 0;
  bench.found = 'b';
  await clock.advanceAsync(90_000, 30_000);
  t.deepEqual(taken, ['b']);
  t.deepEqual(lines, [
    '[INFO] Reloading',
    '[INFO] plugin/reload: Running configuration SHA512 = b',
    '[INFO] Reloading complete',
  ]);
});

test('reload: one that fails is tried once, and the next change again', async (t) => {
  const bench = createBench();
  const { reloader, clock, lines, taken, server } = bench;
  reloader.watch();
  lines.length = 0;
  bench.found = 'bad';
  server.refuse = 'cache: no';
  await clock.advanceAsync(90_000, 30_000);
  t.deepEqual(lines, [
    '[INFO] Reloading',
    '[ERROR] Restart failed: Corefile:6 - Error during parsing: cache: no',
    '[ERROR] plugin/reload: Corefile changed but reload failed: Corefile:6 - Error during parsing: cache: no',
  ]);
  server.refuse = '';
  bench.found = 'good';
  await clock.advanceAsync(30_000, 30_000);
  t.deepEqual(taken, ['good']);
});

test('reload: a text that does not parse is a warning at each look, a missing file is nothing', async (t) => {
  const bench = createBench();
  const { reloader, clock, lines } = bench;
  reloader.watch();
  lines.length = 0;
  bench.found = new ConfigError('SYNTAX', 'no closing "}"', 'Corefile', 3);
  await clock.advanceAsync(60_000, 30_000);
  t.deepEqual(
    lines,
    Array(2).fill('[WARNING] plugin/reload: Corefile parse failed: Corefile:3 - Error during parsing: no closing "}"'),
  );
  lines.length = 0;
  bench.found = new ConfigError('FILE', 'open Corefile: no such file or directory');
  await clock.advanceAsync(60_000, 30_000);
  t.deepEqual(lines, []);
});

test('reload: without the plugin nothing is looked at, SIGUSR1 reloads all the same', async (t) => {
  const bench = createBench();
  const { reloader, clock, lines, taken, server } = bench;
  server.services = [];
  bench.found = 'b';
  reloader.watch();
  await clock.advanceAsync(60_000, 30_000);
  t.deepEqual(taken, []);
  await reloader.reloadNow();
  t.deepEqual(taken, ['b']);
  t.deepEqual(lines, ['[INFO] SIGUSR1: Reloading', '[INFO] Reloading', '[INFO] Reloading complete']);
});

test('reload: SIGUSR1 reloads an unchanged Corefile too, and counts one that cannot be read', async (t) => {
  const bench = createBench();
  const { reloader, taken, server, lines } = bench;
  await reloader.reloadNow();
  t.deepEqual(taken, ['a']);
  bench.found = new ConfigError('FILE', 'open Corefile: no such file or directory');
  await reloader.reloadNow();
  t.is(server.failures, 1);
  t.is(lines.at(-1), '[ERROR] SIGUSR1: open Corefile: no such file or directory');
});

test('reload: the jitter moves the look by at most half of it', async (t) => {
  const bench = createBench(0);
  bench.server.services = [{ kind: 'reload', intervalMs: 30_000, jitterMs: 10_000 }];
  bench.found = 'b';
  bench.reloader.watch();
  await bench.clock.advanceAsync(24_900, 24_900);
  t.deepEqual(bench.taken, []);
  await bench.clock.advanceAsync(100, 100);
  t.deepEqual(bench.taken, ['b']);
});

test('reload: after stop nothing is looked at and SIGUSR1 does nothing', async (t) => {
  const bench = createBench();
  bench.reloader.watch();
  bench.reloader.stop();
  bench.found = 'b';
  await bench.clock.advanceAsync(60_000, 30_000);
  await bench.reloader.reloadNow();
  t.deepEqual(bench.taken, []);
});
