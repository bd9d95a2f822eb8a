// Reads the parts of `rewrite` that are about names. Control thread.
import { compileGoRegexp } from '../../base/go-regexp.ts';
import type { Directive } from '../../config/directive.ts';
import type { AnswerRule, NameMatch, NameRule } from './rules.ts';

const KINDS = ['exact', 'prefix', 'suffix', 'substring', 'regex'] as const;
/** As long as CoreDNS takes. */
const MAX_PATTERN_LENGTH = 10_000;
/** Placeholders `{0}` to `{100}` are counted. */
const MAX_PLACEHOLDER = 100;

/** Lower case, with a final dot. */
export function lowerName(text: string): string {
  const lower = text.toLowerCase();
  return /(?:^|[^\\])(?:\\\\)*\.$/.test(lower) ? lower : `${lower}.`;
}

/** `[KIND] TEXT`. @throws ConfigError */
export function readMatch(directive: Directive, words: readonly string[]): NameMatch {
  const [kind, text] = words.length === 1 ? ['exact', words[0]!] : [words[0]!.toLowerCase(), words[1]!];
  return makeMatch(directive, kind, text, lowerName(text));
}

/**
 * @param pattern the text as it is, for `regex`
 * @param name the text as it is compared otherwise
 * @throws ConfigError `ARGUMENT_VALUE`
 */
export function makeMatch(directive: Directive, kind: string, pattern: string, name: string): NameMatch {
  const known = directive.parseWord(kind, KINDS);
  if (known !== 'regex') return { kind: known, text: name };
  countGroups(directive, pattern);
  return { kind: known, text: pattern };
}

/** `[KIND] FROM TO [answer ..]`. @throws ConfigError */
export function readNameRule(directive: Directive, words: readonly string[]): NameRule {
  if (words.length < 2) throw directive.error('ARGUMENT_COUNT', 'name: takes at least 2 arguments, FROM and TO');
  const [kind, from, to] = words.length === 2 ? ['exact', words[0]!, words[1]!] : [words[0]!, words[1]!, words[2]!];
  const match = makeMatch(directive, kind.toLowerCase(), from, lowerName(from));
  const { auto, answers } = readAnswers(directive, words.slice(3));
  // CoreDNS takes the target of an exact rule for a pattern as well, and refuses what is none.
  if (match.kind === 'exact') checkPlaceholders(directive, lowerName(to), match.text);
  if (match.kind === 'regex') checkPlaceholders(directive, from, to);
  return { field: 'name', from: match, to: lowerName(to), auto: auto || match.kind === 'exact', answers };
}

/** `answer auto | [answer] name|value FROM TO`, one after the other. @throws ConfigError */
function readAnswers(directive: Directive, words: readonly string[]): { auto: boolean; answers: AnswerRule[] } {
  const answers: AnswerRule[] = [];
  let auto = false;
  if (words.length === 0) return { auto, answers };
  if (words.length === 1) throw directive.error('ARGUMENT_COUNT', `name: ${words[0]}: what to do is missing`);
  for (let at = 0; at < words.length; ) {
    if (at === 0) directive.parseWord(words[0]!, ['answer']);
    if (words[at] === 'answer') at++;
    const word = words[at++];
    if (word === undefined) throw directive.error('ARGUMENT_COUNT', 'answer: auto, name or value is missing');
    const kind = directive.parseWord(word, ['auto', 'name', 'value']);
    if (kind === 'auto') {
      auto = true;
      continue;
    }
    const [pattern, to] = words.slice(at, at + 2);
    if (pattern === undefined || to === undefined) {
      throw directive.error('ARGUMENT_COUNT', `answer ${kind}: takes 2 arguments, FROM and TO`);
    }
    checkPlaceholders(directive, pattern, to);
    answers.push({ kind, pattern, to: lowerName(to) });
    at += 2;
  }
  if (auto && answers.some(({ kind }) => kind === 'name')) {
    throw directive.error('OPTION_CONFLICT', '"answer auto" and "answer name" exclude each other, keep one');
  }
  return { auto, answers };
}

/** CoreDNS compares how many different placeholders there are with how many groups, not their numbers. */
function checkPlaceholders(directive: Directive, pattern: string, to: string): void {
  const groups = countGroups(directive, pattern);
  let used = 0;
  for (let i = 0; i <= MAX_PLACEHOLDER; i++) if (to.includes(`{${i}}`)) used++;
  if (used > groups) {
    throw directive.error('ARGUMENT_VALUE', `"${to}" uses ${used} groups, the pattern ${pattern} has ${groups}`);
  }
}

function countGroups(directive: Directive, pattern: string): number {
  if (pattern.length > MAX_PATTERN_LENGTH) {
    throw directive.error('ARGUMENT_VALUE', `pattern is longer than ${MAX_PATTERN_LENGTH} characters`);
  }
  try {
    return compileGoRegexp(pattern).groupCount;
  } catch (error) {
    throw directive.error('ARGUMENT_VALUE', (error as Error).message);
  }
}
