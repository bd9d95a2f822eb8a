// Where objects come from, whatever it is: the contract that an API server and a folder of manifests both keep. Control thread.
import type { ObjectSink } from './object-sink.ts';
import type { ObjectIdentity } from './objects/metadata.ts';
import type { Resource } from './resource.ts';

/** Freshness of one resource, for metrics and logs. */
export type ResourceStatus = {
  readonly resource: string;
  readonly synced: boolean;
  readonly objects: number;
  /** Unix milliseconds; 0 before the first byte. */
  readonly lastProofOfLifeMs: number;
  readonly events: number;
  readonly staleEvents: number;
  readonly badObjects: number;
  readonly badLines: number;
  readonly lists: number;
  readonly watches: number;
  readonly errors: number;
  readonly rewinds: number;
  /** Changes found by a list that no event had told. */
  readonly repairs: number;
  readonly audits: number;
};

export interface ObjectSource {
  /** Adds a resource to follow, before `start`. */
  follow<T extends ObjectIdentity>(resource: Resource<T>, sink: ObjectSink<T>): void;
  /** Begins to deliver; never throws. */
  start(): void;
  /** Ends all work; nothing is delivered afterwards. */
  stop(): void;
  /** Every resource has delivered a complete view; never false again. */
  readonly synced: boolean;
  status(): ResourceStatus[];
}
