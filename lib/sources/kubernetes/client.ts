// HTTP(S) to the API server on node's own client with one keep-alive agent: little memory, one connection a watch. Control thread.
import http from 'node:http';
import type { Clock } from '../../base/clock.ts';
import type { ApiAccess, Credentials } from './access.ts';
import type { ApiRequest, ApiResponse, ApiTransport } from './transport.ts';

/** Told of every request when its headers or its failure are here; `status` is 0 for a failure. */
export type RequestObserver = (verb: 'list' | 'watch', host: string, status: number, seconds: number) => void;

export type ClientSettings = {
  /** `CoreDNS/1.14.7 clusterdns/0.1.0 (linux/amd64)`. */
  readonly userAgent: string;
  readonly clock: Clock;
  readonly observe?: RequestObserver;
};

/** Idle connections kept for the next request: the list that follows a list, the watch that follows it. */
const MAX_FREE_SOCKETS = 2;
const TCP_KEEPALIVE_MS = 30_000;
/** The longest `Retry-After` that is obeyed as it stands. */
const MAX_RETRY_AFTER_MS = 300_000;

export class ApiClient implements ApiTransport {
  readonly #access: ApiAccess;
  readonly #settings: ClientSettings;
  #agent: http.Agent | undefined;
  #agentFingerprint = '';

  constructor(access: ApiAccess, settings: ClientSettings) {
    this.#access = access;
    this.#settings = settings;
  }

  async get(request: ApiRequest): Promise<ApiResponse> {
    const startMs = this.#settings.clock.monotonicMs();
    let status = 0;
    try {
      const credentials = await this.#access.credentials();
      const response = await this.#send(request, credentials, true);
      status = response.statusCode ?? 0;
      return { status, retryAfterMs: readRetryAfter(response, this.#settings.clock.nowMs()), body: response };
    } finally {
      const seconds = (this.#settings.clock.monotonicMs() - startMs) / 1000;
      this.#settings.observe?.(request.verb, this.#access.server.host, status, seconds);
    }
  }

  refreshCredentials(): void {
    this.#access.refresh();
  }

  /** Closes every connection, those in use too. */
  close(): void {
    this.#agent?.destroy();
  }

  #send(request: ApiRequest, credentials: Credentials, mayRepeat: boolean): Promise<http.IncomingMessage> {
    const { server } = this.#access;
    // Loaded when needed: TLS costs a thread 15 ms of CPU at its start, and memory.
    const client = server.protocol === 'https:' ? process.getBuiltinModule('node:https') : http;
    return new Promise((resolve, reject) => {
      const sent = client.request({
        host: server.hostname.replace(/^\[|\]$/g, ''),
        port: server.port === '' ? undefined : server.port,
        path: `${server.pathname.replace(/\/$/, '')}${request.path}`,
        method: 'GET',
        agent: credentials.agent ?? this.#agentFor(credentials),
        signal: request.signal,
        headers: {
          accept: request.accept ?? 'application/json',
          'user-agent': this.#settings.userAgent,
          ...credentials.headers,
        },
      });
      sent.once('response', resolve);
      sent.on('error', (error: NodeJS.ErrnoException) => {
        // The server closed an idle connection at the moment it was taken up again: that says nothing about the server.
        if (mayRepeat && sent.reusedSocket && error.code === 'ECONNRESET' && !request.signal.aborted)
          this.#send(request, credentials, false).then(resolve, reject);
        else reject(error);
      });
      sent.end();
    });
  }

  /** The agent for these certificates; connections made with older ones live on but take no new request. */
  #agentFor(credentials: Credentials): http.Agent {
    if (this.#agent !== undefined && this.#agentFingerprint === credentials.fingerprint) return this.#agent;
    for (const sockets of Object.values(this.#agent?.freeSockets ?? {}))
      for (const socket of sockets ?? []) socket.destroy();
    const options = { keepAlive: true, keepAliveMsecs: TCP_KEEPALIVE_MS, maxFreeSockets: MAX_FREE_SOCKETS };
    this.#agentFingerprint = credentials.fingerprint;
    this.#agent =
      this.#access.server.protocol === 'https:'
        ? new (process.getBuiltinModule('node:https').Agent)({ ...options, ...credentials.tls })
        : new http.Agent(options);
    return this.#agent;
  }
}

/** `Retry-After` as seconds or as a date (RFC 9110 section 10.2.3). */
function readRetryAfter(response: http.IncomingMessage, nowMs: number): number | undefined {
  const text = response.headers['retry-after'];
  if (text === undefined) return undefined;
  const delayMs = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - nowMs;
  return Number.isNaN(delayMs) ? undefined : Math.min(MAX_RETRY_AFTER_MS, Math.max(0, delayMs));
}
