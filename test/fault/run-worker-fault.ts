// Starts worker-faults.ts and reads what it saw. Main thread of a test program.
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';

/** `stall`: an endless loop; `native`: a system call of three seconds; `flood`: more datagrams than a receive buffer takes. */
export type WorkerFault = 'stall' | 'native' | 'throw' | 'exit' | 'flood';

export type WorkerFaultReport = {
  /** Threads that answered before the fault. */
  readonly threads: number;
  readonly replaced: number;
  /** Only of `flood`: what the metric says. */
  readonly drops?: number;
  /** From the fault to: the supervisor's notice, the last query without an answer, the first answer of the replacement. */
  readonly noticedMs: number;
  readonly silentMs: number;
  readonly replacedMs: number;
  /** UDP sockets on the port when all clients were answered again. */
  readonly sockets: number;
  readonly asked: number;
  /** Queries of clients that the kernel gave to the other worker before the fault. */
  readonly askedByOthers: number;
  readonly lostByOthers: number;
  readonly lostByServed: number;
  /** Of all clients, sent after the replacement's first answer. */
  readonly lostAfter: number;
  readonly lines: readonly string[];
};

const LIMIT_MS = 50_000;
const ATTEMPTS = 3;
const run = promisify(execFile);

/** One fault; made again when the machine was so busy that the other worker was taken for stalled as well. */
export async function runWorkerFault(fault: WorkerFault, udp: 'auto' | 'dgram'): Promise<WorkerFaultReport> {
  for (let attempt = 1; ; attempt++) {
    const program = path.join(import.meta.dirname, 'worker-faults.ts');
    const { stdout } = await run(process.execPath, [program, fault, udp], { timeout: LIMIT_MS, killSignal: 'SIGKILL' });
    const report = JSON.parse(stdout) as WorkerFaultReport;
    if (report.replaced <= 1 || attempt === ATTEMPTS) return report;
  }
}
