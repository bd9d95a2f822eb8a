// IP addresses as text, bytes and sockaddr. Worker.
import net from 'node:net';
import os from 'node:os';
import { LINUX, SOCKADDR_IN, SOCKADDR_IN6 } from './udp-structs.ts';

/** The 4 or 16 bytes of a literal address, a zone (`%eth0`) ignored; undefined when it is none. */
export function parseAddress(text: string): Uint8Array | undefined {
  const bare = text.includes('%') ? text.slice(0, text.indexOf('%')) : text;
  const family = net.isIP(bare);
  if (family === 4) return Uint8Array.from(bare.split('.'), Number);
  return family === 6 ? parseAddress6(bare) : undefined;
}

function parseAddress6(text: string): Uint8Array {
  const bytes = new Uint8Array(16);
  let tail = text;
  let end = 16;
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  if (dotted) {
    bytes.set(dotted[2]!.split('.').map(Number), 12);
    tail = dotted[1]!.endsWith('::') ? dotted[1]! : dotted[1]!.slice(0, -1);
    end = 12;
  }
  const [left = '', right] = tail.split('::');
  let at = 0;
  for (const group of left.split(':').filter((part) => part !== '')) at = putGroup(bytes, at, group);
  if (right === undefined) return bytes;
  const groups = right.split(':').filter((part) => part !== '');
  at = end - groups.length * 2;
  for (const group of groups) at = putGroup(bytes, at, group);
  return bytes;
}

function putGroup(bytes: Uint8Array, at: number, group: string): number {
  const value = Number.parseInt(group, 16);
  bytes[at] = value >> 8;
  bytes[at + 1] = value & 255;
  return at + 2;
}

/** Text of 4 or 16 bytes; IPv6 in the short form of RFC 5952. */
export function formatAddress(bytes: Uint8Array, at: number, family: number): string {
  if (family === 4) return `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`;
  const groups = Array.from({ length: 8 }, (_, i) => (bytes[at + 2 * i]! << 8) | bytes[at + 2 * i + 1]!);
  let best = -1;
  let bestLength = 1;
  for (let i = 0; i < 8; i++) {
    let length = 0;
    while (i + length < 8 && groups[i + length] === 0) length++;
    if (length > bestLength) [best, bestLength] = [i, length];
  }
  const text = (from: number, to: number): string =>
    groups
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(':');
  return best < 0 ? text(0, 8) : `${text(0, best)}::${text(best + bestLength, 8)}`;
}

/** `1.2.3.4:53` or `[::1]:53`. */
export function formatAddressPort(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** sockaddr_in or sockaddr_in6 of a literal address. @throws Error when it is none */
export function createSockaddr(address: string, port: number): Uint8Array {
  const bytes = parseAddress(address);
  if (!bytes) throw new Error(`not an IP address: ${address}`);
  const four = bytes.length === 4;
  const sockaddr = new Uint8Array(four ? SOCKADDR_IN.SIZE : SOCKADDR_IN6.SIZE);
  sockaddr[0] = four ? LINUX.AF_INET : LINUX.AF_INET6;
  sockaddr[SOCKADDR_IN.PORT] = port >> 8;
  sockaddr[SOCKADDR_IN.PORT + 1] = port & 255;
  sockaddr.set(bytes, four ? SOCKADDR_IN.ADDRESS : SOCKADDR_IN6.ADDRESS);
  if (!four) new DataView(sockaddr.buffer).setUint32(SOCKADDR_IN6.SCOPE_ID, findScopeId(address), true);
  return sockaddr;
}

/** Number of the interface after `%`, 0 without one or when it is unknown. */
function findScopeId(address: string): number {
  const zone = address.split('%')[1];
  if (zone === undefined) return 0;
  if (/^\d+$/.test(zone)) return Number(zone);
  return os.networkInterfaces()[zone]?.find((entry) => entry.family === 'IPv6')?.scopeid ?? 0;
}

/** Whether 16 bytes are an IPv4 address in IPv6's clothes (RFC 4291 section 2.5.5.2). */
export function isMapped(bytes: Uint8Array, at: number): boolean {
  for (let i = 0; i < 10; i++) if (bytes[at + i] !== 0) return false;
  return bytes[at + 10] === 0xff && bytes[at + 11] === 0xff;
}

/** Whether 16 bytes are a link-local address, fe80::/10. */
export function isLinkLocal(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === 0xfe && (bytes[at + 1]! & 0xc0) === 0x80;
}

/** The bytes of a socket's address, 4 or 16, all zero when there is none; an IPv4 client of a dual-stack listener has 4. */
export function addressBytes(text: string | undefined): Uint8Array {
  const bytes = parseAddress(text ?? '') ?? new Uint8Array(4);
  return bytes.length === 16 && isMapped(bytes, 0) ? bytes.slice(12) : bytes;
}
