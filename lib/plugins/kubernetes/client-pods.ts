// The Pod that a query comes from, by its address (option `pods verified`). Worker, cold path.
import type { Query } from '../../chain/query.ts';
import { MAX_CLIENT_NAME_LENGTH, writeClientName } from '../../store/client-name.ts';
import { relativeNameHash } from '../../store/name-hash.ts';
import type { StoreReader } from '../../store/reader.ts';
import { ENTRY_FLAG, POD_TYPE } from '../../store/rrset-form.ts';

/** The only Pod at an address. */
export type ClientPod = {
  readonly namespace: string;
  readonly name: string;
  /** Key and value in turn. */
  readonly labels: readonly string[];
};

export class ClientPods {
  readonly #store: StoreReader;
  readonly #tree: number;
  readonly #name = new Uint8Array(MAX_CLIENT_NAME_LENGTH);
  #at = 0;

  /** @param tree of Pods by address */
  constructor(store: StoreReader, tree: number) {
    this.#store = store;
    this.#tree = tree;
  }

  /** The Pod at the client's address; undefined when there is none or several share it. Inside a batch. */
  find(query: Query): ClientPod | undefined {
    const rrset = this.#findRrset(query, 0);
    if (rrset === 0) return undefined;
    this.#at = this.#store.bytesAt(rrset);
    const namespace = this.#readText(false);
    const name = this.#readText(false);
    const labels: string[] = [];
    for (let left = 2 * this.#store.bytes[this.#at++]!; left > 0; left--) labels.push(this.#readText(true));
    return { namespace, name, labels };
  }

  /** Namespace of that Pod, if its resolver searches the cluster's zones in the usual order; else ''. Inside a batch. */
  findSearchNamespace(query: Query): string {
    const rrset = this.#findRrset(query, ENTRY_FLAG.CLUSTER_SEARCH);
    if (rrset === 0) return '';
    this.#at = this.#store.bytesAt(rrset);
    return this.#readText(false);
  }

  #findRrset(query: Query, flag: number): number {
    const store = this.#store;
    const name = this.#name;
    const length = writeClientName(query.clientAddress, query.family === 4 ? 4 : 16, name);
    const entry = store.find(this.#tree, name, 0, length, relativeNameHash(this.#tree, name, 0, length));
    if (entry === 0 || (store.flags(entry) & flag) !== flag) return 0;
    const rrset = store.findRrset(entry, POD_TYPE);
    return rrset !== 0 && store.recordCount(rrset) === 1 ? rrset : 0;
  }

  #readText(isLong: boolean): string {
    const { bytes } = this.#store;
    const length = isLong ? (bytes[this.#at++]! << 8) | bytes[this.#at++]! : bytes[this.#at++]!;
    const start = this.#at;
    this.#at += length;
    // Decoders refuse shared memory: a copy it is.
    return Buffer.from(bytes.slice(start, start + length)).toString();
  }
}
