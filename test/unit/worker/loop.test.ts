// What a throw anywhere between a message and its reply costs: one SERVFAIL or no reply, one fault reported, never the worker.
import test, { type ExecutionContext } from 'ava';
import { ManualClock } from '../../../lib/base/clock.ts';
import type { Answer } from '../../../lib/chain/answer.ts';
import { Outcome } from '../../../lib/chain/outcome.ts';
import type { Handler } from '../../../lib/chain/plugin.ts';
import { type Query, TRANSPORT } from '../../../lib/chain/query.ts';
import type { Router } from '../../../lib/chain/router.ts';
import type { TsigTransaction, TsigVerifier } from '../../../lib/chain/tsig.ts';
import { createStoreMemory } from '../../../lib/store/layout.ts';
import { StoreReader } from '../../../lib/store/reader.ts';
import { type LateReply, type ListenerState, PacketLoop } from '../../../lib/worker/loop.ts';
import { decodeMessage, encodeQuery } from '../wire-text.ts';

const CAPACITY = 4096;

type Bench = {
  /** Answers one query; undefined when there is no reply now. */
  readonly ask: (listener: ListenerState) => string | undefined;
  readonly faults: string[];
  /** What late replies said, by response code; `none` for a client that is let go. */
  readonly late: string[];
  readonly loop: PacketLoop;
};

function createBench(): Bench {
  const faults: string[] = [];
  const late: string[] = [];
  const store = new StoreReader(createStoreMemory(), 0);
  const loop = new PacketLoop(new ManualClock(), store, new Float64Array(64), (where, error) => {
    faults.push(`${where}: ${(error as Error).message}`);
  });
  const tx = new Uint8Array(CAPACITY);
  const rx = encodeQuery({ name: 'a.example.', edns: { udpSize: 1232 } });
  const capture = (): LateReply => (bytes, at, length, then) => {
    late.push(length === 0 ? 'none' : decodeMessage(bytes.subarray(at, at + length)).rcode);
    then?.(true);
  };
  const ask = (listener: ListenerState): string | undefined => {
    loop.begin();
    let length = loop.read(rx, 0, rx.length, false, tx, 0);
    if (length === -1) length = loop.run(listener, tx, 0, CAPACITY, capture);
    loop.end();
    return length === 0 ? undefined : decodeMessage(tx.subarray(0, length)).rcode;
  };
  return { ask, faults, late, loop };
}

function serve(handler: Handler, transport: number = TRANSPORT.UDP): ListenerState {
  const router = { route: () => handler } as unknown as Router;
  return { index: 0, router, anyClass: false, dropped: undefined, transport };
}

/** What a plugin may leave in the answer that makes `finish` throw. */
function spoil(answer: Answer): void {
  answer.options = new Proxy(new Uint8Array(4), {
    get: () => {
      throw new Error('spoilt options');
    },
  });
}

/** As with `spoil`, but in the way of the SERVFAIL too. */
function spoilSignature(query: Query): void {
  query.tsig = {
    signs: true,
    get sizeBytes(): number {
      throw new Error('no signature');
    },
  } as unknown as TsigTransaction;
}

const answered = serve(() => Outcome.ANSWERED);
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function checkLives(t: ExecutionContext, { ask, loop }: Bench): void {
  t.is(ask(answered), 'NOERROR');
  t.is(loop.waiting, 0);
}

const AT_ONCE: readonly (readonly [what: string, handler: Handler, rcode: string | undefined, fault: string])[] = [
  [
    'in a handler',
    () => {
      throw new Error('handler');
    },
    'SERVFAIL',
    'handler: handler',
  ],
  [
    'while the reply is finished',
    (_query, answer) => {
      spoil(answer);
      return Outcome.ANSWERED;
    },
    'SERVFAIL',
    'handler: spoilt options',
  ],
  [
    'while any reply is finished',
    (query) => {
      spoilSignature(query);
      return Outcome.ANSWERED;
    },
    undefined,
    'handler: no signature',
  ],
];

for (const [what, handler, rcode, fault] of AT_ONCE) {
  test(`loop: a throw ${what} is ${rcode ?? 'no reply'}, reported once, and the next query is answered`, (t) => {
    const bench = createBench();
    t.is(bench.ask(serve(handler)), rcode);
    t.deepEqual(bench.faults, [fault]);
    checkLives(t, bench);
  });

  test(`loop: a throw ${what} of a query that waited is ${rcode ?? 'no reply'}, reported once`, async (t) => {
    const bench = createBench();
    const waiting: Handler = async (query, answer) => {
      await turn();
      return handler(query, answer);
    };
    t.is(bench.ask(serve(waiting)), undefined);
    t.is(bench.loop.waiting, 1);
    while (bench.loop.waiting > 0) await turn();
    t.deepEqual(bench.late, [rcode ?? 'none']);
    t.deepEqual(bench.faults, [fault.replace(/^handler: (?!handler)/, 'late reply: ')]);
    checkLives(t, bench);
  });
}

test('loop: a throw while a signature is checked is SERVFAIL', (t) => {
  const bench = createBench();
  const tsig = {
    verify: () => {
      throw new Error('verify');
    },
  } as unknown as TsigVerifier;
  const { query } = bench.loop;
  const parse = query.parse.bind(query);
  query.parse = (packet, at, length) => {
    const parsed = parse(packet, at, length);
    query.tsigAt = query.questionEnd;
    return parsed;
  };
  t.is(bench.ask({ ...answered, tsig }), 'SERVFAIL');
  t.deepEqual(bench.faults, ['handler: verify']);
});

test('loop: a throw while a message is read is no reply', (t) => {
  const bench = createBench();
  bench.loop.query.parse = () => {
    throw new Error('parse');
  };
  t.is(bench.ask(answered), undefined);
  t.deepEqual(bench.faults, ['message: parse']);
});

test('loop: a throw while a part of a long reply is finished ends it with SERVFAIL', async (t) => {
  const bench = createBench();
  let parts = 0;
  let ended = 0;
  const continuation = {
    next: (_query: Query, answer: Answer): void => {
      answer.continuation = continuation;
      if (++parts === 2) spoil(answer);
    },
    end: (): void => void ended++,
  };
  const handler: Handler = (_query, answer) => {
    answer.continuation = continuation;
    return Promise.resolve(Outcome.ANSWERED);
  };
  bench.ask(serve(handler, TRANSPORT.TCP));
  while (bench.loop.waiting > 0) await turn();
  t.deepEqual(bench.late, ['NOERROR', 'NOERROR', 'SERVFAIL']);
  t.is(ended, 1);
  t.deepEqual(bench.faults, ['late reply: spoilt options']);
  checkLives(t, bench);
});
