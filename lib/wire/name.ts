// Domain names in wire form: reading with compression, comparing, text form. Pure, allocation-free except where it makes text.

/** Longest name in wire form, root label included (RFC 1035 section 3.1). */
export const MAX_NAME_LENGTH = 255;
/** Longest label, without its length byte. */
export const MAX_LABEL_LENGTH = 63;
/** Compression pointers followed in one name; more than any real message needs. */
const MAX_POINTERS = 126;

/** Byte -> the same byte with ASCII letters in lower case. Length bytes (at most 63) are unchanged. */
export const LOWER: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte,
);

/**
 * Reads one name, following compression pointers.
 *
 * @param packet holds the message
 * @param base where the message starts in `packet`; pointers are offsets from here
 * @param offset where the name starts, in bytes from `base`
 * @param end end of the message, in bytes from `base`
 * @param into receives the name in wire form with its letter case kept; at least 255 bytes
 * @returns offset (from `base`) of the byte after the name, or -1 when the name is malformed: a label over 63 bytes,
 *   over 255 bytes in all, a pointer to what does not lie wholly before the name that holds it, or the end of the message
 * @see RFC 1035 section 4.1.4
 */
export function readName(packet: Uint8Array, base: number, offset: number, end: number, into: Uint8Array): number {
  let at = offset;
  let after = -1;
  let written = 0;
  let limit = offset;
  for (let pointers = 0; ; ) {
    if (at >= end) return -1;
    const length = packet[base + at]!;
    if (length === 0) {
      into[written] = 0;
      return after === -1 ? at + 1 : after;
    }
    if (length <= MAX_LABEL_LENGTH) {
      const next = at + length + 1;
      if (next > end || written + length + 2 > MAX_NAME_LENGTH) return -1;
      for (; at < next; at++) into[written++] = packet[base + at]!;
      continue;
    }
    if (length < 0xc0 || at + 1 >= end || ++pointers > MAX_POINTERS) return -1;
    const target = ((length & 0x3f) << 8) | packet[base + at + 1]!;
    // Strictly backwards, to a prior occurrence: what is pointed to ends before the bytes start that led there.
    if (target >= limit || target < 12) return -1;
    if (after === -1) after = at + 2;
    end = limit;
    limit = target;
    at = target;
  }
}

/**
 * Steps over one name without copying it.
 *
 * @returns offset (from `base`) after the name, or -1 when malformed. A pointer ends the name; its target is only
 *   checked to lie backwards, use `readName` to follow it
 */
export function skipName(packet: Uint8Array, base: number, offset: number, end: number): number {
  for (let at = offset; ; ) {
    if (at >= end) return -1;
    const length = packet[base + at]!;
    if (length === 0) return at + 1;
    if (length <= MAX_LABEL_LENGTH) {
      at += length + 1;
      if (at - offset >= MAX_NAME_LENGTH) return -1;
      continue;
    }
    if (length < 0xc0 || at + 1 >= end) return -1;
    const target = ((length & 0x3f) << 8) | packet[base + at + 1]!;
    return target < offset && target >= 12 ? at + 2 : -1;
  }
}

/** Length in bytes of the uncompressed name at `at`, root label included. The name must be well formed. */
export function nameLength(bytes: Uint8Array, at = 0): number {
  let end = at;
  for (let length = bytes[end]!; length !== 0; length = bytes[end]!) end += length + 1;
  return end - at + 1;
}

/** Whether two uncompressed names are equal, letters compared without case. */
export function equalNames(a: Uint8Array, aAt: number, b: Uint8Array, bAt: number): boolean {
  const length = nameLength(a, aAt);
  for (let i = 0; i < length; i++) if (LOWER[a[aAt + i]!] !== LOWER[b[bAt + i]!]) return false;
  return true;
}

/** Whether the uncompressed name `name` is `zone` or lies below it, letters compared without case. */
export function isSubdomain(name: Uint8Array, zone: Uint8Array): boolean {
  const zoneLength = nameLength(zone);
  const start = nameLength(name) - zoneLength;
  if (start < 0) return false;
  let at = 0;
  while (at < start) at += name[at]! + 1;
  return at === start && equalNames(name, start, zone, 0);
}

/** Number of labels, the root label not counted. */
export function countLabels(name: Uint8Array, at = 0): number {
  let count = 0;
  for (let length = name[at]!; length !== 0; length = name[at]!) {
    count++;
    at += length + 1;
  }
  return count;
}

/** Lower-cases an uncompressed name in place (ASCII letters, RFC 4343). */
export function lowerName(name: Uint8Array, at = 0): void {
  const end = at + nameLength(name, at);
  for (let i = at; i < end; i++) name[i] = LOWER[name[i]!]!;
}

/**
 * Text form of the uncompressed name at `at`, absolute with its final dot: `.` for the root; dots and backslashes in
 * labels as `\.` and `\\`, unprintable bytes as `\DDD`.
 * @see RFC 1035 section 5.1
 */
export function formatName(name: Uint8Array, at = 0): string {
  if (name[at] === 0) return '.';
  let text = '';
  for (let length = name[at]!; length > 0; length = name[at]!) {
    for (const end = ++at + length; at < end; at++) {
      const byte = name[at]!;
      if (byte < 0x21 || byte > 0x7e) text += `\\${String(byte).padStart(3, '0')}`;
      else if (SPECIAL.has(byte)) text += `\\${String.fromCharCode(byte)}`;
      else text += String.fromCharCode(byte);
    }
    text += '.';
  }
  return text;
}
// . \ " ( ) ; @ $ mean something in a zone file.
const SPECIAL = new Set([0x2e, 0x5c, 0x22, 0x28, 0x29, 0x3b, 0x40, 0x24]);

/**
 * Wire form of a name in text, taken as absolute whether or not it ends in a dot; letter case kept.
 *
 * @returns undefined when the text is no domain name: an empty label, a label over 63 bytes, over 255 bytes in all, or
 *   a bad escape
 * @see RFC 1035 section 5.1
 */
export function parseName(text: string): Uint8Array | undefined {
  if (text === '.') return Uint8Array.of(0);
  const source = Buffer.from(text, 'utf8');
  const out = parsed;
  let labelAt = 0;
  let written = 1;
  for (let i = 0; i <= source.length; i++) {
    const byte = source[i];
    if (byte === undefined || byte === 0x2e) {
      const length = written - labelAt - 1;
      if (length === 0) return undefined;
      if (length > MAX_LABEL_LENGTH || written > MAX_NAME_LENGTH - 1) return undefined;
      out[labelAt] = length;
      labelAt = written++;
      if (byte === undefined || i === source.length - 1) break;
      continue;
    }
    let value = byte;
    if (byte === 0x5c) {
      const digits = /^\d{3}/.exec(source.toString('latin1', i + 1, i + 4));
      if (digits) {
        value = Number(digits[0]);
        if (value > 255) return undefined;
        i += 3;
      } else {
        const escaped = source[++i];
        if (escaped === undefined) return undefined;
        value = escaped;
      }
    }
    if (written > MAX_NAME_LENGTH) return undefined;
    out[written++] = value;
  }
  out[labelAt] = 0;
  return out.slice(0, labelAt + 1);
}

/** Where `parseName` puts bytes before it copies what is a name. */
const parsed = new Uint8Array(MAX_NAME_LENGTH + 1);

/** Lower-case wire form of a name in text; undefined as in `parseName`. */
export function parseNameLower(text: string): Uint8Array | undefined {
  const name = parseName(text);
  if (name) lowerName(name);
  return name;
}
