// Queries to one nameserver by HTTPS (RFC 8484) over HTTP/2: one session, a stream for each query. Worker.
import type { ClientHttp2Session, ClientHttp2Stream, SecureClientSessionOptions } from 'node:http2';
import type { Clock } from '../base/clock.ts';
import type { UpstreamReply, UpstreamTarget } from '../chain/plugin.ts';
import { formatAddressPort } from './socket-address.ts';
import { type TimerWheel, WheelEntry } from './timer-wheel.ts';
import { UpstreamError } from './upstream-error.ts';
import { PendingQuery, noQuestionError } from './upstream-pending.ts';
import type { UpstreamCounters } from './upstream-udp.ts';

const PATH = '/dns-query';
const MEDIA_TYPE = 'application/dns-message';
const MAX_MESSAGE = 65_535;
/** Queries one worker may have out at one upstream by HTTPS. */
const MAX_IN_FLIGHT = 1024;
const MIN_EXPIRE_MS = 100;

export class HttpsUpstream {
  readonly #wheel: TimerWheel;
  readonly #clock: Clock;
  readonly #target: UpstreamTarget;
  readonly #remote: string;
  readonly #counters: UpstreamCounters;
  #session: Session | undefined;
  #inFlight = 0;
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
      const query = new HttpsQuery();
      if (!query.setMessage(message)) return reject(noQuestionError());
      if (this.#inFlight >= MAX_IN_FLIGHT) {
        this.#counters.overloads++;
        return reject(new UpstreamError('overload', `https ${this.#remote}: too many queries in flight`));
      }
      query.waiter = { replied: resolve, failed: reject };
      query.onExpire = () => {
        this.#counters.timeouts++;
        this.#end(query, new UpstreamError('timeout', `read https ${this.#remote}: i/o timeout`));
      };
      this.#inFlight++;
      this.#counters.sent++;
      this.#wheel.schedule(query, timeoutMs);
      this.#send(query, message);
      return undefined;
    });
  }

  #send(query: HttpsQuery, message: Uint8Array): void {
    const session = this.#open();
    query.reused = session.uses++ > 0;
    this.#wheel.cancel(session);
    try {
      query.stream = session.request(message, this.#target);
    } catch (error) {
      return this.#end(query, this.#explain(error));
    }
    const { stream } = query;
    const chunks: Buffer[] = [];
    let size = 0;
    stream.on('response', (headers) => {
      const { ':status': status, 'content-type': type } = headers;
      if (status !== 200) this.#end(query, new UpstreamError('network', `https ${this.#remote}: status ${status}`));
      else if (type !== MEDIA_TYPE) {
        this.#end(
          query,
          new UpstreamError('network', `https ${this.#remote}: content type ${JSON.stringify(type ?? '')}`),
        );
      }
    });
    stream.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > MAX_MESSAGE)
        this.#end(query, new UpstreamError('network', `https ${this.#remote}: the reply is too long`));
      else chunks.push(chunk);
    });
    stream.on('end', () => this.#hear(query, chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)));
    stream.on('error', (error: Error) => this.#end(query, this.#explain(error)));
    stream.on('close', () => this.#end(query, new UpstreamError('closed', `https ${this.#remote}: EOF`)));
    return undefined;
  }

  /** The session that takes new queries: an open one that is not too old, else a new one. */
  #open(): Session {
    const { maxAgeMs } = this.#target;
    const nowMs = this.#clock.monotonicMs();
    const old = this.#session;
    if (old?.isFit === true && (maxAgeMs === 0 || nowMs - old.openedMs <= maxAgeMs)) return old;
    old?.close();
    this.#counters.opened++;
    this.#session = new Session(this.#target, this.#remote, nowMs);
    return this.#session;
  }

  #hear(query: HttpsQuery, bytes: Uint8Array): void {
    if (query.isDone) return;
    this.#counters.received++;
    if (!query.isAnsweredBy(bytes, bytes.length)) {
      this.#counters.mismatches++;
      return this.#end(query, new UpstreamError('network', `https ${this.#remote}: the reply is to another question`));
    }
    this.#settle(query);
    return query.waiter.replied({ bytes, length: bytes.length, reused: query.reused });
  }

  #end(query: HttpsQuery, error: UpstreamError): void {
    if (query.isDone) return;
    this.#settle(query);
    query.stream?.close();
    query.waiter.failed(error);
  }

  #settle(query: HttpsQuery): void {
    query.isDone = true;
    this.#inFlight--;
    this.#wheel.cancel(query);
    if (this.#inFlight > 0 || this.#session === undefined) return;
    if (this.#closed) this.#session.close();
    else this.#wheel.schedule(this.#session, Math.max(MIN_EXPIRE_MS, this.#target.expireMs));
  }

  #explain(error: unknown): UpstreamError {
    const text = error instanceof Error ? error.message : String(error);
    const reason = this.#session?.failure ?? '';
    return new UpstreamError('tls', `https ${this.#remote}: ${reason === '' ? text : reason}`);
  }

  close(): void {
    this.#closed = true;
    this.#session?.destroy();
  }
}

class HttpsQuery extends PendingQuery {
  stream: ClientHttp2Stream | undefined;
  reused = false;
  isDone = false;
}

/** One HTTP/2 session; its deadline is the end of its idle time. */
class Session extends WheelEntry {
  readonly openedMs: number;
  uses = 0;
  /** Why it failed, '' while it has not. */
  failure = '';
  readonly #http2: ClientHttp2Session;

  constructor(target: UpstreamTarget, remote: string, nowMs: number) {
    super();
    this.openedMs = nowMs;
    // Loaded when needed: few configurations have such upstreams.
    this.#http2 = process.getBuiltinModule('node:http2').connect(`https://${remote}`, tlsOptions(target));
    this.#http2.unref();
    this.#http2.on('error', (error: Error) => (this.failure = error.message));
  }

  get isFit(): boolean {
    return !this.#http2.closed && !this.#http2.destroyed;
  }

  /** @throws Error when the session cannot take a stream */
  request(message: Uint8Array, { https, tls, address }: UpstreamTarget): ClientHttp2Stream {
    const isGet = https?.method === 'GET';
    const authority = tls?.serverName ? { ':authority': tls.serverName } : { ':authority': address };
    const headers = { accept: MEDIA_TYPE, ...authority };
    // The message's ID is 0, so that caches on the way see equal queries as equal (RFC 8484 section 4.1).
    const stream = isGet
      ? this.#http2.request({
          ...headers,
          ':method': 'GET',
          ':path': `${PATH}?dns=${Buffer.from(message).toString('base64url')}`,
        })
      : this.#http2.request({
          ...headers,
          ':method': 'POST',
          ':path': PATH,
          'content-type': MEDIA_TYPE,
          'content-length': message.length,
        });
    stream.end(isGet ? undefined : Buffer.from(message));
    return stream;
  }

  /** Idle for too long. */
  expire(): void {
    this.close();
  }

  /** Takes no more streams and goes when the last one has ended. */
  close(): void {
    this.#http2.close();
  }

  destroy(): void {
    this.#http2.destroy();
  }
}

function tlsOptions({ tls, sourceAddress }: UpstreamTarget): SecureClientSessionOptions {
  const { serverName = '', ca, cert, key } = tls ?? {};
  return {
    minVersion: 'TLSv1.2',
    rejectUnauthorized: true,
    ...(serverName === '' ? {} : { servername: serverName }),
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(sourceAddress === undefined ? {} : { localAddress: sourceAddress }),
  };
}
