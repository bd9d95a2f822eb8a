// A worker thread's life: sets up what all plans share, shows that it lives, and obeys control's messages. Worker.
import fs from 'node:fs';
import type { MessagePort } from 'node:worker_threads';
import { systemClock } from '../base/clock.ts';
import { shortenTimeSlices } from '../io/time-slice.ts';
import { UDP_VARIABLE, chooseUdp } from '../io/udp.ts';
import { createUpstreams } from '../io/upstreams.ts';
import { HEARTBEAT, type FromWorker, type OpenSocket, type ToWorker, type WorkerStart } from '../link/messages.ts';
import { rowOf } from '../metrics/cells.ts';
import type { HandlerFactory } from '../chain/plugin.ts';
import { KERNEL_DROPS_CELL, PANICS_CELL } from '../metrics/registry.ts';
import { StoreReader } from '../store/reader.ts';
import type { Plan } from '../link/plan.ts';
import { PacketLoop } from './loop.ts';
import { PlanRunner } from './plan-runner.ts';
import { createRemoteLog } from './remote-log.ts';
import { randomUint32 } from '../io/random.ts';

/** How often the heartbeat is raised while the event loop turns. */
const HEARTBEAT_MS = 100;
const BEATS_PER_SECOND = 1000 / HEARTBEAT_MS;
/** Faults reported to control a second; all are counted, the first of a place says enough. */
const MAX_FAULTS_PER_SECOND = 10;

/**
 * Serves what control says through `port`, from now until the thread ends.
 *
 * @param factories makes the handlers that plans name
 */
export function startWorker(
  port: MessagePort,
  start: WorkerStart,
  factories: Readonly<Record<string, HandlerFactory<never>>>,
): void {
  if (start.udp !== 'auto') process.env[UDP_VARIABLE] = start.udp;
  shortenTimeSlices();
  const send = (message: FromWorker): void => port.postMessage(message);
  let isDebug = false;
  const log = createRemoteLog(
    (level, text) => send({ type: 'log', level, text }),
    () => isDebug,
  );
  const cells = rowOf(start.cells, start.worker);
  const store = new StoreReader(start.store, start.worker);
  const faults = new FaultReporter(cells, send);
  const loop = new PacketLoop(systemClock, store, cells, (where, error) => faults.report(where, error));
  const runner = new PlanRunner({
    worker: start.worker,
    clock: systemClock,
    log,
    store,
    cells,
    random: randomUint32,
    upstreams: () => createUpstreams(systemClock),
    loop,
    notifySource: (tree, zone) => send({ type: 'notified', tree, zone }),
    fatal: (message) => send({ type: 'fatal', message }),
    factories,
  });
  startHeartbeat(new Int32Array(start.heartbeat), start.worker, () => {
    faults.nextSecond();
    cells[KERNEL_DROPS_CELL]! += runner.takeKernelDrops();
  });
  port.on('message', (message: ToWorker) => {
    switch (message.type) {
      case 'prepare':
        isDebug ||= message.plan.debug;
        void prepare(runner, message.plan).then(send);
        break;
      case 'activate':
        runner.activate(message.generation);
        send({ type: 'activated', generation: message.generation });
        break;
      case 'discard':
        runner.discard();
        break;
      case 'stop':
        void runner.stop(message.graceMs).then(() => {
          send({ type: 'stopped' });
          port.close();
        });
        break;
    }
  });
}

/** Raises the worker's cell while the event loop turns; does not keep the thread alive. */
function startHeartbeat(beats: Int32Array, worker: number, everySecond: () => void): void {
  let beat = 0;
  const at = worker * HEARTBEAT.WORDS;
  Atomics.store(beats, at + HEARTBEAT.THREAD, findThread());
  setInterval(() => {
    Atomics.add(beats, at + HEARTBEAT.BEAT, 1);
    if (++beat % BEATS_PER_SECOND === 0) everySecond();
  }, HEARTBEAT_MS).unref();
}

/** The system's number of this thread; 0 where there is none. */
function findThread(): number {
  try {
    return Number(fs.readlinkSync('/proc/thread-self').split('/').at(-1));
  } catch {
    return 0;
  }
}

/** Counts faults and tells control of the first few a second. */
class FaultReporter {
  readonly #cells: Float64Array;
  readonly #send: (message: FromWorker) => void;
  #thisSecond = 0;

  constructor(cells: Float64Array, send: (message: FromWorker) => void) {
    this.#cells = cells;
    this.#send = send;
  }

  report(where: string, error: unknown): void {
    this.#cells[PANICS_CELL]!++;
    if (this.#thisSecond++ >= MAX_FAULTS_PER_SECOND) return;
    const { message, stack } = error instanceof Error ? error : { message: String(error), stack: '' };
    this.#send({ type: 'fault', where, message, stack: stack ?? '' });
  }

  nextSecond(): void {
    this.#thisSecond = 0;
  }
}

async function prepare(runner: PlanRunner, plan: Plan): Promise<FromWorker> {
  const { generation } = plan;
  try {
    await runner.prepare(plan);
    const { kind, reason } = await chooseUdp();
    return { type: 'prepared', generation, udp: `${kind}: ${reason}`, sockets: nameSockets(runner.descriptors()) };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const message = error instanceof Error ? error.message : String(error);
    return { type: 'refused', generation, code: code ?? '', message };
  }
}

/** What the system calls these descriptors; none where it does not tell. */
function nameSockets(descriptors: readonly number[]): OpenSocket[] {
  return descriptors.flatMap((fd) => {
    try {
      return [{ fd, name: fs.readlinkSync(`/proc/self/fd/${fd}`) }];
    } catch {
      return [];
    }
  });
}
