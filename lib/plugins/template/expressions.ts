// The expressions of `var` and `expr`: what they can ask, and running them for a query. Setup checks, workers run.
import type { Query } from '../../chain/query.ts';
import { makeQueryFunctions } from '../../chain/query-functions.ts';
import { BUILTINS, UNSUPPORTED_BUILTINS } from '../../config/expression/builtins.ts';
import { compileExpression, type ContextFunction, type Expression } from '../../config/expression/compile.ts';
import { PREDICATES } from '../../config/expression/predicates.ts';
import { ExpressionRunError, type ExpressionValue, TYPE, type ValueType } from '../../config/expression/value.ts';
import type { GoValue } from '../../config/go-template/value.ts';

/** A variable as the Corefile has it. */
export type Variable = { readonly name: string; readonly text: string };

/** What an expression is evaluated for. */
type Context = {
  readonly query: Query;
  /** Groups of the pattern that matched, by number and name. */
  readonly groups: ReadonlyMap<string, string>;
  readonly values: Map<string, ExpressionValue>;
};

const FUNCTIONS: ReadonlyMap<string, ContextFunction<Context>> = makeQueryFunctions(
  (context: Context) => context.query,
).set('group', {
  parameters: [TYPE.ANY],
  result: TYPE.STRING,
  run: ({ groups }, [name]) => {
    return typeof name === 'string' || typeof name === 'number' ? (groups.get(String(name)) ?? '') : '';
  },
});

/** Words of the language that a variable cannot have for its name. */
const KEYWORDS: ReadonlySet<string> = new Set([
  'and', 'contains', 'else', 'endsWith', 'false', 'if', 'in', 'let', 'matches', 'nil', 'not', 'or', 'startsWith', 'true',
  'type',
]); // biome-ignore format: a list

export function isReserved(name: string): boolean {
  return [FUNCTIONS, BUILTINS, UNSUPPORTED_BUILTINS, PREDICATES, KEYWORDS].some((names) => names.has(name));
}

/** What the expressions made of a query. */
export type Outcome =
  | { readonly kind: 'true'; readonly variables: ReadonlyMap<string, GoValue> }
  | { readonly kind: 'false' | 'failed' };

/** Variables and conditions of one template, in the order in which they were written. */
export class TemplateExpressions {
  readonly #variables: { readonly name: string; readonly expression: Expression<Context> }[] = [];
  readonly #conditions: Expression<Context>[] = [];
  readonly #types = new Map<string, { type: ValueType; run: (context: Context) => ExpressionValue }>();

  /** @throws ExpressionError */
  addVariable({ name, text }: Variable): void {
    const expression = compileExpression(text, { functions: FUNCTIONS, variables: this.#types });
    this.#types.set(name, { type: expression.type, run: ({ values }) => values.get(name) ?? null });
    this.#variables.push({ name, expression });
  }

  /** @throws ExpressionError */
  addCondition(text: string): void {
    this.#conditions.push(compileExpression(text, { functions: FUNCTIONS, variables: this.#types }));
  }

  run(query: Query, groups: ReadonlyMap<string, string>): Outcome {
    const context: Context = { query, groups, values: new Map() };
    const variables = new Map<string, GoValue>();
    try {
      for (const { name, expression } of this.#variables) {
        const value = expression.run(context);
        context.values.set(name, value);
        variables.set(name, toGoValue(value, expression.type));
      }
      for (const condition of this.#conditions) if (condition.run(context) !== true) return { kind: 'false' };
      return { kind: 'true', variables };
    } catch (error) {
      if (error instanceof ExpressionRunError) return { kind: 'failed' };
      throw error;
    }
  }
}

function toGoValue(value: ExpressionValue, type: ValueType): GoValue {
  if (typeof value === 'number') return type.kind !== 'float' && Number.isInteger(value) ? BigInt(value) : value;
  if (Array.isArray(value)) {
    return (value as readonly ExpressionValue[]).map((item) => toGoValue(item, type.of ?? TYPE.ANY));
  }
  if (value instanceof Map) return new Map([...value].map(([key, item]) => [key, toGoValue(item, TYPE.ANY)]));
  return value;
}
