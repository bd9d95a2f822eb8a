import dgram from 'node:dgram';
import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';
import test, { type ExecutionContext } from 'ava';
import { ManualClock, systemClock } from '../../../lib/base/clock.ts';
import type { UpstreamTarget } from '../../../lib/chain/plugin.ts';
import { loadLibc } from '../../../lib/io/libc.ts';
import { UpstreamError } from '../../../lib/io/upstream-error.ts';
import { MmsgPorts } from '../../../lib/io/upstream-ports-mmsg.ts';
import { DgramPorts, type UdpPorts } from '../../../lib/io/upstream-ports.ts';
import { MAX_IN_FLIGHT } from '../../../lib/io/upstream-udp.ts';
import { type OwnedUpstreams, createUpstreams } from '../../../lib/io/upstreams.ts';
import { createCertificate } from './certificate.ts';

/** For exchanges that end in a reply: a busy machine may take its time. */
const PATIENCE_MS = 60_000;

const libc = loadLibc();
const WAYS: readonly (readonly [string, () => UdpPorts])[] = [
  ['dgram', () => new DgramPorts()],
  ...(typeof libc === 'string' ? [] : [['mmsg', () => new MmsgPorts(libc)] as const]),
];

/** A question for A records of a name of one label. */
function queryFor(label: string, type = 1): Uint8Array {
  const bytes = Buffer.alloc(12 + label.length + 2 + 4);
  bytes[2] = 1;
  bytes[5] = 1;
  bytes[12] = label.length;
  bytes.write(label, 13, 'latin1');
  bytes.writeUInt16BE(type, 14 + label.length);
  bytes.writeUInt16BE(1, 16 + label.length);
  return new Uint8Array(bytes);
}

/** The query as its own reply, with the last byte of the flags as a mark. */
function replyTo(query: Uint8Array, mark = 0): Buffer {
  const reply = Buffer.from(query);
  reply[2] = 0x80;
  reply[3] = mark;
  return reply;
}

type Serve = (query: Buffer, send: (reply: Uint8Array) => void, from: dgram.RemoteInfo) => void;

async function serveUdp(t: ExecutionContext, serve: Serve, address = '127.0.0.1'): Promise<number> {
  const socket = dgram.createSocket(address.includes(':') ? 'udp6' : 'udp4');
  t.teardown(() => socket.close());
  socket.on('message', (query, from) => serve(query, (reply) => socket.send(reply, from.port, from.address), from));
  socket.bind(0, address);
  await once(socket, 'listening');
  return socket.address().port;
}

function targetOf(port: number, parts: Partial<UpstreamTarget> = {}): UpstreamTarget {
  return { address: '127.0.0.1', port, expireMs: 10_000, maxAgeMs: 0, maxIdleSockets: 0, ...parts };
}

function create(t: ExecutionContext, ports: () => UdpPorts, clock = systemClock): OwnedUpstreams {
  const upstreams = createUpstreams(clock, ports);
  t.teardown(() => upstreams.close());
  return upstreams;
}

const until = async (condition: () => boolean): Promise<void> => {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
};

for (const [kind, ports] of WAYS) {
  const title = (text: string): string => `udp by ${kind}: ${text}`;

  test(title('many queries at once get their own replies, whatever the order'), async (t) => {
    const held: (() => void)[] = [];
    const port = await serveUdp(t, (query, send) => {
      held.push(() => send(replyTo(query, query[13])));
      if (held.length === 200) for (const release of held.toReversed()) release();
    });
    const upstream = create(t, ports).open(targetOf(port));
    const asked = Array.from({ length: 200 }, (_, i) => queryFor(String.fromCharCode(97 + (i % 26)).repeat(3)));
    const marks = await Promise.all(
      asked.map((query) =>
        upstream.exchange(query, 'udp', PATIENCE_MS).then(({ bytes, length }) => [bytes[3], length]),
      ),
    );
    t.deepEqual(
      marks,
      asked.map((query) => [query[13], query.length]),
    );
  });

  test(title('the query arrives as given, but for a random ID'), async (t) => {
    const seen: Buffer[] = [];
    const port = await serveUdp(t, (query, send) => {
      seen.push(Buffer.from(query));
      send(replyTo(query));
    });
    const upstream = create(t, ports).open(targetOf(port));
    const query = queryFor('abc');
    for (let i = 0; i < 50; i++) await upstream.exchange(query, 'udp', PATIENCE_MS);
    t.true(seen.every((bytes) => bytes.subarray(2).equals(query.subarray(2))));
    t.true(new Set(seen.map((bytes) => bytes.readUInt16BE(0))).size > 40);
    t.is(query[0], 0, 'the caller keeps its bytes');
  });

  test(title('queries go out from several ports, and a port is replaced after a while'), async (t) => {
    const seen = new Set<number>();
    const port = await serveUdp(t, (query, send, from) => {
      seen.add(from.port);
      send(replyTo(query));
    });
    const clock = new ManualClock();
    const upstreams = create(t, ports, clock);
    const upstream = upstreams.open(targetOf(port, { expireMs: 1000 }));
    for (let i = 0; i < 200; i++) await upstream.exchange(queryFor('abc'), 'udp', PATIENCE_MS);
    t.true(seen.size > 8, `${seen.size} ports`);
    t.true(seen.size <= 160);
    clock.advance(1100);
    const before = new Set(seen);
    seen.clear();
    for (let i = 0; i < 50; i++) await upstream.exchange(queryFor('abc'), 'udp', PATIENCE_MS);
    // The kernel draws from some 28,000: a few may come up again, without a change it would be most of them.
    const again = [...seen].filter((used) => before.has(used)).length;
    t.true(again <= 10, `${again} of ${seen.size} ports`);
    t.is(upstreams.counters()[0]!.counters.sent, 250);
  });

  test(
    title('replies with another ID, question, type or class, or no response bit, are ignored and counted'),
    async (t) => {
      const port = await serveUdp(t, (query, send) => {
        const spoil = (change: (bytes: Buffer) => void): void => {
          const reply = replyTo(query, 1);
          change(reply);
          send(reply);
        };
        spoil((bytes) => void (bytes[0]! ^= 1));
        spoil((bytes) => void (bytes[13]! ^= 1));
        spoil((bytes) => void (bytes[bytes.length - 3]! ^= 1));
        spoil((bytes) => void (bytes[bytes.length - 1]! ^= 1));
        spoil((bytes) => void (bytes[2] = 0));
        spoil((bytes) => void (bytes[5] = 0));
        send(replyTo(query).subarray(0, 7));
        send(Buffer.alloc(0));
        send(Uint8Array.of(query[0]!, query[1]!));
        send(replyTo(query, 2));
      });
      const upstreams = create(t, ports);
      const reply = await upstreams.open(targetOf(port)).exchange(queryFor('abc'), 'udp', PATIENCE_MS);
      t.is(reply.bytes[3], 2);
      t.is(upstreams.counters()[0]!.counters.mismatches, 9);
    },
  );

  test(title('the name of the reply may be spelled in other letters'), async (t) => {
    const port = await serveUdp(t, (query, send) => {
      const reply = replyTo(query);
      reply.write('ABC', 13, 'latin1');
      send(reply);
    });
    const reply = await create(t, ports).open(targetOf(port)).exchange(queryFor('abc'), 'udp', PATIENCE_MS);
    t.is(reply.bytes[13], 65);
  });

  test(title('an error that is a header alone is a reply, a success is not'), async (t) => {
    const port = await serveUdp(t, (query, send) => {
      const header = Buffer.alloc(12);
      query.copy(header, 0, 0, 2);
      header[2] = 0x80;
      send(header);
      header[3] = 1;
      send(header);
    });
    const reply = await create(t, ports).open(targetOf(port)).exchange(queryFor('abc'), 'udp', PATIENCE_MS);
    t.is(reply.length, 12);
    t.is(reply.bytes[3], 1);
  });

  test(title('a datagram of somebody else is not heard'), async (t) => {
    const other = dgram.createSocket('udp4');
    t.teardown(() => other.close());
    const port = await serveUdp(t, (query, send, from) => {
      other.send(replyTo(query, 1), from.port, from.address, () => setTimeout(() => send(replyTo(query, 2)), 5));
    });
    const reply = await create(t, ports).open(targetOf(port)).exchange(queryFor('abc'), 'udp', PATIENCE_MS);
    t.is(reply.bytes[3], 2);
  });

  test(
    title('silence is an i/o timeout at its time, with both addresses, and its late reply is a mismatch'),
    async (t) => {
      let answer = (): void => undefined;
      let asked = 0;
      const port = await serveUdp(t, (query, send) => {
        asked++;
        answer = () => send(replyTo(query));
      });
      const clock = new ManualClock();
      const upstreams = create(t, ports, clock);
      let error: unknown;
      upstreams
        .open(targetOf(port))
        .exchange(queryFor('abc'), 'udp', 500)
        .catch((failure: unknown) => void (error = failure));
      await until(() => asked === 1);
      clock.advance(490);
      await new Promise((resolve) => setImmediate(resolve));
      t.is(error, undefined);
      clock.advance(40);
      await until(() => error !== undefined);
      t.true(error instanceof UpstreamError);
      t.is((error as UpstreamError).kind, 'timeout');
      t.regex(
        (error as Error).message,
        new RegExp(`^read udp 127\\.0\\.0\\.1:\\d+->127\\.0\\.0\\.1:${port}: i/o timeout$`),
      );
      answer();
      await until(() => upstreams.counters()[0]!.counters.mismatches === 1);
      t.is(upstreams.counters()[0]!.counters.timeouts, 1);
    },
  );

  test(title('a closed port is connection refused'), async (t) => {
    const socket = dgram.createSocket('udp4');
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    const { port } = socket.address();
    await new Promise<void>((resolve) => void socket.close(() => resolve()));
    const upstream = create(t, ports).open(targetOf(port));
    for (let i = 0; i < 3; i++) {
      const error = await t.throwsAsync(upstream.exchange(queryFor('abc'), 'udp', PATIENCE_MS), {
        instanceOf: UpstreamError,
        message: /^read udp 127\.0\.0\.1:\d+->127\.0\.0\.1:\d+: read: connection refused$/,
      });
      t.is(error?.kind, 'refused');
    }
  });

  test(title('queries leave from the source address asked for'), async (t) => {
    const seen: string[] = [];
    const port = await serveUdp(t, (query, send, from) => {
      seen.push(from.address);
      send(replyTo(query));
    });
    const upstream = create(t, ports).open(targetOf(port, { sourceAddress: '127.0.0.9' }));
    await upstream.exchange(queryFor('abc'), 'udp', PATIENCE_MS);
    t.deepEqual(seen, ['127.0.0.9']);
  });

  test(title('an address that cannot be connected to is an error at once'), async (t) => {
    // The kernel wants to be told that a socket may broadcast.
    const upstream = create(t, ports).open(targetOf(53, { address: '255.255.255.255' }));
    for (let i = 0; i < 2; i++) {
      await t.throwsAsync(upstream.exchange(queryFor('abc'), 'udp', PATIENCE_MS), {
        instanceOf: UpstreamError,
        message: /denied|EACCES/,
      });
    }
  });

  test(title('a source address that is not ours is an error at once'), async (t) => {
    const upstream = create(t, ports).open(targetOf(9, { sourceAddress: '192.0.2.77' }));
    await t.throwsAsync(upstream.exchange(queryFor('abc'), 'udp', PATIENCE_MS), {
      instanceOf: UpstreamError,
      message: /cannot assign requested address/,
    });
  });

  test(title('an IPv6 upstream'), async (t) => {
    const port = await serveUdp(t, (query, send) => send(replyTo(query, 3)), '::1');
    const upstream = create(t, ports).open(targetOf(port, { address: '::1' }));
    t.is((await upstream.exchange(queryFor('abc'), 'udp', PATIENCE_MS)).bytes[3], 3);
  });

  test(title('a reply of 60,000 bytes comes whole'), async (t) => {
    const port = await serveUdp(t, (query, send) => send(Buffer.concat([replyTo(query), Buffer.alloc(60_000, 7)])));
    const { bytes, length } = await create(t, ports).open(targetOf(port)).exchange(queryFor('abc'), 'udp', PATIENCE_MS);
    t.is(length, queryFor('abc').length + 60_000);
    t.is(bytes[length - 1], 7);
  });

  test(title('more queries in flight than allowed are refused and counted'), async (t) => {
    const port = await serveUdp(t, () => undefined);
    const upstreams = create(t, ports);
    const upstream = upstreams.open(targetOf(port));
    const failures: unknown[] = [];
    for (let i = 0; i < MAX_IN_FLIGHT + 5; i++) {
      upstream.exchange(queryFor('abc'), 'udp', 60_000).catch((error: unknown) => void failures.push(error));
    }
    await until(() => failures.length === 5);
    t.is((failures[0] as UpstreamError).kind, 'overload');
    t.is(upstreams.counters()[0]!.counters.overloads, 5);
    upstreams.close();
    await until(() => failures.length === MAX_IN_FLIGHT + 5);
    t.is((failures.at(-1) as UpstreamError).kind, 'closed');
  });

  test(title('a message without a question is refused'), async (t) => {
    const upstream = create(t, ports).open(targetOf(9));
    await t.throwsAsync(upstream.exchange(new Uint8Array(12), 'udp', 1000), { instanceOf: UpstreamError });
    await t.throwsAsync(upstream.exchange(new Uint8Array(3), 'udp', 1000), { instanceOf: UpstreamError });
  });
}

type StreamServer = {
  readonly port: number;
  readonly connections: net.Socket[];
  /** Messages in order of arrival, with the connection they came on. */
  readonly queries: { readonly bytes: Buffer; readonly connection: number }[];
};

async function serveStream(
  t: ExecutionContext,
  answer: (query: Buffer, socket: net.Socket, connection: number) => void,
  secure?: { readonly cert: string; readonly key: string },
): Promise<StreamServer> {
  const connections: net.Socket[] = [];
  const queries: { bytes: Buffer; connection: number }[] = [];
  const accept = (socket: net.Socket): void => {
    const connection = connections.push(socket) - 1;
    let buffered = Buffer.alloc(0);
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      buffered = Buffer.concat([buffered, chunk]);
      while (buffered.length >= 2 && buffered.length - 2 >= buffered.readUInt16BE(0)) {
        const end = 2 + buffered.readUInt16BE(0);
        const bytes = buffered.subarray(2, end);
        queries.push({ bytes, connection });
        answer(bytes, socket, connection);
        buffered = buffered.subarray(end);
      }
    });
  };
  const server = secure ? tls.createServer(secure, accept) : net.createServer(accept);
  server.on('tlsClientError', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.close();
    for (const socket of connections) socket.destroy();
  });
  return { port: (server.address() as net.AddressInfo).port, connections, queries };
}

function sendFrame(socket: net.Socket, bytes: Uint8Array): void {
  socket.write(Buffer.concat([Uint8Array.of(bytes.length >> 8, bytes.length & 255), bytes]));
}

const dgramOnly = (): UdpPorts => new DgramPorts();

test('tcp: one query after the other uses one connection and says so', async (t) => {
  const server = await serveStream(t, (query, socket) => sendFrame(socket, replyTo(query, 5)));
  const upstream = create(t, dgramOnly).open(targetOf(server.port));
  const reused: boolean[] = [];
  for (let i = 0; i < 5; i++) {
    const reply = await upstream.exchange(queryFor('abc'), 'tcp', PATIENCE_MS);
    t.is(reply.bytes[3], 5);
    reused.push(reply.reused);
  }
  t.deepEqual(reused, [false, true, true, true, true]);
  t.is(server.connections.length, 1);
  t.is(new Set(server.queries.map(({ bytes }) => bytes.readUInt16BE(0))).size, 5);
});

test('tcp: queries at once share a bounded number of connections and are answered out of order', async (t) => {
  const held: (() => void)[] = [];
  const server = await serveStream(t, (query, socket) => {
    held.push(() => sendFrame(socket, replyTo(query, query[13])));
    if (held.length === 100) for (const release of held.toReversed()) release();
  });
  const upstream = create(t, dgramOnly).open(targetOf(server.port));
  const asked = Array.from({ length: 100 }, (_, i) => queryFor(String.fromCharCode(97 + (i % 26))));
  const marks = await Promise.all(
    asked.map((query) => upstream.exchange(query, 'tcp', PATIENCE_MS).then(({ bytes }) => bytes[3])),
  );
  t.deepEqual(
    marks,
    asked.map((query) => query[13]),
  );
  t.true(server.connections.length <= 16, `${server.connections.length} connections`);
});

test('tcp: a kept connection that the peer has closed is replaced without a word', async (t) => {
  const server = await serveStream(t, (query, socket, connection) => {
    if (connection === 0 && server.queries.length === 2) socket.resetAndDestroy();
    else sendFrame(socket, replyTo(query));
  });
  const upstream = create(t, dgramOnly).open(targetOf(server.port));
  await upstream.exchange(queryFor('one'), 'tcp', PATIENCE_MS);
  const reply = await upstream.exchange(queryFor('two'), 'tcp', PATIENCE_MS);
  t.is(reply.bytes[13], 't'.charCodeAt(0));
  t.false(reply.reused);
  t.is(server.connections.length, 2);
});

test('tcp: a new connection that the peer closes without a reply is EOF', async (t) => {
  const server = await serveStream(t, (_query, socket) => socket.end());
  const upstream = create(t, dgramOnly).open(targetOf(server.port));
  await t.throwsAsync(upstream.exchange(queryFor('abc'), 'tcp', PATIENCE_MS), {
    instanceOf: UpstreamError,
    message: 'EOF',
  });
  t.is(server.connections.length, 1);
});

test('tcp: a closed port is connection refused', async (t) => {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  await new Promise<void>((resolve) => void server.close(() => resolve()));
  const error = await t.throwsAsync(
    create(t, dgramOnly).open(targetOf(port)).exchange(queryFor('abc'), 'tcp', PATIENCE_MS),
    {
      instanceOf: UpstreamError,
      message: `dial tcp 127.0.0.1:${port}: connect: connection refused`,
    },
  );
  t.is(error?.kind, 'refused');
});

test('tcp: silence is an i/o timeout and the connection is not used again', async (t) => {
  const server = await serveStream(t, (query, socket, connection) => {
    if (connection > 0) sendFrame(socket, replyTo(query));
  });
  const clock = new ManualClock();
  const upstream = create(t, dgramOnly, clock).open(targetOf(server.port));
  const failure = t.throwsAsync(upstream.exchange(queryFor('abc'), 'tcp', 500), {
    instanceOf: UpstreamError,
    message: /^read tcp 127\.0\.0\.1:\d+->127\.0\.0\.1:\d+: i\/o timeout$/,
  });
  await until(() => server.queries.length === 1);
  clock.advance(520);
  await failure;
  t.false((await upstream.exchange(queryFor('abc'), 'tcp', 500)).reused);
});

test('tcp: a reply to another question is ignored', async (t) => {
  const server = await serveStream(t, (query, socket) => {
    const wrong = replyTo(query, 1);
    wrong[13]! ^= 1;
    sendFrame(socket, wrong);
    sendFrame(socket, replyTo(query, 2));
  });
  const upstreams = create(t, dgramOnly);
  t.is((await upstreams.open(targetOf(server.port)).exchange(queryFor('abc'), 'tcp', PATIENCE_MS)).bytes[3], 2);
  t.is(upstreams.counters()[0]!.counters.mismatches, 1);
});

test('tcp: an idle connection is closed after its time, an old one is not used again', async (t) => {
  const server = await serveStream(t, (query, socket) => sendFrame(socket, replyTo(query)));
  const clock = new ManualClock();
  const upstream = create(t, dgramOnly, clock).open(targetOf(server.port, { expireMs: 1000, maxAgeMs: 3000 }));
  await upstream.exchange(queryFor('abc'), 'tcp', 500);
  clock.advance(1100);
  await until(() => server.connections[0]!.readableEnded || server.connections[0]!.destroyed);
  for (let i = 0; i < 6; i++) {
    await upstream.exchange(queryFor('abc'), 'tcp', 500);
    clock.advance(700);
  }
  t.is(server.connections.length, 3);
});

test('tcp: no more connections idle than allowed', async (t) => {
  const server = await serveStream(t, (query, socket) => void setTimeout(() => sendFrame(socket, replyTo(query)), 20));
  const upstream = create(t, dgramOnly).open(targetOf(server.port, { maxIdleSockets: 2 }));
  await Promise.all(Array.from({ length: 6 }, () => upstream.exchange(queryFor('abc'), 'tcp', PATIENCE_MS)));
  await until(() => server.connections.filter((socket) => !socket.destroyed).length === 2);
  t.is(server.connections.length, 6);
});

test('tls: the certificate is verified against name and authority, sessions are resumed', async (t) => {
  const { cert, key } = createCertificate('dns.test');
  const server = await serveStream(t, (query, socket) => sendFrame(socket, replyTo(query, 4)), { cert, key });
  const upstreams = create(t, dgramOnly);
  const good = upstreams.open(targetOf(server.port, { tls: { serverName: 'dns.test', ca: cert }, expireMs: 100 }));
  t.is((await good.exchange(queryFor('abc'), 'udp', PATIENCE_MS)).bytes[3], 4, 'a tls upstream is asked over tls only');
  const byAddress = upstreams.open(targetOf(server.port, { tls: { serverName: '', ca: cert } }));
  t.is((await byAddress.exchange(queryFor('abc'), 'tcp', PATIENCE_MS)).bytes[3], 4);
  const bad = [
    { serverName: 'other.test', ca: cert },
    { serverName: 'dns.test', ca: createCertificate('dns.test').cert },
    { serverName: 'dns.test' },
  ];
  for (const options of bad) {
    const error = await t.throwsAsync(
      upstreams.open(targetOf(server.port, { tls: options })).exchange(queryFor('abc'), 'tcp', PATIENCE_MS),
      { instanceOf: UpstreamError },
    );
    t.is(error?.kind, 'tls', error?.message);
  }
  await until(() => server.connections[0]!.destroyed);
  await good.exchange(queryFor('abc'), 'tcp', PATIENCE_MS);
  t.true((server.connections.at(-1) as tls.TLSSocket).isSessionReused());
});

test('who names an upstream alike shares its sockets, the last to leave closes them', async (t) => {
  const server = await serveStream(t, (query, socket) => sendFrame(socket, replyTo(query)));
  const upstreams = create(t, dgramOnly);
  const first = upstreams.open(targetOf(server.port));
  const second = upstreams.open(targetOf(server.port));
  const other = upstreams.open(targetOf(server.port, { expireMs: 5 }));
  await first.exchange(queryFor('abc'), 'tcp', PATIENCE_MS);
  await second.exchange(queryFor('abc'), 'tcp', PATIENCE_MS);
  t.is(server.connections.length, 1);
  await other.exchange(queryFor('abc'), 'tcp', PATIENCE_MS);
  t.is(server.connections.length, 2);
  first.close();
  first.close();
  await second.exchange(queryFor('abc'), 'tcp', PATIENCE_MS);
  second.close();
  await until(() => server.connections[0]!.destroyed);
});
