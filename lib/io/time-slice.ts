// How long the kernel lets a thread run before another one that waits for the same core. Worker.
//
// On a core that the threads of this server share, a worker that wakes up for a query waits until the control thread's slice
// (about 3 ms) is over, and control waits as long for the worker before it can take in a change. A thread that asks for shorter
// slices is let in sooner; its share of the core stays what it is. Linux 6.12 and newer; elsewhere nothing changes.
import { type Libc, loadLibc } from './libc.ts';

/** `struct sched_attr` as of Linux 3.14. */
const SCHED_ATTR = { SIZE: 48, POLICY: 4, RUNTIME: 24 } as const;
const SCHED_OTHER = 0;
/** The shortest there is. */
const WORKER_SLICE_NS = 100_000n;
/** Longer than a worker's: answers go before changes. */
const CONTROL_SLICE_NS = 300_000n;

/** Shortens the slices of the calling thread, a worker's, and of the main thread of its process. Never fails. */
export function shortenTimeSlices(libc: Libc | string = loadLibc()): void {
  if (typeof libc === 'string') return;
  shortenSlice(libc, 0, WORKER_SLICE_NS);
  // A process has the number of its main thread.
  shortenSlice(libc, process.pid, CONTROL_SLICE_NS);
}

/** @param thread the system's number, 0 for the calling one. Returns whether the kernel took it; an old one takes and ignores it. */
function shortenSlice(libc: Libc, thread: number, sliceNs: bigint): boolean {
  const attributes = Buffer.alloc(SCHED_ATTR.SIZE);
  const address = libc.addressOf(attributes);
  if (libc.schedGetattr(thread, address, attributes.length) < 0) return false;
  if (attributes.readUInt32LE(SCHED_ATTR.POLICY) !== SCHED_OTHER) return false;
  attributes.writeBigUInt64LE(sliceNs, SCHED_ATTR.RUNTIME);
  return libc.schedSetattr(thread, address) === 0;
}
