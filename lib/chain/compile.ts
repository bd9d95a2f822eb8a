// Turns a block's plan into one function: every handler bound to the next, made once per plan. Worker.
import type { BlockPlan } from '../link/plan.ts';
import { RCODE } from '../wire/types.ts';
import { BlockOffers } from './block-offers.ts';
import { Outcome } from './outcome.ts';
import type { Env, Handler, HandlerFactory } from './plugin.ts';

/** Env without what differs per link. */
export type BaseEnv = Omit<Env, 'next' | 'isLast' | 'log' | 'offers'> & {
  readonly logFor: (plugin: string) => Env['log'];
};

/**
 * Makes the block's chain. A block without plugins refuses everything, as CoreDNS does.
 *
 * @param offers filled with what the block's plugins have for one another
 * @throws Error when the plan names a plugin that has no handler: control made the plan, so this is a bug
 */
export function compileChain(
  block: BlockPlan,
  factories: Readonly<Record<string, HandlerFactory<never>>>,
  env: BaseEnv,
  offers: BlockOffers = new BlockOffers(),
): Handler {
  const last = block.chain.at(-1);
  if (!last) return refuse;
  let next = endOfChain(last.plugin);
  for (const link of block.chain.toReversed()) {
    const factory = factories[link.plugin];
    if (!factory) throw new Error(`no handler for plugin ${link.plugin}`);
    next = factory(link.options as never, {
      ...env,
      next,
      offers,
      isLast: link === last,
      log: env.logFor(link.plugin),
    });
  }
  return next;
}

function refuse(_query: Parameters<Handler>[0], answer: Parameters<Handler>[1]): Outcome {
  answer.fail(RCODE.REFUSED);
  return Outcome.FAILED;
}

/** What `plugin` meets when it passes a query on and nothing follows. */
function endOfChain(plugin: string): Handler {
  const error = `plugin/${plugin}: no next plugin found`;
  return function noNextPlugin(_query, answer) {
    answer.fail(RCODE.SERVFAIL, error);
    return Outcome.FAILED;
  };
}
