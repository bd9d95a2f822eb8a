// Datagrams that somebody sends in an upstream's name: they end no wait, and they cannot keep this process busy.
import dgram from 'node:dgram';
import { once } from 'node:events';
import test, { type ExecutionContext } from 'ava';
import { ManualClock, systemClock } from '../../../lib/base/clock.ts';
import type { UpstreamTarget } from '../../../lib/chain/plugin.ts';
import { loadLibc } from '../../../lib/io/libc.ts';
import { randomUint16 } from '../../../lib/io/random.ts';
import { MmsgPorts } from '../../../lib/io/upstream-ports-mmsg.ts';
import { DgramPorts, type UdpPorts } from '../../../lib/io/upstream-ports.ts';
import type { UpstreamCounters } from '../../../lib/io/upstream-udp.ts';
import { type OwnedUpstreams, createUpstreams } from '../../../lib/io/upstreams.ts';

const libc = loadLibc();
const WAYS: readonly (readonly [string, () => UdpPorts])[] = [
  ['dgram', () => new DgramPorts()],
  ...(typeof libc === 'string' ? [] : [['mmsg', () => new MmsgPorts(libc)] as const]),
];
/** `x.` A IN, ID 0. */
const QUERY = Uint8Array.from([0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0x78, 0, 0, 1, 0, 1]);

type Serve = (query: Buffer, send: (reply: Uint8Array) => void, from: dgram.RemoteInfo) => void;

async function serve(t: ExecutionContext, answer: Serve): Promise<UpstreamTarget> {
  const socket = dgram.createSocket('udp4');
  t.teardown(() => socket.close());
  socket.on('message', (query, from) => answer(query, (reply) => socket.send(reply, from.port, from.address), from));
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return { address: '127.0.0.1', port: socket.address().port, expireMs: 10_000, maxAgeMs: 0, maxIdleSockets: 0 };
}

function create(t: ExecutionContext, ports: () => UdpPorts, clock = systemClock): OwnedUpstreams {
  const upstreams = createUpstreams(clock, ports);
  t.teardown(() => upstreams.close());
  return upstreams;
}

function replyTo(query: Uint8Array, mark: number): Buffer {
  const reply = Buffer.from(query);
  reply[2] = 0x80;
  reply[3] = mark;
  return reply;
}

const until = async (condition: () => boolean): Promise<void> => {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
};

/** What a forger may send for one query, each with a wrong ID, question, type or class, or no reply at all. */
const FORGERIES: readonly (readonly [string, (right: Buffer) => Uint8Array])[] = [
  ['another ID', (right) => change(right, 1, 1)],
  ['another name', (right) => change(right, 13, 1)],
  ['another type', (right) => change(right, 16, 1)],
  ['another class', (right) => change(right, 18, 2)],
  ['no response bit', (right) => change(right, 2, 0x80)],
  ['no question', (right) => change(right, 5, 1)],
  ['two questions', (right) => change(right, 5, 3)],
  ['half a header', (right) => right.subarray(0, 7)],
  ['nothing', () => new Uint8Array(0)],
  ['noise', () => Uint8Array.from({ length: 60 }, () => randomUint16() & 255)],
];

function change(right: Buffer, at: number, by: number): Buffer {
  right[at]! ^= by;
  return right;
}

for (const [kind, ports] of WAYS) {
  for (const [what, forge] of FORGERIES) {
    test(`CVE-2023-28452: udp by ${kind}: a datagram with ${what} does not end the wait for the right one`, async (t) => {
      const target = await serve(t, (query, send) => {
        send(forge(replyTo(query, 6)));
        send(replyTo(query, 5));
      });
      const upstreams = create(t, ports);
      const reply = await upstreams.open(target).exchange(QUERY, 'udp', 5000);
      t.is(reply.bytes[3], 5);
      t.is(upstreams.counters()[0]!.counters.mismatches, 1);
      const upstream = upstreams.open(target);
      t.deepEqual([upstream.takeMismatches(), upstream.takeMismatches()], [1, 0]);
    });
  }

  test(`CVE-2023-28452: udp by ${kind}: 2,000 forged datagrams to a port cost no more than some hundred, and the query is answered`, async (t) => {
    let firstPort = 0;
    const target = await serve(t, (query, send, from) => {
      if (firstPort === 0) firstPort = from.port;
      if (from.port !== firstPort) return send(replyTo(query, 5));
      for (let i = 0; i < 2000; i++) send(change(replyTo(query, 6), 1, 1));
      return undefined;
    });
    const upstreams = create(t, ports);
    const upstream = upstreams.open(target);
    t.is((await upstream.exchange(QUERY, 'udp', 60_000)).bytes[3], 5);
    t.is((await upstream.exchange(QUERY, 'udp', 60_000)).bytes[3], 5);
    const { counters } = upstreams.counters()[0]!;
    t.true(counters.fled >= 1);
    // 128 and 4 for the query, and what one wake-up takes in.
    t.true(counters.mismatches > 128 && counters.mismatches <= 200 * counters.fled, `${counters.mismatches} looked at`);
  });

  test(`CVE-2023-28452: udp by ${kind}: a forger who sees every query chases it from one port once, and the right reply counts`, async (t) => {
    const seen = new Set<number>();
    const target = await serve(t, (query, send, from) => {
      seen.add(from.port);
      for (let i = 0; i < 200; i++) send(change(replyTo(query, 6), 1, 1));
      send(replyTo(query, 5));
    });
    const upstreams = create(t, ports);
    const upstream = upstreams.open(target);
    for (let i = 0; i < 5; i++) t.is((await upstream.exchange(QUERY, 'udp', 60_000)).bytes[3], 5);
    const { counters } = upstreams.counters()[0]!;
    t.true(counters.fled <= 5, `${counters.fled} ports given up`);
    t.true(seen.size <= 10, `${seen.size} ports`);
  });

  test(`udp by ${kind}: an upstream whose replies all come late, twice, makes no port be given up`, async (t) => {
    const late: (() => void)[] = [];
    const target = await serve(t, (query, send) => {
      late.push(() => send(replyTo(query, 5)));
    });
    const clock = new ManualClock();
    const upstreams = create(t, ports, clock);
    const counters: UpstreamCounters = (upstreams.open(target), upstreams.counters()[0]!.counters);
    const upstream = upstreams.open(target);
    let failed = 0;
    for (let i = 0; i < 80; i++) upstream.exchange(QUERY, 'udp', 500).catch(() => failed++);
    await until(() => late.length === 80);
    clock.advance(600);
    await until(() => failed === 80);
    for (const send of late) send();
    for (const send of late) send();
    await until(() => counters.mismatches > 140);
    t.is(counters.fled, 0);
  });
}
