// Text of a hosts file -> addresses by name and names by address. Control thread.
import { formatIpAddress, parseIpAddress, unmapIpv4 } from '../../base/ip-address.ts';
import { isSubdomain, parseNameLower } from '../../wire/name.ts';

/** What a name has: addresses one after the other, and the names that its address was given. */
export type HostEntry = {
  /** Bytes of all IPv4 addresses. */
  readonly ipv4: number[];
  /** Bytes of all IPv6 addresses. */
  readonly ipv6: number[];
  /** Wire form, lower case. */
  readonly pointers: Uint8Array[];
};

/** By name in wire form without the root label, as a string of bytes (latin1). */
export type HostTable = Map<string, HostEntry>;

export type HostFilter = {
  /** Wire form; names outside of these are left out. */
  readonly zones: readonly Uint8Array[];
  /** Whether addresses get PTR records. */
  readonly autoReverse: boolean;
};

const LINE_BREAK = 0x0a;

/**
 * Adds the lines of a hosts file (`ADDRESS NAME..`, `#` starts a comment). Lines without an address or a name, and names
 * that are no domain names, are left out.
 *
 * @returns entries added, as the metric `coredns_hosts_entries` counts them: each address of a name and each name of an
 *   address
 */
export function addHosts(table: HostTable, text: Uint8Array, filter: HostFilter): number {
  let entries = 0;
  for (let at = 0; at < text.length; ) {
    const found = text.indexOf(LINE_BREAK, at);
    const end = found === -1 ? text.length : found;
    entries += addLine(table, Buffer.from(text.subarray(at, end)).toString('utf8'), filter);
    at = end + 1;
  }
  return entries;
}

function addLine(table: HostTable, line: string, filter: HostFilter): number {
  const comment = line.indexOf('#');
  const words = (comment === -1 ? line : line.slice(0, comment)).split(/\s+/).filter((word) => word !== '');
  const [first, ...names] = words;
  if (first === undefined || names.length === 0) return 0;
  const percent = first.indexOf('%');
  const parsed = parseIpAddress(percent === -1 ? first : first.slice(0, percent));
  if (parsed === undefined) return 0;
  const address = unmapIpv4(parsed.bytes);
  let entries = 0;
  for (const word of names) {
    const name = parseNameLower(word);
    if (name === undefined || !filter.zones.some((zone) => isSubdomain(name, zone))) continue;
    const entry = openEntry(table, name);
    (address.length === 4 ? entry.ipv4 : entry.ipv6).push(...address);
    entries++;
    // A wildcard is no host, so nothing points back to it.
    if (!filter.autoReverse || isWildcard(name)) continue;
    openEntry(table, reverseName(address)).pointers.push(name);
    entries++;
  }
  return entries;
}

function openEntry(table: HostTable, name: Uint8Array): HostEntry {
  const key = Buffer.from(name.subarray(0, name.length - 1)).toString('latin1');
  const known = table.get(key);
  if (known !== undefined) return known;
  const entry = { ipv4: [], ipv6: [], pointers: [] };
  table.set(key, entry);
  return entry;
}

function isWildcard(name: Uint8Array): boolean {
  return name[0] === 1 && name[1] === 0x2a;
}

/** Name under in-addr.arpa (RFC 1035 section 3.5) or ip6.arpa (RFC 3596 section 2.5), wire form. */
function reverseName(address: Uint8Array): Uint8Array {
  const text =
    address.length === 4
      ? `${formatIpAddress(address).split('.').reverse().join('.')}.in-addr.arpa.`
      : `${Buffer.from(address).toString('hex').split('').reverse().join('.')}.ip6.arpa.`;
  return parseNameLower(text)!;
}
