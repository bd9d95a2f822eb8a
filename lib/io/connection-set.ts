// The connections of a listener in order of their last message: who goes when there are too many, and all when it ends. Worker.
import type { Clock } from '../base/clock.ts';

/** How many of the most silent connections are looked at for one that waits for nothing. */
const EVICTION_CANDIDATES = 16;

/** One client's connection. */
export interface KeptConnection {
  /** Answers that are under way. */
  readonly pending: number;
  /** Ends it when those are written. */
  finish(): void;
  /** Ends it at once. */
  destroy(): void;
}

export class ConnectionSet<C extends KeptConnection> {
  /** The most silent first. */
  readonly #connections = new Set<C>();
  readonly #maxConnections: number;
  readonly #counters: { evicted: number };
  #whenEmpty: (() => void) | undefined;

  /** @param counters `evicted` counts connections that had to go */
  constructor(maxConnections: number, counters: { evicted: number }) {
    this.#maxConnections = maxConnections;
    this.#counters = counters;
  }

  get size(): number {
    return this.#connections.size;
  }

  /** Before `add`: when there is no room, one of the most silent goes, best one that waits for nothing. */
  makeRoom(): void {
    if (this.#connections.size < this.#maxConnections) return;
    let oldest: C | undefined;
    let looked = 0;
    for (const connection of this.#connections) {
      oldest ??= connection;
      if (connection.pending === 0) oldest = connection;
      if (connection.pending === 0 || ++looked === EVICTION_CANDIDATES) break;
    }
    if (!oldest) return;
    this.#counters.evicted++;
    this.#connections.delete(oldest);
    oldest.destroy();
  }

  add(connection: C): void {
    this.#connections.add(connection);
  }

  /** It has sent a message. */
  touch(connection: C): void {
    if (this.#connections.delete(connection)) this.#connections.add(connection);
  }

  remove(connection: C): void {
    this.#connections.delete(connection);
    if (this.#connections.size === 0) this.#whenEmpty?.();
  }

  /** Has all finish; resolves when they are gone, after `timeoutMs` at the latest. */
  async finishAll(clock: Clock, timeoutMs: number): Promise<void> {
    for (const connection of this.#connections) connection.finish();
    if (this.#connections.size === 0) return;
    await new Promise<void>((resolve) => {
      this.#whenEmpty = resolve;
      clock.after(timeoutMs, resolve);
    });
  }

  destroyAll(): void {
    for (const connection of this.#connections) connection.destroy();
  }
}
