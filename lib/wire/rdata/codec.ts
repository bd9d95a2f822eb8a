// What an rdata codec is: a list of fields that read and write text, and the layout by which wire data is walked. Pure.
import { RecordTextError, type TextReader } from '../text.ts';

/**
 * Steps of a layout, one byte each. Below 250: that many bytes of fixed size. Walking one must end exactly at the end of
 * the rdata.
 */
export const LAYOUT = {
  /** A domain name that is written uncompressed (RFC 3597 section 4); read in either form. */
  NAME: 250,
  /** A domain name of one of the types of RFC 1035, which may be written compressed. */
  COMPRESSIBLE_NAME: 251,
  /** A length byte and that many bytes. */
  STRING: 252,
  /** One or more of these up to the end. */
  STRINGS: 253,
  /** Any bytes up to the end. */
  REST: 254,
} as const;

/** Largest rdata, in bytes. */
export const MAX_RDATA_LENGTH = 65_535;

/** Reads uncompressed rdata. Going past the end sets `failed` and yields zeros; it never throws. */
export class RdataReader {
  readonly bytes: Uint8Array;
  at = 0;
  failed = false;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  get left(): number {
    return this.bytes.length - this.at;
  }

  u8(): number {
    return this.uint(1);
  }

  u16(): number {
    return this.uint(2);
  }

  u32(): number {
    return this.uint(4);
  }

  /** Big-endian number of `size` bytes, at most 6. */
  uint(size: number): number {
    const bytes = this.take(size);
    let value = 0;
    for (const byte of bytes) value = value * 256 + byte;
    return value;
  }

  /** The next `length` bytes, no copy; empty when fewer are left. */
  take(length: number): Uint8Array {
    if (length > this.left) {
      this.failed = true;
      this.at = this.bytes.length;
      return EMPTY;
    }
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  /** A length byte and that many bytes. */
  string(): Uint8Array {
    return this.take(this.u8());
  }

  rest(): Uint8Array {
    return this.take(this.left);
  }
}
const EMPTY = new Uint8Array(0);

/** Collects rdata. @throws RecordTextError when it grows over 65535 bytes */
export class RdataWriter {
  #bytes = new Uint8Array(256);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Forgets what was written, keeps the room for it. */
  clear(): void {
    this.#length = 0;
  }

  /** Appends a big-endian number of `size` bytes, at most 6. */
  uint(value: number, size: number): void {
    const at = this.#reserve(size);
    for (let i = size - 1, left = value; i >= 0; i--) {
      this.#bytes[at + i] = left % 256;
      left = Math.floor(left / 256);
    }
  }

  append(bytes: Uint8Array): void {
    const at = this.#reserve(bytes.length);
    this.#bytes.set(bytes, at);
  }

  /** A length byte and the bytes. */
  string(bytes: Uint8Array): void {
    if (bytes.length > 255) throw new RecordTextError(`a string of ${bytes.length} bytes is over 255`);
    this.uint(bytes.length, 1);
    this.append(bytes);
  }

  /** A copy of what was written. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  #reserve(size: number): number {
    const at = this.#length;
    const end = at + size;
    if (end > MAX_RDATA_LENGTH) throw new RecordTextError('the record data is over 65535 bytes');
    if (end > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(end, this.#bytes.length * 2));
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#length = end;
    return at;
  }
}

/** One part of an rdata: text -> wire, wire -> text, and how many bytes it covers. */
export interface Field {
  /** @throws RecordTextError */
  parse(from: TextReader, to: RdataWriter): void;
  /** Text of the field, '' when it has none; sets `from.failed` when the bytes are none. */
  format(from: RdataReader): string;
  readonly layout: readonly number[];
}

/** A record type's data. */
export interface RdataCodec {
  /** Takes the words of the rdata, all that the type has. @throws RecordTextError */
  parse(from: TextReader, to: RdataWriter): void;
  /** Text of uncompressed rdata; sets `from.failed` when the bytes do not follow the type's format. */
  format(from: RdataReader): string;
  /** Steps of `LAYOUT` for walking the rdata without reading it. */
  readonly layout: Uint8Array;
}

/** A codec whose text is its fields in order, with one space between. */
export function defineCodec(...fields: readonly Field[]): RdataCodec {
  return {
    parse(from, to) {
      for (const field of fields) field.parse(from, to);
    },
    format(from) {
      let text = '';
      for (const field of fields) {
        const part = field.format(from);
        if (part !== '') text += text === '' ? part : ` ${part}`;
      }
      return text;
    },
    layout: Uint8Array.from(joinFixed(fields.flatMap((field) => field.layout))),
  };
}

/** Adds neighbouring fixed sizes up. */
function joinFixed(steps: readonly number[]): number[] {
  const joined: number[] = [];
  for (const step of steps) {
    const last = joined.at(-1);
    if (last !== undefined && last + step < LAYOUT.NAME) joined[joined.length - 1] = last + step;
    else joined.push(step);
  }
  return joined;
}
