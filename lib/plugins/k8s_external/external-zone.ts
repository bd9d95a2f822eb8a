// One zone for use outside of the cluster: its SOA record, its name server, its transfer. Worker.
import type { Answer } from '../../chain/answer.ts';
import type { Query } from '../../chain/query.ts';
import { type ApexRecord, ServiceTransfer, soaRecord } from '../../chain/service-transfer.ts';
import type { TransferableZone, ZoneTransfer } from '../../chain/zone-transfer.ts';
import { TREE_STATE } from '../../store/layout.ts';
import { relativeNameHash } from '../../store/name-hash.ts';
import type { StoreReader } from '../../store/reader.ts';
import { ENTRY_FLAG } from '../../store/rrset-form.ts';
import { countLabels, parseNameLower } from '../../wire/name.ts';
import { SECTION, type Section } from '../../wire/record-index.ts';
import { RRTYPE } from '../../wire/types.ts';
import type { ExternalOptions } from './setup.ts';

const NS1 = Buffer.from('\x03ns1', 'latin1');
const HOSTMASTER = Buffer.from('\x0ahostmaster', 'latin1');
/** Entry with the addresses where headless Services count, see `HEADLESS_NAME_SERVERS` of the source. */
const HEADLESS = Buffer.from('\x09_headless', 'latin1');
const EMPTY = new Uint8Array(0);

export class ExternalZone {
  /** Labels of the zone, the root label not counted. */
  readonly labelCount: number;
  readonly #zone: string;
  readonly #options: ExternalOptions;
  readonly #store: StoreReader;
  readonly #tree: number;
  readonly #origin: Uint8Array;
  /** Labels of the apex below the zone, without root. */
  readonly #apex: Uint8Array;
  readonly #apexLabels: number;
  readonly #nameServer: Uint8Array;
  readonly #hostmaster: Uint8Array;

  constructor(zone: string, options: ExternalOptions, store: StoreReader, tree: number) {
    this.#zone = zone;
    this.#options = options;
    this.#store = store;
    this.#tree = tree;
    this.#origin = parseNameLower(zone) ?? Uint8Array.of(0);
    this.labelCount = countLabels(this.#origin);
    const apex = parseNameLower(options.apex) ?? Uint8Array.of(0);
    this.#apex = apex.subarray(0, apex.length - 1);
    this.#apexLabels = countLabels(apex);
    this.#nameServer = Buffer.concat([NS1, this.#apex, this.#origin]);
    this.#hostmaster = Buffer.concat([HOSTMASTER, this.#apex, this.#origin]);
  }

  /** Labels of the name before `<apex>.<zone>`; -1 when it is not at or below that. */
  findApex(query: Query, zoneLabel: number): number {
    const label = zoneLabel - this.#apexLabels;
    return label >= 0 && hasBytes(query.name, query.labelAt[label]!, this.#apex) ? label : -1;
  }

  isNameServer(query: Query): boolean {
    return hasBytes(query.name, 0, NS1);
  }

  /** Whether an entry of the tree is a name of this zone. */
  isServed(flags: number): boolean {
    if ((flags & ENTRY_FLAG.NAME_SERVER) !== 0) return false;
    return this.#options.headless || (flags & ENTRY_FLAG.HEADLESS) === 0;
  }

  addSoa(answer: Answer, section: Section): void {
    this.#add(answer, section, this.#soa(this.#store.serial(this.#tree)));
  }

  /** The NS record, and the addresses of the name server. */
  addNameServer(answer: Answer): void {
    const [server, ...addresses] = this.#nameServers();
    this.#add(answer, SECTION.ANSWER, server!);
    for (const address of addresses) this.#add(answer, SECTION.ADDITIONAL, address);
  }

  /** Handle of the name server's addresses of one type, 0 for none. */
  findNameServerAddresses(type: number): number {
    const key = this.#options.headless ? HEADLESS : EMPTY;
    const tree = this.#tree;
    const entry = this.#store.find(tree, key, 0, key.length, relativeNameHash(tree, key, 0, key.length));
    return entry === 0 ? 0 : this.#store.findRrset(entry, type);
  }

  transferable(): readonly TransferableZone[] {
    if (!this.#isGivenOut()) return [];
    return [{ zone: this.#zone, serial: this.#store.serial(this.#tree) }];
  }

  /** The whole zone; undefined when the name is not its apex. */
  openTransfer(query: Query): ZoneTransfer | undefined {
    if (query.labelCount !== this.labelCount || !this.#isGivenOut()) return undefined;
    return new ServiceTransfer({
      store: this.#store,
      tree: this.#tree,
      origin: this.#origin,
      ttlSeconds: this.#options.ttlSeconds,
      soa: (serial) => this.#soa(serial),
      nameServers: () => this.#nameServers(),
      isListed: (flags) => this.isServed(flags),
    });
  }

  /** Reverse names stand in several zones at once and are not listed. */
  #isGivenOut(): boolean {
    const state = this.#store.state(this.#tree);
    const isReverse = this.#options.zones.some(({ zone, isReverse: reverse }) => reverse && zone === this.#zone);
    return !isReverse && (state === TREE_STATE.SYNCED || state === TREE_STATE.SNAPSHOT);
  }

  #soa(serial: number): ApexRecord {
    const { ttlSeconds } = this.#options;
    return soaRecord(this.#origin, this.#nameServer, this.#hostmaster, ttlSeconds, ttlSeconds, serial);
  }

  #nameServers(): ApexRecord[] {
    const { ttlSeconds } = this.#options;
    const name = this.#nameServer;
    const records: ApexRecord[] = [
      { owner: this.#origin, type: RRTYPE.NS, ttlSeconds, rdata: (answer) => answer.writeName(name) },
    ];
    const { bytes } = this.#store;
    for (const [type, size] of [
      [RRTYPE.A, 4],
      [RRTYPE.AAAA, 16],
    ] as const) {
      const rrset = this.findNameServerAddresses(type);
      const count = rrset === 0 ? 0 : this.#store.recordCount(rrset);
      for (let i = 0; i < count; i++) {
        const at = this.#store.bytesAt(rrset) + i * size;
        const address = bytes.slice(at, at + size);
        records.push({ owner: name, type, ttlSeconds, rdata: (answer) => answer.putBytes(address, 0, size) });
      }
    }
    return records;
  }

  #add(answer: Answer, section: Section, { owner, type, ttlSeconds, rdata }: ApexRecord): void {
    if (!answer.beginRecord(section, owner, 0, type, ttlSeconds)) return;
    rdata(answer);
    answer.endRecord();
  }
}

function hasBytes(bytes: Uint8Array, at: number, expected: Uint8Array): boolean {
  for (let i = 0; i < expected.length; i++) if (bytes[at + i] !== expected[i]) return false;
  return true;
}
