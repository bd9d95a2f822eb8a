// DNS over HTTPS and over gRPC against clients of Node's: messages, statuses, limits, deadlines.
import { once } from 'node:events';
import net from 'node:net';
import dnsPacket from 'dns-packet';
import test, { type ExecutionContext } from 'ava';
import { ManualClock } from '../../../lib/base/clock.ts';
import { openGrpc } from '../../../lib/io/grpc.ts';
import type { HttpListener, HttpOptions } from '../../../lib/io/http-listener.ts';
import { openHttps } from '../../../lib/io/https.ts';
import { formatAddress } from '../../../lib/io/socket-address.ts';
import type { BatchHandler, PacketSource, ReplyAddress } from '../../../lib/io/udp-batch.ts';
import { createCertificate } from './certificate.ts';
import { type Answered, type Asked, askHttp1, askHttp2, connectHttp2, openStream } from './http-clients.ts';

const { cert, key } = createCertificate('dns.test');
const QUESTION = { name: 'example.org', type: 'A' as const };
const query = dnsPacket.encode({ type: 'query', id: 7, flags: 256, questions: [QUESTION] });
const encoded = query.toString('base64url');

/** Answers `name` queries by their first label: `drop`, `reject`, else two addresses. */
const answer: BatchHandler['packet'] = (rx, rxAt, rxLength, tx, txAt) => {
  if (rxLength < 12) return 0;
  const bytes = Buffer.from(rx.subarray(rxAt, rxAt + rxLength));
  let question: dnsPacket.Question | undefined;
  try {
    question = dnsPacket.decode(bytes).questions?.[0];
  } catch {
    question = undefined;
  }
  if (!question) return tx.fill(0, txAt, txAt + 12) && 12;
  if (question.name.startsWith('drop')) return 0;
  const reply = dnsPacket.encode({
    type: 'response',
    id: bytes.readUInt16BE(0),
    questions: [question],
    answers: [
      { name: question.name, type: 'A', ttl: 300, data: '192.0.2.1' },
      { name: question.name, type: 'A', ttl: 60, data: '192.0.2.2' },
    ],
  });
  tx.set(reply, txAt);
  return reply.length;
};

type Opener = typeof openHttps;

async function listen(
  t: ExecutionContext,
  options: Partial<HttpOptions> = {},
  packet: BatchHandler['packet'] = answer,
  open: Opener = openHttps,
  begin: (source: PacketSource) => void = () => undefined,
): Promise<HttpListener> {
  const handler: BatchHandler = { begin: (_count, source) => begin(source), end: () => undefined, packet };
  const listener = await open({ address: '127.0.0.1', port: 0, family: 4, reusePort: false, ...options }, handler);
  t.teardown(() => listener.close());
  return listener;
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}

type Ask = (t: ExecutionContext, port: number, asked: Asked) => Promise<Answered>;
const WAYS: readonly (readonly [string, Partial<HttpOptions>, Ask])[] = [
  ['HTTP/1.1 in clear', {}, (_t, port, asked) => askHttp1(port, asked)],
  ['HTTP/1.1 with TLS', { tls: { cert, key } }, (_t, port, asked) => askHttp1(port, asked, cert)],
  ['HTTP/2', { tls: { cert, key } }, async (t, port, asked) => askHttp2(await connectHttp2(t, port, cert), asked)],
];
const MEDIA = { 'content-type': 'application/dns-message' };

for (const [way, options, ask] of WAYS) {
  for (const method of ['GET', 'POST'] as const) {
    test(`https: ${way}, ${method}: reply with length, media type and the shortest TTL as its age`, async (t) => {
      const statuses: number[] = [];
      const { port } = await listen(t, { ...options, onResponse: (status) => void statuses.push(status) });
      const asked =
        method === 'GET' ? { path: `/dns-query?dns=${encoded}` } : { method: 'POST', headers: MEDIA, body: query };
      const { status, headers, body } = await ask(t, port, asked);
      t.is(status, 200);
      t.is(headers['content-type'], 'application/dns-message');
      t.is(headers['content-length'], `${body.length}`);
      t.is(headers['cache-control'], 'max-age=60');
      const reply = dnsPacket.decode(body);
      t.is(reply.id, 7);
      t.is(reply.answers?.length, 2);
      t.deepEqual(statuses, [200]);
    });
  }

  const REFUSED: readonly (readonly [string, Asked, number])[] = [
    ['another path', { path: '/other' }, 404],
    ['another path with the right start', { path: '/dns-query/x' }, 404],
    ['GET without a parameter', {}, 400],
    ['GET with an empty parameter', { path: '/dns-query?dns=' }, 400],
    ['GET with two', { path: `/dns-query?dns=${encoded}&dns=${encoded}` }, 400],
    ['GET with padding', { path: `/dns-query?dns=${encoded}==` }, 400],
    ['GET with plain base64', { path: '/dns-query?dns=AA+/' }, 400],
    ['PUT', { method: 'PUT', body: query }, 400],
    ['HEAD', { method: 'HEAD', path: `/dns-query?dns=${encoded}` }, 400],
    ['POST without a body', { method: 'POST' }, 400],
    ['POST of less than a header', { method: 'POST', body: query.subarray(0, 11) }, 400],
    [
      'POST of a response',
      { method: 'POST', body: dnsPacket.encode({ type: 'response', questions: [QUESTION] }) },
      400,
    ],
    ['POST of no message', { method: 'POST', body: Buffer.alloc(20, 1) }, 400],
    ['POST of 65,536 bytes', { method: 'POST', body: Buffer.alloc(65_536) }, 400],
    [
      'POST that announces more than a message holds',
      { method: 'POST', headers: { 'content-length': '65537' }, body: Buffer.alloc(65_537) },
      400,
    ],
  ];
  test(`https: ${way}: what is refused, and with which status`, async (t) => {
    const statuses: number[] = [];
    const listener = await listen(t, { ...options, onResponse: (status) => void statuses.push(status) });
    for (const [what, asked, expected] of REFUSED) {
      t.is((await ask(t, listener.port, asked)).status, expected, what);
    }
    t.deepEqual(
      statuses,
      REFUSED.map(([, , expected]) => expected),
    );
    t.is(listener.counters.refused, REFUSED.length);
  });

  test(`https: ${way}: a query without a reply is status 500`, async (t) => {
    const { port } = await listen(t, options);
    const dropped = dnsPacket.encode({ type: 'query', questions: [{ name: 'drop.test', type: 'A' }] });
    t.is((await ask(t, port, { method: 'POST', body: dropped })).status, 500);
  });

  test(`https: ${way}: a reply that comes later; addresses are those of the connection`, async (t) => {
    let source: PacketSource | undefined;
    const seen = {
      family: 0,
      clientAddress: new Uint8Array(16),
      clientPort: 0,
      serverAddress: new Uint8Array(16),
      serverPort: 0,
    };
    const later: BatchHandler['packet'] = (rx, rxAt, rxLength, _tx, _txAt, slot) => {
      source!.readAddresses(slot, seen);
      const to = source!.capture(slot);
      const bytes = new Uint8Array(70_000);
      const length = answer(rx, rxAt, rxLength, bytes, 100, slot);
      setTimeout(() => source!.sendTo(to, bytes, 100, length), 5);
      return 0;
    };
    const { port } = await listen(t, options, later, openHttps, (given) => void (source = given));
    const { status, body } = await ask(t, port, { method: 'POST', body: query });
    t.is(status, 200);
    t.is(dnsPacket.decode(body).answers?.length, 2);
    t.is(formatAddress(seen.clientAddress, 0, seen.family), '127.0.0.1');
    t.is(formatAddress(seen.serverAddress, 0, seen.family), '127.0.0.1');
    t.is(seen.serverPort, port);
    t.true(seen.clientPort > 0);
  });
}

test('https: a query that is given up gets status 500', async (t) => {
  let source: PacketSource | undefined;
  const givenUp: BatchHandler['packet'] = (_rx, _rxAt, _rxLength, _tx, _txAt, slot) => {
    const to = source!.capture(slot);
    setImmediate(() => source!.discard(to));
    return 0;
  };
  const { port } = await listen(t, {}, givenUp, openHttps, (given) => void (source = given));
  t.is((await askHttp1(port, { method: 'POST', body: query })).status, 500);
});

test('https: a late reply whose client has gone is counted', async (t) => {
  let source: PacketSource | undefined;
  let to: ReplyAddress | undefined;
  const keep: BatchHandler['packet'] = (_rx, _rxAt, _rxLength, _tx, _txAt, slot) => {
    to = source!.capture(slot);
    return 0;
  };
  const listener = await listen(t, { tls: { cert, key } }, keep, openHttps, (given) => void (source = given));
  const session = await connectHttp2(t, listener.port, cert);
  openStream(session, { method: 'POST' }).end(query);
  await until(() => to !== undefined);
  session.destroy();
  await until(() => listener.connections === 0);
  t.false(listener.sendTo(to!, query, 0, query.length));
  t.is(listener.counters.deferredDropped, 1);
});

test('https: a client without the certificate that is required gets no service', async (t) => {
  const listener = await listen(t, { tls: { cert, key, ca: cert, clientAuth: 'require' } });
  await t.throwsAsync(askHttp1(listener.port, { path: `/dns-query?dns=${encoded}` }, cert));
  t.is(listener.connections, 0);
});

test('https: headers over 16 KiB are refused', async (t) => {
  const { port } = await listen(t);
  t.is((await askHttp1(port, { headers: { 'x-long': 'x'.repeat(17_000) } })).status, 431);
});

test('https: with one connection more than allowed the one that was silent longest ends', async (t) => {
  const listener = await listen(t, { maxConnections: 2, tls: { cert, key } });
  const first = await connectHttp2(t, listener.port, cert);
  const second = await connectHttp2(t, listener.port, cert);
  for (const session of [second, first]) await askHttp2(session, { path: `/dns-query?dns=${encoded}` });
  const third = await connectHttp2(t, listener.port, cert);
  await once(second, 'close');
  t.is((await askHttp2(first, { path: `/dns-query?dns=${encoded}` })).status, 200);
  t.is((await askHttp2(third, { path: `/dns-query?dns=${encoded}` })).status, 200);
  t.is(listener.counters.evicted, 1);
});

test('https: HTTP/2 clients are told how many requests they may have under way', async (t) => {
  const { port } = await listen(t, { tls: { cert, key }, maxStreams: 5 });
  const session = await connectHttp2(t, port, cert);
  if (session.remoteSettings.maxConcurrentStreams !== 5) await once(session, 'remoteSettings');
  t.is(session.remoteSettings.maxConcurrentStreams, 5);
});

test('https: HTTP/1.1 requests one behind the other end at the same limit', async (t) => {
  const listener = await listen(
    t,
    { maxStreams: 5 },
    () => 0,
    openHttps,
    (source) => void source.capture(0),
  );
  const socket = net.connect(listener.port, '127.0.0.1');
  t.teardown(() => socket.destroy());
  socket.on('error', () => undefined);
  socket.write(`GET /dns-query?dns=${encoded} HTTP/1.1\r\nhost: x\r\n\r\n`.repeat(6));
  await once(socket, 'close');
  t.is(listener.counters.received, 5);
});

for (const start of ['', 'GET /dns-query HTTP/1.1\r\nhost:']) {
  test(`https: a connection without a whole request ends after the read timeout: ${JSON.stringify(start)}`, async (t) => {
    const clock = new ManualClock();
    const listener = await listen(t, { clock, readTimeoutMs: 3000 });
    const socket = net.connect(listener.port, '127.0.0.1');
    t.teardown(() => socket.destroy());
    socket.resume().write(start);
    await until(() => listener.connections === 1);
    clock.advance(2900);
    t.is(listener.connections, 1);
    clock.advance(400);
    await once(socket, 'end');
    t.is(listener.counters.timeouts, 1);
  });
}

test('https: a body that does not come ends the request after the read timeout, not the others of its connection', async (t) => {
  const clock = new ManualClock();
  const listener = await listen(t, { clock, tls: { cert, key } });
  const session = await connectHttp2(t, listener.port, cert);
  const slow = openStream(session, { method: 'POST' });
  slow.write(query.subarray(0, 5));
  t.is((await askHttp2(session, { path: `/dns-query?dns=${encoded}` })).status, 200);
  clock.advance(3300);
  await once(slow, 'close');
  t.is((await askHttp2(session, { path: `/dns-query?dns=${encoded}` })).status, 200);
});

test('https: an HTTP/2 connection without requests ends after the idle timeout, pings or not', async (t) => {
  const clock = new ManualClock();
  const listener = await listen(t, { clock, tls: { cert, key }, idleTimeoutMs: 10_000 });
  const session = await connectHttp2(t, listener.port, cert);
  await askHttp2(session, { path: `/dns-query?dns=${encoded}` });
  await new Promise((resolve) => setImmediate(resolve));
  clock.advance(9000);
  await new Promise((resolve) => session.ping(resolve));
  t.is(listener.connections, 1);
  clock.advance(1500);
  await once(session, 'close');
  t.is(listener.counters.timeouts, 1);
});

test('https: draining answers what is pending and closes the connections', async (t) => {
  let source: PacketSource | undefined;
  const pending: ReplyAddress[] = [];
  const keep: BatchHandler['packet'] = (_rx, _rxAt, _rxLength, _tx, _txAt, slot) => {
    pending.push(source!.capture(slot));
    return 0;
  };
  const listener = await listen(t, {}, keep, openHttps, (given) => void (source = given));
  const asked = askHttp1(listener.port, { method: 'POST', body: query });
  await until(() => pending.length === 1);
  const drained = listener.drain(5000);
  const reply = new Uint8Array(600);
  listener.sendTo(pending[0]!, reply, 0, answer(query, 0, query.length, reply, 0, 0));
  t.is((await asked).status, 200);
  await drained;
  t.is(listener.connections, 0);
});

/** A gRPC frame with a protobuf message that holds `dns` in field 1. */
function frame(dns: Uint8Array, before: readonly number[] = []): Buffer {
  const length = dns.length < 128 ? [dns.length] : [(dns.length & 127) | 128, dns.length >> 7];
  const message = Buffer.from([...before, 0x0a, ...length, ...dns]);
  const header = Buffer.alloc(5);
  header.writeUInt32BE(message.length, 1);
  return Buffer.concat([header, message]);
}

const CALL = {
  method: 'POST',
  path: '/coredns.dns.DnsService/Query',
  headers: { 'content-type': 'application/grpc', te: 'trailers' },
};

for (const [way, options, ca] of [
  ['in clear', {}, undefined],
  ['with TLS', { tls: { cert, key } }, cert],
] as const) {
  test(`grpc: ${way}: a call is answered, unknown fields are stepped over`, async (t) => {
    const { port } = await listen(t, options, answer, openGrpc);
    const session = await connectHttp2(t, port, ca);
    for (const before of [[], [0x12, 2, 1, 1], [0x18, 0xff, 1], [0x25, 0, 0, 0, 0]]) {
      const { status, headers, trailers, body } = await askHttp2(session, { ...CALL, body: frame(query, before) });
      t.is(status, 200);
      t.is(headers['content-type'], 'application/grpc');
      t.is(trailers['grpc-status'], '0');
      t.is(body.readUInt32BE(1), body.length - 5);
      t.is(body[5], 0x0a);
      t.is(dnsPacket.decode(body.subarray(body.length - (body[6]! & 127))).answers?.length, 2);
    }
  });
}

const BAD_CALLS: readonly (readonly [string, Asked, string])[] = [
  ['another method', { ...CALL, path: '/coredns.dns.DnsService/Other', body: frame(query) }, '12'],
  ['GET', { ...CALL, method: 'GET' }, '12'],
  ['an empty body', { ...CALL, body: Buffer.alloc(0) }, '3'],
  ['a compressed message', { ...CALL, body: Buffer.concat([Buffer.of(1), frame(query).subarray(1)]) }, '12'],
  ['a wrong length', { ...CALL, body: frame(query).subarray(0, 20) }, '3'],
  ['no DNS message', { ...CALL, body: frame(Buffer.alloc(30, 1)) }, '3'],
  ['a field that ends outside', { ...CALL, body: Buffer.from([0, 0, 0, 0, 3, 0x0a, 9, 1]) }, '3'],
  ['a number without end', { ...CALL, body: Buffer.from([0, 0, 0, 0, 5, 0xff, 0xff, 0xff, 0xff, 0xff]) }, '3'],
  ['a body over the limit', { ...CALL, body: Buffer.alloc(70_000) }, '3'],
];
test('grpc: calls that cannot be answered get a status, not a message', async (t) => {
  const { port } = await listen(t, {}, answer, openGrpc);
  const session = await connectHttp2(t, port);
  for (const [what, asked, code] of BAD_CALLS) {
    const { status, headers, body } = await askHttp2(session, asked);
    t.is(status, 200, what);
    t.is(headers['grpc-status'], code, what);
    t.is(body.length, 0, what);
  }
});
