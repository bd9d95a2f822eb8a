// One request of a reflector: given up when the server is silent for too long, or when the reflector says so. Control thread.
import type { CancelTimer, Clock } from '../../base/clock.ts';
import { Fault, faultOfStatus } from './fault.ts';
import type { ApiRequest, ApiResponse, ApiTransport } from './transport.ts';

/** How long the headers of an answer may take. */
const ANSWER_TIMEOUT_MS = 30_000;
/** The most that is read of an answer that says why not. */
const MAX_STATUS_BYTES = 65_536;

export class Connection {
  readonly #transport: ApiTransport;
  readonly #clock: Clock;
  readonly #onHeard: () => void;
  readonly #controller = new AbortController();
  #closed = false;
  #accepted = false;
  #fault: Fault | undefined;
  #quietLimitMs = ANSWER_TIMEOUT_MS;
  #heardMs: number;
  #cancelTimer: CancelTimer | undefined;
  #kindWhenQuiet: 'network' | 'idle' = 'network';

  /** @param onHeard called for every answer that is no refusal, and every chunk of it */
  constructor(transport: ApiTransport, clock: Clock, onHeard: () => void) {
    this.#transport = transport;
    this.#clock = clock;
    this.#onHeard = onHeard;
    this.#heardMs = clock.monotonicMs();
  }

  /**
   * Sends the request and waits for the answer's headers.
   *
   * @param quietLimitMs from now on, so long without a byte is a fault
   * @returns the body of a 200, which must be read inside try/finally with `close`
   * @throws Fault for every other status and when nothing comes
   */
  async open(
    path: string,
    verb: ApiRequest['verb'],
    quietLimitMs: number,
    accept?: string,
  ): Promise<AsyncIterable<Uint8Array>> {
    this.#arm();
    const request = { path, verb, signal: this.#controller.signal, ...(accept === undefined ? {} : { accept }) };
    const response = await this.#orFault(this.#transport.get(request));
    this.#kindWhenQuiet = 'idle';
    this.#accepted = response.status === 200;
    this.#heard();
    this.quietLimitMs = quietLimitMs;
    if (response.status !== 200) throw await this.#readRefusal(response);
    return this.#read(response.body);
  }

  /** Changes the limit given to `open`. */
  set quietLimitMs(limitMs: number) {
    this.#quietLimitMs = limitMs;
    this.#arm();
  }

  /** Ends the request: whoever waits for it gets `fault`. */
  interrupt(fault: Fault): void {
    if (this.#closed) return;
    this.#fault ??= fault;
    this.#controller.abort();
  }

  /** The request is over; its socket may serve another one. */
  close(): void {
    this.#closed = true;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  async *#read(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
    try {
      for await (const chunk of body) {
        this.#heard();
        yield chunk;
      }
    } catch (error) {
      throw this.#fault ?? error;
    }
    if (this.#fault !== undefined) throw this.#fault;
  }

  async #readRefusal(response: ApiResponse): Promise<Fault> {
    const parts: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of this.#read(response.body)) {
      parts.push(chunk);
      size += chunk.length;
      if (size > MAX_STATUS_BYTES) break;
    }
    let status: unknown;
    try {
      status = JSON.parse(Buffer.concat(parts).toString());
    } catch {
      // A proxy's page or nothing: the number must do.
    }
    return faultOfStatus(response.status, status, response.retryAfterMs);
  }

  async #orFault<R>(waiting: Promise<R>): Promise<R> {
    try {
      return await waiting;
    } catch (error) {
      throw this.#fault ?? error;
    }
  }

  #heard(): void {
    this.#heardMs = this.#clock.monotonicMs();
    if (this.#accepted) this.#onHeard();
  }

  /** One timer a connection that looks when it fires, instead of one a chunk. */
  #arm(): void {
    this.#cancelTimer?.();
    const leftMs = Math.ceil(this.#heardMs + this.#quietLimitMs - this.#clock.monotonicMs());
    this.#cancelTimer = this.#clock.after(Math.max(0, leftMs), () => {
      const quietMs = this.#clock.monotonicMs() - this.#heardMs;
      if (quietMs < this.#quietLimitMs) this.#arm();
      else this.interrupt(new Fault(this.#kindWhenQuiet, `nothing heard for ${Math.round(quietMs / 1000)} s`));
    });
  }
}
