// Names that go to upstreams in letters of random case (0x20), and replies that come back in other ones.
import dgram from 'node:dgram';
import { once } from 'node:events';
import test, { type ExecutionContext } from 'ava';
import { ManualClock, systemClock } from '../../../lib/base/clock.ts';
import type { CaseMixing, UpstreamTarget } from '../../../lib/chain/plugin.ts';
import { mixLetterCase } from '../../../lib/io/letter-case.ts';
import { loadLibc } from '../../../lib/io/libc.ts';
import { MmsgPorts } from '../../../lib/io/upstream-ports-mmsg.ts';
import { DgramPorts, type UdpPorts } from '../../../lib/io/upstream-ports.ts';
import { type OwnedUpstreams, createUpstreams } from '../../../lib/io/upstreams.ts';

const libc = loadLibc();
const WAYS: readonly (readonly [string, () => UdpPorts])[] = [
  ['dgram', () => new DgramPorts()],
  ...(typeof libc === 'string' ? [] : [['mmsg', () => new MmsgPorts(libc)] as const]),
];
const NAME = 'Some-Long-Name42.example';

function queryFor(name: string): Uint8Array {
  const labels = name.split('.').flatMap((label) => [label.length, ...Buffer.from(label)]);
  return Uint8Array.from([0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...labels, 0, 0, 1, 0, 1]);
}

function nameOf(message: Uint8Array): string {
  return Buffer.from(message.subarray(12, message.length - 5)).toString('latin1');
}

function isPlain(message: Uint8Array): boolean {
  return nameOf(message) === nameOf(queryFor(NAME));
}

type Serve = (query: Buffer, send: (reply: Uint8Array) => void) => void;

async function serve(t: ExecutionContext, answer: Serve): Promise<UpstreamTarget> {
  const socket = dgram.createSocket('udp4');
  t.teardown(() => socket.close());
  socket.on('message', (query, from) => answer(query, (reply) => socket.send(reply, from.port, from.address)));
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return { address: '127.0.0.1', port: socket.address().port, expireMs: 10_000, maxAgeMs: 0, maxIdleSockets: 0 };
}

function create(t: ExecutionContext, ports: () => UdpPorts, clock = systemClock): OwnedUpstreams {
  const upstreams = createUpstreams(clock, ports);
  t.teardown(() => upstreams.close());
  return upstreams;
}

function makeMixing(): CaseMixing & { count: number } {
  return {
    count: 0,
    noteOtherCase() {
      this.count++;
    },
  };
}

function replyTo(query: Uint8Array, mark = 0): Buffer {
  const reply = Buffer.from(query);
  reply[2] = 0x80;
  reply[3] = mark;
  return reply;
}

/** A reply whose question is in lower case. */
function lowered(query: Uint8Array, mark = 0): Buffer {
  const reply = replyTo(query, mark);
  reply.write(nameOf(query).toLowerCase(), 12, 'latin1');
  return reply;
}

test('each letter is turned in half of the messages, nothing else is, and the message given stays', (t) => {
  const message = queryFor(NAME);
  const before = message.slice();
  const turned = new Int32Array(message.length);
  const rounds = 2000;
  for (let round = 0; round < rounds; round++) {
    const mixed = mixLetterCase(message);
    for (let at = 0; at < message.length; at++) if (mixed[at] !== message[at]) turned[at]!++;
  }
  t.deepEqual(message, before);
  for (let at = 0; at < message.length; at++) {
    const isLetter = at >= 12 && at < message.length - 5 && /[A-Za-z]/.test(String.fromCharCode(message[at]!));
    if (isLetter) t.true(turned[at]! > 0.4 * rounds && turned[at]! < 0.6 * rounds, `byte ${at}: ${turned[at]}`);
    else t.is(turned[at], 0, `byte ${at}`);
  }
});

for (const [kind, ports] of WAYS) {
  const title = (text: string): string => `udp by ${kind}, mixed letters: ${text}`;

  test(title('each query has its own, and the reply comes with those that were given'), async (t) => {
    const seen = new Set<string>();
    const target = await serve(t, (query, send) => {
      seen.add(nameOf(query));
      send(replyTo(query, 5));
    });
    const upstream = create(t, ports).open(target);
    const mixing = makeMixing();
    for (let i = 0; i < 50; i++) {
      const { bytes, length } = await upstream.exchange(queryFor(NAME), 'udp', 5000, mixing);
      t.is(nameOf(bytes.slice(0, length)), nameOf(queryFor(NAME)));
      t.is(bytes[3], 5);
    }
    t.true(seen.size > 45, `${seen.size} spellings`);
    t.is(mixing.count, 0);
  });

  test(
    title('a reply in other letters is ignored and counted; the query goes out as given with another ID'),
    async (t) => {
      const asked: Buffer[] = [];
      const target = await serve(t, (query, send) => {
        asked.push(query);
        // A forger who knows port and ID but not the letters; the server itself is slower.
        if (asked.length === 1) send(lowered(query, 6));
        else send(replyTo(query, 5));
      });
      const upstreams = create(t, ports);
      const mixing = makeMixing();
      const reply = await upstreams.open(target).exchange(queryFor(NAME), 'udp', 5000, mixing);
      t.is(reply.bytes[3], 5);
      t.deepEqual([asked.length, mixing.count, upstreams.counters()[0]!.counters.mismatches], [2, 1, 1]);
      t.false(isPlain(asked[0]!));
      t.true(isPlain(asked[1]!));
      t.false(asked[0]!.subarray(0, 2).equals(asked[1]!.subarray(0, 2)));
    },
  );

  test(title('a server that never keeps the case is asked twice and understood'), async (t) => {
    const target = await serve(t, (query, send) => send(lowered(query, 5)));
    const upstreams = create(t, ports);
    const mixing = makeMixing();
    for (let i = 0; i < 20; i++) {
      const { bytes } = await upstreams.open(target).exchange(queryFor(NAME), 'udp', 5000, mixing);
      t.is(bytes[3], 5);
    }
    t.is(mixing.count, 20);
    t.is(upstreams.counters()[0]!.counters.sent, 40);
  });

  test(title('what is sent again has the time that was left'), async (t) => {
    let release = (): void => undefined;
    let asked = 0;
    const target = await serve(t, (query, send) => {
      asked++;
      if (asked === 1) release = () => send(lowered(query));
    });
    const clock = new ManualClock();
    const until = async (condition: () => boolean): Promise<void> => {
      while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
    };
    let error: Error | undefined;
    create(t, ports, clock)
      .open(target)
      .exchange(queryFor(NAME), 'udp', 2000, makeMixing())
      .catch((failure: Error) => void (error = failure));
    await until(() => asked === 1);
    clock.advance(1500);
    release();
    await until(() => asked === 2);
    clock.advance(400);
    await new Promise((resolve) => setImmediate(resolve));
    t.is(error, undefined);
    clock.advance(150);
    await until(() => error !== undefined);
    t.regex(error!.message, /i\/o timeout$/);
  });

  test(title('an error that is a header alone is a reply'), async (t) => {
    const target = await serve(t, (query, send) => {
      send(Uint8Array.from([query[0]!, query[1]!, 0x80, 1, 0, 0, 0, 0, 0, 0, 0, 0]));
    });
    const { length } = await create(t, ports).open(target).exchange(queryFor(NAME), 'udp', 5000, makeMixing());
    t.is(length, 12);
  });
}
