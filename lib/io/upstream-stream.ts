// Queries to one nameserver by TCP or TLS: connections kept and shared (RFC 7766 section 6.2). Worker.
import type { Clock } from '../base/clock.ts';
import type { UpstreamReply, UpstreamTarget } from '../chain/plugin.ts';
import { formatAddressPort } from './socket-address.ts';
import type { TimerWheel } from './timer-wheel.ts';
import { type ConnectionUser, StreamQuery, UpstreamConnection } from './upstream-connection.ts';
import { UpstreamError, errorKindOf, formatGoErrno } from './upstream-error.ts';
import { noQuestionError, type PendingQuery } from './upstream-pending.ts';
import type { UpstreamCounters } from './upstream-udp.ts';

/** Up to here a query gets a connection of its own; from here on they share, least loaded first. */
const MAX_UNSHARED = 16;
const MAX_PER_CONNECTION = 128;
const MIN_EXPIRE_MS = 100;

export class StreamUpstream implements ConnectionUser {
  readonly #wheel: TimerWheel;
  readonly #clock: Clock;
  readonly #target: UpstreamTarget;
  readonly #remote: string;
  readonly #counters: UpstreamCounters;
  readonly #connections = new Set<UpstreamConnection>();
  #session: Buffer | undefined;
  #closed = false;

  constructor(wheel: TimerWheel, clock: Clock, target: UpstreamTarget, counters: UpstreamCounters) {
    this.#wheel = wheel;
    this.#clock = clock;
    this.#target = target;
    this.#remote = formatAddressPort(target.address, target.port);
    this.#counters = counters;
  }

  exchange(message: Uint8Array, timeoutMs: number): Promise<UpstreamReply> {
    return new Promise((resolve, reject) => {
      const query = new StreamQuery();
      if (!query.setMessage(message) || message.length > 65535) return reject(noQuestionError());
      query.message = message.slice();
      query.waiter = { replied: resolve, failed: reject };
      query.onExpire = this.#onExpire;
      const connection = this.#pick();
      if (!connection) {
        this.#counters.overloads++;
        return reject(new UpstreamError('overload', `tcp ${this.#remote}: too many queries in flight`));
      }
      this.#counters.sent++;
      this.#wheel.schedule(query, timeoutMs);
      this.#send(connection, query);
      return undefined;
    });
  }

  #send(connection: UpstreamConnection, query: StreamQuery): void {
    this.#wheel.cancel(connection);
    connection.send(query);
  }

  #pick(): UpstreamConnection | undefined {
    const { maxAgeMs } = this.#target;
    const oldestMs = maxAgeMs > 0 ? this.#clock.monotonicMs() - maxAgeMs : -Infinity;
    let best: UpstreamConnection | undefined;
    for (const connection of this.#connections) {
      if (!connection.isOpen || connection.openedMs < oldestMs) continue;
      if (!best || connection.size < best.size) best = connection;
      if (best.size === 0) return best;
    }
    if (this.#connections.size < MAX_UNSHARED || !best) {
      return this.#connections.size < 2 * MAX_UNSHARED ? this.#open() : undefined;
    }
    return best.size < MAX_PER_CONNECTION ? best : undefined;
  }

  #open(): UpstreamConnection {
    const connection = new UpstreamConnection(this.#target, this.#session, this, this.#clock.monotonicMs());
    this.#connections.add(connection);
    this.#counters.opened++;
    return connection;
  }

  reply(_connection: UpstreamConnection, query: StreamQuery, bytes: Uint8Array): void {
    this.#wheel.cancel(query);
    this.#counters.received++;
    query.waiter.replied({ bytes, length: bytes.length, reused: query.reused });
  }

  mismatch(): void {
    this.#counters.received++;
    this.#counters.mismatches++;
  }

  idle(connection: UpstreamConnection): void {
    const { expireMs, maxIdleSockets, maxAgeMs } = this.#target;
    const isOld = maxAgeMs > 0 && connection.openedMs < this.#clock.monotonicMs() - maxAgeMs;
    let idle = 0;
    for (const other of this.#connections) if (other.isReady && other.size === 0) idle++;
    if (isOld || this.#closed || (maxIdleSockets > 0 && idle > maxIdleSockets)) connection.close();
    else this.#wheel.schedule(connection, Math.max(MIN_EXPIRE_MS, expireMs));
  }

  session(session: Buffer): void {
    this.#session = session;
  }

  gone(connection: UpstreamConnection, queries: StreamQuery[], code: string, detail: string): void {
    this.#connections.delete(connection);
    this.#wheel.cancel(connection);
    // A certificate that is refused with a session must not be refused for ever.
    if (code !== '') this.#session = undefined;
    for (const query of queries) {
      // A kept connection that the peer closes is no failure of the peer (RFC 7766 section 6.2.4).
      if (query.reused && !query.retried && !this.#closed) {
        query.retried = true;
        this.#send(this.#open(), query);
        continue;
      }
      this.#wheel.cancel(query);
      query.waiter.failed(this.#explain(connection, code, detail));
    }
  }

  #explain(connection: UpstreamConnection, code: string, detail: string): UpstreamError {
    if (this.#closed) return new UpstreamError('closed', `tcp ${this.#remote}: ${formatGoErrno('ERR_CLOSED')}`);
    if (connection.isReady) {
      if (code === '') return new UpstreamError('closed', 'EOF');
      const path = `${connection.formatLocal()}->${this.#remote}`;
      return new UpstreamError(errorKindOf(code), `read tcp ${path}: read: ${formatGoErrno(code)}`);
    }
    if (code === '') return new UpstreamError('closed', `dial tcp ${this.#remote}: EOF`);
    const isSystem = /^E[A-Z0-9]+$/.test(code) && !code.startsWith('ERR_') && code !== 'EPROTO';
    if (isSystem) {
      return new UpstreamError(errorKindOf(code), `dial tcp ${this.#remote}: connect: ${formatGoErrno(code)}`);
    }
    return new UpstreamError('tls', `tls: failed to verify certificate or handshake: ${detail}`);
  }

  readonly #onExpire = (pending: PendingQuery): void => {
    const query = pending as StreamQuery;
    const { connection } = query;
    this.#counters.timeouts++;
    connection?.forget(query);
    const isReady = connection?.isReady === true;
    const path = isReady ? `read tcp ${connection.formatLocal()}->${this.#remote}` : `dial tcp ${this.#remote}`;
    query.waiter.failed(new UpstreamError('timeout', `${path}: i/o timeout`));
    // A connection that lets one query wait is not trusted with the next; one that is not up yet has had its time.
    if (connection?.size === 0) connection.close();
  };

  close(): void {
    this.#closed = true;
    for (const connection of this.#connections) connection.close();
  }
}
