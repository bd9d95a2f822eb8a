// Answers queries for a zone of master-file records: RFC 1034 section 4.3.2 with wildcards (RFC 4592), DNAME (RFC 6672) and
// stored signatures (RFC 4035 section 3.1). For every plugin that serves such zones. Worker.
import { relativeNameHash } from '../store/name-hash.ts';
import type { StoreReader } from '../store/reader.ts';
import { RRSET_FORM, ZONE_FLAG } from '../store/rrset-form.ts';
import { FOUND, type Found, type LabelledName, ScratchName, ZoneLookup } from '../store/zone-lookup.ts';
import { equalNames, formatName, MAX_NAME_LENGTH } from '../wire/name.ts';
import { SECTION, type Section } from '../wire/record-index.ts';
import { RCODE, RRTYPE } from '../wire/types.ts';
import type { Answer } from './answer.ts';
import { Outcome, type Result } from './outcome.ts';
import type { Env } from './plugin.ts';
import type { Query } from './query.ts';
import { ZoneAliases } from './zone-alias.ts';
import { ZoneDenial } from './zone-denial.ts';
import { QUESTION_AT, ZoneRecords } from './zone-records.ts';
import type { ZoneTable } from './zone-table.ts';

/** Aliases followed within the zone; more are taken for a loop. */
const MAX_ALIASES = 16;

/** The reply came to nothing that this zone can say: the next plugin is to be asked. */
export const PASS_ON = undefined;

export class ZoneAnswers {
  readonly #store: StoreReader;
  readonly #plugin: string;
  readonly #fallthrough: ZoneTable | undefined;
  readonly #lookup: ZoneLookup;
  readonly #records: ZoneRecords;
  readonly #denial: ZoneDenial;
  readonly #aliases: ZoneAliases;
  readonly #target = new ScratchName();
  readonly #renamed = new Uint8Array(MAX_NAME_LENGTH + 1);
  /** A wildcard stood in for the question's name: that nothing closer exists is proved at the end. */
  #isExpanded = false;
  /** Where the closest encloser starts in the question's name then. */
  #encloserLabel = 0;

  /** @param fallthrough zones whose missing names are the next plugin's */
  constructor(env: Pick<Env, 'store' | 'resolve'>, plugin: string, fallthrough: ZoneTable | undefined) {
    this.#store = env.store;
    this.#plugin = plugin;
    this.#fallthrough = fallthrough;
    this.#lookup = new ZoneLookup(env.store);
    this.#records = new ZoneRecords(env.store, this.#lookup);
    this.#denial = new ZoneDenial(env.store, this.#lookup, this.#records);
    this.#aliases = new ZoneAliases(env, this);
  }

  /**
   * Answers a query. Inside a batch of the store.
   *
   * @param zone handle of the ZONE rrset in the directory, from `findZone`
   * @param zoneLabel index of the zone's first label in the query's name
   * @returns `PASS_ON` when the name is not there and falls through
   */
  serve(query: Query, answer: Answer, zone: number, zoneLabel: number): Result | undefined {
    const lookup = this.#lookup;
    lookup.open(zone);
    if ((lookup.flags & ZONE_FLAG.EXPIRED) !== 0) {
      answer.fail(RCODE.SERVFAIL, 'the zone has expired');
      return Outcome.FAILED;
    }
    answer.plugin = this.#plugin;
    answer.authoritative = true;
    const hash = zoneLabel === 0 ? 0 : query.relativeHash(zoneLabel, lookup.tree);
    const found = lookup.run(query, zoneLabel, hash);
    if (this.#fallthrough !== undefined && this.#isMissing(found) && this.#fallthrough.match(query) !== -1) {
      answer.reset();
      return PASS_ON;
    }
    return this.#answer(query, answer, zoneLabel, found);
  }

  /** An empty non-terminal counts too: nothing stands there, and CoreDNS passes it on. */
  #isMissing(found: Found): boolean {
    return found === FOUND.NONE || (found === FOUND.NAME && this.#store.rrsetCount(this.#lookup.entry) === 0);
  }

  /** Follows the aliases of the zone from the question's name to an answer. */
  #answer(query: Query, answer: Answer, zoneLabel: number, found: Found): Result {
    const lookup = this.#lookup;
    const target = this.#target;
    const { qtype } = query;
    this.#isExpanded = false;
    let name: LabelledName = query;
    let nameAt = QUESTION_AT;
    let label = zoneLabel;
    for (let aliases = 0; aliases <= MAX_ALIASES; aliases++) {
      if (found === FOUND.CUT && !(qtype === RRTYPE.DS && lookup.label === 0)) {
        return this.#refer(query, answer, name, label);
      }
      if (found === FOUND.NONE) return this.#denyName(query, answer, name, label, zoneLabel);
      if (found === FOUND.WILDCARD) this.#noteWildcard(query);
      if (found === FOUND.DNAME) {
        if (!this.#addRenamed(query, answer, name, nameAt)) {
          answer.rcode = RCODE.YXDOMAIN;
          this.addAuthority(query, answer, zoneLabel, RRTYPE.NS);
          return Outcome.ANSWERED;
        }
        // A name that becomes itself can only loop. `name` may be the target of the alias before.
        const isSame = equalNames(name.name, 0, this.#renamed, 0);
        target.set(this.#renamed, 0);
        if (isSame) break;
        if (qtype === RRTYPE.CNAME) {
          this.addAuthority(query, answer, zoneLabel, RRTYPE.NS);
          return Outcome.ANSWERED;
        }
      } else {
        const rrset = this.#findRrset(lookup.entry, qtype);
        if (rrset !== 0) return this.#addFound(query, answer, name, nameAt, zoneLabel, rrset);
        const alias = this.#store.findRrset(lookup.entry, RRTYPE.CNAME);
        if (alias === 0) return this.#denyType(query, answer, name, label, zoneLabel, found);
        this.#addWithSignatures(query, answer, SECTION.ANSWER, lookup.entry, alias, nameAt, name);
        target.set(this.#store.bytes, this.#store.bytesAt(alias) + 6);
      }
      if (answer.truncated) return Outcome.ANSWERED;
      const zoneAt = query.labelAt[zoneLabel]!;
      label = target.labelOf(query.name, zoneAt, query.nameLength - zoneAt);
      nameAt = answer.records.rdataAt(this.#lastAlias(answer));
      name = target;
      if (label === -1) return this.#aliases.follow(query, answer, target, zoneLabel);
      found = lookup.run(
        target,
        label,
        label === 0 ? 0 : relativeNameHash(lookup.tree, target.name, 0, target.labelAt[label]),
      );
      if (found === FOUND.NONE || found === FOUND.WILDCARD)
        return this.#aliases.follow(query, answer, target, zoneLabel);
    }
    answer.fail(RCODE.SERVFAIL, 'aliases lead to one another without end');
    return Outcome.FAILED;
  }

  /** Index of the CNAME added last: signatures may follow it. */
  #lastAlias(answer: Answer): number {
    let i = answer.records.count - 1;
    while (i > 0 && answer.records.type(i) !== RRTYPE.CNAME) i--;
    return i;
  }

  /** Handle of records of this type, never of the zone's own bookkeeping. */
  #findRrset(entry: number, type: number): number {
    const rrset = this.#store.findRrset(entry, type);
    return rrset !== 0 && this.#store.form(rrset) === RRSET_FORM.ZONE_ORDER ? 0 : rrset;
  }

  #addWithSignatures(
    query: Query,
    answer: Answer,
    section: Section,
    entry: number,
    rrset: number,
    ownerAt: number,
    name: LabelledName,
  ): void {
    this.#records.addRrset(answer, section, rrset, ownerAt, name, 0);
    if (!query.dnssecOk) return;
    const type = this.#store.rrsetType(rrset);
    this.#records.addSignaturesOf(answer, section, entry, type, ownerAt, name, 0);
  }

  #addFound(
    query: Query,
    answer: Answer,
    name: LabelledName,
    nameAt: number,
    zoneLabel: number,
    rrset: number,
  ): Outcome {
    const { apex, entry } = this.#lookup;
    this.#addWithSignatures(query, answer, SECTION.ANSWER, entry, rrset, nameAt, name);
    // The apex's NS records are the answer itself.
    if (entry !== apex || query.qtype !== RRTYPE.NS) this.addAuthority(query, answer, zoneLabel, RRTYPE.NS);
    const offset = targetOffset(query.qtype);
    if (offset !== -1) {
      const { qtype, dnssecOk } = query;
      this.#records.addTargetAddresses(answer, SECTION.ANSWER, qtype, offset, query, zoneLabel, zoneLabel, dnssecOk);
    }
    return Outcome.ANSWERED;
  }

  /** Adds the apex's SOA or NS records to the authority section, and the proof that a wildcard answer needs. */
  addAuthority(query: Query, answer: Answer, zoneLabel: number, type: number): void {
    const { apex } = this.#lookup;
    const rrset = this.#store.findRrset(apex, type);
    // The root is shorter than a pointer to it.
    const ownerAt = zoneLabel === query.labelCount ? -1 : QUESTION_AT + query.labelAt[zoneLabel]!;
    if (rrset !== 0) this.#records.addRrset(answer, SECTION.AUTHORITY, rrset, ownerAt, query, zoneLabel);
    if (!query.dnssecOk) return;
    this.#records.addSignaturesOf(answer, SECTION.AUTHORITY, apex, type, ownerAt, query, zoneLabel);
    this.#denial.begin();
    if (this.#isExpanded) this.#denial.addNoCloser(answer, query, zoneLabel, this.#encloserLabel);
  }

  /** The name belongs to another zone: NS records of the cut with glue below it (RFC 1034 section 4.3.2 step 3b). */
  #refer(query: Query, answer: Answer, name: LabelledName, zoneLabel: number): Outcome {
    const { entry, label } = this.#lookup;
    const ownerAt = name === query ? QUESTION_AT + query.labelAt[label]! : -1;
    const records = this.#records;
    // Behind an alias the alias itself is authoritative (RFC 1034 section 6.2.7 has AA for the first owner).
    answer.authoritative = answer.records.count > 0;
    records.addRrset(answer, SECTION.AUTHORITY, this.#store.findRrset(entry, RRTYPE.NS), ownerAt, name, label);
    if (query.dnssecOk) {
      const ds = this.#store.findRrset(entry, RRTYPE.DS);
      if (ds !== 0) {
        records.addRrset(answer, SECTION.AUTHORITY, ds, ownerAt, name, label);
        records.addSignaturesOf(answer, SECTION.AUTHORITY, entry, RRTYPE.DS, ownerAt, name, label);
      } else {
        // That there is no DS must be proved (RFC 4035 section 3.1.4.1).
        this.#denial.begin();
        this.#denial.addNoType(answer, entry, name, label, zoneLabel, -1);
      }
    }
    records.addTargetAddresses(answer, SECTION.AUTHORITY, RRTYPE.NS, 0, name, label, zoneLabel, query.dnssecOk);
    return Outcome.ANSWERED;
  }

  /** NXDOMAIN, with the proof that neither the name nor a wildcard for it exists. */
  #denyName(query: Query, answer: Answer, name: LabelledName, nameLabel: number, zoneLabel: number): Outcome {
    answer.rcode = RCODE.NXDOMAIN;
    this.addAuthority(query, answer, zoneLabel, RRTYPE.SOA);
    if (query.dnssecOk) this.#denial.addNoName(answer, name, nameLabel, this.#lookup.label);
    return Outcome.ANSWERED;
  }

  /** NODATA: the name, or the wildcard it is answered from, has no records of the type. */
  #denyType(
    query: Query,
    answer: Answer,
    name: LabelledName,
    nameLabel: number,
    zoneLabel: number,
    found: Found,
  ): Outcome {
    this.addAuthority(query, answer, zoneLabel, RRTYPE.SOA);
    if (query.dnssecOk) {
      const encloserLabel = found === FOUND.WILDCARD ? this.#encloserLabel : -1;
      this.#denial.addNoType(answer, this.#lookup.entry, name, 0, nameLabel, encloserLabel);
    }
    return Outcome.ANSWERED;
  }

  /**
   * Adds the DNAME and the alias that it makes of the name; the alias's target is then in `#renamed`.
   * @returns false when the new name is too long (RFC 6672 section 2.2)
   */
  #addRenamed(query: Query, answer: Answer, name: LabelledName, nameAt: number): boolean {
    const store = this.#store;
    const { entry, label } = this.#lookup;
    const rrset = store.findRrset(entry, RRTYPE.DNAME);
    const ownerAt = name === query ? QUESTION_AT + query.labelAt[label]! : -1;
    this.#records.addRrset(answer, SECTION.ANSWER, rrset, ownerAt, name, label);
    if (query.dnssecOk) {
      this.#records.addSignaturesOf(answer, SECTION.ANSWER, entry, RRTYPE.DNAME, ownerAt, name, label);
    }
    const prefix = name.labelAt[label]!;
    const at = store.bytesAt(rrset);
    const { bytes } = store;
    const length = (bytes[at + 4]! << 8) | bytes[at + 5]!;
    if (prefix + length > MAX_NAME_LENGTH) return false;
    for (let i = 0; i < prefix; i++) this.#renamed[i] = name.name[i]!;
    for (let i = 0; i < length; i++) this.#renamed[prefix + i] = bytes[at + 6 + i]!;
    const ttlSeconds = ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
    if (answer.beginRecordAt(SECTION.ANSWER, nameAt, RRTYPE.CNAME, ttlSeconds)) {
      answer.writeName(this.#renamed);
      answer.endRecord();
    }
    return true;
  }

  /** Only the question's own name is answered from a wildcard here: behind an alias the whole server is asked. */
  #noteWildcard(query: Query): void {
    this.#isExpanded = true;
    this.#encloserLabel = this.#lookup.label;
    query.metadata?.set('zone/wildcard', `*.${formatName(query.name, query.labelAt[this.#lookup.label])}`);
  }
}

/** Where the name that a record points to stands in its data; -1 when its addresses are not added. */
function targetOffset(type: number): number {
  switch (type) {
    case RRTYPE.NS:
      return 0;
    case RRTYPE.MX:
    case RRTYPE.SVCB:
    case RRTYPE.HTTPS:
      return 2;
    case RRTYPE.SRV:
      return 6;
    default:
      return -1;
  }
}
