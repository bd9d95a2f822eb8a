// lib/plugins/forward/handler.ts — worker. The `forward` directives of a block as one handler: the first whose zone has the name.
import type { Env, Handler } from '../../chain/plugin.ts';
import { Forwarder } from './forwarder.ts';
import type { ForwardOptions } from './setup.ts';

export function createForwardHandler(options: ForwardOptions, env: Env): Handler {
  let following: Handler = env.next;
  let isLast = true;
  for (const forward of options.forwards.toReversed()) {
    following = new Forwarder(forward, options.cells, env, following, isLast).handler;
    isLast = false;
  }
  return following;
}
