// Directive `rewrite` -> rules that change queries and their answers. Control thread.
import type { SetupContext } from '../../chain/plugin.ts';
import type { Directive } from '../../config/directive.ts';
import { parseClass } from '../../wire/record.ts';
import { parseRcode, parseType } from '../../wire/types.ts';
import { readEdnsRule } from './edns-rule.ts';
import { lowerName, makeMatch, readMatch, readNameRule } from './name-rule.ts';
import type { RewriteOptions, RewriteRule } from './rules.ts';

const FIELDS = ['name', 'type', 'class', 'edns0', 'ttl', 'rcode', 'cname'] as const;
type Field = (typeof FIELDS)[number];
const MAX_TTL_SECONDS = 0xffff_ffff;
/** What an open range ends with. */
const OPEN_TTL_SECONDS = 0x7fff_ffff;
/** Highest code that may be given as a number. */
const MAX_RCODE = 23;

/**
 * Reads `rewrite [continue|stop] FIELD ARGUMENT..`, any number of them; the words may stand in a block instead, all of
 * it one rule.
 *
 * @throws ConfigError `ARGUMENT_COUNT`, `ARGUMENT_VALUE`
 */
export function setupRewrite(directives: readonly Directive[], _context: SetupContext): RewriteOptions {
  return { rules: directives.map(readRule) };
}

function readRule(directive: Directive): RewriteRule {
  const words = [...directive.values];
  if (words.length < 2) {
    for (const option of directive.options()) words.push(option.name, ...option.values);
  } else directive.expectNoBlock();
  const mode = words[0]?.toLowerCase();
  const isContinued = mode === 'continue';
  if (isContinued || mode === 'stop') words.shift();
  const word = words.shift();
  if (word === undefined) throw directive.error('ARGUMENT_COUNT', `what to rewrite is missing: ${FIELDS.join(', ')}`);
  if (word.toLowerCase() === 'answer') {
    throw directive.error('ARGUMENT_VALUE', 'answer stands behind a name rule, it cannot start one');
  }
  const field = directive.parseWord(word.toLowerCase(), FIELDS);
  return { isContinued, ...readField(directive, field, words) };
}

/** A rule without its mode. */
type Rule<R = RewriteRule> = R extends RewriteRule ? Omit<R, 'isContinued'> : never;

function readField(directive: Directive, field: Field, words: readonly string[]): Rule {
  switch (field) {
    case 'name':
      return readNameRule(directive, words);
    case 'edns0':
      return readEdnsRule(directive, words);
    case 'type':
    case 'class':
      return readNumbers(directive, field, words);
    case 'ttl':
      return readTtl(directive, words);
    case 'rcode':
      return readRcodes(directive, words);
    default:
      return readCname(directive, words);
  }
}

/** @throws ConfigError `ARGUMENT_COUNT` unless there are `min` to `max` words */
function expectWords(directive: Directive, field: Field, words: readonly string[], min: number, max: number): void {
  if (words.length >= min && words.length <= max) return;
  const wanted = min === max ? String(min) : `${min} or ${max}`;
  throw directive.error('ARGUMENT_COUNT', `${field}: takes ${wanted} arguments, has ${words.length}`);
}

function readNumbers(directive: Directive, field: 'type' | 'class', words: readonly string[]): Rule {
  expectWords(directive, field, words, 2, 2);
  const parse = field === 'type' ? parseType : parseClass;
  const [from, to] = words.map((word) => {
    const code = parse(word);
    if (code === undefined) {
      throw directive.valueError(word, field === 'type' ? 'a record type (A, MX)' : 'a class (IN, CH)');
    }
    return code;
  });
  return { field, from: from!, to: to! };
}

function readTtl(directive: Directive, words: readonly string[]): Rule {
  expectWords(directive, 'ttl', words, 2, 3);
  const range = words.at(-1)!;
  const match = /^(\d{1,10})?(-)?(\d{1,10})?$/.exec(range);
  const [, first, dash, last] = match ?? [];
  const minSeconds = Number(first ?? 0);
  const maxSeconds = dash === undefined ? minSeconds : Number(last ?? OPEN_TTL_SECONDS);
  const isEmpty = first === undefined && last === undefined;
  if (!match || isEmpty || minSeconds > maxSeconds || maxSeconds > MAX_TTL_SECONDS) {
    throw directive.valueError(range, 'a number of seconds or a range (30, 30-300, -300, 30-)');
  }
  return { field: 'ttl', from: readMatch(directive, words.slice(0, -1)), minSeconds, maxSeconds };
}

function readRcodes(directive: Directive, words: readonly string[]): Rule {
  expectWords(directive, 'rcode', words, 3, 4);
  const [old, replacement] = words.slice(-2).map((word) => {
    const rcode = /^\d+$/.test(word) && Number(word) <= MAX_RCODE ? Number(word) : parseRcode(word);
    if (rcode === undefined) throw directive.valueError(word, `a response code (NXDOMAIN, or 0 to ${MAX_RCODE})`);
    return rcode;
  });
  return { field: 'rcode', from: readMatch(directive, words.slice(0, -2)), old: old!, new: replacement! };
}

/** Only whole names get their final dot: parts are compared as they are written. */
function readCname(directive: Directive, words: readonly string[]): Rule {
  expectWords(directive, 'cname', words, 2, 3);
  const [kind, from, to] = words.length === 2 ? ['exact', ...words] : words;
  const match = makeMatch(directive, kind!.toLowerCase(), from!.toLowerCase(), from!.toLowerCase());
  if (match.kind !== 'exact') return { field: 'cname', from: match, to: to!.toLowerCase() };
  return { field: 'cname', from: { kind: 'exact', text: lowerName(from!) }, to: lowerName(to!) };
}
