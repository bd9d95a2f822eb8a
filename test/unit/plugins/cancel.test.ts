// The plugin `cancel` together with `forward`: nothing is tried for a query after its deadline.
import test from 'ava';
import { createCancelHandler } from '../../../lib/plugins/cancel/handler.ts';
import { createForwardHandler } from '../../../lib/plugins/forward/handler.ts';
import { setupForward } from '../../../lib/plugins/forward/setup.ts';
import { ask, directivesOf, makeContext, makeEnv, makeQuery } from './fake-chain.ts';

test('cancel: a silent upstream is given up at the deadline, not at the read timeout', async (t) => {
  const context = makeContext();
  const options = await setupForward(directivesOf('forward', 'forward . 192.0.2.1'), context);
  const env = makeEnv({ respond: () => undefined });
  const forward = createForwardHandler(options, env);
  const cancel = createCancelHandler({ timeoutMs: 700 }, { ...env, next: forward });
  let settledAtMs = -1;
  const reply = ask(cancel, makeQuery('example.org', env.clock)).then((got) => {
    settledAtMs = env.clock.monotonicMs();
    return got;
  });
  await env.clock.advanceAsync(1900, 50);
  const { packet } = await reply;
  t.is(packet.flags! & 15, 2);
  t.true(settledAtMs >= 700 && settledAtMs <= 800, `${settledAtMs} ms`);
  env.close();
});
