// DNS over TCP and TLS: accepts connections and hands their messages to the same handler as UDP's (RFC 7766, RFC 7858). Worker.
import net from 'node:net';
import { type Clock, systemClock } from '../base/clock.ts';
import type { ListenerTls } from '../link/plan.ts';
import { type ConnectionContext, MAX_FRAME, TcpConnection, type TcpCounters } from './tcp-connection.ts';
import { ConnectionSet } from './connection-set.ts';
import { descriptorOf } from './descriptor.ts';
import { listen, type ListenOptions } from './listen.ts';
import { TimerWheel } from './timer-wheel.ts';
import { isAcceptedClient, logKeys, tlsServerOptions } from './tls-server.ts';
import type { BatchHandler, PacketAddresses, PacketSource, ReplyAddress } from './udp-batch.ts';

export type TcpOptions = ListenOptions & {
  /** For the first message, and for the rest of any message once it has begun. Default 3000. */
  readonly readTimeoutMs?: number;
  /** For replies the client does not take. Default 5000. */
  readonly writeTimeoutMs?: number;
  /** Silence between messages. Default 10000. */
  readonly idleTimeoutMs?: number;
  /** A connection ends after this many queries; 0 or less: never. */
  readonly maxQueriesPerConnection?: number;
  /** With one more, the one that has been silent longest is closed. Default 4096. */
  readonly maxConnections?: number;
  /** Makes it a TLS listener. */
  readonly tls?: ListenerTls;
  readonly clock?: Clock;
};

export interface TcpListener extends PacketSource {
  readonly transport: 'tcp' | 'tls';
  readonly counters: TcpCounters;
  /** Of the listening socket; -1 once it is closed. */
  readonly descriptor: number;
  /** Open connections. */
  readonly connections: number;
  /** Accepts no more, answers what is pending, closes every connection with FIN; after `timeoutMs` without mercy. */
  drain(timeoutMs: number): Promise<void>;
  /** Closes everything at once. */
  close(): void;
}

const DEFAULT_READ_MS = 3000;
const DEFAULT_WRITE_MS = 5000;
const DEFAULT_IDLE_MS = 10_000;
const DEFAULT_CONNECTIONS = 4096;
const WHEEL_TICK_MS = 100;

class TcpReplyAddress implements ReplyAddress {
  declare readonly opaque: 'ReplyAddress';
  connection: TcpConnection | undefined;
}

/**
 * Opens the listener.
 *
 * @throws Error of Node's with `code` (`EADDRINUSE`, ...), as a rejection; of OpenSSL's for a bad certificate or key
 */
export async function openTcp(options: TcpOptions, handler: BatchHandler): Promise<TcpListener> {
  const listener = new Listener(options, handler);
  await listener.listen();
  return listener;
}

class Listener implements TcpListener {
  readonly transport: 'tcp' | 'tls';
  readonly address: string;
  readonly family: 4 | 6;
  readonly counters: TcpCounters = {
    accepted: 0,
    received: 0,
    sent: 0,
    batches: 0,
    ignored: 0,
    evicted: 0,
    timeouts: 0,
    errors: 0,
    deferredDropped: 0,
  };
  port = 0;

  readonly #options: TcpOptions;
  readonly #server: net.Server;
  readonly #wheel: TimerWheel;
  readonly #context: ConnectionContext;
  readonly #maxConnections: number;
  readonly #connections: ConnectionSet<TcpConnection>;
  #dirty: TcpConnection[] = [];
  #draining = false;

  constructor(options: TcpOptions, handler: BatchHandler) {
    this.#options = options;
    this.address = options.address;
    this.family = options.family;
    this.transport = options.tls ? 'tls' : 'tcp';
    this.#maxConnections = options.maxConnections ?? DEFAULT_CONNECTIONS;
    this.#connections = new ConnectionSet(this.#maxConnections, this.counters);
    this.#wheel = new TimerWheel(options.clock ?? systemClock, WHEEL_TICK_MS);
    const readTimeoutMs = options.readTimeoutMs ?? DEFAULT_READ_MS;
    this.#context = {
      source: this,
      handler,
      wheel: this.#wheel,
      counters: this.counters,
      readTimeoutMs,
      writeTimeoutMs: options.writeTimeoutMs ?? DEFAULT_WRITE_MS,
      idleTimeoutMs: options.idleTimeoutMs ?? DEFAULT_IDLE_MS,
      maxQueries: Math.max(0, options.maxQueriesPerConnection ?? 0),
      current: undefined,
      scheduleFlush: (connection) => this.#scheduleFlush(connection),
      touch: (connection) => this.#connections.touch(connection),
      remove: (connection) => this.#connections.remove(connection),
    };
    this.#server = this.#createServer(readTimeoutMs);
  }

  #createServer(readTimeoutMs: number): net.Server {
    const sockets = { allowHalfOpen: true, noDelay: true };
    const { tls: secure } = this.#options;
    if (!secure) return net.createServer(sockets, (socket) => this.#accept(socket));
    // Loaded when needed, as all of TLS is here: it costs a thread 15 ms of CPU at its start, and memory.
    const server = process
      .getBuiltinModule('node:tls')
      .createServer({ ...sockets, ...tlsServerOptions(secure, readTimeoutMs) }, (socket) => {
        if (isAcceptedClient(socket, secure.clientAuth)) this.#accept(socket);
        else socket.destroy(new Error('client certificate'));
      });
    if (secure.keyLogFile !== undefined) logKeys(server, secure.keyLogFile);
    server.on('tlsClientError', () => void this.counters.errors++);
    // Connections that have not shaken hands are not in the eviction order yet.
    server.maxConnections = 2 * this.#maxConnections;
    return server;
  }

  async listen(): Promise<void> {
    this.port = await listen(this.#server, this.#options, () => void this.counters.errors++);
  }

  #accept(socket: net.Socket): void {
    if (this.#draining) return void socket.destroy();
    this.counters.accepted++;
    this.#connections.makeRoom();
    this.#connections.add(new TcpConnection(socket, this.#context));
    return undefined;
  }

  #scheduleFlush(connection: TcpConnection): void {
    if (this.#dirty.push(connection) === 1) setImmediate(this.#flush);
  }

  readonly #flush = (): void => {
    const dirty = this.#dirty;
    this.#dirty = [];
    for (const connection of dirty) connection.flush();
  };

  get descriptor(): number {
    return descriptorOf(this.#server);
  }

  get connections(): number {
    return this.#connections.size;
  }

  readAddresses(_slot: number, into: PacketAddresses): void {
    const connection = this.#context.current;
    if (!connection) return;
    into.family = connection.clientAddress.length === 4 ? 4 : 6;
    into.clientAddress.set(connection.clientAddress);
    into.clientPort = connection.clientPort;
    into.serverAddress.set(connection.serverAddress);
    into.serverPort = this.port;
  }

  isTruncated(_slot: number): boolean {
    return false;
  }

  capture(_slot: number, reuse?: ReplyAddress): ReplyAddress {
    const to = reuse instanceof TcpReplyAddress ? reuse : new TcpReplyAddress();
    to.connection = this.#context.current;
    to.connection?.capture();
    return to;
  }

  sendTo(to: ReplyAddress, bytes: Uint8Array, at: number, length: number): boolean {
    const connection = this.#release(to);
    if (length <= 0 || length > MAX_FRAME) connection?.discard();
    else if (connection?.queueLate(bytes, at, length)) return true;
    this.counters.deferredDropped++;
    return false;
  }

  sendPart(to: ReplyAddress, bytes: Uint8Array, at: number, length: number, then: (isOpen: boolean) => void): void {
    const connection = to instanceof TcpReplyAddress ? to.connection : undefined;
    if (connection?.queuePart(bytes, at, length, then)) return;
    this.#release(to)?.discard();
    then(false);
  }

  discard(to: ReplyAddress): void {
    this.#release(to)?.discard();
  }

  #release(to: ReplyAddress): TcpConnection | undefined {
    if (!(to instanceof TcpReplyAddress)) return undefined;
    const { connection } = to;
    to.connection = undefined;
    return connection;
  }

  async drain(timeoutMs: number): Promise<void> {
    this.#draining = true;
    this.#server.close();
    await this.#connections.finishAll(this.#options.clock ?? systemClock, timeoutMs);
    this.close();
  }

  close(): void {
    this.#draining = true;
    this.#server.close();
    this.#connections.destroyAll();
    this.#wheel.close();
  }
}
