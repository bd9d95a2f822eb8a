// Finds the services that stand for a name, wildcards of the question included. Worker.
import type { Query } from '../../chain/query.ts';
import { HAS_NAMES, readServiceRecords, SERVICE_FLAG, type ServiceRecord } from '../../chain/service-record.ts';
import { relativeNameHash } from '../../store/name-hash.ts';
import type { StoreReader } from '../../store/reader.ts';
import { SERVICES_TYPE } from '../../store/rrset-form.ts';
import { MAX_NAME_LENGTH, parseNameLower } from '../../wire/name.ts';

const ASTERISK = 0x2a;

export class ServiceLookup {
  readonly #store: StoreReader;
  readonly #tree: number;
  readonly #name = new Uint8Array(MAX_NAME_LENGTH + 1);
  #rrset = 0;
  /** The question, when it has a wildcard: services are chosen by its labels. */
  #pattern: readonly string[] | undefined;

  constructor(store: StoreReader, tree: number) {
    this.#store = store;
    this.#tree = tree;
  }

  /** Index of the zone's first label in the query's name. */
  labelOfZone(query: Query, zone: Uint8Array): number {
    const start = query.nameLength - zone.length;
    let label = 0;
    while (query.labelAt[label]! < start) label++;
    return label;
  }

  /** Handle of what was found last. */
  get rrset(): number {
    return this.#rrset;
  }

  /** Whether services of the last lookup are to be chosen, or are at host names: then `read` has to be used. */
  get hasNames(): boolean {
    return this.#pattern !== undefined || (this.#store.bytes[this.#store.bytesAt(this.#rrset)]! & HAS_NAMES) !== 0;
  }

  /** Looks the query's name up. @returns whether there is something */
  find(query: Query): boolean {
    const first = findWildcardLabel(query);
    if (first === -1) {
      this.#pattern = undefined;
      const hash = query.relativeHash(query.labelCount, this.#tree);
      return this.#take(this.#store.find(this.#tree, query.name, 0, query.nameLength - 1, hash));
    }
    // As in SkyDNS: all services below what follows the last wildcard are looked at.
    const at = query.labelAt[first + 1]!;
    const length = query.nameLength - 1 - at;
    const entry = this.#store.find(
      this.#tree,
      query.name,
      at,
      length,
      relativeNameHash(this.#tree, query.name, at, length),
    );
    this.#pattern = labelsOf(query.name);
    return this.#take(entry) && this.read(SERVICE_FLAG.LISTED | SERVICE_FLAG.TEXTS).length > 0;
  }

  /** Looks a name below the query's up. @param prefix its first labels, as text */
  findBelow(query: Query, prefix: string): boolean {
    const labels = parseNameLower(prefix)!;
    const length = labels.length - 1 + query.nameLength - 1;
    this.#pattern = undefined;
    if (length >= MAX_NAME_LENGTH) return false;
    this.#name.set(labels);
    this.#name.set(query.name.subarray(0, query.nameLength), labels.length - 1);
    const hash = relativeNameHash(this.#tree, this.#name, 0, length);
    return this.#take(this.#store.find(this.#tree, this.#name, 0, length, hash));
  }

  #take(entry: number): boolean {
    this.#rrset = entry === 0 ? 0 : this.#store.findRrset(entry, SERVICES_TYPE);
    return this.#rrset !== 0;
  }

  /** Copies the services found that have one of these `SERVICE_FLAG` bits. */
  read(flags: number): ServiceRecord[] {
    const store = this.#store;
    const records = readServiceRecords(store.bytes, store.bytesAt(this.#rrset) + 1, store.recordCount(this.#rrset));
    const pattern = this.#pattern;
    return records.filter(
      (record) => (record.flags & flags) !== 0 && (pattern === undefined || matches(labelsOf(record.name), pattern)),
    );
  }
}

/** Index of the last label that is `*` or `any`, or -1. */
function findWildcardLabel(query: Query): number {
  for (let label = query.labelCount - 1; label >= 0; label--) {
    const at = query.labelAt[label]!;
    const length = query.name[at]!;
    if (length === 1 && query.name[at + 1] === ASTERISK) return label;
    if (length === 3 && Buffer.from(query.name.subarray(at + 1, at + 4)).toString('latin1') === 'any') return label;
  }
  return -1;
}

function labelsOf(name: Uint8Array): string[] {
  const labels: string[] = [];
  for (let at = 0; name[at] !== 0; at += name[at]! + 1) {
    labels.push(Buffer.from(name.subarray(at + 1, at + 1 + name[at]!)).toString('latin1'));
  }
  return labels;
}

/** Whether the last labels of a name are those of the pattern, wildcards standing for any one. */
function matches(labels: readonly string[], pattern: readonly string[]): boolean {
  const shift = labels.length - pattern.length;
  return shift >= 0 && pattern.every((label, i) => label === '*' || label === 'any' || label === labels[shift + i]);
}
