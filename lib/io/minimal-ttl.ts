// How long an HTTP cache may keep a DNS reply. Worker.
import { skipName } from '../wire/name.ts';
import { RCODE, RRTYPE } from '../wire/types.ts';

/** For replies that say nothing lasting: errors, referrals, replies without records. */
const DEFAULT_SECONDS = 5;
const MAX_SECONDS = 3600;

/**
 * The shortest TTL of the reply `bytes[at .. at + length)`, in seconds: 5 for an error, a referral or nothing at all, one
 * hour at most.
 */
export function minimalTtl(bytes: Uint8Array, at: number, length: number): number {
  const rcode = bytes[at + 3]! & 15;
  if (rcode !== RCODE.NOERROR && rcode !== RCODE.NXDOMAIN) return DEFAULT_SECONDS;
  const short = (offset: number): number => (bytes[offset]! << 8) | bytes[offset + 1]!;
  const answers = short(at + 6);
  const authority = answers + short(at + 8);
  let left = authority + short(at + 10);
  let offset = short(at + 4) === 0 ? 12 : skipName(bytes, at, 12, length) + 4;
  let shortest = MAX_SECONDS;
  let records = 0;
  let nameServers = 0;
  let startOfAuthority = 0;
  for (let i = 0; left > 0; left--, i++) {
    offset = skipName(bytes, at, offset, length);
    if (offset === -1 || offset + 10 > length) return DEFAULT_SECONDS;
    const fixed = at + offset;
    const type = short(fixed);
    offset += 10 + short(fixed + 8);
    if (type === RRTYPE.OPT || type === RRTYPE.TSIG) continue;
    records++;
    if (i >= answers && i < authority && type === RRTYPE.NS) nameServers++;
    if (i >= answers && i < authority && type === RRTYPE.SOA) startOfAuthority++;
    const ttlSeconds = ((bytes[fixed + 4]! << 24) | (short(fixed + 5) << 8) | bytes[fixed + 7]!) >>> 0;
    if (ttlSeconds < shortest) shortest = ttlSeconds;
  }
  const isReferral = rcode === RCODE.NOERROR && answers === 0 && nameServers > 0 && startOfAuthority === 0;
  return records === 0 || isReferral ? DEFAULT_SECONDS : shortest;
}
