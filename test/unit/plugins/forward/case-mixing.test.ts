// The option `case_mixing`: who is asked with it; and what is counted of replies that answer nothing. What goes out on the wire is in test/unit/io/letter-case.test.ts.
import test from 'ava';
import type { CaseMixing, Upstream } from '../../../../lib/chain/plugin.ts';
import { MetricRegistry } from '../../../../lib/metrics/registry.ts';
import { createForwardHandler } from '../../../../lib/plugins/forward/handler.ts';
import { type ForwardOptions, setupForward } from '../../../../lib/plugins/forward/setup.ts';
import {
  ask,
  directivesOf,
  encodeReply,
  makeContext,
  makeEnv,
  makeQuery,
  makeUpstream,
  readMetric,
} from '../fake-chain.ts';

type Seen = { mixings: (CaseMixing | undefined)[]; otherCase: number; mismatches: number };

async function run(option: string): Promise<Seen> {
  const metrics = new MetricRegistry();
  const body = `forward . 192.0.2.1 {\n${option}\n}`;
  const options = setupForward(directivesOf('forward', body), makeContext(['.'], metrics)) as ForwardOptions;
  const mixings: (CaseMixing | undefined)[] = [];
  const upstream = makeUpstream((message, _transport, _timeoutMs, mixing) => {
    mixings.push(mixing);
    mixing?.noteOtherCase();
    const bytes = encodeReply(message, {});
    return Promise.resolve({ bytes, length: bytes.length, reused: false });
  });
  const open = (): Upstream => ({ ...upstream, takeMismatches: () => 3 });
  const env = { ...makeEnv(), upstreams: { open } };
  const handler = createForwardHandler(options, env);
  await ask(handler, makeQuery('x.test', env.clock));
  const read = (name: string): number => readMetric(metrics, env.cells, name, { to: '192.0.2.1:53' });
  return {
    mixings,
    otherCase: read('clusterdns_forward_case_mismatches_total'),
    mismatches: read('clusterdns_forward_mismatches_total'),
  };
}

test('case_mixing: off unless the Corefile says so; what answers nothing is counted by upstream', async (t) => {
  t.deepEqual(await run(''), { mixings: [undefined], otherCase: 0, mismatches: 3 });
});

test('case_mixing: names go out mixed, replies in other letters are counted by upstream', async (t) => {
  const { mixings, otherCase } = await run('case_mixing');
  t.not(mixings[0], undefined);
  t.is(otherCase, 1);
});
