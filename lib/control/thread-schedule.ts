// How much CPU a thread had and how long it waited for one, as the kernel tells. Control thread.
import fs from 'node:fs';

/** Totals of a thread since it began, in milliseconds. */
export type Schedule = {
  readonly runMs: number;
  /** Ready to run, but on no CPU: others had them, or the cgroup's quota was used up. */
  readonly waitMs: number;
};

const NS_PER_MS = 1e6;

/** @returns undefined where the system does not tell, or the thread has ended */
export function readSchedule(threadId: number): Schedule | undefined {
  try {
    const [run, wait] = fs.readFileSync(`/proc/self/task/${threadId}/schedstat`, 'latin1').split(' ').map(Number);
    if (run === undefined || wait === undefined) return undefined;
    return { runMs: run / NS_PER_MS, waitMs: wait / NS_PER_MS };
  } catch {
    return undefined;
  }
}
