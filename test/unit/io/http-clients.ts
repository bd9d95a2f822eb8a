// Clients for DNS inside HTTP: HTTP/1.1 and HTTP/2, clear and encrypted.
import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import type { ExecutionContext } from 'ava';

export type Asked = {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
};

export type Answered = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | number | undefined>>;
  readonly trailers: Readonly<Record<string, string | string[] | number | undefined>>;
  readonly body: Buffer;
};

/** One request over HTTP/1.1, encrypted when `ca` is given. */
export async function askHttp1(port: number, asked: Asked, ca?: string): Promise<Answered> {
  const { method = 'GET', path = '/dns-query', headers = {}, body } = asked;
  const options = { host: '127.0.0.1', port, method, path, headers, agent: false as const };
  const request = ca === undefined ? http.request(options) : https.request({ ...options, ca, servername: 'dns.test' });
  request.end(body);
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return { status: response.statusCode ?? 0, headers: response.headers, trailers: {}, body: Buffer.concat(chunks) };
}

/** An HTTP/2 connection, encrypted when `ca` is given. */
export async function connectHttp2(t: ExecutionContext, port: number, ca?: string): Promise<http2.ClientHttp2Session> {
  const session =
    ca === undefined
      ? http2.connect(`http://127.0.0.1:${port}`)
      : http2.connect(`https://127.0.0.1:${port}`, { ca, servername: 'dns.test' });
  session.on('error', () => undefined);
  t.teardown(() => session.destroy());
  await once(session, 'connect');
  return session;
}

export function openStream(session: http2.ClientHttp2Session, asked: Asked): http2.ClientHttp2Stream {
  const { method = 'GET', path = '/dns-query', headers = {} } = asked;
  const stream = session.request({ ':method': method, ':path': path, ...headers }, { endStream: false });
  stream.on('error', () => undefined);
  return stream;
}

export async function askHttp2(session: http2.ClientHttp2Session, asked: Asked): Promise<Answered> {
  const stream = openStream(session, asked);
  let trailers: http2.IncomingHttpHeaders = {};
  stream.on('trailers', (given) => void (trailers = given));
  const response = once(stream, 'response') as Promise<[http2.IncomingHttpHeaders & { ':status'?: number }]>;
  stream.end(asked.body);
  const [headers] = await response;
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return { status: headers[':status'] ?? 0, headers, trailers, body: Buffer.concat(chunks) };
}
