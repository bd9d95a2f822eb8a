// The plugin `cancel` together with `forward`: nothing is tried for a query after its deadline.
import test from 'ava';
import { createCancelHandler } from '../../../lib/plugins/cancel/handler.ts';
import { createForwardHandler } from '../../../lib/plugins/forward/handler.ts';
import { setupForward } from '../../../lib/plugins/forward/setup.ts';
import { ask, directivesOf, makeContext, makeEnv, makeQuery } from './fake-chain.ts';

test('cancel: a silent upstream is given up at the deadline, not at the read timeout', async (t) => {
  const context = makeContext();
  const options = await setupForward(directivesOf('forward', 'forward . 192.0.2.1 192.0.2.2'), context);
  const env = makeEnv({ respond: () => undefined });
  const forward = createForwardHandler(options, env);
  const cancel = createCancelHandler({ timeoutMs: 700 }, { ...env, next: forward });
  const reply = ask(cancel, makeQuery('example.org', env.clock));
  await env.clock.advanceAsync(600, 50);
  t.is(env.exchanges.length, 1);
  await env.clock.advanceAsync(200, 50);
  const { packet } = await reply;
  t.is(packet.flags! & 15, 2);
  // The second exchange, if any, is the probe of the upstream that failed.
  t.is(env.exchanges[0]!.timeoutMs, 700);
  t.true(env.exchanges.slice(1).every(({ timeoutMs }) => timeoutMs === 1000));
  env.close();
});
