// Fault bench: a worker that stalls, hangs or throws, in real threads on real sockets. Times are figures of `npm run fault`.
import test from 'ava';
import { loadLibc } from '../../lib/io/libc.ts';
import { runWorkerFault, type WorkerFault } from './run-worker-fault.ts';

const hasLibc = typeof loadLibc() !== 'string';
const WAYS = hasLibc ? (['auto', 'dgram'] as const) : (['dgram'] as const);

const CASES: readonly (readonly [fault: WorkerFault, udp: 'auto' | 'dgram', line: RegExp])[] = [
  ['stall', 'auto', /worker \d ended: no sign of life for \d+ ms/],
  ['throw', 'dgram', /worker \d ended: Error: nobody catches this/],
  ['throw', 'auto', /worker \d ended: Error: nobody catches this/],
  // Without the calls of the C library there is none to hang in.
  ...(hasLibc
    ? ([
        ['native', 'auto', /worker \d is stuck in a native call and cannot be ended; 2 of its 2 listening/],
        ['native', 'dgram', /worker \d is stuck in a native call and cannot be ended; 2 of its 2 listening/],
      ] as const)
    : []),
];

for (const [fault, udp, line] of CASES) {
  test.serial(
    `workers, ${udp}: a ${fault} costs the other worker's clients nothing and the worker is replaced`,
    async (t) => {
      if (process.platform !== 'linux') return t.pass('only Linux spreads clients over sockets');
      const report = await runWorkerFault(fault, udp);
      t.log(JSON.stringify(report));
      t.is(report.threads, 2);
      t.is(report.replaced, 1);
      t.true(report.askedByOthers > 0);
      t.is(report.lostByOthers, 0);
      t.is(report.lostAfter, 0);
      t.is(report.sockets, 2);
      return t.regex(report.lines.join('\n'), line);
    },
  );
}

for (const udp of WAYS) {
  test.serial(`workers, ${udp}: what the kernel drops at a busy worker is in the metric`, async (t) => {
    if (process.platform !== 'linux') return t.pass('only Linux tells');
    const { drops, replaced } = await runWorkerFault('flood', udp);
    t.is(replaced, 0);
    return t.true(drops! > 0);
  });
}
