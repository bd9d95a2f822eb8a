// Names for the endpoints of one topology zone: `<zone>.pin|prefer._zone.<service>.<namespace>.svc`. Worker.
import type { Query } from '../../chain/query.ts';
import { relativeNameHash } from '../../store/name-hash.ts';
import type { StoreReader } from '../../store/reader.ts';

const PIN = Buffer.from('\x03pin', 'latin1');
const PREFER = Buffer.from('\x06prefer', 'latin1');
const ANCHOR = Buffer.from('\x05_zone', 'latin1');
const SVC = Buffer.from('\x03svc', 'latin1');
/** Labels behind the directive: the anchor, service, namespace, `svc`. */
const LABELS_BEHIND = 4;

/** Where such a name leads; reused. */
export type ZonalName = {
  /** Entry with the records; 0: the Service has no endpoint there. */
  entry: number;
  /** Index of the Service's label in the asked name. */
  serviceLabel: number;
  /** The Service exists and is headless. */
  isKnown: boolean;
};

const scratch = new Uint8Array(256);

/** Looks up a name with at least six labels before the zone. */
export function findZonal(store: StoreReader, tree: number, query: Query, zoneLabel: number, into: ZonalName): void {
  into.entry = 0;
  into.isKnown = false;
  into.serviceLabel = zoneLabel - LABELS_BEHIND + 1;
  const anchorAt = query.labelAt[zoneLabel - LABELS_BEHIND]!;
  const directiveAt = query.labelAt[zoneLabel - LABELS_BEHIND - 1]!;
  if (!hasBytes(query.name, anchorAt, ANCHOR) || !hasBytes(query.name, query.labelAt[zoneLabel - 1]!, SVC)) return;
  const isPrefer = hasBytes(query.name, directiveAt, PREFER);
  if (!isPrefer && !hasBytes(query.name, directiveAt, PIN)) return;
  // The store has every zone once, as `pin`.
  const end = query.labelAt[zoneLabel]!;
  let length = copy(query.name, 0, directiveAt, 0);
  const pinAt = length;
  length = copy(PIN, 0, PIN.length, length);
  length = copy(query.name, anchorAt, end, length);
  into.isKnown = find(store, tree, scratch, pinAt, length) !== 0;
  if (!into.isKnown) return;
  into.entry = find(store, tree, scratch, 0, length);
  const serviceAt = query.labelAt[into.serviceLabel]!;
  if (into.entry === 0 && isPrefer) into.entry = find(store, tree, query.name, serviceAt, end);
}

function find(store: StoreReader, tree: number, name: Uint8Array, at: number, end: number): number {
  return store.find(tree, name, at, end - at, relativeNameHash(tree, name, at, end - at));
}

function copy(from: Uint8Array, at: number, end: number, to: number): number {
  while (at < end) scratch[to++] = from[at++]!;
  return to;
}

function hasBytes(bytes: Uint8Array, at: number, expected: Uint8Array): boolean {
  for (let i = 0; i < expected.length; i++) if (bytes[at + i] !== expected[i]) return false;
  return true;
}
