// Rules for queries in the form in which they run: a test that allocates nothing, and the change. Worker.
import type { Query } from '../../chain/query.ts';
import { parseName } from '../../wire/name.ts';
import { type CnameRule, compileCnameRule } from './cname.ts';
import { EdnsOptions, type OptionRevert } from './edns-options.ts';
import { compileMatch, compilePatternReplacement, compileReplacement, type NameText } from './name-text.ts';
import { makeRemap, makeSuffixRemap, type ResponseRule } from './response.ts';
import type { EdnsRule, NameRule, RewriteRule } from './rules.ts';

/** What the rules have made of a query. */
export class RuleDraft {
  readonly query: Query;
  /** Wire form, lower case; undefined as long as it is the client's. */
  name: Uint8Array | undefined;
  nameText: string | undefined;
  type: number;
  class: number;
  options: EdnsOptions | undefined;
  readonly reverts: OptionRevert[] = [];
  readonly responses: ResponseRule[] = [];
  readonly cnames: CnameRule[] = [];
  /** Whether names in the answer change. */
  changesNames = false;
  /** A name that a rule made and that is none. */
  illegal = '';

  constructor(query: Query) {
    this.query = query;
    this.type = query.qtype;
    this.class = query.qclass;
  }
}

export type Draft = Readonly<Omit<RuleDraft, 'options'>> & { readonly options: EdnsOptions | undefined };

export type CompiledRule = {
  readonly rule: RewriteRule;
  /** Whether the rule may apply to what is asked so far. */
  readonly test: (name: NameText, type: number, qclass: number) => boolean;
  /** Changes the draft; false when the rule does not apply after all. */
  readonly apply: (draft: RuleDraft, name: NameText) => boolean;
};

export function compileRule(rule: RewriteRule): CompiledRule {
  switch (rule.field) {
    case 'name':
      return { rule, test: compileMatch(rule.from), apply: compileNameRule(rule) };
    case 'type':
      return {
        rule,
        test: (_name, type) => type === rule.from,
        apply: (draft) => {
          draft.type = rule.to;
          return true;
        },
      };
    case 'class':
      return {
        rule,
        test: (_name, _type, qclass) => qclass === rule.from,
        apply: (draft) => {
          draft.class = rule.to;
          return true;
        },
      };
    case 'edns0':
      return { rule, test: () => true, apply: (draft) => applyEdns(draft, rule) };
    case 'cname': {
      const compiled = compileCnameRule(rule);
      return { rule, test: () => true, apply: (draft) => draft.cnames.push(compiled) > 0 };
    }
    case 'ttl': {
      const { minSeconds, maxSeconds } = rule;
      const response = { kind: 'ttl', minSeconds, maxSeconds } as const;
      return { rule, test: compileMatch(rule.from), apply: (draft) => draft.responses.push(response) > 0 };
    }
    default: {
      const response = { kind: 'rcode', old: rule.old, new: rule.new } as const;
      return { rule, test: compileMatch(rule.from), apply: (draft) => draft.responses.push(response) > 0 };
    }
  }
}

function compileNameRule(rule: NameRule): CompiledRule['apply'] {
  const replace = compileReplacement(rule.from, rule.to);
  const fixed: ResponseRule[] = [];
  if (rule.auto && rule.from.kind === 'suffix') fixed.push(...bothNames(makeSuffixRemap(rule.to, rule.from.text)));
  for (const { kind, pattern, to } of rule.answers)
    fixed.push({ kind, replace: compilePatternReplacement(pattern, to) });
  const remaps = rule.auto && rule.from.kind !== 'suffix';
  return (draft, name) => {
    const before = name.toString();
    const after = replace(before);
    const wire = parseName(after);
    if (wire === undefined) {
      draft.illegal = after;
      return true;
    }
    if (after !== before) {
      draft.name = wire;
      draft.nameText = after;
      name.setText(after);
    }
    if (remaps) draft.responses.push(...bothNames(makeRemap(after, before)));
    draft.responses.push(...fixed);
    draft.changesNames ||= remaps || fixed.length > 0;
    return true;
  };
}

/** A rule for owners and the same for targets. */
function bothNames(replace: (name: string) => string): ResponseRule[] {
  return [
    { kind: 'name', replace },
    { kind: 'value', replace },
  ];
}

function applyEdns(draft: RuleDraft, rule: EdnsRule): boolean {
  draft.options ??= new EdnsOptions(draft.query);
  const change = draft.options.apply(rule, draft.query, { name: draft.nameText, type: draft.type });
  if (change === undefined) return false;
  if (change.revert !== undefined) draft.reverts.push(change.revert);
  return true;
}
