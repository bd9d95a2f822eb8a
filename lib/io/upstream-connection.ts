// One TCP or TLS connection to a nameserver, several queries under way on it. Worker.
import net from 'node:net';
import type { UpstreamTarget } from '../chain/plugin.ts';
import { randomUint16 } from './random.ts';
import { formatAddressPort } from './socket-address.ts';
import { WheelEntry } from './timer-wheel.ts';
import { PendingQuery } from './upstream-pending.ts';

const FRAME_HEADER = 2;
const INITIAL_BUFFER = 4096;

/** A query on a stream: kept whole, since a connection that the peer has closed means sending it again. */
export class StreamQuery extends PendingQuery {
  connection: UpstreamConnection | undefined;
  /** Whether the connection had served another query before. */
  reused = false;
  retried = false;
}

/** What a connection tells its pool. */
export interface ConnectionUser {
  reply(connection: UpstreamConnection, query: StreamQuery, bytes: Uint8Array): void;
  /** A message that nobody on the connection asked for. */
  mismatch(): void;
  /** Nothing is under way any more. */
  idle(connection: UpstreamConnection): void;
  /** It is gone; `queries` had no reply. `code` is '' when the peer closed it in good order. */
  gone(connection: UpstreamConnection, queries: StreamQuery[], code: string, detail: string): void;
  session(session: Buffer): void;
}

export class UpstreamConnection extends WheelEntry {
  readonly openedMs: number;
  /** Whether connecting, and the TLS handshake, are done. */
  isReady = false;
  uses = 0;
  readonly #user: ConnectionUser;
  readonly #socket: net.Socket;
  readonly #queries = new Map<number, StreamQuery>();
  #early: Buffer[] = [];
  #buffer = new Uint8Array(INITIAL_BUFFER);
  #filled = 0;
  #queue: Buffer[] = [];
  #closed = false;
  #code = '';
  #detail = '';

  constructor(target: UpstreamTarget, session: Buffer | undefined, user: ConnectionUser, nowMs: number) {
    super();
    this.#user = user;
    this.openedMs = nowMs;
    this.#socket = connect(target, session);
    const socket = this.#socket;
    socket.unref();
    socket.setNoDelay(true);
    socket.on(target.tls ? 'secureConnect' : 'connect', () => this.#ready());
    if (target.tls) socket.on('session', (ticket: Buffer) => user.session(ticket));
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('end', () => socket.destroy());
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.#code = error.code ?? 'ERROR';
      this.#detail = error.message;
    });
    socket.on('close', () => this.#gone());
  }

  get size(): number {
    return this.#queries.size;
  }

  get isOpen(): boolean {
    return !this.#closed && !this.#socket.destroyed;
  }

  formatLocal(): string {
    const { localAddress, localPort } = this.#socket;
    return localAddress === undefined ? ':0' : formatAddressPort(localAddress, localPort ?? 0);
  }

  /** Sends the query under an ID that no other one on this connection has. */
  send(query: StreamQuery): void {
    let id = randomUint16();
    while (this.#queries.has(id)) id = (id + 1) & 0xffff;
    query.id = id;
    query.connection = this;
    query.reused = this.uses++ > 0;
    this.#queries.set(id, query);
    const { length } = query.message;
    const frame = Buffer.allocUnsafe(FRAME_HEADER + length);
    frame[0] = length >> 8;
    frame[1] = length & 255;
    frame.set(query.message, FRAME_HEADER);
    frame[2] = id >> 8;
    frame[3] = id & 255;
    if (!this.isReady) this.#early.push(frame);
    else if (this.#queue.push(frame) === 1) queueMicrotask(this.#flush);
  }

  readonly #flush = (): void => {
    const frames = this.#queue;
    this.#queue = [];
    if (this.#socket.writable) this.#socket.write(frames.length === 1 ? frames[0]! : Buffer.concat(frames));
  };

  #ready(): void {
    this.isReady = true;
    this.#queue = this.#early;
    this.#early = [];
    if (this.#queue.length > 0) this.#flush();
  }

  #receive(chunk: Buffer): void {
    const needed = this.#filled + chunk.length;
    if (needed > this.#buffer.length) {
      const grown = new Uint8Array(needed * 2);
      grown.set(this.#buffer.subarray(0, this.#filled));
      this.#buffer = grown;
    }
    this.#buffer.set(chunk, this.#filled);
    this.#filled = needed;
    let at = 0;
    while (this.#filled - at >= FRAME_HEADER) {
      const length = (this.#buffer[at]! << 8) | this.#buffer[at + 1]!;
      if (this.#filled - at - FRAME_HEADER < length) break;
      at += FRAME_HEADER;
      this.#message(this.#buffer.slice(at, at + length));
      at += length;
    }
    if (at === 0) return;
    this.#buffer.copyWithin(0, at, this.#filled);
    this.#filled -= at;
    if (this.#queries.size === 0 && this.isOpen) this.#user.idle(this);
  }

  #message(bytes: Uint8Array): void {
    const query = bytes.length < 2 ? undefined : this.#queries.get((bytes[0]! << 8) | bytes[1]!);
    if (!query?.isAnsweredBy(bytes, bytes.length)) return this.#user.mismatch();
    this.#queries.delete(query.id);
    return this.#user.reply(this, query, bytes);
  }

  /** The query has timed out; its reply, should it come, is a mismatch. */
  forget(query: StreamQuery): void {
    this.#queries.delete(query.id);
  }

  /** Idle for too long. */
  expire(): void {
    if (this.#queries.size === 0) this.close();
  }

  close(): void {
    this.#socket.destroy();
  }

  #gone(): void {
    if (this.#closed) return;
    this.#closed = true;
    const queries = [...this.#queries.values()];
    this.#queries.clear();
    this.#user.gone(this, queries, this.#code, this.#detail);
  }
}

function connect(target: UpstreamTarget, session: Buffer | undefined): net.Socket {
  const { address: host, port, sourceAddress, tls: secure } = target;
  const place = { host, port, ...(sourceAddress === undefined ? {} : { localAddress: sourceAddress }) };
  if (!secure) return net.connect(place);
  const { serverName, ca, cert, key } = secure;
  // Loaded when needed: see tcp.ts.
  return process.getBuiltinModule('node:tls').connect({
    ...place,
    minVersion: 'TLSv1.2',
    rejectUnauthorized: true,
    // Without a name the certificate must hold the address.
    ...(serverName === '' ? {} : { servername: serverName }),
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(session === undefined ? {} : { session }),
  });
}
