// Which zones a source serves at this moment, and the tree that holds each: one tree of the store that maps origins to
// trees. A zone gets a new version by one put here, so a reader sees all of the old version or all of the new. Worker.
//
// Design: docs/decisions/0009-zone-versions.md
import { relativeNameHash } from './name-hash.ts';
import type { StoreReader } from './reader.ts';
import type { LabelledName } from './zone-lookup.ts';

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
