// Queries by HTTPS: both methods, one session for many, certificates, and servers that do not answer as they should.
import { once } from 'node:events';
import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { systemClock } from '../../../lib/base/clock.ts';
import type { Upstream, UpstreamTarget } from '../../../lib/chain/plugin.ts';
import { DgramPorts } from '../../../lib/io/upstream-ports.ts';
import { createUpstreams } from '../../../lib/io/upstreams.ts';
import { createCertificate } from './certificate.ts';

const QUERY = Buffer.from('000001000001000000000000036162630000010001', 'hex');

type Asked = { readonly method: string; readonly path: string; readonly body: Buffer; readonly authority: string };
type Reply = {
  readonly status?: number;
  readonly type?: string;
  readonly body?: Uint8Array;
  readonly silent?: boolean;
};

const good = (query: Buffer): Reply => {
  const body = Buffer.from(query);
  body[2] = 0x81;
  return { body };
};

async function serve(t: ExecutionContext, name: string, reply: (query: Buffer) => Reply) {
  const { cert, key } = createCertificate(name);
  const asked: Asked[] = [];
  let sessions = 0;
  const server = http2.createSecureServer({ cert, key });
  server.on('session', () => sessions++);
  server.on('stream', (stream, headers) => {
    const chunks: Buffer[] = [];
    stream.on('error', () => {});
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => {
      const { ':method': method = '', ':path': path = '', ':authority': authority = '' } = headers;
      const body =
        method === 'GET'
          ? Buffer.from(new URL(path, 'https://x').searchParams.get('dns') ?? '', 'base64url')
          : Buffer.concat(chunks);
      asked.push({ method, path, body, authority });
      const { status = 200, type = 'application/dns-message', body: bytes, silent } = reply(body);
      if (silent) return;
      stream.respond({ ':status': status, 'content-type': type });
      stream.end(bytes);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const upstreams = createUpstreams(systemClock, () => new DgramPorts());
  t.teardown(() => {
    upstreams.close();
    server.close();
  });
  const open = (parts: Partial<UpstreamTarget> = {}): Upstream =>
    upstreams.open({
      address: '127.0.0.1',
      port: (server.address() as AddressInfo).port,
      expireMs: 10_000,
      maxAgeMs: 0,
      maxIdleSockets: 0,
      tls: { serverName: 'dns.test', ca: cert },
      https: { method: 'POST' },
      ...parts,
    });
  return { open, asked, counters: () => upstreams.counters()[0]!.counters, sessions: () => sessions };
}

for (const method of ['POST', 'GET'] as const) {
  test(`${method}: the message with ID 0, one session for many queries at once`, async (t) => {
    const { open, asked, sessions } = await serve(t, 'dns.test', good);
    const upstream = open({ https: { method } });
    const replies = await Promise.all(Array.from({ length: 20 }, () => upstream.exchange(QUERY, 'udp', 5000)));
    t.true(replies.every(({ bytes, length }) => length === QUERY.length && bytes[2] === 0x81));
    t.is(sessions(), 1);
    t.is(asked.length, 20);
    t.deepEqual(
      [asked[0]!.method, asked[0]!.path.split('?')[0], asked[0]!.authority],
      [method, '/dns-query', 'dns.test'],
    );
    t.deepEqual(asked[0]!.body, QUERY);
    t.true((await upstream.exchange(QUERY, 'tcp', 5000)).reused);
  });
}

test('a certificate for another name is refused', async (t) => {
  const { open } = await serve(t, 'other.test', good);
  await t.throwsAsync(open().exchange(QUERY, 'udp', 5000), { message: /does not match certificate|altnames/i });
});

const BAD: readonly (readonly [string, (query: Buffer) => Reply, RegExp])[] = [
  ['status 500', () => ({ status: 500 }), /status 500/],
  ['another content type', (query) => ({ ...good(query), type: 'text/html' }), /content type "text\/html"/],
  [
    'a reply to another question',
    (query) => ({
      body: Buffer.concat([good(query).body!.subarray(0, 13), Buffer.from('xyz'), good(query).body!.subarray(16)]),
    }),
    /another question/,
  ],
  ['nothing', () => ({ body: Buffer.alloc(0) }), /another question/],
  ['more than a message', () => ({ body: Buffer.alloc(70_000) }), /too long/],
  ['silence', () => ({ silent: true }), /i\/o timeout/],
];
for (const [what, reply, message] of BAD) {
  test(`${what} is an error, and the next query is asked all the same`, async (t) => {
    let isBad = true;
    const { open } = await serve(t, 'dns.test', (query) => (isBad ? reply(query) : good(query)));
    const upstream = open();
    await t.throwsAsync(upstream.exchange(QUERY, 'udp', what === 'silence' ? 100 : 5000), { message });
    isBad = false;
    t.is((await upstream.exchange(QUERY, 'udp', 5000)).length, QUERY.length);
  });
}

test('nobody listens: an error at once', async (t) => {
  const upstreams = createUpstreams(systemClock, () => new DgramPorts());
  t.teardown(() => upstreams.close());
  const upstream = upstreams.open({
    address: '127.0.0.1',
    port: 1,
    expireMs: 1000,
    maxAgeMs: 0,
    maxIdleSockets: 0,
    tls: { serverName: '' },
    https: { method: 'POST' },
  });
  await t.throwsAsync(upstream.exchange(QUERY, 'udp', 5000), { message: /ECONNREFUSED/ });
});
