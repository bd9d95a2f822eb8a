// Where trimmed objects go: the contract between whatever follows objects (API server, manifests) and the records made of them. Control thread.
import type { ObjectIdentity } from './objects/metadata.ts';

/**
 * Receives the changes of one resource, one call a change, in order, never re-entered. The caller holds the current
 * object of every key and hands the one that is replaced, so a sink needs no second copy. Must not throw.
 */
export interface ObjectSink<T extends ObjectIdentity> {
  /** `object` is now the truth for its key; `previous` is what was, undefined when the key is new. */
  upsert(object: T, previous: T | undefined): void;
  /** The object no longer exists. */
  remove(previous: T): void;
  /**
   * A complete view has been delivered: after the first list and after every later one, when its differences have gone
   * through `upsert` and `remove`. From the first call on, a missing object is known not to exist.
   */
  synced(): void;
  /** The source has just been heard: what was delivered was true at `nowMs` (Unix milliseconds). */
  proofOfLife(nowMs: number): void;
}
