// Text of an expression -> syntax tree, by the grammar of expr-lang. Pure; both kinds of thread.
import type { ExpressionNode } from './ast.ts';
import { ExpressionError, type ExpressionToken, tokenizeExpression } from './lexer.ts';

/** Parentheses, brackets and operators inside one another. */
const MAX_DEPTH = 200;

const BINARY: Readonly<Record<string, number>> = {
  '|': 0, or: 10, '||': 10, and: 15, '&&': 15,
  '==': 20, '!=': 20, '<': 20, '>': 20, '<=': 20, '>=': 20,
  in: 20, matches: 20, contains: 20, startsWith: 20, endsWith: 20,
  '..': 25, '+': 30, '-': 30, '*': 60, '/': 60, '%': 60, '**': 100, '^': 100, '??': 500,
}; // biome-ignore format: a table
const UNARY: Readonly<Record<string, number>> = { not: 50, '!': 50, '-': 90, '+': 90 };
/** Operators that `not` may stand in front of. */
const NEGATABLE: ReadonlySet<string> = new Set(['in', 'matches', 'contains', 'startsWith', 'endsWith']);
const COMPARISONS: ReadonlySet<string> = new Set(['<', '>', '<=', '>=']);
const SYNONYMS: Readonly<Record<string, string>> = { '||': 'or', '&&': 'and', '^': '**' };

/** @throws ExpressionError */
export function parseExpression(text: string): ExpressionNode {
  return new ExpressionParser(tokenizeExpression(text)).parse();
}

class ExpressionParser {
  readonly #tokens: readonly ExpressionToken[];
  #next = 0;
  #depth = 0;

  constructor(tokens: readonly ExpressionToken[]) {
    this.#tokens = tokens;
  }

  parse(): ExpressionNode {
    const node = this.#sequence();
    if (this.#token.kind !== 'end') throw this.#unexpected();
    return node;
  }

  get #token(): ExpressionToken {
    return this.#tokens[Math.min(this.#next, this.#tokens.length - 1)]!;
  }

  #is(operator: string): boolean {
    return this.#token.kind === 'operator' && this.#token.text === operator;
  }

  #accept(operator: string): boolean {
    if (!this.#is(operator)) return false;
    this.#next++;
    return true;
  }

  #expect(operator: string): void {
    if (!this.#accept(operator)) throw this.#unexpected();
  }

  #unexpected(): ExpressionError {
    const { kind, text, at } = this.#token;
    return new ExpressionError(kind === 'end' ? 'unexpected end' : `unexpected ${JSON.stringify(text)}`, at);
  }

  /** `let x = 1; body`. */
  #sequence(): ExpressionNode {
    const { at } = this.#token;
    if (!this.#accept('let')) {
      const node = this.#expression(0);
      // Of several expressions the last one counts.
      return this.#accept(';') ? this.#sequence() : node;
    }
    if (this.#token.kind !== 'word') throw this.#unexpected();
    const name = this.#token.text;
    this.#next++;
    this.#expect('=');
    const value = this.#expression(0);
    this.#expect(';');
    return { kind: 'let', at, name, value, body: this.#sequence() };
  }

  #expression(precedence: number): ExpressionNode {
    if (++this.#depth > MAX_DEPTH) throw new ExpressionError('nested too deep', this.#token.at);
    let left = this.#is('if') ? this.#ifElse() : this.#primary();
    for (;;) {
      const next = this.#infix(left, precedence);
      if (next === undefined) break;
      left = next;
    }
    if (precedence === 0) left = this.#conditional(left);
    this.#depth--;
    return left;
  }

  /** The next operator and its right side, undefined when it binds less than `precedence`. */
  #infix(left: ExpressionNode, precedence: number): ExpressionNode | undefined {
    const { at } = this.#token;
    const following = this.#tokens[this.#next + 1];
    const isNegated = this.#is('not') && following?.kind === 'operator' && NEGATABLE.has(following.text);
    const token = isNegated ? following : this.#token;
    const own = token.kind === 'operator' ? BINARY[token.text] : undefined;
    if (own === undefined || own < precedence) return undefined;
    this.#next += isNegated ? 2 : 1;
    const operator = SYNONYMS[token.text] ?? token.text;
    if (operator === '|') return this.#pipe(left, at);
    if (COMPARISONS.has(operator)) return this.#comparison(left, operator, own, at);
    const right = this.#expression(operator === '**' ? own : own + 1);
    const node: ExpressionNode = { kind: 'binary', at, operator, left, right };
    return isNegated ? { kind: 'unary', at, operator: 'not', operand: node } : node;
  }

  /** `1 < x < 3` means that both hold. */
  #comparison(left: ExpressionNode, operator: string, precedence: number, at: number): ExpressionNode {
    let right = this.#expression(precedence + 1);
    let result: ExpressionNode = { kind: 'binary', at, operator, left, right };
    while (this.#token.kind === 'operator' && COMPARISONS.has(this.#token.text)) {
      const { text, at: nextAt } = this.#token;
      this.#next++;
      const further = this.#expression(precedence + 1);
      const comparison: ExpressionNode = { kind: 'binary', at: nextAt, operator: text, left: right, right: further };
      result = { kind: 'binary', at: nextAt, operator: 'and', left: result, right: comparison };
      right = further;
    }
    return result;
  }

  /** The left side becomes the first argument of the call. */
  #pipe(left: ExpressionNode, at: number): ExpressionNode {
    if (this.#token.kind !== 'word') throw this.#unexpected();
    const name = this.#token.text;
    this.#next++;
    this.#expect('(');
    return this.#postfix({ kind: 'call', at, name, args: [left, ...this.#list(')')] });
  }

  #conditional(condition: ExpressionNode): ExpressionNode {
    const { at } = this.#token;
    if (this.#accept('?:'))
      return { kind: 'conditional', at, condition, whenTrue: condition, whenFalse: this.#expression(0) };
    if (!this.#accept('?')) return condition;
    const whenTrue = this.#expression(0);
    this.#expect(':');
    return { kind: 'conditional', at, condition, whenTrue, whenFalse: this.#expression(0) };
  }

  #ifElse(): ExpressionNode {
    const { at } = this.#token;
    this.#expect('if');
    const condition = this.#expression(0);
    const whenTrue = this.#braces();
    this.#expect('else');
    const whenFalse = this.#is('if') ? this.#ifElse() : this.#braces();
    return { kind: 'conditional', at, condition, whenTrue, whenFalse };
  }

  #braces(): ExpressionNode {
    this.#expect('{');
    const node = this.#sequence();
    this.#expect('}');
    return node;
  }

  #primary(): ExpressionNode {
    const { kind, text, at } = this.#token;
    const unary = kind === 'operator' ? UNARY[text] : undefined;
    if (unary !== undefined) {
      this.#next++;
      const operator = text === '!' ? 'not' : (text as 'not' | '-' | '+');
      return this.#postfix({ kind: 'unary', at, operator, operand: this.#expression(unary) });
    }
    if (this.#accept('(')) {
      const node = this.#sequence();
      this.#expect(')');
      return this.#postfix(node);
    }
    if (kind === 'operator' && text.startsWith('#')) {
      this.#next++;
      return this.#postfix({ kind: 'pointer', at, name: text.slice(1) as '' | 'acc' | 'index' });
    }
    // `.Name` inside a predicate is a field of its item.
    if (this.#is('.')) return this.#postfix({ kind: 'pointer', at, name: '' });
    if (this.#accept('[')) return this.#postfix({ kind: 'array', at, items: this.#list(']') });
    if (this.#accept('{')) return this.#postfix({ kind: 'map', at, entries: this.#entries() });
    this.#next++;
    switch (kind) {
      case 'integer':
        return this.#integer(text, at);
      case 'float':
        return { kind: 'float', at, value: Number(text) };
      case 'string':
        return this.#postfix({ kind: 'string', at, value: text });
      case 'word':
        return this.#word(text, at);
      default:
        this.#next--;
        throw this.#unexpected();
    }
  }

  #integer(text: string, at: number): ExpressionNode {
    const value = Number(text.toLowerCase());
    if (!Number.isSafeInteger(value)) throw new ExpressionError(`integer literal is too large: ${text}`, at);
    return { kind: 'integer', at, value };
  }

  #word(text: string, at: number): ExpressionNode {
    if (text === 'true' || text === 'false') return this.#postfix({ kind: 'boolean', at, value: text === 'true' });
    if (text === 'nil') return this.#postfix({ kind: 'nil', at });
    if (this.#accept('(')) return this.#postfix({ kind: 'call', at, name: text, args: this.#list(')') });
    return this.#postfix({ kind: 'name', at, name: text });
  }

  /** Expressions separated by commas up to the closing bracket; one in braces is a predicate. */
  #list(close: string): ExpressionNode[] {
    const items: ExpressionNode[] = [];
    while (!this.#accept(close)) {
      if (items.length > 0) {
        this.#expect(',');
        if (this.#accept(close)) break;
      }
      items.push(close === ')' && this.#is('{') ? this.#braceArgument() : this.#sequence());
    }
    return items;
  }

  /** `{` in an argument starts a predicate, or a map when a key follows. */
  #braceArgument(): ExpressionNode {
    const [, first, second] = this.#tokens.slice(this.#next, this.#next + 3);
    const isKey = first?.kind === 'word' || first?.kind === 'string' || first?.kind === 'integer';
    const isEmpty = first?.kind === 'operator' && first.text === '}';
    return isEmpty || (isKey && second?.text === ':') ? this.#sequence() : this.#braces();
  }

  #entries(): [ExpressionNode, ExpressionNode][] {
    const entries: [ExpressionNode, ExpressionNode][] = [];
    while (!this.#accept('}')) {
      if (entries.length > 0) {
        this.#expect(',');
        if (this.#accept('}')) break;
      }
      const { kind, text, at } = this.#token;
      let key: ExpressionNode;
      if (this.#accept('(')) {
        key = this.#expression(0);
        this.#expect(')');
      } else {
        if (kind === 'operator' || kind === 'end') throw this.#unexpected();
        this.#next++;
        key = { kind: 'string', at, value: text };
      }
      this.#expect(':');
      entries.push([key, this.#expression(0)]);
    }
    return entries;
  }

  #postfix(of: ExpressionNode): ExpressionNode {
    let node = of;
    for (;;) {
      const { at } = this.#token;
      const isOptional = this.#is('?.');
      if (isOptional || this.#is('.')) {
        this.#next++;
        const { kind, text } = this.#token;
        if (isOptional && this.#accept('[')) {
          node = this.#bracket(node, at, true);
          continue;
        }
        if (kind !== 'word' && !(kind === 'operator' && /^\w/.test(text))) throw this.#unexpected();
        this.#next++;
        if (this.#is('(')) throw new ExpressionError(`no method ${JSON.stringify(text)}`, at);
        node = { kind: 'member', at, of: node, key: { kind: 'string', at, value: text }, isOptional };
      } else if (this.#accept('[')) node = this.#bracket(node, at, false);
      else return node;
    }
  }

  #bracket(of: ExpressionNode, at: number, isOptional: boolean): ExpressionNode {
    const from = this.#is(':') ? undefined : this.#expression(0);
    if (this.#accept(':')) {
      const to = this.#is(']') ? undefined : this.#expression(0);
      this.#expect(']');
      return { kind: 'slice', at, of, from, to };
    }
    this.#expect(']');
    return { kind: 'member', at, of, key: from!, isOptional };
  }
}
