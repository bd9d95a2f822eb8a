// The records of a finished answer as RRsets that can be signed. Worker, cold path.
import type { Answer } from '../../chain/answer.ts';
import { makeCanonicalRrset, type Rrset } from '../../wire/dnssec/canonical-rrset.ts';
import { equalNames, isSubdomain, lowerName, MAX_NAME_LENGTH, nameLength, readName } from '../../wire/name.ts';
import { readRdata } from '../../wire/read-rdata.ts';
import type { Section } from '../../wire/record-index.ts';
import { CLASS, RRTYPE } from '../../wire/types.ts';

export type AnswerRrset = Rrset & {
  readonly section: Section;
  readonly ttlSeconds: number;
  /** Zone among those that are signed; undefined for a name outside of them. */
  readonly signer: Uint8Array | undefined;
  /** A signature came with it: the zone below is a signed one. */
  readonly isSigned: boolean;
};

type Draft = { section: Section; owner: Uint8Array; type: number; ttlSeconds: number; rdatas: Uint8Array[] };

/** @param zones wire form, lower case, longest first */
export function readRrsets(answer: Answer, zones: readonly Uint8Array[]): AnswerRrset[] {
  const drafts: Draft[] = [];
  const covered: Draft[] = [];
  const { records, bytes, base } = answer;
  const name = new Uint8Array(MAX_NAME_LENGTH + 1);
  for (let i = 0; i < records.count; i++) {
    const end = records.endAt(i);
    if (readName(bytes, base, records.ownerAt(i), end, name) === -1) continue;
    const type = records.type(i);
    const rdata = readRdata(bytes, base, type, CLASS.IN, records.rdataAt(i), end);
    if (rdata === undefined) continue;
    const owner = name.slice(0, nameLength(name));
    lowerName(owner);
    const draft = { section: records.section(i), owner, type, ttlSeconds: answer.ttl(i), rdatas: [rdata] };
    if (type === RRTYPE.RRSIG) {
      covered.push({ ...draft, type: (rdata[0]! << 8) | rdata[1]! });
      continue;
    }
    const known = drafts.find((other) => isSame(other, draft));
    if (known) known.rdatas.push(rdata);
    else drafts.push(draft);
  }
  return drafts.map((draft) => ({
    ...makeCanonicalRrset(draft.owner, draft.type, draft.rdatas),
    section: draft.section,
    ttlSeconds: draft.ttlSeconds,
    signer: zones.find((zone) => isSubdomain(draft.owner, zone)),
    isSigned: covered.some((other) => isSame(other, draft)),
  }));
}

function isSame(a: Draft, b: Draft): boolean {
  return (
    a.type === b.type &&
    a.section === b.section &&
    a.owner.length === b.owner.length &&
    equalNames(a.owner, 0, b.owner, 0)
  );
}
