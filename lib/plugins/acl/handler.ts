// Turns queries away by client address, type and name. Worker.
//
// Three names can be a query's: the one that arrives here, the one the client asked for before `rewrite` replaced it, and those
// that aliases in the answer lead to. The first is judged by all rules; the others by rules for zones that the first is not in,
// since the rest have had their say: whoever may ask for a name is not let into another zone by it, or out of one.
import type { Answer } from '../../chain/answer.ts';
import { isWaiting, Outcome, whenAnswered } from '../../chain/outcome.ts';
import type { Env, Handler } from '../../chain/plugin.ts';
import { Query } from '../../chain/query.ts';
import { ZoneTable } from '../../chain/zone-table.ts';
import { MAX_NAME_LENGTH, readName } from '../../wire/name.ts';
import { SECTION } from '../../wire/record-index.ts';
import { EDE, RCODE, RRTYPE } from '../../wire/types.ts';
import { AddressSet } from './address-set.ts';
import type { AclCells } from './metrics.ts';
import type { AclAction, AclOptions, AclPolicy } from './setup.ts';

type CompiledPolicy = {
  readonly action: AclAction;
  readonly types: ReadonlySet<number> | undefined;
  readonly clients: AddressSet | undefined;
};

type CompiledRule = {
  readonly zones: ZoneTable;
  readonly zoneCount: number;
  readonly policies: readonly CompiledPolicy[];
  readonly cells: readonly AclCells[];
};

export function createAclHandler(options: AclOptions, env: Env): Handler {
  return new AclHandler(options, env).serve;
}

class AclHandler {
  readonly #env: Env;
  readonly #rules: readonly CompiledRule[];
  readonly #allowedCells: readonly number[];
  readonly #isForSomeNames: boolean;
  /** An alias's target, to be matched with zones. Reused. */
  readonly #target = new Query();
  readonly #name = new Uint8Array(MAX_NAME_LENGTH + 1);

  constructor(options: AclOptions, env: Env) {
    this.#env = env;
    this.#rules = options.rules.map((rule) => ({
      zones: new ZoneTable(rule.zones),
      zoneCount: rule.zones.length,
      policies: rule.policies.map(compilePolicy),
      cells: rule.cells,
    }));
    this.#allowedCells = options.allowedCells;
    this.#isForSomeNames = options.isForSomeNames;
  }

  readonly serve: Handler = (query, answer) => {
    const { asked } = query;
    let away = this.#judge(query, query, answer);
    if (away === undefined && asked !== undefined) away = this.#judge(query, asked, answer);
    if (away !== undefined) return away;
    const allowed = this.#allowedCells[query.server];
    if (allowed !== undefined) this.#env.cells[allowed]!++;
    const result = this.#env.next(query, answer);
    if (!this.#isForSomeNames) return result;
    return isWaiting(result)
      ? whenAnswered(result, query, answer, this.#judgeAliases)
      : this.#judgeAliases(query, answer, result);
  };

  /**
   * Turns the query away when it may not be about the name and type of `other`.
   *
   * @param other the query itself, or another question that it is about
   * @returns undefined when it may go on; otherwise what became of it, and `answer` says so
   */
  #judge(query: Query, other: Query, answer: Answer): Outcome | undefined {
    for (let i = 0; i < this.#rules.length; i++) {
      const rule = this.#rules[i]!;
      const zone = rule.zones.match(other);
      if (zone === -1) continue;
      const action = findAction(rule.policies, other.qtype, query);
      if (action === undefined) continue;
      if (action === 'allow' || (other !== query && rule.zones.match(query) !== -1)) return undefined;
      return refuse(action, answer, this.#env.cells, rule.cells[query.server * rule.zoneCount + zone]);
    }
    return undefined;
  }

  /** Takes an answer back when an alias in it leads where the client may not ask. */
  readonly #judgeAliases = (query: Query, answer: Answer, outcome: Outcome): Outcome => {
    if (outcome !== Outcome.ANSWERED || query.qtype === RRTYPE.AXFR || query.qtype === RRTYPE.IXFR) return outcome;
    const { records } = answer;
    for (let i = 0; i < records.counts[SECTION.ANSWER]!; i++) {
      if (records.type(i) !== RRTYPE.CNAME) continue;
      if (readName(answer.bytes, answer.base, records.rdataAt(i), answer.length, this.#name) === -1) continue;
      this.#target.setName(this.#name);
      this.#target.qtype = query.qtype;
      const away = this.#judge(query, this.#target, answer);
      if (away !== undefined) return away;
    }
    return outcome;
  };
}

function compilePolicy({ action, types, prefixes }: AclPolicy): CompiledPolicy {
  return { action, types: types && new Set(types), clients: prefixes && new AddressSet(prefixes) };
}

/** Action of the first policy that matches, undefined when none does. */
function findAction(policies: readonly CompiledPolicy[], type: number, client: Query): AclAction | undefined {
  for (let i = 0; i < policies.length; i++) {
    const { action, types, clients } = policies[i]!;
    if (types !== undefined && !types.has(type)) continue;
    if (clients !== undefined && !clients.has(client.clientAddress, client.family)) continue;
    return action;
  }
  return undefined;
}

function refuse(action: AclAction, answer: Answer, cells: Float64Array, at: AclCells | undefined): Outcome {
  answer.reset();
  if (action === 'drop') {
    if (at) cells[at.dropped]!++;
    return Outcome.DROPPED;
  }
  if (action === 'block') {
    if (at) cells[at.blocked]!++;
    answer.rcode = RCODE.REFUSED;
    answer.ede = EDE.BLOCKED;
    return Outcome.ANSWERED;
  }
  if (at) cells[at.filtered]!++;
  answer.ede = EDE.FILTERED;
  return Outcome.ANSWERED;
}
