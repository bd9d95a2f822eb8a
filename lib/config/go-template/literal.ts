// Literals of Go: strings, characters, numbers. Pure; both kinds of thread.

const ESCAPES: Readonly<Record<string, string>> = {
  a: '\x07', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v', '\\': '\\', "'": "'", '"': '"',
}; // biome-ignore format: a table

/** Value of a string in double quotes or backquotes, quotes included; undefined when it is none. */
export function unquoteGo(text: string): string | undefined {
  const quote = text[0];
  if (text.length < 2 || text.at(-1) !== quote) return undefined;
  const body = text.slice(1, -1);
  if (quote === '`') return body.replaceAll('\r', '');
  return quote === '"' || quote === "'" ? unescape(body, quote) : undefined;
}

function unescape(body: string, quote: string): string | undefined {
  let out = '';
  for (let at = 0; at < body.length; ) {
    const char = body[at]!;
    if (char === quote || char === '\n') return undefined;
    if (char !== '\\') {
      out += char;
      at++;
      continue;
    }
    const code = /^\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3}))/.exec(body.slice(at));
    if (code) {
      const value =
        code[4] === undefined ? Number.parseInt(code[1] ?? code[2] ?? code[3]!, 16) : Number.parseInt(code[4], 8);
      if (value > 0x10ffff || (code[4] !== undefined && value > 255)) return undefined;
      out += String.fromCodePoint(value);
      at += code[0].length;
      continue;
    }
    const escaped = body[at + 1] ?? '';
    const plain = ESCAPES[escaped];
    if (plain === undefined || (quote === '"' ? escaped === "'" : escaped === '"')) return undefined;
    out += plain;
    at += 2;
  }
  return out;
}

/** Value of a number or a character in single quotes. `integer` is undefined when it has a fraction. */
export function parseNumber(text: string): { integer: bigint | undefined; float: number } | undefined {
  if (text.startsWith("'")) {
    const value = unquoteGo(text);
    if (value === undefined || Array.from(value).length !== 1) return undefined;
    const code = value.codePointAt(0)!;
    return { integer: BigInt(code), float: code };
  }
  if (/_{2}|_$|^[+-]?_|_[.eEpP]|[.eEpP]_/.test(text)) return undefined;
  const plain = text.replaceAll('_', '');
  const negative = plain.startsWith('-');
  const digits = plain.replace(/^[+-]/, '');
  const integer = parseInteger(digits);
  if (integer !== undefined) {
    const value = negative ? -integer : integer;
    if (value > 0xffff_ffff_ffff_ffffn || value < -0x8000_0000_0000_0000n) return undefined;
    return { integer: value, float: Number(value) };
  }
  const float = /^0[xX]/.test(digits) ? parseHexFloat(digits) : Number(digits);
  if (Number.isNaN(float) || !Number.isFinite(float)) return undefined;
  const signed = negative ? -float : float;
  return { integer: Number.isInteger(signed) ? BigInt(signed) : undefined, float: signed };
}

function parseInteger(digits: string): bigint | undefined {
  if (/^0[0-7]+$/.test(digits)) return BigInt(`0o${digits.slice(1)}`);
  if (/^(?:0|[1-9]\d*|0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO][0-7]+)$/.test(digits)) return BigInt(digits.toLowerCase());
  return undefined;
}

function parseHexFloat(digits: string): number {
  const match = /^0[xX]([0-9a-fA-F]*)(?:\.([0-9a-fA-F]*))?[pP]([+-]?\d+)$/.exec(digits);
  if (!match) return Number.NaN;
  const [, whole = '', fraction = '', exponent = '0'] = match;
  return Number.parseInt(`0${whole}${fraction}`, 16) * 2 ** (Number(exponent) - 4 * fraction.length);
}
