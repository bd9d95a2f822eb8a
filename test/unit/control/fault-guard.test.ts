import test from 'ava';
import { createLogger } from '../../../lib/base/log.ts';
import { createFaultGuard } from '../../../lib/control/fault-guard.ts';

function createBench(isServing: boolean) {
  const lines: string[] = [];
  const seen = { counted: 0, ended: 0, lines };
  const guard = createFaultGuard({
    log: createLogger({ sink: (line) => void lines.push(line.split('\n', 1)[0]!) }),
    isServing: () => isServing,
    count: () => void seen.counted++,
    end: () => void seen.ended++,
  });
  return { guard, seen };
}

test('fault guard: while queries are answered every fault is counted, each text is logged once, and the process lives', (t) => {
  const { guard, seen } = createBench(true);
  const fault = new Error('one');
  for (let i = 0; i < 3; i++) guard(fault);
  guard('a rejected word');
  t.deepEqual(seen, {
    counted: 4,
    ended: 0,
    lines: [
      '[ERROR] Recovered from panic in the control thread: Error: one',
      '[ERROR] Recovered from panic in the control thread: a rejected word',
    ],
  });
});

test('fault guard: texts that never repeat are counted, not logged without end', (t) => {
  const { guard, seen } = createBench(true);
  for (let i = 0; i < 1000; i++) guard(`fault ${i}`);
  t.is(seen.counted, 1000);
  t.is(seen.lines.length, 256);
});

test('fault guard: before queries are answered a fault ends the process with a line', (t) => {
  const { guard, seen } = createBench(false);
  guard(new Error('one'));
  t.deepEqual(seen, { counted: 0, ended: 1, lines: ['[FATAL] Error: one'] });
});
