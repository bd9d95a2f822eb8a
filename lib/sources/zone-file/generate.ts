// $GENERATE of BIND: a range of numbers put into a record's text. Control thread.
import { RecordTextError } from '../../wire/text.ts';

/** Most records of one directive. */
const MAX_GENERATED = 65_536;
const MAX_WIDTH = 255;

/**
 * Lines of `$GENERATE START-STOP[/STEP] TEXT`, in TEXT `$` is the number, `${OFFSET[,WIDTH[,BASE]]}` the number plus OFFSET in
 * at least WIDTH digits (base d, o, x, X), `$$` and `\$` a dollar sign.
 *
 * @throws RecordTextError
 */
export function* parseGenerate(line: string): Generator<string> {
  const [, range, template] = /^\S+[ \t]+(\S+)[ \t]+(.*)$/s.exec(line) ?? [];
  if (range === undefined || template === undefined) throw new RecordTextError('a range and a record are needed');
  const [, start, stop, step = '1'] = /^(\d{1,10})-(\d{1,10})(?:\/(\d{1,10}))?$/.exec(range) ?? [];
  const first = Number(start);
  const last = Number(stop);
  const stride = Number(step);
  if (start === undefined || last < first || stride === 0) {
    throw new RecordTextError(`"${range}" is not a range START-STOP or START-STOP/STEP`);
  }
  if ((last - first) / stride >= MAX_GENERATED)
    throw new RecordTextError(`"${range}" makes over ${MAX_GENERATED} records`);
  const parts = splitTemplate(template);
  for (let number = first; number <= last; number += stride) {
    let text = '';
    for (const part of parts) text += typeof part === 'string' ? part : formatNumber(number, part);
    yield text;
  }
}

type Place = { readonly offset: number; readonly width: number; readonly base: 'd' | 'o' | 'x' | 'X' };

function splitTemplate(template: string): (string | Place)[] {
  const parts: (string | Place)[] = [];
  let text = '';
  for (let at = 0; at < template.length; at++) {
    const char = template[at]!;
    if (char === '\\') {
      text += char + (template[++at] ?? '');
    } else if (char !== '$') {
      text += char;
    } else if (template[at + 1] === '$') {
      text += '\\$';
      at++;
    } else {
      parts.push(text);
      text = '';
      const end = template[at + 1] === '{' ? template.indexOf('}', at) : at;
      if (end === -1) throw new RecordTextError('"${" without "}"');
      parts.push(parsePlace(template.slice(at + 2, end)));
      at = end;
    }
  }
  parts.push(text);
  return parts;
}

function parsePlace(text: string): Place {
  if (text === '') return { offset: 0, width: 0, base: 'd' };
  const [, offset, width = '0', base = 'd'] = /^(-?\d{1,10})(?:,(\d{1,3}))?(?:,([doxX]))?$/.exec(text) ?? [];
  if (offset === undefined || Number(width) > MAX_WIDTH) {
    throw new RecordTextError(`"\${${text}}" is not \${OFFSET[,WIDTH[,BASE]]} with a width of at most ${MAX_WIDTH}`);
  }
  return { offset: Number(offset), width: Number(width), base: base as Place['base'] };
}

const RADIX = { d: 10, o: 8, x: 16, X: 16 } as const;

function formatNumber(number: number, { offset, width, base }: Place): string {
  const value = number + offset;
  if (value < 0) throw new RecordTextError(`${number} with offset ${offset} is below 0`);
  const digits = value.toString(RADIX[base]);
  return (base === 'X' ? digits.toUpperCase() : digits).padStart(width, '0');
}
