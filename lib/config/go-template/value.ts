// The values that a Go template works on. Pure; both kinds of thread.

/**
 * A value of Go: integers are bigint, floats number; null is nil, undefined "no value" (a key that a map lacks).
 */
export type GoValue =
  | string
  | bigint
  | number
  | boolean
  | null
  | undefined
  | readonly GoValue[]
  | ReadonlyMap<string, GoValue>
  | GoStruct;

/** A struct as templates see it: fields, and methods that may be called. */
export class GoStruct {
  /** Name of the type in error texts. */
  readonly typeName: string;
  readonly #fields: Readonly<Record<string, GoValue | GoFunction>>;
  readonly #format: () => string;

  /** @param format what printing the struct gives */
  constructor(
    typeName: string,
    fields: Readonly<Record<string, GoValue | GoFunction>>,
    format: () => string = () => `{${typeName}}`,
  ) {
    this.typeName = typeName;
    this.#fields = fields;
    this.#format = format;
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#fields, name);
  }

  get(name: string): GoValue | GoFunction {
    return this.#fields[name];
  }

  format(): string {
    return this.#format();
  }
}

export type GoParameter = 'any' | 'string' | 'int';

/** A function that a template may call. Arguments are checked against `parameters` before. */
export class GoFunction {
  readonly parameters: readonly GoParameter[];
  /** The last parameter takes any number of arguments, none included. */
  readonly isVariadic: boolean;
  readonly run: (args: readonly GoValue[]) => GoValue;

  constructor(parameters: readonly GoParameter[], isVariadic: boolean, run: (args: readonly GoValue[]) => GoValue) {
    this.parameters = parameters;
    this.isVariadic = isVariadic;
    this.run = run;
  }
}

/** Rendering failed: the template asks for what cannot be done with the values at hand. */
export class TemplateRunError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'TemplateRunError';
  }
}

/** Whether `if` takes the value for true: not zero, not empty. */
export function isTrue(value: GoValue): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (value instanceof Map) return value.size > 0;
  return Boolean(value);
}

/** Name of the value's type, for error texts and `%T`. */
export function typeOf(value: GoValue): string {
  switch (typeof value) {
    case 'string':
      return 'string';
    case 'bigint':
      return 'int';
    case 'number':
      return 'float64';
    case 'boolean':
      return 'bool';
    default:
      if (value instanceof GoStruct) return value.typeName;
      if (Array.isArray(value)) return '[]string';
      return value instanceof Map ? 'map[string]string' : 'nil';
  }
}

/** The value as Go prints it without a format. */
export function formatValue(value: GoValue): string {
  if (value === undefined) return '<no value>';
  if (value === null) return '<nil>';
  if (typeof value === 'number') return formatFloat(value);
  if (value instanceof GoStruct) return value.format();
  if (Array.isArray(value)) return `[${value.map(formatValue).join(' ')}]`;
  if (value instanceof Map)
    return `map[${sortedEntries(value)
      .map(([key, of]) => `${key}:${formatValue(of)}`)
      .join(' ')}]`;
  return `${value as string | bigint | boolean}`;
}

/** The shortest form that reads back the same, exponents from 1e21 on and below 1e-4. */
export function formatFloat(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  if (Object.is(value, -0)) return '-0';
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e21)) {
    return value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2');
  }
  return String(value);
}

/** Entries by key in byte order, as Go visits maps. */
export function sortedEntries(map: ReadonlyMap<string, GoValue>): [string, GoValue][] {
  return [...map].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}
