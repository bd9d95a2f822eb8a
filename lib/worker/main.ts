// Entry of a worker thread. Worker.
import { parentPort, workerData } from 'node:worker_threads';
import type { WorkerStart } from '../link/messages.ts';
import { HANDLERS } from '../plugins/handlers.ts';
import { startWorker } from './thread.ts';

if (!parentPort) throw new Error('this file is the entry of a worker thread');
startWorker(parentPort, workerData as WorkerStart, HANDLERS);
