// The worker pool on fake workers and a manual clock.
import test from 'ava';
import { ManualClock } from '../../../lib/base/clock.ts';
import { createLogger } from '../../../lib/base/log.ts';
import { WorkerPool, type WorkerThread } from '../../../lib/control/pool.ts';
import { HEARTBEAT, type FromWorker, type ToWorker } from '../../../lib/link/messages.ts';
import type { Schedule } from '../../../lib/control/thread-schedule.ts';
import type { Plan } from '../../../lib/link/plan.ts';

const plan = (generation: number): Plan => ({ generation, blocks: [], listeners: [], debug: false });

/** Answers like a worker; `refuse` makes it say no, `mute` makes it say nothing. */
class FakeWorker implements WorkerThread {
  readonly got: ToWorker[] = [];
  refuse = '';
  mute = false;
  terminated = false;
  say: (message: FromWorker) => void = () => {};
  exit: (reason: string) => void = () => {};

  post(message: ToWorker): void {
    this.got.push(message);
    if (this.mute) return;
    const reply = this.#replyTo(message);
    if (reply !== undefined) queueMicrotask(() => this.say(reply));
  }

  #replyTo(message: ToWorker): FromWorker | undefined {
    switch (message.type) {
      case 'prepare': {
        const { generation } = message.plan;
        if (this.refuse === '')
          return { type: 'prepared', generation, udp: 'dgram', sockets: [{ fd: 7, name: 'socket:[7]' }] };
        return { type: 'refused', generation, code: 'LISTEN', message: this.refuse };
      }
      case 'activate':
        return { type: 'activated', generation: message.generation };
      case 'stop':
        return { type: 'stopped' };
      default:
        return undefined;
    }
  }

  onMessage(run: (message: FromWorker) => void): void {
    this.say = run;
  }

  onExit(run: (reason: string) => void): void {
    this.exit = run;
  }

  terminate(): void {
    this.terminated = true;
  }

  get words(): string {
    return this.got.map(({ type }) => type).join(' ');
  }
}

/** A clock that can stand still for its timers while time goes on, as on a machine that was suspended. */
class JumpingClock extends ManualClock {
  jumpedMs = 0;
  override monotonicMs(): number {
    return super.monotonicMs() + this.jumpedMs;
  }
}

type Bench = {
  readonly pool: WorkerPool;
  readonly spawned: FakeWorker[];
  readonly clock: JumpingClock;
  readonly lines: string[];
  readonly lost: number[];
  readonly fatal: string[];
  readonly notified: string[];
  /** Names of the sockets that were taken away from stuck threads. */
  readonly seized: string[];
  /** CPU time by the system's number of a thread. */
  readonly schedules: Map<number, Schedule>;
  readonly beats: Int32Array;
  /** Advances time while the given workers beat. */
  readonly live: (ms: number, alive: readonly number[]) => void;
};

function createBench(workers = 2): Bench {
  const clock = new JumpingClock();
  const heartbeat = new SharedArrayBuffer(4 * HEARTBEAT.WORDS * workers);
  const spawned: FakeWorker[] = [];
  const lines: string[] = [];
  const lost: number[] = [];
  const fatal: string[] = [];
  const notified: string[] = [];
  const seized: string[] = [];
  const schedules = new Map<number, Schedule>();
  const pool = new WorkerPool({
    workers,
    heartbeat,
    clock,
    log: createLogger({ sink: (line) => void lines.push(line) }),
    spawn: () => {
      const worker = new FakeWorker();
      spawned.push(worker);
      return worker;
    },
    onLost: (worker) => void lost.push(worker),
    readSchedule: (thread) => schedules.get(thread),
    seizeSockets: (sockets) => Promise.resolve(seized.push(...sockets.map(({ name }) => name))),
    onFatal: (message) => void fatal.push(message),
    onNotified: (tree, zone) => void notified.push(`${tree} ${zone}`),
  });
  const beats = new Int32Array(heartbeat);
  const live = (ms: number, alive: readonly number[]): void => {
    for (let left = ms; left > 0; left -= 50) {
      for (const worker of alive) beats[worker * HEARTBEAT.WORDS + HEARTBEAT.BEAT]!++;
      clock.advance(50);
    }
  };
  pool.start();
  return { pool, spawned, clock, lines, lost, fatal, notified, seized, schedules, beats, live };
}

test('pool: a plan is prepared on all workers before any activates it', async (t) => {
  const { pool, spawned } = createBench();
  await pool.prepare(plan(1));
  t.deepEqual(
    spawned.map(({ words }) => words),
    ['prepare', 'prepare'],
  );
  await pool.activate(plan(1));
  t.deepEqual(
    spawned.map(({ words }) => words),
    ['prepare activate', 'prepare activate'],
  );
});

test('pool: one refusal fails the plan with its reason and is discarded everywhere', async (t) => {
  const { pool, spawned } = createBench();
  spawned[1]!.refuse = 'listen udp 127.0.0.1:53: permission denied';
  const error = await t.throwsAsync(pool.prepare(plan(1)), { code: 'LISTEN' });
  t.is(error?.message, 'listen udp 127.0.0.1:53: permission denied');
  t.deepEqual(
    spawned.map(({ words }) => words),
    ['prepare discard', 'prepare discard'],
  );
});

test('pool: a worker that never answers fails the plan after a limit', async (t) => {
  const { pool, spawned, live } = createBench();
  spawned[0]!.mute = true;
  const prepared = pool.prepare(plan(1));
  live(16_000, [0, 1]);
  await t.throwsAsync(prepared, { message: /worker 0 did not answer/ });
});

test('pool: a dead worker is replaced at once and gets the plan in use', async (t) => {
  const { pool, spawned, lost, lines } = createBench();
  await pool.prepare(plan(1));
  await pool.activate(plan(1));
  spawned[0]!.exit('exit code 1');
  t.is(spawned.length, 3);
  t.deepEqual(lost, [0]);
  t.is(pool.replaced, 1);
  await new Promise((resolve) => setImmediate(resolve));
  t.is(spawned[2]!.words, 'prepare activate');
  t.is(spawned[1]!.words, 'prepare activate');
  t.regex(lines.join(''), /\[ERROR\] worker 0 ended: exit code 1/);
});

test('pool: a worker that stands still for 700 ms is ended and replaced, one that did for 400 ms and a living one stay', async (t) => {
  const { pool, spawned, live } = createBench();
  await pool.prepare(plan(1));
  await pool.activate(plan(1));
  live(500, [0, 1]);
  live(400, [0]);
  t.is(spawned.length, 2);
  live(100, [0, 1]);
  live(700, [0]);
  t.true(spawned[1]!.terminated);
  t.false(spawned[0]!.terminated);
  t.is(spawned.length, 3);
});

// In a second the thread of a worker that shows no sign of life ...
for (const [what, runMs, waitMs, isEnded] of [
  ['spins', 1000, 0, true],
  ['spins on a busy machine', 500, 500, true],
  ['hangs in a call', 0, 0, true],
  ['hangs in a call after a short wait', 10, 300, true],
  ['waits for a CPU', 100, 900, false],
] as const) {
  test(`pool: a silent worker whose thread ${what} is ${isEnded ? 'ended' : 'left alone, for 5 s'}`, async (t) => {
    const { pool, spawned, schedules, beats, live } = createBench();
    await pool.prepare(plan(1));
    await pool.activate(plan(1));
    beats[HEARTBEAT.WORDS + HEARTBEAT.THREAD] = 4711;
    live(500, [0, 1]);
    for (let ms = 0; ms <= 1000; ms += 50) {
      schedules.set(4711, { runMs: (runMs * ms) / 1000, waitMs: (waitMs * ms) / 1000 });
      live(50, [0]);
    }
    t.is(spawned.length, isEnded ? 3 : 2);
    for (let ms = 1000; ms <= 5000; ms += 50) {
      schedules.set(4711, { runMs: 100, waitMs: (waitMs * ms) / 1000 });
      live(50, [0]);
    }
    t.true(spawned[1]!.terminated);
    t.false(spawned[0]!.terminated);
  });
}

test('pool: a stalled thread that does not end is stuck: its sockets are taken away', async (t) => {
  const { pool, live, seized, lines } = createBench();
  await pool.prepare(plan(1));
  await pool.activate(plan(1));
  live(500, [0, 1]);
  live(900, [0]);
  t.deepEqual(seized, ['socket:[7]']);
  await new Promise((resolve) => setImmediate(resolve));
  t.regex(
    lines.join(''),
    /worker 1 is stuck in a native call and cannot be ended; 1 of its 1 listening sockets were closed/,
  );
});

test('pool: a stalled thread that ends when told to keeps its sockets to the end', async (t) => {
  const { pool, spawned, live, seized } = createBench();
  await pool.prepare(plan(1));
  await pool.activate(plan(1));
  const [, stalled] = spawned;
  stalled!.terminate = () => stalled!.exit('exit code 1');
  live(500, [0, 1]);
  live(2000, [0]);
  t.deepEqual(seized, []);
});

test('pool: when control itself was held up nobody is ended', (t) => {
  const { spawned, live, clock } = createBench();
  live(500, [0, 1]);
  clock.jumpedMs = 60_000;
  clock.advance(250);
  live(500, [0, 1]);
  t.is(spawned.length, 2);
  t.false(spawned.some(({ terminated }) => terminated));
});

test('pool: a replacement and a reload at the same time both come to their end', async (t) => {
  const { pool, spawned } = createBench();
  await pool.prepare(plan(1));
  await pool.activate(plan(1));
  spawned[0]!.exit('exit code 1');
  await pool.prepare(plan(2));
  await pool.activate(plan(2));
  t.is(spawned[2]!.words, 'prepare prepare activate activate');
  t.is(pool.replaced, 1);
});

test('pool: a worker that died between the two steps still gets the plan', async (t) => {
  const { pool, spawned } = createBench();
  await pool.prepare(plan(1));
  spawned[0]!.exit('exit code 1');
  await pool.activate(plan(1));
  t.is(spawned[2]!.words, 'prepare activate');
});

test('pool: a worker that keeps dying is restarted more and more slowly', (t) => {
  const { spawned, clock } = createBench(1);
  spawned[0]!.exit('1');
  t.is(spawned.length, 2);
  spawned[1]!.exit('2');
  t.is(spawned.length, 2);
  clock.advance(100);
  t.is(spawned.length, 3);
  spawned[2]!.exit('3');
  clock.advance(199);
  t.is(spawned.length, 3);
  clock.advance(1);
  t.is(spawned.length, 4);
});

test('pool: the death of a worker fails a plan under way', async (t) => {
  const { pool, spawned } = createBench();
  spawned[0]!.mute = true;
  const prepared = pool.prepare(plan(1));
  spawned[0]!.exit('out of memory');
  await t.throwsAsync(prepared, { message: /worker 0 ended while it got ready: out of memory/ });
});

test('pool: a NOTIFY is handed on', (t) => {
  const { spawned, notified } = createBench();
  spawned[0]!.say({ type: 'notified', tree: 7, zone: 'example.org.' });
  t.deepEqual(notified, ['7 example.org.']);
});

test('pool: fatal is handed on, a fault is logged once', (t) => {
  const { spawned, fatal, lines } = createBench();
  spawned[0]!.say({ type: 'fatal', message: 'plugin/loop: Loop' });
  for (let i = 0; i < 3; i++) spawned[0]!.say({ type: 'fault', where: '"dns://:53"', message: 'boom', stack: '' });
  t.deepEqual(fatal, ['plugin/loop: Loop']);
  t.deepEqual(lines, ['[ERROR] Recovered from panic in server: "dns://:53": boom\n']);
});

test('pool: stop waits for the workers, ends the threads and replaces nobody', async (t) => {
  const { pool, spawned } = createBench();
  await pool.stop(5000);
  spawned[0]!.exit('exit code 0');
  t.is(spawned.length, 2);
  t.true(spawned.every(({ terminated, words }) => terminated && words === 'stop'));
});
