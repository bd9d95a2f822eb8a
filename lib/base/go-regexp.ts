// Regular expressions as the Corefile writes them (Go's RE2 syntax). Both kinds of thread.
//
// They are tried on names that clients choose, so the work must be bounded as it is in Go. V8 is several times faster where it
// finds its way without trying again; where it might not, or the text is long, an engine of our own takes linear time. See
// docs/decisions/0024-regular-expressions.md.
import type { ParsedRegexp } from './regexp/ast.ts';
import { backtrackingCost } from './regexp/backtracking-cost.ts';
import { LinearMatcher } from './regexp/linear-matcher.ts';
import { parseRegexp, RegexpError } from './regexp/parser.ts';
import { compileProgram, MAX_INSTRUCTIONS, type Program } from './regexp/program.ts';
import { toJavaScript } from './regexp/source.ts';

export { RegexpError };

/** Longest text for V8, and what it may cost there: less than a tenth of a millisecond. */
const MAX_TEXT = 256;
const MAX_STEPS = 2 * MAX_TEXT ** 2;
const MAX_FACTOR = 64;

export type GoMatch = {
  /** The whole match, then the groups; undefined for one that took no part. */
  readonly groups: readonly (string | undefined)[];
  /** Numbers of the groups that have names. */
  readonly names: ReadonlyMap<string, number>;
};

/** Matches anywhere in a text, as Go's `regexp` does. */
export class GoRegexp {
  readonly groupCount: number;
  readonly #names: ReadonlyMap<string, number>;
  readonly #program: Program;
  readonly #backtracking: RegExp | undefined;
  #linear: LinearMatcher | undefined;

  constructor(parsed: ParsedRegexp, program: Program) {
    this.groupCount = parsed.groupCount;
    this.#names = parsed.groupNames;
    this.#program = program;
    const { exponent, factor } = backtrackingCost(parsed.root);
    const isSimple = factor <= MAX_FACTOR && MAX_TEXT ** exponent * factor <= MAX_STEPS;
    if (isSimple) this.#backtracking = new RegExp(toJavaScript(parsed.root), 'u');
  }

  /** Whether V8 is used for short texts. */
  get isSimple(): boolean {
    return this.#backtracking !== undefined;
  }

  test(text: string): boolean {
    if (this.#backtracking && text.length <= MAX_TEXT) return this.#backtracking.test(text);
    return this.#match(text) !== undefined;
  }

  exec(text: string): GoMatch | undefined {
    if (this.#backtracking && text.length <= MAX_TEXT) {
      const groups = this.#backtracking.exec(text);
      return groups === null ? undefined : { groups, names: this.#names };
    }
    return this.execLinear(text);
  }

  /** `exec` without V8. */
  execLinear(text: string): GoMatch | undefined {
    const found = this.#match(text);
    if (found === undefined) return undefined;
    const groups: (string | undefined)[] = [];
    for (let slot = 0; slot < found.length; slot += 2) {
      const [start, end] = [found[slot]!, found[slot + 1]!];
      groups.push(start === -1 || end === -1 ? undefined : text.slice(start, end));
    }
    return { groups, names: this.#names };
  }

  #match(text: string): Int32Array | undefined {
    this.#linear ??= new LinearMatcher(this.#program);
    return this.#linear.match(text);
  }
}

/**
 * Compiles a pattern of Go's `regexp` package; unanchored, as Go matches it.
 *
 * @throws RegexpError for what Go refuses, such as lookaround and references to groups, and for one that is too large
 */
export function compileGoRegexp(pattern: string): GoRegexp {
  const parsed = parseRegexp(pattern);
  try {
    return new GoRegexp(parsed, compileProgram(parsed));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new RegexpError(`expression too large, more than ${MAX_INSTRUCTIONS} steps`, pattern);
  }
}
