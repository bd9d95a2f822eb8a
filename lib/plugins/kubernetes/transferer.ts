// The zones of a cluster as `transfer` gives them out. Worker, cold path.
import type { Query } from '../../chain/query.ts';
import { type ApexRecord, ServiceTransfer, soaRecord } from '../../chain/service-transfer.ts';
import { ZoneTable } from '../../chain/zone-table.ts';
import type { TransferableZone, ZoneTransfer, ZoneTransferer } from '../../chain/zone-transfer.ts';
import { TREE_STATE } from '../../store/layout.ts';
import { relativeNameHash } from '../../store/name-hash.ts';
import type { StoreReader } from '../../store/reader.ts';
import { parseNameLower } from '../../wire/name.ts';
import { RRTYPE } from '../../wire/types.ts';
import type { KubernetesOptions } from './setup.ts';
import { MAX_SOA_TTL_SECONDS } from './soa.ts';

const EMPTY = new Uint8Array(0);
const NS_DNS = Buffer.from('\x02ns\x03dns', 'latin1');
const HOSTMASTER = Buffer.from('\x0ahostmaster', 'latin1');

type ClusterZone = {
  readonly zone: string;
  readonly origin: Uint8Array;
  readonly labels: number;
  readonly tree: number;
};

export class ClusterTransferer implements ZoneTransferer {
  readonly #options: KubernetesOptions;
  readonly #store: StoreReader;
  readonly #table: ZoneTable;
  readonly #zones: readonly ClusterZone[];

  constructor(options: KubernetesOptions, store: StoreReader) {
    this.#options = options;
    this.#store = store;
    // Reverse names stand in several zones at once and are not listed: such zones are not given out.
    this.#zones = options.zones
      .filter(({ isReverse }) => !isReverse)
      .map(({ zone, isMulticluster }) => ({
        zone,
        origin: parseNameLower(zone) ?? Uint8Array.of(0),
        labels: zone === '.' ? 0 : zone.split('.').length - 1,
        tree: isMulticluster ? options.trees.imports! : options.tree,
      }));
    this.#table = new ZoneTable(this.#zones.map(({ zone }) => zone));
  }

  zones(): readonly TransferableZone[] {
    return this.#zones
      .filter(({ tree }) => this.#isComplete(tree))
      .map(({ zone, tree }) => ({ zone, serial: this.#store.serial(tree) }));
  }

  open(query: Query): ZoneTransfer | undefined {
    const found = this.#zones[this.#table.match(query)];
    if (!found || found.labels !== query.labelCount) return undefined;
    // Half a zone must not take the place of a whole one elsewhere.
    if (!this.#isComplete(found.tree)) return undefined;
    const { origin, tree } = found;
    const { ttlSeconds } = this.#options;
    const mname = join(NS_DNS, origin);
    const rname = join(HOSTMASTER, origin);
    const soaTtl = Math.min(ttlSeconds, MAX_SOA_TTL_SECONDS);
    return new ServiceTransfer({
      store: this.#store,
      tree,
      origin,
      ttlSeconds,
      soa: (serial) => soaRecord(origin, mname, rname, soaTtl, ttlSeconds, serial),
      nameServers: () => this.#nameServers(origin),
      isListed: () => true,
    });
  }

  #isComplete(tree: number): boolean {
    const state = this.#store.state(tree);
    return state === TREE_STATE.SYNCED || state === TREE_STATE.SNAPSHOT;
  }

  /** NS records, then the addresses of their names; these with TTL 0, as CoreDNS lists them. */
  #nameServers(origin: Uint8Array): ApexRecord[] {
    const store = this.#store;
    const { tree, ttlSeconds } = this.#options;
    const entry = store.find(tree, EMPTY, 0, 0, relativeNameHash(tree, EMPTY, 0, 0));
    const rrset = entry === 0 ? 0 : store.findRrset(entry, RRTYPE.NS);
    if (rrset === 0) return [];
    const { bytes } = store;
    const servers: ApexRecord[] = [];
    const addresses: ApexRecord[] = [];
    let at = store.bytesAt(rrset) + 4;
    for (let left = store.recordCount(rrset); left > 0; left--) {
      const name = join(bytes.slice(at + 1, at + 1 + bytes[at]!), origin);
      servers.push({ owner: origin, type: RRTYPE.NS, ttlSeconds, rdata: (answer) => answer.writeName(name) });
      at += 1 + bytes[at]!;
      at += 1 + bytes[at]! * 4;
      for (const [type, size] of [
        [RRTYPE.A, 4],
        [RRTYPE.AAAA, 16],
      ] as const) {
        let count = bytes[at++]!;
        for (; count > 0; count--, at += size) {
          const address = bytes.slice(at, at + size);
          addresses.push({ owner: name, type, ttlSeconds: 0, rdata: (answer) => answer.putBytes(address, 0, size) });
        }
      }
    }
    return [...servers, ...addresses];
  }
}

function join(labels: Uint8Array, origin: Uint8Array): Uint8Array {
  return Buffer.concat([labels, origin]);
}
