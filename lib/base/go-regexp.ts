// Regular expressions as the Corefile writes them (Go's RE2 syntax). Both kinds of thread.
//
// They are tried on names that clients choose, so the work must be bounded as it is in Go. V8 is several times faster where it
// finds its way without trying again; where it might not, or the text is long, RE2's own way is gone, in linear time. See
// docs/decisions/0024-regular-expressions.md.
import { createRequire } from 'node:module';
import type { RE2JS } from 're2js';
import { countSteps, type ParsedRegexp, type RegexpNode } from './regexp/ast.ts';
import { backtrackingCost } from './regexp/backtracking-cost.ts';
import { parseRegexp, RegexpError } from './regexp/parser.ts';
import { toJavaScript, toRe2 } from './regexp/source.ts';

// By name, when the first expression needs it: most Corefiles have none that does.
const loadRe2 = createRequire(import.meta.url);

export { RegexpError };

/** Longest text for V8, and what it may cost there: less than a tenth of a millisecond. */
const MAX_TEXT = 256;
const MAX_STEPS = 2 * MAX_TEXT ** 2;
const MAX_FACTOR = 64;
/** Linear time is the text's length times these. */
const MAX_EXPRESSION_STEPS = 20_000;

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
  readonly #root: RegexpNode;
  readonly #backtracking: RegExp | undefined;
  #linear: RE2JS | undefined;

  constructor(parsed: ParsedRegexp) {
    this.#root = parsed.root;
    this.groupCount = parsed.groupCount;
    this.#names = parsed.groupNames;
    const { exponent, factor } = backtrackingCost(parsed.root);
    const isSimple = factor <= MAX_FACTOR && MAX_TEXT ** exponent * factor <= MAX_STEPS;
    if (isSimple) this.#backtracking = new RegExp(toJavaScript(parsed.root), 'u');
    else this.#linear = compileLinear(parsed.root);
  }

  /** Whether V8 is used for short texts. */
  get isSimple(): boolean {
    return this.#backtracking !== undefined;
  }

  test(text: string): boolean {
    if (this.#backtracking && text.length <= MAX_TEXT) return this.#backtracking.test(text);
    this.#linear ??= compileLinear(this.#root);
    return this.#linear.test(text);
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
    this.#linear ??= compileLinear(this.#root);
    const matcher = this.#linear.matcher(text);
    if (!matcher.find()) return undefined;
    const groups = Array.from({ length: this.groupCount + 1 }, (_, group) => matcher.group(group) ?? undefined);
    return { groups, names: this.#names };
  }
}

function compileLinear(root: RegexpNode): RE2JS {
  const { RE2JS } = loadRe2('re2js') as typeof import('re2js');
  return RE2JS.compile(toRe2(root));
}

/**
 * Compiles a pattern of Go's `regexp` package; unanchored, as Go matches it.
 *
 * @throws RegexpError for what Go refuses, such as lookaround and references to groups, and for one that is too large
 */
export function compileGoRegexp(pattern: string): GoRegexp {
  const parsed = parseRegexp(pattern);
  if (countSteps(parsed.root) > MAX_EXPRESSION_STEPS)
    throw new RegexpError(`expression too large, more than ${MAX_EXPRESSION_STEPS} steps`, pattern);
  return new GoRegexp(parsed);
}
