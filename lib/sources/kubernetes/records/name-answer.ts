// What is gathered for one name of a Service, and the rrsets made of it. Control thread, pure.
import { parseIpAddress } from '../../../base/ip-address.ts';
import type { RrsetData } from '../../../store/change.ts';
import { RRSET_FORM } from '../../../store/rrset-form.ts';
import { parseNameLower } from '../../../wire/name.ts';
import { RRTYPE } from '../../../wire/types.ts';
import type { Port } from '../objects/interned.ts';
import { ByteList } from './byte-list.ts';

/** What one name holds. */
export type Contents = { readonly flags: number; readonly rrsets: readonly RrsetData[] };

/** An endpoint port without number stands in the objects as this; it has addresses but no SRV record. */
export const NO_PORT = -1;
export const PSEUDO_PORTS: readonly Port[] = [{ name: '', protocol: '', port: NO_PORT }];

/** Addresses of one name or SRV target, each once, in order of appearance. */
export class AddressSet {
  readonly ipv4: Uint8Array[] = [];
  readonly ipv6: Uint8Array[] = [];
  readonly #seen = new Set<string>();

  add(text: string): void {
    if (this.#seen.has(text)) return;
    const address = parseIpAddress(text);
    if (!address || address.zone !== '') return;
    this.#seen.add(text);
    (address.bytes.length === 4 ? this.ipv4 : this.ipv6).push(address.bytes);
  }

  get isEmpty(): boolean {
    return this.ipv4.length === 0 && this.ipv6.length === 0;
  }
}

type Target = { readonly addresses: AddressSet; readonly ports: Set<number> };

/** What is gathered for one name before its rrsets are made. */
export class NameAnswer {
  readonly addresses: AddressSet = new AddressSet();
  readonly targets: Map<string, Target> = new Map();
  /** Entries that the SRV weight is divided by: duplicates and ports without number count, as in CoreDNS. */
  entries = 0;
  /** First host name where names stand instead of addresses. */
  alias = '';
  readonly #aliasPorts = new Set<number>();

  add(target: string, address: string, port: number, isName: boolean): void {
    this.entries++;
    if (isName) {
      if (this.alias === '') this.alias = address;
      if (this.alias === address && port !== NO_PORT) this.#aliasPorts.add(port);
      return;
    }
    this.addresses.add(address);
    let entry = this.targets.get(target);
    if (!entry) {
      entry = { addresses: new AddressSet(), ports: new Set() };
      this.targets.set(target, entry);
    }
    entry.addresses.add(address);
    if (port !== NO_PORT) entry.ports.add(port);
  }

  /** @param drop labels of the asked name that stand before the targets' common end */
  contents(flags: number, drop: number): Contents {
    const rrsets: RrsetData[] = [];
    const { ipv4, ipv6 } = this.addresses;
    if (ipv4.length > 0) rrsets.push(addressRrset(RRTYPE.A, ipv4));
    if (ipv6.length > 0) rrsets.push(addressRrset(RRTYPE.AAAA, ipv6));
    const srv = serviceRrset(this.targets, drop, this.entries);
    if (srv) rrsets.push(srv);
    const alias = this.addresses.isEmpty && this.alias !== '' ? parseNameLower(this.alias) : undefined;
    if (alias) {
      rrsets.push(nameRrset(alias));
      if (this.#aliasPorts.size > 0) rrsets.push(aliasPortsRrset(alias, this.#aliasPorts, this.entries));
    }
    return { flags, rrsets };
  }
}

const scratch = new ByteList();

export function addressRrset(type: number, addresses: readonly Uint8Array[]): RrsetData {
  scratch.clear();
  for (const address of addresses) scratch.putBytes(address);
  return { type, count: addresses.length, form: RRSET_FORM.ADDRESSES, bytes: scratch.take() };
}

export function nameRrset(name: Uint8Array): RrsetData {
  return { type: RRTYPE.CNAME, count: 1, form: RRSET_FORM.NAME, bytes: name };
}

/** SRV records that lead to a name outside the zone. */
function aliasPortsRrset(alias: Uint8Array, ports: ReadonlySet<number>, entries: number): RrsetData {
  const weight = Math.max(1, Math.floor(100 / entries));
  scratch.clear();
  for (const port of ports) {
    scratch.putShort(6 + alias.length);
    scratch.putShort(0);
    scratch.putShort(weight);
    scratch.putShort(port);
    scratch.putBytes(alias);
  }
  return { type: RRTYPE.SRV, count: ports.size, form: RRSET_FORM.RDATA, bytes: scratch.take() };
}

const MAX_TARGETS = 0xffff;
const MAX_PER_TARGET = 255;

/** See `RRSET_FORM.SERVICE`; undefined when no target has a port. */
function serviceRrset(targets: ReadonlyMap<string, Target>, drop: number, entries: number): RrsetData | undefined {
  const weight = Math.max(1, Math.floor(100 / entries));
  scratch.clear();
  scratch.putByte(drop);
  scratch.putByte(0);
  scratch.putShort(0);
  let targetCount = 0;
  let records = 0;
  for (const [prefix, { addresses, ports }] of targets) {
    if (ports.size === 0 || targetCount === MAX_TARGETS || records + MAX_PER_TARGET > MAX_TARGETS) continue;
    targetCount++;
    putTarget(prefix, ports, weight, addresses);
    records += Math.min(ports.size, MAX_PER_TARGET);
  }
  if (records === 0) return undefined;
  scratch.setShort(2, targetCount);
  return { type: RRTYPE.SRV, count: records, form: RRSET_FORM.SERVICE, bytes: scratch.take() };
}

function putTarget(prefix: string, ports: ReadonlySet<number>, weight: number, addresses: AddressSet): void {
  scratch.putByte(prefix.length);
  scratch.putBytes(Buffer.from(prefix, 'latin1'));
  scratch.putByte(Math.min(ports.size, MAX_PER_TARGET));
  let written = 0;
  for (const port of ports) {
    if (written++ === MAX_PER_TARGET) break;
    scratch.putShort(weight);
    scratch.putShort(port);
  }
  for (const family of [addresses.ipv4, addresses.ipv6]) {
    scratch.putByte(Math.min(family.length, MAX_PER_TARGET));
    for (const address of family.slice(0, MAX_PER_TARGET)) scratch.putBytes(address);
  }
}

/** NS names below the zone with their addresses; see `RRSET_FORM.NAME_SERVERS`. */
export function nameServerRrset(servers: ReadonlyMap<string, readonly string[]>): RrsetData {
  scratch.clear();
  scratch.putByte(0);
  scratch.putByte(0);
  scratch.putShort(servers.size);
  const noPorts = new Set<number>();
  for (const [name, texts] of servers) {
    const addresses = new AddressSet();
    for (const text of texts) addresses.add(text);
    putTarget(name, noPorts, 0, addresses);
  }
  return { type: RRTYPE.NS, count: servers.size, form: RRSET_FORM.NAME_SERVERS, bytes: scratch.take() };
}
