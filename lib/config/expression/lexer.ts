// Cuts an expression into words. Pure; both kinds of thread.

/** An expression that cannot be read, or whose types do not go together. */
export class ExpressionError extends Error {
  /** @param at where, in characters from 0 */
  constructor(message: string, at: number) {
    super(`${message} (at character ${at + 1})`);
    this.name = 'ExpressionError';
  }
}

export type ExpressionToken = {
  readonly kind: 'integer' | 'float' | 'string' | 'word' | 'operator' | 'end';
  /** Of a string its value. */
  readonly text: string;
  readonly at: number;
};

/** Words that are operators. */
const WORD_OPERATORS: ReadonlySet<string> = new Set([
  'in', 'or', 'and', 'not', 'matches', 'contains', 'startsWith', 'endsWith', 'let', 'if', 'else',
]); // biome-ignore format: a list

const SKIPPED = /(?:\s+|\/\/[^\n]*|\/\*[\s\S]*?\*\/)+/y;
const NUMBER =
  /0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|(?:\d[\d_]*(?:\.(?!\.)[\d_]*)?|\.\d[\d_]*)(?:[eE][+-]?[\d_]+)?/y;
const WORD = /[\p{L}_$][\p{L}\p{Nd}_$]*/uy;
const STRING = /'(?:[^'\\\n]|\\[^\n])*'|"(?:[^"\\\n]|\\[^\n])*"/uy;
const RAW_STRING = /`[^`]*`/y;
const OPERATOR = /\*\*|\|\||&&|==|!=|<=|>=|\?\?|\?\.|\?:|\.\.|::|#(?:acc|index)?(?!\w)|[-+*/%^<>!?:;,.|()[\]{}=]/y;

/** Words in order, ended by one of kind `end`. @throws ExpressionError */
export function tokenizeExpression(text: string): ExpressionToken[] {
  const tokens: ExpressionToken[] = [];
  for (let at = 0; ; ) {
    at += matchAt(SKIPPED, text, at).length;
    if (at >= text.length) {
      tokens.push({ kind: 'end', text: '', at });
      return tokens;
    }
    const token = readToken(text, at);
    tokens.push(token.token);
    at = token.end;
  }
}

function readToken(text: string, at: number): { token: ExpressionToken; end: number } {
  const make = (kind: ExpressionToken['kind'], source: string, value = source) => {
    return { token: { kind, text: value, at } as const, end: at + source.length };
  };
  const number = matchAt(NUMBER, text, at);
  if (number !== '') {
    const after = text[at + number.length] ?? '';
    if (/[\p{L}\p{Nd}_]/u.test(after)) throw new ExpressionError(`bad number syntax: "${number}${after}"`, at);
    const plain = number.replaceAll('_', '');
    return make(/^0[xXoObB]/.test(plain) || /^\d+$/.test(plain) ? 'integer' : 'float', number, plain);
  }
  const string = matchAt(STRING, text, at);
  if (string !== '') return make('string', string, unescapeString(string.slice(1, -1), at));
  const raw = matchAt(RAW_STRING, text, at);
  if (raw !== '') return make('string', raw, raw.slice(1, -1));
  const word = matchAt(WORD, text, at);
  if (word !== '') return make(WORD_OPERATORS.has(word) ? 'operator' : 'word', word);
  const operator = matchAt(OPERATOR, text, at);
  if (operator !== '') return make('operator', operator);
  if (/['"`]/.test(text[at]!)) throw new ExpressionError('literal not terminated', at);
  throw new ExpressionError(`unrecognized character: ${JSON.stringify(text[at])}`, at);
}

function matchAt(pattern: RegExp, text: string, at: number): string {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0] ?? '';
}

const ESCAPES: Readonly<Record<string, string>> = {
  a: '\x07', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v', '\\': '\\', "'": "'", '"': '"', '`': '`', '?': '?',
}; // biome-ignore format: a table

function unescapeString(body: string, at: number): string {
  return body.replace(
    /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2})|([\s\S]))/g,
    (whole: string, ...[hex, short, long, octal, plain]: (string | undefined)[]) => {
      if (plain !== undefined) {
        const escaped = ESCAPES[plain];
        if (escaped === undefined) throw new ExpressionError(`unable to unescape ${whole}`, at);
        return escaped;
      }
      const code = octal === undefined ? Number.parseInt(hex ?? short ?? long!, 16) : Number.parseInt(octal, 8);
      if (code > 0x10ffff) throw new ExpressionError(`unable to unescape ${whole}`, at);
      return String.fromCodePoint(code);
    },
  );
}
