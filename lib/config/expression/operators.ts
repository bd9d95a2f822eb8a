// Operators between two values, with their types checked. Pure; both kinds of thread.
import { compileGoRegexp, type GoRegexp } from '../../base/go-regexp.ts';
import type { ExpressionNode } from './ast.ts';
import { ExpressionError } from './lexer.ts';
import {
  areComparable,
  areEqual,
  arrayOf,
  type ExpressionValue,
  ExpressionRunError,
  formatType,
  isAny,
  isNumeric,
  TYPE,
  typeNameOf,
  type ValueType,
} from './value.ts';

/** A side of an operator. */
export type Operand<R> = {
  readonly type: ValueType;
  readonly run: R;
  /** Known before any query. */
  readonly constant?: ExpressionValue;
};

/** Longest array that `..` makes. */
const MAX_RANGE = 10_000;
/** Text that patterns from the query are tried on. */
const MAX_MATCHED_LENGTH = 1024;

type Binary = Extract<ExpressionNode, { kind: 'binary' }>;
type RunWith<A extends unknown[]> = (...args: A) => ExpressionValue;

/** @throws ExpressionError the types do not go together */
export function compileOperator<A extends unknown[]>(
  node: Binary,
  left: Operand<RunWith<A>>,
  right: Operand<RunWith<A>>,
): Operand<RunWith<A>> {
  const a = left.run;
  const b = right.run;
  const mismatch = (): ExpressionError => {
    const types = `${formatType(left.type)} and ${formatType(right.type)}`;
    return new ExpressionError(`invalid operation: ${node.operator} (mismatched types ${types})`, node.at);
  };
  const need = (isRight: (type: ValueType) => boolean): void => {
    if (![left, right].every(({ type }) => isAny(type) || isRight(type))) throw mismatch();
  };
  switch (node.operator) {
    case 'and':
    case 'or': {
      need((type) => type.kind === 'bool');
      const isAnd = node.operator === 'and';
      const run: RunWith<A> = (...args) => (toBoolean(a(...args)) === isAnd ? toBoolean(b(...args)) : !isAnd);
      return { type: TYPE.BOOL, run };
    }
    case '??':
      return { type: left.type.kind === 'nil' ? right.type : TYPE.ANY, run: (...args) => a(...args) ?? b(...args) };
    case '==':
    case '!=': {
      if (!areComparable(left.type, right.type)) throw mismatch();
      const isEqual = node.operator === '==';
      return { type: TYPE.BOOL, run: (...args) => areEqual(a(...args), b(...args)) === isEqual };
    }
    case 'in':
      return compileIn(left, right, mismatch);
    case 'matches':
      need((type) => type.kind === 'string');
      return compileMatches(node, left, right);
    case 'contains':
    case 'startsWith':
    case 'endsWith': {
      need((type) => type.kind === 'string');
      const test = TEXT_TESTS[node.operator];
      return { type: TYPE.BOOL, run: (...args) => test(toText(a(...args)), toText(b(...args))) };
    }
    default:
      return compileArithmetic(node, left, right, mismatch);
  }
}

const TEXT_TESTS = {
  contains: (text: string, part: string): boolean => text.includes(part),
  startsWith: (text: string, part: string): boolean => text.startsWith(part),
  endsWith: (text: string, part: string): boolean => text.endsWith(part),
} as const;

function compileArithmetic<A extends unknown[]>(
  { operator }: Binary,
  left: Operand<RunWith<A>>,
  right: Operand<RunWith<A>>,
  mismatch: () => ExpressionError,
): Operand<RunWith<A>> {
  const a = left.run;
  const b = right.run;
  const types = [left.type, right.type];
  const known = types.filter((type) => !isAny(type));
  const areNumbers = known.every(isNumeric);
  const areTexts = known.every((type) => type.kind === 'string');
  const takesText = operator === '+' || operator in ORDERS;
  if (!areNumbers && !(takesText && areTexts)) throw mismatch();
  if ((operator === '%' || operator === '..') && known.some((type) => type.kind === 'float')) throw mismatch();
  const order = ORDERS[operator];
  if (order) return { type: TYPE.BOOL, run: (...args) => order(compare(a(...args), b(...args))) };
  if (operator === '..') return { type: arrayOf(TYPE.INT), run: (...args) => makeRange(a(...args), b(...args)) };
  const calculate = NUMBERS[operator]!;
  return {
    type: resultType(operator, types, known),
    run: (...args) => {
      const x = a(...args);
      const y = b(...args);
      if (operator === '+' && typeof x === 'string' && typeof y === 'string') return x + y;
      return calculate(toNumber(x), toNumber(y));
    },
  };
}

function resultType(operator: string, types: readonly ValueType[], known: readonly ValueType[]): ValueType {
  if (operator === '/' || operator === '**') return TYPE.FLOAT;
  if (operator === '%') return TYPE.INT;
  if (known.some((type) => type.kind === 'float')) return TYPE.FLOAT;
  if (known.length < types.length) return TYPE.ANY;
  return known[0]!;
}

const ORDERS: Readonly<Record<string, (order: number) => boolean>> = {
  '<': (order) => order < 0,
  '<=': (order) => order <= 0,
  '>': (order) => order > 0,
  '>=': (order) => order >= 0,
};
const NUMBERS: Readonly<Record<string, (a: number, b: number) => number>> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
  '**': (a, b) => a ** b,
  '%': (a, b) => {
    if (b === 0) throw new ExpressionRunError('integer divide by zero');
    return a % b;
  },
};

function compare(a: ExpressionValue, b: ExpressionValue): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  if (typeof a === 'string' && typeof b === 'string') return a < b ? -1 : a > b ? 1 : 0;
  throw new ExpressionRunError(`cannot compare ${typeNameOf(a)} and ${typeNameOf(b)}`);
}

function makeRange(from: ExpressionValue, to: ExpressionValue): ExpressionValue {
  const start = toNumber(from);
  const count = toNumber(to) - start + 1;
  if (count > MAX_RANGE) throw new ExpressionRunError(`a range of ${count} numbers is too long`);
  return Array.from({ length: Math.max(0, count) }, (_, i) => start + i);
}

function compileIn<A extends unknown[]>(
  left: Operand<RunWith<A>>,
  right: Operand<RunWith<A>>,
  mismatch: () => ExpressionError,
): Operand<RunWith<A>> {
  const { kind, of = TYPE.ANY } = right.type;
  const isRight =
    isAny(right.type) ||
    (kind === 'array' && areComparable(left.type, of)) ||
    (kind === 'map' && (isAny(left.type) || left.type.kind === 'string'));
  if (!isRight) throw mismatch();
  const a = left.run;
  const b = right.run;
  const run: RunWith<A> = (...args) => {
    const item = a(...args);
    const container = b(...args);
    if (container instanceof Map) return typeof item === 'string' && container.has(item);
    if (Array.isArray(container))
      return (container as readonly ExpressionValue[]).some((other) => areEqual(other, item));
    if (container === null) return false;
    throw new ExpressionRunError(`operator "in" not defined on ${typeNameOf(container)}`);
  };
  return { type: TYPE.BOOL, run };
}

function compileMatches<A extends unknown[]>(
  { at }: Binary,
  left: Operand<RunWith<A>>,
  right: Operand<RunWith<A>>,
): Operand<RunWith<A>> {
  const a = left.run;
  const b = right.run;
  if (typeof right.constant !== 'string') {
    return { type: TYPE.BOOL, run: (...args) => compileAtRun(toText(b(...args))).test(toText(a(...args))) };
  }
  try {
    const pattern = compileGoRegexp(right.constant);
    return { type: TYPE.BOOL, run: (...args) => pattern.test(toText(a(...args)).slice(0, MAX_MATCHED_LENGTH)) };
  } catch (error) {
    throw new ExpressionError((error as Error).message, at);
  }
}

function compileAtRun(pattern: string): GoRegexp {
  try {
    return compileGoRegexp(pattern);
  } catch (error) {
    throw new ExpressionRunError((error as Error).message);
  }
}

function toBoolean(value: ExpressionValue): boolean {
  if (typeof value !== 'boolean') throw new ExpressionRunError(`expected a bool, not ${typeNameOf(value)}`);
  return value;
}

function toNumber(value: ExpressionValue): number {
  if (typeof value !== 'number') throw new ExpressionRunError(`expected a number, not ${typeNameOf(value)}`);
  return value;
}

function toText(value: ExpressionValue): string {
  if (typeof value !== 'string') throw new ExpressionRunError(`expected a string, not ${typeNameOf(value)}`);
  return value;
}
