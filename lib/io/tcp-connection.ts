// One client's TCP or TLS connection: framing, batches, late replies, backpressure, deadlines. Worker.
import type net from 'node:net';
import { addressBytes } from './socket-address.ts';
import { type TimerWheel, WheelEntry } from './timer-wheel.ts';
import { type BatchHandler, type PacketSource, TRANSMIT_CAPACITY } from './udp-batch.ts';

/** Two bytes of length before every message (RFC 1035 section 4.2.2). */
const FRAME_HEADER = 2;
const MAX_MESSAGE = 65535;
/** Shorter than a DNS header: not a message. */
const MIN_MESSAGE = 12;
const MAX_BATCH = 32;
/** Reading stops while this many queries of one connection wait for an answer. */
export const MAX_PENDING = 128;
/** Reading stops while this many bytes of replies have not left. */
export const MAX_UNSENT_BYTES = 262_144;
/** How long the peer may take to close its half after ours; only then unread bytes cannot turn FIN into RST. */
const LINGER_MS = 1000;

const receive = new Uint8Array(128 * 1024);
const transmit = new Uint8Array(4 * (FRAME_HEADER + TRANSMIT_CAPACITY));

/** What the connections of a listener share. */
export type ConnectionContext = {
  readonly source: PacketSource;
  readonly handler: BatchHandler;
  readonly wheel: TimerWheel;
  readonly counters: TcpCounters;
  readonly readTimeoutMs: number;
  readonly writeTimeoutMs: number;
  readonly idleTimeoutMs: number;
  /** 0: no limit. */
  readonly maxQueries: number;
  /** The connection whose messages the handler is given. */
  current: TcpConnection | undefined;
  /** A late reply was queued on a connection that had none. */
  scheduleFlush(connection: TcpConnection): void;
  touch(connection: TcpConnection): void;
  remove(connection: TcpConnection): void;
};

/** Totals since the listener opened. */
export type TcpCounters = {
  accepted: number;
  received: number;
  sent: number;
  batches: number;
  /** Messages shorter than a DNS header. */
  ignored: number;
  /** Connections closed to make room for new ones. */
  evicted: number;
  /** Connections closed for silence, an unfinished message, or replies not taken. */
  timeouts: number;
  /** Connections that ended in an error, failed TLS handshakes included. */
  errors: number;
  /** Late replies whose connection was gone. */
  deferredDropped: number;
};

export class TcpConnection extends WheelEntry {
  readonly clientAddress: Uint8Array;
  readonly serverAddress: Uint8Array;
  readonly clientPort: number;
  readonly #context: ConnectionContext;
  readonly #socket: net.Socket;
  /** Bytes read and not consumed: `#kept[#keptFrom .. #keptTo)`. */
  #kept: Uint8Array | undefined;
  #keptFrom = 0;
  #keptTo = 0;
  #late: Buffer[] = [];
  #lateBytes = 0;
  /** Who waits for room to send the next message of a reply that has several. */
  #waiters: ((isOpen: boolean) => void)[] = [];
  #pending = 0;
  #queries = 0;
  #partial = false;
  #paused = false;
  /** No more messages are taken; the connection ends when what is pending has left. */
  #finishing = false;
  #ended = false;
  #peerEnded = false;
  #closed = false;
  #deadline: 'read' | 'write' | 'idle' | 'linger' = 'read';

  constructor(socket: net.Socket, context: ConnectionContext) {
    super();
    this.#socket = socket;
    this.#context = context;
    this.clientAddress = addressBytes(socket.remoteAddress);
    this.serverAddress = addressBytes(socket.localAddress);
    this.clientPort = socket.remotePort ?? 0;
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('drain', () => this.#resume());
    socket.on('end', () => {
      this.#peerEnded = true;
      if (!this.#mustWait()) this.finish();
    });
    socket.on('error', () => void context.counters.errors++);
    socket.on('close', () => this.#close());
    // RFC 7766 section 6.2.3: a client that connects and says nothing must not hold the connection.
    context.wheel.schedule(this, context.readTimeoutMs);
  }

  get pending(): number {
    return this.#pending;
  }

  capture(): void {
    this.#pending++;
  }

  #receive(chunk: Buffer): void {
    if (this.#finishing) return;
    this.#context.touch(this);
    const kept = this.#keptTo - this.#keptFrom;
    if (kept === 0 && chunk.length <= receive.length && !this.#paused) {
      receive.set(chunk, 0);
      const used = this.#consume(receive, 0, chunk.length);
      if (used < chunk.length && !this.#finishing) this.#keep(receive.subarray(used, chunk.length));
    } else {
      this.#keep(chunk);
      this.#consumeKept();
    }
    this.#settle();
  }

  /** Grows by doubling, so that a message that comes byte by byte is not copied again for each. */
  #keep(bytes: Uint8Array): void {
    const kept = this.#keptTo - this.#keptFrom;
    const needed = kept + bytes.length;
    if (!this.#kept || this.#keptFrom + needed > this.#kept.length) {
      const grown = new Uint8Array(Math.max(512, needed * 2));
      if (this.#kept) grown.set(this.#kept.subarray(this.#keptFrom, this.#keptTo));
      this.#kept = grown;
      this.#keptFrom = 0;
      this.#keptTo = kept;
    }
    this.#kept.set(bytes, this.#keptTo);
    this.#keptTo += bytes.length;
  }

  #consumeKept(): void {
    if (!this.#kept || this.#finishing) return;
    this.#keptFrom = this.#consume(this.#kept, this.#keptFrom, this.#keptTo);
    if (this.#keptFrom < this.#keptTo) return;
    this.#kept = undefined;
    this.#keptFrom = 0;
    this.#keptTo = 0;
  }

  /** Answers the whole messages in `bytes[from .. to)`, in batches. Returns where it stopped. */
  #consume(bytes: Uint8Array, from: number, to: number): number {
    let at = from;
    while (!this.#finishing) {
      this.#partial = at < to;
      if (this.#mustWait()) break;
      const { maxQueries } = this.#context;
      const allowed = maxQueries === 0 ? MAX_BATCH : Math.min(MAX_BATCH, maxQueries - this.#queries);
      let count = 0;
      let end = at;
      while (count < allowed && to - end >= FRAME_HEADER) {
        const length = (bytes[end]! << 8) | bytes[end + 1]!;
        if (to - end - FRAME_HEADER < length) break;
        end += FRAME_HEADER + length;
        if (length >= MIN_MESSAGE) count++;
        else this.#context.counters.ignored++;
      }
      if (end === at) break;
      if (count > 0) this.#answer(bytes, at, end, count);
      at = end;
      if (maxQueries > 0 && this.#queries >= maxQueries) this.finish();
    }
    return at;
  }

  #answer(bytes: Uint8Array, from: number, to: number, count: number): void {
    const { handler, counters, source } = this.#context;
    this.#queries += count;
    // What follows is a new message with a deadline of its own.
    this.#deadline = 'idle';
    counters.received += count;
    counters.batches++;
    this.#context.current = this;
    handler.begin(count, source);
    let written = 0;
    for (let at = from; at < to; ) {
      const length = (bytes[at]! << 8) | bytes[at + 1]!;
      at += FRAME_HEADER;
      if (length >= MIN_MESSAGE) {
        if (written + FRAME_HEADER + TRANSMIT_CAPACITY > transmit.length) written = this.#write(written);
        const replyLength = handler.packet(bytes, at, length, transmit, written + FRAME_HEADER, 0);
        if (replyLength > 0) {
          transmit[written] = replyLength >> 8;
          transmit[written + 1] = replyLength & 255;
          written += FRAME_HEADER + replyLength;
          counters.sent++;
        }
      }
      at += length;
    }
    handler.end();
    this.#context.current = undefined;
    if (written > 0) this.#write(written);
  }

  /** Hands the replies to the socket, which may keep them: a copy. Returns 0, the bytes left in the buffer. */
  #write(length: number): number {
    if (this.#socket.writable) this.#socket.write(Buffer.from(transmit.subarray(0, length)));
    return 0;
  }

  #mustWait(): boolean {
    return this.#pending >= MAX_PENDING || this.#socket.writableLength + this.#lateBytes > MAX_UNSENT_BYTES;
  }

  /** Pauses or resumes reading and sets the deadline that fits the state. */
  #settle(): void {
    if (this.#closed) return;
    const { wheel, readTimeoutMs, writeTimeoutMs, idleTimeoutMs } = this.#context;
    if (this.#finishing) return;
    const wait = this.#mustWait();
    if (wait !== this.#paused) {
      this.#paused = wait;
      if (wait) this.#socket.pause();
      else this.#socket.resume();
    }
    if (this.#socket.writableLength > 0) this.#setDeadline(wheel, 'write', writeTimeoutMs);
    else if (this.#partial && !wait) this.#setDeadline(wheel, 'read', readTimeoutMs);
    else this.#setDeadline(wheel, this.#queries === 0 ? 'read' : 'idle', idleTimeoutMs);
  }

  /** Waiting for the rest of a message counts from its start: more bytes of it do not move the deadline. */
  #setDeadline(wheel: TimerWheel, kind: 'read' | 'write' | 'idle' | 'linger', delayMs: number): void {
    if (kind === 'read' && this.#deadline === 'read') return;
    this.#deadline = kind;
    wheel.schedule(this, delayMs);
  }

  expire(): void {
    if (this.#deadline === 'idle' && this.#pending > 0)
      return this.#context.wheel.schedule(this, this.#context.idleTimeoutMs);
    if (this.#deadline !== 'linger') this.#context.counters.timeouts++;
    if (this.#deadline === 'idle' || this.#deadline === 'read') return this.finish();
    this.destroy();
    return undefined;
  }

  #resume(): void {
    if (this.#closed) return;
    this.#callWaiters();
    this.#consumeKept();
    if (this.#peerEnded && !this.#mustWait()) this.finish();
    this.#settle();
    this.#endIfDone();
  }

  /** @returns false when the connection is gone */
  queueLate(bytes: Uint8Array, at: number, length: number): boolean {
    this.#pending--;
    return this.#queue(bytes, at, length);
  }

  /** As `queueLate` for a message that others follow; `then` is called as soon as there is room. */
  queuePart(bytes: Uint8Array, at: number, length: number, then: (isOpen: boolean) => void): boolean {
    if (!this.#queue(bytes, at, length)) return false;
    this.#waiters.push(then);
    return true;
  }

  #callWaiters(): void {
    if (this.#waiters.length === 0 || this.#socket.writableLength + this.#lateBytes > MAX_UNSENT_BYTES) return;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const then of waiters) then(true);
  }

  #queue(bytes: Uint8Array, at: number, length: number): boolean {
    if (this.#closed || this.#ended) return false;
    const frame = Buffer.allocUnsafe(FRAME_HEADER + length);
    frame[0] = length >> 8;
    frame[1] = length & 255;
    frame.set(at === 0 && length === bytes.length ? bytes : bytes.subarray(at, at + length), FRAME_HEADER);
    this.#late.push(frame);
    this.#lateBytes += frame.length;
    this.#context.counters.sent++;
    if (this.#late.length === 1) this.#context.scheduleFlush(this);
    return true;
  }

  discard(): void {
    this.#pending--;
    if (this.#late.length === 0) this.#context.scheduleFlush(this);
  }

  /** Writes the late replies in one go, then reads on where backpressure had stopped it. */
  flush(): void {
    const frames = this.#late;
    this.#late = [];
    this.#lateBytes = 0;
    if (this.#closed) return;
    if (frames.length > 0 && this.#socket.writable) {
      this.#socket.write(frames.length === 1 ? frames[0]! : Buffer.concat(frames));
    }
    this.#resume();
  }

  /** Takes no more messages, and closes with FIN when everything pending has been answered. */
  finish(): void {
    if (!this.#finishing) {
      this.#finishing = true;
      this.#kept = undefined;
      // What still comes is read and thrown away: unread bytes would make the kernel send RST.
      this.#socket.resume();
    }
    this.#endIfDone();
  }

  #endIfDone(): void {
    if (!this.#finishing || this.#ended || this.#closed || this.#pending > 0 || this.#late.length > 0) return;
    this.#ended = true;
    this.#socket.end();
    this.#setDeadline(this.#context.wheel, 'linger', this.#peerEnded ? this.#context.writeTimeoutMs : LINGER_MS);
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #close(): void {
    this.#closed = true;
    this.#context.wheel.cancel(this);
    this.#context.remove(this);
    const waiters = this.#waiters;
    this.#waiters = [];
    this.#pending -= waiters.length;
    for (const then of waiters) then(false);
  }
}

/** Longest message a frame can hold. */
export const MAX_FRAME: number = MAX_MESSAGE;
