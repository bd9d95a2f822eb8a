// The records of a zone -> the records of the signed zone (RFC 4035 section 2): keys, signatures, the NSEC chain. Control thread.
import { hash } from 'node:crypto';
import { makeCanonicalRrset } from '../../wire/dnssec/canonical-rrset.ts';
import { makeNsecData } from '../../wire/dnssec/nsec-data.ts';
import type { SignatureTerms, SigningKey } from '../../wire/dnssec/signing-key.ts';
import type { ResourceRecord } from '../../wire/record.ts';
import { CLASS, RRTYPE } from '../../wire/types.ts';
import { relativeName } from '../zone-file/canonical-key.ts';
import type { KeptRecord, ZoneContents } from '../zone-file/zone-contents.ts';

/** Made anew, whatever the file says. */
const MADE_HERE: ReadonlySet<number> = new Set<number>([
  RRTYPE.DNSKEY, RRTYPE.CDS, RRTYPE.CDNSKEY, RRTYPE.RRSIG, RRTYPE.NSEC, RRTYPE.NSEC3, RRTYPE.NSEC3PARAM,
]); // biome-ignore format: a list
/** Offsets of serial and minimum from the end of SOA data (RFC 1035 section 3.3.13). */
const SERIAL_FROM_END = 20;
const MINIMUM_FROM_END = 4;
const DIGEST_SHA256 = 2;

export type SigningTerms = Pick<SignatureTerms, 'inceptionSeconds' | 'expirationSeconds'> & { readonly serial: number };

type Rrset = { readonly type: number; ttlSeconds: number; readonly rdatas: Uint8Array[] };

/** How far the zone is authoritative for a name. Names below a cut or a DNAME have no signatures. */
const STANDING = { OWN: 0, CUT: 1, BELOW: 2 } as const;
type Standing = (typeof STANDING)[keyof typeof STANDING];

/**
 * All records of the signed zone, the SOA record and its signatures first. At most one name is signed between two yields, and
 * undefined is yielded where much else was done, so the caller can let other work run.
 *
 * @param names keys of `contents` in canonical order
 */
export function* signZone(
  contents: ZoneContents,
  names: readonly string[],
  keys: readonly SigningKey[],
  terms: SigningTerms,
): Generator<ResourceRecord | undefined> {
  const { origin } = contents;
  const apex = apexRrsets(contents, keys, terms.serial);
  const soa = apex[0]!;
  const { standings, chain } = yield* findChain(contents, names);
  const minimum = new DataView(soa.rdatas[0]!.buffer, soa.rdatas[0]!.byteOffset).getUint32(
    soa.rdatas[0]!.length - MINIMUM_FROM_END,
  );
  const nsecTtlSeconds = Math.min(soa.ttlSeconds, minimum);
  let position = 0;
  for (const [i, key] of names.entries()) {
    const owner = absoluteName(key, origin);
    const rrsets = key === '' ? apex : makeRrsets(contents.records(key));
    const standing = standings[i]!;
    if (chain[position] === key) {
      const next = absoluteName(chain[++position % chain.length]!, origin);
      const types = [...rrsets.map(({ type }) => type), RRTYPE.RRSIG, RRTYPE.NSEC].filter(
        (type) => standing === STANDING.OWN || PROVED_AT_CUT.has(type),
      );
      rrsets.push({ type: RRTYPE.NSEC, ttlSeconds: nsecTtlSeconds, rdatas: [makeNsecData(next, types)] });
    }
    for (const rrset of rrsets) {
      yield* makeRecords(owner, rrset.type, rrset.ttlSeconds, rrset.rdatas);
      if (standing === STANDING.BELOW || (standing === STANDING.CUT && !SIGNED_AT_CUT.has(rrset.type))) continue;
      const canonical = makeCanonicalRrset(
        owner,
        rrset.type,
        rrset.rdatas.map((rdata) => rdata.slice()),
      );
      const signatures = keys.map((signing) =>
        signing.sign(canonical, { ...terms, signer: origin, originalTtlSeconds: rrset.ttlSeconds }),
      );
      yield* makeRecords(owner, RRTYPE.RRSIG, rrset.ttlSeconds, signatures);
    }
  }
}

/** At a cut the zone is authoritative for these alone; its NS records are seen but not signed (RFC 4035 section 2.2). */
const SIGNED_AT_CUT: ReadonlySet<number> = new Set<number>([RRTYPE.DS, RRTYPE.NSEC]);
const PROVED_AT_CUT: ReadonlySet<number> = new Set<number>([RRTYPE.NS, RRTYPE.DS, RRTYPE.RRSIG, RRTYPE.NSEC]);

function* makeRecords(
  name: Uint8Array,
  type: number,
  ttlSeconds: number,
  rdatas: readonly Uint8Array[],
): Generator<ResourceRecord> {
  for (const rdata of rdatas) yield { name, type, class: CLASS.IN, ttlSeconds, rdata };
}

type Chain = {
  /** How far the zone is authoritative, name by name. */
  readonly standings: readonly Standing[];
  /** Names that have NSEC records, in order. */
  readonly chain: readonly string[];
};

function* findChain(contents: ZoneContents, names: readonly string[]): Generator<undefined, Chain> {
  const standings: Standing[] = [];
  const chain: string[] = [];
  let above: string | undefined;
  for (const key of names) {
    if (standings.length % NAMES_PER_SLICE === NAMES_PER_SLICE - 1) yield undefined;
    if (above !== undefined && key.startsWith(above)) {
      standings.push(STANDING.BELOW);
      continue;
    }
    const records = contents.records(key);
    const isApex = key === '';
    const isCut = !isApex && records.some(({ type }) => type === RRTYPE.NS);
    const isRenamed = !isApex && records.some(({ type }) => type === RRTYPE.DNAME);
    above = isCut || isRenamed ? key : undefined;
    standings.push(isCut ? STANDING.CUT : STANDING.OWN);
    if (isApex || records.some(({ type }) => !MADE_HERE.has(type))) chain.push(key);
  }
  return { standings, chain };
}
const NAMES_PER_SLICE = 1000;

/** The apex's own records, its SOA first, and those that come with the keys. */
function apexRrsets(contents: ZoneContents, keys: readonly SigningKey[], serial: number): Rrset[] {
  const rrsets = makeRrsets(contents.records(''));
  const soa = rrsets.find(({ type }) => type === RRTYPE.SOA)!;
  const rdata = soa.rdatas.at(-1)!.slice();
  new DataView(rdata.buffer, rdata.byteOffset).setUint32(rdata.length - SERIAL_FROM_END, serial);
  const { ttlSeconds } = soa;
  const dnskeys = keys.map(({ dnskey }) => dnskey);
  return [
    { type: RRTYPE.SOA, ttlSeconds, rdatas: [rdata] },
    ...rrsets.filter(({ type }) => type !== RRTYPE.SOA),
    { type: RRTYPE.DNSKEY, ttlSeconds, rdatas: dnskeys },
    { type: RRTYPE.CDS, ttlSeconds, rdatas: keys.map((key) => makeCds(contents.origin, key)) },
    { type: RRTYPE.CDNSKEY, ttlSeconds, rdatas: dnskeys },
  ];
}

/** What the parent's DS record should be (RFC 7344 section 3.1, RFC 4034 section 5.1.4). */
function makeCds(origin: Uint8Array, { dnskey, tag }: SigningKey): Uint8Array {
  const digest = hash('sha256', Buffer.concat([origin, dnskey]), 'buffer');
  return new Uint8Array(Buffer.concat([Buffer.of(tag >>> 8, tag & 255, dnskey[3]!, DIGEST_SHA256), digest]));
}

/** RRsets of a name, without what is made here; the records of one have its lowest TTL (RFC 2181 section 5.2). */
function makeRrsets(records: readonly KeptRecord[]): Rrset[] {
  const rrsets = new Map<number, Rrset>();
  for (const { type, ttlSeconds, bytes, at, length } of records) {
    if (MADE_HERE.has(type)) continue;
    const rdata = bytes.slice(at, at + length);
    const known = rrsets.get(type);
    if (known === undefined) rrsets.set(type, { type, ttlSeconds, rdatas: [rdata] });
    else {
      known.ttlSeconds = Math.min(known.ttlSeconds, ttlSeconds);
      if (!known.rdatas.some((other) => Buffer.compare(other, rdata) === 0)) known.rdatas.push(rdata);
    }
  }
  return [...rrsets.values()];
}

function absoluteName(key: string, origin: Uint8Array): Uint8Array {
  const relative = relativeName(key);
  const name = new Uint8Array(relative.length + origin.length);
  name.set(relative);
  name.set(origin, relative.length);
  return name;
}
