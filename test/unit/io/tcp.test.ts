import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';
import test, { type ExecutionContext } from 'ava';
import { ManualClock } from '../../../lib/base/clock.ts';
import { formatAddress } from '../../../lib/io/socket-address.ts';
import { MAX_PENDING } from '../../../lib/io/tcp-connection.ts';
import { type TcpListener, type TcpOptions, openTcp } from '../../../lib/io/tcp.ts';
import type { BatchHandler, PacketSource, ReplyAddress } from '../../../lib/io/udp-batch.ts';
import { createCertificate } from './certificate.ts';

type Packet = BatchHandler['packet'];

const flip: Packet = (rx, rxAt, rxLength, tx, txAt) => {
  for (let i = 0; i < rxLength; i++) tx[txAt + i] = rx[rxAt + i]! ^ 0xff;
  return rxLength;
};

function handlerOf(packet: Packet, parts: Partial<BatchHandler> = {}): BatchHandler {
  return { begin: () => undefined, end: () => undefined, packet, ...parts };
}

async function listen(
  t: ExecutionContext,
  handler: BatchHandler,
  options: Partial<TcpOptions> = {},
): Promise<TcpListener> {
  const listener = await openTcp({ address: '127.0.0.1', port: 0, family: 4, reusePort: false, ...options }, handler);
  t.teardown(() => listener.close());
  return listener;
}

/** A client that collects frames. */
class Client {
  readonly socket: net.Socket;
  readonly frames: Buffer[] = [];
  ended = false;
  error: Error | undefined;
  #bytes = Buffer.alloc(0);

  constructor(t: ExecutionContext, socket: net.Socket) {
    this.socket = socket;
    t.teardown(() => socket.destroy());
    socket.on('data', (chunk: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk]);
      while (this.#bytes.length >= 2 && this.#bytes.length - 2 >= this.#bytes.readUInt16BE(0)) {
        const end = 2 + this.#bytes.readUInt16BE(0);
        this.frames.push(this.#bytes.subarray(2, end));
        this.#bytes = this.#bytes.subarray(end);
      }
    });
    socket.on('end', () => void (this.ended = true));
    socket.on('error', (error) => void (this.error = error));
  }

  static async connect(t: ExecutionContext, port: number): Promise<Client> {
    const socket = net.connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
    await once(socket, 'connect');
    return new Client(t, socket);
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
  }

  async frame(count: number): Promise<Buffer[]> {
    await this.until(() => this.frames.length >= count);
    return this.frames;
  }
}

function message(length: number, fill: number): Buffer {
  return Buffer.alloc(length, fill);
}

function framed(...messages: readonly Uint8Array[]): Buffer {
  return Buffer.concat(messages.flatMap((bytes) => [Uint8Array.of(bytes.length >> 8, bytes.length & 255), bytes]));
}

const flipped = (bytes: Buffer): Buffer => Buffer.from(bytes.map((byte) => byte ^ 0xff));

test('several messages in one segment are one batch and their replies one write', async (t) => {
  const log: string[] = [];
  const listener = await listen(
    t,
    handlerOf(flip, {
      begin: (count) => void log.push(`begin ${count}`),
      end: () => void log.push('end'),
    }),
  );
  const client = await Client.connect(t, listener.port);
  const messages = [message(12, 1), message(40, 2), message(300, 3)];
  client.socket.write(framed(...messages));
  t.deepEqual(await client.frame(3), messages.map(flipped));
  t.deepEqual(log, ['begin 3', 'end']);
  t.is(listener.counters.received, 3);
  t.is(listener.counters.sent, 3);
});

test('messages that come byte by byte are answered like whole ones', async (t) => {
  const listener = await listen(t, handlerOf(flip));
  const client = await Client.connect(t, listener.port);
  const messages = [message(12, 1), message(25, 2)];
  for (const byte of framed(...messages)) {
    client.socket.write(Uint8Array.of(byte));
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.deepEqual(await client.frame(2), messages.map(flipped));
});

test('messages cut anywhere are put together, the longest one too', async (t) => {
  const listener = await listen(t, handlerOf(flip));
  const client = await Client.connect(t, listener.port);
  const messages = [message(65535, 7), message(12, 8), message(5000, 9)];
  const bytes = framed(...messages);
  for (let at = 0; at < bytes.length; at += 7919) {
    client.socket.write(bytes.subarray(at, at + 7919));
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.deepEqual(await client.frame(3), messages.map(flipped));
});

test('messages shorter than a header are ignored and counted, the next one is answered', async (t) => {
  const listener = await listen(t, handlerOf(flip));
  const client = await Client.connect(t, listener.port);
  client.socket.write(framed(message(0, 0), message(11, 1), message(12, 2)));
  t.deepEqual(await client.frame(1), [flipped(message(12, 2))]);
  t.is(listener.counters.ignored, 2);
});

test('the handler is told who asks and where', async (t) => {
  const seen = {
    family: 0,
    clientAddress: new Uint8Array(16),
    clientPort: 0,
    serverAddress: new Uint8Array(16),
    serverPort: 0,
  };
  const listener: TcpListener = await listen(
    t,
    handlerOf((rx, rxAt, rxLength, tx, txAt, slot) => {
      listener.readAddresses(slot, seen);
      return flip(rx, rxAt, rxLength, tx, txAt, slot);
    }),
    { address: '::', family: 6, dualStack: true },
  );
  const client = await Client.connect(t, listener.port);
  client.socket.write(framed(message(12, 1)));
  await client.frame(1);
  t.is(seen.family, 4);
  t.is(formatAddress(seen.clientAddress, 0, 4), '127.0.0.1');
  t.is(seen.clientPort, client.socket.localPort ?? 0);
  t.is(formatAddress(seen.serverAddress, 0, 4), '127.0.0.1');
  t.is(seen.serverPort, listener.port);
});

/** A handler that keeps every query waiting. */
function waiting(): { readonly handler: BatchHandler; readonly queue: { to: ReplyAddress; first: number }[] } {
  const queue: { to: ReplyAddress; first: number }[] = [];
  let source: PacketSource;
  return {
    queue,
    handler: handlerOf(
      (rx, rxAt, _rxLength, _tx, _txAt, slot) => {
        queue.push({ to: source.capture(slot), first: rx[rxAt]! });
        return 0;
      },
      { begin: (_count, from) => void (source = from) },
    ),
  };
}

test('a reply of many messages goes out in order, as fast as the client reads', async (t) => {
  const { handler, queue } = waiting();
  const listener = await listen(t, handler);
  const client = await Client.connect(t, listener.port);
  client.socket.write(framed(message(12, 1)));
  await client.until(() => queue.length === 1);
  const { to } = queue[0]!;
  const part = message(60_000, 0);
  let sent = 0;
  const send = (isOpen: boolean): void => {
    t.true(isOpen);
    part[0] = sent++;
    if (sent === 200) listener.sendTo(to, part, 0, part.length);
    else listener.sendPart!(to, part, 0, part.length, send);
  };
  client.socket.pause();
  send(true);
  await new Promise((resolve) => setTimeout(resolve, 50));
  t.true(sent < 200, 'a client that does not read holds the rest back');
  client.socket.resume();
  const frames = await client.frame(200);
  t.deepEqual(
    frames.map((frame) => frame[0]),
    Array.from({ length: 200 }, (_, i) => i & 255),
  );
});

test('a reply of many messages ends when its client has gone', async (t) => {
  const { handler, queue } = waiting();
  const listener = await listen(t, handler);
  const client = await Client.connect(t, listener.port);
  client.socket.write(framed(message(12, 1)));
  await client.until(() => queue.length === 1);
  const { to } = queue[0]!;
  const told: boolean[] = [];
  const send = (isOpen: boolean): void => {
    told.push(isOpen);
    if (isOpen) listener.sendPart!(to, message(60_000, 0), 0, 60_000, send);
  };
  client.socket.pause();
  send(true);
  await new Promise((resolve) => setTimeout(resolve, 20));
  client.socket.resetAndDestroy();
  await client.until(() => listener.connections === 0);
  t.is(told.at(-1), false);
  t.is(told.filter((isOpen) => !isOpen).length, 1);
});

test('queries that wait are answered out of order', async (t) => {
  const { handler, queue } = waiting();
  const listener = await listen(t, handler);
  const client = await Client.connect(t, listener.port);
  client.socket.write(framed(message(12, 1), message(12, 2), message(12, 3)));
  await client.until(() => queue.length === 3);
  for (const { to, first } of queue.toReversed()) t.true(listener.sendTo(to, message(20, first), 5, 15));
  t.deepEqual(await client.frame(3), [message(15, 3), message(15, 2), message(15, 1)]);
});

test('reading stops while many queries wait and goes on when they are answered or given up', async (t) => {
  const { handler, queue } = waiting();
  const listener = await listen(t, handler);
  const client = await Client.connect(t, listener.port);
  const total = MAX_PENDING + 200;
  client.socket.write(framed(...Array.from({ length: total }, () => message(12, 1))));
  await client.until(() => queue.length >= MAX_PENDING);
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
  t.true(queue.length < MAX_PENDING + 32, `${queue.length} taken`);
  let done = 0;
  let answered = 0;
  await client.until(() => {
    for (; done < queue.length; done++) {
      if (done % 2 === 0) listener.discard(queue[done]!.to);
      else answered += Number(listener.sendTo(queue[done]!.to, message(12, 5), 0, 12));
    }
    return done === total;
  });
  t.is((await client.frame(total / 2)).length, answered);
});

test('a client that sends and does not read is read no further, and loses nothing', async (t) => {
  let taken = 0;
  const listener = await listen(
    t,
    handlerOf((_rx, _rxAt, _rxLength, tx, txAt) => {
      taken++;
      tx.fill(taken & 255, txAt, txAt + 60_000);
      return 60_000;
    }),
  );
  const client = await Client.connect(t, listener.port);
  client.socket.pause();
  const total = 2000;
  client.socket.write(framed(...Array.from({ length: total }, () => message(12, 1))));
  for (let i = 0; i < 50; i++) await new Promise((resolve) => setTimeout(resolve, 2));
  t.true(taken < total / 2, `${taken} of ${total} taken`);
  client.socket.resume();
  const frames = await client.frame(total);
  t.true(frames.every((frame, i) => frame.length === 60_000 && frame[0] === ((i + 1) & 255)));
});

test('a client that closes its half gets all its replies first', async (t) => {
  const { handler, queue } = waiting();
  const listener = await listen(t, handler);
  const client = await Client.connect(t, listener.port);
  client.socket.end(framed(message(12, 1), message(12, 2)));
  await client.until(() => queue.length === 2);
  t.false(client.ended);
  for (const { to } of queue) listener.sendTo(to, message(12, 9), 0, 12);
  await client.until(() => client.ended);
  t.is(client.frames.length, 2);
  await client.until(() => listener.connections === 0);
});

test('a reply to a connection that is gone is refused and counted', async (t) => {
  const { handler, queue } = waiting();
  const listener = await listen(t, handler);
  const client = await Client.connect(t, listener.port);
  client.socket.write(framed(message(12, 1), message(12, 1)));
  await client.until(() => queue.length === 2);
  client.socket.resetAndDestroy();
  await client.until(() => listener.connections === 0);
  t.false(listener.sendTo(queue[0]!.to, message(12, 1), 0, 12));
  t.false(listener.sendTo(queue[0]!.to, message(12, 1), 0, 12), 'an address serves once');
  listener.discard(queue[1]!.to);
  t.is(listener.counters.deferredDropped, 2);
});

const SILENCES: readonly (readonly [string, readonly Uint8Array[], number])[] = [
  ['that says nothing is closed after the read timeout', [], 3000],
  ['that stops within the length is closed after the read timeout', [Uint8Array.of(0)], 3000],
  ['that stops within a message is closed after the read timeout', [Uint8Array.of(0, 20, 1, 2, 3)], 3000],
  ['that has been answered is closed after the idle timeout', [framed(message(12, 1))], 10_000],
  [
    'that stops within its second message is closed after the read timeout',
    [framed(message(12, 1)), Uint8Array.of(0, 20)],
    3000,
  ],
];
for (const [title, writes, timeoutMs] of SILENCES) {
  test(`a client ${title}`, async (t) => {
    const clock = new ManualClock();
    const listener = await listen(t, handlerOf(flip), { clock });
    const client = await Client.connect(t, listener.port);
    await client.until(() => listener.connections === 1);
    for (const bytes of writes) {
      client.socket.write(bytes);
      if (bytes.length > 12) await client.frame(1);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    clock.advance(timeoutMs - 200);
    await new Promise((resolve) => setTimeout(resolve, 20));
    t.false(client.ended);
    // A busy machine may read the last bytes only now: the timeout then counts from here.
    const advance = setInterval(() => clock.advance(500), 20);
    t.teardown(() => clearInterval(advance));
    await client.until(() => client.ended);
    t.is(client.error, undefined, 'FIN, not RST');
    t.is(listener.counters.timeouts, 1);
  });
}

test('bytes that trickle in do not move the deadline of their message', async (t) => {
  const clock = new ManualClock();
  const listener = await listen(t, handlerOf(flip), { clock });
  const client = await Client.connect(t, listener.port);
  for (const byte of [0, 100, 1, 2, 3, 4, 5, 6]) {
    client.socket.write(Uint8Array.of(byte));
    await new Promise((resolve) => setTimeout(resolve, 5));
    clock.advance(500);
  }
  await client.until(() => client.ended);
  t.is(listener.counters.timeouts, 1);
});

test('a busy client whose messages always straddle segments is not cut off', async (t) => {
  const clock = new ManualClock();
  const listener = await listen(t, handlerOf(flip), { clock });
  const client = await Client.connect(t, listener.port);
  const bytes = framed(...Array.from({ length: 10 }, (_, i) => message(20, i)));
  for (let i = 0; i < 10; i++) {
    client.socket.write(bytes.subarray(i * 22 + (i === 0 ? 0 : 5), i * 22 + 27));
    await client.until(() => client.frames.length === i + 1);
    clock.advance(1000);
  }
  t.is(client.frames.length, 10);
  t.false(client.ended);
});

test('a query that waits keeps its connection over the idle timeout', async (t) => {
  const clock = new ManualClock();
  const { handler, queue } = waiting();
  const listener = await listen(t, handler, { clock });
  const client = await Client.connect(t, listener.port);
  client.socket.write(framed(message(12, 1)));
  await client.until(() => queue.length === 1);
  clock.advance(25_000);
  listener.sendTo(queue[0]!.to, message(12, 4), 0, 12);
  t.deepEqual(await client.frame(1), [message(12, 4)]);
  t.false(client.ended);
});

test('the connection ends after its last allowed query', async (t) => {
  const listener = await listen(t, handlerOf(flip), { maxQueriesPerConnection: 3 });
  const client = await Client.connect(t, listener.port);
  client.socket.write(framed(...Array.from({ length: 5 }, (_, i) => message(12, i))));
  await client.until(() => client.ended);
  t.is(client.frames.length, 3);
  t.is(client.error, undefined);
});

test('with one connection too many the most silent one goes', async (t) => {
  const listener = await listen(t, handlerOf(flip), { maxConnections: 2 });
  const first = await Client.connect(t, listener.port);
  first.socket.write(framed(message(12, 1)));
  await first.frame(1);
  const second = await Client.connect(t, listener.port);
  second.socket.write(framed(message(12, 1)));
  await second.frame(1);
  first.socket.write(framed(message(12, 1)));
  await first.frame(2);
  const third = await Client.connect(t, listener.port);
  third.socket.write(framed(message(12, 1)));
  await third.frame(1);
  await second.until(() => second.ended);
  t.false(first.ended);
  t.is(listener.connections, 2);
  t.is(listener.counters.evicted, 1);
});

test('drain answers what is pending, sends FIN and takes no new connection', async (t) => {
  const { handler, queue } = waiting();
  const listener = await listen(t, handler);
  const idle = await Client.connect(t, listener.port);
  const busy = await Client.connect(t, listener.port);
  busy.socket.write(framed(message(12, 1)));
  await busy.until(() => queue.length === 1 && listener.connections === 2);
  for (const client of [idle, busy]) client.socket.on('end', () => client.socket.end());
  const drained = listener.drain(5000);
  await idle.until(() => idle.ended);
  t.false(busy.ended);
  busy.socket.write(framed(message(12, 2)));
  await new Promise((resolve) => setTimeout(resolve, 20));
  listener.sendTo(queue[0]!.to, message(12, 3), 0, 12);
  await drained;
  await busy.until(() => busy.ended);
  t.deepEqual(busy.frames, [message(12, 3)]);
  t.is(busy.error, undefined);
  const late = net.connect(listener.port, '127.0.0.1');
  const [error] = (await once(late, 'error')) as [NodeJS.ErrnoException];
  t.is(error.code, 'ECONNREFUSED');
});

test('drain does not wait longer than it may', async (t) => {
  const { handler, queue } = waiting();
  const listener = await listen(t, handler);
  const client = await Client.connect(t, listener.port);
  client.socket.write(framed(message(12, 1)));
  await client.until(() => queue.length === 1);
  await listener.drain(10);
  t.is(queue.length, 1);
  await client.until(() => client.ended || client.error !== undefined);
});

test('two listeners with reusePort share a port, without it is EADDRINUSE', async (t) => {
  const unused = await listen(t, handlerOf(flip));
  const shared = { port: unused.port, reusePort: true };
  unused.close();
  const first = await listen(t, handlerOf(flip), shared);
  const second = await listen(t, handlerOf(flip), shared);
  t.is(first.port, second.port);
  await t.throwsAsync(
    openTcp({ address: '127.0.0.1', port: first.port, family: 4, reusePort: false }, handlerOf(flip)),
    { code: 'EADDRINUSE' },
  );
});

test('TLS: the same service behind a handshake, and no service without', async (t) => {
  const { cert, key } = createCertificate('dns.test');
  const listener = await listen(t, handlerOf(flip), { tls: { cert, key } });
  t.is(listener.transport, 'tls');
  const socket = tls.connect({ port: listener.port, host: '127.0.0.1', servername: 'dns.test', ca: cert });
  await once(socket, 'secureConnect');
  const client = new Client(t, socket);
  const messages = [message(12, 1), message(2000, 2)];
  socket.write(framed(...messages));
  t.deepEqual(await client.frame(2), messages.map(flipped));
  const plain = await Client.connect(t, listener.port);
  plain.socket.write(framed(message(12, 1)));
  await plain.until(() => plain.ended || plain.error !== undefined);
  t.is(plain.frames.filter((frame) => frame.equals(flipped(message(12, 1)))).length, 0);
  t.is(listener.counters.errors, 1);
});

test('TLS: a client without the certificate that is required gets no service', async (t) => {
  const { cert, key } = createCertificate('dns.test');
  const listener = await listen(t, handlerOf(flip), { tls: { cert, key, ca: cert, clientAuth: 'require-and-verify' } });
  const ask = async (options: tls.ConnectionOptions): Promise<Client> => {
    const socket = tls.connect({
      port: listener.port,
      host: '127.0.0.1',
      servername: 'dns.test',
      ca: cert,
      ...options,
    });
    const client = new Client(t, socket);
    socket.on('secureConnect', () => socket.write(framed(message(12, 1))));
    await client.until(() => client.ended || client.error !== undefined || client.frames.length > 0);
    return client;
  };
  t.is((await ask({})).frames.length, 0);
  t.is((await ask({ cert, key })).frames.length, 1);
});
