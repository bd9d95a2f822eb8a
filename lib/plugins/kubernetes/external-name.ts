// ExternalName Services: the alias, and what stands behind it. Worker, cold path.
import { Answer } from '../../chain/answer.ts';
import type { Result } from '../../chain/outcome.ts';
import { isWaiting } from '../../chain/outcome.ts';
import { followAlias, joinAlias } from '../../chain/outside-names.ts';
import type { Env } from '../../chain/plugin.ts';
import type { Query } from '../../chain/query.ts';
import { makeSubquery } from '../../chain/subquery.ts';
import { isSubdomain, nameLength } from '../../wire/name.ts';

/** Aliases followed inside the zone. */
const MAX_ALIASES = 11;

/** Answers a query for a name of the same zone; `depth` is how many aliases led there. */
type ServeInZone = (query: Query, answer: Answer, depth: number) => Result;

export class ExternalNames {
  readonly #env: Env;
  readonly #ttlSeconds: number;
  readonly #serveInZone: ServeInZone;
  /** The chain under way met itself or grew too long. */
  #isLoop = false;

  constructor(env: Env, ttlSeconds: number, serveInZone: ServeInZone) {
    this.#env = env;
    this.#ttlSeconds = ttlSeconds;
    this.#serveInZone = serveInZone;
  }

  /**
   * Answers with the alias and its target's records: names of the own zone from the store, all others from the whole
   * server.
   *
   * @param bytes,at the target; not needed any more when this returns
   * @param zoneAt where the zone starts in `query.name`
   * @returns undefined when the chain is a loop: the caller answers NODATA
   */
  follow(
    query: Query,
    answer: Answer,
    bytes: Uint8Array,
    at: number,
    zoneAt: number,
    depth: number,
  ): Result | undefined {
    if (depth === 0) this.#isLoop = false;
    const target = bytes.slice(at, at + nameLength(bytes, at));
    if (!isSubdomain(target, query.name.subarray(zoneAt))) {
      return followAlias(this.#env, query, answer, this.#ttlSeconds, target, 0);
    }
    // The apex never has addresses: such an alias is as empty as a loop.
    const isApex = target.length === query.nameLength - zoneAt;
    if (isApex || depth >= MAX_ALIASES || isSubdomain(target, query.name)) {
      this.#isLoop = true;
      return undefined;
    }
    const subquery = makeSubquery(query, target, query.qtype);
    const into = new Answer();
    into.begin(subquery);
    const result = this.#serveInZone(subquery, into, depth + 1);
    if (this.#isLoop) return undefined;
    const join = (outcome: Awaited<Result>): Awaited<Result> =>
      joinAlias(answer, this.#ttlSeconds, target, into, outcome, true);
    return isWaiting(result) ? result.then(join) : join(result);
  }
}
