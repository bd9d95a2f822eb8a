// Picks the chain for a query: the listener's longest matching zone whose block takes it. Worker.
import type { ListenerPlan } from '../link/plan.ts';
import { RRTYPE } from '../wire/types.ts';
import type { Handler } from './plugin.ts';
import type { QueryFilter } from './query-filter.ts';
import type { Query } from './query.ts';
import { ZoneTable } from './zone-table.ts';

/** What a zone of a listener leads to. */
type Route = {
  readonly handler: Handler;
  readonly block: number;
  readonly server: number;
  /** Index of the zone among the block's zones. */
  readonly zone: number;
  /** Queries that the block takes; undefined: all. */
  readonly filter: QueryFilter | undefined;
};

/** What is needed where a block of the listener has a filter. */
type Filtered = {
  /** All blocks of each zone. */
  readonly choices: readonly (readonly Route[])[];
  /** The next shorter zone of each, -1 for none. */
  readonly parents: readonly number[];
  /** Index of the root zone, -1 when it is not served. */
  readonly root: number;
};

export class Router {
  readonly #table: ZoneTable;
  /** The first block of each zone. */
  readonly #routes: readonly Route[];
  readonly #filtered: Filtered | undefined;

  /**
   * @param handlers compiled chain per block of the plan
   * @param zonesOf the zones of each block, for `query.zone`
   * @param filters per block, undefined for one that takes every query
   */
  constructor(
    listener: ListenerPlan,
    handlers: readonly Handler[],
    zonesOf: readonly (readonly string[])[],
    filters: readonly (QueryFilter | undefined)[] = [],
  ) {
    const zones = listener.zones.map(({ zone }) => zone);
    const choices = listener.zones.map(({ zone, blocks }) =>
      blocks.map(
        ({ block, server }): Route => ({
          handler: handlers[block]!,
          block,
          server,
          zone: Math.max(0, zonesOf[block]!.indexOf(zone)),
          filter: filters[block],
        }),
      ),
    );
    this.#table = new ZoneTable(zones);
    this.#routes = choices.map(([first]) => first!);
    const hasFilter = choices.flat().some(({ filter }) => filter !== undefined);
    const parents = zones.map((zone) => findParent(zone, zones));
    this.#filtered = hasFilter ? { choices, parents, root: zones.indexOf('.') } : undefined;
  }

  /**
   * The chain for the query, with `query.block`, `server` and `zone` set; undefined when no block takes it. A DS
   * query belongs to the parent side of a cut, so it goes to the highest zone served (RFC 4035 section 3.1.4.1).
   */
  route(query: Query): Handler | undefined {
    const route = this.#filtered === undefined ? this.#findZone(query) : this.#findBlock(query);
    if (route === undefined) return undefined;
    query.block = route.block;
    query.server = route.server;
    query.zone = route.zone;
    return route.handler;
  }

  #findZone(query: Query): Route | undefined {
    let index = -1;
    if (query.qtype === RRTYPE.DS) index = this.#table.matchShortest(query);
    if (index === -1) index = this.#table.match(query);
    return index === -1 ? undefined : this.#routes[index];
  }

  /** Asks the blocks of each zone in the order of the Corefile, from the longest zone on. */
  #findBlock(query: Query): Route | undefined {
    const { choices, parents, root } = this.#filtered!;
    let found: Route | undefined;
    for (let index = this.#table.match(query); index !== -1; index = parents[index]!) {
      // The root is nobody's child: a DS query goes there only when nothing else takes it.
      if (found !== undefined && index === root) break;
      const route = choices[index]!.find(({ filter }) => filter === undefined || filter(query));
      if (route === undefined) continue;
      found = route;
      if (query.qtype !== RRTYPE.DS) break;
    }
    return found;
  }
}

/** Index of the longest other zone that `zone` is in, or -1. */
function findParent(zone: string, zones: readonly string[]): number {
  let parent = -1;
  zones.forEach((other, index) => {
    const isAbove = other !== zone && (other === '.' || zone.endsWith(`.${other}`));
    if (isAbove && (parent === -1 || other.length > zones[parent]!.length)) parent = index;
  });
  return parent;
}
