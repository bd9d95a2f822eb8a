// The records of one answer that prove what is not there, NSEC or NSEC3: each is sent once, with its signatures. Worker.
import type { StoreReader } from '../store/reader.ts';
import { type LabelledName, ScratchName } from '../store/zone-lookup.ts';
import { SECTION } from '../wire/record-index.ts';
import type { Answer } from './answer.ts';
import type { ZoneRecords } from './zone-records.ts';

/** Records of one answer that are remembered; no denial needs more. */
const MAX_PROOFS = 4;
const LONGEST_NAME = 256;

export class ZoneProofs {
  readonly #store: StoreReader;
  readonly #records: ZoneRecords;
  readonly #owner = new ScratchName();
  readonly #wildcard = new Uint8Array(LONGEST_NAME);
  /** Handles of the names whose record is in the answer. */
  readonly #added = new Int32Array(MAX_PROOFS);
  #count = 0;

  constructor(store: StoreReader, records: ZoneRecords) {
    this.#store = store;
    this.#records = records;
  }

  /** Before the first proof of an answer. */
  begin(): void {
    this.#count = 0;
  }

  /**
   * Adds the record of `type` of a name, if it has one and the answer does not.
   *
   * @param zone a name whose label `zoneLabel` starts the zone's
   */
  add(answer: Answer, entry: number, type: number, zone: LabelledName, zoneLabel: number): void {
    for (let i = 0; i < this.#count; i++) if (this.#added[i] === entry) return;
    const rrset = this.#store.findRrset(entry, type);
    if (rrset === 0) return;
    if (this.#count < MAX_PROOFS) this.#added[this.#count++] = entry;
    this.#owner.setEntry(this.#store, entry, zone, zoneLabel);
    this.#records.addRrset(answer, SECTION.AUTHORITY, rrset, -1, this.#owner, 0);
    this.#records.addSignaturesOf(answer, SECTION.AUTHORITY, entry, type, -1, this.#owner, 0);
  }

  /** `*` below the name that starts at `label` (wire form), valid until the next call; undefined when that is too long. */
  wildcardBelow(name: LabelledName, label: number): Uint8Array | undefined {
    const at = name.labelAt[label]!;
    const length = name.labelAt[name.labelCount]! + 1 - at;
    const wildcard = this.#wildcard;
    if (length + 2 >= LONGEST_NAME) return undefined;
    wildcard[0] = 1;
    wildcard[1] = 0x2a;
    for (let i = 0; i < length; i++) wildcard[2 + i] = name.name[at + i]!;
    return wildcard;
  }
}
