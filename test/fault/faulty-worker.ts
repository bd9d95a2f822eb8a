// The product's worker with one more plugin, which fails in the way a query's first label says and else tells who answers.
// Worker thread of worker-faults.ts.
import { parentPort, threadId, workerData } from 'node:worker_threads';
import { Outcome } from '../../lib/chain/outcome.ts';
import type { Env, Handler } from '../../lib/chain/plugin.ts';
import { loadLibc } from '../../lib/io/libc.ts';
import type { WorkerStart } from '../../lib/link/messages.ts';
import { formatName } from '../../lib/wire/name.ts';
import { startWorker } from '../../lib/worker/thread.ts';

/** Longer than the supervisor waits, short enough for the test to see the thread come back. */
const NATIVE_MS = 3000;
/** Shorter than the supervisor waits. */
const BUSY_MS = 300;

function fail(how: string): void {
  switch (how) {
    case 'stall':
      for (;;);
    case 'throw':
      setImmediate(() => {
        throw new Error('nobody catches this');
      });
      break;
    case 'exit':
      process.exit(3);
    // eslint-disable-next-line no-fallthrough -- the line above does not return
    case 'native': {
      const libc = loadLibc();
      if (typeof libc !== 'string') libc.poll(new Uint8Array(8), 0, NATIVE_MS);
      break;
    }
    case 'busy':
      for (const end = performance.now() + BUSY_MS; performance.now() < end; );
  }
}

function createFaultyHandler(_options: unknown, _env: Env): Handler {
  const address = Uint8Array.of(192, 0, threadId >> 8, threadId & 255);
  return (query, answer) => {
    const [label = ''] = formatName(query.name).split('.');
    if (label !== 'who') {
      fail(label);
      return Outcome.DROPPED;
    }
    answer.addAddresses(0, 4, address, 0, 1);
    return Outcome.ANSWERED;
  };
}

startWorker(parentPort!, workerData as WorkerStart, { faulty: createFaultyHandler });
