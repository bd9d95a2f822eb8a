// A worker that stalls, hangs, throws or ends while clients ask it and the other one: how long until it is replaced, what was
// lost. Main thread of a test program.
import os from 'node:os';
import { expect, expectEqual } from '../scenario/checks.mjs';
import { runWorkerFault } from './run-worker-fault.ts';

/** From the fault to the first answer of the replacement, on a machine with nothing else to do. */
const REPLACED_MS = 1000;
/** How many programs want each core. */
const BUSY = Math.max(1, os.loadavg()[0] / os.availableParallelism());

const FAULTS = [
  ['stall', 'auto', 'an endless loop'],
  ['stall', 'dgram', 'an endless loop'],
  ['native', 'auto', 'a native call of 3 s'],
  ['native', 'dgram', 'a native call of 3 s'],
  ['throw', 'auto', 'an exception nobody catches'],
  ['exit', 'auto', 'the end of the thread'],
];

export async function run(checks) {
  checks.area('workers');
  for (const [fault, udp, what] of FAULTS) {
    await checks.check(
      `${what} (${udp}): replaced within ${REPLACED_MS} ms, the other worker's clients lose nothing`,
      async () => {
        const report = await runWorkerFault(fault, udp);
        expectEqual(
          [report.threads, report.replaced, report.sockets],
          [2, 1, 2],
          'threads, replaced, sockets on the port',
        );
        expectEqual(
          [report.lostByOthers, report.lostAfter],
          [0, 0],
          "lost by the other worker's clients, lost afterwards",
        );
        const limitMs = REPLACED_MS * BUSY;
        expect(report.replacedMs <= limitMs, `replaced after ${report.replacedMs} ms, limit ${Math.round(limitMs)} ms`);
        return `noticed after ${report.noticedMs} ms, its clients without answers for ${report.silentMs} ms, replacement answers after ${report.replacedMs} ms; others: ${report.askedByOthers} asked, 0 lost`;
      },
    );
  }
  for (const udp of ['auto', 'dgram']) {
    await checks.check(`what the kernel drops is counted (${udp})`, async () => {
      const { drops } = await runWorkerFault('flood', udp);
      expect(drops > 0, 'no drops counted');
      return `${drops} of 20000 datagrams`;
    });
  }
}
