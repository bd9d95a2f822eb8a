// NSEC records made for one question each: what they say about a name is true for this question only. Worker, cold path.
import { makeNsecData } from '../../wire/dnssec/nsec-data.ts';
import { MAX_LABEL_LENGTH, MAX_NAME_LENGTH, nameLength } from '../../wire/name.ts';
import { RRTYPE } from '../../wire/types.ts';

/** Stands in the bitmap of a name that does not exist (RFC 9824 section 3.1). */
const TYPE_NXNAME = 128;

/**
 * Types that a name without the asked one is said to have: every type in use, so that no resolver that reuses the proof for other
 * questions (RFC 8198) takes one for missing. Not among them are those that mean something else is going on there: NS, DS, CNAME,
 * DNAME, SOA.
 */
const ANY_TYPES: readonly number[] = [
  RRTYPE.A, RRTYPE.PTR, RRTYPE.HINFO, RRTYPE.MX, RRTYPE.TXT, RRTYPE.RP, RRTYPE.AFSDB, RRTYPE.AAAA, RRTYPE.LOC, RRTYPE.SRV,
  RRTYPE.NAPTR, RRTYPE.KX, RRTYPE.CERT, RRTYPE.APL, RRTYPE.SSHFP, RRTYPE.IPSECKEY, RRTYPE.RRSIG, RRTYPE.NSEC, RRTYPE.DHCID,
  RRTYPE.TLSA, RRTYPE.SMIMEA, RRTYPE.HIP, RRTYPE.OPENPGPKEY, RRTYPE.SVCB, RRTYPE.HTTPS, RRTYPE.SPF, RRTYPE.EUI48,
  RRTYPE.EUI64, RRTYPE.URI, RRTYPE.CAA,
]; // biome-ignore format: a list
const APEX_TYPES: readonly number[] = [
  ...ANY_TYPES, RRTYPE.NS, RRTYPE.SOA, RRTYPE.DNSKEY, RRTYPE.CDS, RRTYPE.CDNSKEY, RRTYPE.CSYNC, RRTYPE.ZONEMD,
]; // biome-ignore format: a list

/** Data of the NSEC record of a name that exists, or may, without records of `qtype`; undefined when no name follows it. */
export function denyType(name: Uint8Array, isApex: boolean, qtype: number): Uint8Array | undefined {
  const next = nextName(name);
  if (next === undefined) return undefined;
  // Below the apex a missing DS may be one at a cut: NS says that what lies below is not signed here.
  const types = isApex ? APEX_TYPES : qtype === RRTYPE.DS ? [...ANY_TYPES, RRTYPE.NS] : ANY_TYPES;
  return makeNsecData(
    next,
    types.filter((type) => type !== qtype || type === RRTYPE.NSEC),
  );
}

/** Data of the NSEC record of a name that does not exist (RFC 9824 section 3.1). */
export function denyName(name: Uint8Array): Uint8Array | undefined {
  const next = nextName(name);
  return next && makeNsecData(next, [RRTYPE.RRSIG, RRTYPE.NSEC, TYPE_NXNAME]);
}

/** Data of the NSEC record of a cut without DS: what lies below is another zone's, so the next name stands behind all of it. */
export function denyCut(cut: Uint8Array): Uint8Array | undefined {
  const length = nameLength(cut);
  const next = cut[0]! < MAX_LABEL_LENGTH && length < MAX_NAME_LENGTH ? appendToLabel(cut, length) : nextName(cut);
  return next && makeNsecData(next, [RRTYPE.NS, RRTYPE.RRSIG, RRTYPE.NSEC]);
}

/** `\000.NAME`, which nothing sorts before but NAME itself; undefined when that is too long to be a name. */
function nextName(name: Uint8Array): Uint8Array | undefined {
  const length = nameLength(name);
  if (length + 2 > MAX_NAME_LENGTH) return undefined;
  const next = new Uint8Array(length + 2);
  next[0] = 1;
  next.set(name.subarray(0, length), 2);
  return next;
}

/** The name with a zero byte at the end of its first label. */
function appendToLabel(name: Uint8Array, length: number): Uint8Array {
  const labelEnd = name[0]! + 1;
  const next = new Uint8Array(length + 1);
  next.set(name.subarray(0, labelEnd));
  next[0]!++;
  next.set(name.subarray(labelEnd, length), labelEnd + 1);
  return next;
}
