// Upstreams that lead back to this server: found at the start and later, asked no more, asked again when that has ended.
import test from 'ava';
import { Answer } from '../../../../lib/chain/answer.ts';
import { Outcome } from '../../../../lib/chain/outcome.ts';
import { BlockOffers } from '../../../../lib/chain/block-offers.ts';
import type { Handler } from '../../../../lib/chain/plugin.ts';
import { Query } from '../../../../lib/chain/query.ts';
import { MetricRegistry } from '../../../../lib/metrics/registry.ts';
import { createForwardHandler } from '../../../../lib/plugins/forward/handler.ts';
import { type ForwardOptions, setupForward } from '../../../../lib/plugins/forward/setup.ts';
import { createLoopHandler } from '../../../../lib/plugins/loop/handler.ts';
import { setupLoop } from '../../../../lib/plugins/loop/setup.ts';
import { keepLines } from '../block-rig.ts';
import {
  type Exchange,
  type Reply,
  ask,
  directivesOf,
  encodeReply,
  makeContext,
  makeEnv,
  makeQuery,
} from '../fake-chain.ts';

type LoopRig = {
  readonly clock: ReturnType<typeof makeEnv>['clock'];
  readonly lines: string[];
  readonly exchanges: Exchange[];
  readonly handlers: Handler[];
  /** Addresses of upstreams that send what they get back to the server, to the worker of this number. */
  readonly looped: Map<string, number>;
  query(name: string): Promise<Reply>;
  /** Queries of clients that came to an upstream. */
  forwarded(): number;
};

/** `workers` workers of one server. */
function makeRig(body: string, workers = 1): LoopRig {
  const metrics = new MetricRegistry();
  const context = makeContext(['.'], metrics);
  const options = setupForward(directivesOf('forward', body), context) as ForwardOptions;
  const loop = setupLoop(directivesOf('loop', 'loop'), context);
  const lines: string[] = [];
  const looped = new Map<string, number>();
  const handlers: Handler[] = [];
  const first = makeEnv();
  const { clock, exchanges } = first;
  const respond = async (exchange: Exchange): Promise<never> => {
    exchanges.push(exchange);
    const worker = looped.get(exchange.address);
    if (worker === undefined) return { rcode: 3 } as never;
    const query = new Query();
    const bytes = exchange.message.slice();
    query.parse(bytes, 0, bytes.length);
    query.receivedMs = clock.monotonicMs();
    query.clientAddress.set([192, 0, 2, Number(exchange.address.replace(/^192\.0\.2\.(\d+):.*/, '$1'))]);
    query.serverAddress.set([10, 0, 0, 1]);
    const answer = new Answer();
    answer.begin(query);
    await handlers[worker]!(query, answer);
    return encodeReply(exchange.message, { rcode: answer.rcode } as never) as never;
  };
  for (let worker = 0; worker < workers; worker++) {
    const env = { ...makeEnv({ clock, worker, respond }), offers: new BlockOffers(), log: keepLines(lines) };
    const next = createForwardHandler(options, env);
    handlers.push(createLoopHandler(loop, { ...env, next }));
  }
  return {
    clock,
    lines,
    exchanges,
    handlers,
    looped,
    query(name) {
      const query = makeQuery(name, clock, { edns: true });
      query.clientAddress.set([10, 9, 9, 9]);
      return ask(handlers[0]!, query);
    },
    forwarded: () =>
      exchanges.filter(({ message }) => message[message.length - 3] !== 13 || message.length < 50).length,
  };
}

const LOOP_LINE =
  '[ERROR] Loop detected for zone ".": queries to 192.0.2.1:53 come back to this server; it is asked no more until that ends. Give forward another nameserver, see the README of loop';

for (const workers of [1, 2]) {
  test(`a loop at the start, ${workers} worker(s): one line that names the nameserver, SERVFAIL at once, no more packets`, async (t) => {
    const rig = makeRig('forward . 192.0.2.1', workers);
    rig.looped.set('192.0.2.1:53', workers - 1);
    await rig.clock.advanceAsync(500, 50);
    t.deepEqual(rig.lines, [LOOP_LINE]);
    const before = rig.forwarded();
    for (let i = 0; i < 100; i++) {
      const { outcome, answer } = await rig.query(`q${i}.test`);
      t.deepEqual([outcome, answer.rcode, answer.ede, answer.error], [Outcome.FAILED, 2, 22, '']);
    }
    t.is(rig.forwarded(), before);
    rig.looped.clear();
    await rig.clock.advanceAsync(5000, 100);
    t.is(rig.lines[1], '[INFO] 192.0.2.1:53 does not lead back here any more, it is asked again');
    t.is((await rig.query('after.test')).answer.rcode, 3);
    await rig.clock.advanceAsync(60_000, 1000);
    t.is(rig.lines.length, 2);
  });
}

test('a loop that begins later is found by the first query that comes back', async (t) => {
  const rig = makeRig('forward . 192.0.2.1', 2);
  await rig.clock.advanceAsync(60_000, 1000);
  const quiet = rig.exchanges.length;
  t.is(quiet, 1, 'one question at the start, none afterwards');
  rig.looped.set('192.0.2.1:53', 0);
  void rig.query('x.test');
  await rig.clock.advanceAsync(50, 10);
  t.deepEqual(rig.lines, [LOOP_LINE]);
  t.true(rig.exchanges.length - quiet <= 4, `${rig.exchanges.length - quiet} packets`);
});

test('of several upstreams the one that leads back is left out, the others answer', async (t) => {
  const rig = makeRig('forward . 192.0.2.1 192.0.2.2');
  rig.looped.set('192.0.2.1:53', 0);
  await rig.clock.advanceAsync(500, 50);
  t.deepEqual(rig.lines, [LOOP_LINE]);
  rig.exchanges.length = 0;
  for (let i = 0; i < 50; i++) t.is((await rig.query(`q${i}.test`)).answer.rcode, 3);
  t.deepEqual([...new Set(rig.exchanges.map(({ address }) => address))], ['192.0.2.2:53']);
});

test('a question that was seen on the wire and is sent again ends nothing (CVE-2026-26018)', async (t) => {
  const rig = makeRig('forward . 192.0.2.1');
  await rig.clock.advanceAsync(500, 50);
  const seen = rig.exchanges[0]!.message;
  const replay = new Query();
  for (const name of [undefined, 'nonce']) {
    const bytes = seen.slice();
    // Another number of the same form, as someone would guess it.
    if (name !== undefined) bytes[13] = bytes[13] === 0x39 ? 0x38 : 0x39;
    for (let i = 0; i < 1000; i++) {
      replay.parse(bytes, 0, bytes.length);
      const answer = new Answer();
      answer.begin(replay);
      t.is(await rig.handlers[0]!(replay, answer), Outcome.FAILED);
    }
  }
  t.deepEqual(rig.lines, []);
  t.is((await rig.query('x.test')).answer.rcode, 3);
});

test('an upstream that is silent at the start is asked each second for 30 seconds', async (t) => {
  const context = makeContext();
  const options = setupForward(directivesOf('forward', 'forward . 192.0.2.1'), context) as ForwardOptions;
  const env = makeEnv({ respond: () => undefined });
  createLoopHandler(setupLoop(directivesOf('loop', 'loop'), context), {
    ...env,
    next: createForwardHandler(options, env),
  });
  await env.clock.advanceAsync(60_000, 500);
  t.true(env.exchanges.length >= 9 && env.exchanges.length <= 11, `${env.exchanges.length}`);
});
