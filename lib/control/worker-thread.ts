// Starts a real worker thread for the pool. Control thread.
import v8 from 'node:v8';
import { Worker } from 'node:worker_threads';
import type { FromWorker, WorkerStart } from '../link/messages.ts';
import type { WorkerThread } from './pool.ts';
import { pause, type ProfileKind } from './profiler.ts';

/** A worker's heap beside the control thread's when that one is limited; its big data is outside of the heap. */
const HEAP_SHARE = 0.5;
const MIN_HEAP_MIB = 32;
/**
 * Half of a worker's young generation, MiB. A query that is answered at once leaves nothing behind, and one that waits for an
 * upstream outlives the young generation whatever its size: a larger one only takes memory, 6 MB a worker at 4.
 */
const SEMI_SPACE_MIB = 1;

// Beside this file, as source or built.
const ENTRY = new URL(`../worker/main.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`, import.meta.url);

/**
 * @param start what the thread is given as `workerData`
 * @param entry the file that the thread runs; tests have their own
 */
export function spawnWorker(start: WorkerStart, entry: URL = ENTRY): WorkerThread {
  // The command line's flag is the control thread's, goes before `resourceLimits`, and was read when that thread began.
  v8.setFlagsFromString(`--max-semi-space-size=${SEMI_SPACE_MIB}`);
  const worker = new Worker(entry, {
    workerData: start,
    name: `worker ${start.worker}`,
    ...limitHeap(),
  });
  let failure = '';
  worker.on('error', (error: Error) => {
    failure = error.stack ?? error.message;
  });
  return {
    post: (message) => worker.postMessage(message),
    onMessage: (run) => void worker.on('message', (message: FromWorker) => run(message)),
    onExit: (run) => void worker.on('exit', (code) => run(failure === '' ? `exit code ${code}` : failure)),
    terminate: () => void worker.terminate(),
    profile: (kind, durationMs) => profile(worker, kind, durationMs),
  };
}

async function profile(worker: Worker, kind: ProfileKind, durationMs: number): Promise<string> {
  if (typeof worker.startCpuProfile !== 'function') throw new Error('profiles of worker threads need Node 24.9');
  const handle = await (kind === 'cpu' ? worker.startCpuProfile() : worker.startHeapProfile());
  await pause(durationMs);
  return handle.stop();
}

/** Follows the limit that the launcher derived from the cgroup. */
function limitHeap(): { resourceLimits?: { maxOldGenerationSizeMb: number } } {
  const flag = process.execArgv.find((word) => word.startsWith('--max-old-space-size='));
  if (flag === undefined) return {};
  const controlMib = Number(flag.slice(flag.indexOf('=') + 1));
  return { resourceLimits: { maxOldGenerationSizeMb: Math.max(MIN_HEAP_MIB, Math.floor(controlMib * HEAP_SHARE)) } };
}
