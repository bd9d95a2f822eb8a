// Kubernetes objects -> store: keeps what is known of the cluster and turns every change of an object into changes of names.
// Control thread.
//
// Events only mark a Service as changed; its names are made anew once per turn of the event loop, however many events
// came. What is taken away is known from the objects that were replaced, so no list of published names is kept.
import type { Logger } from '../../../base/log.ts';
import { ENTRY_FLAG } from '../../../store/rrset-form.ts';
import { TREE_STATE } from '../../../store/layout.ts';
import { StoreFullError } from '../../../store/store-full-error.ts';
import type { StoreWriter } from '../../../store/writer.ts';
import type { ObjectSink } from '../object-sink.ts';
import type { EndpointSlice } from '../objects/endpoint-slice.ts';
import type { Namespace } from '../objects/namespace.ts';
import type { Service } from '../objects/service.ts';
import type { Contents } from './name-answer.ts';
import { PodNames } from './pod-names.ts';
import { ReverseNames } from './reverse-names.ts';
import { toBytes, wireLabel } from './relative-name.ts';
import { endpointName, type RecordOptions } from './labels.ts';
import type { TreeShape } from './tree-shape.ts';

export type ViewOptions = RecordOptions & {
  readonly shape: TreeShape;
  readonly pods: 'disabled' | 'insecure' | 'verified';
  /** Exact list of namespaces served; empty: all. */
  readonly namespaces: readonly string[];
  /** Whether any zone is a reverse zone: without one no PTR names are kept. */
  readonly reverse: boolean;
  /** PTR answers have an order that does not depend on the history of changes. */
  readonly sortedPointers: boolean;
  readonly endpoints: boolean;
};

export type ViewEnv = {
  readonly writer: StoreWriter;
  readonly tree: number;
  readonly log: Logger;
  readonly nowMs: () => number;
  /** Runs soon, in another turn of the event loop. */
  readonly defer: (run: () => void) => void;
  /** Addresses of this machine other than loopback, for the apex's NS records. */
  readonly localAddresses: readonly string[];
  /** The view is complete for the first time, the cluster's own or a saved one. */
  readonly onSynced: () => void;
  /** Names of a Service were made after its slice changed; `triggerTimeMs` is the slice's annotation. */
  readonly onProgrammed: (kind: 'cluster_ip' | 'headless_with_selector', triggerTimeMs: number) => void;
};

/** What is to be made anew for one Service. */
type Dirty = {
  /** Names that were published and may have to go. */
  readonly names: Set<string>;
  /** Endpoints whose names may have changed; undefined: all. */
  endpoints: Set<string> | undefined;
  /** Oldest change trigger among the slices that changed, 0 for none. */
  triggerTimeMs: number;
};

/** Services made anew in one turn before other work gets its chance; a Service takes about 30 µs. */
const FLUSH_SLICE = 100;

export class ClusterView {
  readonly #options: ViewOptions;
  readonly #env: ViewEnv;
  readonly #reverse: ReverseNames;
  readonly #pods: PodNames;
  readonly #namespaces = new Set<string>();
  readonly #services = new Map<string, Service>();
  readonly #slices = new Map<string, EndpointSlice[]>();
  readonly #localSlices = new Map<string, EndpointSlice>();
  readonly #dirty = new Map<string, Dirty>();
  readonly #unsynced: Set<string>;
  #flushing = false;
  #serialMoves = false;
  #nameServersDirty = true;
  #isFullLogged = false;
  #stopped = false;
  #isSaved = false;
  #isOutdated = false;
  #isTold = false;

  readonly namespaceSink: ObjectSink<Namespace>;
  readonly serviceSink: ObjectSink<Service>;
  readonly sliceSink: ObjectSink<EndpointSlice>;

  constructor(options: ViewOptions, env: ViewEnv) {
    this.#options = options;
    this.#env = env;
    const isExternal = options.shape.kind === 'external';
    const { endpointPodNames, sortedPointers: isSorted } = options;
    this.#reverse = new ReverseNames(env.writer, env.tree, { isExternal, endpointPodNames, isSorted });
    this.#pods = new PodNames(env.writer, env.tree, () => this.#changed());
    this.#unsynced = new Set(['namespaces', options.shape.services]);
    if (options.endpoints) this.#unsynced.add('endpointslices');
    if (options.pods === 'verified') this.#unsynced.add('pods');
    this.namespaceSink = this.#sink<Namespace>('namespaces', (now, before) => this.#onNamespace(now, before));
    this.serviceSink = this.#sink<Service>(options.shape.services, (now, before) => this.#onService(now, before));
    this.sliceSink = this.#sink<EndpointSlice>('endpointslices', (now, before) => this.#onSlice(now, before));
    for (const name of options.shape.fixedNames) this.#put(name, { flags: 0, rrsets: [] });
    this.#scheduleFlush();
  }

  /** Receives Pods; only with `pods verified`. */
  get podSink(): ObjectSink<import('../objects/pod.ts').Pod> {
    return this.#sink('pods', (now, before) => this.#pods.change(now, before));
  }

  /** Names of resources whose first complete view is still to come. */
  get waitingFor(): readonly string[] {
    return [...this.#unsynced];
  }

  /** The start waits no longer: names that are known are served, others are not denied before the view is complete. */
  serveIncomplete(): void {
    const { writer, tree } = this.#env;
    if (writer.reader.state(tree) === TREE_STATE.NOT_SYNCED) writer.setState(tree, TREE_STATE.INCOMPLETE);
    this.#scheduleFlush();
  }

  /** A saved view is about to come: reverse names, which few ask for, are made after all others. */
  expectSaved(): void {
    this.#reverse.hold();
  }

  /**
   * What has come so far is a saved view: it is served until the cluster's own is complete. Names are answered as soon as
   * they are made, and none is denied before all of them are.
   */
  serveSaved(): void {
    this.#isSaved = true;
    this.serveIncomplete();
    this.#scheduleFlush();
  }

  /** Whether the cluster has not been heard for long: what is served may be out of date. */
  markOutdated(isOutdated: boolean): void {
    this.#isOutdated = isOutdated;
    this.#scheduleFlush();
  }

  /** Nothing is written any more. */
  stop(): void {
    this.#stopped = true;
  }

  #sink<T extends { readonly key: string; readonly resourceVersion: number }>(
    resource: string,
    change: (now: T | undefined, before: T | undefined) => void,
  ): ObjectSink<T> {
    return {
      upsert: (object, previous) => change(object, previous),
      remove: (previous) => change(undefined, previous),
      synced: () => {
        const isFirst = this.#unsynced.delete(resource);
        if (isFirst && resource === 'endpointslices') this.#markHeadless();
        this.#scheduleFlush();
      },
      proofOfLife: () => {},
    };
  }

  /** Without all slices a headless Service would seem to have fewer endpoints than it has: its names come with the last one. */
  #markHeadless(): void {
    for (const service of this.#services.values())
      if (service.headless) this.#dirtyOf(service.key).endpoints = undefined;
  }

  #isServed(namespace: string): boolean {
    if (!this.#namespaces.has(namespace)) return false;
    return this.#isExposed(namespace);
  }

  #isExposed(namespace: string): boolean {
    const { namespaces } = this.#options;
    return namespaces.length === 0 || namespaces.includes(namespace);
  }

  #onNamespace(now: Namespace | undefined, before: Namespace | undefined): void {
    const name = (now ?? before!).name;
    if ((now !== undefined) === this.#namespaces.has(name)) return;
    // A Service's names are found from what it is now, so they are listed while the namespace still counts.
    for (const service of this.#services.values()) {
      if (service.namespace === name) this.#markAll(service);
    }
    if (now) this.#namespaces.add(name);
    else this.#namespaces.delete(name);
    for (const tail of this.#options.shape.namespaceTails) {
      if (this.#isServed(name)) this.#put(wireLabel(name) + tail, { flags: ENTRY_FLAG.NAMESPACE, rrsets: [] });
      else this.#remove(wireLabel(name) + tail);
    }
    this.#scheduleFlush();
  }

  #onService(now: Service | undefined, before: Service | undefined): void {
    const service = (now ?? before)!;
    if (before) this.#markAll(before);
    else this.#dirtyOf(service.key).endpoints = undefined;
    if (now) this.#services.set(service.key, now);
    else this.#services.delete(service.key);
    this.#nameServersDirty = true;
    this.#noteEvent();
    if (this.#options.reverse && this.#isExposed(service.namespace)) this.#reverse.changeService(now, before);
    this.#scheduleFlush();
  }

  #onSlice(now: EndpointSlice | undefined, before: EndpointSlice | undefined): void {
    // Where slices of clusters and of clustersets come in one stream most are of no concern to one of the two trees.
    if (!this.#isOfUse(now) && !this.#isOfUse(before)) return;
    if (before) this.#forgetSlice(before, now);
    if (now) this.#learnSlice(now, before);
    this.#noteEvent();
    this.#scheduleFlush();
  }

  /** As in CoreDNS every event moves the serial of the cluster's own zones, that of others only one that changes an answer. */
  #noteEvent(): void {
    if (this.#options.shape.kind !== 'external') this.#serialMoves = true;
  }

  #isOfUse(slice: EndpointSlice | undefined): boolean {
    return slice !== undefined && (this.#options.shape.kind !== 'imports' || slice.importName !== '');
  }

  #forgetSlice(slice: EndpointSlice, successor: EndpointSlice | undefined): void {
    const serviceKey = this.#serviceKey(slice);
    const all = this.#slices.get(serviceKey) ?? [];
    this.#markSlice(serviceKey, slice);
    const rest = all.filter((other) => other.key !== slice.key);
    if (rest.length > 0) this.#slices.set(serviceKey, rest);
    else this.#slices.delete(serviceKey);
    if (this.#localSlices.delete(slice.key)) this.#nameServersDirty = true;
    if (!this.#options.reverse || !this.#isExposed(slice.namespace)) return;
    const isSameService = successor && this.#serviceKey(successor) === serviceKey;
    this.#reverse.forgetSlice(slice, isSameService ? [...rest, successor] : rest);
  }

  #learnSlice(slice: EndpointSlice, before: EndpointSlice | undefined): void {
    const serviceKey = this.#serviceKey(slice);
    const isNew = !before || this.#serviceKey(before) !== serviceKey;
    // Hints count only where all endpoints have them: a slice that comes may take names of places away.
    if (isNew && this.#options.shape.kind === 'places') this.#markSlice(serviceKey, slice);
    const all = this.#slices.get(serviceKey);
    if (all) all.push(slice);
    else this.#slices.set(serviceKey, [slice]);
    const dirty = this.#touch(serviceKey, slice);
    if (dirty && slice.triggerTimeMs > 0 && slice.triggerTimeMs !== before?.triggerTimeMs) {
      dirty.triggerTimeMs = slice.triggerTimeMs;
    }
    const { localAddresses } = this.#env;
    for (let i = 0; i < slice.readyCount; i++) {
      if (!localAddresses.includes(slice.addresses[i]!)) continue;
      this.#localSlices.set(slice.key, slice);
      this.#nameServersDirty = true;
      break;
    }
    if (this.#options.reverse && this.#isExposed(slice.namespace)) this.#reverse.learnSlice(slice);
  }

  #serviceKey(slice: EndpointSlice): string {
    return `${slice.namespace}/${this.#options.shape.serviceOf(slice)}`;
  }

  #slicesOf(service: Service): readonly EndpointSlice[] {
    return this.#slices.get(service.key) ?? [];
  }

  /** The Service is to be made anew, and everything published of it may have to go. */
  #markAll(service: Service): void {
    const dirty = this.#dirtyOf(service.key);
    dirty.endpoints = undefined;
    if (!this.#isServed(service.namespace)) return;
    for (const name of this.#options.shape.records(service, this.#slicesOf(service), this.#options).keys())
      dirty.names.add(name);
  }

  /** The slice is about to go: what it published may have to go too. */
  #markSlice(serviceKey: string, slice: EndpointSlice): void {
    const dirty = this.#touch(serviceKey, slice);
    const service = this.#services.get(serviceKey);
    if (!dirty || !service || !this.#isServed(service.namespace)) return;
    const published = this.#options.shape.records(service, this.#slicesOf(service), this.#options, dirty.endpoints);
    for (const name of published.keys()) dirty.names.add(name);
  }

  /** The Service's own names and those of the slice's endpoints are to be made anew. */
  #touch(serviceKey: string, slice: EndpointSlice): Dirty | undefined {
    if (!this.#services.has(serviceKey)) return undefined;
    const dirty = this.#dirtyOf(serviceKey, new Set());
    for (let i = 0; dirty.endpoints && i < slice.readyCount; i++) {
      dirty.endpoints.add(endpointName(slice, i, this.#options.endpointPodNames));
    }
    return dirty;
  }

  #dirtyOf(serviceKey: string, endpoints?: Set<string>): Dirty {
    let dirty = this.#dirty.get(serviceKey);
    if (!dirty) {
      dirty = { names: new Set(), endpoints, triggerTimeMs: 0 };
      this.#dirty.set(serviceKey, dirty);
    }
    return dirty;
  }

  #scheduleFlush(): void {
    if (this.#flushing || this.#stopped) return;
    this.#flushing = true;
    this.#env.defer(() => this.#flush());
  }

  #flush(): void {
    this.#flushing = false;
    if (this.#stopped) return;
    const waits = this.#waitsForSlices();
    let left = waits ? 0 : FLUSH_SLICE;
    for (const [key, dirty] of this.#dirty) {
      if (left-- === 0) break;
      this.#dirty.delete(key);
      this.#remake(key, dirty);
    }
    if (this.#dirty.size === 0 && this.#nameServersDirty) this.#remakeNameServers();
    if (this.#serialMoves) this.#moveSerial();
    const isReverseLeft = this.#dirty.size === 0 && !waits && this.#reverse.drain(FLUSH_SLICE);
    const more = this.#env.writer.commit();
    if ((this.#dirty.size > 0 && !waits) || isReverseLeft || more) this.#scheduleFlush();
    else this.#settleState();
  }

  /** Before the first view is complete nothing is answered: a Service made together with its slices is made once. */
  #waitsForSlices(): boolean {
    const { writer, tree } = this.#env;
    if (this.#isSaved || !this.#unsynced.has('endpointslices')) return false;
    return writer.reader.state(tree) === TREE_STATE.NOT_SYNCED;
  }

  #remake(key: string, dirty: Dirty): void {
    const service = this.#services.get(key);
    const waits = !this.#isSaved && service?.headless === true && this.#unsynced.has('endpointslices');
    const served = service && !waits && this.#isServed(service.namespace);
    const names = served
      ? this.#options.shape.records(service, this.#slicesOf(service), this.#options, dirty.endpoints)
      : new Map<string, Contents>();
    for (const [name, contents] of names) this.#put(name, contents);
    for (const name of dirty.names) if (!names.has(name)) this.#remove(name);
    if (served && dirty.triggerTimeMs > 0) {
      this.#env.onProgrammed(service.headless ? 'headless_with_selector' : 'cluster_ip', dirty.triggerTimeMs);
    }
  }

  #remakeNameServers(): void {
    this.#nameServersDirty = false;
    const { localAddresses } = this.#env;
    const entries = this.#options.shape.nameServers(localAddresses, [...this.#localSlices.values()], this.#services);
    for (const [name, contents] of entries) this.#put(name, contents);
  }

  /** All names are made: the store may say what they are worth. */
  #settleState(): void {
    const { writer, tree, onSynced } = this.#env;
    const isComplete = this.#unsynced.size === 0;
    if (!isComplete && !this.#isSaved) return;
    const state = isComplete && !this.#isOutdated ? TREE_STATE.SYNCED : TREE_STATE.SNAPSHOT;
    if (writer.reader.state(tree) !== state) writer.setState(tree, state);
    if (this.#isTold) return;
    this.#isTold = true;
    onSynced();
  }

  #changed(): void {
    this.#serialMoves = true;
    this.#scheduleFlush();
  }

  /** The SOA serial is the time of the last change in seconds; it never goes back. */
  #moveSerial(): void {
    this.#serialMoves = false;
    const { writer, tree, nowMs } = this.#env;
    writer.setSerial(tree, Math.max(writer.reader.serial(tree), Math.floor(nowMs() / 1000)));
  }

  #put(name: string, contents: Contents): void {
    try {
      if (this.#env.writer.put(this.#env.tree, toBytes(name), contents.flags, contents.rrsets))
        this.#serialMoves = true;
    } catch (error) {
      this.#reportFull(error);
    }
  }

  #remove(name: string): void {
    if (this.#env.writer.remove(this.#env.tree, toBytes(name))) this.#serialMoves = true;
  }

  #reportFull(error: unknown): void {
    if (!(error instanceof StoreFullError) && !(error instanceof RangeError)) throw error;
    if (this.#isFullLogged) return;
    this.#isFullLogged = true;
    this.#env.log.error(`a name could not be stored, it and later ones keep their old answer: ${error.message}`);
  }
}
