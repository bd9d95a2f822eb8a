// Pods by their address, so that a worker can tell whose query it holds (metadata, autopath). Control thread.
//
// A tree of its own: one entry per address, its name the address in hexadecimal digits, see client-name.ts. Where Pods have
// places the node of the address stands beside the Pod.
import { parseIpAddress, unmapIpv4 } from '../../../base/ip-address.ts';
import { clientName } from '../../../store/client-name.ts';
import type { RrsetData } from '../../../store/change.ts';
import { ENTRY_FLAG, PLACE_TYPE, POD_TYPE, RRSET_FORM } from '../../../store/rrset-form.ts';
import type { StoreWriter } from '../../../store/writer.ts';
import type { Pod } from '../objects/pod.ts';
import { ByteList } from './byte-list.ts';
import { placeBytes } from './node-zones.ts';

const MAX_LABELS = 255;
const MAX_SHARERS = 0xffff;
const scratch = new ByteList();

export class PodClients {
  readonly #writer: StoreWriter;
  readonly #tree: number;
  /** Pods of each address: one, or all that share it (host network, an address given out again). */
  readonly #pods = new Map<string, Pod | readonly Pod[]>();

  constructor(writer: StoreWriter, tree: number) {
    this.#writer = writer;
    this.#tree = tree;
  }

  /** @throws StoreFullError when the store has no room */
  change(now: Pod | undefined, before: Pod | undefined): void {
    const old = before ? keysOf(before) : NO_KEYS;
    const keys = now ? keysOf(now) : NO_KEYS;
    for (const key of old) this.#forget(key, before!, keys.includes(key) ? now : undefined);
    const fresh = keys.filter((key) => !old.includes(key));
    for (const key of fresh) this.#learn(key, now!);
    for (const key of old) this.#publish(key);
    for (const key of fresh) this.#publish(key);
  }

  #podsAt(key: string): readonly Pod[] {
    const known = this.#pods.get(key);
    if (known === undefined) return [];
    return Array.isArray(known) ? known : [known as Pod];
  }

  #set(key: string, pods: readonly Pod[]): void {
    if (pods.length === 0) this.#pods.delete(key);
    else this.#pods.set(key, pods.length === 1 ? pods[0]! : pods);
  }

  #learn(key: string, pod: Pod): void {
    this.#set(key, [...this.#podsAt(key), pod]);
  }

  #forget(key: string, pod: Pod, successor: Pod | undefined): void {
    const rest = this.#podsAt(key).filter((other) => other.key !== pod.key);
    this.#set(key, successor ? [...rest, successor] : rest);
  }

  #publish(key: string): void {
    const pods = this.#podsAt(key);
    const name = clientName(Buffer.from(key, 'latin1'));
    if (pods.length === 0) {
      this.#writer.remove(this.#tree, name);
      return;
    }
    const bytes = pods.length === 1 ? encodePod(pods[0]!) : new Uint8Array(0);
    // The address of a Pod that ends may be another one's before its end is known.
    const hasKnownSearch = pods.length === 1 && pods[0]!.clusterSearch && !pods[0]!.deleting;
    const flags = hasKnownSearch ? ENTRY_FLAG.POD | ENTRY_FLAG.CLUSTER_SEARCH : ENTRY_FLAG.POD;
    const count = Math.min(pods.length, MAX_SHARERS);
    const rrsets: RrsetData[] = [{ type: POD_TYPE, count, form: RRSET_FORM.POD, bytes }];
    const node = commonNode(pods);
    if (node !== '') {
      rrsets.push({ type: PLACE_TYPE, count: 1, form: RRSET_FORM.PLACE, bytes: placeBytes('node', node) });
    }
    this.#writer.put(this.#tree, name, flags, rrsets);
  }
}

const NO_KEYS: readonly string[] = Object.freeze([]);

/** Each address once. */
function keysOf(pod: Pod): readonly string[] {
  const key = keyOf(pod.podIp);
  const first = key === undefined ? NO_KEYS : [key];
  if (!pod.place || pod.place.otherIps.length === 0) return first;
  return [...new Set([...first, ...pod.place.otherIps.flatMap((ip) => keyOf(ip) ?? [])])];
}

/**
 * The node that all of them run on, as those that share its address do; '' when it is not known for certain. A Pod that ends
 * has lost the address to one that does not.
 */
function commonNode(pods: readonly Pod[]): string {
  const staying = pods.filter(({ deleting }) => !deleting);
  const [first, ...others] = staying.length > 0 ? staying : pods;
  const node = first?.place?.node ?? '';
  return others.every(({ place }) => place?.node === node) ? node : '';
}

/** Bytes of the address as text, IPv4 inside IPv6 as IPv4: that is how packets of either kind arrive. */
function keyOf(text: string): string | undefined {
  const address = text === '' ? undefined : parseIpAddress(text);
  return address && Buffer.from(unmapIpv4(address.bytes)).toString('latin1');
}

function encodePod(pod: Pod): Uint8Array {
  scratch.clear();
  putText(pod.namespace, false);
  putText(pod.name, false);
  const labels = Math.min(MAX_LABELS, pod.labels.length / 2);
  scratch.putByte(labels);
  for (const text of pod.labels.slice(0, 2 * labels)) putText(text, true);
  return scratch.take();
}

function putText(text: string, isLong: boolean): void {
  const bytes = Buffer.from(text);
  if (isLong) scratch.putShort(bytes.length);
  else scratch.putByte(bytes.length);
  scratch.putBytes(bytes);
}
