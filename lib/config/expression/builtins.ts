// Functions that every expression has. Pure; both kinds of thread.
import { areEqual, arrayOf, type ExpressionValue, ExpressionRunError, formatExpressionValue, TYPE, typeNameOf, type ValueType } from './value.ts'; // biome-ignore format: one import

export type Builtin = {
  readonly parameters: readonly ValueType[];
  /** How many of the last parameters may be left out. */
  readonly optional?: number;
  /** The last parameter may come any number of times. */
  readonly isVariadic?: boolean;
  readonly result: (args: readonly ValueType[]) => ValueType;
  readonly run: (args: readonly ExpressionValue[]) => ExpressionValue;
};

/** Arguments are checked by the parameters' types before `run`. */
// oxlint-disable-next-line no-explicit-any -- the table below names each argument's type
type Run = (...args: any[]) => ExpressionValue;

const { STRING, INT, FLOAT, BOOL, ANY, MAP } = TYPE;
const ARRAY = arrayOf(ANY);
const STRINGS = arrayOf(STRING);
/** Longest text that `repeat` makes. */
const MAX_TEXT = 100_000;

function builtin(
  parameters: readonly ValueType[],
  result: ValueType | Builtin['result'],
  run: Run,
  more: { readonly optional?: number; readonly isVariadic?: boolean } = {},
): Builtin {
  return {
    parameters,
    result: typeof result === 'function' ? result : () => result,
    run: (args) => run(...args),
    ...more,
  };
}

const firstType: Builtin['result'] = ([type = ANY]) => type;
const itemType: Builtin['result'] = ([type]) => type?.of ?? ANY;
const numbersType: Builtin['result'] = (types) => (types.every(({ kind }) => kind === 'int') ? INT : ANY);
const bits = (run: (a: bigint, b: bigint) => bigint): Builtin =>
  builtin([INT, INT], INT, (a: number, b: number) => Number(BigInt.asIntN(64, run(BigInt(a), BigInt(b)))));

export const BUILTINS: ReadonlyMap<string, Builtin> = new Map<string, Builtin>([
  ['len', builtin([ANY], INT, lengthOf)],
  ['abs', builtin([FLOAT], firstType, Math.abs)],
  ['ceil', builtin([FLOAT], FLOAT, Math.ceil)],
  ['floor', builtin([FLOAT], FLOAT, Math.floor)],
  ['round', builtin([FLOAT], FLOAT, (n: number) => Math.sign(n) * Math.round(Math.abs(n)))],
  ['int', builtin([ANY], INT, toInteger)],
  ['float', builtin([ANY], FLOAT, toFloat)],
  ['string', builtin([ANY], STRING, formatExpressionValue)],
  ['trim', builtin([STRING, STRING], STRING, trim, { optional: 1 })],
  ['trimPrefix', builtin([STRING, STRING], STRING, (s: string, p = ' ') => (s.startsWith(p) ? s.slice(p.length) : s), { optional: 1 })],
  ['trimSuffix', builtin([STRING, STRING], STRING, (s: string, p = ' ') => (p !== '' && s.endsWith(p) ? s.slice(0, -p.length) : s), { optional: 1 })],
  ['upper', builtin([STRING], STRING, (s: string) => s.toUpperCase())],
  ['lower', builtin([STRING], STRING, (s: string) => s.toLowerCase())],
  ['split', builtin([STRING, STRING, INT], STRINGS, (s: string, d: string, n = -1) => split(s, d, n, false), { optional: 1 })],
  ['splitAfter', builtin([STRING, STRING, INT], STRINGS, (s: string, d: string, n = -1) => split(s, d, n, true), { optional: 1 })],
  ['replace', builtin([STRING, STRING, STRING], STRING, (s: string, from: string, to: string) => s.replaceAll(from, () => to))],
  ['repeat', builtin([STRING, INT], STRING, repeat)],
  ['join', builtin([ARRAY, STRING], STRING, (items: readonly ExpressionValue[], d = '') => items.map(expectText).join(d), { optional: 1 })],
  ['indexOf', builtin([STRING, STRING], INT, (s: string, part: string) => s.indexOf(part))],
  ['lastIndexOf', builtin([STRING, STRING], INT, (s: string, part: string) => s.lastIndexOf(part))],
  ['hasPrefix', builtin([STRING, STRING], BOOL, (s: string, part: string) => s.startsWith(part))],
  ['hasSuffix', builtin([STRING, STRING], BOOL, (s: string, part: string) => s.endsWith(part))],
  ['max', builtin([ANY], numbersType, (...args: ExpressionValue[]) => Math.max(...numbersOf(args)), { isVariadic: true })],
  ['min', builtin([ANY], numbersType, (...args: ExpressionValue[]) => Math.min(...numbersOf(args)), { isVariadic: true })],
  ['mean', builtin([ANY], FLOAT, (...args: ExpressionValue[]) => mean(numbersOf(args)), { isVariadic: true })],
  ['median', builtin([ANY], FLOAT, (...args: ExpressionValue[]) => median(numbersOf(args)), { isVariadic: true })],
  ['toBase64', builtin([STRING], STRING, (s: string) => Buffer.from(s).toString('base64'))],
  ['fromBase64', builtin([STRING], STRING, (s: string) => Buffer.from(s, 'base64').toString())],
  ['first', builtin([ARRAY], itemType, (items: readonly ExpressionValue[]) => items[0] ?? null)],
  ['last', builtin([ARRAY], itemType, (items: readonly ExpressionValue[]) => items.at(-1) ?? null)],
  ['get', builtin([ANY, ANY], ANY, get)],
  ['take', builtin([ARRAY, INT], firstType, (items: readonly ExpressionValue[], n: number) => items.slice(0, Math.max(0, n)))],
  ['keys', builtin([MAP], STRINGS, (map: ReadonlyMap<string, ExpressionValue>) => [...map.keys()])],
  ['values', builtin([MAP], ARRAY, (map: ReadonlyMap<string, ExpressionValue>) => [...map.values()])],
  ['toPairs', builtin([MAP], ARRAY, (map: ReadonlyMap<string, ExpressionValue>) => [...map].map(([key, value]) => [key, value]))],
  ['fromPairs', builtin([ARRAY], MAP, fromPairs)],
  ['reverse', builtin([ARRAY], firstType, (items: readonly ExpressionValue[]) => items.toReversed())],
  ['uniq', builtin([ARRAY], firstType, (items: readonly ExpressionValue[]) => items.filter((item, i) => items.findIndex((other) => areEqual(item, other)) === i))],
  ['concat', builtin([ARRAY], firstType, (...arrays: (readonly ExpressionValue[])[]) => arrays.flat(1), { isVariadic: true })],
  ['flatten', builtin([ARRAY], ARRAY, (items: readonly ExpressionValue[]) => flatten(items))],
  ['sort', builtin([ARRAY, STRING], firstType, sort, { optional: 1 })],
  ['bitand', bits((a, b) => a & b)],
  ['bitor', bits((a, b) => a | b)],
  ['bitxor', bits((a, b) => a ^ b)],
  ['bitnand', bits((a, b) => a & ~b)],
  ['bitshl', bits((a, b) => a << shift(b))],
  ['bitshr', bits((a, b) => a >> shift(b))],
  ['bitushr', bits((a, b) => BigInt.asUintN(64, a) >> shift(b))],
  ['bitnot', builtin([INT], INT, (a: number) => Number(~BigInt(a)))],
]); // biome-ignore format: one line a function

/** Functions of expr-lang that are about times, JSON and groups, which no query needs. */
export const UNSUPPORTED_BUILTINS: ReadonlySet<string> = new Set([
  'date', 'duration', 'fromJSON', 'groupBy', 'now', 'sortBy', 'timezone', 'toJSON',
]); // biome-ignore format: a list

function fail(message: string): never {
  throw new ExpressionRunError(message);
}

function lengthOf(value: ExpressionValue): number {
  if (typeof value === 'string') return Array.from(value).length;
  if (Array.isArray(value)) return value.length;
  return value instanceof Map ? value.size : fail(`invalid argument for len (type ${typeNameOf(value)})`);
}

function toInteger(value: ExpressionValue): number {
  if (typeof value === 'number') return Math.trunc(value);
  if (typeof value === 'string' && /^[+-]?\d+$/.test(value)) return Number(value);
  return fail(`invalid operation: int(${formatExpressionValue(value)})`);
}

function toFloat(value: ExpressionValue): number {
  if (typeof value === 'number') return value;
  const isNumber = typeof value === 'string' && value.trim() === value && value !== '' && !Number.isNaN(Number(value));
  return isNumber ? Number(value) : fail(`invalid operation: float(${formatExpressionValue(value)})`);
}

function trim(text: string, chars?: string): string {
  if (chars === undefined) return text.trim();
  let start = 0;
  let end = text.length;
  while (start < end && chars.includes(text[start]!)) start++;
  while (end > start && chars.includes(text[end - 1]!)) end--;
  return text.slice(start, end);
}

/** @param count most parts, the last one keeps the rest; negative: all */
function split(text: string, delimiter: string, count: number, keepsDelimiter: boolean): string[] {
  if (count === 0) return [];
  const parts = text.split(delimiter);
  if (count > 0 && parts.length > count) parts.splice(count - 1, parts.length, parts.slice(count - 1).join(delimiter));
  return keepsDelimiter ? parts.map((part, i) => (i < parts.length - 1 ? part + delimiter : part)) : parts;
}

function repeat(text: string, count: number): string {
  if (count < 0 || text.length * count > MAX_TEXT) return fail(`repeat: ${count} times is out of range`);
  return text.repeat(count);
}

function expectText(value: ExpressionValue): string {
  return typeof value === 'string' ? value : fail(`join: expected a string, not ${typeNameOf(value)}`);
}

function numbersOf(args: readonly ExpressionValue[]): number[] {
  const numbers = flatten(args).map((value) => {
    return typeof value === 'number' ? value : fail(`expected a number, not ${typeNameOf(value)}`);
  });
  return numbers.length === 0 ? fail('not enough arguments') : numbers;
}

function mean(numbers: readonly number[]): number {
  return numbers.reduce((sum, n) => sum + n, 0) / numbers.length;
}

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

function get(of: ExpressionValue, key: ExpressionValue): ExpressionValue {
  if (of instanceof Map) return typeof key === 'string' ? (of.get(key) ?? null) : null;
  if (!Array.isArray(of) || typeof key !== 'number') return null;
  return (of as readonly ExpressionValue[]).at(key) ?? null;
}

function fromPairs(items: readonly ExpressionValue[]): ExpressionValue {
  return new Map(
    items.map((item) => {
      const [key, value] = Array.isArray(item) ? (item as readonly ExpressionValue[]) : [];
      if (typeof key !== 'string' || value === undefined)
        return fail('fromPairs: expected pairs of a string and a value');
      return [key, value] as const;
    }),
  );
}

function flatten(items: readonly ExpressionValue[]): ExpressionValue[] {
  return items.flatMap((item) => (Array.isArray(item) ? flatten(item as readonly ExpressionValue[]) : [item]));
}

function sort(items: readonly ExpressionValue[], order = 'asc'): ExpressionValue {
  if (order !== 'asc' && order !== 'desc') return fail(`invalid order ${order}, expected asc or desc`);
  const sign = order === 'asc' ? 1 : -1;
  return items.toSorted((a, b) => {
    if (typeof a !== typeof b || (typeof a !== 'number' && typeof a !== 'string'))
      return fail('sort: items differ in type');
    return a < b! ? -sign : a > b! ? sign : 0;
  });
}

function shift(count: bigint): bigint {
  return count < 0n || count > 63n ? fail(`invalid shift: ${count}`) : count;
}
