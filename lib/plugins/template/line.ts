// The template language as `template` has it: Go's, with one function more. Both kinds of thread.
import type { GoTemplate } from '../../config/go-template/ast.ts';
import { renderGoTemplate } from '../../config/go-template/evaluate.ts';
import { GO_FUNCTIONS } from '../../config/go-template/functions.ts';
import { parseGoTemplate } from '../../config/go-template/parser.ts';
import { GoFunction, type GoStruct, TemplateRunError } from '../../config/go-template/value.ts';

const MAX_BITS = 64;

const FUNCTIONS: ReadonlyMap<string, GoFunction> = new Map([
  ...GO_FUNCTIONS,
  [
    'parseInt',
    new GoFunction(['string', 'int', 'int'], false, ([text, base, bits]) =>
      parseUnsigned(text as string, Number(base), Number(bits)),
    ),
  ],
]);
const NAMES: ReadonlySet<string> = new Set(FUNCTIONS.keys());

/** @throws TemplateSyntaxError */
export function parseLine(text: string): GoTemplate {
  return parseGoTemplate(text, NAMES);
}

/** @throws TemplateRunError */
export function renderLine(line: GoTemplate, data: GoStruct): string {
  return renderGoTemplate(line, data, FUNCTIONS);
}

/**
 * An integer without a sign, in base 2 to 36; base 0 goes by the prefix (0x, 0b, 0o, 0).
 * @param bits how large it may be; 0 means 64
 * @throws TemplateRunError in the words of Go's strconv
 */
export function parseUnsigned(text: string, base: number, bits: number): bigint {
  const complain = (problem: string): TemplateRunError =>
    new TemplateRunError(`strconv.ParseUint: parsing ${JSON.stringify(text)}: ${problem}`);
  if (text === '') throw complain('invalid syntax');
  let digits = text.toLowerCase();
  if (base === 0) {
    const prefixed = /^0([xbo]?)_?(?=\w)/.exec(digits);
    base = prefixed ? PREFIX_BASES[prefixed[1]!]! : 10;
    if (/__|_$/.test(digits)) throw complain('invalid syntax');
    digits = digits.slice(prefixed?.[0].length ?? 0).replaceAll('_', '');
  }
  if (base < 2 || base > 36) throw complain(`invalid base ${base}`);
  if (bits < 0 || bits > MAX_BITS) throw complain(`invalid bit size ${bits}`);
  const limit = 1n << BigInt(bits || MAX_BITS);
  let value = 0n;
  for (const char of digits) {
    const digit = /[0-9a-z]/.test(char) ? Number.parseInt(char, 36) : base;
    if (digit >= base) throw complain('invalid syntax');
    value = value * BigInt(base) + BigInt(digit);
    if (value >= limit) throw complain('value out of range');
  }
  return value;
}
const PREFIX_BASES: Readonly<Record<string, number>> = { x: 16, b: 2, o: 8, '': 8 };
