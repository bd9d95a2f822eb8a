// The current objects of one resource: decides which version of an object wins and tells the sink what changed. Control thread.
import type { Logger } from '../../base/log.ts';
import type { ObjectSink } from './object-sink.ts';
import { type ObjectIdentity, readIdentity } from './objects/metadata.ts';
import { formatProblem, type Problem } from './objects/problem.ts';
import type { Resource } from './resource.ts';

/** Counted since the start; plain numbers to be read at any time. */
export type ViewCounters = {
  /** Watch events that carried an object. */
  events: number;
  /** Events that lost against a newer version, a deletion or their own duplicate. */
  staleEvents: number;
  /** Objects of which a part was skipped, counted each time one is seen. */
  badObjects: number;
  /** Objects put right by a complete list after the first. */
  repairs: number;
};

/** Deletions remembered, so that an older event which arrives late does not bring the object back. */
const MAX_DELETIONS = 2048;
/** Odd objects already logged; beyond it they are only counted. */
const MAX_LOGGED_PROBLEMS = 1000;
/** Changes applied before other work gets a turn. */
const APPLY_BATCH = 128;

/** Lets sockets and timers have a turn. */
export function yieldToEventLoop(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}

export class ObjectView<T extends ObjectIdentity> {
  readonly counters: ViewCounters = { events: 0, staleEvents: 0, badObjects: 0, repairs: 0 };
  readonly #resource: Resource<T>;
  readonly #sink: ObjectSink<T>;
  readonly #log: Logger;
  readonly #held = new Map<string, T>();
  /** Key -> resourceVersion of its deletion, oldest first. */
  readonly #deletions = new Map<string, number>();
  readonly #loggedProblems = new Set<string>();
  #complete = false;
  /** What is held comes from a saved copy, and no list has confirmed it. */
  #isSaved = false;
  #revision = 0;

  constructor(resource: Resource<T>, sink: ObjectSink<T>, log: Logger) {
    this.#resource = resource;
    this.#sink = sink;
    this.#log = log;
  }

  get size(): number {
    return this.#held.size;
  }

  find(key: string): T | undefined {
    return this.#held.get(key);
  }

  /**
   * Whether a list agrees with what has been taken in: it shows this version of the object, or the change that came after it
   * is newer than the list. An older version in a list that is newer than what is held means that the cluster went back.
   *
   * @param listVersion resourceVersion of the list; 0 when it has none
   */
  agrees(key: string, version: number, listVersion: number): boolean {
    const held = this.#held.get(key)?.resourceVersion;
    if (held === undefined) return (this.#deletions.get(key) ?? 0) > listVersion;
    return held === version || (held > version && held > listVersion);
  }

  /** Moves with every object that comes, changes or goes. */
  get revision(): number {
    return this.#revision;
  }

  get isSaved(): boolean {
    return this.#isSaved;
  }

  objects(): IterableIterator<T> {
    return this.#held.values();
  }

  /** Takes in the objects of a saved copy, before anything else: the first list puts right what has changed since. */
  restore(objects: Iterable<T>): void {
    this.#isSaved = true;
    for (const object of objects) {
      this.#held.set(object.key, object);
      this.#sink.upsert(object, undefined);
    }
  }

  keys(): IterableIterator<string> {
    return this.#held.keys();
  }

  /** Takes in the object of an ADDED or MODIFIED event. */
  upsert(raw: unknown): void {
    this.counters.events++;
    const { object, problems } = this.#resource.trim(raw);
    if (problems.length > 0) this.noteProblems(problems);
    if (object === undefined) {
      // A version of which nothing can be served replaces the one before all the same.
      const identity = readIdentity(raw, this.#resource.namespaced);
      if (identity !== undefined && this.#held.has(identity.key)) this.#remove(identity);
      return;
    }
    const previous = this.#held.get(object.key);
    if (this.#isStale(object, previous)) this.counters.staleEvents++;
    else this.#put(object, previous);
  }

  /** Takes in a DELETED event. */
  remove(raw: unknown): void {
    this.counters.events++;
    const identity = readIdentity(raw, this.#resource.namespaced);
    if (identity === undefined) {
      this.counters.badObjects++;
      return;
    }
    this.#remove(identity);
  }

  /**
   * The trimmed object of a list item; undefined when nothing of it can be served.
   *
   * @param mayReuse take the object held when it is of the same version, so that a list costs little memory; not when
   *   the cluster may have gone back in time
   */
  trimListed(raw: unknown, mayReuse: boolean): T | undefined {
    const identity = mayReuse ? readIdentity(raw, this.#resource.namespaced) : undefined;
    if (identity !== undefined && identity.resourceVersion !== 0) {
      const held = this.#held.get(identity.key);
      if (held?.resourceVersion === identity.resourceVersion) return held;
    }
    const { object, problems } = this.#resource.trim(raw);
    if (problems.length > 0) this.noteProblems(problems);
    return object;
  }

  /**
   * Makes `listed` the truth: new and changed objects first, then what is gone; the sink never sees an empty view.
   *
   * @param listVersion resourceVersion of the list as a number
   * @param rewound the cluster went back in time: versions say nothing, every object is taken as new; the same holds for
   *   the first list after a saved copy
   * @param isStopped asked between batches; true ends the work early
   */
  async replace(
    listed: ReadonlyMap<string, T>,
    listVersion: number,
    rewound: boolean,
    isStopped: () => boolean,
  ): Promise<void> {
    const takesAll = rewound || this.#isSaved;
    if (takesAll) this.#deletions.clear();
    let changes = 0;
    for (const object of listed.values()) {
      const previous = this.#held.get(object.key);
      if (previous === object || (!takesAll && this.#isStale(object, previous, listVersion))) continue;
      if (!this.#put(object, previous)) continue;
      if (++changes % APPLY_BATCH !== 0) continue;
      await yieldToEventLoop();
      if (isStopped()) return;
    }
    for (const key of this.#held.keys()) {
      if (listed.has(key)) continue;
      this.#remove({ key, resourceVersion: listVersion }, 'list');
      if (++changes % APPLY_BATCH !== 0) continue;
      await yieldToEventLoop();
      if (isStopped()) return;
    }
    if (this.#complete) this.counters.repairs += changes;
    this.#complete = true;
    this.#isSaved = false;
    this.#sink.synced();
  }

  /** Counts what an object has wrong and logs each thing once with the object's name. */
  noteProblems(problems: readonly Problem[]): void {
    this.counters.badObjects++;
    for (const problem of problems) {
      const line = formatProblem(problem);
      if (this.#loggedProblems.size >= MAX_LOGGED_PROBLEMS || this.#loggedProblems.has(line)) continue;
      this.#loggedProblems.add(line);
      this.#log.warning(`${line}; skipped`);
    }
  }

  /** @param listVersion of the list that the object is from: its word counts for everything up to there, older versions included */
  #isStale(object: T, previous: T | undefined, listVersion = 0): boolean {
    const { key, resourceVersion } = object;
    if (resourceVersion === 0) return false;
    if (previous === undefined) {
      const deleted = this.#deletions.get(key) ?? 0;
      return resourceVersion <= deleted && deleted > listVersion;
    }
    const held = previous.resourceVersion;
    return resourceVersion === held || (resourceVersion < held && held > listVersion);
  }

  #put(object: T, previous: T | undefined): boolean {
    if (this.#resource.accepts?.(object, previous) === false) return false;
    this.#held.set(object.key, object);
    this.#deletions.delete(object.key);
    this.#revision++;
    this.#sink.upsert(object, previous);
    return true;
  }

  /** @param says what tells of it: an event, which may be late, or a list that no longer has the object */
  #remove(identity: ObjectIdentity, says: 'event' | 'list' = 'event'): void {
    const previous = this.#held.get(identity.key);
    const { key, resourceVersion } = identity;
    if (
      says === 'event' &&
      previous !== undefined &&
      resourceVersion !== 0 &&
      resourceVersion < previous.resourceVersion
    ) {
      this.counters.staleEvents++;
      return;
    }
    const known = this.#deletions.get(key) ?? 0;
    this.#deletions.delete(key);
    // A list knows best: after a cluster went back, versions of what it lost are given out a second time.
    const version =
      says === 'list' ? resourceVersion : Math.max(known, resourceVersion, previous?.resourceVersion ?? 0);
    this.#deletions.set(key, version);
    if (this.#deletions.size > MAX_DELETIONS) this.#deletions.delete(this.#deletions.keys().next().value ?? key);
    if (previous === undefined) return;
    this.#held.delete(key);
    this.#revision++;
    this.#sink.remove(previous);
  }
}
