// A and AAAA: addresses (RFC 1035 section 3.4.1, RFC 3596 section 2.2). Pure.
import net from 'node:net';
import { RecordTextError } from '../text.ts';
import { type RdataCodec, defineCodec } from './codec.ts';

/** Four bytes of an IPv4 address in text, or undefined. */
export function parseIpv4(text: string): Uint8Array | undefined {
  return net.isIPv4(text) ? Uint8Array.from(text.split('.'), Number) : undefined;
}

/** Sixteen bytes of an IPv6 address in text, without a zone index, or undefined. */
export function parseIpv6(text: string): Uint8Array | undefined {
  if (!net.isIPv6(text) || text.includes('%')) return undefined;
  // The last four bytes may stand in dotted form (RFC 4291 section 2.2).
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  const tail = dotted ? [...parseIpv4(dotted[2]!)!] : [];
  const [head = '', rest] = (dotted ? dotted[1]!.replace(/([^:]):$/, '$1') : text).split('::');
  const before = groups(head);
  const after = rest === undefined ? [] : groups(rest);
  const out = new Uint8Array(16);
  out.set(before);
  out.set(tail, 16 - tail.length);
  out.set(after, 16 - tail.length - after.length);
  return out;
}

function groups(text: string): number[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => {
    const value = Number.parseInt(group, 16);
    return [value >>> 8, value & 255];
  });
}

export function formatIpv4(bytes: Uint8Array, at = 0): string {
  return `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`;
}

/** Text of RFC 5952: the longest run of two or more zero groups as `::`, IPv4-mapped addresses in dotted form. */
export function formatIpv6(bytes: Uint8Array, at = 0): string {
  const parts: number[] = [];
  for (let i = 0; i < 16; i += 2) parts.push((bytes[at + i]! << 8) | bytes[at + i + 1]!);
  if (parts.slice(0, 5).every((part) => part === 0) && parts[5] === 0xffff)
    return `::ffff:${formatIpv4(bytes, at + 12)}`;
  let start = -1;
  let length = 1;
  for (let i = 0; i < 8; i++) {
    let run = 0;
    while (i + run < 8 && parts[i + run] === 0) run++;
    if (run > length) {
      start = i;
      length = run;
    }
  }
  const text = (from: number, to: number): string =>
    parts
      .slice(from, to)
      .map((part) => part.toString(16))
      .join(':');
  return start === -1 ? text(0, 8) : `${text(0, start)}::${text(start + length, 8)}`;
}

export const a: RdataCodec = defineCodec({
  parse(from, to) {
    const text = from.word('address');
    const bytes = parseIpv4(text);
    if (!bytes) throw new RecordTextError(`"${text}" is not an IPv4 address`);
    to.append(bytes);
  },
  format(from) {
    const bytes = from.take(4);
    return from.failed ? '' : formatIpv4(bytes);
  },
  layout: [4],
});

export const aaaa: RdataCodec = defineCodec({
  parse(from, to) {
    const text = from.word('address');
    const bytes = parseIpv6(text);
    if (!bytes) throw new RecordTextError(`"${text}" is not an IPv6 address`);
    to.append(bytes);
  },
  format(from) {
    const bytes = from.take(16);
    return from.failed ? '' : formatIpv6(bytes);
  },
  layout: [16],
});
