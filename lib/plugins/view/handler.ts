// Nothing to do once the router has chosen the block: the next handler stands in its place. Worker.
import type { Env, Handler } from '../../chain/plugin.ts';
import type { ViewOptions } from './setup.ts';

export function createViewHandler({ name }: ViewOptions, { next, offers }: Env): Handler {
  offers.metadata.push((_query, values) => void values.set('view/name', name));
  return next;
}
