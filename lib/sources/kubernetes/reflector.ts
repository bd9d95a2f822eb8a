// Keeps the objects of one resource as the API server has them: a list, then a watch, for ever, whatever fails. Control thread.
import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import { Backoff } from './backoff.ts';
import { Fault, faultOfStatus, toFault } from './fault.ts';
import { LineSplitter } from './json-lines.ts';
import { ListScanner } from './json-list.ts';
import type { ObjectSink } from './object-sink.ts';
import { ObjectView, type ViewCounters, yieldToEventLoop } from './object-view.ts';
import type { ObjectIdentity } from './objects/metadata.ts';
import { OutageLog } from './outage-log.ts';
import type { Resource } from './resource.ts';
import type { ApiResponse, ApiTransport } from './transport.ts';
import { parseWatchEvent } from './watch-event.ts';

export type ReflectorSettings = {
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Already carries the plugin's name. */
  readonly log: Logger;
  /** Without a byte for so long (give or take a tenth) a watch is taken for dead and opened anew. Default 60 s. */
  readonly idleTimeoutMs?: number;
};

/** Counted since the start; read at any time. */
export type ReflectorCounters = {
  lists: number;
  /** Lists after the first complete one. */
  relists: number;
  watches: number;
  /** Requests and streams that ended in another way than by the server's good order. */
  errors: number;
  badLines: number;
  /** Watches that were opened anew because nothing was heard. */
  idleReconnects: number;
  /** Times the cluster was found to have gone back in time. */
  rewinds: number;
  /** Unix milliseconds of the last byte from the server; 0 before the first. */
  lastProofOfLifeMs: number;
};

const IDLE_TIMEOUT_MS = 60_000;
/** How long the headers of an answer may take. */
const ANSWER_TIMEOUT_MS = 30_000;
/** A streaming list that pauses for so long is given up for a paged one: some storages never end it. */
const STREAMING_PAUSE_MS = 15_000;
const LIST_INTERVAL_MS = 10_000;
const LIST_JITTER_MS = 1000;
const PAGE_SIZE = 500;
/** A watch that lived so long was a good one, however it ended. */
const GOOD_WATCH_MS = 30_000;
/** After a watch was cut, the server's version is asked for unless an event has shown it. */
const PROBE_DELAY_MS = 5000;
/** No object is larger: etcd refuses above 1.5 MB, text and managedFields can double it. */
const MAX_OBJECT_BYTES = 8 * 1024 * 1024;
/** A refused streaming list is tried again after so long: the server may have been upgraded. */
const STREAMING_RETRY_MS = 3_600_000;
/** Bytes handled before other work gets a turn. */
const TURN_BYTES = 32_768;

export class Reflector<T extends ObjectIdentity> {
  readonly counters: ReflectorCounters = {
    lists: 0,
    relists: 0,
    watches: 0,
    errors: 0,
    badLines: 0,
    idleReconnects: 0,
    rewinds: 0,
    lastProofOfLifeMs: 0,
  };
  readonly view: ObjectView<T>;
  readonly resource: Resource<T>;
  readonly #sink: ObjectSink<T>;
  readonly #transport: ApiTransport;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #outage: OutageLog;
  readonly #backoff: Backoff;
  readonly #idleTimeoutMs: number;
  #stopped = false;
  #wake: (() => void) | undefined;
  #synced = false;
  /** Last resourceVersion as the server wrote it; '' before the first list. */
  #version = '';
  /** What the next list asks for: at least this version, or '' for the newest there is. */
  #listVersion = '';
  #needsList = true;
  #nextListMs = 0;
  #streamingFromMs = 0;
  /** Complete lists in a row that were older than what is known. */
  #olderLists = 0;
  #badLinesInRow = 0;
  #refusedInRow = 0;
  #suspectsRewind = false;
  #abort: AbortController | undefined;
  #abortFault: Fault | undefined;

  constructor(resource: Resource<T>, sink: ObjectSink<T>, transport: ApiTransport, settings: ReflectorSettings) {
    this.resource = resource;
    this.#sink = sink;
    this.#transport = transport;
    this.#clock = settings.clock;
    this.#random = settings.random;
    this.#backoff = new Backoff(settings.clock, settings.random);
    this.#outage = new OutageLog(resource.name, settings.clock, settings.log);
    this.#idleTimeoutMs = settings.idleTimeoutMs ?? IDLE_TIMEOUT_MS;
    this.view = new ObjectView(resource, sink, settings.log);
  }

  /** A complete list has been delivered; never false again. */
  get synced(): boolean {
    return this.#synced;
  }

  get viewCounters(): Readonly<ViewCounters> {
    return this.view.counters;
  }

  /** Begins to follow; never throws, never ends before `stop`. */
  start(): void {
    void this.#run();
  }

  /** Closes the connection; nothing is delivered after it. */
  stop(): void {
    this.#stopped = true;
    this.#abort?.abort();
    this.#wake?.();
  }

  /** Has a fresh list made as soon as the limit on lists allows: something is known to be wrong. */
  relist(reason: string): void {
    this.#interrupt(new Fault('garbled', reason));
    this.#needsList = true;
  }
}
