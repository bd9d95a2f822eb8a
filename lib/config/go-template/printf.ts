// Go's Printf for the values of templates. Pure; both kinds of thread.
import { formatFloat, formatValue, GoStruct, type GoValue, typeOf } from './value.ts';

/** Widths and precisions above this are refused, as Go does. */
const MAX_WIDTH = 1_000_000;

type Directive = {
  readonly verb: string;
  readonly minus: boolean;
  readonly plus: boolean;
  readonly sharp: boolean;
  readonly space: boolean;
  readonly zero: boolean;
  readonly width: number;
  /** -1: none was given. */
  readonly precision: number;
};

/** Formats `args` by `format`; what does not fit shows in the text as `%!verb(type=value)`, as in Go. */
export function formatPrintf(format: string, args: readonly GoValue[]): string {
  let out = '';
  let next = 0;
  let reordered = false;
  for (const [whole, flags = '', width, dot, precision, index, verb] of format.matchAll(PATTERN)) {
    if (!whole.startsWith('%')) {
      out += whole;
      continue;
    }
    if (verb === undefined) {
      out += '%!(NOVERB)';
      continue;
    }
    if (verb === '%') {
      out += '%';
      continue;
    }
    const sizes = [width, precision].map((text) => (text === '*' ? Number(args[next++] ?? 0) : Number(text ?? -1)));
    if (index !== undefined) {
      reordered = true;
      next = Number(index) - 1;
    }
    if (next < 0 || next >= args.length) {
      out += index === undefined ? `%!${verb}(MISSING)` : `%!${verb}(BADINDEX)`;
      continue;
    }
    const [size = -1, digits = -1] = sizes;
    const isBad = Math.abs(size) > MAX_WIDTH || digits > MAX_WIDTH;
    out += isBad
      ? '%!(BADWIDTH)'
      : formatOne(args[next], {
          verb,
          minus: flags.includes('-') || (size < 0 && width === '*'),
          plus: flags.includes('+'),
          sharp: flags.includes('#'),
          space: flags.includes(' '),
          zero: flags.includes('0') && !flags.includes('-'),
          width: width === undefined ? 0 : Math.abs(size),
          precision: dot === undefined ? -1 : Math.max(0, digits),
        });
    next++;
  }
  if (!reordered && next < args.length) {
    const extra = args
      .slice(next)
      .map((value) => (value === null ? '<nil>' : `${typeOf(value)}=${formatValue(value)}`));
    out += `%!(EXTRA ${extra.join(', ')})`;
  }
  return out;
}
const PATTERN = /[^%]+|%([-+# 0]*)(\d+|\*)?(\.(\d+|\*)?)?(?:\[(\d+)\])?([\s\S])?/gu;

function formatOne(value: GoValue, directive: Directive): string {
  const { verb } = directive;
  if (verb === 'T') return pad(typeOf(value), directive);
  if (value === null || value === undefined) return verb === 'v' ? pad('<nil>', directive) : `%!${verb}(<nil>)`;
  if (Array.isArray(value) && verb !== 'v') {
    return `[${(value as readonly GoValue[]).map((item) => formatOne(item, directive)).join(' ')}]`;
  }
  const text = formatByVerb(value, directive);
  return text ?? `%!${verb}(${typeOf(value)}=${formatValue(value)})`;
}

/** Undefined: the verb does not go with the type. */
function formatByVerb(value: Exclude<GoValue, null | undefined>, directive: Directive): string | undefined {
  switch (typeof value) {
    case 'boolean':
      return directive.verb === 'v' || directive.verb === 't' ? pad(String(value), directive) : undefined;
    case 'string':
      return formatString(value, directive);
    case 'bigint':
      return formatInteger(value, directive);
    case 'number':
      return formatFloatVerb(value, directive);
    default:
      if (directive.verb === 'v' || (directive.verb === 's' && value instanceof GoStruct)) {
        return pad(formatValue(value), directive);
      }
      return undefined;
  }
}

function formatString(value: string, directive: Directive): string | undefined {
  const { verb, precision, sharp, space } = directive;
  const cut = precision === -1 ? value : Array.from(value).slice(0, precision).join('');
  switch (verb) {
    case 'v':
      return pad(sharp ? JSON.stringify(cut) : cut, directive);
    case 's':
      return pad(cut, directive);
    case 'q':
      return pad(sharp && !cut.includes('`') ? `\`${cut}\`` : JSON.stringify(cut), directive);
    case 'x':
    case 'X': {
      const bytes = precision === -1 ? Buffer.from(value) : Buffer.from(value).subarray(0, precision);
      const digits = [...bytes].map((byte) => byte.toString(16).padStart(2, '0'));
      const text = (sharp ? '0x' : '') + digits.join(space ? (sharp ? ' 0x' : ' ') : '');
      return pad(verb === 'X' ? text.toUpperCase() : text, directive);
    }
    default:
      return undefined;
  }
}

const BASES: Readonly<Record<string, readonly [base: number, prefix: string]>> = {
  v: [10, ''], d: [10, ''], b: [2, '0b'], o: [8, '0'], O: [8, '0o'], x: [16, '0x'], X: [16, '0X'],
}; // biome-ignore format: a table

function formatInteger(value: bigint, directive: Directive): string | undefined {
  const { verb, sharp, precision, width, zero } = directive;
  if (verb === 'c') return pad(fromCodePoint(value), directive);
  if (verb === 'q') return pad(`'${fromCodePoint(value)}'`, directive);
  if (verb === 'U') return pad(`U+${value.toString(16).toUpperCase().padStart(4, '0')}`, directive);
  const base = BASES[verb];
  if (!base) return undefined;
  const magnitude = value < 0n ? -value : value;
  let digits = precision === 0 && value === 0n ? '' : magnitude.toString(base[0]);
  if (verb === 'X') digits = digits.toUpperCase();
  const prefix = sharp || verb === 'O' ? base[1] : '';
  const sign = signOf(value < 0n, directive);
  if (precision !== -1) digits = digits.padStart(precision, '0');
  else if (zero) digits = digits.padStart(width - sign.length, '0');
  return pad(sign + prefix + digits, { ...directive, zero: false });
}

function fromCodePoint(value: bigint): string {
  return value >= 0n && value <= 0x10ffffn ? String.fromCodePoint(Number(value)) : '\uFFFD';
}

function signOf(isNegative: boolean, { plus, space }: Directive): string {
  if (isNegative) return '-';
  return plus ? '+' : space ? ' ' : '';
}

function formatFloatVerb(value: number, directive: Directive): string | undefined {
  const { verb, precision, width, zero } = directive;
  let text: string;
  const size = Math.abs(value);
  if (!Number.isFinite(size)) text = Number.isNaN(size) ? 'NaN' : 'Inf';
  else {
    switch (verb) {
      case 'v':
        text = precision === -1 ? formatFloat(size) : size.toPrecision(precision || 1);
        break;
      case 'g':
      case 'G':
        text = precision === -1 ? formatFloat(size) : String(Number(size.toPrecision(precision || 1)));
        break;
      case 'f':
      case 'F':
        text = size.toFixed(Math.min(100, precision === -1 ? 6 : precision));
        break;
      case 'e':
      case 'E':
        text = size.toExponential(Math.min(100, precision === -1 ? 6 : precision)).replace(/e([+-])(\d)$/, 'e$10$2');
        break;
      default:
        return undefined;
    }
  }
  if (verb === 'E' || verb === 'G') text = text.toUpperCase();
  const sign = signOf(value < 0 || Object.is(value, -0), directive);
  return pad(sign + (zero ? text.padStart(width - sign.length, '0') : text), { ...directive, zero: false });
}

function pad(text: string, { width, minus, zero }: Directive): string {
  const missing = width - Array.from(text).length;
  if (missing <= 0) return text;
  return minus ? text + ' '.repeat(missing) : (zero ? '0' : ' ').repeat(missing) + text;
}
