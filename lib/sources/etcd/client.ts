// Requests to etcd's JSON gateway (/v3/..., etcd 3.4 and later): one of several endpoints, credentials, streams. Control thread.
import http from 'node:http';
import https from 'node:https';
import type { Clock } from '../../base/clock.ts';
import { LineSplitter } from '../kubernetes/json-lines.ts';

export type EtcdAccess = {
  /** Base URLs, without a path. */
  readonly endpoints: readonly string[];
  readonly user?: { readonly name: string; readonly password: string };
  /** PEM texts. */
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string };
};

/** How long an answer may take, and a stream's first byte. */
const ANSWER_TIMEOUT_MS = 5000;
const KEEP_ALIVE_MS = 10_000;
/** One page of keys, base64, and one line of a watch. */
const MAX_ANSWER_BYTES = 64 * 2 ** 20;
const UNAUTHORIZED = 401;
/** gRPC's UNAUTHENTICATED, in a body of status 400 or 401: etcd's tokens expire. */
const UNAUTHENTICATED = 16;

export class EtcdClient {
  readonly #access: EtcdAccess;
  readonly #clock: Clock;
  #endpoint = 0;
  #token = '';

  constructor(access: EtcdAccess, clock: Clock) {
    this.#access = access;
    this.#clock = clock;
  }

  /** The endpoint in use, for messages. */
  get endpoint(): string {
    return this.#access.endpoints[this.#endpoint]!;
  }

  /** Has the next request go to the next endpoint, with a new token. */
  moveOn(): void {
    this.#endpoint = (this.#endpoint + 1) % this.#access.endpoints.length;
    this.#token = '';
  }

  /** Asks once. @throws Error that says what went wrong */
  async call(path: string, body: unknown, signal: AbortSignal): Promise<unknown> {
    await this.#authenticate(signal);
    return this.#call(path, body, signal);
  }

  /** Asks for a stream of JSON lines, which end when the server ends them. @throws Error */
  async *stream(path: string, body: unknown, signal: AbortSignal): AsyncGenerator {
    await this.#authenticate(signal);
    const response = await this.#post(path, body, signal);
    await this.#expectOk(response);
    const splitter = new LineSplitter(MAX_ANSWER_BYTES);
    for await (const chunk of response) {
      splitter.push(chunk as Buffer);
      for (let line = splitter.next(); line !== undefined; line = splitter.next()) {
        if (line.length > 0) yield JSON.parse(line.toString('utf8'));
      }
    }
  }

  async #call(path: string, body: unknown, signal: AbortSignal): Promise<unknown> {
    const response = await this.#post(path, body, signal);
    await this.#expectOk(response);
    const text = await this.#readAll(response);
    return JSON.parse(text);
  }

  async #authenticate(signal: AbortSignal): Promise<void> {
    const { user } = this.#access;
    if (user === undefined || this.#token !== '') return;
    const answer = (await this.#call('/v3/auth/authenticate', user, signal)) as { readonly token?: unknown };
    if (typeof answer.token !== 'string') throw new Error('no token for these credentials');
    this.#token = answer.token;
  }

  async #post(path: string, body: unknown, signal: AbortSignal): Promise<http.IncomingMessage> {
    const url = new URL(path, this.endpoint);
    const text = JSON.stringify(body);
    const options = {
      method: 'POST',
      signal,
      agent: false as const,
      headers: {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(text),
        ...(this.#token === '' ? {} : { authorization: this.#token }),
      },
    };
    return new Promise((resolve, reject) => {
      const request =
        url.protocol === 'https:'
          ? https.request(url, { ...options, ...this.#access.tls })
          : http.request(url, options);
      const cancel = this.#clock.after(ANSWER_TIMEOUT_MS, () => request.destroy(new Error('no answer in time')));
      request.on('socket', (socket) => socket.setKeepAlive(true, KEEP_ALIVE_MS));
      request.on('error', (error) => {
        cancel();
        reject(error);
      });
      request.on('response', (response) => {
        cancel();
        resolve(response);
      });
      request.end(text);
    });
  }

  async #expectOk(response: http.IncomingMessage): Promise<void> {
    const { statusCode = 0 } = response;
    if (statusCode === 200) return;
    const text = await this.#readAll(response);
    let message = text.slice(0, 200);
    let code = 0;
    try {
      const answer = JSON.parse(text) as {
        readonly message?: unknown;
        readonly error?: unknown;
        readonly code?: unknown;
      };
      code = Number(answer.code ?? 0);
      const told = answer.message ?? answer.error;
      if (typeof told === 'string') message = told;
    } catch {
      // Not from etcd itself; the text says enough.
    }
    if (statusCode === UNAUTHORIZED || code === UNAUTHENTICATED) this.#token = '';
    throw new Error(`status ${statusCode}: ${message}`);
  }

  async #readAll(response: http.IncomingMessage): Promise<string> {
    const chunks: Buffer[] = [];
    let size = 0;
    const cancel = this.#clock.after(2 * ANSWER_TIMEOUT_MS, () =>
      response.destroy(new Error('answer not complete in time')),
    );
    try {
      for await (const chunk of response) {
        size += (chunk as Buffer).length;
        if (size > MAX_ANSWER_BYTES) throw new Error(`an answer has more than ${MAX_ANSWER_BYTES} bytes`);
        chunks.push(chunk as Buffer);
      }
    } finally {
      cancel();
    }
    return Buffer.concat(chunks).toString('utf8');
  }
}
