// CPU and heap profiles of this process's threads, taken while they serve. Control thread.
import type { WorkerPool } from './pool.ts';

export const PROFILE_KINDS = ['cpu', 'heap'] as const;
export type ProfileKind = (typeof PROFILE_KINDS)[number];

/** Takes profiles; a fake one in tests. */
export interface Profiler {
  /** Number of worker threads. */
  readonly workers: number;
  /**
   * Watches one thread for a while.
   *
   * @param worker index of a worker thread, -1 for the control thread
   * @returns JSON in V8's format: `.cpuprofile` or `.heapprofile`
   * @throws Error, as a rejection, when the thread has ended or this Node cannot do it
   */
  profile(worker: number, kind: ProfileKind, durationMs: number): Promise<string>;
}

/** A profiler of the control thread and the pool's workers. */
export function createProfiler(pool: () => WorkerPool): Profiler {
  return {
    get workers() {
      return pool().size;
    },
    profile: (worker, kind, durationMs) =>
      worker === -1 ? profileThisThread(kind, durationMs) : pool().profile(worker, kind, durationMs),
  };
}

async function profileThisThread(kind: ProfileKind, durationMs: number): Promise<string> {
  const { Session } = await import('node:inspector/promises');
  const session = new Session();
  session.connect();
  try {
    if (kind === 'heap') {
      await session.post('HeapProfiler.startSampling');
      await pause(durationMs);
      return JSON.stringify((await session.post('HeapProfiler.stopSampling')).profile);
    }
    await session.post('Profiler.enable');
    await session.post('Profiler.start');
    await pause(durationMs);
    return JSON.stringify((await session.post('Profiler.stop')).profile);
  } finally {
    session.disconnect();
  }
}

/** Real time on purpose: a profile shows what happens in it. */
export function pause(durationMs: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, durationMs).unref());
}
