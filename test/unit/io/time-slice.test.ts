import fs from 'node:fs';
import test from 'ava';
import { loadLibc } from '../../../lib/io/libc.ts';
import { shortenTimeSlices } from '../../../lib/io/time-slice.ts';

const libc = loadLibc();

/** Slice in nanoseconds that the kernel reports for a thread; 0 before Linux 6.12. */
function readSlice(thread: number): number {
  if (typeof libc === 'string') return 0;
  const attributes = Buffer.alloc(48);
  if (libc.schedGetattr(thread, libc.addressOf(attributes), attributes.length) < 0) return 0;
  return Number(attributes.readBigUInt64LE(24));
}

test('a worker asks for slices of 0.1 ms, and for 0.3 ms for the main thread', (t) => {
  if (typeof libc === 'string' || readSlice(0) === 0) return t.pass('this kernel has no slices to set');
  const nice = readNice(process.pid);
  shortenTimeSlices(libc);
  // Tests run in worker threads, as workers do.
  t.is(readSlice(0), 100_000);
  t.is(readSlice(process.pid), 300_000);
  return t.is(readNice(process.pid), nice);
});

test('a system without the call changes nothing', (t) => {
  if (typeof libc === 'string') return t.pass();
  const calls: string[] = [];
  shortenTimeSlices({
    ...libc,
    schedGetattr: () => -1,
    schedSetattr: () => {
      calls.push('set');
      return 0;
    },
  });
  t.deepEqual(calls, []);
  return t.notThrows(() => shortenTimeSlices('no libc'));
});

test('a thread with a policy of its own is left alone', (t) => {
  if (typeof libc === 'string') return t.pass();
  let isSet = false;
  const SCHED_FIFO = 1;
  shortenTimeSlices({
    ...libc,
    addressOf: (bytes) => {
      bytes[4] = SCHED_FIFO;
      return 0;
    },
    schedGetattr: () => 0,
    schedSetattr: () => {
      isSet = true;
      return 0;
    },
  });
  return t.false(isSet);
});

/** Field 19 of `/proc/PID/stat`. */
function readNice(pid: number): string | undefined {
  const text = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
  return text.slice(text.lastIndexOf(')') + 2).split(' ')[16];
}
