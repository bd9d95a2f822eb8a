// Text of a Go template -> syntax tree, with the checks that Go makes before it runs one. Pure; both kinds of thread.
//
// The language is that of Go's text/template. Control keeps the text and checks it; a worker parses it again.
import type { Command, GoTemplate, Node, NodeList, Operand, Pipeline } from './ast.ts';
import { TemplateSyntaxError, type TemplateToken, tokenizeTemplate } from './lexer.ts';
import { parseNumber, unquoteGo } from './literal.ts';

/** Parentheses and blocks inside one another. */
const MAX_DEPTH = 200;
/** Words that are no functions. */
const KEYWORDS: ReadonlySet<string> = new Set([
  'block', 'break', 'continue', 'define', 'else', 'end', 'if', 'nil', 'range', 'template', 'with',
]); // biome-ignore format: a list

/**
 * @param functions names that may be called
 * @throws TemplateSyntaxError
 */
export function parseGoTemplate(text: string, functions: ReadonlySet<string>): GoTemplate {
  return new TemplateParser(tokenizeTemplate(text), functions).parse();
}

/** How a list of nodes ended. */
type ListEnd = { readonly list: NodeList; readonly by: 'end' | 'else' | 'eof' };

class TemplateParser {
  readonly #tokens: readonly TemplateToken[];
  readonly #functions: ReadonlySet<string>;
  readonly #defined = new Map<string, NodeList>();
  #next = 0;
  #variables: string[] = ['$'];
  #rangeDepth = 0;
  #depth = 0;

  constructor(tokens: readonly TemplateToken[], functions: ReadonlySet<string>) {
    this.#tokens = tokens;
    this.#functions = functions;
  }

  parse(): GoTemplate {
    const { list, by } = this.#list('');
    if (by !== 'eof') throw this.#error(`unexpected {{${by}}}`);
    return { root: list, defined: this.#defined };
  }

  /** Nodes up to `end` or `else`, or the template's end. `inside` names the action they belong to, '' at the top. */
  #list(inside: string): ListEnd {
    if (++this.#depth > MAX_DEPTH) throw this.#error('actions are nested too deep');
    const nodes: Node[] = [];
    for (;;) {
      const token = this.#take();
      if (token.kind === 'end') {
        if (inside !== '') throw this.#error(`unexpected EOF, {{${inside}}} has no {{end}}`);
        this.#depth--;
        return { list: nodes, by: 'eof' };
      }
      if (token.kind === 'text') {
        nodes.push({ kind: 'text', text: token.text });
        continue;
      }
      this.#skipSpace();
      const word = this.#peek().kind === 'word' ? this.#peek().text : '';
      if (word === 'end' || word === 'else') {
        this.#take();
        this.#skipSpace();
        if (word === 'end') this.#close('end');
        this.#depth--;
        return { list: nodes, by: word };
      }
      const node = this.#action(word, inside === '');
      if (node) nodes.push(node);
    }
  }

  #action(word: string, isTop: boolean): Node | undefined {
    switch (word) {
      case 'if':
      case 'with':
      case 'range':
        this.#take();
        return this.#control(word);
      case 'template':
        this.#take();
        return this.#template();
      case 'define':
        if (!isTop) throw this.#error('unexpected {{define}}');
        this.#take();
        this.#define('define');
        return undefined;
      case 'block': {
        this.#take();
        return this.#block();
      }
      case 'break':
      case 'continue':
        this.#take();
        this.#skipSpace();
        this.#close(word);
        if (this.#rangeDepth === 0) throw this.#error(`{{${word}}} outside {{range}}`);
        return { kind: word };
      default: {
        const kept = this.#variables.length;
        const pipeline = this.#pipeline('command', 'close');
        // A variable set by an action lives to the end of the surrounding list.
        if (this.#variables.length < kept) throw this.#error('variables out of order');
        return { kind: 'action', pipeline };
      }
    }
  }

  #control(kind: 'if' | 'with' | 'range'): Node {
    const scope = this.#variables.length;
    const pipeline = this.#pipeline(kind, 'close');
    if (kind === 'range') this.#rangeDepth++;
    const { list, by } = this.#list(kind);
    if (kind === 'range') this.#rangeDepth--;
    let otherwise: NodeList | undefined;
    if (by === 'else') otherwise = this.#otherwise(kind);
    this.#variables.length = scope;
    return { kind, pipeline, list, otherwise };
  }

  /** After `else`: `{{else if}}` and `{{else with}}` stand for an action inside it that shares its end. */
  #otherwise(kind: 'if' | 'with' | 'range'): NodeList {
    const { text } = this.#peek();
    if (this.#peek().kind === 'word' && text === kind && kind !== 'range') {
      this.#take();
      return [this.#control(kind)];
    }
    this.#close('else');
    const { list, by } = this.#list(kind);
    if (by !== 'end') throw this.#error('expected end; found {{else}}');
    return list;
  }

  #template(): Node {
    const name = this.#name('template');
    this.#skipSpace();
    if (this.#peek().kind === 'close') {
      this.#take();
      return { kind: 'template', name, pipeline: undefined };
    }
    return { kind: 'template', name, pipeline: this.#pipeline('template', 'close') };
  }

  #block(): Node {
    const name = this.#name('block');
    const pipeline = this.#pipeline('block', 'close');
    this.#defineBody(name, 'block');
    return { kind: 'template', name, pipeline };
  }

  #define(context: string): void {
    const name = this.#name(context);
    this.#skipSpace();
    this.#close('define');
    this.#defineBody(name, context);
  }

  /** The body sees none of the variables around it. */
  #defineBody(name: string, context: string): void {
    const { length } = this.#variables;
    const outer = this.#variables;
    const rangeDepth = this.#rangeDepth;
    this.#variables = ['$'];
    this.#rangeDepth = 0;
    const { list, by } = this.#list(context);
    if (by !== 'end') throw this.#error('unexpected {{else}}');
    if (this.#defined.has(name)) throw this.#error(`multiple definition of template "${name}"`);
    this.#defined.set(name, list);
    this.#variables = outer;
    this.#variables.length = length;
    this.#rangeDepth = rangeDepth;
  }

  #name(context: string): string {
    this.#skipSpace();
    const token = this.#take();
    const value = token.kind === 'string' ? unquoteGo(token.text) : undefined;
    if (value === undefined) throw this.#unexpected(token, `${context} clause`);
    return value;
  }

  /** `until`: the closing braces or a parenthesis, taken too. */
  #pipeline(context: string, until: 'close' | ')'): Pipeline {
    this.#skipSpace();
    const { variables, isAssignment } = this.#declaration(context);
    const commands: Command[] = [];
    for (;;) {
      this.#skipSpace();
      const token = this.#peek();
      const isEnd = until === 'close' ? token.kind === 'close' : token.text === ')' && token.kind === 'symbol';
      if (isEnd) {
        this.#take();
        this.#checkCommands(commands, context);
        return { variables, isAssignment, commands };
      }
      if (token.kind === 'symbol' && token.text === '|' && commands.length > 0) this.#take();
      else if (commands.length > 0) throw this.#unexpected(token, context);
      commands.push(this.#command());
    }
  }

  #checkCommands(commands: readonly Command[], context: string): void {
    if (commands.length === 0) throw this.#error(`missing value for ${context}`);
    for (const [index, [first]] of commands.entries()) {
      if (index > 0 && first && CONSTANTS.has(first.kind)) {
        throw this.#error(`non executable command in pipeline stage ${index + 1}`);
      }
    }
  }

  /** `$x :=`, `$x =`, `$i, $x :=` in front of a pipeline. */
  #declaration(context: string): { variables: string[]; isAssignment: boolean } {
    const start = this.#next;
    const variables: string[] = [];
    for (;;) {
      const token = this.#peek();
      if (token.kind !== 'variable') break;
      this.#take();
      this.#skipSpace();
      const symbol = this.#peek();
      if (symbol.kind !== 'symbol') break;
      variables.push(token.text);
      if (symbol.text === ',' && context === 'range' && variables.length < 2) {
        this.#take();
        this.#skipSpace();
        continue;
      }
      if (symbol.text === ',' && variables.length > 0) throw this.#error(`too many declarations in ${context}`);
      if (symbol.text !== ':=' && symbol.text !== '=') break;
      this.#take();
      const isAssignment = symbol.text === '=';
      if (isAssignment) for (const name of variables) this.#checkVariable(name);
      else this.#variables.push(...variables);
      return { variables, isAssignment };
    }
    this.#next = start;
    return { variables: [], isAssignment: false };
  }

  #command(): Command {
    const operands: Operand[] = [];
    for (;;) {
      this.#skipSpace();
      const operand = this.#operand();
      if (operand) operands.push(operand);
      const token = this.#peek();
      if (token.kind === 'space') continue;
      if (token.kind === 'close' || (token.kind === 'symbol' && (token.text === '|' || token.text === ')'))) break;
      if (!operand) throw this.#unexpected(token, 'operand');
      throw this.#unexpected(token, 'operand');
    }
    if (operands.length === 0) throw this.#error('empty command');
    return operands;
  }

  #operand(): Operand | undefined {
    const term = this.#term();
    if (!term) return undefined;
    const names = this.#fields();
    if (names.length === 0) return term;
    if (CONSTANTS.has(term.kind)) throw this.#error('unexpected . after a constant');
    if (term.kind === 'field') return { kind: 'field', names: [...term.names, ...names] };
    if (term.kind === 'variable') return { ...term, names };
    return { kind: 'chain', of: term, names };
  }

  #fields(): string[] {
    const names: string[] = [];
    while (this.#peek().kind === 'field') names.push(this.#take().text.slice(1));
    return names;
  }

  #term(): Operand | undefined {
    const token = this.#peek();
    if (token.kind === 'symbol' && token.text === '(') {
      this.#take();
      if (++this.#depth > MAX_DEPTH) throw this.#error('parentheses are nested too deep');
      const pipeline = this.#pipeline('parenthesized pipeline', ')');
      this.#depth--;
      return { kind: 'pipeline', pipeline };
    }
    switch (token.kind) {
      case 'word':
        this.#take();
        return this.#wordOperand(token);
      case 'dot':
        this.#take();
        return { kind: 'dot' };
      case 'field':
        this.#take();
        return { kind: 'field', names: [token.text.slice(1)] };
      case 'variable':
        this.#take();
        this.#checkVariable(token.text);
        return { kind: 'variable', name: token.text, names: [] };
      case 'string': {
        this.#take();
        const value = unquoteGo(token.text);
        if (value === undefined) throw this.#error(`invalid string ${token.text}`);
        return { kind: 'string', text: token.text, value };
      }
      case 'number':
      case 'character': {
        this.#take();
        const number = parseNumber(token.text);
        if (!number) throw this.#error(`bad number syntax: "${token.text}"`);
        return { kind: 'number', text: token.text, ...number };
      }
      default:
        return undefined;
    }
  }

  #wordOperand({ text }: TemplateToken): Operand {
    if (text === 'true' || text === 'false') return { kind: 'boolean', value: text === 'true' };
    if (text === 'nil') return { kind: 'nil' };
    if (KEYWORDS.has(text)) throw this.#error(`unexpected <${text}>`);
    if (!this.#functions.has(text)) throw this.#error(`function "${text}" not defined`);
    return { kind: 'function', name: text };
  }

  #checkVariable(name: string): void {
    if (!this.#variables.includes(name)) throw this.#error(`undefined variable "${name}"`);
  }

  #close(context: string): void {
    const token = this.#take();
    if (token.kind !== 'close') throw this.#unexpected(token, context);
  }

  #skipSpace(): void {
    while (this.#peek().kind === 'space') this.#next++;
  }

  #peek(): TemplateToken {
    return this.#tokens[Math.min(this.#next, this.#tokens.length - 1)]!;
  }

  #take(): TemplateToken {
    const token = this.#peek();
    this.#next++;
    return token;
  }

  #unexpected(token: TemplateToken, context: string): TemplateSyntaxError {
    return this.#error(token.kind === 'end' ? 'unexpected EOF' : `unexpected "${token.text}" in ${context}`);
  }

  #error(message: string): TemplateSyntaxError {
    return new TemplateSyntaxError(message, this.#tokens[Math.min(this.#next, this.#tokens.length) - 1]?.line ?? 1);
  }
}

/** Operands that cannot be called. */
const CONSTANTS: ReadonlySet<Operand['kind']> = new Set(['boolean', 'dot', 'nil', 'number', 'string']);
