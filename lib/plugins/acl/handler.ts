// Turns queries away by client address, type and name. Worker.
import type { Answer } from '../../chain/answer.ts';
import { Outcome } from '../../chain/outcome.ts';
import type { Env, Handler } from '../../chain/plugin.ts';
import type { Query } from '../../chain/query.ts';
import { ZoneTable } from '../../chain/zone-table.ts';
import { EDE, RCODE } from '../../wire/types.ts';
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

export function createAclHandler(options: AclOptions, { next, cells }: Env): Handler {
  const rules: readonly CompiledRule[] = options.rules.map((rule) => ({
    zones: new ZoneTable(rule.zones),
    zoneCount: rule.zones.length,
    policies: rule.policies.map(compilePolicy),
    cells: rule.cells,
  }));

  return function acl(query, answer) {
    for (let i = 0; i < rules.length; i++) {
      const rule = rules[i]!;
      const zone = rule.zones.match(query);
      if (zone === -1) continue;
      const action = findAction(rule.policies, query);
      if (action === undefined) continue;
      if (action === 'allow') break;
      const at = rule.cells[query.server * rule.zoneCount + zone];
      return refuse(action, answer, cells, at);
    }
    const allowed = options.allowedCells[query.server];
    if (allowed !== undefined) cells[allowed]!++;
    return next(query, answer);
  };
}

function compilePolicy({ action, types, prefixes }: AclPolicy): CompiledPolicy {
  return { action, types: types && new Set(types), clients: prefixes && new AddressSet(prefixes) };
}

/** Action of the first policy that matches, undefined when none does. */
function findAction(policies: readonly CompiledPolicy[], query: Query): AclAction | undefined {
  for (let i = 0; i < policies.length; i++) {
    const { action, types, clients } = policies[i]!;
    if (types !== undefined && !types.has(query.qtype)) continue;
    if (clients !== undefined && !clients.has(query.clientAddress, query.family)) continue;
    return action;
  }
  return undefined;
}

function refuse(action: AclAction, answer: Answer, cells: Float64Array, at: AclCells | undefined): Outcome {
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
