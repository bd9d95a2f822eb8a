// The fields that several record types share: numbers, names, strings, hexadecimal, base64, type bitmaps. Pure.
import { formatName, MAX_NAME_LENGTH, MAX_LABEL_LENGTH } from '../name.ts';
import { RecordTextError, decodeEscapes, parseTtl, quoteBytes } from '../text.ts';
import { formatType, parseType } from '../types.ts';
import { type Field, LAYOUT, type RdataReader, type RdataWriter } from './codec.ts';

/** An unsigned decimal number of 1, 2 or 4 bytes. */
export function uintField(what: string, size: 1 | 2 | 4): Field {
  const max = 2 ** (8 * size) - 1;
  return {
    parse: (from, to) => to.uint(from.number(what, max), size),
    format: (from) => String(from.uint(size)),
    layout: [size],
  };
}

/** Seconds, in text with or without units. */
export function ttlField(what: string): Field {
  return {
    parse(from, to) {
      const text = from.word(what);
      const seconds = parseTtl(text);
      if (seconds === undefined) throw new RecordTextError(`${what}: "${text}" is not a number of seconds`);
      to.uint(seconds, 4);
    },
    format: (from) => String(from.u32()),
    layout: [4],
  };
}

/** The mnemonic of a record type. */
export const typeField: Field = {
  parse: (from, to) => to.uint(parseTypeWord(from.word('type')), 2),
  format: (from) => formatType(from.u16()),
  layout: [2],
};

function parseTypeWord(word: string): number {
  const type = parseType(word);
  if (type === undefined) throw new RecordTextError(`"${word}" is not a record type`);
  return type;
}

/** A name that the writer never compresses. */
export function nameField(what: string): Field {
  return { parse: (from, to) => to.append(from.name(what)), format: formatNameField, layout: [LAYOUT.NAME] };
}

/** A name of a type of RFC 1035: the writer may compress it. */
export function compressibleNameField(what: string): Field {
  return { ...nameField(what), layout: [LAYOUT.COMPRESSIBLE_NAME] };
}

function formatNameField(from: RdataReader): string {
  const start = from.at;
  skipLabels(from);
  return from.failed ? '' : formatName(from.bytes, start);
}

/** Steps over an uncompressed name; sets `from.failed` when there is none. */
export function skipLabels(from: RdataReader): void {
  const start = from.at;
  for (let length = from.u8(); length !== 0; length = from.u8()) {
    if (length > MAX_LABEL_LENGTH || from.at + length - start >= MAX_NAME_LENGTH) from.failed = true;
    if (from.failed) return;
    from.take(length);
  }
}

/** One character-string; printed in quotes. */
export function stringField(what: string): Field {
  return {
    parse: (from, to) => to.string(decodeEscapes(from.word(what))),
    format: (from) => quoteBytes(from.string()),
    layout: [LAYOUT.STRING],
  };
}

/** One or more character-strings up to the end; a longer one in text is cut into pieces of 255 bytes. */
export const stringsField: Field = {
  parse(from, to) {
    do {
      const bytes = decodeEscapes(from.word('text'));
      for (let at = 0; at === 0 || at < bytes.length; at += 255) to.string(bytes.subarray(at, at + 255));
    } while (!from.atEnd);
  },
  format(from) {
    const parts: string[] = [];
    do parts.push(quoteBytes(from.string()));
    while (from.left > 0);
    return parts.join(' ');
  },
  layout: [LAYOUT.STRINGS],
};

/** Text up to the end without a length byte; printed in quotes. */
export function octetsField(what: string): Field {
  return {
    parse: (from, to) => to.append(decodeEscapes(from.word(what))),
    format: (from) => quoteBytes(from.rest()),
    layout: [LAYOUT.REST],
  };
}

/** Hexadecimal up to the end, spaces allowed; `upper` as the type is usually printed. */
export function hexField(what: string, upper: boolean): Field {
  return {
    parse: (from, to) => to.append(parseHex(from.rest(what), what)),
    format: (from) => formatHex(takeSome(from), upper),
    layout: [LAYOUT.REST],
  };
}

/** What is left, which must be something: nothing has no text form. */
function takeSome(from: RdataReader): Uint8Array {
  if (from.left === 0) from.failed = true;
  return from.rest();
}

/** @throws RecordTextError an odd number of digits or something else than digits */
export function parseHex(text: string, what: string): Uint8Array {
  if (text.length % 2 !== 0 || !/^[0-9a-f]*$/i.test(text)) throw new RecordTextError(`${what}: not hexadecimal`);
  return Buffer.from(text, 'hex');
}

export function formatHex(bytes: Uint8Array, upper: boolean): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex');
  return upper ? text.toUpperCase() : text;
}

/** Base64 up to the end, spaces allowed. */
export function base64Field(what: string): Field {
  return {
    parse: (from, to) => to.append(parseBase64(from.rest(what), what)),
    format: (from) => formatBase64(takeSome(from)),
    layout: [LAYOUT.REST],
  };
}

/** @throws RecordTextError not base64 of RFC 4648 section 4 with its padding */
export function parseBase64(text: string, what: string): Uint8Array {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) throw new RecordTextError(`${what}: not base64`);
  return Buffer.from(text, 'base64');
}

export function formatBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64');
}

/** The types that exist at a name, as windows of bits up to the end (RFC 4034 section 4.1.2). */
export const typeBitmapField: Field = {
  parse(from, to) {
    const types: number[] = [];
    while (!from.atEnd) types.push(parseTypeWord(from.word('type')));
    writeTypeBitmap(types, to);
  },
  format(from) {
    const names: string[] = [];
    let previous = -1;
    while (from.left > 0 && !from.failed) {
      const window = from.u8();
      const bits = from.string();
      if (window <= previous || bits.length === 0 || bits.length > 32) from.failed = true;
      previous = window;
      for (let bit = 0; bit < bits.length * 8; bit++) {
        if (bits[bit >>> 3]! & (0x80 >>> (bit & 7))) names.push(formatType(window * 256 + bit));
      }
    }
    return names.join(' ');
  },
  layout: [LAYOUT.REST],
};

/** Appends the bitmap of these types, which are sorted in place. */
export function writeTypeBitmap(types: number[], to: RdataWriter): void {
  types.sort((a, b) => a - b);
  for (let i = 0; i < types.length; ) {
    const window = types[i]! >>> 8;
    const bits = new Uint8Array(32);
    let used = 0;
    for (; i < types.length && types[i]! >>> 8 === window; i++) {
      const bit = types[i]! & 255;
      bits[bit >>> 3]! |= 0x80 >>> (bit & 7);
      used = (bit >>> 3) + 1;
    }
    to.uint(window, 1);
    to.string(bits.subarray(0, used));
  }
}
