// Option `topology`: of a headless name the records for the client's node or topology zone. Worker.
//
// Which these are was decided when the Service changed (lib/sources/kubernetes/records/place-records.ts): here they are only
// found, by the place's label in front of the name.
import type { Env } from '../../chain/plugin.ts';
import type { Query } from '../../chain/query.ts';
import { TREE_STATE } from '../../store/layout.ts';
import { relativeNameHash } from '../../store/name-hash.ts';
import { PLACE_LABEL_LENGTH } from '../../store/place-name.ts';
import type { StoreReader } from '../../store/reader.ts';
import { ENTRY_FLAG, PLACE_FLAG } from '../../store/rrset-form.ts';
import { ClientPlaces } from './client-places.ts';
import type { NearbyOptions } from './topology-option.ts';

const MAX_NAME_LENGTH = 255;

export class NearbyEndpoints {
  readonly #store: StoreReader;
  readonly #metrics: Float64Array;
  readonly #tree: number;
  readonly #cells: NearbyOptions['cells'];
  readonly #clients: ClientPlaces;
  /** Label of a place, then a name. */
  readonly #key = new Uint8Array(PLACE_LABEL_LENGTH + MAX_NAME_LENGTH);

  constructor(options: NearbyOptions, { store, cells }: Pick<Env, 'store' | 'cells'>) {
    this.#store = store;
    this.#metrics = cells;
    this.#tree = options.places;
    this.#cells = options.cells;
    this.#clients = new ClientPlaces(options, store);
  }

  /**
   * The entry to answer this client from, given that of the name: the same one unless the name is headless and there are
   * endpoints near the client. 0: its Service wants endpoints of the client's node only, and there are none. Inside a batch.
   */
  select(query: Query, entry: number): number {
    const store = this.#store;
    const { bytes } = store;
    if ((store.flags(entry) & ENTRY_FLAG.HEADLESS) === 0) return entry;
    const tree = this.#tree;
    const nameAt = store.nameAt(entry);
    const length = store.nameLength(entry);
    const policy = store.find(tree, bytes, nameAt, length, relativeNameHash(tree, bytes, nameAt, length));
    if (policy === 0) return entry;
    const key = this.#key;
    if (!this.#clients.takeNode(query, key)) return this.#count(this.#cells.unknown, entry);
    for (let i = 0; i < length; i++) key[PLACE_LABEL_LENGTH + i] = bytes[nameAt + i]!;
    const flags = store.flags(policy);
    if ((flags & PLACE_FLAG.NODE) !== 0) {
      const near = this.#find(length);
      if (near !== 0) return this.#count(this.#cells.node, near);
      if ((flags & PLACE_FLAG.ONLY) !== 0) {
        // In a view that may be out of date the address may be another Pod's by now: that is no ground to deny.
        const isCurrent = store.state(tree) === TREE_STATE.SYNCED;
        return isCurrent ? this.#count(this.#cells.none, 0) : this.#count(this.#cells.unknown, entry);
      }
    }
    if ((flags & PLACE_FLAG.ZONE) === 0) return this.#count(this.#cells.all, entry);
    if (!this.#clients.takeZone(key)) return this.#count(this.#cells.unknown, entry);
    const near = this.#find(length);
    return near === 0 ? this.#count(this.#cells.all, entry) : this.#count(this.#cells.zone, near);
  }

  #find(nameLength: number): number {
    const length = PLACE_LABEL_LENGTH + nameLength;
    return this.#store.find(this.#tree, this.#key, 0, length, relativeNameHash(this.#tree, this.#key, 0, length));
  }

  #count(cell: number, entry: number): number {
    this.#metrics[cell]!++;
    return entry;
  }
}
