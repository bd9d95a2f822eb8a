// What each signal does.
import test from 'ava';
import { ManualClock } from '../../../lib/base/clock.ts';
import { createLogger } from '../../../lib/base/log.ts';
import { createSignalHandlers } from '../../../lib/control/signals.ts';

type Bench = {
  readonly send: (signal: NodeJS.Signals) => void;
  readonly clock: ManualClock;
  readonly events: string[];
  /** Ends what `stop` waits for. */
  readonly finish: (error?: Error) => Promise<void>;
};

function createBench(): Bench {
  const clock = new ManualClock();
  const events: string[] = [];
  let settle: (error?: Error) => void = () => {};
  const handlers = createSignalHandlers({
    clock,
    log: createLogger({ sink: (line) => void events.push(line.trimEnd()) }),
    stop: () =>
      new Promise((resolve, reject) => {
        events.push('stop');
        settle = (error) => (error === undefined ? resolve() : reject(error));
      }),
    reload: () => void events.push('reload'),
    exit: (code) => void events.push(`exit ${code}`),
  });
  const finish = async (error?: Error): Promise<void> => {
    settle(error);
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { send: (signal) => handlers[signal]?.(), clock, events, finish };
}

test('SIGTERM: ends in order, exit code 0', async (t) => {
  const { send, events, finish } = createBench();
  send('SIGTERM');
  t.deepEqual(events, ['[INFO] SIGTERM: Shutting down servers then terminating', 'stop']);
  await finish();
  t.is(events.at(-1), 'exit 0');
});

test('SIGTERM: a hook that fails makes exit code 4', async (t) => {
  const { send, events, finish } = createBench();
  send('SIGTERM');
  await finish(new Error('no'));
  t.deepEqual(events.slice(-2), ['[ERROR] shutdown: no', 'exit 4']);
});

test('SIGINT: ends in order; a second one exits at once with 2, but not the same key press twice', (t) => {
  const { send, events, clock } = createBench();
  send('SIGINT');
  clock.advance(50);
  send('SIGINT');
  t.deepEqual(events, ['[INFO] SIGINT: Shutting down', 'stop']);
  clock.advance(1000);
  send('SIGINT');
  t.deepEqual(events.slice(2), ['[INFO] SIGINT: Force quit', 'exit 2']);
});

test('SIGQUIT: exits at once with 0', (t) => {
  const { send, events } = createBench();
  send('SIGQUIT');
  t.deepEqual(events, ['[INFO] SIGQUIT: Quitting process immediately', 'exit 0']);
});

test('SIGUSR1: reloads, unless the process is ending', (t) => {
  const { send, events } = createBench();
  send('SIGUSR1');
  t.deepEqual(events, ['reload']);
  send('SIGTERM');
  send('SIGUSR1');
  t.is(events.filter((event) => event === 'reload').length, 1);
});

test('SIGHUP does nothing, SIGUSR2 says that it does nothing', (t) => {
  const { send, events } = createBench();
  send('SIGHUP');
  t.deepEqual(events, []);
  send('SIGUSR2');
  t.regex(events.join(), /SIGUSR2: ignored/);
});
