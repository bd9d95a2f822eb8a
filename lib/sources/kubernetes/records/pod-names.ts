// Pods -> `<dashed address>.<namespace>.pod` (option `pods verified`). Control thread.
import { parseIpAddress } from '../../../base/ip-address.ts';
import { ENTRY_FLAG } from '../../../store/rrset-form.ts';
import type { StoreWriter } from '../../../store/writer.ts';
import { RRTYPE } from '../../../wire/types.ts';
import type { Pod } from '../objects/pod.ts';
import { POD_LABEL, toBytes, wireLabel } from './relative-name.ts';
import { addressRrset } from './name-answer.ts';

export class PodNames {
  readonly #writer: StoreWriter;
  readonly #tree: number;
  readonly #changed: () => void;
  /** Pods that share a name: host network, or an address used again. */
  readonly #sharers = new Map<string, number>();

  constructor(writer: StoreWriter, tree: number, changed: () => void) {
    this.#writer = writer;
    this.#tree = tree;
    this.#changed = changed;
  }

  change(now: Pod | undefined, before: Pod | undefined): void {
    const { namespace } = (now ?? before)!;
    const address = now?.podIp ?? '';
    const old = before?.podIp ?? '';
    if (address === old) return;
    if (old !== '') this.#release(namespace, old);
    if (address !== '') this.#claim(namespace, address);
    this.#changed();
  }

  #claim(namespace: string, address: string): void {
    const parsed = parseIpAddress(address);
    if (!parsed) return;
    const name = podName(namespace, address);
    const sharers = (this.#sharers.get(name) ?? 0) + 1;
    this.#sharers.set(name, sharers);
    if (sharers > 1) return;
    const type = parsed.bytes.length === 4 ? RRTYPE.A : RRTYPE.AAAA;
    this.#writer.put(this.#tree, toBytes(name), ENTRY_FLAG.POD, [addressRrset(type, [parsed.bytes])]);
  }

  #release(namespace: string, address: string): void {
    const name = podName(namespace, address);
    const sharers = (this.#sharers.get(name) ?? 0) - 1;
    if (sharers > 0) {
      this.#sharers.set(name, sharers);
      return;
    }
    this.#sharers.delete(name);
    this.#writer.remove(this.#tree, toBytes(name));
  }
}

function podName(namespace: string, address: string): string {
  return wireLabel(address.replace(/[.:]/g, '-')) + wireLabel(namespace) + POD_LABEL;
}
