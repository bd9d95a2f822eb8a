// Puts whole versions of zones into the store: each version is a tree of its own, and one put into the directory makes it the
// one that is answered from. Control thread.
import type { StoreWriter } from '../../store/writer.ts';
import { applyChanges, type RrsetData } from '../../store/change.ts';
import { TREE_STATE } from '../../store/layout.ts';
import { relativeNameHash } from '../../store/name-hash.ts';
import { HASHED_ORDER_TYPE, RRSET_FORM, ZONE_FLAG, ZONE_ORDER_TYPE, ZONE_WORD } from '../../store/rrset-form.ts';
import { RRTYPE } from '../../wire/types.ts';
import { sortInSlices } from './sort-in-slices.ts';
import { readStoredZone } from './stored-zone.ts';
import type { ZoneContents } from './zone-contents.ts';
import { zoneNames, type ZoneName } from './zone-names.ts';

/** Names put before other work of the thread gets its turn: about 3 ms. */
const NAMES_PER_SLICE = 1000;

/** Lets other work of the thread run. */
export type Pause = () => Promise<void>;

export const nextTurn: Pause = () => new Promise<void>((resolve) => void setImmediate(resolve));

type Version = { readonly tree: number; readonly words: Int32Array };

export class ZonePublisher {
  readonly #writer: StoreWriter;
  readonly #directory: number;
  readonly #pause: Pause;
  /** Version in use, by the origin's bytes. */
  readonly #versions = new Map<string, Version>();
  #lastVersion = 0;

  /** @param directory tree that maps origins to trees; the publisher is its only writer */
  constructor(writer: StoreWriter, directory: number, pause: Pause = nextTurn) {
    this.#writer = writer;
    this.#directory = directory;
    this.#pause = pause;
  }

  /**
   * Makes these the zone's records. Until then the version before is answered from, whole; it stays when this fails.
   *
   * @throws RangeError when the store is full, out of trees, or a name has more records than it takes
   */
  async publish(contents: ZoneContents): Promise<void> {
    const tree = this.#writer.openTree();
    let version: Version;
    try {
      version = await this.#build(contents, tree);
    } catch (error) {
      this.#writer.dropTree(tree);
      await this.#clean(tree);
      throw error;
    }
    const key = keyOf(contents.origin);
    const before = this.#versions.get(key);
    this.#putZone(contents.origin, version);
    this.#versions.set(key, version);
    if (before !== undefined) this.#retire(before.tree);
  }

  /** Records of the version in use, copied out of the store. @throws Error when there is none, or no more */
  async read(origin: Uint8Array): Promise<ZoneContents> {
    const version = this.#versions.get(keyOf(origin));
    if (version === undefined) throw new Error('the zone is not served');
    const reading = readStoredZone(this.#writer.reader, version.tree, origin);
    for (;;) {
      const step = reading.next();
      if (step.done) return step.value;
      await this.#pause();
      if (this.#versions.get(keyOf(origin)) !== version) throw new Error('the zone was replaced meanwhile');
    }
  }

  /** Stops serving a zone. */
  remove(origin: Uint8Array): void {
    const key = keyOf(origin);
    const version = this.#versions.get(key);
    if (version === undefined) return;
    this.#versions.delete(key);
    this.#writer.remove(this.#directory, withoutRoot(origin));
    this.#retire(version.tree);
  }

  /** Whether a zone is answered from no more (RFC 1035 section 3.3.13, EXPIRE). */
  setExpired(origin: Uint8Array, isExpired: boolean): void {
    const version = this.#versions.get(keyOf(origin));
    if (version === undefined) return;
    const flags = version.words[ZONE_WORD.FLAGS]! & ~ZONE_FLAG.EXPIRED;
    version.words[ZONE_WORD.FLAGS] = flags | (isExpired ? ZONE_FLAG.EXPIRED : 0);
    this.#putZone(origin, version);
  }

  /** Gives all trees back. The directory itself is the caller's. */
  close(): void {
    for (const { tree } of this.#versions.values()) this.#retire(tree);
    this.#versions.clear();
  }

  async #build(contents: ZoneContents, tree: number): Promise<Version> {
    const writer = this.#writer;
    const sorting = sortInSlices(contents.keys());
    let step = sorting.next();
    for (; !step.done; step = sorting.next()) await this.#pause();
    const keys = step.value;
    let apex: ZoneName | undefined;
    let depth = 0;
    const names: Uint8Array[] = [];
    let slice: ZoneName[] = [];
    for (const name of zoneNames(contents, keys)) {
      // The apex comes last: it holds the order, which needs the others' handles.
      if (name.name.length === 0) apex = name;
      else slice.push(name);
      depth = Math.max(depth, countRelativeLabels(name.name));
      if (slice.length < NAMES_PER_SLICE) continue;
      this.#put(tree, slice, names);
      slice = [];
      await this.#pause();
    }
    this.#put(tree, slice, names);
    const order = await this.#makeOrder(tree, names);
    const rrsets = apex?.rrsets ?? [];
    this.#put(tree, [{ kind: 'put', name: EMPTY, flags: apex?.flags ?? 0, rrsets: [...rrsets, ...order] }], []);
    writer.setSerial(tree, contents.serial ?? 0);
    writer.setState(tree, TREE_STATE.SYNCED);
    const words = new Int32Array(ZONE_WORD.COUNT);
    words[ZONE_WORD.TREE] = tree;
    words[ZONE_WORD.APEX] = writer.reader.find(tree, EMPTY, 0, 0, relativeNameHash(tree, EMPTY));
    words[ZONE_WORD.FLAGS] = denialFlags(rrsets);
    words[ZONE_WORD.DEPTH] = depth;
    words[ZONE_WORD.VERSION] = ++this.#lastVersion;
    return { tree, words };
  }

  #put(tree: number, slice: readonly ZoneName[], names: Uint8Array[]): void {
    const { rejected } = applyChanges(this.#writer, tree, slice);
    if (rejected > 0) throw new RangeError('the store is full');
    for (const { name } of slice) names.push(name);
  }

  /** Handles of all names in the order they were put, and those of the owners of NSEC3 records. */
  async #makeOrder(tree: number, names: readonly Uint8Array[]): Promise<RrsetData[]> {
    const { reader } = this.#writer;
    const handles = new Int32Array(names.length);
    const hashed: number[] = [];
    for (let i = 0; i < names.length; i++) {
      const name = names[i]!;
      const entry = reader.find(tree, name, 0, name.length, relativeNameHash(tree, name));
      handles[i] = entry;
      if (name.length === HASHED_NAME_LENGTH && reader.findRrset(entry, RRTYPE.NSEC3) !== 0) hashed.push(entry);
      if ((i + 1) % (NAMES_PER_SLICE * 5) === 0) await this.#pause();
    }
    return [
      makeOrderRrset(ZONE_ORDER_TYPE, handles),
      makeOrderRrset(HASHED_ORDER_TYPE, Int32Array.from(hashed)),
    ].filter(({ bytes }) => bytes.length > 0);
  }

  #putZone(origin: Uint8Array, { words }: Version): void {
    const zone: RrsetData = { type: 0, count: 1, form: RRSET_FORM.ZONE, bytes: new Uint8Array(words.buffer) };
    this.#writer.put(this.#directory, withoutRoot(origin), 0, [zone]);
    this.#writer.commit();
  }

  #retire(tree: number): void {
    this.#writer.retireTree(tree);
    void this.#clean(tree);
  }

  /** Empties a tree in slices; a reader that stays in a batch holds it, and some later commit goes on. */
  async #clean(tree: number): Promise<void> {
    for (let turns = 0; turns < MAX_CLEANING_TURNS && this.#writer.hasTree(tree); turns++) {
      this.#writer.commit();
      await this.#pause();
    }
  }
}
const MAX_CLEANING_TURNS = 10_000;
const EMPTY = new Uint8Array(0);
/** One label of a hash in base 32. */
const HASHED_NAME_LENGTH = 33;

function makeOrderRrset(type: number, handles: Int32Array): RrsetData {
  return { type, count: 1, form: RRSET_FORM.ZONE_ORDER, bytes: new Uint8Array(handles.buffer) };
}

function denialFlags(apex: readonly RrsetData[]): number {
  const has = (type: number): boolean => apex.some((rrset) => rrset.type === type);
  return (has(RRTYPE.NSEC) ? ZONE_FLAG.NSEC : 0) | (has(RRTYPE.NSEC3PARAM) ? ZONE_FLAG.NSEC3 : 0);
}

/** Labels of a name without root label. */
function countRelativeLabels(name: Uint8Array): number {
  let count = 0;
  for (let at = 0; at < name.length; at += name[at]! + 1) count++;
  return count;
}

function withoutRoot(origin: Uint8Array): Uint8Array {
  return origin.subarray(0, origin.length - 1);
}

function keyOf(origin: Uint8Array): string {
  return Buffer.from(origin).toString('latin1');
}
