// One directive of a server block, with what setup functions need to read it and to complain about it. Control thread.
import { ConfigError, type ErrorCode } from '../base/errors.ts';
import { findNearest } from '../base/nearest.ts';
import { quote } from '../base/quote.ts';
import { parseDuration } from './duration.ts';
import { parseZone } from './zone-name.ts';

/** A word of the Corefile with its place. */
export type Token = {
  readonly text: string;
  /** Path as given for the Corefile itself, absolute for an imported file. */
  readonly file: string;
  /** Counted from 1; where the word starts. */
  readonly line: number;
};

/** Inclusive bounds; a missing one is open. */
export type Range = { readonly min?: number; readonly max?: number };

/** A name with the arguments on its line: what directives and the options in their blocks have in common. */
class Line {
  /** First word: of a directive its name, of an option the option's name. */
  readonly name: string;
  readonly file: string;
  readonly line: number;
  readonly args: readonly Token[];
  readonly #owner: string;

  constructor(owner: string, name: Token, args: readonly Token[]) {
    this.#owner = owner;
    this.name = name.text;
    this.file = name.file;
    this.line = name.line;
    this.args = args;
  }

  /** Texts of the arguments. */
  get values(): readonly string[] {
    return this.args.map((token) => token.text);
  }

  /** Name of the directive this line belongs to. */
  get owner(): string {
    return this.#owner;
  }

  /**
   * Makes (not throws) an error at this line.
   *
   * @param message completes `OWNER: `
   * @param line when the fault stands on another line of the same file
   */
  error(code: ErrorCode, message: string, line: number = this.line): ConfigError {
    return new ConfigError(code, `${this.#owner}: ${message}`, this.file, line);
  }

  /** The error for a value that is not what it must be: `OWNER: ttl: expected ..., not "x"`. */
  valueError(value: Token | string, expected: string): ConfigError {
    const text = typeof value === 'string' ? value : value.text;
    return this.error(
      'ARGUMENT_VALUE',
      `${this.#subject()}expected ${expected}, not ${quote(text)}`,
      lineOf(value, this.line),
    );
  }

  /** @throws ConfigError `ARGUMENT_COUNT` unless `min <= args.length <= max`; one number means exactly that many. */
  expectArguments(min: number, max: number = min): void {
    const count = this.args.length;
    if (count >= min && count <= max) return;
    const wanted =
      max === Number.POSITIVE_INFINITY ? `at least ${min}` : min === max ? `${min || 'no'}` : `${min} to ${max}`;
    const plural = (max === Number.POSITIVE_INFINITY ? min : max) === 1 ? 'argument' : 'arguments';
    throw this.error(
      'ARGUMENT_COUNT',
      `${this.#subject()}takes ${wanted} ${plural}, has ${count}`,
      this.args[count > max ? max : count - 1]?.line ?? this.line,
    );
  }

  /** The argument at `index`. @throws ConfigError `ARGUMENT_COUNT` when there is none. */
  argument(index = 0): Token {
    const token = this.args[index];
    if (token === undefined) throw this.error('ARGUMENT_COUNT', `${this.#subject()}argument ${index + 1} is missing`);
    return token;
  }

  /**
   * Reads a Go duration (`300ms`, `1h30m`; `0` needs no unit).
   *
   * @param range in milliseconds
   * @returns milliseconds, fractions possible
   * @throws ConfigError `ARGUMENT_VALUE`
   */
  parseDuration(value: Token | string, range: Range = {}): number {
    const text = typeof value === 'string' ? value : value.text;
    const durationMs = parseDuration(text);
    if (durationMs === undefined) throw this.valueError(value, 'a duration with a unit (300ms, 30s, 1h30m)');
    if (durationMs < (range.min ?? Number.NEGATIVE_INFINITY) || durationMs > (range.max ?? Number.POSITIVE_INFINITY)) {
      throw this.valueError(value, `a duration ${formatRange(range, (bound) => `${bound / 1000}s`)}`);
    }
    return durationMs;
  }

  /** Reads a decimal integer, a sign allowed. @throws ConfigError `ARGUMENT_VALUE` */
  parseInteger(value: Token | string, range: Range = {}): number {
    const text = typeof value === 'string' ? value : value.text;
    const number = Number(text);
    if (!/^[+-]?\d+$/.test(text) || !Number.isSafeInteger(number)) {
      throw this.valueError(value, `an integer${range.min === undefined ? '' : ` ${formatRange(range, String)}`}`);
    }
    if (number < (range.min ?? Number.NEGATIVE_INFINITY) || number > (range.max ?? Number.POSITIVE_INFINITY)) {
      throw this.valueError(value, `an integer ${formatRange(range, String)}`);
    }
    return number;
  }

  /** @returns the value when it is one of `words`. @throws ConfigError `ARGUMENT_VALUE` naming the nearest one */
  parseWord<Word extends string>(value: Token | string, words: readonly Word[]): Word {
    const text = typeof value === 'string' ? value : value.text;
    const found = words.find((word) => word === text);
    if (found !== undefined) return found;
    const nearest = findNearest(text, words);
    const hint = nearest === undefined ? '' : `, did you mean ${quote(nearest)}?`;
    throw this.error(
      'ARGUMENT_VALUE',
      `${this.#subject()}expected ${words.join(' or ')}, not ${quote(text)}${hint}`,
      lineOf(value, this.line),
    );
  }

  /**
   * Reads names, keys or CIDRs as zones, as the ZONES argument of a plugin means them: scheme and port dropped, a CIDR
   * turned into its reverse zones, what is no name at all left out without a word (CoreDNS does the same).
   *
   * @param fallback zones to use when `values` is empty: the server block's
   * @returns absolute names in lower case
   */
  parseZones(values: readonly (Token | string)[], fallback: readonly string[] = []): string[] {
    if (values.length === 0) return [...fallback];
    return values.flatMap((value) => parseZone(typeof value === 'string' ? value : value.text) ?? []);
  }

  #subject(): string {
    return this.name === this.#owner ? '' : `${this.name}: `;
  }
}

/** One line in a directive's block: option name and arguments. A block inside a block does not exist (as in CoreDNS). */
export class Option extends Line {}

export class Directive extends Line {
  /** Options of the block in order; undefined when the directive has no block, empty for `{ }`. */
  readonly block: readonly Option[] | undefined;
  /** Line of the block's closing brace: where CoreDNS reports options that do not go together. */
  readonly endLine: number;
  readonly #blockLine: number;

  /** `owner` is the directive's name; it differs from `name.text` only in oddities such as a block on the next line. */
  constructor(
    owner: string,
    name: Token,
    args: readonly Token[],
    block?: { line: number; endLine?: number; options: readonly Option[] },
  ) {
    super(owner, name, args);
    this.block = block?.options;
    this.#blockLine = block?.line ?? name.line;
    this.endLine = block?.endLine ?? name.line;
  }

  /** Options of the block; empty without one. */
  options(): readonly Option[] {
    return this.block ?? [];
  }

  /** @throws ConfigError `ARGUMENT_COUNT` when a block follows, even an empty one. */
  expectNoBlock(): void {
    if (this.block !== undefined) throw this.error('ARGUMENT_COUNT', 'takes no block', this.#blockLine);
  }

  /**
   * Makes (not throws) the error for an option that the directive does not have.
   *
   * @param removed options that CoreDNS once had, each with what to do instead: `delete the line, ...`
   */
  unknownOption(option: Line, known: readonly string[], removed: Readonly<Record<string, string>> = {}): ConfigError {
    const advice = Object.hasOwn(removed, option.name) ? removed[option.name] : undefined;
    if (advice !== undefined) {
      const message = `${this.owner}: the option ${quote(option.name)} was removed from CoreDNS, ${advice}`;
      return new ConfigError('OPTION_UNKNOWN', message, option.file, option.line);
    }
    const nearest = findNearest(option.name, known);
    const hint =
      nearest === undefined
        ? known.length === 0
          ? ''
          : `, options are ${known.join(', ')}`
        : `, did you mean ${quote(nearest)}?`;
    const message = `${this.owner}: unknown option ${quote(option.name)}${hint}`;
    return new ConfigError('OPTION_UNKNOWN', message, option.file, option.line);
  }
}

function lineOf(value: Token | string, otherwise: number): number {
  return typeof value === 'string' ? otherwise : value.line;
}

function formatRange(range: Range, format: (bound: number) => string): string {
  if (range.min !== undefined && range.max !== undefined) return `from ${format(range.min)} to ${format(range.max)}`;
  if (range.min !== undefined) return `of at least ${format(range.min)}`;
  return range.max === undefined ? '' : `of at most ${format(range.max)}`;
}
