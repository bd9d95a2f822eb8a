// One client's HTTP connection: its addresses, the requests under way, the deadline of its silence. Worker.
import type net from 'node:net';
import type { HttpContext } from './http-listener.ts';
import { addressBytes } from './socket-address.ts';
import { WheelEntry } from './timer-wheel.ts';

/** What a client can have done to its connection. */
export type HttpControl = {
  /** Whether `finish` lets the requests under way be answered. */
  readonly isGraceful: boolean;
  /** Ends the connection after what was written. */
  finish(): void;
  destroy(): void;
};

export class HttpClient extends WheelEntry {
  readonly clientAddress: Uint8Array;
  readonly serverAddress: Uint8Array;
  readonly clientPort: number;
  /** Requests that are not answered in full. */
  pending = 0;
  readonly #context: HttpContext;
  readonly #control: HttpControl;
  #finishing = false;
  #closed = false;

  constructor(socket: net.Socket, control: HttpControl, context: HttpContext) {
    super();
    this.clientAddress = addressBytes(socket.remoteAddress);
    this.serverAddress = addressBytes(socket.localAddress);
    this.clientPort = socket.remotePort ?? 0;
    this.#context = context;
    this.#control = control;
    context.wheel.schedule(this, context.readTimeoutMs);
  }

  /** Whether no more requests are taken. */
  get isFinishing(): boolean {
    return this.#finishing;
  }

  /** A request began. While one is under way, its own deadlines count. */
  begin(): void {
    this.pending++;
    this.#context.touch(this);
    this.#context.wheel.cancel(this);
  }

  /** A request is over. Bytes that are no request do not put off the end: only requests count. */
  done(): void {
    this.pending--;
    if (this.pending > 0 || this.#closed) return;
    if (this.#finishing) this.#end();
    else this.#context.wheel.schedule(this, this.#context.idleTimeoutMs);
  }

  /** Takes no more requests and ends when those under way are answered. */
  finish(): void {
    if (this.#finishing || this.#closed) return;
    this.#finishing = true;
    if (this.pending === 0) this.#end();
    else if (this.#control.isGraceful) this.#control.finish();
  }

  #end(): void {
    this.#control.finish();
    this.#context.wheel.schedule(this, this.#context.writeTimeoutMs);
  }

  expire(): void {
    if (this.#closed) return;
    if (this.#finishing) {
      this.destroy();
      return;
    }
    this.#context.counters.timeouts++;
    this.finish();
  }

  destroy(): void {
    this.#control.destroy();
  }

  /** The connection is gone. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#context.wheel.cancel(this);
    this.#context.remove(this);
  }
}
