// Cuts a Go template into text and the words of its actions. Pure; both kinds of thread.

/** A template that cannot be read. */
export class TemplateSyntaxError extends Error {
  /** @param line of the template's text, counted from 1 */
  constructor(message: string, line: number) {
    super(`line ${line}: ${message}`);
    this.name = 'TemplateSyntaxError';
  }
}

export type TemplateToken = {
  readonly kind:
    | 'text'
    | 'open'
    | 'close'
    | 'space'
    | 'string'
    | 'number'
    | 'character'
    | 'field'
    | 'variable'
    | 'word'
    | 'dot'
    | 'symbol'
    | 'end';
  readonly text: string;
  readonly line: number;
};

const OPEN = '{{';
const CLOSE = '}}';
const BLANK = /[ \t\r\n]/;
const WORD = /[\p{L}_][\p{L}\p{Nd}_]*/uy;
const VARIABLE = /\$(?:[\p{L}_][\p{L}\p{Nd}_]*)?/uy;
const FIELD = /\.[\p{L}_][\p{L}\p{Nd}_]*/uy;
const NUMBER =
  /[+-]?(?:0[xX][0-9a-fA-F_]+(?:\.[0-9a-fA-F_]*)?(?:[pP][+-]?[0-9_]+)?|0[bB][01_]+|0[oO][0-7_]+|(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9_]+)?)/y;
const STRING = /"(?:[^"\\\n]|\\.)*"/y;
const RAW_STRING = /`[^`]*`/y;
const CHARACTER = /'(?:[^'\\\n]|\\.)[^'\n]*'/uy;
/** What may follow a name or a number directly. */
const TERMINATOR = /^(?:[ \t\r\n.,|:()=]|\}\}|$)/;

/**
 * Words of the template in order, ended by one of kind `end`.
 * @throws TemplateSyntaxError
 */
export function tokenizeTemplate(text: string): TemplateToken[] {
  return new TemplateLexer(text).run();
}

class TemplateLexer {
  readonly #text: string;
  readonly #tokens: TemplateToken[] = [];
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  run(): TemplateToken[] {
    let trimsStart = false;
    for (;;) {
      const open = this.#text.indexOf(OPEN, this.#at);
      const trimsEnd = open !== -1 && /^-[ \t\r\n]/.test(this.#text.slice(open + 2, open + 4));
      let literal = this.#text.slice(this.#at, open === -1 ? undefined : open);
      if (trimsStart) literal = literal.replace(/^[ \t\r\n]+/, '');
      if (trimsEnd) literal = literal.replace(/[ \t\r\n]+$/, '');
      if (literal !== '') this.#push('text', literal);
      if (open === -1) break;
      this.#at = open + (trimsEnd ? 3 : 2);
      trimsStart = this.#comment() ?? this.#action();
    }
    this.#at = this.#text.length;
    this.#push('end', '');
    return this.#tokens;
  }

  /** Steps over a comment; returns whether it trims what follows, undefined when there is none. */
  #comment(): boolean | undefined {
    const start = /^[ \t\r\n]*\/\*/.exec(this.#text.slice(this.#at));
    if (!start || (start[0].length > 2 && this.#text[this.#at - 1] !== '-')) return undefined;
    const end = this.#text.indexOf('*/', this.#at + start[0].length);
    if (end === -1) throw this.#error('unclosed comment');
    const close = /^(?:[ \t\r\n]-)?\}\}/.exec(this.#text.slice(end + 2));
    if (!close) throw this.#error('comment ends before closing delimiter');
    this.#at = end + 2 + close[0].length;
    return close[0].length > 2;
  }

  /** Reads up to the closing braces; returns whether they trim what follows. */
  #action(): boolean {
    this.#push('open', OPEN);
    let parentheses = 0;
    for (;;) {
      const rest = this.#text.slice(this.#at, this.#at + 4);
      const trims = /^[ \t\r\n]-\}\}/.test(rest);
      if (trims || rest.startsWith(CLOSE)) {
        if (parentheses > 0) throw this.#error('unclosed left paren');
        this.#at += trims ? 4 : 2;
        this.#push('close', CLOSE);
        return trims;
      }
      if (rest === '') throw this.#error('unclosed action');
      const token = this.#word(rest[0]!);
      if (token === '(') parentheses++;
      if (token === ')' && --parentheses < 0) throw this.#error('unexpected right paren');
    }
  }

  #word(first: string): string {
    if (BLANK.test(first)) {
      const run = /^[ \t\r\n]+/.exec(this.#text.slice(this.#at))![0];
      // The last space in front of `-}}` belongs to the marker.
      const isMarker = run.length > 1 && this.#text.startsWith('-}}', this.#at + run.length);
      this.#at += isMarker ? run.length - 1 : run.length;
      this.#push('space', ' ');
      return ' ';
    }
    if (first === '"') return this.#take('string', STRING, 'unterminated quoted string');
    if (first === '`') return this.#take('string', RAW_STRING, 'unterminated raw quoted string');
    if (first === "'") return this.#take('character', CHARACTER, 'unterminated character constant');
    if (first === '$') return this.#takeWhole('variable', VARIABLE);
    if (/[0-9+-]/.test(first) || /^\.[0-9]/.test(this.#text.slice(this.#at, this.#at + 2))) {
      return this.#takeWhole('number', NUMBER);
    }
    if (first === '.') {
      FIELD.lastIndex = this.#at;
      if (FIELD.test(this.#text)) return this.#takeWhole('field', FIELD);
      this.#at++;
      this.#push('dot', '.');
      return '.';
    }
    if (/[\p{L}_]/u.test(first)) return this.#takeWhole('word', WORD);
    if (this.#text.startsWith(':=', this.#at)) return this.#symbol(':=');
    if ('=|(),'.includes(first)) return this.#symbol(first);
    throw this.#error(`unexpected ${JSON.stringify(String.fromCodePoint(this.#text.codePointAt(this.#at)!))}`);
  }

  #symbol(text: string): string {
    this.#at += text.length;
    this.#push('symbol', text);
    return text;
  }

  #take(kind: TemplateToken['kind'], pattern: RegExp, complaint: string): string {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (!match) throw this.#error(complaint);
    this.#at += match[0].length;
    this.#push(kind, match[0]);
    return match[0];
  }

  #takeWhole(kind: TemplateToken['kind'], pattern: RegExp): string {
    const text = this.#take(kind, pattern, `bad ${kind} syntax`);
    const rest = this.#text.slice(this.#at, this.#at + 2);
    if (!TERMINATOR.test(rest)) throw this.#error(`bad character ${JSON.stringify(rest[0])}`);
    return text;
  }

  #push(kind: TemplateToken['kind'], text: string): void {
    this.#tokens.push({ kind, text, line: this.#line() });
  }

  #line(): number {
    return this.#text.slice(0, this.#at).split('\n').length;
  }

  #error(message: string): TemplateSyntaxError {
    return new TemplateSyntaxError(message, this.#line());
  }
}
