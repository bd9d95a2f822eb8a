// A cluster's API server as a source: one reflector and one auditor per resource over one client. Control thread.
import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import { Auditor } from './auditor.ts';
import type { ObjectSink } from './object-sink.ts';
import type { ObjectSource, ResourceStatus } from './object-source.ts';
import type { ObjectIdentity } from './objects/metadata.ts';
import { OneAtATime } from './one-at-a-time.ts';
import { Reflector } from './reflector.ts';
import type { Resource } from './resource.ts';
import type { Snapshot, SnapshotPart } from './snapshot-file.ts';
import type { SavedView } from './snapshot-keeper.ts';
import type { ApiTransport } from './transport.ts';

export type ClusterSourceSettings = {
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Already carries the plugin's name. */
  readonly log: Logger;
  readonly idleTimeoutMs?: number;
  readonly auditIntervalMs?: number;
};

type Followed = {
  readonly start: () => void;
  readonly stop: () => void;
  readonly isSynced: () => boolean;
  readonly resource: string;
  readonly objects: () => Iterable<ObjectIdentity>;
  readonly revision: () => number;
  readonly lastProofOfLifeMs: () => number;
  readonly restore: (objects: readonly ObjectIdentity[]) => void;
  readonly status: () => ResourceStatus;
};

export class ClusterSource implements ObjectSource, SavedView {
  readonly #transport: ApiTransport;
  readonly #settings: ClusterSourceSettings;
  readonly #sideRequests = new OneAtATime();
  readonly #followed: Followed[] = [];

  constructor(transport: ApiTransport, settings: ClusterSourceSettings) {
    this.#transport = transport;
    this.#settings = settings;
  }

  follow<T extends ObjectIdentity>(resource: Resource<T>, sink: ObjectSink<T>): void {
    const { idleTimeoutMs, auditIntervalMs, ...settings } = this.#settings;
    const shared = { ...settings, sideRequests: this.#sideRequests };
    const reflector = new Reflector(
      resource,
      sink,
      this.#transport,
      idleTimeoutMs === undefined ? shared : { ...shared, idleTimeoutMs },
    );
    const auditor = new Auditor(
      reflector,
      this.#transport,
      auditIntervalMs === undefined ? shared : { ...shared, intervalMs: auditIntervalMs },
    );
    this.#followed.push({
      start: () => {
        reflector.start();
        auditor.start();
      },
      stop: () => {
        reflector.stop();
        auditor.stop();
      },
      isSynced: () => reflector.synced,
      resource: resource.name,
      objects: () => reflector.view.objects(),
      revision: () => reflector.view.revision,
      lastProofOfLifeMs: () => reflector.counters.lastProofOfLifeMs,
      // They were saved from the same resource.
      restore: (objects) => reflector.view.restore(objects as readonly T[]),
      status: () => ({
        resource: resource.name,
        synced: reflector.synced,
        objects: reflector.view.size,
        lastProofOfLifeMs: reflector.counters.lastProofOfLifeMs,
        events: reflector.view.counters.events,
        staleEvents: reflector.view.counters.staleEvents,
        badObjects: reflector.view.counters.badObjects,
        badLines: reflector.counters.badLines,
        lists: reflector.counters.lists,
        watches: reflector.counters.watches,
        errors: reflector.counters.errors,
        rewinds: reflector.counters.rewinds,
        repairs: reflector.view.counters.repairs,
        audits: auditor.counters.audits,
      }),
    });
  }

  start(): void {
    for (const followed of this.#followed) followed.start();
  }

  /** As the contract says; the transport is the caller's to close. */
  stop(): void {
    for (const followed of this.#followed) followed.stop();
  }

  get synced(): boolean {
    return this.#followed.every((followed) => followed.isSynced());
  }

  get revision(): number {
    return this.#followed.reduce((sum, followed) => sum + followed.revision(), 0);
  }

  /** Unix milliseconds of the resource heard least recently; 0 before all have been heard. */
  get trueAtMs(): number {
    return Math.min(...this.#followed.map((followed) => followed.lastProofOfLifeMs()));
  }

  parts(): SnapshotPart[] {
    return this.#followed.map(({ resource, objects }) => ({ resource, objects: [...objects()] }));
  }

  /** Takes in a saved copy, before `start`, a slice a step: other work may have a turn in between. */
  *restore(saved: Pick<Snapshot, 'slices'>): Generator<void> {
    for (const followed of this.#followed) followed.restore([]);
    for (const { resource, objects } of saved.slices()) {
      this.#followed.find((followed) => followed.resource === resource)?.restore(objects);
      yield;
    }
  }

  status(): ResourceStatus[] {
    return this.#followed.map((followed) => followed.status());
  }
}
