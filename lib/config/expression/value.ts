// The values of expressions and their static types. Pure; both kinds of thread.

/** Integers and floats are numbers; which of the two is known from the type. */
export type ExpressionValue =
  | string
  | number
  | boolean
  | null
  | readonly ExpressionValue[]
  | ReadonlyMap<string, ExpressionValue>;

export type ValueType = {
  readonly kind: 'int' | 'float' | 'string' | 'bool' | 'nil' | 'any' | 'array' | 'map';
  /** Of an array its items. */
  readonly of?: ValueType;
};

export const TYPE: Readonly<Record<'INT' | 'FLOAT' | 'STRING' | 'BOOL' | 'NIL' | 'ANY' | 'MAP', ValueType>> = {
  INT: { kind: 'int' },
  FLOAT: { kind: 'float' },
  STRING: { kind: 'string' },
  BOOL: { kind: 'bool' },
  NIL: { kind: 'nil' },
  ANY: { kind: 'any' },
  MAP: { kind: 'map' },
};

/** The expression met values that it cannot work with. */
export class ExpressionRunError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ExpressionRunError';
  }
}

export function arrayOf(of: ValueType): ValueType {
  return { kind: 'array', of };
}

export function isAny(type: ValueType): boolean {
  return type.kind === 'any' || type.kind === 'nil';
}

export function isNumeric(type: ValueType): boolean {
  return type.kind === 'int' || type.kind === 'float';
}

/** The type that holds both. */
export function joinTypes(a: ValueType, b: ValueType): ValueType {
  if (a.kind !== b.kind) return TYPE.ANY;
  if (a.kind === 'array') return arrayOf(joinTypes(a.of ?? TYPE.ANY, b.of ?? TYPE.ANY));
  return a;
}

/** Whether values of the two types may be equal. */
export function areComparable(a: ValueType, b: ValueType): boolean {
  return isAny(a) || isAny(b) || a.kind === b.kind || (isNumeric(a) && isNumeric(b));
}

export function formatType(type: ValueType): string {
  switch (type.kind) {
    case 'float':
      return 'float64';
    case 'array':
      return `[]${formatType(type.of ?? TYPE.ANY)}`;
    case 'map':
      return 'map[string]any';
    case 'any':
      return 'unknown';
    default:
      return type.kind;
  }
}

/** Name of a value's type, for error texts. */
export function typeNameOf(value: ExpressionValue): string {
  if (value === null) return 'nil';
  if (Array.isArray(value)) return '[]any';
  if (value instanceof Map) return 'map[string]any';
  if (typeof value === 'number') return Number.isInteger(value) ? 'int' : 'float64';
  return typeof value === 'boolean' ? 'bool' : 'string';
}

/** Arrays and maps by their contents. */
export function areEqual(a: ExpressionValue, b: ExpressionValue): boolean {
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item: ExpressionValue, i) => areEqual(item, b[i] as ExpressionValue));
  }
  if (a instanceof Map && b instanceof Map) {
    return a.size === b.size && [...a].every(([key, item]) => b.has(key) && areEqual(item, b.get(key) ?? null));
  }
  return a === b;
}

/** The value as `string()` gives it. */
export function formatExpressionValue(value: ExpressionValue): string {
  if (value === null) return '<nil>';
  if (Array.isArray(value)) return `[${value.map(formatExpressionValue).join(' ')}]`;
  if (value instanceof Map) {
    const entries = [...value].sort(([a], [b]) => (a < b ? -1 : 1));
    return `map[${entries.map(([key, item]) => `${key}:${formatExpressionValue(item)}`).join(' ')}]`;
  }
  if (typeof value === 'number' && !Number.isFinite(value))
    return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
  return `${value as string | number | boolean}`;
}
