// Keeps the objects of one resource as the API server has them: a list, then a watch, for ever, whatever fails. Control thread.
import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import { Backoff } from './backoff.ts';
import { Connection } from './connection.ts';
import { Fault, faultOfStatus, toFault } from './fault.ts';
import { LineSplitter } from './json-lines.ts';
import type { ObjectSink } from './object-sink.ts';
import { ObjectView, yieldToEventLoop } from './object-view.ts';
import type { ObjectIdentity } from './objects/metadata.ts';
import { OutageLog } from './outage-log.ts';
import { type CompleteList, fetchList, fetchVersion, MAX_OBJECT_BYTES, resourcePath } from './paged-list.ts';
import type { ReflectorCounters, ReflectorSettings } from './reflector-settings.ts';
import type { Resource } from './resource.ts';
import type { ApiTransport } from './transport.ts';
import { VersionProbe } from './version-probe.ts';
import { endsInitialEvents, parseWatchEvent, type WatchEvent } from './watch-event.ts';

const IDLE_TIMEOUT_MS = 60_000;
/** A streaming list that pauses for so long is given up for a paged one: some storages never end it. */
const STREAMING_PAUSE_MS = 15_000;
/** Between two lists of a resource, at least; plus a jitter. */
const LIST_INTERVAL_MS = 10_000;
const JITTER_MS = 1000;
/** A watch that lived so long was a good one, however it ended. */
const GOOD_WATCH_MS = 30_000;
const SHORT_WATCH_MS = 1000;
/** A refused streaming list is tried again after so long: the server may have been upgraded. */
const STREAMING_RETRY_MS = 3_600_000;
/** After another trouble with a streaming list, lists are paged for so long. */
const STREAMING_REST_MS = 60_000;
/** Bytes handled before other work gets a turn. */
const TURN_BYTES = 32_768;

export class Reflector<T extends ObjectIdentity> {
  readonly resource: Resource<T>;
  readonly view: ObjectView<T>;
  readonly counters: ReflectorCounters = {
    lists: 0,
    watches: 0,
    errors: 0,
    badLines: 0,
    idleReconnects: 0,
    rewinds: 0,
    lastProofOfLifeMs: 0,
  };
  readonly #sink: ObjectSink<T>;
  readonly #transport: ApiTransport;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #log: Logger;
  readonly #probe: VersionProbe;
  readonly #outage: OutageLog;
  readonly #backoff: Backoff;
  readonly #idleTimeoutMs: number;
  #stopped = false;
  #synced = false;
  #wake: (() => void) | undefined;
  #connection: Connection | undefined;
  /** Last resourceVersion as the server wrote it; '' before the first list. Never goes back but by a rewind. */
  #version = '';
  #needsList = true;
  /** The connection at work is to deliver a list and has not yet. */
  #listing = false;
  /** What the next list asks for: at least this version, or '' for the newest there is. */
  #listVersion = '';
  #nextListMs = Number.NEGATIVE_INFINITY;
  #streamingFromMs = Number.NEGATIVE_INFINITY;
  /** Objects of a streaming list that has not ended yet. */
  #collected: Map<string, T> | undefined;
  /** Answers in a row that showed an older state than is known. */
  #olderAnswers = 0;
  #badLinesInRow = 0;
  #refusalsInRow = 0;
  #heardEvents = false;
  /** When the watch asked to be ended. */
  #watchSeconds = 0;
  #suspectsRewind = false;
  /** The last connection was given up because nothing was heard. */
  #wasSilent = false;
  #verb: 'list' | 'watch' = 'list';

  constructor(resource: Resource<T>, sink: ObjectSink<T>, transport: ApiTransport, settings: ReflectorSettings) {
    this.resource = resource;
    this.#sink = sink;
    this.#transport = transport;
    this.#clock = settings.clock;
    this.#random = settings.random;
    this.#log = settings.log;
    this.#probe = new VersionProbe(settings, {
      isWanted: () => this.#suspectsRewind && !this.#needsList && !this.#stopped,
      claim: () => this.claimList(),
      ask: () => this.#askVersion(),
      judge: (newest) => this.#judgeNewest(newest),
    });
    this.#backoff = new Backoff(settings.clock, settings.random);
    this.#outage = new OutageLog(resource.name, settings.clock, settings.log);
    this.#idleTimeoutMs = settings.idleTimeoutMs ?? IDLE_TIMEOUT_MS;
    this.view = new ObjectView(resource, sink, settings.log);
  }

  /** A complete list has been delivered; never false again. */
  get synced(): boolean {
    return this.#synced;
  }

  /** The last resourceVersion seen. */
  get version(): string {
    return this.#version;
  }

  /** Begins to follow; never throws, ends only by `stop`. */
  start(): void {
    void this.#run();
  }

  /** Closes the connection; nothing is delivered afterwards. */
  stop(): void {
    this.#stopped = true;
    this.#connection?.interrupt(new Fault('closed', 'stopped'));
    this.#wake?.();
  }

  /** Has a fresh list made as soon as the limit on lists allows: something is known to be wrong. */
  relist(reason: string): void {
    this.#needsList = true;
    this.#listVersion = '';
    this.#connection?.interrupt(new Fault('older', reason));
  }

  /**
   * Asks for leave to make a list beside the watch.
   *
   * @returns 0 when it may be made now (and none other for a while), else the milliseconds to wait
   */
  claimList(): number {
    // The list that the view is waiting for goes first.
    if (this.#needsList) return LIST_INTERVAL_MS;
    const waitMs = Math.max(0, this.#nextListMs - this.#clock.monotonicMs());
    if (waitMs === 0) this.#listBegins();
    return waitMs;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const startedMs = this.#clock.monotonicMs();
      let fault: Fault;
      try {
        if (this.#needsList) await this.#sleep(this.#nextListMs - this.#clock.monotonicMs());
        if (!this.#stopped) await this.#follow();
        fault = new Fault('closed', 'the server ended the watch');
      } catch (error) {
        fault = toFault(error);
      }
      this.#collected = undefined;
      if (this.#stopped) return;
      await this.#sleep(this.#decide(fault, this.#clock.monotonicMs() - startedMs));
    }
  }

  /** One list if it is needed, and the watch after it; ends with a fault or when the server ends the watch. */
  async #follow(): Promise<void> {
    this.#heardEvents = false;
    this.#listing = this.#needsList;
    if (!this.#needsList) return this.#watch(false);
    if (this.#clock.monotonicMs() >= this.#streamingFromMs) return this.#watch(true);
    await this.#list();
    return this.#watch(false);
  }

  async #list(): Promise<void> {
    this.#verb = 'list';
    // Any state will do for the first list, unless a saved copy could be newer than that.
    const version = this.#version === '' && !this.view.isSaved ? '0' : this.#listVersion;
    const objects = new Map<string, T>();
    const mayReuse = this.#mayReuse;
    const take = (raw: unknown): void => {
      const object = this.view.trimListed(raw, mayReuse);
      if (object !== undefined) objects.set(object.key, object);
    };
    const listVersion = await fetchList(
      this.resource,
      { version },
      () => this.#connect(),
      take,
      () => this.#listBegins(),
    );
    await this.#finishList({ objects, version: listVersion, newest: version === '' });
  }

  /** Equal versions are equal objects, unless the cluster may not be what it was. */
  get #mayReuse(): boolean {
    return this.#olderAnswers === 0 && !this.view.isSaved;
  }

  async #watch(streaming: boolean): Promise<void> {
    this.#verb = 'watch';
    const connection = this.#connect();
    try {
      if (streaming) this.#collected = new Map();
      const quietMs = this.#idleTimeoutMs * (0.9 + this.#random() * 0.2);
      const limitMs = streaming ? Math.min(STREAMING_PAUSE_MS, quietMs) : quietMs;
      const body = await connection.open(this.#watchPath(streaming), 'watch', limitMs);
      this.counters.watches++;
      this.#refusalsInRow = 0;
      if (streaming) this.#listBegins();
      else this.#outage.recovered();
      if (this.#suspectsRewind && !streaming) this.#probe.arm(this.#wasSilent);
      const lines = new LineSplitter(MAX_OBJECT_BYTES);
      let turnBytes = 0;
      for await (const chunk of body) {
        lines.push(chunk);
        for (let line = lines.next(); line !== undefined; line = lines.next()) {
          if (this.#stopped) return;
          if (line.length === 0) continue;
          const listEnd = this.#takeLine(line);
          if (listEnd === undefined) continue;
          await this.#finishList(listEnd);
          connection.quietLimitMs = quietMs;
        }
        turnBytes += chunk.length;
        if (turnBytes < TURN_BYTES) continue;
        turnBytes = 0;
        await yieldToEventLoop();
      }
      if (lines.pendingBytes > 0) throw new Fault('network', 'the watch was cut inside a line');
      if (this.#collected !== undefined) throw new Fault('network', 'the streaming list was cut');
    } finally {
      this.#probe.cancel();
      connection.close();
      this.#connection = undefined;
    }
  }

  /** @returns the list that this line completes */
  #takeLine(line: Buffer): CompleteList<T> | undefined {
    const event = parseWatchEvent(line);
    if (event === undefined) throw new Fault('garbled', `not a watch event: ${line.toString('utf8', 0, 80)}`);
    if (event.type === 'ERROR') {
      if (!this.#listing) this.#listVersion = this.#version;
      this.#needsList = true;
      throw faultOfStatus(Number((event.object as { code?: unknown } | null)?.code) || 500, event.object);
    }
    this.#badLinesInRow = 0;
    this.#heardEvents = true;
    if (this.#collected !== undefined) return this.#collect(this.#collected, event);
    if (event.type === 'DELETED') this.view.remove(event.object);
    else if (event.type !== 'BOOKMARK') this.view.upsert(event.object);
    this.#advance(event.version);
    return undefined;
  }

  #collect(collected: Map<string, T>, event: WatchEvent): CompleteList<T> | undefined {
    if (event.type === 'BOOKMARK') {
      if (!endsInitialEvents(event)) return undefined;
      return { objects: collected, version: event.version, newest: this.#listVersion === '' };
    }
    const object = this.view.trimListed(event.object, this.#mayReuse);
    if (object === undefined) return undefined;
    if (event.type === 'DELETED') collected.delete(object.key);
    else collected.set(object.key, object);
    return undefined;
  }

  /** Moves the version on; one that is lower than what is known is never taken, but makes one wonder. */
  #advance(version: string): void {
    if (version === '' || version === this.#version) return;
    this.#suspectsRewind = Number(version) < Number(this.#version);
    if (this.#suspectsRewind) this.#probe.arm();
    else this.#version = version;
  }

  /** The server has begun to deliver a list: the next one must wait. */
  #listBegins(): void {
    this.#nextListMs = this.#clock.monotonicMs() + LIST_INTERVAL_MS + this.#random() * JITTER_MS;
  }

  /** @throws Fault `older` when the list must not be believed (yet) */
  async #finishList(list: CompleteList<T>): Promise<void> {
    const isOlder = Number(list.version) < Number(this.#version);
    // The newest state, read twice, is older than what is known: the cluster was restored from a backup.
    const rewound = isOlder && list.newest && this.#olderAnswers > 0;
    if (isOlder && !rewound) {
      this.#olderAnswers++;
      throw new Fault('older', `the list is of version ${list.version}, ${this.#version} is known`);
    }
    if (rewound) {
      this.counters.rewinds++;
      this.#log.warning(
        `${this.resource.name}: the cluster went back from version ${this.#version} to ${list.version}, taking its state as it is now`,
      );
    }
    await this.view.replace(list.objects, Number(list.version) || 0, rewound, () => this.#stopped);
    if (this.#stopped) return;
    this.#collected = undefined;
    this.#version = list.version;
    this.#listVersion = list.version;
    this.#needsList = false;
    this.#listing = false;
    this.#olderAnswers = 0;
    this.#suspectsRewind = false;
    this.#synced = true;
    this.counters.lists++;
    this.#outage.recovered();
    this.#heard();
  }

  /** What to do after a fault. @returns milliseconds to wait first */
  #decide(fault: Fault, livedMs: number): number {
    const wasGood = livedMs >= GOOD_WATCH_MS || (this.#heardEvents && !this.#needsList);
    if (wasGood) this.#backoff.reset();
    this.#wasSilent = fault.kind === 'idle';
    if (this.#wasSilent) return this.#decideIdle();
    if (fault.kind === 'closed') {
      // A server that goes away in good order, before it was asked to, may come back with another state.
      if (livedMs < this.#watchSeconds * 1000) this.#suspectsRewind = true;
      if (livedMs >= SHORT_WATCH_MS) return this.#random() * JITTER_MS;
      return this.#backoff.nextDelayMs();
    }
    if (fault.kind === 'unsupported' && this.#verb === 'watch' && this.#listing) {
      this.#streamingFromMs = this.#clock.monotonicMs() + STREAMING_RETRY_MS;
      return 0;
    }
    this.counters.errors++;
    switch (fault.kind) {
      case 'unauthorized':
        this.#transport.refreshCredentials();
        if (this.#refusalsInRow++ === 0) return 0;
        break;
      case 'forbidden':
        if (this.#verb === 'watch' && this.#listing) {
          this.#streamingFromMs = this.#clock.monotonicMs() + STREAMING_REST_MS;
          return 0;
        }
        break;
      case 'expired':
        this.#needsList = true;
        if (this.#listing) this.#listVersion = '';
        else {
          // The server is well and only forgot: the limit on lists is all the waiting there has to be.
          this.#listVersion = this.#version;
          return this.#random() * JITTER_MS;
        }
        break;
      case 'too-new':
      case 'older':
        this.#listVersion = '';
        this.#needsList = true;
        break;
      case 'garbled':
        this.counters.badLines++;
        if (this.#listing) this.#streamingFromMs = this.#clock.monotonicMs() + STREAMING_REST_MS;
        if (++this.#badLinesInRow > 1) this.#needsList = true;
        break;
      case 'unsupported':
        this.#needsList = true;
        break;
      default:
        this.#suspectsRewind = true;
    }
    this.#outage.failed(this.#verb, fault, this.#synced);
    return this.#backoff.nextDelayMs(fault.retryAfterMs);
  }

  /**
   * A quiet cluster is no failure: watch on from the same version. The silence may as well be that of a connection which
   * died while the cluster was restored. A streaming list that stalls is tried in pages.
   */
  #decideIdle(): number {
    this.counters.idleReconnects++;
    this.#suspectsRewind = true;
    if (this.#listing) this.#streamingFromMs = this.#clock.monotonicMs() + STREAMING_RETRY_MS;
    return this.#random() * JITTER_MS;
  }

  /** The newest version there is, for the probe; '' when it cannot be asked for now. */
  async #askVersion(): Promise<string> {
    const version = await fetchVersion(this.resource, () => this.#newConnection());
    return this.#stopped || this.#needsList ? '' : version;
  }

  #judgeNewest(newest: string): void {
    if (newest === '') return;
    this.#suspectsRewind = false;
    if (Number(newest) >= Number(this.#version)) return;
    this.#olderAnswers++;
    this.#connection?.interrupt(new Fault('older', `the newest version is ${newest}, ${this.#version} is known`));
  }

  #newConnection(): Connection {
    return new Connection(this.#transport, this.#clock, () => this.#heard());
  }

  #connect(): Connection {
    this.#connection = this.#newConnection();
    return this.#connection;
  }

  #heard(): void {
    // While a list is needed, what is heard says nothing about the view.
    if (this.#needsList || this.#stopped) return;
    const nowMs = this.#clock.nowMs();
    this.counters.lastProofOfLifeMs = nowMs;
    this.#sink.proofOfLife(nowMs);
  }

  #watchPath(streaming: boolean): string {
    const query = new URLSearchParams({ watch: 'true', allowWatchBookmarks: 'true' });
    if (streaming) {
      query.set('sendInitialEvents', 'true');
      query.set('resourceVersionMatch', 'NotOlderThan');
    }
    const version = streaming ? this.#listVersion : this.#version;
    if (version !== '') query.set('resourceVersion', version);
    this.#watchSeconds = 300 + Math.floor(this.#random() * 300);
    query.set('timeoutSeconds', String(this.#watchSeconds));
    return resourcePath(this.resource, query);
  }

  async #sleep(delayMs: number): Promise<void> {
    if (delayMs <= 0 || this.#stopped) return;
    await new Promise<void>((resolve) => {
      const cancel = this.#clock.after(delayMs, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
    this.#wake = undefined;
  }
}
