import { randomInt } from 'node:crypto';
import test from 'ava';
import { Answer } from '../../../../lib/chain/answer.ts';
import { Outcome } from '../../../../lib/chain/outcome.ts';
import type { Handler } from '../../../../lib/chain/plugin.ts';
import { MetricRegistry } from '../../../../lib/metrics/registry.ts';
import { createCacheHandler } from '../../../../lib/plugins/cache/handler.ts';
import { setupCache } from '../../../../lib/plugins/cache/setup.ts';
import { createForwardHandler } from '../../../../lib/plugins/forward/handler.ts';
import { setupForward, type ForwardOptions } from '../../../../lib/plugins/forward/setup.ts';
import { SECTION } from '../../../../lib/wire/record-index.ts';
import { RRTYPE } from '../../../../lib/wire/types.ts';
import {
  type Asked,
  type Reply,
  type Responder,
  type TestEnv,
  ask,
  directivesOf,
  format,
  makeContext,
  makeEnv,
  makeQuery,
  readMetric,
} from '../fake-chain.ts';

type Rig = TestEnv & {
  handler: Handler;
  metric: (name: string, labels?: Record<string, string>) => number;
  query: (name: string, asked?: Asked) => Promise<Reply>;
  /** Queries that reached the upstream. */
  readonly upstream: number;
};

/** A cache in front of one upstream. */
function makeRig(cacheLine: string, respond: Responder, worker = 0): Rig {
  const metrics = new MetricRegistry();
  const context = makeContext(['.'], metrics);
  const cacheOptions = setupCache(directivesOf('cache', cacheLine), context);
  const forwardOptions = setupForward(directivesOf('forward', 'forward . 192.0.2.1'), context) as ForwardOptions;
  const env = makeEnv({ respond, worker });
  const handler = createCacheHandler(cacheOptions, { ...env, next: createForwardHandler(forwardOptions, env) });
  return {
    ...env,
    handler,
    metric: (name, labels) => readMetric(metrics, env.cells, name, labels),
    query: (name, asked) => ask(handler, makeQuery(name, env.clock, asked)),
    get upstream() {
      return env.exchanges.length;
    },
  };
}

const SOA = {
  type: 'SOA' as const,
  name: 'test',
  ttl: 60,
  data: { mname: 'ns.test', rname: 'host.test', serial: 1, refresh: 1, retry: 1, expire: 1, minimum: 10 },
};
const a = (name: string, ttl: number, data = '10.0.0.1') => ({ type: 'A' as const, name, ttl, data });
const NXDOMAIN = { rcode: 3, authorities: [SOA] } as never;
const SERVFAIL = { rcode: 2 } as never;

test('a hit is the miss again with the TTL counted down, without asking upstream', async (t) => {
  const rig = makeRig('cache', () => ({ answers: [a('www.test', 300)] }));
  const miss = await rig.query('www.test');
  t.deepEqual(format(miss.packet.answers), ['www.test 300 A 10.0.0.1']);
  t.false(miss.packet.flag_aa);
  rig.clock.advance(10_999);
  const hit = await rig.query('www.test');
  t.deepEqual(format(hit.packet.answers), ['www.test 290 A 10.0.0.1']);
  t.true(hit.packet.flag_aa);
  t.true(hit.packet.flag_ra);
  t.is(rig.upstream, 1);
  t.is(rig.metric('coredns_cache_requests_total'), 2);
  t.is(rig.metric('coredns_cache_misses_total'), 1);
  t.is(rig.metric('coredns_cache_hits_total', { type: 'success' }), 1);
  t.is(rig.metric('coredns_cache_entries', { type: 'success', zones: '.', server: 'dns://:1053', view: '' }), 1);
});

test('hit and miss have the same bytes but AA', async (t) => {
  const rig = makeRig('cache', () => ({
    answers: [{ type: 'CNAME', name: 'a.test', ttl: 30, data: 'b.test' }, a('b.test', 30), a('b.test', 30, '10.0.0.2')],
    authorities: [{ type: 'NS', name: 'test', ttl: 30, data: 'ns.test' }],
    additionals: [a('ns.test', 30, '10.0.0.3')],
  }));
  for (const edns of [false, true]) {
    const miss = await rig.query('a.test', { edns });
    const hit = await rig.query('a.test', { edns });
    hit.bytes[2]! &= ~4;
    miss.bytes[2]! &= ~4;
    t.deepEqual(hit.bytes, miss.bytes);
  }
  t.is(rig.upstream, 1);
});

test('an expired entry is asked for again', async (t) => {
  const rig = makeRig('cache', () => ({ answers: [a('www.test', 20)] }));
  await rig.query('www.test');
  rig.clock.advance(19_999);
  t.deepEqual(format((await rig.query('www.test')).packet.answers), ['www.test 1 A 10.0.0.1']);
  rig.clock.advance(1);
  t.deepEqual(format((await rig.query('www.test')).packet.answers), ['www.test 20 A 10.0.0.1']);
  t.is(rig.upstream, 2);
});

const TTLS = [
  // cache line                                             upstream TTLs   client sees
  ['cache', [0, 600], 5],
  ['cache', [90_000], 3600],
  ['cache', [2 ** 31, 2 ** 32 - 1], 3600],
  ['cache', [600, 40], 40],
  ['cache 30', [300], 30],
  ['cache 30', [10], 10],
  ['cache {\n success 1000 600 20\n}', [7], 20],
  ['cache {\n success 1000 600 20\n}', [7000], 600],
] as const;
for (const [line, ttls, expected] of TTLS) {
  test(`${line.replaceAll('\n', ' ')}: upstream TTLs ${ttls.join()} become ${expected} in all records`, async (t) => {
    const rig = makeRig(line, () => ({ answers: ttls.map((ttl, i) => a('www.test', ttl, `10.0.0.${i}`)) }));
    const { packet } = await rig.query('www.test');
    t.deepEqual(
      format(packet.answers),
      ttls.map((_, i) => `www.test ${expected} A 10.0.0.${i}`),
    );
  });
}

test('TTL 0 with MINTTL 0 is passed on and not kept', async (t) => {
  const rig = makeRig('cache {\n success 1000 3600 0\n}', () => ({ answers: [a('zero.test', 0)] }));
  t.deepEqual(format((await rig.query('zero.test')).packet.answers), ['zero.test 0 A 10.0.0.1']);
  await rig.query('zero.test');
  t.is(rig.upstream, 2);
});

const KEPT = [
  // what                                   reply                                                  type    kept
  ['NXDOMAIN with SOA', NXDOMAIN, 'A', true],
  ['NXDOMAIN without SOA', { rcode: 3 }, 'A', false],
  ['NODATA', { authorities: [SOA] }, 'MX', true],
  ['SERVFAIL', SERVFAIL, 'A', true],
  ['NOTIMP', { rcode: 4 }, 'A', true],
  ['REFUSED', { rcode: 5 }, 'A', false],
  ['empty NOERROR without SOA', {}, 'A', true],
  ['delegation', { authorities: [{ type: 'NS', name: 'x.test', ttl: 30, data: 'ns.test' }] }, 'A', true],
  ['truncated', { flags: 0x0280, answers: [a('x.test', 60)] }, 'A', false],
  [
    'CNAME that ends without the type, SOA',
    { answers: [{ type: 'CNAME', name: 'x.test', ttl: 60, data: 'y.test' }], authorities: [SOA] },
    'A',
    true,
  ],
  [
    'CNAME that ends without the type, no SOA',
    { answers: [{ type: 'CNAME', name: 'x.test', ttl: 60, data: 'y.test' }] },
    'A',
    false,
  ],
  [
    'CNAME loop',
    {
      answers: [
        { type: 'CNAME', name: 'x.test', ttl: 60, data: 'y.test' },
        { type: 'CNAME', name: 'y.test', ttl: 60, data: 'x.test' },
      ],
    },
    'A',
    false,
  ],
  [
    'two targets of one CNAME',
    {
      answers: [
        { type: 'CNAME', name: 'x.test', ttl: 60, data: 'y.test' },
        { type: 'CNAME', name: 'x.test', ttl: 60, data: 'z.test' },
        a('y.test', 60),
      ],
    },
    'A',
    false,
  ],
  [
    'NXDOMAIN behind a CNAME',
    { rcode: 3, answers: [{ type: 'CNAME', name: 'x.test', ttl: 60, data: 'y.test' }], authorities: [SOA] },
    'A',
    false,
  ],
] as const;
for (const [what, reply, type, kept] of KEPT) {
  test(`${what} is ${kept ? 'kept' : 'not kept'}`, async (t) => {
    const rig = makeRig('cache', () => reply as never);
    const first = await rig.query('x.test', { type });
    const second = await rig.query('x.test', { type });
    t.is(rig.upstream, kept ? 1 : 2);
    t.is(second.answer.rcode, first.answer.rcode);
    t.deepEqual(format(second.packet.answers), format(first.packet.answers));
    t.deepEqual(format(second.packet.authorities), format(first.packet.authorities));
  });
}

test('SERVFAIL is kept for the servfail time, and not at all with servfail 0', async (t) => {
  const rig = makeRig('cache {\n servfail 3s\n}', () => SERVFAIL);
  await rig.query('x.test');
  rig.clock.advance(2999);
  await rig.query('x.test');
  t.is(rig.upstream, 1);
  rig.clock.advance(1);
  await rig.query('x.test');
  t.is(rig.upstream, 2);
  const off = makeRig('cache {\n servfail 0\n}', () => SERVFAIL);
  await off.query('x.test');
  await off.query('x.test');
  t.is(off.upstream, 2);
});

const OWN_ENTRIES: readonly (readonly [string, Asked, boolean])[] = [
  // variation       how the second asks                own entry
  ['DO', { dnssecOk: true }, true],
  ['CD', { flags: 0x10 }, true],
  ['type', { type: 'AAAA' }, true],
  ['class', { class: 'CH' }, true],
  ['EDNS', { edns: true }, false],
  ['AD', { flags: 0x20 }, false],
  ['TCP', { tcp: true }, false],
];
for (const [what, asked, own] of OWN_ENTRIES) {
  test(`${what} ${own ? 'has its own entry (CVE-2024-0874, #8261)' : 'shares the entry'}`, async (t) => {
    const rig = makeRig('cache', () => ({ authorities: [SOA] }));
    await rig.query('x.test');
    await rig.query('x.test', asked);
    t.is(rig.upstream, own ? 2 : 1);
    await rig.query('X.test', asked);
    t.is(rig.upstream, own ? 2 : 1);
  });
}

test('AD reaches only clients that set AD or DO, and upstream is always asked with AD', async (t) => {
  const rig = makeRig('cache', () => ({ flags: 0xa0, answers: [a('x.test', 60)] }));
  t.false((await rig.query('x.test')).packet.flag_ad);
  t.false((await rig.query('x.test')).packet.flag_ad);
  t.true((await rig.query('x.test', { flags: 0x20 })).packet.flag_ad);
  t.true((await rig.query('x.test', { dnssecOk: true })).packet.flag_ad);
  t.true((rig.exchanges[0]!.message[3]! & 0x20) !== 0);
});

test('the question comes back as the client spelled it', async (t) => {
  const rig = makeRig('cache', () => ({ answers: [a('www.test', 60)] }));
  await rig.query('www.test');
  const { packet } = await rig.query('wWw.TeSt');
  t.is(packet.questions![0]!.name, 'wWw.TeSt');
  t.is(rig.upstream, 1);
});

test('disable leaves out its kind in its zones only', async (t) => {
  const respond: Responder = ({ message }) =>
    Buffer.from(message).includes('nx') ? NXDOMAIN : { answers: [a('a.cluster.local', 60)] };
  const rig = makeRig('cache 30 {\n disable success cluster.local\n}', respond);
  for (let i = 0; i < 2; i++) await rig.query('a.CLUSTER.local');
  t.is(rig.upstream, 2);
  for (let i = 0; i < 2; i++) await rig.query('nx.cluster.local');
  t.is(rig.upstream, 3);
});

test('own zones are passed through with clamped TTLs and never kept', async (t) => {
  const context = makeContext();
  const options = setupCache(directivesOf('cache', 'cache 30'), context);
  let asked = 0;
  const live: Handler = (_query, answer) => {
    asked++;
    answer.live = true;
    answer.authoritative = true;
    answer.addAddresses(3600, 4, Uint8Array.of(10, 96, 0, 1), 0, 1);
    return Outcome.ANSWERED;
  };
  const env = makeEnv({ next: live });
  const handler = createCacheHandler(options, env);
  for (let i = 0; i < 3; i++) {
    const { packet } = await ask(handler, makeQuery('web.shop.svc.cluster.local', env.clock));
    t.deepEqual(format(packet.answers), ['web.shop.svc.cluster.local 30 A 10.96.0.1']);
  }
  t.is(asked, 3);
});

test('names outside the zones of the cache go past it', async (t) => {
  const rig = makeRig('cache 60 example.test', () => ({ answers: [a('x.other.test', 300)] }));
  t.deepEqual(format((await rig.query('x.other.test')).packet.answers), ['x.other.test 300 A 10.0.0.1']);
  await rig.query('x.other.test');
  t.is(rig.upstream, 2);
  t.is(rig.metric('coredns_cache_requests_total'), 0);
});

test('keepttl tells the stored TTL', async (t) => {
  const rig = makeRig('cache {\n keepttl\n}', () => ({ answers: [a('x.test', 300)] }));
  await rig.query('x.test');
  rig.clock.advance(100_000);
  t.deepEqual(format((await rig.query('x.test')).packet.answers), ['x.test 300 A 10.0.0.1']);
});

test('EDNS options of the upstream reach no client', async (t) => {
  const rig = makeRig('cache', () => ({
    answers: [a('x.test', 60)],
    additionals: [
      {
        type: 'OPT',
        name: '.',
        udpPayloadSize: 1232,
        flags: 0,
        options: [{ code: 15, data: Buffer.from([0, 18]) }],
      } as never,
    ],
  }));
  for (let i = 0; i < 2; i++) {
    const { packet } = await rig.query('x.test', { edns: true });
    const opt = packet.additionals!.find((record) => record.type === 'OPT') as { options: unknown[] };
    t.deepEqual(opt.options, []);
  }
});

test('an answer for one client network is passed on and not kept, one for all networks is (RFC 7871)', async (t) => {
  for (const [scope, kept] of [
    [24, false],
    [0, true],
  ] as const) {
    const subnet = { code: 8, data: Buffer.from([0, 1, 24, scope, 10, 1, 2]) };
    const rig = makeRig('cache', () => ({
      answers: [a('x.test', 60)],
      additionals: [{ type: 'OPT', name: '.', udpPayloadSize: 1232, flags: 0, options: [subnet] } as never],
    }));
    await rig.query('x.test', { edns: true });
    t.deepEqual(format((await rig.query('x.test', { edns: true })).packet.answers), ['x.test 60 A 10.0.0.1']);
    t.is(rig.upstream, kept ? 1 : 2, `scope ${scope}`);
  }
});

test('prefetch: a popular entry near its end is refreshed behind the answer, an unpopular one is not', async (t) => {
  const rig = makeRig('cache {\n success 1000 3600 0\n prefetch 2 10s 50%\n}', () => ({ answers: [a('hot.test', 6)] }));
  await rig.query('hot.test');
  for (let i = 0; i < 3; i++) await rig.query('hot.test');
  t.is(rig.upstream, 1);
  rig.clock.advance(3000);
  t.deepEqual(format((await rig.query('hot.test')).packet.answers), ['hot.test 3 A 10.0.0.1']);
  await settle();
  t.is(rig.upstream, 2);
  t.deepEqual(format((await rig.query('hot.test')).packet.answers), ['hot.test 6 A 10.0.0.1']);
  t.is(rig.metric('coredns_cache_prefetch_total'), 1);

  const cold = makeRig('cache {\n success 1000 3600 0\n prefetch 5 10s 50%\n}', () => ({
    answers: [a('cold.test', 6)],
  }));
  await cold.query('cold.test');
  cold.clock.advance(4000);
  await cold.query('cold.test');
  await settle();
  t.is(cold.upstream, 1);
});

test('serve_stale immediate: the old answer at once with TTL 0, one refresh behind it', async (t) => {
  let address = '10.0.0.1';
  const rig = makeRig('cache {\n success 1000 3600 0\n serve_stale 1h\n}', () => ({
    answers: [a('s.test', 1, address)],
  }));
  await rig.query('s.test');
  address = '10.0.0.2';
  rig.clock.advance(1700);
  const stale = await rig.query('s.test', { edns: true });
  t.deepEqual(format(stale.packet.answers), ['s.test 0 A 10.0.0.1']);
  t.is(stale.answer.ede, 3);
  await rig.query('s.test');
  await settle();
  t.is(rig.upstream, 2);
  t.deepEqual(format((await rig.query('s.test')).packet.answers), ['s.test 1 A 10.0.0.2']);
  t.is(rig.metric('coredns_cache_served_stale_total'), 2);
});

test('serve_stale: a failing upstream never replaces the good answer, the window ends', async (t) => {
  let reply: unknown = { answers: [a('s.test', 1)] };
  const rig = makeRig(
    'cache {\n success 1000 3600 0\n serve_stale 10s immediate 7s\n servfail 0\n}',
    () => reply as never,
  );
  await rig.query('s.test');
  reply = SERVFAIL;
  rig.clock.advance(2000);
  for (let i = 0; i < 3; i++) {
    t.deepEqual(format((await rig.query('s.test')).packet.answers), ['s.test 7 A 10.0.0.1']);
    await settle();
  }
  t.is(rig.upstream, 4);
  rig.clock.advance(9000);
  t.is((await rig.query('s.test')).answer.rcode, 2);
});

test('serve_stale recheck: a failed refresh is not repeated within the pause', async (t) => {
  let reply: unknown = { answers: [a('s.test', 1)] };
  const rig = makeRig('cache {\n success 1000 3600 0\n serve_stale 1h immediate 0s 30s\n}', () => reply as never);
  await rig.query('s.test');
  reply = SERVFAIL;
  rig.clock.advance(2000);
  for (let i = 0; i < 5; i++) {
    await rig.query('s.test');
    await settle();
  }
  t.is(rig.upstream, 2);
  rig.clock.advance(30_000);
  await rig.query('s.test');
  await settle();
  t.is(rig.upstream, 3);
});

test('serve_stale verify: the fresh answer when it comes, NXDOMAIN counts, the stale one after SERVFAIL', async (t) => {
  let reply: unknown = { answers: [a('s.test', 1)] };
  const rig = makeRig('cache {\n success 1000 3600 0\n serve_stale 1h verify\n servfail 0\n}', () => reply as never);
  await rig.query('s.test');
  rig.clock.advance(1700);
  reply = { answers: [a('s.test', 1, '10.0.0.2')] };
  t.deepEqual(format((await rig.query('s.test')).packet.answers), ['s.test 1 A 10.0.0.2']);
  rig.clock.advance(1700);
  reply = SERVFAIL;
  t.deepEqual(format((await rig.query('s.test')).packet.answers), ['s.test 0 A 10.0.0.2']);
  reply = NXDOMAIN;
  t.is((await rig.query('s.test')).answer.rcode, 3);
});

test('serve_stale verify: a silent upstream holds the stale answer back 350 ms, or as long as the Corefile says', async (t) => {
  for (const [option, waitMs] of [
    ['verify', 350],
    ['verify 300ms', 300],
  ] as const) {
    let isSilent = false;
    const rig = makeRig(`cache {\n success 1000 3600 0\n serve_stale 1h ${option}\n}`, () =>
      isSilent ? undefined : { answers: [a('s.test', 1)] },
    );
    await rig.query('s.test');
    isSilent = true;
    rig.clock.advance(1700);
    let reply: Reply | undefined;
    const waiting = rig.query('s.test').then((value) => (reply = value));
    rig.clock.advance(waitMs - 1);
    await settle();
    t.is(reply, undefined);
    rig.clock.advance(1);
    await waiting;
    t.deepEqual(format(reply?.packet.answers), ['s.test 0 A 10.0.0.1']);
    t.is(rig.metric('coredns_cache_served_stale_total'), 1);
  }
});

test('serve_stale verify: one refresh under way for a name, nobody waits once it is 350 ms old', async (t) => {
  let isDead = false;
  const rig = makeRig('cache {\n serve_stale 1h verify\n}', () => (isDead ? undefined : { answers: [a('s.test', 5)] }));
  await rig.query('s.test');
  isDead = true;
  rig.clock.advance(6000);
  const tookMs: number[] = [];
  const beforeAll = rig.upstream;
  for (let i = 0; i < 60; i++) {
    const startMs = rig.clock.monotonicMs();
    void rig.query('s.test', { edns: true }).then((reply) => {
      tookMs.push(rig.clock.monotonicMs() - startMs);
      t.is(reply.packet.answers!.length, 1);
      t.is(reply.answer.ede, 3);
    });
    await rig.clock.advanceAsync(10, 10);
  }
  await rig.clock.advanceAsync(400, 50);
  t.is(tookMs.length, 60);
  t.is(Math.max(...tookMs), 350);
  t.is(tookMs.filter((ms) => ms > 10).length, 34);
  t.is(rig.upstream - beforeAll, 2, 'the query, and again after 700 ms');
});

for (const mode of ['immediate', 'verify']) {
  test(`serve_stale ${mode}: fresh within a second of the upstream's recovery`, async (t) => {
    let isDead = false;
    const rig = makeRig(`cache {\n serve_stale 1h ${mode}\n}`, () =>
      isDead ? undefined : { answers: [a('s.test', 5, isDead ? '10.0.0.1' : '10.0.0.2')] },
    );
    await rig.query('s.test');
    isDead = true;
    rig.clock.advance(6000);
    const load = async (ms: number): Promise<number> => {
      let isStale = 1;
      for (let i = 0; i < ms / 50; i++) {
        void rig.query('s.test', { edns: true }).then((reply) => (isStale = reply.answer.ede === 3 ? 1 : 0));
        await rig.clock.advanceAsync(50, 25);
      }
      return isStale;
    };
    t.is(await load(20_000), 1);
    isDead = false;
    t.is(await load(1000), 0);
  });
}

test('serve_stale: SERVFAIL, NOTIMP and REFUSED of the upstream never hide the good answer, in either mode', async (t) => {
  for (const mode of ['immediate', 'verify']) {
    for (const rcode of [2, 4, 5]) {
      let reply: object = { answers: [a('s.test', 5)] };
      const rig = makeRig(`cache {\n serve_stale 1h ${mode}\n}`, () => reply);
      await rig.query('s.test');
      reply = { rcode };
      for (let i = 0; i < 20; i++) {
        rig.clock.advance(6000);
        const stale = await rig.query('s.test', { edns: true });
        t.deepEqual(
          [stale.answer.rcode, stale.packet.answers!.length, stale.answer.ede],
          [0, 1, 3],
          `${mode} ${rcode}`,
        );
        await new Promise<void>((resolve) => void setImmediate(resolve));
      }
    }
  }
});

test('prefer_positive: the last good answer goes before NXDOMAIN while it may be served', async (t) => {
  let reply: unknown = { answers: [a('s.test', 1)] };
  const rig = makeRig(
    'cache {\n success 1000 3600 0\n serve_stale 1h\n serve_stale_policy prefer_positive\n}',
    () => reply as never,
  );
  await rig.query('s.test');
  reply = NXDOMAIN;
  rig.clock.advance(2000);
  for (let i = 0; i < 3; i++) {
    t.deepEqual(format((await rig.query('s.test')).packet.answers), ['s.test 0 A 10.0.0.1']);
    await settle();
  }
});

test('what was learned last holds: NXDOMAIN ends a stale success, a success ends a stale NXDOMAIN', async (t) => {
  let reply: unknown = { answers: [a('s.test', 1)] };
  const rig = makeRig('cache {\n success 1000 3600 0\n denial 1000 1 0\n serve_stale 1h\n}', () => reply as never);
  await rig.query('s.test');
  for (const [next, rcode] of [
    [NXDOMAIN, 3],
    [{ answers: [a('s.test', 1)] }, 0],
  ] as const) {
    reply = next;
    rig.clock.advance(2000);
    await rig.query('s.test');
    await settle();
    t.is((await rig.query('s.test')).answer.rcode, rcode);
  }
});

test('a second worker answers from what the first one stored', async (t) => {
  const context = makeContext();
  const options = setupCache(directivesOf('cache', 'cache'), context);
  const store: Handler = (_query, answer) => {
    answer.addAddresses(60, 4, Uint8Array.of(10, 0, 0, 9), 0, 1);
    return Outcome.ANSWERED;
  };
  const one = makeEnv({ next: store, worker: 0 });
  await ask(createCacheHandler(options, one), makeQuery('x.test', one.clock));
  const two = makeEnv({ worker: 1 });
  const { packet } = await ask(createCacheHandler(options, two), makeQuery('x.test', two.clock));
  t.deepEqual(format(packet.answers), ['x.test 60 A 10.0.0.9']);
});

test('the entries gauge is given back when the plan ends', async (t) => {
  const rig = makeRig('cache', () => ({ answers: [a('www.test', 300)] }));
  for (let i = 0; i < 5; i++) await rig.query(`n${i}.test`);
  rig.close();
  t.is(rig.metric('coredns_cache_entries'), 0);
});

test('1,000,000 random names: entries stay at the capacity, what is asked all the time stays', async (t) => {
  const metrics = new MetricRegistry();
  const options = setupCache(directivesOf('cache', 'cache {\n success 1024\n}'), makeContext(['.'], metrics));
  const addresses = new Uint8Array(64);
  let asked = 0;
  const env = makeEnv({
    next: (query, answer) => {
      asked++;
      answer.addAddresses(300, 4, addresses, 0, 1 + (query.name[3]! & 15));
      return Outcome.ANSWERED;
    },
  });
  const handler = createCacheHandler(options, env);
  const hot = makeQuery('hot.honest.test', env.clock);
  const query = makeQuery('xxxxxxxx.noise.test', env.clock);
  const answer = new Answer();
  const name = query.name.slice(0, query.nameLength);
  let hotMisses = 0;
  for (let i = 0; i < 1_000_000; i++) {
    for (let k = 1; k <= 8; k++) name[k] = 0x61 + randomInt(16);
    query.setName(name);
    query.renamed = false;
    answer.begin(query);
    void handler(query, answer);
    if (i % 20 !== 0) continue;
    const before = asked;
    answer.begin(hot);
    void handler(hot, answer);
    if (asked > before) hotMisses++;
  }
  const entries = readMetric(metrics, env.cells, 'coredns_cache_entries', { type: 'success' });
  t.true(entries <= 1024 && entries > 900, String(entries));
  t.true(readMetric(metrics, env.cells, 'coredns_cache_evictions_total', { type: 'success' }) > 900_000);
  t.is(hotMisses, 1);
  t.is(options.success.memory.buffer.byteLength < 700_000, true);
});

test('random histories against a plain model: an answer is always the last one stored for that very question', (t) => {
  const options = setupCache(directivesOf('cache', 'cache {\n success 1024 3600 0\n}'), makeContext());
  const model = new Map<string, { serial: number; records: number; expiresMs: number }>();
  let serial = 0;
  let next = { serial: 0, records: 0, ttl: 0 };
  let isMiss = false;
  const env = makeEnv({
    next: (_query, answer) => {
      isMiss = true;
      for (let i = 0; i < next.records; i++) {
        answer.beginRecordAt(SECTION.ANSWER, 12, RRTYPE.TXT, next.ttl);
        const text = Buffer.from(`${next.serial}:${i}:`.padEnd(1 + (next.serial % 200), 'x'));
        answer.putByte(text.length);
        answer.putBytes(text, 0, text.length);
        answer.endRecord();
      }
      return Outcome.ANSWERED;
    },
  });
  const handlers = [createCacheHandler(options, env), createCacheHandler(options, { ...env, worker: 1 })];
  let state = 12_345;
  const random = (below: number): number =>
    ((state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0) % 65_536) % below;
  let hits = 0;
  for (let step = 0; step < 60_000; step++) {
    if (random(10) === 0) env.clock.advance(random(3000));
    const name = `n${random(1500)}.${'label'.repeat(random(4) + 1)}.test`;
    const asked: Asked = { type: 'TXT', dnssecOk: random(4) === 0, flags: random(4) === 0 ? 0x10 : 0 };
    const key = `${name} ${asked.dnssecOk} ${asked.flags}`;
    next = { serial: ++serial, records: 1 + random(random(50) === 0 ? 200 : 5), ttl: 1 + random(60) };
    isMiss = false;
    const query = makeQuery(name, env.clock, asked);
    const answer = new Answer();
    answer.begin(query);
    void handlers[random(2)]!(query, answer);
    const nowMs = env.clock.monotonicMs();
    const known = model.get(key);
    if (isMiss) {
      model.set(key, { serial: next.serial, records: next.records, expiresMs: nowMs + next.ttl * 1000 });
      continue;
    }
    hits++;
    if (!known || known.expiresMs <= nowMs) return t.fail(`step ${step}: ${key} was answered though nothing was known`);
    const wanted = Buffer.from(`${known.serial}:0:`.padEnd(1 + (known.serial % 200), 'x')).toString();
    const at = answer.base + answer.records.rdataAt(0) + 1;
    const text = Buffer.from(answer.bytes.slice(at, at + wanted.length)).toString();
    const ttl = Math.ceil((known.expiresMs - nowMs) / 1000);
    if (text !== wanted || answer.records.count !== known.records || answer.ttl(0) !== ttl) {
      return t.fail(
        `step ${step}: ${key}: ${text} x${answer.records.count} TTL ${answer.ttl(0)}, wanted ${wanted} TTL ${ttl}`,
      );
    }
  }
  t.true(hits > 5000, `only ${hits} hits`);
  return undefined;
});

async function settle(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => void setImmediate(resolve));
}
