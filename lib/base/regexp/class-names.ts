// Names of characters and of classes in regular expressions: escapes, POSIX and Perl classes, Unicode properties. Pure.
import { complement } from './char-set.ts';

const DIGITS = [0x30, 0x39];
const UPPER = [0x41, 0x5a];
const LOWER = [0x61, 0x7a];
const WORD = [...DIGITS, ...UPPER, ...LOWER, 0x5f, 0x5f];
const SPACE = [0x09, 0x0a, 0x0c, 0x0d, 0x20, 0x20];

const POSIX_CLASSES: Readonly<Record<string, readonly number[]>> = {
  alnum: [...DIGITS, ...UPPER, ...LOWER],
  alpha: [...UPPER, ...LOWER],
  ascii: [0, 0x7f],
  blank: [0x09, 0x09, 0x20, 0x20],
  cntrl: [0, 0x1f, 0x7f, 0x7f],
  digit: DIGITS,
  graph: [0x21, 0x7e],
  lower: LOWER,
  print: [0x20, 0x7e],
  punct: [0x21, 0x2f, 0x3a, 0x40, 0x5b, 0x60, 0x7b, 0x7e],
  space: [0x09, 0x0d, 0x20, 0x20],
  upper: UPPER,
  word: WORD,
  xdigit: [...DIGITS, 0x41, 0x46, 0x61, 0x66],
};

/** ASCII only, as in Go; JavaScript's are wider. */
export const PERL_CLASSES: Readonly<Record<string, readonly number[]>> = { d: DIGITS, s: SPACE, w: WORD };
export const NEGATED_PERL: Readonly<Record<string, readonly number[]>> = {
  D: complement(DIGITS),
  S: complement(SPACE),
  W: complement(WORD),
};

const CONTROLS: Readonly<Record<string, number>> = { a: 7, f: 12, n: 10, r: 13, t: 9, v: 11 };
const MAX_CODE_POINT = 0x10ffff;

/**
 * One character written with a backslash.
 *
 * @param at where the backslash is
 * @returns the reason as text when it is none
 */
export function readEscape(text: string, at: number): { codePoint: number; end: number } | string {
  const char = text[at + 1];
  if (char === undefined) return 'trailing backslash at end of expression';
  const control = CONTROLS[char];
  if (control !== undefined) return { codePoint: control, end: at + 2 };
  const invalid = `invalid escape sequence \\${char}`;
  const rest = text.slice(at + 1, at + 12);
  // A single digit from 1 on would be a reference to a group, which RE2 does not have.
  const octal = /^(?:0[0-7]{0,2}|[1-7][0-7]{1,2})/.exec(rest);
  if (octal) return { codePoint: Number.parseInt(octal[0], 8), end: at + 1 + octal[0].length };
  if (char === 'x') {
    const hex = /^x(?:([0-9A-Fa-f]{2})|\{([0-9A-Fa-f]{1,8})\})/.exec(rest);
    const codePoint = hex === null ? Number.NaN : Number.parseInt(hex[1] ?? hex[2]!, 16);
    return codePoint <= MAX_CODE_POINT ? { codePoint, end: at + 1 + hex![0].length } : invalid;
  }
  if (/[A-Za-z0-9]/.test(char) || char.charCodeAt(0) > 0x7f) return invalid;
  return { codePoint: char.charCodeAt(0), end: at + 2 };
}

/** `[:alpha:]` and `[:^alpha:]`; undefined when no closing `:]` follows. */
export function readPosixClass(
  text: string,
  at: number,
): { ranges: readonly number[]; end: number } | 'unknown' | undefined {
  const end = text.indexOf(':]', at + 2);
  if (end === -1) return undefined;
  const isNegated = text[at + 2] === '^';
  const ranges = POSIX_CLASSES[text.slice(at + (isNegated ? 3 : 2), end)];
  if (ranges === undefined) return 'unknown';
  return { ranges: isNegated ? complement(ranges) : ranges, end: end + 2 };
}

/**
 * `\pL`, `\p{Greek}`, `\P{^Lu}` in JavaScript's way of writing.
 *
 * @returns undefined when it is malformed or no category or script has this name
 */
export function readProperty(text: string, at: number): { source: string; end: number } | undefined {
  const match = /^\\([pP])(?:\{(\^?)(\w+)\}|([A-Z]))/.exec(text.slice(at, at + 64));
  if (match === null) return undefined;
  const name = match[3] ?? match[4]!;
  const isNegated = (match[1] === 'P') !== (match[2] === '^');
  // Go does not care about the letter case.
  const spellings = [name, name[0]!.toUpperCase() + name.slice(1).toLowerCase(), name.toUpperCase()];
  const property = spellings.map(findProperty).find((found) => found !== undefined);
  if (property === undefined) return undefined;
  return { source: `\\${isNegated ? 'P' : 'p'}{${property}}`, end: at + match[0].length };
}

function findProperty(name: string): string | undefined {
  if (/^(?:Any|ASCII|Assigned)$/.test(name)) return name;
  return [`General_Category=${name}`, `Script=${name}`].find((property) => {
    try {
      return new RegExp(`\\p{${property}}`, 'u');
    } catch {
      return undefined;
    }
  });
}
