// Words -> server blocks: keys, braces, snippets and imports. Knows no plugin and no zone. Control thread.
import path from 'node:path';
import { ConfigError, type ErrorCode } from '../base/errors.ts';
import { quote } from '../base/quote.ts';
import type { Token } from './directive.ts';
import { replaceVariables, type Environment } from './environment.ts';
import { findImportFiles, type ConfigFiles } from './import-files.ts';
import { splitWords } from './lexer.ts';

/** Imports followed in one parse, and words they may bring in; what recursion runs into. */
const MAX_IMPORTS = 10_000;
const MAX_TOKENS = 1_000_000;

/** One directive as it stands: the first token is its name with variables not replaced, the others have them replaced. */
export type RawDirective = { readonly name: string; readonly tokens: readonly Token[] };

/** Keys have variables replaced and no comma; there is at least one. */
export type RawBlock = { readonly keys: readonly Token[]; readonly directives: readonly RawDirective[] };

/** A remark that does not stop the start. */
export type Warning = { readonly message: string; readonly file: string; readonly line: number };

export type ParserOptions = {
  readonly file: string;
  readonly environment: Environment;
  readonly files: ConfigFiles;
  /** Called for every directive outside snippets, in order. @throws ConfigError when there is no such directive */
  readonly checkName: (name: string, token: Token) => void;
};

export type RawCorefile = {
  readonly blocks: readonly RawBlock[];
  readonly warnings: readonly Warning[];
  /** Absolute paths of the imported files, without duplicates, in the order of their first use. */
  readonly importedFiles: readonly string[];
};

/**
 * Groups the words of a Corefile by server block and directive.
 *
 * @throws ConfigError `SYNTAX` or `IMPORT`, or what `checkName` throws
 */
export function parseBlocks(text: string, options: ParserOptions): RawCorefile {
  return new Parser(splitWords(text, options.file), options).parse();
}

/**
 * The words are kept in two stacks, up to and including the current one and after it, because an import replaces
 * itself by other words and the parser steps back by one now and then.
 */
class Parser {
  readonly #options: ParserOptions;
  readonly #read: Token[] = [];
  readonly #unread: Token[];
  readonly #snippets = new Map<string, readonly Token[]>();
  readonly #imported = new Map<string, readonly Token[]>();
  readonly #warnings: Warning[] = [];
  #importCount = 0;
  #tokenCount = 0;

  constructor(tokens: Token[], options: ParserOptions) {
    this.#options = options;
    this.#unread = tokens.reverse();
  }

  parse(): RawCorefile {
    const blocks: RawBlock[] = [];
    while (this.#next()) {
      const block = this.#parseBlock();
      if (block !== undefined && block.keys.length > 0) blocks.push(block);
    }
    return { blocks, warnings: this.#warnings, importedFiles: [...this.#imported.keys()] };
  }

  /** @returns undefined for a snippet */
  #parseBlock(): RawBlock | undefined {
    const keys: Token[] = [];
    if (!this.#parseKeys(keys)) return { keys, directives: [] };
    const snippetName = keys.length === 1 ? /^\((.*)\)$/s.exec(keys[0]!.text)?.[1] : undefined;
    if (snippetName !== undefined) {
      this.#parseSnippet(snippetName);
      return undefined;
    }
    const hasBrace = this.#is('{');
    const openLine = this.#current.line;
    // Without a brace the current word is already the first directive.
    if (!hasBrace) this.#back();
    const directives = this.#parseDirectives();
    if (hasBrace && !this.#is('}')) {
      throw this.#error(`the server block opened on line ${openLine} has no closing "}" (last word: ${this.#quoted})`);
    }
    return { keys, directives };
  }

  /** Reads keys to the opening brace or the end of the line. @returns false at the end of the text */
  #parseKeys(keys: Token[]): boolean {
    let expectsAnother = false;
    for (;;) {
      const text = this.#replace(this.#text);
      if (text === 'import' && this.#isNewLine()) {
        this.#import();
        if (this.#next()) continue;
        if (expectsAnother) throw this.#error('another key must follow the comma, but the text ends');
        return false;
      }
      if (text === '{') {
        if (expectsAnother) throw this.#error('another key must follow the comma, not "{"');
        return true;
      }
      // An empty word is no key.
      if (text !== '') {
        expectsAnother = text.endsWith(',');
        keys.push({ ...this.#current, text: expectsAnother ? text.slice(0, -1) : text });
      }
      if (!this.#next()) {
        if (expectsAnother) throw this.#error('another key must follow the comma, but the text ends');
        return false;
      }
      if (!expectsAnother && this.#isNewLine()) return true;
    }
  }

  #parseSnippet(name: string): void {
    if (this.#snippets.has(name)) throw this.#error(`the snippet (${name}) is already defined above`);
    if (!this.#is('{')) throw this.#error(`"{" must follow the snippet name (${name}), not ${this.#quoted}`);
    const tokens: Token[] = [];
    let depth = 1;
    while (this.#next()) {
      if (this.#is('{')) depth++;
      if (this.#is('}') && --depth === 0) break;
      tokens.push(this.#current);
    }
    if (depth > 0) throw this.#error(`the snippet (${name}) has no closing "}"`);
    for (const [index, token] of tokens.entries()) {
      const previous = tokens[index - 1];
      const isFirst = previous === undefined || previous.file !== token.file || previous.line !== token.line;
      const next = tokens[index + 1];
      if (token.text === 'import' && isFirst && next !== undefined && this.#replace(next.text) === name) {
        throw this.#error(`the snippet (${name}) imports itself`, 'IMPORT');
      }
    }
    this.#snippets.set(name, tokens);
  }

  /** Reads directives to the closing brace of the server block or the end of the text. */
  #parseDirectives(): RawDirective[] {
    const directives: RawDirective[] = [];
    while (this.#next()) {
      if (this.#is('}')) break;
      if (this.#is('import')) this.#import();
      else directives.push(this.#parseDirective());
    }
    return directives;
  }

  /** Reads from the name to the end of the line, or to the brace that closes what the line opened. */
  #parseDirective(): RawDirective {
    const nameToken = this.#current;
    const name = this.#replace(nameToken.text);
    this.#options.checkName(name, nameToken);
    const tokens: Token[] = [nameToken];
    let depth = 0;
    while (this.#next()) {
      const text = this.#text;
      if (text === '{') depth++;
      else if (depth === 0 && this.#isNewLine()) {
        this.#back();
        break;
      } else if (text === '}') {
        if (depth === 0) throw this.#error(`"}" without an opening "{" on the line of ${quote(name)}`);
        depth--;
      } else if (text === 'import' && this.#isNewLine()) {
        this.#import();
        continue;
      }
      // Replaced in place: the line breaks of a value count when the next word's line is judged.
      const token = { ...this.#current, text: this.#replace(text) };
      this.#read[this.#read.length - 1] = token;
      tokens.push(token);
    }
    if (depth > 0) throw this.#error(`the block of ${quote(name)} (line ${nameToken.line}) has no closing "}"`);
    return { name, tokens };
  }

  /** Replaces `import X` by what X stands for; the current word is then the one before it. */
  #import(): void {
    if (!this.#nextOnLine()) throw this.#error('import: a snippet or file must follow');
    const pattern = this.#replace(this.#text);
    if (pattern === '') throw this.#error('import: the name is empty');
    if (this.#nextOnLine()) throw this.#error('import: takes one snippet, file or pattern, and no arguments for it');
    if (++this.#importCount > MAX_IMPORTS) {
      throw this.#error(`import: more than ${MAX_IMPORTS} imports, ${quote(pattern)} leads back to itself`, 'IMPORT');
    }
    const tokens = this.#snippets.get(pattern) ?? this.#importFiles(pattern);
    this.#tokenCount += tokens.length;
    if (this.#tokenCount > MAX_TOKENS) throw this.#error(`import: more than ${MAX_TOKENS} words in all`, 'IMPORT');
    this.#read.length -= 2;
    for (let index = tokens.length - 1; index >= 0; index--) this.#unread.push(tokens[index]!);
  }

  #importFiles(pattern: string): readonly Token[] {
    const matches = findImportFiles(pattern, this.#current.file, this.#options.files);
    if ('fault' in matches) throw this.#error(`import: ${matches.fault}`, 'IMPORT');
    if (matches.files.length === 0) this.#warn(`No files matching import glob pattern: ${pattern}`);
    if (matches.files.length === 1) return this.#importFile(matches.files[0]!);
    return matches.files.flatMap((file) => this.#importFile(file));
  }

  #importFile(match: string): readonly Token[] {
    const file = path.resolve(match);
    let tokens = this.#imported.get(file);
    if (tokens === undefined) {
      try {
        tokens = splitWords(this.#options.files.readText(file), file);
      } catch (error) {
        const { code, message } = error as NodeJS.ErrnoException;
        throw this.#error(`import: ${code === 'EISDIR' ? `${match} is a directory` : message}`, 'IMPORT');
      }
      this.#imported.set(file, tokens);
    }
    return tokens;
  }

  get #current(): Token {
    return this.#read.at(-1)!;
  }

  get #text(): string {
    return this.#current.text;
  }

  #is(text: string): boolean {
    return this.#text === text;
  }

  get #quoted(): string {
    return quote(this.#text, 40);
  }

  #next(): boolean {
    const token = this.#unread.pop();
    if (token === undefined) return false;
    this.#read.push(token);
    return true;
  }

  #back(): void {
    const token = this.#read.pop();
    if (token !== undefined) this.#unread.push(token);
  }

  #nextOnLine(): boolean {
    const following = this.#unread.at(-1);
    return following !== undefined && isSameLine(this.#current, following) && this.#next();
  }

  #isNewLine(): boolean {
    const previous = this.#read.at(-2);
    return previous === undefined || startsNewLine(previous, this.#current);
  }

  #replace(text: string): string {
    const replaced = replaceVariables(text, this.#options.environment);
    if (replaced === undefined) throw this.#error(`the variables in ${quote(text)} lead back to themselves`);
    return replaced;
  }

  #warn(message: string): void {
    this.#warnings.push({ message, file: this.#current.file, line: this.#current.line });
  }

  #error(message: string, code: ErrorCode = 'SYNTAX'): ConfigError {
    return new ConfigError(code, message, this.#current.file, this.#current.line);
  }
}

/** Whether `token` stands on the line where `previous` ends. */
export function isSameLine(previous: Token, token: Token): boolean {
  return previous.file === token.file && lastLine(previous) === token.line;
}

/** Differs from `!isSameLine` when an import leads back to an earlier line of the same file. */
function startsNewLine(previous: Token, token: Token): boolean {
  return previous.file !== token.file || lastLine(previous) < token.line;
}

function lastLine(token: Token): number {
  let line = token.line;
  for (let at = token.text.indexOf('\n'); at !== -1; at = token.text.indexOf('\n', at + 1)) line++;
  return line;
}
