// The messages between the control thread and its workers, nothing else.
import type { LogLevel } from '../base/log.ts';
import type { StoreMemory } from '../store/layout.ts';
import type { Plan } from './plan.ts';

/** What a worker shows of itself in the heartbeat's memory: `WORDS` Int32 each. */
export const HEARTBEAT = {
  WORDS: 2,
  /** Raised ten times a second while the worker's event loop turns. */
  BEAT: 0,
  /** The system's number of the thread; 0 where it has none. */
  THREAD: 1,
} as const;

/** `workerData` of a worker thread. */
export type WorkerStart = {
  readonly worker: number;
  readonly store: StoreMemory;
  /** Metric cells: one row of `ROW_CELLS` Float64 per worker; this worker's row is `worker`. */
  readonly cells: SharedArrayBuffer;
  /** Two Int32 per worker, see `HEARTBEAT`. */
  readonly heartbeat: SharedArrayBuffer;
  /** Batched UDP is asked for ('mmsg'), refused ('dgram'), or chosen by what the machine can ('auto'). */
  readonly udp: 'auto' | 'mmsg' | 'dgram';
};

/** Control to worker. A plan is prepared on all workers (sockets opened, chain compiled) before any of them activates it. */
export type ToWorker =
  | { readonly type: 'prepare'; readonly plan: Plan }
  | { readonly type: 'activate'; readonly generation: number }
  | { readonly type: 'discard'; readonly generation: number }
  /** Stop accepting, finish what is under way for at most `graceMs`, close all sockets, answer `stopped`. */
  | { readonly type: 'stop'; readonly graceMs: number };

/** A listening socket of a worker: its descriptor and what /proc/self/fd calls it, which no other socket is called. */
export type OpenSocket = { readonly fd: number; readonly name: string };

/** Worker to control. */
export type FromWorker =
  /** `sockets` are all that listen by now, for the case that the thread is stuck and cannot close them. */
  | {
      readonly type: 'prepared';
      readonly generation: number;
      readonly udp: string;
      readonly sockets: readonly OpenSocket[];
    }
  | { readonly type: 'refused'; readonly generation: number; readonly code: string; readonly message: string }
  | { readonly type: 'activated'; readonly generation: number }
  | { readonly type: 'stopped' }
  /** A line for the log; workers have no logger of their own, which keeps lines whole and memory small. */
  | { readonly type: 'log'; readonly level: LogLevel; readonly text: string }
  /** A plugin asks the process to end with a message (`loop`). */
  | { readonly type: 'fatal'; readonly message: string }
  /** Somebody outside says that a zone of the source that writes `tree` has changed (NOTIFY). */
  | { readonly type: 'notified'; readonly tree: number; readonly zone: string }
  /** A fault that was caught and counted; control logs it once per place. */
  | { readonly type: 'fault'; readonly where: string; readonly message: string; readonly stack: string };
