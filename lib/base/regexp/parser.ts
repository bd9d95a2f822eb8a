// Reads regular expressions in the syntax of Go's `regexp` package (RE2); what Go refuses is refused. Pure; both kinds of thread.
import type { ParsedRegexp, Place, RegexpNode } from './ast.ts';
import { CharSets, type ClassMembers } from './char-set.ts';
import { NEGATED_PERL, PERL_CLASSES, readEscape, readPosixClass, readProperty } from './class-names.ts';

/** Go's limit for repetition counts, those of nested repetitions multiplied. */
const MAX_REPEAT = 1000;
const MAX_DEPTH = 1000;

/** Why a pattern is not accepted. */
export class RegexpError extends Error {
  constructor(reason: string, pattern: string) {
    super(`error parsing regexp: ${reason}: \`${pattern}\``);
    this.name = 'RegexpError';
  }
}

type Flags = { readonly i: boolean; readonly m: boolean; readonly s: boolean; readonly U: boolean };
const NO_FLAGS: Flags = { i: false, m: false, s: false, U: false };

const LINE_FEED = 0x0a;
const NOT_LINE_FEED: ClassMembers = { ranges: [LINE_FEED, LINE_FEED], properties: [] };
const EVERYTHING: ClassMembers = { ranges: [0, 0x10ffff], properties: [] };
const PLACE_ESCAPES: Readonly<Record<string, Place>> = {
  A: 'TEXT_START',
  z: 'TEXT_END',
  b: 'WORD_EDGE',
  B: 'NO_WORD_EDGE',
};

/** @throws RegexpError */
export function parseRegexp(pattern: string): ParsedRegexp {
  return new Parser(pattern).parse();
}

class Parser {
  readonly #text: string;
  readonly #sets = new CharSets();
  readonly #groupNames = new Map<string, number>();
  #at = 0;
  #groups = 0;
  #depth = 0;
  /** They hold to the end of the group that they stand in. */
  #flags = NO_FLAGS;

  constructor(text: string) {
    this.#text = text;
  }

  parse(): ParsedRegexp {
    const root = this.#choice();
    if (this.#at < this.#text.length) throw this.#error('unexpected )');
    return { root, groupCount: this.#groups, groupNames: this.#groupNames };
  }

  get #char(): string | undefined {
    return this.#text[this.#at];
  }

  /** To the end, or to the `)` of this group. */
  #choice(): RegexpNode {
    if (++this.#depth > MAX_DEPTH) throw this.#error('expression nests too deeply');
    const flags = this.#flags;
    const parts = [this.#sequence()];
    while (this.#char === '|') {
      this.#at++;
      parts.push(this.#sequence());
    }
    this.#flags = flags;
    this.#depth--;
    return parts.length === 1 ? parts[0]! : { kind: 'choice', parts };
  }

  #sequence(): RegexpNode {
    const parts: RegexpNode[] = [];
    while (this.#char !== undefined && this.#char !== '|' && this.#char !== ')') {
      if (this.#text.startsWith('\\Q', this.#at)) {
        this.#quoted(parts);
        continue;
      }
      const part = this.#atom();
      if (part !== undefined) parts.push(part);
      // Behind flags in the middle it is the part in front of them that repeats.
      this.#repeats(parts, parts.length > 0);
    }
    return parts.length === 1 ? parts[0]! : parts.length === 0 ? { kind: 'empty' } : { kind: 'sequence', parts };
  }

  /** `*`, `+`, `?` and `{..}` behind the last of `parts`. */
  #repeats(parts: RegexpNode[], hasBody: boolean): void {
    const count = this.#repetition();
    if (count === undefined) return;
    if (!hasBody) throw this.#error('missing argument to repetition operator');
    let isGreedy = !this.#flags.U;
    if (this.#char === '?') {
      this.#at++;
      isGreedy = !isGreedy;
    }
    const node: RegexpNode = { kind: 'repeat', body: parts.pop()!, ...count, isGreedy };
    if (!isCountValid(node, MAX_REPEAT)) throw this.#error('invalid repeat count');
    parts.push(node);
    if (this.#repetition() !== undefined) throw this.#error('invalid nested repetition operator');
  }

  /** A `{` that starts no repetition is a plain character in Go. */
  #repetition(): { min: number; max: number } | undefined {
    const char = this.#char;
    if (char === '*' || char === '+' || char === '?') {
      this.#at++;
      return { min: char === '+' ? 1 : 0, max: char === '?' ? 1 : Number.POSITIVE_INFINITY };
    }
    const match = char === '{' ? /^\{(\d+)(,(\d*))?\}/.exec(this.#text.slice(this.#at, this.#at + 32)) : null;
    if (match === null) return undefined;
    this.#at += match[0].length;
    const min = Number(match[1]);
    const max = match[2] === undefined ? min : match[3] === '' ? Number.POSITIVE_INFINITY : Number(match[3]);
    const isValid = min <= MAX_REPEAT && max >= min && (max <= MAX_REPEAT || max === Number.POSITIVE_INFINITY);
    if (!isValid) throw this.#error('invalid repeat count');
    return { min, max };
  }

  /** @returns undefined for flags, which match nothing and cannot be repeated */
  #atom(): RegexpNode | undefined {
    const { i, m, s } = this.#flags;
    const char = this.#char!;
    switch (char) {
      case '(':
        return this.#group();
      case '[':
        return this.#class();
      case '\\':
        return this.#escape();
      case '.':
        this.#at++;
        return { kind: 'chars', chars: this.#sets.members(s ? EVERYTHING : NOT_LINE_FEED, !s, false) };
      case '^':
        this.#at++;
        return { kind: 'place', place: m ? 'LINE_START' : 'TEXT_START' };
      case '$':
        this.#at++;
        return { kind: 'place', place: m ? 'LINE_END' : 'TEXT_END' };
      case '*':
      case '+':
      case '?':
        throw this.#error('missing argument to repetition operator');
      default:
        if (char === '{' && this.#repetition() !== undefined)
          throw this.#error('missing argument to repetition operator');
        return this.#literal(this.#takeCodePoint(), i);
    }
  }

  #literal(codePoint: number, ignoresCase: boolean = this.#flags.i): RegexpNode {
    return { kind: 'chars', chars: this.#sets.literal(codePoint, ignoresCase) };
  }

  #takeCodePoint(): number {
    const codePoint = this.#text.codePointAt(this.#at)!;
    this.#at += codePoint > 0xffff ? 2 : 1;
    return codePoint;
  }

  /** `(`, `(?:`, `(?P<n>`, `(?<n>`, `(?flags)` and `(?flags:`. */
  #group(): RegexpNode | undefined {
    const rest = this.#text.slice(this.#at);
    const flags = this.#flags;
    const named = /^\(\?P?<([^>]*)>/.exec(rest);
    const modified = /^\(\?([imsU]*)(-[imsU]+)?([:)])/.exec(rest);
    let index = 0;
    if (named) {
      const name = named[1]!;
      if (!/^\w+$/.test(name)) throw this.#error('invalid named capture');
      index = ++this.#groups;
      this.#groupNames.set(name, index);
      this.#at += named[0].length;
    } else if (modified) {
      this.#at += modified[0].length;
      for (const flag of modified[1]!) this.#flags = { ...this.#flags, [flag]: true };
      for (const flag of modified[2]?.slice(1) ?? '') this.#flags = { ...this.#flags, [flag]: false };
      if (modified[3] === ')') return undefined;
    } else if (rest.startsWith('(?')) throw this.#error('invalid or unsupported Perl syntax');
    else {
      index = ++this.#groups;
      this.#at++;
    }
    const body = this.#choice();
    this.#flags = flags;
    if (this.#char !== ')') throw this.#error('missing closing )');
    this.#at++;
    return index === 0 ? body : { kind: 'group', index, body };
  }

  /** `\Q...\E`: each character stands for itself; what follows repeats the last one. */
  #quoted(parts: RegexpNode[]): void {
    this.#at += 2;
    const end = this.#text.indexOf('\\E', this.#at);
    const stop = end === -1 ? this.#text.length : end;
    let hasBody = false;
    for (; this.#at < stop; hasBody = true) parts.push(this.#literal(this.#takeCodePoint()));
    this.#at = end === -1 ? stop : end + 2;
    this.#repeats(parts, hasBody);
  }

  #escape(): RegexpNode {
    const char = this.#text[this.#at + 1] ?? '';
    const place = PLACE_ESCAPES[char];
    if (place !== undefined) {
      this.#at += 2;
      return { kind: 'place', place };
    }
    const members: ClassMembers = { ranges: [], properties: [] };
    if (this.#classEscape(members)) {
      const isProperty = members.properties.length > 0;
      return { kind: 'chars', chars: this.#set(members, false, isProperty && this.#flags.i) };
    }
    return this.#literal(this.#codePointEscape());
  }

  /** A property that JavaScript does not know is none. */
  #set(members: ClassMembers, isNegated: boolean, ignoresCase: boolean): ReturnType<CharSets['members']> {
    try {
      return this.#sets.members(members, isNegated, ignoresCase);
    } catch {
      throw this.#error('invalid character class range');
    }
  }

  #codePointEscape(): number {
    const found = readEscape(this.#text, this.#at);
    if (typeof found === 'string') throw this.#error(found);
    this.#at = found.end;
    return found.codePoint;
  }

  /** `\d`, `\pL` and the like; false when something else stands here. */
  #classEscape(into: ClassMembers): boolean {
    const char = this.#text[this.#at + 1] ?? '';
    const perl = PERL_CLASSES[char] ?? NEGATED_PERL[char];
    if (perl !== undefined) {
      this.#at += 2;
      into.ranges.push(...perl);
      return true;
    }
    if (char !== 'p' && char !== 'P') return false;
    const property = readProperty(this.#text, this.#at);
    if (property === undefined) throw this.#error('invalid character class range');
    into.properties.push(property.source);
    this.#at = property.end;
    return true;
  }

  #class(): RegexpNode {
    const members: ClassMembers = { ranges: [], properties: [] };
    this.#at++;
    const isNegated = this.#char === '^';
    if (isNegated) this.#at++;
    // A first `]` is a member.
    for (let isFirst = true; isFirst || this.#char !== ']'; isFirst = false) {
      if (this.#char === undefined) throw this.#error('missing closing ]');
      this.#classMember(members);
    }
    this.#at++;
    return { kind: 'chars', chars: this.#set(members, isNegated, this.#flags.i) };
  }

  #classMember(members: ClassMembers): void {
    if (this.#text.startsWith('[:', this.#at)) {
      const posix = readPosixClass(this.#text, this.#at);
      if (posix === 'unknown') throw this.#error('invalid character class range');
      if (posix !== undefined) {
        this.#at = posix.end;
        members.ranges.push(...posix.ranges);
        return;
      }
    }
    if (this.#char === '\\' && this.#classEscape(members)) return;
    const first = this.#classCharacter();
    let last = first;
    // A dash at the end of a class is a member.
    if (this.#char === '-' && this.#text[this.#at + 1] !== ']' && this.#at + 1 < this.#text.length) {
      this.#at++;
      last = this.#classCharacter();
      if (last < first) throw this.#error('invalid character class range');
    }
    members.ranges.push(first, last);
  }

  #classCharacter(): number {
    return this.#char === '\\' ? this.#codePointEscape() : this.#takeCodePoint();
  }

  #error(reason: string): RegexpError {
    return new RegexpError(reason, this.#text);
  }
}

/** Go multiplies the counts of nested repetitions. */
function isCountValid(node: RegexpNode, limit: number): boolean {
  switch (node.kind) {
    case 'group':
      return isCountValid(node.body, limit);
    case 'sequence':
    case 'choice':
      return node.parts.every((part) => isCountValid(part, limit));
    case 'repeat': {
      const isCounted = node.max > 1 && !(node.max === Number.POSITIVE_INFINITY && node.min <= 1);
      const count = !isCounted ? 1 : node.max === Number.POSITIVE_INFINITY ? node.min : node.max;
      return count <= limit && isCountValid(node.body, Math.floor(limit / count));
    }
    default:
      return true;
  }
}
