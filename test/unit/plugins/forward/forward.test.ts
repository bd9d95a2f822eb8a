import test from 'ava';
import { Answer } from '../../../../lib/chain/answer.ts';
import { Outcome } from '../../../../lib/chain/outcome.ts';
import type { Handler } from '../../../../lib/chain/plugin.ts';
import { MetricRegistry } from '../../../../lib/metrics/registry.ts';
import { createForwardHandler } from '../../../../lib/plugins/forward/handler.ts';
import { type ForwardOptions, setupForward } from '../../../../lib/plugins/forward/setup.ts';
import { parseNameLower } from '../../../../lib/wire/name.ts';
import {
  type Asked,
  type Exchange,
  type Reply,
  type Responder,
  type TestEnv,
  ask,
  directivesOf,
  encodeReply,
  format,
  makeContext,
  makeEnv,
  makeQuery,
  readMetric,
} from '../fake-chain.ts';

type Rig = TestEnv & {
  options: ForwardOptions;
  handler: Handler;
  metric: (name: string, labels?: Record<string, string>) => number;
  query: (name: string, asked?: Asked) => Promise<Reply>;
  /** Addresses asked so far, in order. */
  asked: () => string[];
};

function makeRig(body: string, respond: Responder, random?: () => number): Rig {
  const metrics = new MetricRegistry();
  const options = setupForward(directivesOf('forward', body), makeContext(['.'], metrics)) as ForwardOptions;
  const env = makeEnv({ respond, ...(random ? { random } : {}), next: nothingFollows });
  const handler = createForwardHandler(options, env);
  return {
    ...env,
    options,
    handler,
    metric: (name, labels) => readMetric(metrics, env.cells, name, labels),
    query: (name, asked) => ask(handler, makeQuery(name, env.clock, asked)),
    asked: () => env.exchanges.map((exchange) => exchange.address.replace('192.0.2.', '').replace(':53', '')),
  };
}

const nothingFollows: Handler = (_query, answer) => {
  answer.fail(2, 'plugin/forward: no next plugin found');
  return Outcome.FAILED;
};
const a = (name: string, data = '10.0.0.1') => ({ type: 'A' as const, name, ttl: 60, data });
const NXDOMAIN = { rcode: 3 } as never;
const SERVFAIL = { rcode: 2 } as never;
const REFUSED = { rcode: 5 } as never;
const refusedConnection = new Error('read udp 192.0.2.1:53: connection refused');
/** Answers by the last number of the upstream's address. */
const by =
  (replies: Readonly<Record<string, ReturnType<Responder>>>): Responder =>
  ({ address }) =>
    replies[address.replace('192.0.2.', '').replace(':53', '')];

test('a reply is relayed with its flags, code and records', async (t) => {
  const records = {
    answers: [{ type: 'CNAME' as const, name: 'a.test', ttl: 7, data: 'b.test' }, a('b.test')],
    authorities: [{ type: 'NS' as const, name: 'test', ttl: 9, data: 'ns.test' }],
    additionals: [a('ns.test', '10.0.0.3')],
  };
  for (const [flags, rcode] of [
    [0x0400, 0],
    [0x0080, 3],
    [0x0020, 0],
    [0x0200, 5],
    [0x04a0, 9],
  ] as const) {
    const rig = makeRig('forward . 192.0.2.1', () => ({ ...records, flags: flags | rcode }));
    const { packet, outcome, answer } = await rig.query('a.test');
    t.is(outcome, Outcome.ANSWERED);
    t.is(answer.rcode, rcode);
    t.is(packet.flag_aa, (flags & 0x400) !== 0);
    t.is(packet.flag_tc, (flags & 0x200) !== 0);
    t.is(packet.flag_ra, (flags & 0x80) !== 0);
    t.is(packet.flag_ad, (flags & 0x20) !== 0);
    t.is(packet.id, 4711);
    t.deepEqual(format(packet.answers), ['a.test 7 CNAME b.test', 'b.test 60 A 10.0.0.1']);
    t.deepEqual(format(packet.authorities), ['test 9 NS ns.test']);
    t.deepEqual(format(packet.additionals), ['ns.test 60 A 10.0.0.3']);
  }
});

test('a query is sent as the client wrote it, with the ID 0', async (t) => {
  const rig = makeRig('forward . 192.0.2.1', () => SERVFAIL);
  const query = makeQuery('WwW.tEsT', rig.clock, { dnssecOk: true, flags: 0x10 });
  const sent = query.packet.slice();
  sent.fill(0, 0, 2);
  await ask(rig.handler, query);
  t.deepEqual(rig.exchanges[0]!.message, sent);
});

test('what the chain changed in the query is changed in what is sent: AD, DO, size, name, type', async (t) => {
  const rig = makeRig('forward . 192.0.2.1', ({ message }) =>
    encodeReply(message, { answers: [a('other.name.test')] }),
  );
  const query = makeQuery('x.test', rig.clock, { edns: true });
  query.authenticData = true;
  query.dnssecOk = true;
  query.udpSize = 4000;
  query.setName(parseNameLower('other.name.test.')!);
  const { packet } = await ask(rig.handler, query);
  t.deepEqual(format(packet.answers), ['other.name.test 60 A 10.0.0.1']);
  t.is(packet.questions![0]!.name, 'x.test');
  const sent = Buffer.from(rig.exchanges[0]!.message);
  t.is(sent.toString('hex', 0, 12), '000001200001000000000001');
  t.is(sent.toString('hex', sent.length - 11), '0000290fa0000080000000');
  t.true(sent.includes(Buffer.from('\u0005other\u0004name\u0004test\u0000')));
});

test('OPT in the middle of the reply is taken out, other classes and odd types survive being written anew', async (t) => {
  const rig = makeRig('forward . 192.0.2.1', ({ message }) => {
    const reply = encodeReply(message, {
      answers: [
        { type: 'MX', name: 'x.test', ttl: 60, data: { preference: 5, exchange: 'mail.x.test' } },
        { type: 'SRV', name: 'x.test', ttl: 60, data: { priority: 1, weight: 2, port: 3, target: 'srv.test' } },
        { type: 'TXT', name: 'x.test', ttl: 60, class: 'CH', data: ['one', 'two'] } as never,
        {
          type: 'SOA',
          name: 'x.test',
          ttl: 60,
          data: { mname: 'a.x.test', rname: 'b.x.test', serial: 1, refresh: 2, retry: 3, expire: 4, minimum: 5 },
        },
      ],
      additionals: [
        { type: 'OPT', name: '.', udpPayloadSize: 1232, flags: 0, options: [] } as never,
        a('mail.x.test', '10.0.0.7'),
      ],
    });
    return reply;
  });
  const { packet } = await rig.query('x.test', { type: 'MX' });
  t.deepEqual(format(packet.answers), [
    'x.test 60 MX {"preference":5,"exchange":"mail.x.test"}',
    'x.test 60 SRV {"priority":1,"weight":2,"port":3,"target":"srv.test"}',
    'x.test 60 TXT [{"type":"Buffer","data":[111,110,101]},{"type":"Buffer","data":[116,119,111]}]',
    'x.test 60 SOA {"mname":"a.x.test","rname":"b.x.test","serial":1,"refresh":2,"retry":3,"expire":4,"minimum":5}',
  ]);
  t.is((packet.answers![2] as { class?: string }).class, 'CH');
  t.deepEqual(format(packet.additionals), ['mail.x.test 60 A 10.0.0.7']);
});

test('EDNS options of the upstream go on to a client with EDNS, but not cookies', async (t) => {
  const options = [
    { code: 15, data: Buffer.from([0, 22]) },
    { code: 10, data: Buffer.from('0123456789abcdef') },
  ];
  const rig = makeRig('forward . 192.0.2.1', () => ({
    additionals: [{ type: 'OPT', name: '.', udpPayloadSize: 1232, flags: 0, options } as never],
  }));
  const opt = (reply: Reply): { options: { code: number }[] } | undefined =>
    reply.packet.additionals!.find((record) => record.type === 'OPT') as never;
  t.deepEqual(
    opt(await rig.query('x.test', { edns: true }))?.options.map((option) => option.code),
    [15],
  );
  t.is(opt(await rig.query('x.test')), undefined);
});

const TRANSPORTS: readonly (readonly [string, boolean, 'udp' | 'tcp'])[] = [
  // options                    client over TCP   upstream over
  ['', false, 'udp'],
  ['', true, 'tcp'],
  ['force_tcp', false, 'tcp'],
  ['prefer_udp', true, 'udp'],
];
for (const [option, tcp, expected] of TRANSPORTS) {
  test(`a client over ${tcp ? 'TCP' : 'UDP'}${option && ` with ${option}`} is forwarded over ${expected}`, async (t) => {
    const rig = makeRig(`forward . 192.0.2.1 {\n ${option}\n}`, () => NXDOMAIN);
    await rig.query('x.test', { tcp });
    t.is(rig.exchanges[0]!.transport, expected);
  });
}

test('TC goes to the client; with prefer_udp the query is asked again over TCP', async (t) => {
  const respond: Responder = ({ transport }) => (transport === 'udp' ? { flags: 0x0280 } : { answers: [a('x.test')] });
  t.true((await makeRig('forward . 192.0.2.1', respond).query('x.test')).packet.flag_tc);
  const rig = makeRig('forward . 192.0.2.1 {\n prefer_udp\n}', respond);
  const { packet } = await rig.query('x.test');
  t.false(packet.flag_tc);
  t.deepEqual(format(packet.answers), ['x.test 60 A 10.0.0.1']);
});

test('an upstream that says TC over TCP, too, is asked once each way, and the client is told', async (t) => {
  const rig = makeRig('forward . 192.0.2.1 {\n prefer_udp\n}', () => ({ flags: 0x0280, answers: [a('x.test')] }));
  const { packet } = await rig.query('x.test');
  t.deepEqual(
    rig.exchanges.map(({ transport }) => transport),
    ['udp', 'tcp'],
  );
  t.true(packet.flag_tc);
});

test('a UDP reply that is cut off becomes an empty one with TC', async (t) => {
  const rig = makeRig('forward . 192.0.2.1', ({ message }) =>
    encodeReply(message, { answers: [a('x.test')] }).subarray(0, -5),
  );
  const { packet, outcome } = await rig.query('x.test');
  t.is(outcome, Outcome.ANSWERED);
  t.true(packet.flag_tc);
  t.deepEqual(packet.answers, []);
});

const BAD: readonly (readonly [string, (exchange: Exchange) => Uint8Array])[] = [
  ['another question', ({ message }) => encodeReply(message, { questions: [{ type: 'A', name: 'wrong.test' }] })],
  ['another type', ({ message }) => encodeReply(message, { questions: [{ type: 'TXT', name: 'x.test' }] })],
  ['no question', ({ message }) => encodeReply(message, { questions: [] })],
  ['seven bytes', ({ message }) => message.slice(0, 7)],
  [
    'a name that points to itself',
    ({ message }) =>
      Buffer.concat([
        message.subarray(0, 6),
        Buffer.from('000100000000', 'hex'),
        message.subarray(12),
        Buffer.from(`c0${message.length.toString(16).padStart(2, '0')}00010001000000000000`, 'hex'),
      ]),
  ],
];
for (const [what, respond] of BAD) {
  test(`a reply with ${what} is not used, the next upstream is asked`, async (t) => {
    const rig = makeRig('forward . 192.0.2.1 192.0.2.2 {\n policy sequential\n}', (exchange) =>
      exchange.address.startsWith('192.0.2.1') ? respond(exchange) : { answers: [a('x.test')] },
    );
    t.deepEqual(format((await rig.query('x.test')).packet.answers), ['x.test 60 A 10.0.0.1']);
  });
}

test('policies: sequential keeps the order, round_robin turns evenly from the second, random uses all', async (t) => {
  const count = async (policy: string, queries: number): Promise<string> => {
    const rig = makeRig(`forward . 192.0.2.1 192.0.2.2 192.0.2.3 {\n ${policy}\n}`, () => NXDOMAIN);
    for (let i = 0; i < queries; i++) await rig.query(`q${i}.test`);
    return rig.asked().join('');
  };
  t.is(await count('policy sequential', 4), '1111');
  t.is(await count('policy round_robin', 6), '231231');
  const random = await count('', 60);
  for (const upstream of '123') t.true(random.split(upstream).length - 1 > 8, random);
});

test('an upstream given twice counts once; several forwards are tried in order, except passes names on', async (t) => {
  const rig = makeRig('forward . 192.0.2.1 192.0.2.1 192.0.2.2 {\n policy round_robin\n}', () => NXDOMAIN);
  t.deepEqual(
    rig.options.forwards[0]!.upstreams.map((upstream) => upstream.to),
    ['192.0.2.1:53', '192.0.2.2:53'],
  );
  const several = makeRig(
    'forward one.test 192.0.2.1\nforward two.test 192.0.2.2 {\n except x.two.test two.test\n}\nforward . 192.0.2.3 {\n except none.test\n}',
    () => NXDOMAIN,
  );
  const outcomes = [];
  for (const name of [
    'www.one.test',
    'ONE.test',
    'wwwone.test',
    'two.test',
    'a.x.two.test',
    'other.two.test',
    'a.NONE.test',
  ]) {
    outcomes.push((await several.query(name)).outcome);
  }
  t.is(several.asked().join(''), '113233');
  t.deepEqual(outcomes, [0, 0, 0, 0, 0, 0, Outcome.FAILED]);
});

test('failover: the listed codes ask the next upstream, the last reply is given', async (t) => {
  const body = 'forward . 192.0.2.1 192.0.2.2 192.0.2.3 {\n policy sequential\n failover SERVFAIL REFUSED\n}';
  const cases = [
    // upstream 1, 2, 3                     asked    rcode
    [{ 1: NXDOMAIN }, '1', 3],
    [{ 1: SERVFAIL, 2: NXDOMAIN }, '12', 3],
    [{ 1: SERVFAIL, 2: REFUSED, 3: SERVFAIL }, '123', 2],
  ] as const;
  for (const [replies, asked, rcode] of cases) {
    const rig = makeRig(body, by(replies));
    t.is((await rig.query('x.test')).answer.rcode, rcode);
    t.is(rig.asked().join(''), asked);
  }
});

test('next and next_on_nodata ask the following forward, and have no effect in the last', async (t) => {
  const body =
    'forward . 192.0.2.1 {\n next NXDOMAIN\n}\nforward . 192.0.2.2 {\n next_on_nodata\n}\nforward . 192.0.2.3 {\n next REFUSED\n}';
  const cases = [
    [{ 1: SERVFAIL }, '1', 2],
    [{ 1: NXDOMAIN, 2: NXDOMAIN }, '12', 3],
    [{ 1: NXDOMAIN, 2: {}, 3: REFUSED }, '123', 5],
  ] as const;
  for (const [replies, asked, rcode] of cases) {
    const rig = makeRig(body, by(replies));
    t.is((await rig.query('x.test')).answer.rcode, rcode);
    t.is(rig.asked().join(''), asked);
  }
});

test('an error asks the next upstream; when all fail, SERVFAIL with the last error and an extended error', async (t) => {
  const rig = makeRig(
    'forward . 192.0.2.1 192.0.2.2 {\n policy sequential\n}',
    by({ 1: refusedConnection, 2: NXDOMAIN }),
  );
  t.is((await rig.query('x.test')).answer.rcode, 3);
  const dead = makeRig('forward . 192.0.2.1 192.0.2.2 {\n policy sequential\n max_fails 0\n}', () => refusedConnection);
  const { outcome, answer } = await dead.query('x.test');
  t.is(outcome, Outcome.FAILED);
  t.is(answer.rcode, 2);
  t.is(answer.error, refusedConnection.message);
  t.is(dead.asked().join(''), '1212');
});

test('max_connect_attempts bounds the exchanges of a query', async (t) => {
  const rig = makeRig(
    'forward . 192.0.2.1 192.0.2.2 {\n max_connect_attempts 1\n max_fails 0\n}',
    () => refusedConnection,
  );
  await rig.query('x.test');
  t.is(rig.exchanges.length, 1);
});

test('silent upstreams: 2 s for each exchange, 5 s for the query', async (t) => {
  const rig = makeRig(
    'forward . 192.0.2.1 192.0.2.2 192.0.2.3 {\n max_fails 0\n max_connect_attempts 0\n hedge off\n}',
    () => undefined,
  );
  let reply: Reply | undefined;
  const waiting = rig.query('x.test').then((value) => (reply = value));
  await new Promise((resolve) => void setImmediate(resolve));
  await rig.clock.advanceAsync(4999, 1000);
  t.is(reply, undefined);
  t.deepEqual(
    rig.exchanges.map((exchange) => exchange.timeoutMs),
    [2000, 2000, 1000],
  );
  await rig.clock.advanceAsync(1);
  await waiting;
  t.is(reply?.outcome, Outcome.FAILED);
});

test('health: after an error the upstream is probed until it replies, down after more than max_fails failures', async (t) => {
  let isDead = true;
  const rig = makeRig(
    'forward . 192.0.2.1 192.0.2.2 {\n policy sequential\n health_check 100ms no_rec domain health.test\n}',
    ({ address }) => (address.startsWith('192.0.2.1') && isDead ? refusedConnection : NXDOMAIN),
  );
  await rig.query('x.test');
  const probes = (): Exchange[] => rig.exchanges.filter((exchange) => Buffer.from(exchange.message).includes('health'));
  t.is(probes().length, 1);
  t.is(probes()[0]!.message[2], 0);
  t.is(probes()[0]!.timeoutMs, 1000);
  await rig.clock.advanceAsync(250, 50);
  t.is(probes().length, 3);
  t.is(rig.metric('coredns_proxy_healthcheck_failures_total', { proxy_name: 'forward', to: '192.0.2.1:53' }), 3);
  rig.exchanges.length = 0;
  await rig.query('y.test');
  t.is(rig.asked().join(''), '2');
  isDead = false;
  await rig.clock.advanceAsync(200, 50);
  rig.exchanges.length = 0;
  await rig.query('z.test');
  t.is(rig.asked().join(''), '1');
  await rig.clock.advanceAsync(1000, 100);
  t.is(probes().length, 0);
  t.is(rig.clock.pending, 0);
});

test('health: one worker probes for all, and all see it', async (t) => {
  const options = setupForward(directivesOf('forward', 'forward . 192.0.2.1'), makeContext()) as ForwardOptions;
  const one = makeEnv({ worker: 0, respond: () => refusedConnection });
  const two = makeEnv({ worker: 1, respond: () => refusedConnection, clock: one.clock });
  const handlers = [one, two].map((env) => createForwardHandler(options, env));
  for (const handler of handlers) await ask(handler, makeQuery('x.test', one.clock));
  await one.clock.advanceAsync(1900, 100);
  const probes = [one, two].map((env) => env.exchanges.length - 2);
  t.deepEqual(probes, [4, 0]);
});

test('all upstreams down: one is tried all the same and counted, or SERVFAIL with failfast', async (t) => {
  for (const failfast of [false, true]) {
    const rig = makeRig(
      `forward . 192.0.2.1 {\n health_check 100ms\n ${failfast ? 'failfast_all_unhealthy_upstreams' : ''}\n}`,
      () => refusedConnection,
    );
    await rig.query('x.test');
    await rig.clock.advanceAsync(1000, 50);
    rig.exchanges.length = 0;
    const { answer } = await rig.query('y.test');
    t.is(answer.rcode, 2);
    t.is(rig.exchanges.length > 0, !failfast);
    t.true(rig.metric('coredns_forward_healthcheck_broken_total') > 0);
  }
});

test('max_concurrent: the query beyond it is REFUSED and counted, over all workers', async (t) => {
  const metrics = new MetricRegistry();
  const options = setupForward(
    directivesOf('forward', 'forward . 192.0.2.1 {\n max_concurrent 2\n max_fails 0\n}'),
    makeContext(['.'], metrics),
  ) as ForwardOptions;
  const cells = new Float64Array(65_536);
  const one = makeEnv({ worker: 0, respond: () => undefined, cells });
  const two = makeEnv({ worker: 1, respond: () => undefined, cells, clock: one.clock });
  const handlers = [one, two].map((env) => createForwardHandler(options, env));
  const replies = Array.from({ length: 10 }, (_, i) => ask(handlers[i % 2]!, makeQuery(`z${i}.test`, one.clock)));
  await one.clock.advanceAsync(6000, 500);
  const rcodes = (await Promise.all(replies)).map((reply) => reply.answer.rcode);
  t.deepEqual(rcodes, [2, 2, 5, 5, 5, 5, 5, 5, 5, 5]);
  t.is((await replies[9]!).answer.error, 'concurrent queries exceeded maximum 2');
  t.is(readMetric(metrics, cells, 'coredns_forward_max_concurrent_rejects_total'), 8);
  const again = ask(handlers[0]!, makeQuery('again.test', one.clock));
  await one.clock.advanceAsync(6000, 500);
  t.is((await again).answer.rcode, 2);
  // A worker that dies while queries are under way must not take their places with it.
  void ask(handlers[0]!, makeQuery('lost1.test', one.clock));
  void ask(handlers[0]!, makeQuery('lost2.test', one.clock));
  const replaced = createForwardHandler(options, makeEnv({ worker: 0, respond: () => NXDOMAIN }));
  t.is((await ask(replaced, makeQuery('x.test', one.clock))).answer.rcode, 3);
});

test('1,000 equal queries at once are one exchange (CVE-2023-30464), each with its own ID and spelling', async (t) => {
  const rig = makeRig('forward . 192.0.2.1', async () => {
    await new Promise((resolve) => void setImmediate(resolve));
    return { answers: [a('www.test')] };
  });
  const replies = await Promise.all(
    Array.from({ length: 1000 }, (_, i) => {
      const query = makeQuery('www.test', rig.clock);
      query.id = i;
      return ask(rig.handler, query);
    }),
  );
  t.is(rig.exchanges.length, 1);
  t.is(rig.metric('coredns_forward_coalesced_total'), 999);
  t.true(
    replies.every((reply, i) => reply.packet.id === i && format(reply.packet.answers)[0] === 'www.test 60 A 10.0.0.1'),
  );
  await rig.query('www.test', { type: 'AAAA' });
  t.is(rig.exchanges.length, 2);
});

test('equal queries share a failure too, and go on to the next forward each by itself', async (t) => {
  const dead = makeRig('forward . 192.0.2.1 {\n max_fails 0\n}', () => refusedConnection);
  const failed = await Promise.all([dead.query('x.test'), dead.query('x.test')]);
  t.deepEqual(
    failed.map((reply) => [reply.outcome, reply.answer.rcode]),
    [
      [1, 2],
      [1, 2],
    ],
  );
  const rig = makeRig(
    'forward . 192.0.2.1 {\n next NXDOMAIN\n}\nforward . 192.0.2.2',
    by({ 1: NXDOMAIN, 2: { answers: [a('x.test')] } }),
  );
  const replies = await Promise.all([rig.query('x.test'), rig.query('x.test')]);
  t.is(rig.asked().join(''), '12');
  for (const reply of replies) t.deepEqual(format(reply.packet.answers), ['x.test 60 A 10.0.0.1']);
});

test('metrics: durations by upstream and code, sockets by protocol, and the names of before 1.14', async (t) => {
  const rig = makeRig('forward . 192.0.2.1', () => NXDOMAIN);
  for (let i = 0; i < 3; i++) await rig.query(`q${i}.test`);
  await rig.query('q4.test', { tcp: true });
  const to = '192.0.2.1:53';
  t.is(rig.metric('coredns_proxy_request_duration_seconds', { proxy_name: 'forward', to, rcode: 'NXDOMAIN' }), 4);
  t.is(rig.metric('coredns_proxy_conn_cache_misses_total', { to, proto: 'udp' }), 1);
  t.is(rig.metric('coredns_proxy_conn_cache_hits_total', { to, proto: 'udp' }), 2);
  t.is(rig.metric('coredns_proxy_conn_cache_hits_total', { to, proto: 'tcp' }), 1);
  t.is(rig.metric('coredns_forward_requests_total', { to }), 4);
  t.is(rig.metric('coredns_forward_responses_total', { to, rcode: 'NXDOMAIN' }), 4);
  t.is(rig.metric('coredns_forward_request_duration_seconds', { to, rcode: 'NXDOMAIN' }), 4);
});

test('a plan that ends stops probing', async (t) => {
  const rig = makeRig('forward . 192.0.2.1', () => refusedConnection);
  await rig.query('x.test');
  await rig.clock.advanceAsync(100);
  rig.close();
  await rig.clock.advanceAsync(5000, 500);
  t.is(rig.clock.pending, 0);
});

test('random replies: no byte sequence throws or goes through malformed', async (t) => {
  let state = 99;
  const random = (below: number): number =>
    ((state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0) % 65_536) % below;
  const rig = makeRig('forward . 192.0.2.1 {\n max_fails 0\n max_connect_attempts 1\n}', ({ message }) => {
    const reply = encodeReply(message, {
      answers: [{ type: 'CNAME', name: 'x.test', ttl: 1, data: 'y.test' }, a('y.test')],
      authorities: [{ type: 'MX', name: 'x.test', ttl: 1, data: { preference: 1, exchange: 'x.test' } }],
    });
    for (let i = random(6); i > 0; i--) reply[2 + random(reply.length - 2)] = random(256);
    return random(4) === 0 ? reply.subarray(0, random(reply.length)) : reply;
  });
  const answer = new Answer();
  for (let i = 0; i < 5000; i++) {
    const query = makeQuery('x.test', rig.clock);
    answer.begin(query);
    await rig.handler(query, answer);
    const { records } = answer;
    if (records.count > 0 && records.endAt(records.count - 1) !== answer.length) t.fail(`reply ${i}`);
  }
  t.pass();
});

test('a reply without compression is compressed on its way, one with it keeps its bytes', async (t) => {
  const many = Array.from({ length: 60 }, (_, i) => a('many.test', `10.9.0.${i}`));
  const rig = makeRig('forward . 192.0.2.1', () => ({ answers: many }));
  const { bytes, packet } = await rig.query('many.test', { edns: true });
  t.is(packet.answers!.length, 60);
  t.is(bytes.length, 12 + 15 + 60 * 16 + 11);
  t.deepEqual(bytes.subarray(27, 29), Buffer.from('c00c', 'hex'));
});
