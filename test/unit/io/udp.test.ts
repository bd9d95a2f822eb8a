import dgram from 'node:dgram';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import test, { type ExecutionContext } from 'ava';
import { bindLibc, loadLibc } from '../../../lib/io/libc.ts';
import { formatAddress } from '../../../lib/io/socket-address.ts';
import { openDgram } from '../../../lib/io/udp-dgram.ts';
import {
  type BatchHandler,
  RECEIVE_CAPACITY,
  type ReplyAddress,
  type UdpBatch,
  type UdpOptions,
} from '../../../lib/io/udp-batch.ts';
import { openMmsg } from '../../../lib/io/udp-mmsg.ts';
import { chooseUdp } from '../../../lib/io/udp.ts';

type Open = (options: UdpOptions, handler: BatchHandler) => Promise<UdpBatch>;
type Packet = BatchHandler['packet'];

const libc = loadLibc();
const direct = bindLibc(true);
/** Name in titles, the batch's kind, how to open it. */
const WAYS: readonly (readonly [string, 'mmsg' | 'dgram', Open])[] = [
  ['dgram', 'dgram', openDgram],
  ...(typeof libc === 'string'
    ? []
    : [
        [
          'mmsg',
          'mmsg',
          async (options: UdpOptions, handler: BatchHandler) => openMmsg(libc, options, handler),
        ] as const,
      ]),
  ...(typeof direct === 'string'
    ? []
    : [
        [
          'mmsg by syscall(2), as on musl',
          'mmsg',
          async (options: UdpOptions, handler: BatchHandler) => openMmsg(direct, options, handler),
        ] as const,
      ]),
];

test('recvmmsg is bound on Linux x64 and arm64', (t) => {
  if (process.platform !== 'linux') return t.pass();
  return t.is(typeof libc, 'object');
});

const LOOPBACK: UdpOptions = {
  address: '127.0.0.1',
  port: 0,
  family: 4,
  // With reusePort the kernel may pick the port of a listener in another test.
  reusePort: false,
  receiveBufferBytes: 1 << 20,
};

function handlerOf(packet: Packet, parts: Partial<BatchHandler> = {}): BatchHandler {
  return { begin: () => undefined, end: () => undefined, packet, ...parts };
}

/** The reply is the datagram with every byte flipped. */
const flip: Packet = (rx, rxAt, rxLength, tx, txAt) => {
  for (let i = 0; i < rxLength; i++) tx[txAt + i] = rx[rxAt + i]! ^ 0xff;
  return rxLength;
};

async function openClient(t: ExecutionContext, type: dgram.SocketType = 'udp4'): Promise<dgram.Socket> {
  const socket = dgram.createSocket(type);
  t.teardown(() => socket.close());
  socket.bind(0, type === 'udp4' ? '127.0.0.1' : '::1');
  await once(socket, 'listening');
  return socket;
}

/** Sends, and collects `count` replies. */
async function ask(
  client: dgram.Socket,
  packets: readonly Uint8Array[],
  port: number,
  address: string,
  count: number = packets.length,
): Promise<{ readonly bytes: Buffer; readonly from: dgram.RemoteInfo }[]> {
  const replies: { bytes: Buffer; from: dgram.RemoteInfo }[] = [];
  const done = new Promise<void>((resolve) => {
    client.on('message', (bytes, from) => {
      replies.push({ bytes, from });
      if (replies.length === count) resolve();
    });
  });
  for (const packet of packets) client.send(packet, port, address);
  await done;
  client.removeAllListeners('message');
  return replies;
}

const numbered = (count: number, length = 20): Uint8Array[] =>
  Array.from({ length: count }, (_, i) => new Uint8Array(length).fill(i & 255));

for (const [name, kind, open] of WAYS) {
  const title = (text: string): string => `${name}: ${text}`;
  const listen = async (t: ExecutionContext, handler: BatchHandler, options: Partial<UdpOptions> = {}) => {
    const batch = await open({ ...LOOPBACK, ...options }, handler);
    t.teardown(() => batch.close());
    return batch;
  };

  test(title('every packet gets its own reply, in batches between begin and end'), async (t) => {
    const log: string[] = [];
    let announced = 0;
    const batch = await listen(
      t,
      handlerOf(flip, {
        begin(count, source) {
          announced += count;
          log.push(`begin ${source === batch}`);
        },
        end: () => void log.push('end'),
      }),
      { batchSize: 8 },
    );
    t.is(batch.kind, kind);
    t.true(batch.port > 0);
    const client = await openClient(t);
    const replies = await ask(client, numbered(40), batch.port, '127.0.0.1');
    t.deepEqual(
      replies.map(({ bytes }) => bytes[7]! ^ 0xff).toSorted((a, b) => a - b),
      numbered(40).map((bytes) => bytes[0]!),
    );
    t.is(announced, 40);
    t.is(log.length % 2, 0);
    for (let i = 0; i < log.length; i += 2) t.deepEqual(log.slice(i, i + 2), ['begin true', 'end']);
    t.is(batch.counters.received, 40);
    t.is(batch.counters.batches, log.length / 2);
    t.is(batch.counters.sent, 40);
  });

  test(title('packets that the kernel drops for want of buffer are told, the others read'), async (t) => {
    if (process.platform !== 'linux') return t.pass('only Linux tells');
    const batch = await listen(
      t,
      handlerOf(() => 0),
      { receiveBufferBytes: 1 },
    );
    t.is(batch.drops(), 0);
    const client = await openClient(t);
    client.connect(batch.port, '127.0.0.1');
    await once(client, 'connect');
    // Connected sends leave before the event loop turns, so nobody reads meanwhile.
    for (let i = 0; i < 200; i++) client.send(new Uint8Array(1000));
    t.true(batch.drops() > 0);
    while (batch.counters.received + batch.drops() < 200) await new Promise((resolve) => setImmediate(resolve));
    t.is(batch.counters.received + batch.drops(), 200);
    batch.close();
    return t.is(batch.drops(), -1);
  });

  test(title('packets without a reply leave no gap in the batch'), async (t) => {
    const batch = await listen(
      t,
      handlerOf((rx, rxAt, rxLength, tx, txAt, slot) =>
        rx[rxAt]! % 3 === 0 ? flip(rx, rxAt, rxLength, tx, txAt, slot) : 0,
      ),
      { batchSize: 16 },
    );
    for (let round = 0; round < 3; round++) {
      const client = await openClient(t);
      const replies = await ask(client, numbered(30), batch.port, '127.0.0.1', 10);
      t.deepEqual(
        replies.map(({ bytes }) => bytes[0]! ^ 0xff).toSorted((a, b) => a - b),
        [0, 3, 6, 9, 12, 15, 18, 21, 24, 27],
      );
    }
  });

  test(title('clients in one batch get their own replies'), async (t) => {
    const batch = await listen(t, handlerOf(flip));
    const clients = await Promise.all(Array.from({ length: 8 }, () => openClient(t)));
    await Promise.all(
      clients.map(async (client, i) => {
        const replies = await ask(client, [Uint8Array.of(i, i, i)], batch.port, '127.0.0.1');
        t.deepEqual([...replies[0]!.bytes], [i ^ 0xff, i ^ 0xff, i ^ 0xff]);
      }),
    );
  });

  test(title('addresses of client and server are told'), async (t) => {
    const seen = {
      family: 0,
      clientAddress: new Uint8Array(16),
      clientPort: 0,
      serverAddress: new Uint8Array(16),
      serverPort: 0,
    };
    const batch: UdpBatch = await listen(
      t,
      handlerOf((rx, rxAt, rxLength, tx, txAt, slot) => {
        batch.readAddresses(slot, seen);
        return flip(rx, rxAt, rxLength, tx, txAt, slot);
      }),
    );
    const client = await openClient(t);
    await ask(client, numbered(1), batch.port, '127.0.0.1');
    t.is(seen.family, 4);
    t.is(formatAddress(seen.clientAddress, 0, 4), '127.0.0.1');
    t.is(seen.clientPort, client.address().port);
    t.is(formatAddress(seen.serverAddress, 0, 4), '127.0.0.1');
    t.is(seen.serverPort, batch.port);
  });

  test(title('IPv6 listener tells and answers IPv6 clients'), async (t) => {
    const seen = {
      family: 0,
      clientAddress: new Uint8Array(16),
      clientPort: 0,
      serverAddress: new Uint8Array(16),
      serverPort: 0,
    };
    const batch: UdpBatch = await listen(
      t,
      handlerOf((rx, rxAt, rxLength, tx, txAt, slot) => {
        batch.readAddresses(slot, seen);
        return flip(rx, rxAt, rxLength, tx, txAt, slot);
      }),
      { address: '::1', family: 6 },
    );
    await ask(await openClient(t, 'udp6'), numbered(1), batch.port, '::1');
    t.is(seen.family, 6);
    t.is(formatAddress(seen.clientAddress, 0, 6), '::1');
    t.is(formatAddress(seen.serverAddress, 0, 6), '::1');
  });

  test(title('a dual-stack wildcard gives IPv4 clients the family 4'), async (t) => {
    const seen = {
      family: 0,
      clientAddress: new Uint8Array(16),
      clientPort: 0,
      serverAddress: new Uint8Array(16),
      serverPort: 0,
    };
    const batch: UdpBatch = await listen(
      t,
      handlerOf((rx, rxAt, rxLength, tx, txAt, slot) => {
        batch.readAddresses(slot, seen);
        return flip(rx, rxAt, rxLength, tx, txAt, slot);
      }),
      { address: '::', family: 6, dualStack: true },
    );
    const [reply] = await ask(await openClient(t), numbered(1), batch.port, '127.0.0.1');
    t.is(seen.family, 4);
    t.is(formatAddress(seen.clientAddress, 0, 4), '127.0.0.1');
    t.is(reply!.from.address, '127.0.0.1');
    await ask(await openClient(t, 'udp6'), numbered(1), batch.port, '::1');
    t.is(seen.family, 6);
  });

  test(title('a datagram longer than the slot is cut and flagged'), async (t) => {
    const seen: [number, boolean][] = [];
    const batch: UdpBatch = await listen(
      t,
      handlerOf((rx, rxAt, rxLength, tx, txAt, slot) => {
        seen.push([rxLength, batch.isTruncated(slot)]);
        return flip(rx, rxAt, Math.min(rxLength, 10), tx, txAt, slot);
      }),
    );
    const client = await openClient(t);
    const sizes = [RECEIVE_CAPACITY + 1, RECEIVE_CAPACITY];
    await ask(
      client,
      sizes.map((size) => new Uint8Array(size)),
      batch.port,
      '127.0.0.1',
    );
    t.deepEqual(
      seen.toSorted((a, b) => Number(a[1]) - Number(b[1])),
      [
        [RECEIVE_CAPACITY, false],
        [RECEIVE_CAPACITY, true],
      ],
    );
    t.is(batch.counters.truncatedReceives, 1);
  });

  test(title('an empty datagram is a packet of no bytes'), async (t) => {
    const lengths: number[] = [];
    const batch = await listen(
      t,
      handlerOf((_rx, _rxAt, rxLength, tx, txAt) => {
        lengths.push(rxLength);
        tx[txAt] = 1;
        return 1;
      }),
    );
    await ask(await openClient(t), [new Uint8Array(0)], batch.port, '127.0.0.1');
    t.deepEqual(lengths, [0]);
  });

  test(title('a reply that the kernel refuses is counted and the others of its batch leave'), async (t) => {
    const batch = await listen(
      t,
      handlerOf((rx, rxAt, rxLength, tx, txAt, slot) => {
        const length = flip(rx, rxAt, rxLength, tx, txAt, slot);
        return rx[rxAt] === 2 ? 65535 : length;
      }),
    );
    const replies = await ask(await openClient(t), numbered(6), batch.port, '127.0.0.1', 5);
    t.deepEqual(
      replies.map(({ bytes }) => bytes[0]! ^ 0xff).toSorted((a, b) => a - b),
      [0, 1, 3, 4, 5],
    );
    t.is(batch.counters.sendErrors.get('EMSGSIZE'), 1);
  });

  test(title('late replies go to their own client, more than a batch of them'), async (t) => {
    const waiting: { to: ReplyAddress; bytes: Uint8Array }[] = [];
    const batch: UdpBatch = await listen(
      t,
      handlerOf((rx, rxAt, rxLength, _tx, _txAt, slot) => {
        waiting.push({ to: batch.capture(slot), bytes: rx.slice(rxAt, rxAt + rxLength) });
        if (waiting.length === 50) {
          setImmediate(() => {
            for (const { to, bytes } of waiting.toReversed()) {
              const padded = new Uint8Array(bytes.length + 7);
              padded.set(bytes, 7);
              t.true(batch.sendTo(to, padded, 7, bytes.length));
            }
          });
        }
        return 0;
      }),
      { batchSize: 16 },
    );
    const clients = await Promise.all([openClient(t), openClient(t)]);
    const packets = numbered(25);
    const all = await Promise.all(clients.map((client) => ask(client, packets, batch.port, '127.0.0.1')));
    for (const replies of all) {
      t.deepEqual(
        replies.map(({ bytes }) => bytes[0]!).toSorted((a, b) => a - b),
        packets.map((bytes) => bytes[0]!),
      );
    }
    t.is(batch.counters.sent, 50);
    t.is(batch.counters.deferredDropped, 0);
  });

  test(title('a used reply address can be captured into again'), async (t) => {
    let address: ReplyAddress | undefined;
    const batch: UdpBatch = await listen(
      t,
      handlerOf((rx, rxAt, rxLength, _tx, _txAt, slot) => {
        const to = batch.capture(slot, address);
        if (address) t.is(to, address);
        address = to;
        batch.sendTo(to, rx, rxAt, rxLength);
        return 0;
      }),
    );
    for (let i = 0; i < 3; i++) {
      const [reply] = await ask(await openClient(t), [Uint8Array.of(i)], batch.port, '127.0.0.1');
      t.deepEqual([...reply!.bytes], [i]);
    }
  });

  test(title('a late reply after close is refused and counted'), async (t) => {
    let to: ReplyAddress | undefined;
    const batch: UdpBatch = await listen(
      t,
      handlerOf((rx, rxAt, rxLength, tx, txAt, slot) => {
        to = batch.capture(slot);
        return flip(rx, rxAt, rxLength, tx, txAt, slot);
      }),
    );
    await ask(await openClient(t), numbered(1), batch.port, '127.0.0.1');
    batch.close();
    batch.close();
    t.false(batch.sendTo(to!, new Uint8Array(3), 0, 3));
    t.is(batch.counters.deferredDropped, 1);
  });

  test(title('a port in use without reusePort is EADDRINUSE'), async (t) => {
    const first = await listen(t, handlerOf(flip));
    await t.throwsAsync(open({ ...LOOPBACK, port: first.port }, handlerOf(flip)), {
      code: 'EADDRINUSE',
    });
  });

  test(title('an address that is not ours is EADDRNOTAVAIL'), async (t) => {
    await t.throwsAsync(open({ ...LOOPBACK, address: '192.0.2.1' }, handlerOf(flip)), { code: 'EADDRNOTAVAIL' });
  });

  test(title('two listeners with reusePort share a port'), async (t) => {
    const unused = await listen(t, handlerOf(flip));
    const shared = { port: unused.port, reusePort: true };
    unused.close();
    const first = await whenFree(() => listen(t, handlerOf(flip), shared));
    const second = await listen(t, handlerOf(flip), shared);
    t.is(second.port, first.port);
    for (let i = 0; i < 8; i++) await ask(await openClient(t), numbered(4), first.port, '127.0.0.1');
    t.is(first.counters.received + second.counters.received, 32);
  });

  test(title('a listener that closes while it answers stops at once'), async (t) => {
    const batch: UdpBatch = await listen(
      t,
      handlerOf(() => {
        batch.close();
        return 0;
      }),
    );
    const client = await openClient(t);
    client.send(Uint8Array.of(1), batch.port, '127.0.0.1');
    while (batch.counters.received === 0) await new Promise((resolve) => setImmediate(resolve));
    const again = await whenFree(() => listen(t, handlerOf(flip), { port: batch.port }));
    t.is(again.port, batch.port);
  });
}

if (typeof libc !== 'string') {
  test('mmsg: a reply leaves from the address that was asked', async (t) => {
    const seen = {
      family: 0,
      clientAddress: new Uint8Array(16),
      clientPort: 0,
      serverAddress: new Uint8Array(16),
      serverPort: 0,
    };
    const late: ReplyAddress[] = [];
    const batch: UdpBatch = openMmsg(
      libc,
      { ...LOOPBACK, address: '0.0.0.0' },
      handlerOf((rx, rxAt, rxLength, tx, txAt, slot) => {
        batch.readAddresses(slot, seen);
        if (rx[rxAt] === 1) {
          late.push(batch.capture(slot));
          setImmediate(() => batch.sendTo(late[0]!, Uint8Array.of(9), 0, 1));
          return 0;
        }
        return flip(rx, rxAt, rxLength, tx, txAt, slot);
      }),
    );
    t.teardown(() => batch.close());
    for (const address of ['127.0.0.1', '127.9.8.7', '127.0.0.2']) {
      const [reply] = await ask(await openClient(t), [Uint8Array.of(0)], batch.port, address);
      t.is(reply!.from.address, address);
      t.is(formatAddress(seen.serverAddress, 0, 4), address);
    }
    const [reply] = await ask(await openClient(t), [Uint8Array.of(1)], batch.port, '127.4.4.4');
    t.is(reply!.from.address, '127.4.4.4');
  });

  test('mmsg: a second server on the port is refused although libuv was given the socket', async (t) => {
    const batch = openMmsg(libc, LOOPBACK, handlerOf(flip));
    t.teardown(() => batch.close());
    const other = dgram.createSocket({ type: 'udp4', reuseAddr: true });
    t.teardown(() => other.close());
    other.bind(batch.port, '127.0.0.1');
    const [error] = (await once(other, 'error')) as [NodeJS.ErrnoException];
    t.is(error.code, 'EADDRINUSE');
  });
}

test('recvmmsg is chosen where its self-test passes, and the choice says why', async (t) => {
  if (typeof libc === 'string') return t.is((await chooseUdp()).kind, 'dgram');
  return t.deepEqual(await chooseUdp(), { kind: 'mmsg', reason: 'recvmmsg self-test passed' });
});

for (const kind of typeof libc === 'string' ? ['dgram'] : ['dgram', 'mmsg']) {
  test(`${kind}: the socket of a worker thread that is terminated is closed`, async (t) => {
    const worker = new Worker(new URL('./udp-worker.ts', import.meta.url), {
      env: { ...process.env, CLUSTERDNS_UDP: kind },
    });
    const [port] = (await once(worker, 'message')) as [number];
    const client = await openClient(t);
    await ask(client, numbered(4), port, '127.0.0.1');
    await worker.terminate();
    const again = await whenFree(() => openDgram({ ...LOOPBACK, port }, handlerOf(flip)));
    t.is(again.port, port);
    again.close();
  });
}

/** Opens a port just closed: a child that another test forks holds a copy of every descriptor until it is its program. */
async function whenFree(open: () => Promise<UdpBatch>): Promise<UdpBatch> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await open();
    } catch (error) {
      if (attempt === 20) throw error;
      await new Promise<void>((resolve) => void setTimeout(resolve, 50));
    }
  }
}
