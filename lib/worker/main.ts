// Entry of a worker thread: sets up what all plans share and obeys control's messages. Worker.
import { parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../base/clock.ts';
import { UDP_VARIABLE, chooseUdp } from '../io/udp.ts';
import { createUpstreams } from '../io/upstreams.ts';
import type { FromWorker, ToWorker, WorkerStart } from '../link/messages.ts';
import { rowOf } from '../metrics/cells.ts';
import { PANICS_CELL } from '../metrics/registry.ts';
import { HANDLERS } from '../plugins/handlers.ts';
import { StoreReader } from '../store/reader.ts';
import { PacketLoop } from './loop.ts';
import { PlanRunner } from './plan-runner.ts';
import { createRemoteLog } from './remote-log.ts';
import { randomUint32 } from '../io/random.ts';

/** How often the heartbeat is raised while the event loop turns. */
const HEARTBEAT_MS = 200;
/** Faults reported to control a second; all are counted there or not, the first of a place says enough. */
const MAX_FAULTS_PER_SECOND = 10;

const port = parentPort;
if (!port) throw new Error('this file is the entry of a worker thread');
const start = workerData as WorkerStart;
if (start.udp !== 'auto') process.env[UDP_VARIABLE] = start.udp;

const send = (message: FromWorker): void => port.postMessage(message);
let isDebug = false;
const log = createRemoteLog(
  (level, text) => send({ type: 'log', level, text }),
  () => isDebug,
);
const cells = rowOf(start.cells, start.worker);
const store = new StoreReader(start.store, start.worker);

let faultsThisSecond = 0;
function reportFault(where: string, error: unknown): void {
  cells[PANICS_CELL]!++;
  if (faultsThisSecond++ >= MAX_FAULTS_PER_SECOND) return;
  const { message, stack } = error instanceof Error ? error : { message: String(error), stack: '' };
  send({ type: 'fault', where, message, stack: stack ?? '' });
}

const loop = new PacketLoop(systemClock, store, cells, reportFault);
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
  factories: HANDLERS,
});

const heartbeat = new Int32Array(start.heartbeat);
setInterval(() => {
  Atomics.add(heartbeat, start.worker, 1);
  faultsThisSecond = 0;
}, HEARTBEAT_MS).unref();

async function prepare(plan: Extract<ToWorker, { type: 'prepare' }>['plan']): Promise<void> {
  const { generation } = plan;
  isDebug ||= plan.debug;
  try {
    await runner.prepare(plan);
    const { kind, reason } = await chooseUdp();
    send({ type: 'prepared', generation, udp: `${kind}: ${reason}` });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    send({
      type: 'refused',
      generation,
      code: code ?? '',
      message: error instanceof Error ? error.message : String(error),
    });
  }
}

async function stop(graceMs: number): Promise<void> {
  await runner.stop(graceMs);
  send({ type: 'stopped' });
  port?.close();
}

port.on('message', (message: ToWorker) => {
  switch (message.type) {
    case 'prepare':
      void prepare(message.plan);
      break;
    case 'activate':
      runner.activate(message.generation);
      send({ type: 'activated', generation: message.generation });
      break;
    case 'discard':
      runner.discard();
      break;
    case 'stop':
      void stop(message.graceMs);
      break;
  }
});
