// RRsets in the form in which they are signed: names in lower case, records in order, each once. Pure; cold paths.
import { lowerName } from '../name.ts';
import { findRdataNames } from '../rdata/registry.ts';
import { RRTYPE } from '../types.ts';

/** Names in the data of these types are signed in lower case (RFC 4034 section 6.2, RFC 6840 section 5.1). */
const LOWERED: ReadonlySet<number> = new Set<number>([
  RRTYPE.NS, RRTYPE.CNAME, RRTYPE.SOA, RRTYPE.PTR, RRTYPE.MX, RRTYPE.RP, RRTYPE.AFSDB, RRTYPE.SIG, RRTYPE.NAPTR,
  RRTYPE.KX, RRTYPE.SRV, RRTYPE.DNAME,
]); // biome-ignore format: a list

/** Records of one owner, type and class IN. */
export type Rrset = {
  /** Wire form, lower case. */
  readonly owner: Uint8Array;
  readonly type: number;
  /** Uncompressed, in canonical order, no two alike. */
  readonly rdatas: readonly Uint8Array[];
};

/**
 * Brings an RRset into canonical form.
 * @param owner wire form, lower case
 * @param rdatas uncompressed; names in them are lower-cased in place
 * @see RFC 4034 section 6
 */
export function makeCanonicalRrset(owner: Uint8Array, type: number, rdatas: readonly Uint8Array[]): Rrset {
  if (LOWERED.has(type)) {
    for (const rdata of rdatas) for (const { at } of findRdataNames(type, rdata)) lowerName(rdata, at);
  }
  const sorted = rdatas.toSorted((a, b) => Buffer.compare(a, b));
  return {
    owner,
    type,
    rdatas: sorted.filter((rdata, i) => i === 0 || Buffer.compare(rdata, sorted[i - 1]!) !== 0),
  };
}
