// One HTTP request that holds a DNS query: body within its limits, then one response. Worker.
import type http from 'node:http';
import type http2 from 'node:http2';
import type { HttpClient } from './http-client.ts';
import type { HttpContext } from './http-listener.ts';
import { WheelEntry } from './timer-wheel.ts';

export type HttpRequest = http.IncomingMessage | http2.Http2ServerRequest;
export type HttpResponse = http.ServerResponse | http2.Http2ServerResponse;

export class HttpExchange extends WheelEntry {
  readonly client: HttpClient;
  readonly #request: HttpRequest;
  readonly #response: HttpResponse;
  readonly #context: HttpContext;
  #chunks: Buffer[] = [];
  #held = 0;
  #answered = false;
  #closed = false;

  constructor(request: HttpRequest, response: HttpResponse, client: HttpClient, context: HttpContext) {
    super();
    this.#request = request;
    this.#response = response;
    this.client = client;
    this.#context = context;
  }

  /** Whether nothing can be said any more: the client is gone or has its response. */
  get isOver(): boolean {
    return this.#answered || this.#closed;
  }

  start(): void {
    const { client } = this;
    const { dialect, wheel, readTimeoutMs, maxStreams } = this.#context;
    client.begin();
    // An aborted request tells by an error; what matters of it comes with the response's close.
    this.#request.on('error', () => undefined);
    this.#response.on('error', () => undefined);
    this.#response.once('close', () => this.#close());
    wheel.schedule(this, readTimeoutMs);
    // HTTP/2 keeps its clients to the limit by itself, HTTP/1.1 allows any number of requests one behind the other.
    if (client.pending > maxStreams) {
      client.destroy();
      return;
    }
    const message = dialect.begin(this.#request);
    if (message === undefined) this.#readBody();
    else this.#take(message);
  }

  #readBody(): void {
    const { dialect } = this.#context;
    if (Number(this.#request.headers['content-length'] ?? 0) > dialect.maxBodyBytes) {
      this.refuse(dialect.rejected);
      return;
    }
    this.#request.on('data', (chunk: Buffer) => this.#keep(chunk));
    this.#request.once('end', () => {
      if (this.isOver) return;
      const body = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks);
      this.#release();
      this.#take(dialect.decode(body));
    });
  }

  #keep(chunk: Buffer): void {
    const context = this.#context;
    if (this.isOver) return;
    if (this.#held + chunk.length > context.dialect.maxBodyBytes) return this.refuse(context.dialect.rejected);
    if (context.heldBytes + chunk.length > context.maxHeldBytes) return this.refuse(context.dialect.busy);
    this.#chunks.push(chunk);
    this.#held += chunk.length;
    context.heldBytes += chunk.length;
    return undefined;
  }

  #release(): void {
    this.#context.heldBytes -= this.#held;
    this.#held = 0;
    this.#chunks = [];
  }

  #take(message: Uint8Array | number): void {
    this.#context.wheel.cancel(this);
    if (typeof message === 'number') this.refuse(message);
    else this.#context.answer(this, message);
  }

  /** Sends the DNS message `bytes[at .. at + length)`, which is copied. */
  reply(bytes: Uint8Array, at: number, length: number): void {
    if (!this.#beginResponse()) return;
    const context = this.#context;
    context.counters.sent++;
    context.onResponse(context.dialect.reply(this.#response, bytes, at, length));
  }

  /** Answers without a DNS message, with a code of the dialect's. */
  refuse(code: number): void {
    if (!this.#beginResponse()) return;
    const context = this.#context;
    context.counters.refused++;
    if (!this.#request.complete && hasBody(this.#request)) this.#stopBody();
    context.onResponse(context.dialect.refuse(this.#response, code));
  }

  /** What is still to come of this request is not wanted. */
  #stopBody(): void {
    const response = this.#response;
    if ('stream' in response) response.once('finish', () => response.stream?.close(NO_ERROR));
    else response.setHeader('connection', 'close');
  }

  #beginResponse(): boolean {
    if (this.isOver) return false;
    this.#answered = true;
    this.#release();
    const { wheel, writeTimeoutMs } = this.#context;
    wheel.schedule(this, writeTimeoutMs);
    if (this.client.isFinishing && !('stream' in this.#response)) this.#response.setHeader('connection', 'close');
    return true;
  }

  /** The request is not complete or the response not taken in time. */
  expire(): void {
    this.#context.counters.timeouts++;
    if ('stream' in this.#response) this.#response.stream?.close(CANCEL);
    else this.client.destroy();
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#release();
    this.#context.wheel.cancel(this);
    this.client.done();
  }
}

function hasBody({ headers }: HttpRequest): boolean {
  return headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined || ':path' in headers;
}

/** RFC 9113 section 7. */
const NO_ERROR = 0;
const CANCEL = 8;
