// What a forger has to guess of a query to an upstream: its ID and its source port. Over 100,000 queries, on ports that are none.
import test from 'ava';
import { systemClock } from '../../../lib/base/clock.ts';
import type { PortTarget, PortUser, UdpPort, UdpPorts } from '../../../lib/io/upstream-ports.ts';
import { createUpstreams } from '../../../lib/io/upstreams.ts';

const QUERIES = 100_000;
/** `x.` A IN, ID 0. */
const QUERY = Uint8Array.from([0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0x78, 0, 0, 1, 0, 1]);
/** 255 degrees of freedom: mean 255, deviation 22.6. A fair source is above this once in 10^15 tests. */
const MAX_CHI_SQUARE = 255 + 9 * 22.6;

/** Answers each query at once and notes where it came from. */
class NotedPorts implements UdpPorts {
  readonly ids: number[] = [];
  /** Number of the port of each query, in the order in which they were opened. */
  readonly ports: number[] = [];
  opened = 0;

  open(_target: PortTarget, user: PortUser): UdpPort {
    const number = this.opened++;
    return {
      formatLocal: () => `127.0.0.1:${number}`,
      close: () => undefined,
      send: (message, id) => {
        this.ids.push(id);
        this.ports.push(number);
        const reply = message.slice();
        reply[0] = id >> 8;
        reply[1] = id & 255;
        reply[2] = 0x80;
        user.receive(reply, reply.length);
      },
    };
  }

  close(): void {
    // Nothing is open.
  }
}

async function askMany(count: number): Promise<NotedPorts> {
  const ports = new NotedPorts();
  const upstreams = createUpstreams(systemClock, () => ports);
  const target = { address: '127.0.0.1', port: 53, expireMs: 600_000, maxAgeMs: 0, maxIdleSockets: 0 };
  const upstream = upstreams.open(target);
  for (let i = 0; i < count; i++) await upstream.exchange(QUERY, 'udp', 60_000);
  upstreams.close();
  return ports;
}

/** How far the counts of `values`, each in [0, 256), are from equal. */
function chiSquare(values: readonly number[]): number {
  const counts = new Float64Array(256);
  for (const value of values) counts[value]!++;
  const expected = values.length / 256;
  return counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
}

test('CVE-2019-19794: over 100,000 queries IDs are even in each byte, and one does not tell of the next', async (t) => {
  const { ids, ports } = await askMany(QUERIES);
  t.is(ids.length, QUERIES);
  const next = ids.slice(1);
  const samples: Readonly<Record<string, readonly number[]>> = {
    'high byte': ids.map((id) => id >> 8),
    'low byte': ids.map((id) => id & 255),
    'difference, high byte': next.map((id, i) => ((id - ids[i]!) >> 8) & 255),
    'difference, low byte': next.map((id, i) => (id - ids[i]!) & 255),
    'exclusive or, high byte': next.map((id, i) => (id ^ ids[i]!) >> 8),
  };
  for (const [what, values] of Object.entries(samples)) {
    const found = chiSquare(values);
    t.true(found < MAX_CHI_SQUARE, `${what}: ${found}`);
  }
  // 100,000 draws from 65,536 leave 51,300 different ones, give or take 120.
  const different = new Set(ids).size;
  t.true(different > 50_300 && different < 52_300, `${different} different IDs`);
  // Port and ID together: a pair comes again about 500 times where 160 ports and 65,536 IDs are drawn from.
  const pairs = new Set(ids.map((id, i) => ports[i]! * 65_536 + id)).size;
  t.true(pairs > QUERIES - 1000, `${pairs} different pairs of port and ID`);
});

test('CVE-2019-19794: 500 queries one after the other use at least 128 source ports, in no order', async (t) => {
  const { ports } = await askMany(500);
  t.true(new Set(ports).size >= 128, `${new Set(ports).size} ports`);
  const same = ports.slice(1).filter((port, i) => port === ports[i]).length;
  t.true(same < 30, `${same} times the port of the query before`);
});

test('CVE-2019-19794: over 100,000 queries ports are replaced, none serves more than 512', async (t) => {
  const { ports, opened } = await askMany(QUERIES);
  const uses = new Int32Array(opened);
  for (const port of ports) uses[port]!++;
  t.true(opened >= QUERIES / 512, `${opened} ports`);
  t.true(Math.max(...uses) <= 512, `${Math.max(...uses)} uses`);
});
