// A second upstream when the first is late, failing or silent; and when not.
import test from 'ava';
import { Outcome } from '../../../../lib/chain/outcome.ts';
import { FlightWatch } from '../../../../lib/plugins/forward/flight-watch.ts';
import { HedgeBudget } from '../../../../lib/plugins/forward/hedge-budget.ts';
import { Latency } from '../../../../lib/plugins/forward/latency.ts';
import { NXDOMAIN, REFUSED, SERVFAIL, answerA, makeForwardRig } from './rig.ts';

const THREE = 'forward . 192.0.2.1 192.0.2.2 192.0.2.3';
const refused = new Error('read udp 192.0.2.1:53: connection refused');

test('latency: steady replies make the delay short, unsteady ones long, never over 250 ms beyond the mean', (t) => {
  const latency = new Latency();
  t.is(latency.hedgeAfterMs, 150);
  for (let i = 0; i < 50; i++) latency.add(2);
  t.is(latency.hedgeAfterMs, 20);
  t.is(latency.silentAfterMs, 100);
  for (let i = 0; i < 50; i++) latency.add(i % 2 === 0 ? 10 : 90);
  t.true(latency.hedgeAfterMs > 150 && latency.hedgeAfterMs < 300, `${latency.hedgeAfterMs}`);
  for (let i = 0; i < 50; i++) latency.add(i % 2 === 0 ? 1 : 2000);
  t.true(latency.hedgeAfterMs < 1400, `${latency.hedgeAfterMs}`);
  t.true(latency.silentAfterMs < 1400, `${latency.silentAfterMs}`);
});

test('hedge budget: a tenth of what was earned, and twenty saved up', (t) => {
  const budget = new HedgeBudget();
  let spent = 0;
  for (let i = 0; i < 1000; i++) {
    budget.earn();
    if (budget.spend()) spent++;
  }
  t.true(spent >= 110 && spent <= 121, `${spent}`);
});

test('a silent, a failing and a good upstream: every answer right, within the RTT and 300 ms', async (t) => {
  const rig = makeForwardRig(THREE, {
    1: { silent: true },
    2: { afterMs: 5, reply: SERVFAIL },
    3: { afterMs: 5, reply: answerA('x.test') },
  });
  let longestMs = 0;
  for (let i = 0; i < 300; i++) {
    const { reply, tookMs } = await rig.time('x.test');
    t.is(reply.answer.rcode, 0);
    t.is(reply.packet.answers!.length, 1);
    longestMs = Math.max(longestMs, tookMs);
    await rig.clock.advanceAsync(10, 10);
  }
  t.true(longestMs <= 305, `${longestMs} ms`);
});

test('a silent upstream gets at most one probe a second once it is known to be silent', async (t) => {
  const rig = makeForwardRig(THREE, {
    1: { silent: true },
    2: { afterMs: 5 },
    3: { afterMs: 5 },
  });
  for (let i = 0; i < 100; i++) await rig.time(`q${i}.test`);
  rig.exchanges.length = 0;
  for (let i = 0; i < 200; i++) {
    void rig.query(`r${i}.test`);
    await rig.clock.advanceAsync(50, 10);
  }
  const toSilent = rig.exchanges.filter(({ address }) => address === '192.0.2.1:53').length;
  t.true(toSilent >= 3 && toSilent <= 11, `${toSilent} in 10 s`);
  t.is(rig.asked().includes('1'), false);
});

test('while all upstreams are silent a query fails after two seconds, the first one too', async (t) => {
  const rig = makeForwardRig('forward . 192.0.2.1 192.0.2.2', { 1: { silent: true }, 2: { silent: true } });
  for (const name of ['first.test', 'second.test']) {
    const { reply, tookMs } = await rig.time(name);
    t.is(reply.answer.rcode, 2);
    t.true(tookMs >= 1900 && tookMs <= 2250, `${tookMs}`);
  }
});

test('max_fails 0: no probes, and a copy of a query once a second shows when the upstream is back', async (t) => {
  const rig = makeForwardRig(`${THREE} {\n max_fails 0\n}`, {
    1: { silent: true },
    2: { afterMs: 5 },
    3: { afterMs: 5 },
  });
  const load = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      void rig.query(`q${rig.exchanges.length}.test`);
      await rig.clock.advanceAsync(20, 5);
    }
  };
  await load(100);
  rig.exchanges.length = 0;
  await load(250);
  t.is(rig.probes('1').length, 0);
  const trials = rig.asked().split('1').length - 1;
  t.true(trials >= 4 && trials <= 6, `${trials} in 5 s`);
  rig.behaviours[1] = { afterMs: 5 };
  await load(60);
  rig.exchanges.length = 0;
  await load(90);
  t.true(rig.asked().split('1').length - 1 > 15, rig.asked());
});

test('steady upstreams are not asked twice: at most a tenth of the queries even when one is often late', async (t) => {
  const rig = makeForwardRig('forward . 192.0.2.1 192.0.2.2', { 1: { afterMs: 5 }, 2: { afterMs: 5 } });
  for (let i = 0; i < 200; i++) await rig.time(`a${i}.test`);
  t.is(rig.exchanges.length, 200);
  let turn = 0;
  Object.defineProperty(rig.behaviours, '1', { get: () => ({ afterMs: turn++ % 3 === 0 ? 400 : 5 }) });
  rig.exchanges.length = 0;
  for (let i = 0; i < 600; i++) await rig.time(`b${i}.test`);
  t.true(rig.exchanges.length <= 600 * 1.1 + 25, `${rig.exchanges.length}`);
});

test('a late reply is overtaken by the second upstream; the loser is measured, not used', async (t) => {
  const rig = makeForwardRig('forward . 192.0.2.1 192.0.2.2 {\n policy round_robin\n}', {
    1: { afterMs: 5, reply: answerA('x.test', '10.0.0.1') },
    2: { afterMs: 1000, reply: answerA('x.test', '10.0.0.2') },
  });
  const { reply, tookMs } = await rig.time('x.test');
  t.deepEqual(
    reply.packet.answers!.map((record) => (record as { data: string }).data),
    ['10.0.0.1'],
  );
  t.true(tookMs <= 165, `${tookMs}`);
  t.is(rig.asked(), '21');
  t.is(rig.metric('clusterdns_forward_hedges_total'), 1);
  t.is(rig.metric('clusterdns_forward_hedges_won_total'), 1);
  await rig.clock.advanceAsync(2000, 50);
  t.is(rig.metric('coredns_forward_responses_total', { to: '192.0.2.2:53' }), 1);
});

const CODES = [
  // options              first      second            asked  rcode
  ['', SERVFAIL, answerA('x.test'), '21', 0],
  ['', REFUSED, answerA('x.test'), '21', 0],
  ['', SERVFAIL, NXDOMAIN, '21', 3],
  ['', SERVFAIL, REFUSED, '21', 5],
  ['', SERVFAIL, refused, '21', 2],
  ['', NXDOMAIN, answerA('x.test'), '2', 3],
  ['', {}, answerA('x.test'), '2', 0],
  ['failover NXDOMAIN', NXDOMAIN, answerA('x.test'), '21', 0],
  ['policy sequential', SERVFAIL, answerA('x.test'), '1', 2],
] as const;
for (const [option, first, second, asked, rcode] of CODES) {
  const [a, b] = [first, second].map((reply) =>
    reply instanceof Error ? 'error' : JSON.stringify(reply).slice(0, 20),
  );
  test(`first ${a}, second ${b}${option && `, ${option}`}: asked ${asked}, rcode ${rcode}`, async (t) => {
    const isSequential = option.includes('sequential');
    const rig = makeForwardRig(
      `forward . 192.0.2.1 192.0.2.2 {\n ${isSequential ? '' : 'policy round_robin'}\n ${option}\n}`,
      {
        [isSequential ? 1 : 2]: { afterMs: 1, reply: first },
        [isSequential ? 2 : 1]: { afterMs: 1, reply: second },
      },
    );
    const { reply } = await rig.time('x.test');
    t.is(reply.answer.rcode, rcode);
    t.is(rig.asked().slice(0, asked.length), asked);
    t.is(reply.outcome, Outcome.ANSWERED);
  });
}

test('a failure that is meant is final: bogus signatures, blocked names (RFC 8914)', async (t) => {
  for (const [code, expected] of [
    [6, 2],
    [9, 2],
    [15, 2],
    [18, 2],
    [22, 0],
    [23, 0],
  ] as const) {
    const options = [{ code: 15, data: Buffer.from([0, code]) }];
    const additionals = [{ type: 'OPT', name: '.', udpPayloadSize: 1232, flags: 0, options }];
    const rig = makeForwardRig('forward . 192.0.2.1 192.0.2.2 {\n policy round_robin\n}', {
      2: { reply: { ...SERVFAIL, additionals } },
      1: { reply: answerA('x.test') },
    });
    t.is((await rig.query('x.test', { edns: true })).answer.rcode, expected, `code ${code}`);
  }
});

test('a failure is given after a second when the other upstream says nothing', async (t) => {
  const rig = makeForwardRig('forward . 192.0.2.1 192.0.2.2 {\n policy round_robin\n}', {
    1: { silent: true },
    2: { afterMs: 5, reply: SERVFAIL },
  });
  const { reply, tookMs } = await rig.time('x.test');
  t.is(reply.answer.rcode, 2);
  t.true(tookMs <= 1020, `${tookMs}`);
});

test('sequential and hedge off: nobody is asked because of lateness, everybody because of silence', async (t) => {
  for (const option of ['policy sequential', 'hedge off\n policy round_robin']) {
    const first = option.includes('sequential') ? 1 : 2;
    const rig = makeForwardRig(`forward . 192.0.2.1 192.0.2.2 {\n ${option}\n}`, {
      [first]: { afterMs: 600 },
      [3 - first]: { afterMs: 5 },
    });
    t.is((await rig.time('slow.test')).tookMs, 600);
    t.is(rig.asked(), String(first));
  }
  const rig = makeForwardRig('forward . 192.0.2.1 192.0.2.2 {\n policy sequential\n}', {
    1: { silent: true },
    2: { afterMs: 5 },
  });
  const replies = await Promise.all([
    rig.time('a.test'),
    rig.query('b.test'),
    rig.query('c.test'),
    rig.query('d.test'),
  ]);
  t.true(replies[0].tookMs <= 265, `${replies[0].tookMs}`);
  t.is((await rig.time('e.test')).tookMs, 5);
  rig.behaviours[1] = { afterMs: 5 };
  await rig.clock.advanceAsync(2000, 50);
  rig.exchanges.length = 0;
  await rig.time('f.test');
  t.is(rig.asked(), '1');
});

test('after a pause of our own nobody is judged before the replies were read', (t) => {
  let nowMs = 0;
  let timer: (() => void) | undefined;
  const clock = {
    nowMs: () => nowMs,
    monotonicMs: () => nowMs,
    after(_delayMs: number, run: () => void) {
      timer = run;
      return () => {};
    },
  };
  const found: string[] = [];
  const nameserver = { looksSilent: () => true, noteSilent: () => void found.push('silent'), isSilent: false };
  const watch = new FlightWatch(clock, {
    nameservers: () => [nameserver as never],
    late: () => void found.push('late'),
    stranded: () => void found.push('stranded'),
    settle: () => void found.push('settle'),
  });
  watch.add({ hedgeAtMs: 20, settleAtMs: Infinity, asked: [] } as never);
  nowMs = 500;
  timer!();
  t.deepEqual(found, []);
  nowMs = 505;
  timer!();
  t.deepEqual(found, ['silent', 'late']);
});
