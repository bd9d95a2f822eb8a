// DNS inside HTTP: connections, limits and deadlines that DNS over HTTPS and DNS over gRPC share. Worker.
import type http2 from 'node:http2';
import type net from 'node:net';
import type tls from 'node:tls';
import { type Clock, systemClock } from '../base/clock.ts';
import type { ListenerTls } from '../link/plan.ts';
import { ConnectionSet } from './connection-set.ts';
import { descriptorOf } from './descriptor.ts';
import { listen, type ListenOptions } from './listen.ts';
import { HttpClient, type HttpControl } from './http-client.ts';
import { createHttpServer, type HttpServer } from './http-server.ts';
import { HttpExchange, type HttpRequest, type HttpResponse } from './http-exchange.ts';
import { TimerWheel } from './timer-wheel.ts';
import { isAcceptedClient } from './tls-server.ts';
import {
  type BatchHandler,
  type PacketAddresses,
  type PacketSource,
  type ReplyAddress,
  TRANSMIT_CAPACITY,
} from './udp-batch.ts';

/** How DNS messages travel in HTTP requests and responses. Numbers are its own codes for "no answer". */
export interface HttpDialect {
  readonly transport: 'https' | 'grpc';
  /** HTTP/1.1 clients are served too, in clear only they. */
  readonly http1: boolean;
  /** Longest request body in bytes; a longer one is refused without being read to its end. */
  readonly maxBodyBytes: number;
  /** For a message that is not admitted or cannot be read. */
  readonly rejected: number;
  /** For a query that gets no reply. */
  readonly unanswered: number;
  /** The server has too much to do. */
  readonly busy: number;
  /** Looks at method, path and headers. @returns the message, the code to refuse with, or undefined: it is in the body */
  begin(request: HttpRequest): Uint8Array | number | undefined;
  /** The message in a complete body, or the code to refuse with. */
  decode(body: Uint8Array): Uint8Array | number;
  /** @param bytes the reply at `bytes[at .. at + length)`, to be copied. @returns the HTTP status sent */
  reply(response: HttpResponse, bytes: Uint8Array, at: number, length: number): number;
  /** @returns the HTTP status sent */
  refuse(response: HttpResponse, code: number): number;
}

export type HttpOptions = ListenOptions & {
  /** For the first request to begin, and for any request to be complete. Default 3000. */
  readonly readTimeoutMs?: number;
  /** For responses the client does not take. Default 5000. */
  readonly writeTimeoutMs?: number;
  /** Silence between requests. Default 10000. */
  readonly idleTimeoutMs?: number;
  /** With one more, the one that has been silent longest is closed. Default 200; 0: no limit. */
  readonly maxConnections?: number;
  /** Requests under way on one connection. Default 128; 0: no limit. */
  readonly maxStreams?: number;
  /** Without it the listener serves in clear. */
  readonly tls?: ListenerTls;
  readonly clock?: Clock;
  /** Told of every response. */
  readonly onResponse?: (status: number) => void;
};

/** Totals since the listener opened. */
export type HttpCounters = {
  accepted: number;
  received: number;
  sent: number;
  /** Requests that were answered without a DNS message. */
  refused: number;
  /** Connections closed to make room for new ones. */
  evicted: number;
  /** Connections and requests ended for their silence. */
  timeouts: number;
  /** Connections that ended in an error, failed TLS handshakes included. */
  errors: number;
  /** Late replies whose request was gone. */
  deferredDropped: number;
};

export interface HttpListener extends PacketSource {
  readonly transport: 'https' | 'grpc';
  readonly counters: HttpCounters;
  /** Of the listening socket; -1 once it is closed. */
  readonly descriptor: number;
  /** Open connections. */
  readonly connections: number;
  /** Accepts no more, answers what is pending, closes every connection; after `timeoutMs` without mercy. */
  drain(timeoutMs: number): Promise<void>;
  /** Closes everything at once. */
  close(): void;
}

const DEFAULT_READ_MS = 3000;
const DEFAULT_WRITE_MS = 5000;
const DEFAULT_IDLE_MS = 10_000;
const DEFAULT_CONNECTIONS = 200;
const DEFAULT_STREAMS = 128;
const NO_STREAM_LIMIT = 2 ** 32 - 1;
const WHEEL_TICK_MS = 100;
/** Bytes of bodies not yet complete, over all connections. */
const MAX_HELD_BYTES = 16 * 2 ** 20;

const HEADER_LENGTH = 12;
/** Of the third byte: a response. */
const QR_FLAG = 0x80;

const transmit = new Uint8Array(TRANSMIT_CAPACITY);

/** What exchanges and clients need of their listener. */
export type HttpContext = {
  readonly dialect: HttpDialect;
  readonly counters: HttpCounters;
  readonly wheel: TimerWheel;
  readonly readTimeoutMs: number;
  readonly writeTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly maxStreams: number;
  heldBytes: number;
  readonly maxHeldBytes: number;
  answer(exchange: HttpExchange, message: Uint8Array): void;
  onResponse(status: number): void;
  touch(client: HttpClient): void;
  remove(client: HttpClient): void;
};

class HttpReplyAddress implements ReplyAddress {
  declare readonly opaque: 'ReplyAddress';
  exchange: HttpExchange | undefined;
}

/**
 * Opens the listener.
 *
 * @throws Error of Node's with `code` (`EADDRINUSE`, ...), as a rejection; of OpenSSL's for a bad certificate or key
 */
export async function openHttp(
  options: HttpOptions,
  dialect: HttpDialect,
  handler: BatchHandler,
): Promise<HttpListener> {
  const listener = new Listener(options, dialect, handler);
  await listener.listen();
  return listener;
}

class Listener implements HttpListener {
  readonly transport: 'https' | 'grpc';
  readonly address: string;
  readonly family: 4 | 6;
  readonly counters: HttpCounters = {
    accepted: 0,
    received: 0,
    sent: 0,
    refused: 0,
    evicted: 0,
    timeouts: 0,
    errors: 0,
    deferredDropped: 0,
  };
  port = 0;

  readonly #options: HttpOptions;
  readonly #handler: BatchHandler;
  readonly #server: HttpServer;
  readonly #wheel: TimerWheel;
  readonly #context: HttpContext;
  readonly #maxConnections: number;
  readonly #clients: ConnectionSet<HttpClient>;
  readonly #bySession = new WeakMap<object, HttpClient>();
  #current: HttpExchange | undefined;
  #captured = false;
  #draining = false;

  constructor(options: HttpOptions, dialect: HttpDialect, handler: BatchHandler) {
    this.#options = options;
    this.#handler = handler;
    this.transport = dialect.transport;
    this.address = options.address;
    this.family = options.family;
    this.#maxConnections = (options.maxConnections ?? DEFAULT_CONNECTIONS) || Number.POSITIVE_INFINITY;
    this.#clients = new ConnectionSet(this.#maxConnections, this.counters);
    this.#wheel = new TimerWheel(options.clock ?? systemClock, WHEEL_TICK_MS);
    this.#context = {
      dialect,
      counters: this.counters,
      wheel: this.#wheel,
      readTimeoutMs: options.readTimeoutMs ?? DEFAULT_READ_MS,
      writeTimeoutMs: options.writeTimeoutMs ?? DEFAULT_WRITE_MS,
      idleTimeoutMs: options.idleTimeoutMs ?? DEFAULT_IDLE_MS,
      maxStreams: (options.maxStreams ?? DEFAULT_STREAMS) || NO_STREAM_LIMIT,
      heldBytes: 0,
      maxHeldBytes: MAX_HELD_BYTES,
      answer: (exchange, message) => this.#answer(exchange, message),
      onResponse: options.onResponse ?? (() => undefined),
      touch: (client) => this.#clients.touch(client),
      remove: (client) => this.#clients.remove(client),
    };
    this.#server = createHttpServer(dialect.http1, this.#context, options.tls);
    this.#follow();
  }

  /** Every connection becomes a client: of HTTP/2 when its session begins, of HTTP/1.1 when its socket is ready. */
  #follow(): void {
    const server = this.#server as net.Server;
    const isSecure = this.#options.tls !== undefined;
    server.on('session', (session: http2.ServerHttp2Session) => {
      session.on('error', () => void this.counters.errors++);
      const client = this.#accept(session.socket, session, {
        isGraceful: true,
        finish: () => session.close(),
        destroy: () => session.destroy(),
      });
      if (client) this.#bySession.set(session, client);
    });
    if (this.#context.dialect.http1) {
      server.on(isSecure ? 'secureConnection' : 'connection', (socket: tls.TLSSocket) => {
        if (socket.alpnProtocol === 'h2') return;
        socket.on('error', () => void this.counters.errors++);
        const client = this.#accept(socket, socket, {
          isGraceful: false,
          finish: () => void socket.end(),
          destroy: () => void socket.destroy(),
        });
        if (client) this.#bySession.set(socket, client);
      });
    }
    server.on('tlsClientError', () => void this.counters.errors++);
    server.on('sessionError', () => void this.counters.errors++);
    server.on('request', (request: HttpRequest, response: HttpResponse) => this.#begin(request, response));
    // A client that expects leave to send its body gets it from Node; a larger body is refused while it is read.
    if (this.#maxConnections < Number.POSITIVE_INFINITY) server.maxConnections = 2 * this.#maxConnections;
  }

  async listen(): Promise<void> {
    this.port = await listen(this.#server, this.#options, () => void this.counters.errors++);
  }

  #accept(socket: net.Socket | tls.TLSSocket, end: NodeJS.EventEmitter, control: HttpControl): HttpClient | undefined {
    const { tls: secure } = this.#options;
    if (this.#draining || (secure && !isAcceptedClient(socket as tls.TLSSocket, secure.clientAuth))) {
      if (!this.#draining) this.counters.errors++;
      control.destroy();
      return undefined;
    }
    this.counters.accepted++;
    this.#clients.makeRoom();
    const client = new HttpClient(socket, control, this.#context);
    this.#clients.add(client);
    end.once('close', () => client.close());
    return client;
  }

  #begin(request: HttpRequest, response: HttpResponse): void {
    const key = 'stream' in request ? request.stream.session : request.socket;
    const client = key && this.#bySession.get(key);
    if (client) new HttpExchange(request, response, client, this.#context).start();
    else response.destroy?.();
  }

  /** Runs one message as a batch of its own: each request is whole at another moment. */
  #answer(exchange: HttpExchange, message: Uint8Array): void {
    const handler = this.#handler;
    const { dialect } = this.#context;
    // What a datagram would be dropped for is told here: the client waits for its response.
    if (message.length < HEADER_LENGTH || message[2]! >= QR_FLAG) {
      exchange.refuse(dialect.rejected);
      return;
    }
    this.counters.received++;
    this.#current = exchange;
    this.#captured = false;
    // Never a Buffer: the code behind has met Uint8Array alone and is fast with it.
    const bytes = new Uint8Array(message.buffer, message.byteOffset, message.length);
    handler.begin(1, this);
    const length = handler.packet(bytes, 0, bytes.length, transmit, 0, 0);
    handler.end();
    this.#current = undefined;
    if (this.#captured) return;
    if (length === 0) exchange.refuse(dialect.unanswered);
    // Only a message that was not admitted or could not be read is answered without a question.
    else if (length === HEADER_LENGTH) exchange.refuse(dialect.rejected);
    else exchange.reply(transmit, 0, length);
  }

  get descriptor(): number {
    return descriptorOf(this.#server);
  }

  get connections(): number {
    return this.#clients.size;
  }

  readAddresses(_slot: number, into: PacketAddresses): void {
    const client = this.#current?.client;
    if (!client) return;
    into.family = client.clientAddress.length === 4 ? 4 : 6;
    into.clientAddress.set(client.clientAddress);
    into.clientPort = client.clientPort;
    into.serverAddress.set(client.serverAddress);
    into.serverPort = this.port;
  }

  isTruncated(_slot: number): boolean {
    return false;
  }

  capture(_slot: number, reuse?: ReplyAddress): ReplyAddress {
    const to = reuse instanceof HttpReplyAddress ? reuse : new HttpReplyAddress();
    to.exchange = this.#current;
    this.#captured = true;
    return to;
  }

  sendTo(to: ReplyAddress, bytes: Uint8Array, at: number, length: number): boolean {
    const exchange = this.#release(to);
    const fits = length > 0 && length <= TRANSMIT_CAPACITY;
    if (exchange && !exchange.isOver) {
      if (fits) exchange.reply(bytes, at, length);
      else exchange.refuse(this.#context.dialect.unanswered);
      return fits;
    }
    this.counters.deferredDropped++;
    return false;
  }

  discard(to: ReplyAddress): void {
    this.#release(to)?.refuse(this.#context.dialect.unanswered);
  }

  #release(to: ReplyAddress): HttpExchange | undefined {
    if (!(to instanceof HttpReplyAddress)) return undefined;
    const { exchange } = to;
    to.exchange = undefined;
    return exchange;
  }

  async drain(timeoutMs: number): Promise<void> {
    this.#draining = true;
    this.#server.close();
    await this.#clients.finishAll(this.#options.clock ?? systemClock, timeoutMs);
    this.close();
  }

  close(): void {
    this.#draining = true;
    this.#server.close();
    this.#clients.destroyAll();
    this.#wheel.close();
  }
}
