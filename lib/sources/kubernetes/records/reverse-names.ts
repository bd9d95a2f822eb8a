// Services and endpoints -> names in reverse zones. Control thread.
import { PTR_KIND } from '../../../store/rrset-form.ts';
import type { StoreWriter } from '../../../store/writer.ts';
import type { EndpointSlice } from '../objects/endpoint-slice.ts';
import type { Service } from '../objects/service.ts';
import { externalName } from './external-records.ts';
import { endpointName } from './labels.ts';
import { Pointers } from './pointers.ts';
import { serviceName, wireLabels } from './relative-name.ts';

export class ReverseNames {
  readonly #pointers: Pointers;
  readonly #isExternal: boolean;
  readonly #endpointPodNames: boolean;
  readonly #isSorted: boolean;
  /** Slices whose names are made later, in `drain`; undefined: at once. */
  #held: EndpointSlice[] | undefined;
  #drained = 0;

  /**
   * @param options `isExternal`: external addresses are named, endpoints are not; `isSorted`: see `Pointers`
   */
  constructor(
    writer: StoreWriter,
    tree: number,
    options: { readonly isExternal: boolean; readonly endpointPodNames: boolean; readonly isSorted: boolean },
  ) {
    this.#pointers = new Pointers(writer, tree, options.isSorted);
    this.#isExternal = options.isExternal;
    this.#endpointPodNames = options.endpointPodNames;
    this.#isSorted = options.isSorted;
  }

  /** Names of slices learned from now on are made by `drain`, until it has made them all. */
  hold(): void {
    this.#held ??= [];
  }

  /** Makes the names of at most so many slices that were held. @returns whether more are left */
  drain(slices: number): boolean {
    const held = this.#held;
    if (held === undefined) return false;
    const end = Math.min(held.length, this.#drained + slices);
    while (this.#drained < end) this.#learn(held[this.#drained++]!);
    if (end < held.length) return true;
    this.#held = undefined;
    this.#drained = 0;
    return false;
  }

  changeService(now: Service | undefined, before: Service | undefined): void {
    const { namespace, name } = (now ?? before)!;
    // Of external addresses every Service is named, not the first alone.
    const kind = this.#isExternal ? PTR_KIND.ENDPOINT : PTR_KIND.SERVICE;
    const target = this.#isExternal ? externalName(namespace, name) : serviceName(namespace, name);
    const addresses = (service: Service | undefined): readonly string[] =>
      (this.#isExternal ? service?.externalAddresses : service?.clusterIps) ?? [];
    for (const address of addresses(before)) {
      if (!addresses(now).includes(address)) this.#pointers.remove(address, kind, target);
    }
    for (const address of addresses(now)) this.#pointers.add(address, kind, target);
  }

  /** @param rest slices of the same Service that stay or take its place: what they name as well is kept */
  forgetSlice(slice: EndpointSlice, rest: readonly EndpointSlice[]): void {
    this.drain(Number.POSITIVE_INFINITY);
    if (!this.#hasNames(slice)) return;
    const kept = new Set<string>();
    for (const other of rest) this.#forEach(other, (address, _kind, target) => kept.add(`${address} ${target}`));
    this.#forEach(slice, (address, kind, target) => {
      if (!kept.has(`${address} ${target}`)) this.#pointers.remove(address, kind, target);
    });
  }

  learnSlice(slice: EndpointSlice): void {
    if (!this.#hasNames(slice)) return;
    if (this.#held) this.#held.push(slice);
    else this.#learn(slice);
  }

  #learn(slice: EndpointSlice): void {
    this.#forEach(slice, (address, kind, target) => void this.#pointers.add(address, kind, target));
  }

  #hasNames(slice: EndpointSlice): boolean {
    return !this.#isExternal && slice.service !== '' && slice.addressType !== 'FQDN';
  }

  #forEach(slice: EndpointSlice, visit: (address: string, kind: number, target: string) => void): void {
    const base = serviceName(slice.namespace, slice.service);
    for (let i = 0; i < slice.readyCount; i++) {
      const kind = this.#isSorted && (slice.hostnames[i] ?? '') !== '' ? PTR_KIND.HOSTNAME : PTR_KIND.ENDPOINT;
      visit(slice.addresses[i]!, kind, wireLabels(endpointName(slice, i, this.#endpointPodNames)) + base);
    }
  }
}
