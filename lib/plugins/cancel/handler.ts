// Sets the moment after which nothing more is tried for a query. Worker.
import type { Env, Handler } from '../../chain/plugin.ts';
import type { CancelOptions } from './setup.ts';

export function createCancelHandler({ timeoutMs }: CancelOptions, { next }: Env): Handler {
  return function cancel(query, answer) {
    query.deadlineMs = query.receivedMs + timeoutMs;
    return next(query, answer);
  };
}
