// Picks the chain for a query: the listener's longest matching zone. Worker.
import type { ListenerPlan } from '../link/plan.ts';
import { RRTYPE } from '../wire/types.ts';
import type { Handler } from './plugin.ts';
import type { Query } from './query.ts';
import { ZoneTable } from './zone-table.ts';

/** What a zone of a listener leads to. */
type Route = {
  readonly handler: Handler;
  readonly block: number;
  readonly server: number;
  /** Index of the zone among the block's zones. */
  readonly zone: number;
};

export class Router {
  readonly #table: ZoneTable;
  readonly #routes: readonly Route[];

  /**
   * @param handlers compiled chain per block of the plan
   * @param zonesOf the zones of each block, for `query.zone`
   */
  constructor(listener: ListenerPlan, handlers: readonly Handler[], zonesOf: readonly (readonly string[])[]) {
    this.#table = new ZoneTable(listener.zones.map(({ zone }) => zone));
    this.#routes = listener.zones.map(({ zone, blocks }) => {
      const first = blocks[0]!;
      return {
        handler: handlers[first.block]!,
        block: first.block,
        server: first.server,
        zone: Math.max(0, zonesOf[first.block]!.indexOf(zone)),
      };
    });
  }

  /**
   * The chain for the query, with `query.block`, `server` and `zone` set; undefined when no block holds the name. A DS
   * query belongs to the parent side of a cut, so it goes to the highest zone served (RFC 4035 section 3.1.4.1).
   */
  route(query: Query): Handler | undefined {
    let index = -1;
    if (query.qtype === RRTYPE.DS) index = this.#table.matchShortest(query);
    if (index === -1) index = this.#table.match(query);
    if (index === -1) return undefined;
    const route = this.#routes[index]!;
    query.block = route.block;
    query.server = route.server;
    query.zone = route.zone;
    return route.handler;
  }
}
