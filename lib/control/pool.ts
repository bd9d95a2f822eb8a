// The worker threads: starts them, brings plans to all of them in two steps, replaces one that died or stalled. Control.
import type { CancelTimer, Clock } from '../base/clock.ts';
import { ConfigError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { HEARTBEAT, type FromWorker, type OpenSocket, type ToWorker } from '../link/messages.ts';
import type { Plan } from '../link/plan.ts';
import type { ProfileKind } from './profiler.ts';
import type { Schedule } from './thread-schedule.ts';

/** One worker thread as the pool sees it; a fake one in tests. */
export interface WorkerThread {
  post(message: ToWorker): void;
  onMessage(run: (message: FromWorker) => void): void;
  /** Called once, with what ended the thread: an exit code or the text of an uncaught error. */
  onExit(run: (reason: string) => void): void;
  terminate(): void;
  /** A profile in V8's format; missing where Node cannot take one. */
  profile?(kind: ProfileKind, durationMs: number): Promise<string>;
}

export type PoolOptions = {
  readonly workers: number;
  readonly spawn: (worker: number) => WorkerThread;
  /** Laid out as `HEARTBEAT` says. */
  readonly heartbeat: SharedArrayBuffer;
  readonly clock: Clock;
  readonly log: Logger;
  /** A worker is gone: what it alone measured is gone too. */
  readonly onLost: (worker: number) => void;
  /** CPU time of a thread, by the system's number; undefined where it is not known. */
  readonly readSchedule: (threadId: number) => Schedule | undefined;
  /** Takes these sockets away from a thread that cannot be ended. Resolves to how many, never rejects. */
  readonly seizeSockets: (sockets: readonly OpenSocket[]) => Promise<number>;
  /** A plugin wants the process to end. */
  readonly onFatal: (message: string) => void;
  /** A zone of the source that writes `tree` is said to have changed. */
  readonly onNotified: (tree: number, zone: string) => void;
};

/** How often heartbeats are looked at, and how long one may stand still: with both, a replacement serves within a second. */
const WATCH_MS = 100;
const STALL_MS = 500;
/** From here on it is suspected, and the CPU time it gets is looked at. */
const SUSPECT_MS = 200;
/** CPU time without a beat that no living worker uses. */
const SPINNING_MS = 200;
/** A worker that others keep from the CPU has so many times as long. */
const STARVED_FACTOR = 10;
/** After a longer pause between two looks this thread itself was held up. */
const HELD_UP_MS = 300;
/** A thread that was told to end and has not after this time is stuck in a native call. */
const STUCK_MS = 100;
/** A worker that is only starting has this long for its first heartbeat. */
const START_MS = 10_000;
/** How long all workers together may take for one step of a plan change. */
const STEP_MS = 15_000;
/** Pause before a replacement that follows the last one closely, doubled each time. */
const MIN_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 5000;
/** A worker that lived this long is replaced at once. */
const HEALTHY_MS = 10_000;
/** Fault texts remembered so that each is logged once. */
const MAX_FAULTS = 256;

type Slot = {
  readonly worker: number;
  thread: WorkerThread | undefined;
  startedMs: number;
  backoffMs: number;
  beat: number;
  beatMs: number;
  hasBeaten: boolean;
  /** CPU time when its heartbeat began to be suspected. */
  suspected: { readonly atMs: number; readonly schedule: Schedule | undefined } | undefined;
  /** Newest generation that the thread has prepared. */
  prepared: number;
  /** What the thread listens on, as it said last. */
  sockets: readonly OpenSocket[];
  /** Answers that are awaited, at most a few: a reload may come while a replacement gets ready. */
  readonly waiting: Set<Waiting>;
};
/** An awaited answer and what to do when it comes or never will. */
type Waiting = {
  readonly type: FromWorker['type'];
  readonly generation: number;
  readonly settle: (error?: ConfigError) => void;
};

export class WorkerPool {
  /** Threads replaced since the start. */
  replaced = 0;
  readonly #options: PoolOptions;
  readonly #slots: Slot[];
  readonly #beats: Int32Array;
  readonly #faults = new Set<string>();
  /** Threads that were told to end because of a fault and have not yet. */
  readonly #ending = new Set<WorkerThread>();
  #plan: Plan | undefined;
  #stopping = false;
  #cancelWatch: CancelTimer | undefined;
  #toldUdp = '';
  #watchedMs: number;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#beats = new Int32Array(options.heartbeat);
    this.#watchedMs = options.clock.monotonicMs();
    this.#slots = Array.from({ length: options.workers }, (_, worker) => ({
      worker,
      thread: undefined,
      startedMs: 0,
      backoffMs: 0,
      beat: 0,
      beatMs: 0,
      hasBeaten: false,
      suspected: undefined,
      prepared: -1,
      sockets: [],
      waiting: new Set(),
    }));
  }

  get size(): number {
    return this.#slots.length;
  }

  /** Profiles one worker thread. @throws Error, as a rejection, when it cannot be done */
  async profile(worker: number, kind: ProfileKind, durationMs: number): Promise<string> {
    const thread = this.#slots[worker]?.thread;
    if (thread?.profile === undefined) throw new Error('this thread cannot be profiled');
    return thread.profile(kind, durationMs);
  }

  start(): void {
    for (const slot of this.#slots) this.#spawn(slot);
    this.#watch();
  }

  /**
   * Has every worker open the plan's sockets and compile its chains, next to the plan in use.
   *
   * @throws ConfigError `LISTEN` with the first worker's reason; the others have then dropped the plan
   */
  async prepare(plan: Plan): Promise<void> {
    try {
      await this.#step('prepared', plan.generation, { type: 'prepare', plan });
    } catch (error) {
      this.discard(plan.generation);
      throw error;
    }
  }

  /** Has every worker change over to a prepared plan; from now on replacements start with it. */
  async activate(plan: Plan): Promise<void> {
    this.#plan = plan;
    const { generation } = plan;
    await Promise.all(
      this.#slots.map(async (slot) => {
        // A worker replaced in between has yet to hear of the plan.
        if (slot.thread !== undefined && slot.prepared !== generation) {
          await this.#ask(slot, 'prepared', generation, { type: 'prepare', plan }, STEP_MS);
        }
        await this.#ask(slot, 'activated', generation, { type: 'activate', generation }, STEP_MS);
      }),
    );
  }

  discard(generation: number): void {
    for (const { thread } of this.#slots) thread?.post({ type: 'discard', generation });
  }

  /** Lets every worker finish for at most `graceMs`, then ends the threads. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping = true;
    this.#cancelWatch?.();
    try {
      await this.#step('stopped', -1, { type: 'stop', graceMs }, graceMs + 500);
    } catch {
      // What has not stopped by now is ended below.
    }
    for (const { thread } of this.#slots) thread?.terminate();
  }

  async #step(type: FromWorker['type'], generation: number, message: ToWorker, limitMs = STEP_MS): Promise<void> {
    const asked = this.#slots.map((slot) => this.#ask(slot, type, generation, message, limitMs));
    // All have to answer, also when one has refused: a process that ends while a thread loads its native code crashes.
    const refused = (await Promise.allSettled(asked)).find(({ status }) => status === 'rejected');
    if (refused?.status === 'rejected') throw refused.reason;
  }

  #ask(slot: Slot, type: FromWorker['type'], generation: number, message: ToWorker, limitMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const cancel = this.#options.clock.after(limitMs, () =>
        settle(new ConfigError('LISTEN', `worker ${slot.worker} did not answer within ${limitMs / 1000}s`)),
      );
      const settle = (error?: ConfigError): void => {
        cancel();
        slot.waiting.delete(waiting);
        if (error === undefined) resolve();
        else reject(error);
      };
      const waiting: Waiting = { type, generation, settle };
      if (slot.thread === undefined) {
        // Its replacement starts with the plan in use, so only a new plan has to wait for it.
        if (type === 'prepared') settle(new ConfigError('LISTEN', `worker ${slot.worker} is being replaced`));
        else settle();
        return;
      }
      slot.waiting.add(waiting);
      slot.thread.post(message);
    });
  }

  #spawn(slot: Slot): WorkerThread {
    const { clock } = this.#options;
    const thread = this.#options.spawn(slot.worker);
    slot.thread = thread;
    slot.startedMs = clock.monotonicMs();
    slot.beat = this.#beatOf(slot);
    slot.beatMs = slot.startedMs;
    slot.hasBeaten = false;
    slot.suspected = undefined;
    slot.prepared = -1;
    slot.sockets = [];
    thread.onMessage((message) => {
      if (slot.thread === thread) this.#receive(slot, message);
    });
    thread.onExit((reason) => {
      this.#ending.delete(thread);
      if (slot.thread === thread) this.#lose(slot, reason);
    });
    return thread;
  }

  #receive(slot: Slot, message: FromWorker): void {
    switch (message.type) {
      case 'fatal':
        this.#options.onFatal(message.message);
        break;
      case 'notified':
        this.#options.onNotified(message.tree, message.zone);
        return;
      case 'log':
        this.#options.log[message.level](message.text);
        return;
      case 'fault':
        this.#reportFault(message.where, message.message, message.stack);
        break;
      default:
        this.#settle(slot, message);
    }
  }

  #settle(slot: Slot, message: Exclude<FromWorker, { readonly type: 'fatal' | 'fault' | 'log' | 'notified' }>): void {
    if (message.type === 'prepared') {
      slot.prepared = message.generation;
      this.#tellUdp(message.udp);
      slot.sockets = message.sockets;
    }
    for (const { type, generation, settle } of slot.waiting) {
      if (message.type === 'stopped') {
        if (type === 'stopped') settle();
      } else if (message.generation !== generation) continue;
      else if (message.type === 'refused') settle(new ConfigError('LISTEN', message.message));
      else if (message.type === type) settle();
    }
  }

  /** Says once how packets are read. */
  #tellUdp(how: string): void {
    if (this.#toldUdp === how) return;
    this.#toldUdp = how;
    const { log } = this.#options;
    if (how.startsWith('mmsg')) log.info(`UDP by recvmmsg and sendmmsg: ${how.slice('mmsg: '.length)}`);
    else log.warning(`UDP by node:dgram: ${how.slice('dgram: '.length)}`);
  }

  #reportFault(where: string, message: string, stack: string): void {
    const key = `${where}\n${message}`;
    if (this.#faults.has(key) || this.#faults.size >= MAX_FAULTS) return;
    this.#faults.add(key);
    this.#options.log.error(`Recovered from panic in server: ${where}: ${message}${stack === '' ? '' : `\n${stack}`}`);
  }

  #lose(slot: Slot, reason: string): void {
    slot.thread = undefined;
    for (const { type, settle } of slot.waiting) {
      if (type === 'prepared') {
        settle(
          new ConfigError('LISTEN', `worker ${slot.worker} ended while it got ready: ${reason.split('\n', 1)[0]}`),
        );
      } else settle();
    }
    if (this.#stopping) return;
    const { clock, log, onLost } = this.#options;
    onLost(slot.worker);
    this.replaced++;
    const livedMs = clock.monotonicMs() - slot.startedMs;
    slot.backoffMs =
      livedMs >= HEALTHY_MS
        ? 0
        : Math.min(MAX_BACKOFF_MS, slot.backoffMs === 0 ? 1 : Math.max(MIN_BACKOFF_MS, slot.backoffMs * 2));
    log.error(`worker ${slot.worker} ended: ${reason}; starting another one`);
    if (slot.backoffMs <= 1) this.#replace(slot);
    else clock.after(slot.backoffMs, () => this.#replace(slot));
  }

  #replace(slot: Slot): void {
    if (this.#stopping || slot.thread !== undefined) return;
    const thread = this.#spawn(slot);
    const plan = this.#plan;
    if (plan === undefined) return;
    this.#ask(slot, 'prepared', plan.generation, { type: 'prepare', plan }, STEP_MS).then(
      () => thread.post({ type: 'activate', generation: plan.generation }),
      (error: Error) => {
        this.#options.log.error(`worker ${slot.worker} cannot serve: ${error.message}`);
        if (slot.thread === thread) this.#end(slot, error.message);
      },
    );
  }

  /** Ends a thread that is of no use and does not wait for it to notice. */
  #end(slot: Slot, reason: string): void {
    const { thread, sockets, worker } = slot;
    if (thread === undefined) return;
    this.#ending.add(thread);
    thread.terminate();
    this.#lose(slot, reason);
    this.#options.clock.after(STUCK_MS, () => {
      if (this.#ending.has(thread)) void this.#seize(worker, sockets);
    });
  }

  async #seize(worker: number, sockets: readonly OpenSocket[]): Promise<void> {
    const seized = await this.#options.seizeSockets(sockets);
    const what = `${seized} of its ${sockets.length} listening sockets were closed for it`;
    this.#options.log.error(`worker ${worker} is stuck in a native call and cannot be ended; ${what}`);
  }

  #watch(): void {
    this.#cancelWatch = this.#options.clock.after(WATCH_MS, () => {
      const nowMs = this.#options.clock.monotonicMs();
      // When this thread itself was held up the workers may have been too: their time starts anew.
      const wasHeldUp = nowMs - this.#watchedMs > HELD_UP_MS;
      this.#watchedMs = nowMs;
      for (const slot of this.#slots) this.#look(slot, nowMs, wasHeldUp);
      if (!this.#stopping) this.#watch();
    });
  }

  #look(slot: Slot, nowMs: number, wasHeldUp: boolean): void {
    if (slot.thread === undefined) return;
    const beat = this.#beatOf(slot);
    if (beat !== slot.beat) slot.hasBeaten = true;
    if (beat !== slot.beat || wasHeldUp) {
      slot.beat = beat;
      slot.beatMs = nowMs;
      slot.suspected = undefined;
      return;
    }
    const silentMs = nowMs - slot.beatMs;
    if (silentMs < SUSPECT_MS) return;
    slot.suspected ??= { atMs: nowMs, schedule: this.#scheduleOf(slot) };
    const allowedMs = slot.hasBeaten ? STALL_MS : START_MS;
    if (silentMs < allowedMs || (silentMs < STARVED_FACTOR * allowedMs && this.#isStarved(slot, nowMs))) return;
    this.#end(slot, `no sign of life for ${Math.round(silentMs)} ms`);
  }

  /** Whether the thread spent most of the time since it was suspected in waiting for a CPU, and little on one. */
  #isStarved(slot: Slot, nowMs: number): boolean {
    const now = this.#scheduleOf(slot);
    const then = slot.suspected?.schedule;
    if (now === undefined || then === undefined) return false;
    return now.runMs - then.runMs < SPINNING_MS && now.waitMs - then.waitMs > (nowMs - slot.suspected!.atMs) / 2;
  }

  #beatOf({ worker }: Slot): number {
    return Atomics.load(this.#beats, worker * HEARTBEAT.WORDS + HEARTBEAT.BEAT);
  }

  #scheduleOf({ worker }: Slot): Schedule | undefined {
    return this.#options.readSchedule(Atomics.load(this.#beats, worker * HEARTBEAT.WORDS + HEARTBEAT.THREAD));
  }
}
