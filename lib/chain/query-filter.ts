// Decides by expressions whether a server block takes a query. Compiled at setup for its errors, once more by each worker.
import { compileExpression, type Expression, type ExpressionScope } from '../config/expression/compile.ts';
import { ExpressionRunError } from '../config/expression/value.ts';
import type { StoreReader } from '../store/reader.ts';
import type { MetadataProvider } from './block-offers.ts';
import type { Query } from './query.ts';
import { makeQueryFunctions } from './query-functions.ts';

const SCOPE: ExpressionScope<Query> = { functions: makeQueryFunctions((query: Query) => query), variables: new Map() };

export type QueryFilter = (query: Query) => boolean;

/**
 * True for queries for which every expression is `true`; one that fails, or has another value, is not.
 * @throws ExpressionError
 */
export function compileQueryFilter(expressions: readonly string[]): QueryFilter {
  const compiled = expressions.map((text) => compileExpression(text, SCOPE));
  return (query) => {
    for (let i = 0; i < compiled.length; i++) if (!isTrue(compiled[i]!, query)) return false;
    return true;
  };
}

/** Collects the query's metadata before `filter` looks at it, as far as the block's plugins can tell by then. */
export function withMetadata(
  filter: QueryFilter,
  providers: readonly MetadataProvider[],
  store: Pick<StoreReader, 'enter' | 'leave'>,
): QueryFilter {
  return (query) => {
    const values = new Map<string, string>();
    store.enter();
    try {
      for (const provide of providers) provide(query, values);
    } finally {
      store.leave();
    }
    query.metadata = values;
    if (filter(query)) return true;
    query.metadata = undefined;
    return false;
  };
}

function isTrue(expression: Expression<Query>, query: Query): boolean {
  try {
    return expression.run(query) === true;
  } catch (error) {
    if (error instanceof ExpressionRunError) return false;
    throw error;
  }
}
