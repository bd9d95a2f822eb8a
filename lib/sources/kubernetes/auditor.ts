// Compares the view with a list from time to time, in case an event never arrived: found, logged, repaired. Control thread.
import type { CancelTimer, Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import { Connection } from './connection.ts';
import { type ObjectIdentity, readIdentity } from './objects/metadata.ts';
import type { OneAtATime } from './one-at-a-time.ts';
import { fetchList } from './paged-list.ts';
import type { Reflector } from './reflector.ts';
import type { ApiTransport } from './transport.ts';

export type AuditorSettings = {
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly log: Logger;
  readonly sideRequests: OneAtATime;
  /** Between two audits, give or take a fifth. Default 4 minutes: a lost event is repaired within 10. */
  readonly intervalMs?: number;
};

export type AuditCounters = {
  audits: number;
  /** Audits that did not come to an end. */
  failures: number;
  /** Objects that were found to differ. */
  differences: number;
};

const INTERVAL_MS = 240_000;
/** Events on their way when the list was made have so long to arrive. */
const GRACE_MS = 5000;
/** Names and versions are all that is needed; a server that cannot leave out the rest sends whole objects. */
const METADATA_ONLY = 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io, application/json';
/** Differences remembered that a list did not resolve. */
const MAX_UNRESOLVED = 1000;

export class Auditor<T extends ObjectIdentity> {
  readonly counters: AuditCounters = { audits: 0, failures: 0, differences: 0 };
  readonly #reflector: Reflector<T>;
  readonly #transport: ApiTransport;
  readonly #settings: AuditorSettings;
  #stopped = false;
  #cancel: CancelTimer | undefined;
  #connection: Connection | undefined;
  /** Key -> version that differed last time too: objects of which nothing can be served. */
  #unresolved: ReadonlyMap<string, number> = new Map();

  constructor(reflector: Reflector<T>, transport: ApiTransport, settings: AuditorSettings) {
    this.#reflector = reflector;
    this.#transport = transport;
    this.#settings = settings;
  }

  start(): void {
    const intervalMs = this.#settings.intervalMs ?? INTERVAL_MS;
    this.#after(intervalMs * (0.8 + this.#settings.random() * 0.4));
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel?.();
    this.#connection?.close();
  }

  #after(delayMs: number): void {
    if (this.#stopped) return;
    this.#cancel = this.#settings.clock.after(delayMs, () => void this.#turn());
  }

  async #turn(): Promise<void> {
    if (!this.#reflector.synced) return this.start();
    const waitMs = this.#reflector.claimList();
    if (waitMs > 0) return this.#after(waitMs);
    try {
      await this.#settings.sideRequests.run(() => this.#audit());
      this.counters.audits++;
    } catch {
      // The watch tells of an unreachable server; the next turn comes soon enough.
      this.counters.failures++;
    }
    this.start();
  }

  async #audit(): Promise<void> {
    if (this.#stopped) return;
    const { resource, view } = this.#reflector;
    const listed = new Map<string, number>();
    const take = (raw: unknown): void => {
      const identity = readIdentity(raw, resource.namespaced);
      if (identity !== undefined) listed.set(identity.key, identity.resourceVersion);
    };
    const known = Number(this.#reflector.version);
    const request = { version: '', accept: METADATA_ONLY };
    const version = await fetchList(
      resource,
      request,
      () => this.#connect(),
      take,
      () => undefined,
    );
    if (Number(version) < known) return this.#reflector.relist(`the newest version is ${version}, ${known} is known`);
    const differing = new Map<string, number>();
    const madeAt = Number(version) || 0;
    for (const [key, listedVersion] of listed)
      if (!view.agrees(key, listedVersion, madeAt)) differing.set(key, listedVersion);
    for (const key of view.keys()) if (!listed.has(key)) differing.set(key, 0);
    if (differing.size === 0) return;
    await new Promise<void>((resolve) => void this.#settings.clock.after(GRACE_MS, resolve));
    this.#judge(differing, madeAt);
  }

  /** What still differs after the grace, and did not the last time, is repaired by a fresh list. */
  #judge(differing: ReadonlyMap<string, number>, version: number): void {
    if (this.#stopped) return;
    const { resource, view } = this.#reflector;
    const unresolved = new Map<string, number>();
    let fresh = 0;
    let example = '';
    for (const [key, listedVersion] of differing) {
      const held = view.find(key)?.resourceVersion;
      const isSettled =
        listedVersion === 0 ? held === undefined || held > version : view.agrees(key, listedVersion, version);
      if (isSettled) continue;
      if (unresolved.size < MAX_UNRESOLVED) unresolved.set(key, listedVersion);
      if (listedVersion !== 0 && this.#unresolved.get(key) === listedVersion) continue;
      fresh++;
      example = key;
    }
    this.#unresolved = unresolved;
    if (fresh === 0) return;
    this.counters.differences += fresh;
    const text = `audit: ${fresh} of ${resource.name} differ from the API server (${example}), listing again`;
    this.#settings.log.warning(text);
    this.#reflector.relist(text);
  }

  #connect(): Connection {
    this.#connection = new Connection(this.#transport, this.#settings.clock, () => undefined);
    return this.#connection;
  }
}
