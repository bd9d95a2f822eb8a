// Metrics of the process itself, read from the system at each scrape. Control thread.
//
// `process_*` mean what they mean in every Prometheus client. Dashboards made for CoreDNS also ask for a few `go_*`; they
// get the nearest thing there is: `go_goroutines` and `go_threads` are the threads of the process, `go_memstats_*` the
// control thread's JavaScript heap, `go_info` names the Node version.
import fs from 'node:fs';
import v8 from 'node:v8';
import type { SampledFamily } from './exposition.ts';

const MICROSECONDS = 1e6;
const TICKS_PER_SECOND = 100;

/** The process's families now; those the system does not tell are left out. */
export function sampleProcess(nodeVersion: string = process.versions.node): SampledFamily[] {
  const { user, system } = process.cpuUsage();
  const heap = v8.getHeapStatistics();
  const threads = readThreads();
  return [
    counter(
      'process_cpu_seconds_total',
      'Total user and system CPU time spent in seconds.',
      (user + system) / MICROSECONDS,
    ),
    gauge('process_resident_memory_bytes', 'Resident memory size in bytes.', process.memoryUsage.rss()),
    gauge('process_virtual_memory_bytes', 'Virtual memory size in bytes.', readVirtualBytes()),
    gauge('process_start_time_seconds', 'Start time of the process since unix epoch in seconds.', startSeconds()),
    gauge('process_open_fds', 'Number of open file descriptors.', countOpenFiles()),
    gauge('process_max_fds', 'Maximum number of open file descriptors.', readMaxFiles()),
    gauge('go_goroutines', 'Number of threads of the process.', threads),
    gauge('go_threads', 'Number of OS threads created.', threads),
    gauge('go_memstats_alloc_bytes', 'Bytes of the control thread heap in use.', heap.used_heap_size),
    gauge('go_memstats_heap_alloc_bytes', 'Bytes of the control thread heap in use.', heap.used_heap_size),
    gauge('go_memstats_heap_inuse_bytes', 'Bytes of the control thread heap in use.', heap.used_heap_size),
    gauge(
      'go_memstats_heap_sys_bytes',
      'Bytes of the control thread heap obtained from the system.',
      heap.total_heap_size,
    ),
    gauge('go_memstats_sys_bytes', 'Resident memory size in bytes.', process.memoryUsage.rss()),
    {
      name: 'go_info',
      help: 'The runtime, in place of the Go environment.',
      type: 'gauge' as const,
      samples: [{ labels: { version: `node${nodeVersion}` }, value: 1 }],
    },
  ].filter(({ samples }) => samples.every(({ value }) => Number.isFinite(value)));
}

function gauge(name: string, help: string, value: number): SampledFamily {
  return { name, help, type: 'gauge', samples: [{ value }] };
}

function counter(name: string, help: string, value: number): SampledFamily {
  return { name, help, type: 'counter', samples: [{ value }] };
}

function readText(file: string): string {
  try {
    return fs.readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}

function readVirtualBytes(): number {
  const kib = /^VmSize:\s+(\d+) kB$/m.exec(readText('/proc/self/status'))?.[1];
  return Number(kib ?? Number.NaN) * 1024;
}

function readThreads(): number {
  return Number(/^Threads:\s+(\d+)$/m.exec(readText('/proc/self/status'))?.[1] ?? Number.NaN);
}

function readMaxFiles(): number {
  const soft = /^Max open files\s+(\S+)/m.exec(readText('/proc/self/limits'))?.[1];
  return soft === 'unlimited' ? 2 ** 64 : Number(soft ?? Number.NaN);
}

function countOpenFiles(): number {
  try {
    // The listing itself holds one descriptor open.
    return fs.readdirSync('/proc/self/fd').length - 1;
  } catch {
    return Number.NaN;
  }
}

let knownStartSeconds: number | undefined;

function startSeconds(): number {
  if (knownStartSeconds === undefined) {
    const bootSeconds = Number(/^btime (\d+)$/m.exec(readText('/proc/stat'))?.[1] ?? Number.NaN);
    // Fields after the command's closing parenthesis; the start time is field 22 of the line, the 20th from there.
    const ticks = Number(readText('/proc/self/stat').split(') ').at(-1)?.split(' ')[19] ?? Number.NaN);
    const started = bootSeconds + ticks / TICKS_PER_SECOND;
    knownStartSeconds = Number.isFinite(started) ? started : Date.now() / 1000 - process.uptime();
  }
  return knownStartSeconds;
}
