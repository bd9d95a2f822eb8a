// Regular expressions as the Corefile writes them (Go's RE2 syntax), run by the engine of JavaScript. Both kinds of thread.
//
// The languages are close; what differs is translated here, and what Go refuses is refused, so that a Corefile means the
// same. Go matches in linear time, this engine may not: callers bound the text they match.

/** Go's limit for repetition counts. */
const MAX_REPEAT = 1000;

/** Why a pattern is not accepted. */
export class RegexpError extends Error {
  constructor(message: string, pattern: string) {
    super(`${message}: \`${pattern}\``);
    this.name = 'RegexpError';
  }
}

const POSIX_CLASSES: Readonly<Record<string, string>> = {
  alnum: '0-9A-Za-z',
  alpha: 'A-Za-z',
  ascii: '\\x00-\\x7F',
  blank: '\\t ',
  cntrl: '\\x00-\\x1F\\x7F',
  digit: '0-9',
  graph: '!-~',
  lower: 'a-z',
  print: ' -~',
  punct: '!-\\/:-@\\[-`\\{-~',
  space: '\\t\\n\\v\\f\\r ',
  upper: 'A-Z',
  word: '0-9A-Za-z_',
  xdigit: '0-9A-Fa-f',
};
/** Escapes that mean a class in both languages, spelled out because JavaScript's are wider or need no `u` flag. */
const PERL_CLASSES: Readonly<Record<string, string>> = {
  d: '0-9',
  s: '\\t\\n\\f\\r ',
  w: '0-9A-Za-z_',
};

/**
 * Compiles a pattern of Go's `regexp` package; unanchored, as Go matches it.
 *
 * @param flags JavaScript flags to add, `g` for instance
 * @throws RegexpError for what Go refuses, such as lookaround and references to groups
 */
export function compileGoRegexp(pattern: string, flags = ''): RegExp {
  const source = new Translator(pattern).translate();
  try {
    return new RegExp(source, `u${flags}`);
  } catch (error) {
    throw new RegexpError(`error parsing regexp: ${(error as Error).message.replace(/^.*: /, '')}`, pattern);
  }
}

class Translator {
  readonly #text: string;
  #at = 0;
  #open = 0;
  /** The last member of a class was a class itself, so that a dash behind it cannot make a range. */
  #afterClass = false;

  constructor(text: string) {
    this.#text = text;
  }

  translate(): string {
    let out = '';
    // `.` and `^`, `$` differ by flags inside the pattern; a group with modifiers carries them.
    const closing: string[] = [];
    while (this.#at < this.#text.length) {
      const char = this.#text[this.#at]!;
      if (char === '(') {
        const group = this.#group();
        out += group.open;
        if (group.rest) closing.push(')');
      } else {
        if (char === ')' && --this.#open < 0) throw this.#error('unexpected )');
        out += this.#atom(char);
      }
    }
    if (this.#open > 0) throw this.#error('missing closing )');
    return out + closing.join('');
  }

  /** `(`, `(?:`, `(?P<n>`, `(?<n>`, `(?flags)` and `(?flags:`. */
  #group(): { open: string; rest: boolean } {
    const rest = this.#text.slice(this.#at);
    const named = /^\(\?P?<([A-Za-z_]\w*)>/.exec(rest);
    const flags = /^\(\?([imsU]*)(-[imsU]+)?([:)])/.exec(rest);
    if (named) {
      this.#at += named[0].length;
      this.#open++;
      return { open: `(?<${named[1]}>`, rest: false };
    }
    if (flags) {
      this.#at += flags[0].length;
      const [, on = '', off = '', end] = flags;
      if (on.includes('U') || off.includes('U')) throw this.#error('the flag U is not supported');
      if (end === ')' && this.#open > 0) throw this.#error('flags inside a group need a colon, write (?i:...)');
      const modifiers = on === '' && off === '' ? '?:' : `?${on}${off}:`;
      if (end === ':') this.#open++;
      return { open: `(${modifiers}`, rest: end === ')' };
    }
    if (rest.startsWith('(?')) throw this.#error('invalid or unsupported Perl syntax');
    this.#at++;
    this.#open++;
    return { open: '(', rest: false };
  }

  #atom(char: string): string {
    switch (char) {
      case '\\':
        return this.#escape(false);
      case '[':
        return this.#class();
      case '{':
        return this.#repeat();
      case '}':
      case ']':
        this.#at++;
        return `\\${char}`;
      default: {
        const point = String.fromCodePoint(this.#text.codePointAt(this.#at)!);
        this.#at += point.length;
        return point;
      }
    }
  }

  /** A `{` that starts no repetition is a plain character in Go. */
  #repeat(): string {
    const match = /^\{(\d+)(,(\d*))?\}/.exec(this.#text.slice(this.#at));
    if (match === null) {
      this.#at++;
      return '\\{';
    }
    if (Number(match[1]) > MAX_REPEAT || Number(match[3] ?? 0) > MAX_REPEAT) throw this.#error('invalid repeat count');
    this.#at += match[0].length;
    return match[0];
  }

  #escape(inClass: boolean): string {
    const char = this.#text[this.#at + 1];
    if (char === undefined) throw this.#error('trailing backslash at end of expression');
    this.#at += 2;
    const perl = PERL_CLASSES[char.toLowerCase()];
    if (perl !== undefined && 'dswDSW'.includes(char)) return this.#perlClass(char, perl, inClass);
    if ('pP'.includes(char)) return this.#unicodeClass(char);
    if (char === 'Q' && !inClass) return this.#quoted();
    if (!inClass) {
      if (char === 'A') return '(?-m:^)';
      if (char === 'z') return '(?-m:$)';
      if (char === 'b' || char === 'B') return `\\${char}`;
    }
    if (char === 'a') return '\\x07';
    if ('fnrtv'.includes(char)) return `\\${char}`;
    if (char === 'x' || (char >= '0' && char <= '7')) return this.#codePoint(char);
    if (/[A-Za-z0-9]/.test(char)) throw this.#error(`invalid escape sequence \\${char}`);
    return inClass && char === '-' ? '\\-' : escapeLiteral(char);
  }

  #perlClass(char: string, members: string, inClass: boolean): string {
    const negated = char === char.toUpperCase();
    if (!inClass) return `[${negated ? '^' : ''}${members}]`;
    // Inside a class a complement cannot be spelled out; JavaScript's own differs only beyond ASCII for \s.
    return negated ? `\\${char}` : members;
  }

  #unicodeClass(char: string): string {
    const match = /^(?:\{(\^?)(\w+)\}|([A-Z]))/.exec(this.#text.slice(this.#at));
    if (match === null) throw this.#error('invalid character class');
    this.#at += match[0].length;
    const name = match[2] ?? match[3]!;
    const negated = (char === 'P') !== (match[1] === '^');
    const category = /^(?:L[ulmto&]?|M[nce]?|N[dlo]?|P[cdseifo]?|S[mcko]?|Z[slp]?|C[cfosn]?)$/.test(name);
    return `\\${negated ? 'P' : 'p'}{${category ? name : `Script=${name}`}}`;
  }

  #quoted(): string {
    const end = this.#text.indexOf('\\E', this.#at);
    const literal = this.#text.slice(this.#at, end === -1 ? undefined : end);
    this.#at = end === -1 ? this.#text.length : end + 2;
    return literal.replace(/[\s\S]/gu, escapeLiteral);
  }

  #codePoint(char: string): string {
    const rest = this.#text.slice(this.#at);
    const hex = char === 'x' ? /^(?:([0-9A-Fa-f]{2})|\{([0-9A-Fa-f]{1,8})\})/.exec(rest) : null;
    const octal = char === 'x' ? null : /^[0-7]{0,2}/.exec(rest)!;
    // A single digit from 1 on would be a reference to a group, which RE2 does not have.
    if (char === 'x' ? hex === null : char !== '0' && octal![0] === '')
      throw this.#error(`invalid escape sequence \\${char}`);
    const value = hex === null ? Number.parseInt(char + octal![0], 8) : Number.parseInt(hex[1] ?? hex[2]!, 16);
    if (value > 0x10ffff) throw this.#error('invalid escape sequence');
    this.#at += (hex ?? octal)![0].length;
    return `\\u{${value.toString(16)}}`;
  }

  #class(): string {
    let out = '[';
    this.#at++;
    if (this.#text[this.#at] === '^') {
      out += '^';
      this.#at++;
    }
    // A first `]` is a member.
    for (let first = true; ; first = false) {
      const char = this.#text[this.#at];
      if (char === undefined) throw this.#error('missing closing ]');
      if (char === ']' && !first) break;
      const isClass = char === '\\' && 'dswDSWpP'.includes(this.#text[this.#at + 1] ?? ' ');
      out += this.#classMember(char);
      this.#afterClass = isClass || this.#text.endsWith(':]', this.#at);
    }
    this.#at++;
    return `${out}]`;
  }

  #classMember(char: string): string {
    if (char === '\\') return this.#escape(true);
    const posix = /^\[:(\^?)(\w+):\]/.exec(this.#text.slice(this.#at));
    if (posix) {
      const members = POSIX_CLASSES[posix[2]!];
      if (members === undefined || posix[1] === '^') throw this.#error('invalid character class range');
      this.#at += posix[0].length;
      return members;
    }
    const point = String.fromCodePoint(this.#text.codePointAt(this.#at)!);
    this.#at += point.length;
    return point === '-' ? this.#dash() : '^[]/'.includes(point) ? `\\${point}` : point;
  }

  /** A dash at either end of a class is a member. */
  #dash(): string {
    const isLast = this.#text[this.#at] === ']';
    const before = this.#text[this.#at - 2];
    return isLast || this.#afterClass || before === '[' || before === '^' ? '\\-' : '-';
  }

  #error(reason: string): RegexpError {
    return new RegexpError(`error parsing regexp: ${reason}`, this.#text);
  }
}

function escapeLiteral(char: string): string {
  return /[\\^$.*+?()[\]{}|/]/.test(char) ? `\\${char}` : char;
}
