// Label of a node or topology zone in a tree of places: always as long, whatever the place is called. Both kinds of thread.
import { createHash } from 'node:crypto';

export type PlaceKind = 'node' | 'zone';

/** Bytes of every such label, its length byte included. */
export const PLACE_LABEL_LENGTH = 26;
/** 96 bits: nobody finds two names that share a label. */
const DIGITS = PLACE_LABEL_LENGTH - 2;

/** Labels kept before they are made anew. */
const MAX_KNOWN = 8192;
const known = { node: new Map<string, string>(), zone: new Map<string, string>() };

/** One label in wire form, as Latin-1 text. Names of nodes may have 253 characters, more than a label or a name below it holds. */
export function placeLabel(kind: PlaceKind, name: string): string {
  const labels = known[kind];
  let label = labels.get(name);
  if (label === undefined) {
    const digest = createHash('sha256').update(name).digest('hex').slice(0, DIGITS);
    label = `${String.fromCharCode(PLACE_LABEL_LENGTH - 1)}${kind[0]}${digest}`;
    if (labels.size >= MAX_KNOWN) labels.clear();
    labels.set(name, label);
  }
  return label;
}
