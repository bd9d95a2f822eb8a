// The topology zone of each node, as EndpointSlices and Pods tell it: Node objects are not read, the ClusterRole of CoreDNS
// does not cover them. Control thread.
import { placeLabel } from '../../../store/place-name.ts';
import { PLACE_TYPE, RRSET_FORM } from '../../../store/rrset-form.ts';
import type { StoreWriter } from '../../../store/writer.ts';
import type { EndpointSlice } from '../objects/endpoint-slice.ts';
import type { Pod } from '../objects/pod.ts';
import { toBytes } from './relative-name.ts';

/** By node: how many objects say that it is in a zone. */
type Witnesses = Map<string, Map<string, number>>;

export class NodeZones {
  readonly #writer: StoreWriter;
  readonly #tree: number;
  readonly #endpoints: Witnesses = new Map();
  /** They count where no endpoint says anything: whoever owns a Pod can change its labels. */
  readonly #pods: Witnesses = new Map();

  /** @param tree of places */
  constructor(writer: StoreWriter, tree: number) {
    this.#writer = writer;
    this.#tree = tree;
  }

  /** @throws StoreFullError when the store has no room */
  changeSlice(now: EndpointSlice | undefined, before: EndpointSlice | undefined): void {
    // What stays true is never unsaid in between.
    if (now) this.#forEach(now, 1);
    if (before) this.#forEach(before, -1);
  }

  /** @throws StoreFullError when the store has no room */
  changePod(now: Pod | undefined, before: Pod | undefined): void {
    if (now?.place) this.#count(this.#pods, now.place.node, now.place.zone, 1);
    if (before?.place) this.#count(this.#pods, before.place.node, before.place.zone, -1);
  }

  #forEach(slice: EndpointSlice, by: 1 | -1): void {
    // Imported slices speak of nodes of other clusters, which may be called the same.
    if (slice.importName !== '') return;
    for (let i = 0; i < slice.zones.length; i++) {
      this.#count(this.#endpoints, slice.nodeNames[i] ?? '', slice.zones[i]!, by);
    }
  }

  #count(witnesses: Witnesses, node: string, zone: string, by: 1 | -1): void {
    if (node === '' || zone === '') return;
    let zones = witnesses.get(node);
    if (!zones) {
      zones = new Map();
      witnesses.set(node, zones);
    }
    const count = (zones.get(zone) ?? 0) + by;
    if (count > 0) zones.set(zone, count);
    else zones.delete(zone);
    if (zones.size === 0) witnesses.delete(node);
    if (count === 0 || (by === 1 && count === 1)) this.#publish(node);
  }

  /** A node that is said to be in several zones is in none for now. */
  #publish(node: string): void {
    const zones = this.#endpoints.get(node) ?? this.#pods.get(node);
    const name = toBytes(placeLabel('node', node));
    if (zones?.size !== 1) {
      this.#writer.remove(this.#tree, name);
      return;
    }
    const [zone] = zones.keys();
    const bytes = placeBytes('zone', zone!);
    this.#writer.put(this.#tree, name, 0, [{ type: PLACE_TYPE, count: 1, form: RRSET_FORM.PLACE, bytes }]);
  }
}

/** Bytes of an rrset of form PLACE. */
export function placeBytes(kind: 'node' | 'zone', name: string): Uint8Array {
  return Buffer.concat([Buffer.from(placeLabel(kind, name), 'latin1'), Buffer.from(name)]);
}
