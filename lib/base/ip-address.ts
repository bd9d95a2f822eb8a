// IP addresses and prefixes: text <-> bytes, as strict as Go's net package. Both kinds of thread; not for the packet path.

/** 4 bytes for IPv4, 16 for IPv6; `zone` is the scope of `fe80::1%eth0`, else ''. */
export type IpAddress = { readonly bytes: Uint8Array; readonly zone: string };

/** `bytes` has the host bits cleared; `address` is as written. */
export type IpPrefix = { readonly bytes: Uint8Array; readonly length: number; readonly address: Uint8Array };

const DOT = 0x2e;
const ZERO = 0x30;

/**
 * Reads an address without port or brackets. IPv4 takes no leading zeros; IPv6 may end in dotted IPv4 and may carry a
 * zone. IPv4 mapped into IPv6 (`::ffff:10.0.0.1`) stays 16 bytes, see `unmapIpv4`.
 *
 * @returns undefined when the text is not an address
 */
export function parseIpAddress(text: string): IpAddress | undefined {
  if (!text.includes(':')) {
    const bytes = parseIpv4(text);
    return bytes && { bytes, zone: '' };
  }
  const percent = text.indexOf('%');
  if (percent === text.length - 1) return undefined;
  const bytes = parseIpv6(percent === -1 ? text : text.slice(0, percent));
  return bytes && { bytes, zone: percent === -1 ? '' : text.slice(percent + 1) };
}

/** Four decimal numbers up to 255, no leading zeros. */
export function parseIpv4(text: string): Uint8Array | undefined {
  const value = readIpv4(text);
  if (value === -1) return undefined;
  const bytes = new Uint8Array(4);
  bytes[0] = value >>> 24;
  bytes[1] = value >>> 16;
  bytes[2] = value >>> 8;
  bytes[3] = value;
  return bytes;
}

/** Whether `parseIpv4` takes the text; makes nothing, for the hundred thousand addresses of a cluster. */
export function isIpv4(text: string): boolean {
  return readIpv4(text) !== -1;
}

/** The address as a number from 0 to 2^32 - 1 (a double: shifts see its bits); -1 when the text is none. */
function readIpv4(text: string): number {
  const { length } = text;
  if (length < 7 || length > 15) return -1;
  let value = 0;
  let part = -1;
  let dots = 0;
  for (let at = 0; at < length; at++) {
    const code = text.charCodeAt(at);
    if (code === DOT) {
      if (part === -1) return -1;
      value = value * 256 + part;
      part = -1;
      dots++;
    } else {
      const digit = code - ZERO;
      // A part that began with 0 takes no more digits.
      if (digit < 0 || digit > 9 || part === 0) return -1;
      part = part === -1 ? digit : part * 10 + digit;
      if (part > 255) return -1;
    }
  }
  return dots === 3 && part !== -1 ? value * 256 + part : -1;
}

/** RFC 4291 section 2.2, without a zone. */
export function parseIpv6(text: string): Uint8Array | undefined {
  if (text.length > 45) return undefined;
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const head = parseGroups(halves[0]!, halves.length === 1);
  const tail = halves.length === 2 ? parseGroups(halves[1]!, true) : [];
  if (head === undefined || tail === undefined) return undefined;
  const missing = 16 - head.length - tail.length;
  // `::` stands for at least one group.
  if (halves.length === 1 ? missing !== 0 : missing < 2) return undefined;
  const bytes = new Uint8Array(16);
  bytes.set(head, 0);
  bytes.set(tail, 16 - tail.length);
  return bytes;
}

function parseGroups(text: string, mayEndInIpv4: boolean): number[] | undefined {
  if (text === '') return [];
  const bytes: number[] = [];
  const groups = text.split(':');
  for (const [index, group] of groups.entries()) {
    if (mayEndInIpv4 && index === groups.length - 1 && group.includes('.')) {
      const ipv4 = parseIpv4(group);
      if (ipv4 === undefined) return undefined;
      bytes.push(...ipv4);
    } else {
      if (!/^[0-9a-f]{1,4}$/i.test(group)) return undefined;
      const value = Number.parseInt(group, 16);
      bytes.push(value >> 8, value & 0xff);
    }
  }
  return bytes;
}

/** Reads `10.0.0.0/8`, `2001:db8::/32`; a zone is not allowed. */
export function parseIpPrefix(text: string): IpPrefix | undefined {
  const slash = text.indexOf('/');
  if (slash === -1 || text.includes('%')) return undefined;
  const address = parseIpAddress(text.slice(0, slash))?.bytes;
  const lengthText = text.slice(slash + 1);
  if (address === undefined || !/^\d{1,3}$/.test(lengthText)) return undefined;
  const length = Number(lengthText);
  if (length > address.length * 8) return undefined;
  return { bytes: maskBytes(address, length), length, address };
}

/** A copy with every bit after the first `length` cleared. */
export function maskBytes(bytes: Uint8Array, length: number): Uint8Array {
  return bytes.map((byte, index) => byte & (0xff00 >> Math.min(8, Math.max(0, length - index * 8))) & 0xff);
}

/** Whether `address` (4 or 16 bytes, IPv4-mapped counts as IPv4) lies in the prefix. */
export function isInPrefix(address: Uint8Array, prefix: IpPrefix): boolean {
  const bytes = unmapIpv4(address);
  if (bytes.length !== prefix.bytes.length) return false;
  const whole = prefix.length >> 3;
  for (let index = 0; index < whole; index++) if (bytes[index] !== prefix.bytes[index]) return false;
  const rest = prefix.length & 7;
  return rest === 0 || (bytes[whole]! & (0xff00 >> rest) & 0xff) === prefix.bytes[whole];
}

/** The last 4 bytes of an IPv4-mapped IPv6 address (RFC 4291 section 2.5.5.2), anything else unchanged. */
export function unmapIpv4(bytes: Uint8Array): Uint8Array {
  if (bytes.length !== 16 || bytes[10] !== 0xff || bytes[11] !== 0xff) return bytes;
  for (let index = 0; index < 10; index++) if (bytes[index] !== 0) return bytes;
  return bytes.subarray(12);
}

/**
 * Writes 4 or 16 bytes as text; IPv6 in the form of RFC 5952, IPv4-mapped as `::ffff:10.0.0.1`.
 *
 * @param zone appended as `%zone` when not ''
 */
export function formatIpAddress(bytes: Uint8Array, zone = ''): string {
  if (bytes.length === 4) return bytes.join('.');
  const text = unmapIpv4(bytes).length === 4 ? `::ffff:${bytes.subarray(12).join('.')}` : formatIpv6(bytes);
  return zone === '' ? text : `${text}%${zone}`;
}

function formatIpv6(bytes: Uint8Array): string {
  const groups = Array.from({ length: 8 }, (_, index) => (bytes[2 * index]! << 8) | bytes[2 * index + 1]!);
  // RFC 5952 section 4.2: the longest run of two or more zero groups becomes `::`, the first one of equals.
  let runStart = -1;
  let runLength = 1;
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (start + length < 8 && groups[start + length] === 0) length++;
    if (length > runLength) {
      runStart = start;
      runLength = length;
    }
    start += length;
  }
  const hex = groups.map((group) => group.toString(16));
  if (runStart === -1) return hex.join(':');
  return `${hex.slice(0, runStart).join(':')}::${hex.slice(runStart + runLength).join(':')}`;
}

/** `10.0.0.1:53`, `[2001:db8::1]:53`; a host name stands as it is. */
export function formatHostPort(host: string, port: number | string): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/**
 * Parts `host:port` or `[host]:port`; the host may be empty, the port is not checked.
 *
 * @returns undefined when the port is missing or there are too many colons outside brackets
 */
export function splitHostPort(text: string): { host: string; port: string } | undefined {
  const match = /^(?:\[([^[\]]*)\]|([^:[\]]*)):([^:[\]]*)$/.exec(text);
  return match === null ? undefined : { host: match[1] ?? match[2] ?? '', port: match[3]! };
}
