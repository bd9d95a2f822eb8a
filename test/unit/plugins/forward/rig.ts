// A `forward` block with fake upstreams 192.0.2.1, .2, ... on a clock that stands still.
import type { Handler } from '../../../../lib/chain/plugin.ts';
import { Outcome } from '../../../../lib/chain/outcome.ts';
import { MetricRegistry } from '../../../../lib/metrics/registry.ts';
import { createForwardHandler } from '../../../../lib/plugins/forward/handler.ts';
import { type ForwardOptions, setupForward } from '../../../../lib/plugins/forward/setup.ts';
import {
  type Asked,
  type Exchange,
  type Reply,
  type Responder,
  type TestEnv,
  ask,
  directivesOf,
  makeContext,
  makeEnv,
  makeQuery,
  readMetric,
} from '../fake-chain.ts';

/** What an upstream does with a query: a reply after so many milliseconds, an error, or nothing at all. */
export type Behaviour = { readonly afterMs?: number; readonly reply?: object | Error; readonly silent?: boolean };

export type ForwardRig = TestEnv & {
  readonly options: ForwardOptions;
  readonly handler: Handler;
  /** By the last number of the upstream's address; may be changed while a test runs. */
  readonly behaviours: Record<string, Behaviour>;
  metric(name: string, labels?: Record<string, string>): number;
  query(name: string, asked?: Asked): Promise<Reply>;
  /** Asks and moves the clock on, 1 ms at a time, until the answer is there. */
  time(name: string, asked?: Asked): Promise<{ reply: Reply; tookMs: number }>;
  /** Last numbers of the upstreams asked so far, health probes left out. */
  asked(): string;
  probes(upstream: string): Exchange[];
};

export function answerA(name: string, data = '10.0.0.1'): object {
  return { answers: [{ type: 'A', name, ttl: 60, data }] };
}
export const SERVFAIL = { rcode: 2 };
export const NXDOMAIN = { rcode: 3 };
export const REFUSED = { rcode: 5 };

export function makeForwardRig(body: string, behaviours: Record<string, Behaviour>): ForwardRig {
  const metrics = new MetricRegistry();
  const options = setupForward(directivesOf('forward', body), makeContext(['.'], metrics)) as ForwardOptions;
  const numberOf = ({ address }: Exchange): string => address.replace('192.0.2.', '').replace(':53', '');
  const respond: Responder = (exchange) => {
    const { afterMs = 0, reply = NXDOMAIN, silent } = behaviours[numberOf(exchange)] ?? {};
    if (silent) return undefined;
    if (afterMs === 0) return reply;
    return new Promise((resolve) => void env.clock.after(afterMs, () => resolve(reply)));
  };
  const env = makeEnv({
    respond,
    next: (_query, answer) => {
      answer.fail(2, 'plugin/forward: no next plugin found');
      return Outcome.FAILED;
    },
  });
  const handler = createForwardHandler(options, env);
  const isProbe = ({ message }: Exchange): boolean => message[message.length - 3] === 2;
  const query = (name: string, asked?: Asked): Promise<Reply> => ask(handler, makeQuery(name, env.clock, asked));
  return {
    ...env,
    options,
    handler,
    behaviours,
    metric: (name, labels) => readMetric(metrics, env.cells, name, labels),
    query,
    async time(name, asked) {
      const startMs = env.clock.monotonicMs();
      const replies: Reply[] = [];
      void query(name, asked).then((reply) => replies.push(reply));
      await new Promise<void>((resolve) => void setImmediate(resolve));
      while (replies.length === 0 && env.clock.monotonicMs() < startMs + 10_000) await env.clock.advanceAsync(1, 1);
      const [reply] = replies;
      if (reply === undefined) throw new Error(`no answer for ${name} within 10 s`);
      return { reply, tookMs: env.clock.monotonicMs() - startMs };
    },
    asked: () =>
      env.exchanges
        .filter((exchange) => !isProbe(exchange))
        .map(numberOf)
        .join(''),
    probes: (upstream) => env.exchanges.filter((exchange) => isProbe(exchange) && numberOf(exchange) === upstream),
  };
}
