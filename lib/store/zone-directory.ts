// Which zones a source serves at this moment, and the tree that holds each: one tree of the store that maps origins to
// trees. A zone gets a new version by one put here, so a reader sees all of the old version or all of the new. Worker.
//
// Design: docs/decisions/0009-zone-versions.md
import { formatName, parseNameLower } from '../wire/name.ts';
import { relativeNameHash } from './name-hash.ts';
import type { StoreReader } from './reader.ts';
import { ZONE_FLAG, ZONE_WORD } from './rrset-form.ts';
import { type LabelledName, ScratchName } from './zone-lookup.ts';

/**
 * Handle of the ZONE rrset of the zone that starts at `label` of the name, or 0.
 * @param directory tree of the directory
 */
export function findZone(store: StoreReader, directory: number, name: LabelledName, label: number): number {
  const at = name.labelAt[label]!;
  const length = name.labelAt[name.labelCount]! - at;
  const entry = store.find(directory, name.name, at, length, relativeNameHash(directory, name.name, at, length));
  return entry === 0 ? 0 : store.firstRrset(entry);
}

/** Index of the first label of the longest zone of the directory that the name is in, or -1. */
export function findLongestZone(store: StoreReader, directory: number, name: LabelledName): number {
  for (let label = 0; label <= name.labelCount; label++) {
    if (findZone(store, directory, name, label) !== 0) return label;
  }
  return -1;
}

/** A zone and the serial of its version in use. */
export type ZoneSerial = { readonly zone: string; readonly serial: number };

/** Serial of one zone; undefined when it is not loaded or has expired. Cold path. */
export function findSerial(store: StoreReader, directory: number, zone: string): ZoneSerial | undefined {
  const name = new ScratchName();
  name.set(parseNameLower(zone) ?? ROOT, 0);
  store.enter();
  try {
    const rrset = findZone(store, directory, name, 0);
    return rrset === 0 ? undefined : readSerial(store, rrset, zone);
  } finally {
    store.leave();
  }
}
const ROOT = Uint8Array.of(0);

function readSerial(store: StoreReader, rrset: number, zone: string): ZoneSerial | undefined {
  const at = store.bytesAt(rrset) >>> 2;
  if ((store.words[at + ZONE_WORD.FLAGS]! & ZONE_FLAG.EXPIRED) !== 0) return undefined;
  return { zone, serial: store.serial(store.words[at + ZONE_WORD.TREE]!) };
}

/** All zones of a directory. The walk goes over the whole store, so it is made only after the directory changed. Cold path. */
export class ZoneList {
  readonly #store: StoreReader;
  readonly #directory: number;
  #generation: number | undefined;
  #zones: readonly ZoneSerial[] = [];

  constructor(store: StoreReader, directory: number) {
    this.#store = store;
    this.#directory = directory;
  }

  read(): readonly ZoneSerial[] {
    const store = this.#store;
    const generation = store.generation(this.#directory);
    if (generation === this.#generation) return this.#zones;
    this.#generation = generation;
    const zones: ZoneSerial[] = [];
    store.enter();
    store.forEach(this.#directory, (entry) => {
      const at = store.nameAt(entry);
      const name = Buffer.concat([store.bytes.slice(at, at + store.nameLength(entry)), ROOT]);
      const zone = readSerial(store, store.firstRrset(entry), formatName(name));
      if (zone !== undefined) zones.push(zone);
    });
    store.leave();
    this.#zones = zones;
    return zones;
  }
}
