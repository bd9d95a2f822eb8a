// Makes answers from templates. Worker.
import { compileGoRegexp, type GoMatch, type GoRegexp } from '../../base/go-regexp.ts';
import { addRecord } from '../../chain/add-record.ts';
import { Answer } from '../../chain/answer.ts';
import { copyRecord } from '../../chain/copy-record.ts';
import { isWaiting, Outcome, type Result } from '../../chain/outcome.ts';
import type { Env, Handler } from '../../chain/plugin.ts';
import type { Query } from '../../chain/query.ts';
import { ZoneTable } from '../../chain/zone-table.ts';
import type { GoTemplate } from '../../config/go-template/ast.ts';
import { type GoStruct, type GoValue, TemplateRunError } from '../../config/go-template/value.ts';
import { parseRecord, type ResourceRecord } from '../../wire/record.ts';
import { SECTION } from '../../wire/record-index.ts';
import { RecordTextError } from '../../wire/text.ts';
import { CLASS, RCODE, RRTYPE } from '../../wire/types.ts';
import { groupsOf, makeTemplateData } from './data.ts';
import { type Outcome as ExpressionOutcome, TemplateExpressions } from './expressions.ts';
import { parseLine, renderLine } from './line.ts';
import { kindOf } from './metrics.ts';
import type { TemplateLine, TemplateOptions, TemplateRule } from './setup.ts';

type CompiledLine = { readonly line: TemplateLine; readonly template: GoTemplate };

type CompiledRule = {
  readonly rule: TemplateRule;
  readonly zones: ZoneTable;
  readonly patterns: readonly GoRegexp[];
  /** Undefined without `var` and `expr`. */
  readonly expressions: TemplateExpressions | undefined;
  readonly lines: readonly CompiledLine[];
  readonly fallthrough: ZoneTable;
};

/** A record and the section it goes to. */
type Rendered = { readonly line: TemplateLine; readonly record: ResourceRecord };

const NO_EXPRESSIONS: ExpressionOutcome = { kind: 'true', variables: new Map() };
const EVERYTHING = compileGoRegexp('.*');

export function createTemplateHandler(options: TemplateOptions, env: Env): Handler {
  const { next } = env;
  const rules = options.rules.map(compileRule);
  const writer = new TemplateWriter(env);

  return function template(query, answer) {
    let name = '';
    for (let i = 0; i < rules.length; i++) {
      const compiled = rules[i]!;
      const zone = findZone(compiled, query);
      if (zone === -1) continue;
      if (name === '') name = query.formatName();
      const match = firstMatch(compiled.patterns, name);
      const outcome = match && evaluate(compiled.expressions, query, match);
      if (match && outcome?.kind === 'true') {
        return writer.answer(compiled, query, answer, zone, name, match, outcome.variables);
      }
      if (outcome?.kind === 'failed' || compiled.fallthrough.match(query) === -1) {
        answer.fail(RCODE.SERVFAIL);
        return Outcome.FAILED;
      }
    }
    return next(query, answer);
  };
}

function compileRule(rule: TemplateRule): CompiledRule {
  return {
    rule,
    zones: new ZoneTable(rule.zones),
    patterns: rule.patterns.length === 0 ? [EVERYTHING] : rule.patterns.map((pattern) => compileGoRegexp(pattern)),
    expressions: compileExpressions(rule),
    lines: rule.lines.map((line) => ({ line, template: parseLine(line.text) })),
    fallthrough: new ZoneTable(rule.fallthrough),
  };
}

function compileExpressions({ variables, conditions }: TemplateRule): TemplateExpressions | undefined {
  if (variables.length === 0 && conditions.length === 0) return undefined;
  const expressions = new TemplateExpressions();
  for (const variable of variables) expressions.addVariable(variable);
  for (const text of conditions) expressions.addCondition(text);
  return expressions;
}

function evaluate(expressions: TemplateExpressions | undefined, query: Query, match: GoMatch): ExpressionOutcome {
  return expressions === undefined ? NO_EXPRESSIONS : expressions.run(query, groupsOf(match));
}

/** Index of the rule's zone that the query is in, -1 when the rule is not about the query. */
function findZone({ rule, zones }: CompiledRule, query: Query): number {
  const { qclass, qtype } = rule;
  if (qclass !== CLASS.ANY && query.qclass !== CLASS.ANY && query.qclass !== qclass) return -1;
  if (qtype !== RRTYPE.ANY && query.qtype !== RRTYPE.ANY && query.qtype !== qtype) return -1;
  return zones.match(query);
}

function firstMatch(patterns: readonly GoRegexp[], name: string): GoMatch | undefined {
  for (const pattern of patterns) {
    const match = pattern.exec(name);
    if (match) return match;
  }
  return undefined;
}

class TemplateWriter {
  readonly #env: Env;

  constructor(env: Env) {
    this.#env = env;
  }

  answer(
    compiled: CompiledRule,
    query: Query,
    answer: Answer,
    zone: number,
    name: string,
    match: GoMatch,
    variables: ReadonlyMap<string, GoValue>,
  ): Result {
    const { rule } = compiled;
    const { cells } = this.#env;
    const { qclass, qtype } = rule;
    // A query for any class or type counts as what the rule is for.
    const forClass = query.qclass === CLASS.ANY ? qclass : query.qclass;
    const forType = query.qtype === RRTYPE.ANY ? qtype : query.qtype;
    const kind = kindOf(qclass, qtype, forClass, forType);
    const cell = (query.server * rule.zones.length + zone) * rule.cells.kinds + kind;
    cells[rule.cells.matches[cell]!]!++;
    if (rule.rcode === RCODE.SERVFAIL) {
      answer.fail(RCODE.SERVFAIL);
      return Outcome.FAILED;
    }
    const data = makeTemplateData(query, rule, rule.zones[zone]!, name, match, variables);
    const rendered: Rendered[] = [];
    for (const { line, template } of compiled.lines) {
      const record = this.#render(line, template, data, cell);
      if (typeof record === 'string') {
        answer.fail(RCODE.SERVFAIL, record);
        return Outcome.FAILED;
      }
      rendered.push({ line, record });
    }
    answer.plugin = 'template';
    answer.rcode = rule.rcode;
    answer.authoritative = true;
    answer.ede = rule.ede;
    answer.edeText = rule.edeText;
    return this.#write(query, answer, rendered, 0);
  }

  /** The record, or why there is none. */
  #render(line: TemplateLine, template: GoTemplate, data: GoStruct, cell: number): ResourceRecord | string {
    try {
      return parseRecord(renderLine(template, data));
    } catch (error) {
      if (error instanceof TemplateRunError) {
        this.#env.cells[line.cells.templateFailures[cell]!]!++;
        return `template: ${error.message}`;
      }
      if (!(error instanceof RecordTextError)) throw error;
      this.#env.cells[line.cells.recordFailures[cell]!]!++;
      return error.message;
    }
  }

  /** Writes the records from number `first` on; waits where the target of an alias has to be asked for. */
  #write(query: Query, answer: Answer, rendered: readonly Rendered[], first: number): Result {
    for (let i = first; i < rendered.length; i++) {
      const { line, record } = rendered[i]!;
      addRecord(answer, line.section, record);
      const isAddressQuery = query.qtype === RRTYPE.A || query.qtype === RRTYPE.AAAA;
      if (!isAddressQuery || record.type !== RRTYPE.CNAME || line.section !== SECTION.ANSWER) continue;
      const into = new Answer();
      const result = this.#env.resolve(query, record.rdata, query.qtype, into);
      if (isWaiting(result)) {
        return result.then(() => {
          addTarget(answer, into);
          return this.#write(query, answer, rendered, i + 1);
        });
      }
      addTarget(answer, into);
    }
    return Outcome.ANSWERED;
  }
}

/** Appends the answers found for an alias's target. */
function addTarget(answer: Answer, into: Answer): void {
  const { records } = into;
  answer.truncated = into.truncated;
  answer.live ||= into.live;
  const count = records.counts[SECTION.ANSWER]!;
  for (let i = 0; i < count; i++) copyRecord(answer, SECTION.ANSWER, into.bytes, into.base, records, i);
}
