// Node's HTTP servers, with the limits that a public DNS server needs. Worker.
import http from 'node:http';
import http2 from 'node:http2';
import type { ListenerTls } from '../link/plan.ts';
import { logKeys, tlsServerOptions } from './tls-server.ts';

export type HttpServer = http.Server | http2.Http2Server | http2.Http2SecureServer;

/** A query in a GET has about 100 bytes; this leaves room for the headers that browsers and proxies add. */
const MAX_HEADER_BYTES = 16_384;
const MAX_HEADERS = 64;

/**
 * Makes the server: HTTP/2 and, where `http1` allows it, HTTP/1.1; in clear only one of them, HTTP/1.1 if allowed.
 *
 * @throws Error of OpenSSL's for a bad certificate or key
 */
export function createHttpServer(
  http1: boolean,
  { maxStreams, readTimeoutMs }: { readonly maxStreams: number; readonly readTimeoutMs: number },
  secure: ListenerTls | undefined,
): HttpServer {
  // Deadlines are the clients' and exchanges' own; Node's would count a second time.
  const http1Options = {
    maxHeaderSize: MAX_HEADER_BYTES,
    requestTimeout: 0,
    headersTimeout: 0,
    keepAliveTimeout: 0,
    connectionsCheckingInterval: 2 ** 31 - 1,
    noDelay: true,
  };
  if (!secure && http1) return http.createServer(http1Options);
  const http2Options = {
    settings: { maxConcurrentStreams: maxStreams, maxHeaderListSize: MAX_HEADER_BYTES, enablePush: false },
    maxHeaderListPairs: MAX_HEADERS,
    maxSendHeaderBlockLength: MAX_HEADER_BYTES,
    unknownProtocolTimeout: readTimeoutMs,
  };
  if (!secure) return http2.createServer(http2Options);
  const server = http2.createSecureServer({
    ...http1Options,
    ...http2Options,
    ...tlsServerOptions(secure, readTimeoutMs),
    allowHTTP1: http1,
    ALPNProtocols: http1 ? ['h2', 'http/1.1'] : ['h2'],
  });
  if (secure.keyLogFile !== undefined) logKeys(server, secure.keyLogFile);
  return server;
}
