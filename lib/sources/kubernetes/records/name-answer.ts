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

let lastText = '';
let lastBytes: Uint8Array | undefined;

/** The bytes of an address without zone, not to be changed; an address is added to several names in a row, so the last one is kept. */
export function addressBytes(text: string): Uint8Array | undefined {
  if (text !== lastText) {
    const address = parseIpAddress(text);
    lastText = text;
    lastBytes = address?.zone === '' ? address.bytes : undefined;
  }
  return lastBytes;
}

/** So many texts are searched one by one, more through a table. */
const MAX_SEARCHED = 16;

/** Addresses of one name or SRV target, each once, in order of appearance. */
export class AddressSet {
  readonly ipv4: Uint8Array[] = [];
  readonly ipv6: Uint8Array[] = [];
  readonly #texts: string[] = [];
  #table: Set<string> | undefined;

  add(text: string): void {
    if (this.#table ? this.#table.has(text) : this.#texts.includes(text)) return;
    const bytes = addressBytes(text);
    if (!bytes) return;
    if (this.#table) this.#table.add(text);
    else if (this.#texts.push(text) > MAX_SEARCHED) this.#table = new Set(this.#texts);
    (bytes.length === 4 ? this.ipv4 : this.ipv6).push(bytes);
  }

  get isEmpty(): boolean {
    return this.ipv4.length === 0 && this.ipv6.length === 0;
  }
}

/** `ports`: each once; a Service or slice has at most a hundred. */
type Target = { readonly addresses: AddressSet; readonly ports: number[] };

/** What is gathered for one name before its rrsets are made. */
export class NameAnswer {
  readonly addresses: AddressSet = new AddressSet();
  readonly targets: Map<string, Target> = new Map();
  /** Entries that the SRV weight is divided by: duplicates and ports without number count, as in CoreDNS. */
  entries = 0;
  /** First host name where names stand instead of addresses. */
  alias = '';
  #aliasPorts: Set<number> | undefined;

  add(target: string, address: string, port: number, isName: boolean): void {
    this.entries++;
    if (isName) {
      if (this.alias === '') this.alias = address;
      if (this.alias === address && port !== NO_PORT) (this.#aliasPorts ??= new Set()).add(port);
      return;
    }
    this.addresses.add(address);
    let entry = this.targets.get(target);
    if (!entry) {
      entry = { addresses: new AddressSet(), ports: [] };
      this.targets.set(target, entry);
    }
    entry.addresses.add(address);
    if (port !== NO_PORT && !entry.ports.includes(port)) entry.ports.push(port);
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
      if (this.#aliasPorts) rrsets.push(aliasPortsRrset(alias, this.#aliasPorts, this.entries));
    }
    return { flags, rrsets };
  }
}

/** What a name with one address has: the same as `NameAnswer` would make of it, for the many endpoints that are so. */
export function singleContents(flags: number, address: Uint8Array, ports: readonly Port[]): Contents {
  const isIpv4 = address.length === 4;
  const own: RrsetData = {
    type: isIpv4 ? RRTYPE.A : RRTYPE.AAAA,
    count: 1,
    form: RRSET_FORM.ADDRESSES,
    bytes: address,
  };
  const numbers: number[] = [];
  for (const { port } of ports) if (port !== NO_PORT && !numbers.includes(port)) numbers.push(port);
  if (numbers.length === 0) return { flags, rrsets: [own] };
  beginService(0);
  scratch.setShort(2, 1);
  putTarget('', numbers, weightOf(ports.length), isIpv4 ? [address] : NO_ADDRESSES, isIpv4 ? NO_ADDRESSES : [address]);
  const count = Math.min(numbers.length, MAX_PER_TARGET);
  return { flags, rrsets: [own, { type: RRTYPE.SRV, count, form: RRSET_FORM.SERVICE, bytes: scratch.take() }] };
}

const scratch = new ByteList();
const NO_ADDRESSES: readonly Uint8Array[] = [];

/** All entries have the same weight, a hundred in all. */
function weightOf(entries: number): number {
  return Math.max(1, Math.floor(100 / entries));
}

function beginService(drop: number): void {
  scratch.clear();
  scratch.putByte(drop);
  scratch.putByte(0);
  scratch.putShort(0);
}

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
  const weight = weightOf(entries);
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
  const weight = weightOf(entries);
  beginService(drop);
  let targetCount = 0;
  let records = 0;
  for (const [prefix, { addresses, ports }] of targets) {
    if (ports.length === 0 || targetCount === MAX_TARGETS || records + MAX_PER_TARGET > MAX_TARGETS) continue;
    targetCount++;
    putTarget(prefix, ports, weight, addresses.ipv4, addresses.ipv6);
    records += Math.min(ports.length, MAX_PER_TARGET);
  }
  if (records === 0) return undefined;
  scratch.setShort(2, targetCount);
  return { type: RRTYPE.SRV, count: records, form: RRSET_FORM.SERVICE, bytes: scratch.take() };
}

function putTarget(
  prefix: string,
  ports: readonly number[],
  weight: number,
  ipv4: readonly Uint8Array[],
  ipv6: readonly Uint8Array[],
): void {
  scratch.putByte(prefix.length);
  scratch.putLatin1(prefix);
  const portCount = Math.min(ports.length, MAX_PER_TARGET);
  scratch.putByte(portCount);
  for (let i = 0; i < portCount; i++) {
    scratch.putShort(weight);
    scratch.putShort(ports[i]!);
  }
  putAddresses(ipv4);
  putAddresses(ipv6);
}

function putAddresses(addresses: readonly Uint8Array[]): void {
  const count = Math.min(addresses.length, MAX_PER_TARGET);
  scratch.putByte(count);
  for (let i = 0; i < count; i++) scratch.putBytes(addresses[i]!);
}

/** NS names below the zone with their addresses; see `RRSET_FORM.NAME_SERVERS`. */
export function nameServerRrset(servers: ReadonlyMap<string, readonly string[]>): RrsetData {
  scratch.clear();
  scratch.putByte(0);
  scratch.putByte(0);
  scratch.putShort(servers.size);
  for (const [name, texts] of servers) {
    const addresses = new AddressSet();
    for (const text of texts) addresses.add(text);
    putTarget(name, [], 0, addresses.ipv4, addresses.ipv6);
  }
  return { type: RRTYPE.NS, count: servers.size, form: RRSET_FORM.NAME_SERVERS, bytes: scratch.take() };
}
