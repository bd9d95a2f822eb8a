// Directive `template` -> rules that make answers from text. Control thread.
import { compileGoRegexp } from '../../base/go-regexp.ts';
import type { SetupContext } from '../../chain/plugin.ts';
import type { Directive, Option, Token } from '../../config/directive.ts';
import { formatNodes } from '../../config/go-template/ast.ts';
import { SECTION, type Section } from '../../wire/record-index.ts';
import { parseClass } from '../../wire/record.ts';
import { parseRcode, parseType, RCODE } from '../../wire/types.ts';
import { isReserved, TemplateExpressions, type Variable } from './expressions.ts';
import { parseLine } from './line.ts';
import {
  declareLineCells,
  declareTemplateCells,
  type LineCells,
  type TemplateCells,
  type TemplateScope,
} from './metrics.ts';

const OPTIONS = [
  'match',
  'var',
  'expr',
  'answer',
  'additional',
  'authority',
  'rcode',
  'ederror',
  'fallthrough',
  'upstream',
] as const;
const SECTIONS = { answer: SECTION.ANSWER, authority: SECTION.AUTHORITY, additional: SECTION.ADDITIONAL } as const;
/** As long as CoreDNS takes. */
const MAX_PATTERN_LENGTH = 10_000;
const MAX_CODE = 65_535;

/** One record as text with actions; parsed once more by the worker. */
export type TemplateLine = { readonly section: Section; readonly text: string; readonly cells: LineCells };

export type TemplateRule = {
  readonly zones: readonly string[];
  /** CLASS.ANY and RRTYPE.ANY stand for all. */
  readonly qclass: number;
  readonly qtype: number;
  /** In Go's syntax; the first that matches gives the groups. Empty: every name. */
  readonly patterns: readonly string[];
  /** Each may use those before it. */
  readonly variables: readonly Variable[];
  /** All must be true. */
  readonly conditions: readonly string[];
  /** In the order of the sections of a message. */
  readonly lines: readonly TemplateLine[];
  readonly rcode: number;
  /** -1: none. */
  readonly ede: number;
  readonly edeText: string;
  /** Zones whose names go on to the next rule when no pattern matches. */
  readonly fallthrough: readonly string[];
  readonly cells: TemplateCells;
};

export type TemplateOptions = { readonly rules: readonly TemplateRule[] };

/**
 * Reads `template CLASS TYPE [ZONE..] { match REGEXP.. ; var NAME EXPRESSION ; expr EXPRESSION ;
 * answer|additional|authority RECORD.. ; rcode CODE ; ederror CODE [TEXT] ; fallthrough [ZONE..] }`, any number of them.
 *
 * @throws ConfigError `ARGUMENT_COUNT`, `ARGUMENT_VALUE`, `OPTION_UNKNOWN`
 */
export function setupTemplate(directives: readonly Directive[], context: SetupContext): TemplateOptions {
  return { rules: directives.map((directive) => readRule(directive, context)) };
}

function readRule(directive: Directive, context: SetupContext): TemplateRule {
  directive.expectArguments(2, Number.POSITIVE_INFINITY);
  const [className, typeName, ...zoneWords] = directive.args as [Token, Token, ...Token[]];
  const scope: TemplateScope = {
    servers: context.servers,
    view: context.view,
    zones: directive.parseZones(zoneWords, context.zones),
    qclass: readClass(directive, className),
    qtype: readType(directive, typeName),
    className: className.text,
    typeName: typeName.text,
  };
  const lines: TemplateLine[] = [];
  const patterns: string[] = [];
  const variables: Variable[] = [];
  const conditions: string[] = [];
  const expressions = new TemplateExpressions();
  const rule = { rcode: RCODE.NOERROR as number, ede: -1, edeText: '', fallthrough: [] as readonly string[] };
  for (const option of directive.options()) {
    switch (option.name) {
      case 'match':
        patterns.push(...readPatterns(option));
        break;
      case 'var':
        variables.push(readVariable(option, expressions));
        break;
      case 'expr':
        conditions.push(readCondition(option, expressions));
        break;
      case 'answer':
      case 'authority':
      case 'additional':
        lines.push(...readLines(option, option.name, scope, context));
        break;
      case 'rcode':
        option.expectArguments(1);
        rule.rcode = readRcode(option);
        break;
      case 'ederror':
        option.expectArguments(1, 2);
        rule.ede = option.parseInteger(option.argument(), { min: 0, max: MAX_CODE });
        rule.edeText = option.args[1]?.text ?? '';
        break;
      case 'fallthrough':
        rule.fallthrough = option.parseZones(option.args, ['.']);
        break;
      case 'upstream':
        // CNAME targets are always looked up here.
        break;
      default:
        throw directive.unknownOption(option, OPTIONS);
    }
  }
  const { zones, qclass, qtype } = scope;
  lines.sort((a, b) => a.section - b.section);
  const cells = declareTemplateCells(context.metrics, scope);
  return { zones, qclass, qtype, patterns, variables, conditions, lines, ...rule, cells };
}

function readVariable(option: Option, expressions: TemplateExpressions): Variable {
  option.expectArguments(2, Number.POSITIVE_INFINITY);
  const [word, ...rest] = option.args as [Token, ...Token[]];
  if (!/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(word.text)) {
    throw option.valueError(word, 'a name of letters, digits and underscores');
  }
  if (isReserved(word.text))
    throw option.error('ARGUMENT_VALUE', `var: the name "${word.text}" is reserved`, word.line);
  const variable = { name: word.text, text: rest.map(({ text }) => text).join(' ') };
  check(option, () => expressions.addVariable(variable));
  return variable;
}

function readCondition(option: Option, expressions: TemplateExpressions): string {
  option.expectArguments(1, Number.POSITIVE_INFINITY);
  const text = option.values.join(' ');
  check(option, () => expressions.addCondition(text));
  return text;
}

function check(option: Option, compile: () => void): void {
  try {
    compile();
  } catch (error) {
    throw option.error('ARGUMENT_VALUE', `${option.name}: ${(error as Error).message}`);
  }
}

function readClass(directive: Directive, word: Token): number {
  const qclass = /^[A-Z]+$/.test(word.text) ? parseClass(word.text) : undefined;
  if (qclass === undefined) throw directive.valueError(word, 'a class in capital letters (IN, CH, ANY)');
  return qclass;
}

function readType(directive: Directive, word: Token): number {
  const qtype = /^(?!TYPE\d)[A-Z0-9]+$/.test(word.text) ? parseType(word.text) : undefined;
  if (qtype === undefined) throw directive.valueError(word, 'a record type in capital letters (A, PTR, ANY)');
  return qtype;
}

function readRcode(option: Option): number {
  const word = option.argument();
  const rcode = word.text === word.text.toUpperCase() ? parseRcode(word.text) : undefined;
  if (rcode === undefined) throw option.valueError(word, 'a response code in capital letters (NXDOMAIN)');
  return rcode;
}

function readPatterns(option: Option): string[] {
  option.expectArguments(1, Number.POSITIVE_INFINITY);
  for (const { text, line } of option.args) {
    if (text.length > MAX_PATTERN_LENGTH) {
      throw option.error('ARGUMENT_VALUE', `match: pattern is longer than ${MAX_PATTERN_LENGTH} characters`, line);
    }
    try {
      compileGoRegexp(text);
    } catch (error) {
      throw option.error('ARGUMENT_VALUE', `match: ${(error as Error).message}`, line);
    }
  }
  return [...option.values];
}

function readLines(
  option: Option,
  name: keyof typeof SECTIONS,
  scope: TemplateScope,
  context: SetupContext,
): TemplateLine[] {
  option.expectArguments(1, Number.POSITIVE_INFINITY);
  return option.args.map(({ text, line }) => {
    try {
      const template = parseLine(text);
      const cells = declareLineCells(context.metrics, scope, name, formatNodes(template.root));
      return { section: SECTIONS[name], text, cells };
    } catch (error) {
      throw option.error('ARGUMENT_VALUE', `${name}: template: ${(error as Error).message}`, line);
    }
  });
}
