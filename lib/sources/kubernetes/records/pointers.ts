// PTR rrsets: reading the targets a reverse name has, adding one, taking one away. Control thread.
//
// The store itself is the index from address to names, so there is no second copy of 100,000 addresses in the heap.
import { parseIpAddress } from '../../../base/ip-address.ts';
import type { RrsetData } from '../../../store/change.ts';
import { PTR_KIND, RRSET_FORM } from '../../../store/rrset-form.ts';
import type { StoreWriter } from '../../../store/writer.ts';
import { RRTYPE } from '../../../wire/types.ts';
import { ByteList } from './byte-list.ts';
import { reverseName, toBytes } from './relative-name.ts';

const MAX_TARGETS = 1000;
const NONE: readonly string[] = [];
const scratch = new ByteList();

/** A target with its kind in front, as it stands in the rrset. */
function encodeTarget(kind: number, relative: string): string {
  return String.fromCharCode(kind, relative.length) + relative;
}

export class Pointers {
  readonly #writer: StoreWriter;
  readonly #tree: number;
  readonly #isSorted: boolean;

  /** @param isSorted targets stand in the order of their names, host names first; else as they came */
  constructor(writer: StoreWriter, tree: number, isSorted: boolean) {
    this.#writer = writer;
    this.#tree = tree;
    this.#isSorted = isSorted;
  }

  /**
   * Adds a target to the address's reverse name; false when it was there or the address is none.
   * @param kind `PTR_KIND`
   * @param relative name relative to the primary zone
   */
  add(address: string, kind: number, relative: string): boolean {
    const name = reverseOf(address);
    if (name === undefined || relative.length > 255) return false;
    if (this.#writeFirst(name, kind, relative)) return true;
    const targets = this.#read(name);
    const target = encodeTarget(kind, relative);
    if (targets.includes(target) || targets.length >= MAX_TARGETS) return false;
    const all = [...targets, target];
    return this.#write(name, this.#isSorted ? all.sort(compareTargets) : all);
  }

  /** Takes a target away; the name goes with its last one. */
  remove(address: string, kind: number, relative: string): boolean {
    const name = reverseOf(address);
    if (name === undefined) return false;
    const targets = this.#read(name);
    const at = targets.indexOf(encodeTarget(kind, relative));
    if (at === -1) return false;
    return this.#write(name, targets.toSpliced(at, 1));
  }

  #read(name: string): readonly string[] {
    const rrset = this.#writer.get(this.#tree, toBytes(name))?.rrsets[0];
    if (!rrset) return NONE;
    const targets: string[] = [];
    const text = Buffer.from(rrset.bytes).toString('latin1');
    for (let at = 0; at < text.length; ) {
      const end = at + 2 + text.charCodeAt(at + 1);
      targets.push(text.slice(at, end));
      at = end;
    }
    return targets;
  }

  #write(name: string, targets: readonly string[]): boolean {
    if (targets.length === 0) return this.#writer.remove(this.#tree, toBytes(name));
    scratch.clear();
    for (const target of targets) scratch.putLatin1(target);
    return this.#put(name, targets.length);
  }

  /** The usual case, an address of one endpoint, without lists. @returns false when the name has targets */
  #writeFirst(name: string, kind: number, relative: string): boolean {
    scratch.clear();
    scratch.putByte(kind);
    scratch.putByte(relative.length);
    scratch.putLatin1(relative);
    return this.#put(name, 1, true);
  }

  #put(name: string, count: number, onlyNew = false): boolean {
    const rrset: RrsetData = {
      type: RRTYPE.PTR,
      count,
      form: RRSET_FORM.POINTERS,
      bytes: scratch.take(),
    };
    return this.#writer.put(this.#tree, toBytes(name), 0, [rrset], onlyNew);
  }
}

function compareTargets(left: string, right: string): number {
  const byHostname = Number(isHostname(right)) - Number(isHostname(left));
  if (byHostname !== 0) return byHostname;
  return dotted(left) < dotted(right) ? -1 : 1;
}

/** The name in a target as text, so that its letters decide and not the lengths of its labels. */
function dotted(target: string): string {
  let text = '';
  for (let at = 2; at < target.length; ) {
    const end = at + 1 + target.charCodeAt(at);
    text += `${target.slice(at + 1, end)}.`;
    at = end;
  }
  return text;
}

function isHostname(target: string): boolean {
  return target.charCodeAt(0) === PTR_KIND.HOSTNAME;
}

function reverseOf(address: string): string | undefined {
  const parsed = parseIpAddress(address);
  return parsed && parsed.zone === '' ? reverseName(parsed.bytes) : undefined;
}
