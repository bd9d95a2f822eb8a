import test from 'ava';
import { ManualClock } from '../../../lib/base/clock.ts';
import { TimerWheel, WheelEntry } from '../../../lib/io/timer-wheel.ts';

class Recorder extends WheelEntry {
  readonly #run: () => void;

  constructor(run: () => void) {
    super();
    this.#run = run;
  }

  expire(): void {
    this.#run();
  }
}

test('entries expire at their deadline, at most two ticks late and never early', (t) => {
  const clock = new ManualClock();
  const wheel = new TimerWheel(clock, 10);
  const delays = [0, 1, 9, 10, 11, 500, 5120, 5121, 10_240, 60_000];
  const firedMs = new Map<number, number>();
  for (const delay of delays) wheel.schedule(new Recorder(() => firedMs.set(delay, clock.monotonicMs())), delay);
  for (let ms = 0; ms < 61_000; ms++) clock.advance(1);
  for (const delay of delays) {
    t.true(firedMs.get(delay)! >= delay, `${delay} fired at ${firedMs.get(delay)}`);
    t.true(firedMs.get(delay)! <= delay + 20, `${delay} fired at ${firedMs.get(delay)}`);
  }
  t.is(wheel.size, 0);
  t.is(clock.pending, 0, 'an empty wheel has no timer');
});

test('one system timer serves all entries', (t) => {
  const clock = new ManualClock();
  const wheel = new TimerWheel(clock, 10);
  for (let i = 0; i < 1000; i++) wheel.schedule(new Recorder(() => undefined), i);
  t.is(clock.pending, 1);
});

test('scheduling again replaces the deadline, cancelling removes it', (t) => {
  const clock = new ManualClock();
  const wheel = new TimerWheel(clock, 10);
  let fired = 0;
  const entry = new Recorder(() => fired++);
  wheel.schedule(entry, 50);
  wheel.schedule(entry, 100);
  clock.advance(80);
  t.is(fired, 0);
  clock.advance(40);
  t.is(fired, 1);
  wheel.schedule(entry, 50);
  wheel.cancel(entry);
  wheel.cancel(entry);
  clock.advance(1000);
  t.is(fired, 1);
});

test('an entry that expires may cancel and reschedule others of the same tick', (t) => {
  const clock = new ManualClock();
  const wheel = new TimerWheel(clock, 10);
  const log: string[] = [];
  const victims = [new Recorder(() => log.push('victim 0')), new Recorder(() => log.push('victim 1'))];
  const killer = new Recorder(() => {
    log.push('killer');
    wheel.cancel(victims[0]!);
    wheel.schedule(victims[1]!, 100);
  });
  for (const entry of [...victims, killer]) wheel.schedule(entry, 15);
  clock.advance(50);
  t.deepEqual(log, ['killer'], 'the last one scheduled comes first');
  clock.advance(200);
  t.is(log.filter((line) => line === 'victim 1').length, 1);
  t.is(log.filter((line) => line === 'victim 0').length, 0);
});

test('a long pause of the thread loses no deadline', (t) => {
  const clock = new ManualClock();
  const wheel = new TimerWheel(clock, 10);
  let fired = 0;
  for (let i = 0; i < 700; i++) wheel.schedule(new Recorder(() => fired++), i * 10);
  // advance() fires timers at their own moments; a stopped thread sees one late turn instead.
  const nowMs = clock.monotonicMs();
  clock.monotonicMs = () => nowMs + 100_000;
  clock.advance(10);
  t.is(fired, 700);
});

test('close forgets everything', (t) => {
  const clock = new ManualClock();
  const wheel = new TimerWheel(clock, 10);
  let fired = 0;
  wheel.schedule(new Recorder(() => fired++), 10);
  wheel.close();
  clock.advance(100);
  t.is(fired, 0);
  t.is(clock.pending, 0);
});
