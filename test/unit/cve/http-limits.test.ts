// What HTTP listeners look at before they decode or keep anything: sizes, connections, requests.
import { once } from 'node:events';
import http2 from 'node:http2';
import tls from 'node:tls';
import test, { type ExecutionContext } from 'ava';
import { openGrpc } from '../../../lib/io/grpc.ts';
import type { HttpListener, HttpOptions } from '../../../lib/io/http-listener.ts';
import { openHttps } from '../../../lib/io/https.ts';
import type { BatchHandler } from '../../../lib/io/udp-batch.ts';
import { createCertificate } from '../io/certificate.ts';
import { askHttp1, askHttp2, connectHttp2, openStream } from '../io/http-clients.ts';

const { cert, key } = createCertificate('dns.test');
const QUERY = Buffer.from('0007010000010000000000000178000001 0001'.replaceAll(' ', ''), 'hex');
const GET = { path: `/dns-query?dns=${QUERY.toString('base64url')}` };

const CALL = {
  method: 'POST',
  path: '/coredns.dns.DnsService/Query',
  headers: { 'content-type': 'application/grpc', te: 'trailers' },
};
const FRAME = Buffer.concat([Uint8Array.of(0, 0, 0, 0, QUERY.length + 2, 0x0a, QUERY.length), QUERY]);

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}

type Counted = { readonly listener: HttpListener; readonly seen: () => number };

/** A listener that answers nothing; `seen` counts the messages that were decoded. */
async function listen(
  t: ExecutionContext,
  open: typeof openHttps,
  options: Partial<HttpOptions> = {},
  isSilent = false,
): Promise<Counted> {
  let seen = 0;
  let current: Parameters<BatchHandler['begin']>[1] | undefined;
  const handler: BatchHandler = {
    begin: (_count, source) => void (current = source),
    end: () => undefined,
    packet(rx, rxAt, rxLength, tx, txAt) {
      seen++;
      if (isSilent) {
        current!.capture(0);
        return 0;
      }
      tx.set(rx.subarray(rxAt, rxAt + rxLength), txAt);
      tx[txAt + 2]! |= 0x80;
      return rxLength;
    },
  };
  const bound = { address: '127.0.0.1', port: 0, family: 4 as const, reusePort: false };
  const listener = await open({ ...bound, tls: { cert, key }, ...options }, handler);
  t.teardown(() => listener.close());
  return { listener, seen: () => seen };
}

/** Status of a GET by HTTP/1.1, '' when the connection ends without one. */
async function rawStatus(t: ExecutionContext, port: number, path: string): Promise<string> {
  const socket = tls.connect({ port, host: '127.0.0.1', ca: cert, servername: 'dns.test' });
  t.teardown(() => socket.destroy());
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
  // The listener may close while the request is still being written.
  socket.on('error', () => undefined);
  socket.write(`GET ${path} HTTP/1.1\r\nhost: dns.test\r\nconnection: close\r\n\r\n`);
  await new Promise((resolve) => socket.once('close', resolve));
  return /^HTTP\/1\.1 (\d+)/.exec(text)?.[1] ?? '';
}

/** Status of a GET by HTTP/2 whose client puts no bound on its headers, 0 when the stream or the session ends without one. */
async function http2Status(t: ExecutionContext, port: number, path: string): Promise<number> {
  const options = { ca: cert, servername: 'dns.test', maxSendHeaderBlockLength: 2 ** 22 };
  const session = http2.connect(`https://127.0.0.1:${port}`, options);
  session.on('error', () => undefined);
  t.teardown(() => session.destroy());
  await once(session, 'connect');
  const stream = session.request({ ':path': path });
  let status = 0;
  stream.on('response', (headers) => void (status = headers[':status'] ?? 0));
  stream.on('error', () => undefined);
  stream.resume().end();
  await new Promise((resolve) => stream.once('close', resolve));
  return status;
}

/** The longest message is 87,380 letters; by HTTP/1.1 there are 16 KiB for all headers. */
const LENGTHS = [87_381 + 3, 100_000, 1_000_000];

for (const length of LENGTHS) {
  test(`CVE-2026-32936: a GET of ${length} letters is refused before anything is decoded`, async (t) => {
    const { listener, seen } = await listen(t, openHttps);
    const path = `/dns-query?dns=${'A'.repeat(length)}`;
    t.not(await rawStatus(t, listener.port, path), '200');
    t.not(await http2Status(t, listener.port, path), 200);
    t.is(seen(), 0);
    // The listener is as it was.
    t.is((await askHttp1(listener.port, GET, cert)).status, 200);
    t.is(seen(), 1);
  });
}

test('CVE-2025-68151: https and grpc: more connections than allowed end the most silent one', async (t) => {
  for (const open of [openHttps, openGrpc]) {
    const { listener } = await listen(t, open, { maxConnections: 3 });
    const sessions: http2.ClientHttp2Session[] = [];
    for (let i = 0; i < 5; i++) sessions.push(await connectHttp2(t, listener.port, cert));
    await until(() => sessions.slice(0, 2).every(({ closed }) => closed));
    t.is(listener.counters.evicted, 2);
    t.true(listener.connections <= 3);
  }
});

test('CVE-2025-68151: https and grpc: requests under way on a connection are bounded, others wait or are refused', async (t) => {
  for (const open of [openHttps, openGrpc]) {
    const { listener, seen } = await listen(t, open, { maxStreams: 4 }, true);
    const session = await connectHttp2(t, listener.port, cert);
    if (session.remoteSettings.maxConcurrentStreams !== 4) await once(session, 'remoteSettings');
    t.is(session.remoteSettings.maxConcurrentStreams, 4);
    const asked = open === openHttps ? GET : CALL;
    for (let i = 0; i < 20; i++) openStream(session, asked).end(open === openHttps ? undefined : FRAME);
    await until(() => seen() === 4);
    // Whoever comes now is not held up.
    openStream(await connectHttp2(t, listener.port, cert), asked).end(open === openHttps ? undefined : FRAME);
    await until(() => seen() === 5);
  }
});

test('CVE-2025-68151: https: a body longer than a message is refused, by what it announces and by what comes', async (t) => {
  const { listener, seen } = await listen(t, openHttps);
  const headers = { 'content-type': 'application/dns-message' };
  const session = await connectHttp2(t, listener.port, cert);
  const announced = await askHttp2(session, {
    method: 'POST',
    headers: { ...headers, 'content-length': '70000' },
    body: Buffer.alloc(70_000),
  });
  t.is(announced.status, 400);
  const other = await connectHttp2(t, listener.port, cert);
  const sent = await askHttp2(other, { method: 'POST', headers, body: Buffer.alloc(200_000) });
  t.is(sent.status, 400);
  t.is(seen(), 0);
});
