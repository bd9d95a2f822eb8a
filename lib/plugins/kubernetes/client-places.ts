// Node and topology zone that a query comes from. Worker.
import type { Query } from '../../chain/query.ts';
import { MAX_CLIENT_NAME_LENGTH, writeClientName } from '../../store/client-name.ts';
import { relativeNameHash } from '../../store/name-hash.ts';
import { PLACE_LABEL_LENGTH } from '../../store/place-name.ts';
import type { StoreReader } from '../../store/reader.ts';
import { PLACE_TYPE } from '../../store/rrset-form.ts';
import type { NearbyOptions } from './topology-option.ts';

/** Finds places by their labels (place-name.ts), which stand at the start of a buffer of the caller's. Inside a batch. */
export class ClientPlaces {
  readonly #store: StoreReader;
  readonly #places: number;
  readonly #clients: number | undefined;
  readonly #ownNode: Uint8Array | undefined;
  readonly #ownNodeName: string;
  readonly #client = new Uint8Array(MAX_CLIENT_NAME_LENGTH);
  readonly #label = new Uint8Array(PLACE_LABEL_LENGTH);

  constructor(options: NearbyOptions, store: StoreReader) {
    this.#store = store;
    this.#places = options.places;
    this.#clients = options.clients;
    this.#ownNode = options.ownNodeLabel === '' ? undefined : Buffer.from(options.ownNodeLabel, 'latin1');
    this.#ownNodeName = options.ownNode;
  }

  /** Puts the label of the client's node there, of this server's own where the client is not known; false without either. */
  takeNode(query: Query, into: Uint8Array): boolean {
    const rrset = this.#findNode(query);
    if (rrset !== 0) return this.#take(rrset, into);
    const own = this.#ownNode;
    if (own === undefined) return false;
    for (let i = 0; i < PLACE_LABEL_LENGTH; i++) into[i] = own[i]!;
    return true;
  }

  /** Replaces a node's label by that of the zone it is in; false when that is not known. */
  takeZone(label: Uint8Array): boolean {
    const rrset = this.#findZone(label);
    return rrset !== 0 && this.#take(rrset, label);
  }

  /** Names of node and zone, '' for unknown. For metadata: allocates. */
  names(query: Query): { node: string; zone: string } {
    if (!this.takeNode(query, this.#label)) return { node: '', zone: '' };
    const node = this.#findNode(query);
    const zone = this.#findZone(this.#label);
    return {
      node: node === 0 ? this.#ownNodeName : this.#text(node),
      zone: zone === 0 ? '' : this.#text(zone),
    };
  }

  #findNode(query: Query): number {
    const clients = this.#clients;
    if (clients === undefined) return 0;
    const name = this.#client;
    return this.#find(clients, name, writeClientName(query.clientAddress, query.family === 4 ? 4 : 16, name));
  }

  #findZone(label: Uint8Array): number {
    return this.#find(this.#places, label, PLACE_LABEL_LENGTH);
  }

  #find(tree: number, name: Uint8Array, length: number): number {
    const store = this.#store;
    const entry = store.find(tree, name, 0, length, relativeNameHash(tree, name, 0, length));
    return entry === 0 ? 0 : store.findRrset(entry, PLACE_TYPE);
  }

  #take(rrset: number, into: Uint8Array): boolean {
    const { bytes } = this.#store;
    const at = this.#store.bytesAt(rrset);
    for (let i = 0; i < PLACE_LABEL_LENGTH; i++) into[i] = bytes[at + i]!;
    return true;
  }

  #text(rrset: number): string {
    const at = this.#store.bytesAt(rrset);
    const end = at + this.#store.byteLength(rrset);
    // Decoders refuse shared memory: a copy it is.
    return Buffer.from(this.#store.bytes.slice(at + PLACE_LABEL_LENGTH, end)).toString();
  }
}
