// DNS over HTTPS (RFC 8484): GET and POST on /dns-query, over HTTP/2 and HTTP/1.1. Worker.
import type http from 'node:http';
import { minimalTtl } from './minimal-ttl.ts';
import type { HttpRequest, HttpResponse } from './http-exchange.ts';
import { type HttpDialect, type HttpListener, type HttpOptions, openHttp } from './http-listener.ts';
import { type BatchHandler, TRANSMIT_CAPACITY } from './udp-batch.ts';

const PATH = '/dns-query';
const MEDIA_TYPE = 'application/dns-message';
const MAX_MESSAGE = TRANSMIT_CAPACITY;
/** base64url without padding. */
const MAX_ENCODED = Math.ceil((MAX_MESSAGE * 4) / 3);
const STATUS = { OK: 200, BAD_REQUEST: 400, NOT_FOUND: 404, NO_RESPONSE: 500, BUSY: 503 } as const;

const TEXTS: Readonly<Record<number, string>> = {
  [STATUS.BAD_REQUEST]: 'invalid request\n',
  [STATUS.NOT_FOUND]: '\n',
  [STATUS.NO_RESPONSE]: 'No response\n',
  [STATUS.BUSY]: 'too many requests at once\n',
};

/** How DNS messages stand in HTTP; codes are HTTP's status codes. */
const DIALECT: HttpDialect = {
  transport: 'https',
  http1: true,
  maxBodyBytes: MAX_MESSAGE,
  rejected: STATUS.BAD_REQUEST,
  unanswered: STATUS.NO_RESPONSE,
  busy: STATUS.BUSY,
  begin,
  decode: (body) => (body.length === 0 ? STATUS.BAD_REQUEST : body),
  reply,
  refuse,
};

/**
 * Opens a DNS-over-HTTPS listener; with `tls` for HTTP/2 and HTTP/1.1 as the client chooses, else for HTTP/1.1 in clear.
 *
 * @throws Error of Node's with `code` (`EADDRINUSE`, ...), as a rejection
 */
export async function openHttps(options: HttpOptions, handler: BatchHandler): Promise<HttpListener> {
  return openHttp(options, DIALECT, handler);
}

function begin(request: HttpRequest): Uint8Array | number | undefined {
  const url = request.url ?? '';
  const mark = url.indexOf('?');
  if ((mark === -1 ? url : url.slice(0, mark)) !== PATH) return STATUS.NOT_FOUND;
  if (request.method === 'POST') return undefined;
  if (request.method !== 'GET' || mark === -1) return STATUS.BAD_REQUEST;
  return readParameter(url.slice(mark + 1)) ?? STATUS.BAD_REQUEST;
}

/** The message of the one `dns` parameter (RFC 8484 section 6: base64url, no padding). */
function readParameter(search: string): Uint8Array | undefined {
  const values = search.split('&').filter((part) => part.startsWith('dns='));
  const encoded = values[0]?.slice(4) ?? '';
  if (values.length !== 1 || encoded.length > MAX_ENCODED || !/^[\w-]+$/.test(encoded)) return undefined;
  return Buffer.from(encoded, 'base64url');
}

function reply(response: HttpResponse, bytes: Uint8Array, at: number, length: number): number {
  (response as http.ServerResponse).writeHead(STATUS.OK, {
    'content-type': MEDIA_TYPE,
    // RFC 8484 section 5.1: no longer than the shortest TTL.
    'cache-control': `max-age=${minimalTtl(bytes, at, length)}`,
    'content-length': length,
  });
  (response as http.ServerResponse).end(Buffer.from(bytes.subarray(at, at + length)));
  return STATUS.OK;
}

function refuse(response: HttpResponse, status: number): number {
  const text = TEXTS[status] ?? '\n';
  (response as http.ServerResponse).writeHead(status, {
    'content-type': 'text/plain; charset=utf-8',
    'x-content-type-options': 'nosniff',
    'content-length': text.length,
  });
  (response as http.ServerResponse).end(text);
  return status;
}
