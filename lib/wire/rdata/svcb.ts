// SVCB and HTTPS: how to reach a service (RFC 9460). Pure.
import { RecordTextError, decodeEscapes, quoteBytes } from '../text.ts';
import { formatIpv4, formatIpv6, parseIpv4, parseIpv6 } from './address.ts';
import { type Field, LAYOUT, type RdataCodec, RdataReader, RdataWriter, defineCodec } from './codec.ts';
import { formatBase64, nameField, parseBase64, uintField } from './fields.ts';

/** Names of the parameters by number (RFC 9460 section 14.3.2, RFC 9461, RFC 9540). */
const KEY_NAMES = ['mandatory', 'alpn', 'no-default-alpn', 'port', 'ipv4hint', 'ech', 'ipv6hint', 'dohpath', 'ohttp'];
const MANDATORY = 0;

function parseKey(name: string): number {
  const index = KEY_NAMES.indexOf(name);
  if (index !== -1) return index;
  const match = /^key(0|[1-9]\d{0,4})$/.exec(name);
  if (!match || Number(match[1]) > 65_534) throw new RecordTextError(`"${name}" is not a service parameter`);
  return Number(match[1]);
}

function formatKey(key: number): string {
  return KEY_NAMES[key] ?? `key${key}`;
}

/** Splits a decoded list at its commas; `\,` and `\\` inside an item are undone (RFC 9460 appendix A.1). */
function splitList(bytes: Uint8Array): Uint8Array[] {
  const items: number[][] = [[]];
  for (let at = 0; at < bytes.length; at++) {
    if (bytes[at] === 0x2c) items.push([]);
    else {
      if (bytes[at] === 0x5c) at++;
      if (at < bytes.length) items.at(-1)!.push(bytes[at]!);
    }
  }
  return items.map((item) => Uint8Array.from(item));
}

/** Wire form of a parameter's value from its text, escapes undone. @throws RecordTextError */
function parseValue(key: number, value: Uint8Array): Uint8Array {
  const name = formatKey(key);
  const text = Buffer.from(value).toString('latin1');
  const to = new RdataWriter();
  const items = text.split(',');
  const bad = (): never => {
    throw new RecordTextError(`${name}: "${text}" is not a value for it`);
  };
  switch (name) {
    case 'mandatory':
      for (const number of items.map(parseKey).sort((a, b) => a - b)) to.uint(number, 2);
      break;
    case 'alpn':
      for (const item of splitList(value)) to.string(item.length === 0 ? bad() : item);
      break;
    case 'no-default-alpn':
    case 'ohttp':
      if (value.length > 0) bad();
      break;
    case 'port':
      to.uint(/^\d{1,5}$/.test(text) && Number(text) <= 65_535 ? Number(text) : bad(), 2);
      break;
    case 'ipv4hint':
      for (const item of items) to.append(parseIpv4(item) ?? bad());
      break;
    case 'ipv6hint':
      for (const item of items) to.append(parseIpv6(item) ?? bad());
      break;
    case 'ech':
      to.append(parseBase64(text, name));
      break;
    default:
      to.append(value);
  }
  return to.finish();
}

/** Text of a parameter's value in quotes; sets `from.failed` when the bytes do not fit the key. */
function formatValue(key: number, from: RdataReader): string {
  const items: string[] = [];
  switch (formatKey(key)) {
    case 'mandatory':
      do items.push(formatKey(from.u16()));
      while (from.left > 0);
      break;
    case 'alpn':
      do {
        const item = from.string();
        if (item.length === 0) from.failed = true;
        items.push(escapeItem(item));
      } while (from.left > 0);
      break;
    case 'port':
      items.push(String(from.u16()));
      break;
    case 'ipv4hint':
      do items.push(formatIpv4(from.take(4)));
      while (from.left > 0);
      break;
    case 'ipv6hint':
      do items.push(formatIpv6(from.take(16)));
      while (from.left > 0);
      break;
    case 'ech':
      items.push(formatBase64(from.rest()));
      break;
    case 'no-default-alpn':
    case 'ohttp':
      break;
    default:
      return quoteBytes(from.rest());
  }
  return `"${items.join(',')}"`;
}

/** An item of a list: commas and backslashes escaped once for the list, the result once more as a character-string. */
function escapeItem(item: Uint8Array): string {
  const escaped = [...item].flatMap((byte) => (byte === 0x2c || byte === 0x5c ? [0x5c, byte] : [byte]));
  return quoteBytes(Uint8Array.from(escaped)).slice(1, -1);
}

const parametersField: Field = {
  parse(from, to) {
    const values = new Map<number, Uint8Array>();
    while (!from.atEnd) {
      const word = from.word('parameter');
      const equals = word.indexOf('=');
      const key = parseKey(equals === -1 ? word : word.slice(0, equals));
      if (values.has(key)) throw new RecordTextError(`${formatKey(key)} stands twice`);
      const raw = equals === -1 ? '' : word.slice(equals + 1);
      values.set(key, parseValue(key, decodeEscapes(raw)));
    }
    checkMandatory(values);
    for (const key of [...values.keys()].sort((a, b) => a - b)) {
      to.uint(key, 2);
      to.uint(values.get(key)!.length, 2);
      to.append(values.get(key)!);
    }
  },
  format(from) {
    const parts: string[] = [];
    let previous = -1;
    while (from.left > 0 && !from.failed) {
      const key = from.u16();
      const value = new RdataReader(from.take(from.u16()));
      // Strictly increasing keys (RFC 9460 section 2.2).
      if (key <= previous) from.failed = true;
      previous = key;
      parts.push(`${formatKey(key)}=${formatValue(key, value)}`);
      if (value.failed || value.left > 0) from.failed = true;
    }
    return parts.join(' ');
  },
  layout: [LAYOUT.REST],
};

/** A mandatory key must be there, once, and not be `mandatory` itself (RFC 9460 section 8). */
function checkMandatory(values: ReadonlyMap<number, Uint8Array>): void {
  const list = values.get(MANDATORY);
  if (!list) return;
  let previous = 0;
  for (let at = 0; at < list.length; at += 2) {
    const key = (list[at]! << 8) | list[at + 1]!;
    if (key <= previous || !values.has(key))
      throw new RecordTextError(`mandatory: ${formatKey(key)} is repeated or missing`);
    previous = key;
  }
}

export const svcb: RdataCodec = defineCodec(uintField('priority', 2), nameField('target'), parametersField);
