// Keeps a tree of the store equal to the SkyDNS keys of an etcd: all keys, then each change as it happens. Control thread.
import { applyChanges } from '../../store/change.ts';
import { TREE_STATE } from '../../store/layout.ts';
import { Backoff } from '../kubernetes/backoff.ts';
import type { Source, SourceEnv } from '../source.ts';
import { type EtcdAccess, EtcdClient } from './client.ts';
import { labelsOfKey, parseService } from './service.ts';
import { ServiceTree } from './service-tree.ts';

/** Plain data, made by the setup of `etcd`. */
export type EtcdSourceOptions = {
  readonly access: EtcdAccess;
  /** What keys begin with, slashes around it: `/skydns/`. */
  readonly prefix: string;
  readonly zones: readonly string[];
  /** Bounds of the TTL that a lease gives. */
  readonly minLeaseTtlSeconds: number;
  readonly maxLeaseTtlSeconds: number;
};

const STARTUP_TIMEOUT_MS = 3000;
const PAGE_SIZE = 1000;
/** Changes applied before other work of the control thread gets its turn. */
const CHANGES_PER_SLICE = 200;
/** Leases whose TTL is remembered; beyond this all are forgotten and asked for again. */
const MAX_LEASES = 100_000;
/** Bad keys named in the log between two complete reads; all are counted there. */
const MAX_BAD_KEYS_LOGGED = 10;

type KeyValue = { readonly key?: string; readonly value?: string; readonly lease?: string };
type Header = { readonly revision?: string };
type RangeAnswer = { readonly header?: Header; readonly kvs?: readonly KeyValue[]; readonly more?: boolean };
type WatchAnswer = {
  readonly result?: {
    readonly header?: Header;
    readonly canceled?: boolean;
    readonly compact_revision?: string;
    readonly cancel_reason?: string;
    readonly events?: readonly { readonly type?: string; readonly kv?: KeyValue }[];
  };
  readonly error?: { readonly message?: string };
};

/** Starts following etcd; the tree is synced once all keys have been read. */
export function startEtcdSource(options: EtcdSourceOptions, env: SourceEnv): Source {
  const source = new EtcdSource(options, env);
  void source.run();
  return source;
}

class EtcdSource implements Source {
  readonly startupTimeoutMs: number = STARTUP_TIMEOUT_MS;
  readonly ready: Promise<void>;
  readonly #options: EtcdSourceOptions;
  readonly #env: SourceEnv;
  readonly #client: EtcdClient;
  readonly #tree: ServiceTree;
  readonly #backoff: Backoff;
  readonly #stop = new AbortController();
  readonly #leases = new Map<string, number>();
  #whenReady: () => void = () => undefined;
  #isReady = false;
  #badKeys = 0;
  /** Whether the log has said that etcd is out of reach. */
  #isLost = false;

  constructor(options: EtcdSourceOptions, env: SourceEnv) {
    this.#options = options;
    this.#env = env;
    this.#client = new EtcdClient(options.access, env.clock);
    this.#tree = new ServiceTree(options.zones, (lease) => this.#leases.get(lease) ?? 0);
    this.#backoff = new Backoff(env.clock, Math.random);
    this.ready = new Promise((resolve) => {
      this.#whenReady = resolve;
    });
  }

  isReady(): boolean {
    return this.#isReady;
  }

  waitingFor(): string {
    return this.#isReady ? '' : `etcd at ${this.#client.endpoint}`;
  }

  stop(): void {
    this.#stop.abort();
  }

  /** Until stopped: reads everything, follows, and starts over with the next endpoint when something goes wrong. */
  async run(): Promise<void> {
    const { log, clock } = this.#env;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        const revision = await this.#readAll();
        this.#becomeReady();
        await this.#follow(revision);
      } catch (error) {
        if (signal.aborted) return;
        const { endpoint } = this.#client;
        const text = `${endpoint}: ${(error as Error).message}`;
        if (this.#isLost) log.debug(text);
        else
          log.warning(`${text}; ${this.#isReady ? 'names stay as they were' : 'names are SERVFAIL until it answers'}`);
        this.#isLost = true;
      }
      this.#client.moveOn();
      await new Promise<void>((resolve) => {
        clock.after(this.#backoff.nextDelayMs(), resolve);
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
    }
  }

  #becomeReady(): void {
    const { writer, tree, log } = this.#env;
    this.#backoff.reset();
    if (this.#isLost) log.info(`${this.#client.endpoint}: connected, ${this.#tree.size} services`);
    this.#isLost = false;
    if (this.#badKeys > 0) log.warning(`${this.#badKeys} keys are no services and are left out`);
    if (this.#isReady) return;
    writer.setState(tree, TREE_STATE.SYNCED);
    this.#isReady = true;
    this.#whenReady();
  }

  /** Reads all keys page by page, at one revision. @returns that revision */
  async #readAll(): Promise<string> {
    const { prefix } = this.#options;
    const seen = new Set<string>();
    this.#badKeys = 0;
    this.#leases.clear();
    let revision = '0';
    let from = encode(prefix);
    for (let more = true; more; ) {
      const answer = (await this.#client.call(
        '/v3/kv/range',
        { key: from, range_end: encode(endOfPrefix(prefix)), limit: String(PAGE_SIZE), revision },
        this.#stop.signal,
      )) as RangeAnswer;
      revision = revision === '0' ? (answer.header?.revision ?? '0') : revision;
      const page = answer.kvs ?? [];
      await this.#learnLeases(page);
      for (const pair of page) {
        const key = decode(pair.key);
        seen.add(key);
        this.#put(key, pair);
      }
      more = answer.more === true && page.length > 0;
      if (more) from = encode(`${decode(page.at(-1)!.key)}\0`);
      await this.#publish();
    }
    for (const key of this.#tree.keys()) if (!seen.has(key)) this.#tree.delete(key);
    await this.#publish();
    return revision;
  }

  /** Follows the changes after a revision. Returns or throws when the watch has ended. */
  async #follow(revision: string): Promise<void> {
    const { prefix } = this.#options;
    const request = {
      create_request: {
        key: encode(prefix),
        range_end: encode(endOfPrefix(prefix)),
        start_revision: String(BigInt(revision) + 1n),
        progress_notify: true,
      },
    };
    for await (const answer of this.#client.stream('/v3/watch', request, this.#stop.signal)) {
      const { result, error } = answer as WatchAnswer;
      if (error !== undefined) throw new Error(`watch: ${error.message ?? 'failed'}`);
      if (result?.canceled === true) throw new Error(`watch ended: ${result.cancel_reason ?? 'history was compacted'}`);
      const events = result?.events ?? [];
      await this.#learnLeases(events.flatMap(({ kv }) => kv ?? []));
      for (const { type, kv } of events) {
        const key = decode(kv?.key);
        if (type === 'DELETE') this.#tree.delete(key);
        else this.#put(key, kv ?? {});
      }
      await this.#publish();
    }
    throw new Error('watch ended');
  }

  #put(key: string, { value, lease = '0' }: KeyValue): void {
    const labels = labelsOfKey(key, this.#options.prefix);
    if (labels === undefined) return;
    try {
      const service = parseService(Buffer.from(value ?? '', 'base64'), lease);
      if (service === undefined) this.#tree.delete(key);
      else this.#tree.set(key, labels, service);
    } catch (error) {
      this.#tree.delete(key);
      if (this.#badKeys++ < MAX_BAD_KEYS_LOGGED) this.#env.log.warning(`${key}: ${(error as Error).message}`);
    }
  }

  /** Asks for the TTL of leases not met before, one by one: there are as many as there are registrars. */
  async #learnLeases(pairs: readonly KeyValue[]): Promise<void> {
    const { minLeaseTtlSeconds, maxLeaseTtlSeconds } = this.#options;
    if (this.#leases.size > MAX_LEASES) this.#leases.clear();
    const unknown = new Set(
      pairs.flatMap(({ lease = '0' }) => (lease === '0' || this.#leases.has(lease) ? [] : [lease])),
    );
    for (const lease of unknown) {
      const answer = (await this.#client.call('/v3/lease/timetolive', { ID: lease }, this.#stop.signal)) as {
        readonly TTL?: string;
      };
      const seconds = Number(answer.TTL ?? 0);
      // A lease that has just ended: its keys go with the next event.
      this.#leases.set(lease, Math.min(Math.max(seconds, minLeaseTtlSeconds), maxLeaseTtlSeconds));
    }
  }

  async #publish(): Promise<void> {
    const { writer, tree, log, clock } = this.#env;
    const changes = this.#tree.takeChanges();
    let rejected = 0;
    let changed = 0;
    for (let at = 0; at < changes.length; at += CHANGES_PER_SLICE) {
      if (at > 0) await new Promise<void>((resolve) => setImmediate(resolve));
      if (this.#stop.signal.aborted) return;
      const result = applyChanges(writer, tree, changes.slice(at, at + CHANGES_PER_SLICE));
      rejected += result.rejected;
      changed += result.changed;
    }
    if (changed > 0) writer.setSerial(tree, Math.floor(clock.nowMs() / 1000));
    if (rejected > 0) log.error(`the store is full: ${rejected} names are missing`);
  }
}

function encode(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64');
}

function decode(text = ''): string {
  return Buffer.from(text, 'base64').toString('utf8');
}

/** The first key after all that begin with `prefix`, which ends in a slash. */
function endOfPrefix(prefix: string): string {
  return `${prefix.slice(0, -1)}0`;
}
