// Adds signatures to a finished answer, and to a denial the NSEC record that proves it. Worker, cold path.
import { hash } from 'node:crypto';
import type { Clock } from '../../base/clock.ts';
import { Answer } from '../../chain/answer.ts';
import { copyRecord } from '../../chain/copy-record.ts';
import type { Query } from '../../chain/query.ts';
import type { Rrset } from '../../wire/dnssec/canonical-rrset.ts';
import type { SigningKey } from '../../wire/dnssec/signing-key.ts';
import { equalNames, isSubdomain } from '../../wire/name.ts';
import { SECTION, type Section } from '../../wire/record-index.ts';
import { RCODE, RRTYPE } from '../../wire/types.ts';
import { type AnswerRrset, readRrsets } from './answer-rrsets.ts';
import { denyName, denyCut, denyType } from './denial.ts';
import type { DnssecCells } from './metrics.ts';
import { SignatureCache } from './signature-cache.ts';

const HOUR_SECONDS = 3600;
const DAY_SECONDS = 24 * HOUR_SECONDS;
/** Clocks of resolvers may be behind. */
const INCEPTION_BEFORE_SECONDS = 3 * HOUR_SECONDS;
const LIFETIME_SECONDS = 8 * DAY_SECONDS;
const RENEW_BEFORE_SECONDS = 2 * DAY_SECONDS;
/** Fixed, so that a signature stays good while an upstream's TTL runs down. */
const ORIGINAL_TTL_SECONDS = 3600;
const SECTIONS: readonly Section[] = [SECTION.ANSWER, SECTION.AUTHORITY, SECTION.ADDITIONAL];
const MAX_ALIASES = 32;

/** A record to append, of the type and TTL given. */
type Addition = {
  readonly section: Section;
  readonly owner: Uint8Array;
  readonly type: number;
  readonly ttlSeconds: number;
  readonly rdata: Uint8Array;
};

export class AnswerSigner {
  readonly #keys: readonly SigningKey[];
  readonly #zones: readonly Uint8Array[];
  readonly #clock: Clock;
  readonly #cells: Float64Array;
  readonly #cache: SignatureCache;
  /** With both kinds the entry keys sign the DNSKEY RRset alone and the others everything else. */
  readonly #isSplit: boolean;
  readonly #held = new Answer();

  /** @param zones wire form, lower case, longest first */
  constructor(
    keys: readonly SigningKey[],
    zones: readonly Uint8Array[],
    cacheCapacity: number,
    env: { readonly clock: Clock; readonly cells: Float64Array },
  ) {
    this.#keys = keys;
    this.#zones = zones;
    this.#clock = env.clock;
    this.#cells = env.cells;
    this.#cache = new SignatureCache(cacheCapacity);
    this.#isSplit = keys.some((key) => key.isKeySigning) && keys.some((key) => key.isZoneSigning);
  }

  /** Rebuilds the answer with what belongs to it. Records of zones that are not signed here stay alone. */
  sign(query: Query, answer: Answer, cells: DnssecCells): void {
    const rrsets = readRrsets(answer, this.#zones);
    const additions: Addition[] = [];
    const cuts = rrsets.filter(isCut);
    const denial = this.#denial(query, answer, rrsets);
    const dropsAuthority = denial !== undefined && query.qtype === RRTYPE.NSEC;
    for (const rrset of rrsets) {
      if (rrset.signer === undefined || rrset.isSigned || isBelow(rrset, cuts)) continue;
      if (!(dropsAuthority && rrset.section === SECTION.AUTHORITY))
        this.#addSignatures(additions, rrset, rrset.signer, rrset, cells);
    }
    for (const cut of cuts) this.#addCutDenial(additions, rrsets, cut, cells);
    if (denial !== undefined) {
      const { rrset, signer, ttlSeconds } = denial;
      const section = dropsAuthority ? SECTION.ANSWER : SECTION.AUTHORITY;
      this.#addProof(additions, rrset, signer, section, ttlSeconds, cells);
      // The proof says that the type is not there; RFC 9824 section 4: resolvers that do not know it would reject NXDOMAIN.
      answer.rcode = RCODE.NOERROR;
    }
    if (additions.length > 0) this.#rebuild(query, answer, additions, dropsAuthority);
  }

  /** Adds the signatures of one RRset of the answer section. */
  signAnswer(answer: Answer, rrset: Rrset, ttlSeconds: number, cells: DnssecCells): void {
    for (const rdata of this.#signaturesOf(rrset, rrset.owner, cells)) {
      append(answer, { section: SECTION.ANSWER, owner: rrset.owner, type: RRTYPE.RRSIG, ttlSeconds, rdata });
    }
  }

  /** The NSEC record for an answer that comes to nothing: one SOA record in authority, at the end of any aliases. */
  #denial(
    query: Query,
    answer: Answer,
    rrsets: readonly AnswerRrset[],
  ): { rrset: Rrset; signer: Uint8Array; ttlSeconds: number } | undefined {
    const isMissing = answer.rcode === RCODE.NXDOMAIN;
    if (!isMissing && answer.rcode !== RCODE.NOERROR) return undefined;
    const [soa, other] = rrsets.filter(({ section }) => section === SECTION.AUTHORITY);
    if (soa?.type !== RRTYPE.SOA || soa.signer === undefined || other !== undefined || soa.isSigned) return undefined;
    const name = findTarget(query, rrsets);
    if (name === undefined || !isSubdomain(name, soa.signer)) return undefined;
    const isApex = name.length === soa.signer.length;
    const rdata = isMissing ? denyName(name) : denyType(name, isApex, query.qtype);
    if (rdata === undefined) return undefined;
    // RFC 9077: as long as the denial itself may be kept.
    const ttlSeconds = Math.min(soa.ttlSeconds, readMinimum(soa.rdatas[0]!));
    return { rrset: { owner: name, type: RRTYPE.NSEC, rdatas: [rdata] }, signer: soa.signer, ttlSeconds };
  }

  /** A cut shows its DS records, signed above, or the proof that it has none. */
  #addCutDenial(additions: Addition[], rrsets: readonly AnswerRrset[], cut: AnswerRrset, cells: DnssecCells): void {
    const { owner, signer, ttlSeconds } = cut;
    if (rrsets.some((rrset) => PROOFS_AT_CUT.has(rrset.type) && rrset.section === SECTION.AUTHORITY)) return;
    const rdata = denyCut(owner);
    if (rdata === undefined || signer === undefined) return;
    const rrset = { owner, type: RRTYPE.NSEC, rdatas: [rdata] };
    this.#addProof(additions, rrset, signer, SECTION.AUTHORITY, ttlSeconds, cells);
  }

  #addProof(
    additions: Addition[],
    rrset: Rrset,
    signer: Uint8Array,
    section: Section,
    ttlSeconds: number,
    cells: DnssecCells,
  ): void {
    const { owner, type, rdatas } = rrset;
    additions.push({ section, owner, type, ttlSeconds, rdata: rdatas[0]! });
    this.#addSignatures(additions, rrset, signer, { section, ttlSeconds }, cells);
  }

  #addSignatures(
    additions: Addition[],
    rrset: Rrset,
    signer: Uint8Array,
    { section, ttlSeconds }: Pick<AnswerRrset, 'section' | 'ttlSeconds'>,
    cells: DnssecCells,
  ): void {
    for (const rdata of this.#signaturesOf(rrset, signer, cells)) {
      additions.push({ section, owner: rrset.owner, type: RRTYPE.RRSIG, ttlSeconds, rdata });
    }
  }

  #signaturesOf(rrset: Rrset, signer: Uint8Array, cells: DnssecCells): readonly Uint8Array[] {
    const nowSeconds = Math.floor(this.#clock.nowMs() / 1000);
    const key = digest(rrset, signer);
    const known = this.#cache.find(key, nowSeconds);
    if (known !== undefined) {
      this.#cells[cells.hits]!++;
      return known;
    }
    this.#cells[cells.misses]!++;
    const expirationSeconds = nowSeconds + LIFETIME_SECONDS;
    const terms = {
      signer,
      originalTtlSeconds: ORIGINAL_TTL_SECONDS,
      inceptionSeconds: nowSeconds - INCEPTION_BEFORE_SECONDS,
      expirationSeconds,
    };
    const signatures = this.#keysFor(rrset.type).map((signing) => signing.sign(rrset, terms));
    this.#cache.keep(key, signatures, expirationSeconds - RENEW_BEFORE_SECONDS);
    this.#cells[cells.entries] = this.#cache.size;
    return signatures;
  }

  #keysFor(type: number): readonly SigningKey[] {
    if (!this.#isSplit) return this.#keys;
    return this.#keys.filter((key) => (type === RRTYPE.DNSKEY ? key.isKeySigning : key.isZoneSigning));
  }

  #rebuild(query: Query, answer: Answer, additions: readonly Addition[], dropsAuthority: boolean): void {
    const held = this.#held;
    held.begin(query);
    if (!held.copyBody(answer.bytes, answer.base, answer.records, answer.saved)) return;
    answer.clearRecords();
    let i = 0;
    for (const section of SECTIONS) {
      const isDropped = dropsAuthority && section === SECTION.AUTHORITY;
      for (let left = held.records.counts[section]!; left > 0; left--, i++) {
        if (!isDropped) copyRecord(answer, section, held.bytes, held.base, held.records, i);
      }
      for (const addition of additions) if (addition.section === section) append(answer, addition);
    }
  }
}

const PROOFS_AT_CUT: ReadonlySet<number> = new Set<number>([RRTYPE.DS, RRTYPE.NSEC, RRTYPE.NSEC3]);

function append(answer: Answer, { section, owner, type, ttlSeconds, rdata }: Addition): void {
  if (!answer.beginRecord(section, owner, 0, type, ttlSeconds)) return;
  answer.putBytes(rdata, 0, rdata.length);
  answer.endRecord();
}

/** NS records in authority that are not the zone's own. */
function isCut({ type, section, owner, signer }: AnswerRrset): boolean {
  return type === RRTYPE.NS && section === SECTION.AUTHORITY && signer !== undefined && owner.length !== signer.length;
}

/** NS records at a cut and all that lies below it are another zone's; only the DS records are the zone's own (RFC 4035 section 2.2). */
function isBelow(rrset: AnswerRrset, cuts: readonly AnswerRrset[]): boolean {
  return cuts.some(
    ({ owner }) =>
      isSubdomain(rrset.owner, owner) && !(rrset.type === RRTYPE.DS && rrset.owner.length === owner.length),
  );
}

/** The name at the end of the answer's aliases; undefined when it has the records that were asked for. */
function findTarget(query: Query, rrsets: readonly AnswerRrset[]): Uint8Array | undefined {
  const answers = rrsets.filter(({ section }) => section === SECTION.ANSWER);
  let name: Uint8Array = query.name.slice(0, query.nameLength);
  for (let aliases = 0; aliases < MAX_ALIASES; aliases++) {
    const here = answers.filter(({ owner }) => owner.length === name.length && equalNames(owner, 0, name, 0));
    if (here.some(({ type }) => type === query.qtype)) return undefined;
    const alias = here.find(({ type }) => type === RRTYPE.CNAME);
    if (alias === undefined) return here.length === 0 ? name : undefined;
    name = alias.rdatas[0]!;
  }
  return undefined;
}

/** Last field of SOA data. */
function readMinimum(rdata: Uint8Array): number {
  return new DataView(rdata.buffer, rdata.byteOffset).getUint32(rdata.length - 4);
}

function digest({ owner, type, rdatas }: Rrset, signer: Uint8Array): string {
  const fixed = Uint8Array.of(type >>> 8, type, signer.length);
  return hash(
    'sha256',
    Buffer.concat([fixed, owner, ...rdatas.flatMap((rdata) => [lengthOf(rdata), rdata])]),
    'base64',
  );
}

function lengthOf({ length }: Uint8Array): Uint8Array {
  return Uint8Array.of(length >>> 8, length);
}
