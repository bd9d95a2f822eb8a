// CIDR prefixes as the reverse zones that hold their addresses. Control thread.
import type { IpPrefix } from '../base/ip-address.ts';

/**
 * The zones under `in-addr.arpa.` and `ip6.arpa.` that together hold exactly the prefix: one when it ends on a label
 * boundary (8 bits for IPv4, 4 for IPv6), else up to 128 (IPv4) or 8 (IPv6) with the next longer boundary.
 *
 * @returns absolute names in ascending order of address; the zone of a /0 is the whole tree
 * @see RFC 1035 section 3.5, RFC 3596 section 2.5
 */
export function toReverseZones(prefix: IpPrefix): string[] {
  const isIpv4 = prefix.bytes.length === 4;
  const bitsPerLabel = isIpv4 ? 8 : 4;
  const labelCount = Math.ceil(prefix.length / bitsPerLabel);
  const labels = Array.from({ length: labelCount }, (_, index) => {
    if (isIpv4) return prefix.bytes[index]!;
    const byte = prefix.bytes[index >> 1]!;
    return index % 2 === 0 ? byte >> 4 : byte & 0x0f;
  });
  const zoneCount = 2 ** (labelCount * bitsPerLabel - prefix.length);
  return Array.from({ length: zoneCount }, (_, index) => {
    const own = labels.map((label, at) => (at === labelCount - 1 ? label + index : label));
    const words = own.reverse().map((label) => label.toString(isIpv4 ? 10 : 16));
    return [...words, isIpv4 ? 'in-addr.arpa.' : 'ip6.arpa.'].join('.');
  });
}
