// The functions that every Go template has. Pure; both kinds of thread.
import { formatPrintf } from './printf.ts';
import { formatValue, GoFunction, GoStruct, type GoValue, isTrue, TemplateRunError, typeOf } from './value.ts';

const any = (count: number, run: (args: readonly GoValue[]) => GoValue): GoFunction =>
  new GoFunction(Array<'any'>(count).fill('any'), false, run);
/** At least `fixed` arguments. */
const variadic = (fixed: number, run: (args: readonly GoValue[]) => GoValue): GoFunction =>
  new GoFunction(Array<'any'>(fixed + 1).fill('any'), true, run);

/** By name. `and` and `or` are not called: they may leave arguments alone. */
export const GO_FUNCTIONS: ReadonlyMap<string, GoFunction> = new Map<string, GoFunction>([
  ['and', variadic(1, ([first]) => first)],
  ['or', variadic(1, ([first]) => first)],
  ['not', any(1, ([value]) => !isTrue(value))],
  ['len', any(1, ([value]) => BigInt(lengthOf(value)))],
  ['index', variadic(1, ([value, ...indexes]) => indexes.reduce(indexOf, value))],
  ['slice', variadic(1, ([value, ...indexes]) => sliceOf(value, indexes))],
  ['print', variadic(0, printAll)],
  ['println', variadic(0, (args) => `${args.map(formatValue).join(' ')}\n`)],
  ['printf', new GoFunction(['string', 'any'], true, ([format, ...args]) => formatPrintf(format as string, args))],
  ['html', variadic(0, (args) => escapeHtml(printAll(args)))],
  ['js', variadic(0, (args) => escapeJs(printAll(args)))],
  ['urlquery', variadic(0, (args) => escapeQuery(printAll(args)))],
  ['call', variadic(1, ([value]) => fail(`non-function of type ${typeOf(value)}`))],
  ['eq', variadic(1, ([first, ...others]) => isEqualToAny(first, others))],
  ['ne', any(2, ([a, b]) => !isEqual(a, b))],
  ['lt', any(2, ([a, b]) => isLess(a, b))],
  ['le', any(2, ([a, b]) => isLess(a, b) || isEqual(a, b))],
  ['gt', any(2, ([a, b]) => !(isLess(a, b) || isEqual(a, b)))],
  ['ge', any(2, ([a, b]) => !isLess(a, b))],
]);

function fail(message: string): never {
  throw new TemplateRunError(message);
}

function lengthOf(value: GoValue): number {
  if (typeof value === 'string') return Buffer.byteLength(value);
  if (Array.isArray(value)) return value.length;
  if (value instanceof Map) return value.size;
  return fail(value === null || value === undefined ? 'len of nil pointer' : `len of type ${typeOf(value)}`);
}

function indexOf(value: GoValue, index: GoValue): GoValue {
  if (value === null || value === undefined) return fail('index of untyped nil');
  if (value instanceof Map) {
    if (typeof index !== 'string') return fail(`value has type ${typeOf(index)}; should be string`);
    if (value.has(index)) return value.get(index);
    const [first] = value.values();
    return typeof first === 'string' ? '' : undefined;
  }
  if (typeof value === 'string') return BigInt(Buffer.from(value)[indexIn(index, Buffer.byteLength(value) - 1)]!);
  if (Array.isArray(value)) return (value as readonly GoValue[])[indexIn(index, value.length - 1)];
  return fail(`can't index item of type ${typeOf(value)}`);
}

/** @throws TemplateRunError unless 0 <= index <= last */
function indexIn(index: GoValue, last: number): number {
  if (typeof index !== 'bigint') return fail(`cannot index slice/array with type ${typeOf(index)}`);
  if (index < 0n || index > BigInt(last)) return fail(`index out of range: ${index}`);
  return Number(index);
}

function sliceOf(value: GoValue, indexes: readonly GoValue[]): GoValue {
  const isText = typeof value === 'string';
  if (!isText && !Array.isArray(value)) return fail(`can't slice item of type ${typeOf(value)}`);
  if (indexes.length > (isText ? 2 : 3)) return fail(`too many slice indexes: ${indexes.length}`);
  const length = lengthOf(value);
  const [start = 0, end = length, capacity = length] = indexes.map((index) => indexIn(index, length));
  if (start > end || end > capacity) return fail(`invalid slice index: ${start} > ${end}`);
  return isText ? Buffer.from(value).subarray(start, end).toString() : (value as readonly GoValue[]).slice(start, end);
}

/** Like Go's Sprint: a space between two operands of which neither is a string. */
function printAll(args: readonly GoValue[]): string {
  let text = '';
  for (const [index, value] of args.entries()) {
    if (index > 0 && typeof value !== 'string' && typeof args[index - 1] !== 'string') text += ' ';
    text += formatValue(value);
  }
  return text;
}

function isEqualToAny(first: GoValue, others: readonly GoValue[]): boolean {
  if (others.length === 0) return fail('missing argument for comparison');
  return others.some((other) => isEqual(first, other));
}

function isEqual(a: GoValue, b: GoValue): boolean {
  const isNil = (value: GoValue): boolean => value === null || value === undefined;
  if (isNil(a) || isNil(b)) return isNil(a) && isNil(b);
  if (typeof a !== typeof b) return fail(`incompatible types for comparison: ${typeOf(a)} and ${typeOf(b)}`);
  if (typeof a === 'object' && !(a instanceof GoStruct)) return fail(`non-comparable type ${typeOf(a)}`);
  return a === b;
}

function isLess(a: GoValue, b: GoValue): boolean {
  for (const value of [a, b]) {
    if (!['string', 'bigint', 'number', 'boolean'].includes(typeof value)) fail('invalid type for comparison');
  }
  if (typeof a !== typeof b) return fail(`incompatible types for comparison: ${typeOf(a)} and ${typeOf(b)}`);
  if (typeof a === 'boolean') return fail('invalid type for comparison');
  if (typeof a === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(b as string)) < 0;
  return (a as bigint) < (b as bigint);
}

const HTML: Readonly<Record<string, string>> = {
  '"': '&#34;', "'": '&#39;', '&': '&amp;', '<': '&lt;', '>': '&gt;', '\0': '\uFFFD',
}; // biome-ignore format: a table

function escapeHtml(text: string): string {
  // oxlint-disable-next-line no-control-regex -- Go replaces the zero character
  return text.replace(/["'&<>\0]/g, (char) => HTML[char]!);
}

const JS: Readonly<Record<string, string>> = {
  '\\': '\\\\', "'": "\\'", '"': '\\"', '<': '\\u003C', '>': '\\u003E', '&': '\\u0026', '=': '\\u003D',
}; // biome-ignore format: a table

function escapeJs(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are escaped by their number
  return text.replace(/[\\'"<>&=\u0000-\u001F]/g, (char) => {
    return JS[char] ?? `\\u${char.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}`;
  });
}

function escapeQuery(text: string): string {
  return encodeURIComponent(text)
    .replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%20', '+');
}
