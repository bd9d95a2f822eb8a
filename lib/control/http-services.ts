// The HTTP endpoints /health, /ready, /metrics and /debug/pprof/ on their addresses, kept open over reloads. Control thread.
import dns from 'node:dns/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import zlib from 'node:zlib';
import { ConfigError } from '../base/errors.ts';
import { splitHostPort } from '../base/ip-address.ts';
import type { Logger } from '../base/log.ts';
import type { Service } from '../chain/plugin.ts';
import { EXPOSITION_CONTENT_TYPE } from '../metrics/exposition.ts';
import { isProfilePath, ProfilePages } from './profile-pages.ts';
import type { Profiler } from './profiler.ts';
import { createWebServer } from './secure-endpoint.ts';

/** Services that are HTTP endpoints, by path. */
const PATHS = { health: '/health', ready: '/ready', metrics: '/metrics', pprof: '/debug/pprof/' } as const;
type Endpoint = keyof typeof PATHS;

/** CoreDNS's limit for reading and writing a request. */
const HTTP_TIMEOUT_MS = 5000;
const MAX_CONNECTIONS = 512;
/** Metrics below this size are not worth compressing. */
const MIN_GZIP_BYTES = 1024;

/** What the endpoints show. */
export type EndpointSources = {
  /** Names of plugins that are not ready, sorted; empty when all are. */
  readonly notReady: () => readonly string[];
  readonly metrics: () => string;
  readonly profiler?: Profiler;
  readonly log: Logger;
};

type Listening = {
  readonly server: http.Server;
  endpoints: ReadonlySet<Endpoint>;
};

export class HttpServices {
  readonly #sources: EndpointSources;
  readonly #open = new Map<string, Listening>();

  readonly #profilePages: ProfilePages | undefined;

  constructor(sources: EndpointSources) {
    this.#sources = sources;
    this.#profilePages = sources.profiler && new ProfilePages(sources.profiler);
  }

  /** Addresses of the health endpoints that are open, as configured. */
  get healthAddresses(): string[] {
    return [...this.#open].filter(([, { endpoints }]) => endpoints.has('health')).map(([address]) => address);
  }

  /** Port that an address is open on, for tests; undefined when it is not. */
  portOf(address: string): number | undefined {
    return (this.#open.get(address)?.server.address() as AddressInfo | null)?.port;
  }

  /**
   * Opens the addresses that are not open yet; the others go on as they are. A busy address is an error for health, a
   * log line for the others, as in CoreDNS.
   *
   * @returns call `take` to serve these services and no others, or `drop` to close what was opened for them
   * @throws ConfigError `LISTEN`
   */
  async prepare(services: readonly Service[]): Promise<{ take(): void; drop(): void }> {
    const wanted = groupByAddress(services);
    const opened = new Map<string, Listening>();
    try {
      for (const [key, { address, webConfig, endpoints }] of wanted) {
        if (this.#open.has(key)) continue;
        const listening = await this.#tryListen(address, webConfig, endpoints);
        if (listening !== undefined) opened.set(key, listening);
      }
    } catch (error) {
      closeAll(opened.values());
      throw error;
    }
    return {
      take: () => {
        for (const [address, listening] of opened) this.#open.set(address, listening);
        for (const [address, listening] of this.#open) {
          const group = wanted.get(address);
          if (group !== undefined) listening.endpoints = group.endpoints;
          else this.#close(address, listening);
        }
      },
      drop: () => closeAll(opened.values()),
    };
  }

  /** Stops serving one kind of endpoint. */
  close(endpoint: Endpoint): void {
    for (const [address, listening] of this.#open) {
      if (!listening.endpoints.has(endpoint)) continue;
      listening.endpoints = new Set([...listening.endpoints].filter((other) => other !== endpoint));
      if (listening.endpoints.size === 0) this.#close(address, listening);
    }
  }

  #close(address: string, listening: Listening): void {
    this.#open.delete(address);
    closeAll([listening]);
  }

  async #tryListen(
    address: string,
    webConfig: string | undefined,
    endpoints: ReadonlySet<Endpoint>,
  ): Promise<Listening | undefined> {
    try {
      return await this.#listen(address, webConfig, endpoints);
    } catch (error) {
      const reason = `listen tcp ${address}: ${(error as Error).message}`;
      if (endpoints.has('health')) throw new ConfigError('LISTEN', reason);
      for (const endpoint of endpoints) {
        const plugin = endpoint === 'metrics' ? 'prometheus' : endpoint;
        this.#sources.log.forPlugin(plugin).error(`the endpoint ${PATHS[endpoint]} is not served: ${reason}`);
      }
      return undefined;
    }
  }

  async #listen(address: string, webConfig: string | undefined, endpoints: ReadonlySet<Endpoint>): Promise<Listening> {
    const { host = '', port = '' } = splitHostPort(address) ?? {};
    const answer: http.RequestListener = (request, response) => this.#answer(listening, request, response);
    const log = this.#sources.log.forPlugin('prometheus');
    const server = webConfig === undefined ? http.createServer(answer) : await createWebServer(webConfig, answer, log);
    const listening: Listening = { server, endpoints };
    server.requestTimeout = HTTP_TIMEOUT_MS;
    server.headersTimeout = HTTP_TIMEOUT_MS;
    server.keepAliveTimeout = HTTP_TIMEOUT_MS;
    server.maxConnections = MAX_CONNECTIONS;
    const ip = host === '' ? undefined : (await dns.lookup(host, { order: 'ipv4first' })).address;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      // With reusePort the next process of a rolling restart can open the address before this one is gone. A port the
      // kernel picks is not shared: with reusePort it might be one that another process listens on.
      const options = { port: Number(port), reusePort: Number(port) !== 0 };
      server.listen(ip === undefined ? options : { ...options, host: ip }, () => {
        server.off('error', reject);
        server.on('error', (error) => this.#sources.log.error(`http ${address}: ${error.message}`));
        resolve();
      });
    });
    return listening;
  }

  #answer({ endpoints }: Listening, request: http.IncomingMessage, response: http.ServerResponse): void {
    const [path = ''] = (request.url ?? '').split('?', 1);
    const endpoint = (Object.keys(PATHS) as Endpoint[]).find((name) => PATHS[name] === path && endpoints.has(name));
    response.setTimeout(HTTP_TIMEOUT_MS);
    if (endpoints.has('pprof') && isProfilePath(path) && this.#profilePages) {
      this.#profilePages.answer(request, response);
      return;
    }
    switch (endpoint) {
      case 'health':
        reply(response, 200, 'OK');
        break;
      case 'ready':
        this.#answerReady(response);
        break;
      case 'metrics':
        this.#answerMetrics(request, response);
        break;
      default:
        response.setHeader('x-content-type-options', 'nosniff');
        reply(response, 404, '404 page not found\n');
    }
  }

  #answerReady(response: http.ServerResponse): void {
    const names = this.#sources.notReady();
    if (names.length === 0) {
      reply(response, 200, 'OK');
      return;
    }
    const text = names.join(',');
    this.#sources.log.forPlugin('ready').info(`Plugins not ready: "${text}"`);
    reply(response, 503, text);
  }

  #answerMetrics(request: http.IncomingMessage, response: http.ServerResponse): void {
    const text = this.#sources.metrics();
    response.setHeader('content-type', EXPOSITION_CONTENT_TYPE);
    if (text.length < MIN_GZIP_BYTES || !acceptsGzip(request)) {
      response.end(text);
      return;
    }
    response.setHeader('content-encoding', 'gzip');
    zlib.gzip(text, { level: 1 }, (error, bytes) => {
      if (error === null) response.end(bytes);
      else response.destroy(error);
    });
  }
}

function acceptsGzip(request: http.IncomingMessage): boolean {
  const codings = (request.headers['accept-encoding'] ?? '').split(',');
  return codings.some((coding) => /^\s*gzip\s*(?:;|$)/i.test(coding) && !/;\s*q=0(?:\.0*)?\s*$/i.test(coding));
}

type Group = { readonly address: string; readonly webConfig: string | undefined; readonly endpoints: Set<Endpoint> };

/** What shares a listener, by the address; one over TLS has a listener of its own, by address and web configuration. */
function groupByAddress(services: readonly Service[]): Map<string, Group> {
  const groups = new Map<string, Group>();
  for (const service of services) {
    if (!('address' in service) || service.kind === 'loop') continue;
    const { address, kind } = service;
    const webConfig = service.kind === 'metrics' ? service.webConfig : undefined;
    const key = webConfig === undefined ? address : `${address} ${webConfig}`;
    const group = groups.get(key) ?? { address, webConfig, endpoints: new Set() };
    group.endpoints.add(kind);
    groups.set(key, group);
  }
  return groups;
}

function reply(response: http.ServerResponse, status: number, text: string): void {
  response.statusCode = status;
  response.setHeader('content-type', 'text/plain; charset=utf-8');
  response.setHeader('content-length', Buffer.byteLength(text));
  response.end(text);
}

function closeAll(listening: Iterable<Listening>): void {
  for (const { server } of listening) {
    server.close();
    server.closeIdleConnections();
    // What is under way may finish; nobody waits for it.
    setTimeout(() => server.closeAllConnections(), HTTP_TIMEOUT_MS).unref();
  }
}
