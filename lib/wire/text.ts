// Presentation format below the level of records: tokens, quotes, escapes, numbers, TTLs. Pure; cold paths.
import { MAX_NAME_LENGTH, parseName } from './name.ts';

/** Text that is no record; the message says what was seen and what may stand there. */
export class RecordTextError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'RecordTextError';
  }
}

/** A word of a record. `text` still has its escapes, its quotes are gone. */
export type Token = { readonly text: string; readonly quoted: boolean };

/** Longest record in text, in characters; a 64 KiB rdata in `\DDD` form fits. */
const MAX_RECORD_TEXT = 300_000;

/**
 * Splits one record into words: white space separates, `"` quotes, `\` escapes, `;` starts a comment, parentheses may
 * hold line breaks.
 *
 * @throws RecordTextError an open quote or parenthesis, a line break outside parentheses that is not at the end, or
 *   more than 300,000 characters
 * @see RFC 1035 section 5.1
 */
export function tokenizeRecord(text: string): Token[] {
  if (text.length > MAX_RECORD_TEXT) throw new RecordTextError(`a record of ${text.length} characters is too long`);
  const tokens: Token[] = [];
  let open = 0;
  let ended = false;
  for (let at = 0; at < text.length; ) {
    const char = text[at]!;
    if (char === ' ' || char === '\t' || char === '\r') at++;
    else if (char === '\n') {
      if (open === 0 && tokens.length > 0) ended = true;
      at++;
    } else if (char === ';') {
      const lineEnd = text.indexOf('\n', at);
      at = lineEnd === -1 ? text.length : lineEnd;
    } else if (ended) {
      throw new RecordTextError('a second record follows, a line break needs parentheses');
    } else if (char === '(') {
      open++;
      at++;
    } else if (char === ')') {
      if (--open < 0) throw new RecordTextError('")" without "("');
      at++;
    } else at = readToken(text, at, tokens);
  }
  if (open > 0) throw new RecordTextError('"(" without ")"');
  return tokens;
}

/** Reads the word at `at`, appends it, returns where it ends. A quote inside a word (`key="a b"`) belongs to it. */
function readToken(text: string, at: number, tokens: Token[]): number {
  const quoted = text[at] === '"';
  let inQuotes = false;
  let out = '';
  for (; at < text.length; at++) {
    const char = text[at]!;
    if (char === '\\') {
      if (++at >= text.length) throw new RecordTextError('"\\" at the end escapes nothing');
      out += `\\${text[at]!}`;
    } else if (char === '"') {
      inQuotes = !inQuotes;
      if (quoted && !inQuotes) {
        at++;
        break;
      }
    } else if (!inQuotes && WORD_END.test(char)) break;
    else out += char;
  }
  if (inQuotes) throw new RecordTextError('a quote is not closed');
  tokens.push({ text: out, quoted });
  return at;
}
const WORD_END = /[ \t\r\n;()]/;

/**
 * Bytes of a character-string in text: `\DDD` is a byte, `\X` is X, the rest UTF-8.
 * @throws RecordTextError for `\256` and above or a lone `\` at the end
 */
export function decodeEscapes(text: string): Uint8Array {
  if (!text.includes('\\')) return Buffer.from(text, 'utf8');
  const source = Buffer.from(text, 'utf8');
  const out = new Uint8Array(source.length);
  let written = 0;
  for (let at = 0; at < source.length; at++) {
    let byte = source[at]!;
    if (byte === 0x5c) {
      const digits = /^\d{3}/.exec(source.toString('latin1', at + 1, at + 4));
      if (digits) {
        byte = Number(digits[0]);
        if (byte > 255) throw new RecordTextError(`"\\${digits[0]}" is not a byte, which ends at \\255`);
        at += 3;
      } else {
        if (++at >= source.length) throw new RecordTextError('"\\" at the end escapes nothing');
        byte = source[at]!;
      }
    }
    out[written++] = byte;
  }
  return out.subarray(0, written);
}

/** Bytes as a quoted character-string: `"` and `\` escaped, unprintable bytes as `\DDD`. */
export function quoteBytes(bytes: Uint8Array, at = 0, length: number = bytes.length - at): string {
  let text = '"';
  for (const end = at + length; at < end; at++) {
    const byte = bytes[at]!;
    if (byte < 0x20 || byte > 0x7e) text += `\\${String(byte).padStart(3, '0')}`;
    else if (byte === 0x22 || byte === 0x5c) text += `\\${String.fromCharCode(byte)}`;
    else text += String.fromCharCode(byte);
  }
  return `${text}"`;
}

/**
 * Seconds of a TTL: a number, or numbers with units (`1h30m`; s, m, h, d, w in any letter case).
 * @returns undefined when the text is none or exceeds 2^32 - 1
 */
export function parseTtl(text: string): number | undefined {
  if (/^\d{1,10}$/.test(text)) return inTtlRange(Number(text));
  if (!/^(?:\d{1,10}[smhdw])+\d{0,10}$/i.test(text)) return undefined;
  let seconds = 0;
  for (const [, digits, unit] of text.matchAll(/(\d+)([smhdw]?)/gi)) {
    seconds += Number(digits) * UNIT_SECONDS[(unit ?? '').toLowerCase()]!;
  }
  return inTtlRange(seconds);
}
const UNIT_SECONDS: Readonly<Record<string, number>> = { '': 1, s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };

function inTtlRange(seconds: number): number | undefined {
  return seconds <= 0xffff_ffff ? seconds : undefined;
}

/**
 * Wire form of a name in a zone file: `@` is the origin, a name without a final dot is relative to it.
 *
 * @param origin wire form; the root when names without a final dot are absolute too
 * @throws RecordTextError the text is no domain name, or too long with the origin behind it
 */
export function parseZoneName(text: string, origin: Uint8Array): Uint8Array {
  if (text === '@') return origin;
  const name = parseName(text);
  if (!name) throw new RecordTextError(`"${text}" is not a domain name`);
  if (origin.length === 1 || isAbsolute(text)) return name;
  if (name.length - 1 + origin.length > MAX_NAME_LENGTH) {
    throw new RecordTextError(`"${text}" with the origin behind it is over 255 bytes`);
  }
  const whole = new Uint8Array(name.length - 1 + origin.length);
  whole.set(name.subarray(0, -1));
  whole.set(origin, name.length - 1);
  return whole;
}

/** Whether a name in text ends in a dot that is not escaped. */
function isAbsolute(text: string): boolean {
  if (!text.endsWith('.')) return false;
  let slashes = 0;
  for (let at = text.length - 2; text[at] === '\\'; at--) slashes++;
  return slashes % 2 === 0;
}

/** Reads the words of one record in order. */
export class TextReader {
  readonly #tokens: readonly Token[];
  #next: number;
  /** What names without a final dot are relative to, wire form. */
  readonly origin: Uint8Array;

  constructor(tokens: readonly Token[], origin: Uint8Array, first = 0) {
    this.#tokens = tokens;
    this.#next = first;
    this.origin = origin;
  }

  get atEnd(): boolean {
    return this.#next >= this.#tokens.length;
  }

  /** The next word without taking it. */
  peek(): Token | undefined {
    return this.#tokens[this.#next];
  }

  /** @throws RecordTextError when nothing is left; `what` names what was expected */
  token(what: string): Token {
    const token = this.#tokens[this.#next];
    if (!token) throw new RecordTextError(`${what} is missing`);
    this.#next++;
    return token;
  }

  word(what: string): string {
    return this.token(what).text;
  }

  /** A decimal number. @throws RecordTextError not a number from 0 to `max` */
  number(what: string, max: number): number {
    const text = this.word(what);
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (!(value <= max)) throw new RecordTextError(`${what}: "${text}" is not a number from 0 to ${max}`);
    return value;
  }

  name(what: string): Uint8Array {
    return parseZoneName(this.word(what), this.origin);
  }

  /** Everything that is left, joined without spaces (hexadecimal, base64). */
  rest(what: string): string {
    let text = this.word(what);
    while (!this.atEnd) text += this.word(what);
    return text;
  }
}
