// The fault bench in injected time: a simulated API server, the reflectors and auditors that follow it, the view, the store and
// the plugin that answers. Only sockets and threads are missing; `npm run fault` has those.
import type { ExecutionContext } from 'ava';
import { ManualClock } from '../../lib/base/clock.ts';
import { createLogger } from '../../lib/base/log.ts';
import { ClusterSource } from '../../lib/sources/kubernetes/cluster-source.ts';
import { FreshnessWatch } from '../../lib/sources/kubernetes/freshness-watch.ts';
import type { ResourceStatus } from '../../lib/sources/kubernetes/object-source.ts';
import {
  createEndpointSliceResource,
  createNamespaceResource,
  createPodResource,
  createServiceResource,
} from '../../lib/sources/kubernetes/resource.ts';
import { SnapshotKeeper } from '../../lib/sources/kubernetes/snapshot-keeper.ts';
import { namespace, service, slice, TestCluster } from '../unit/plugins/kubernetes/cluster-harness.ts';
import { type KubeObject, SimulatedApi } from './simulated-api.ts';

export const HTTP = { name: 'http', port: 80, protocol: 'TCP' };
/** Asked for all the time; whatever fails, its answer stays. */
export const STEADY = 'steady.shop.svc.cluster.local';
const STEADY_ADDRESS = '10.96.0.1';
const TURNS = 8;

/** A ClusterIP Service of the namespace `shop`. */
export function web(name: string, address: string): KubeObject {
  return service('shop', name, { type: 'ClusterIP', clusterIP: address, clusterIPs: [address], ports: [HTTP] });
}

/** A headless Service of the namespace `shop`. */
export function headless(name: string): KubeObject {
  return service('shop', name, { type: 'ClusterIP', clusterIP: 'None', ports: [HTTP] });
}

/** A slice of a Service of `shop` with these ready addresses. */
export function endpoints(sliceName: string, serviceName: string, ...addresses: string[]): KubeObject {
  return slice(
    'shop',
    sliceName,
    serviceName,
    [HTTP],
    addresses.map((address) => ({ address })),
  );
}

export const nameOf = (serviceName: string): string => `${serviceName}.shop.svc.cluster.local`;

/** Uniform in [0, 1), the same row for the same seed. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 4_294_967_296;
  };
}

export type BenchOptions = {
  readonly watchList?: boolean;
  readonly seed?: number;
  readonly objects?: readonly KubeObject[];
  readonly pods?: 'disabled' | 'verified';
  /** Folder of the saved view. */
  readonly snapshot?: string;
  readonly maxAgeMs?: number;
  /** TTL of the answers. */
  readonly ttlSeconds?: number;
};

const DAY_MS = 86_400_000;

export class FollowedCluster {
  readonly clock: ManualClock = new ManualClock();
  readonly api: SimulatedApi;
  readonly cluster: TestCluster;
  readonly source: ClusterSource;
  readonly logged: string[] = [];
  /** Answers to the steady name since the first sync, and the wrong ones among them. */
  asked = 0;
  readonly wrong: string[] = [];
  keeper: SnapshotKeeper | undefined;
  origin = 'this cluster';
  readonly cells: Float64Array = new Float64Array(4);
  readonly #freshness: FreshnessWatch;
  #wasSynced = false;

  constructor(options: BenchOptions = {}) {
    const { watchList = true, seed = 7, objects = [], pods = 'disabled', ttlSeconds = 5 } = options;
    this.api = new SimulatedApi(this.clock, watchList);
    this.api.apply([namespace('shop'), web('steady', STEADY_ADDRESS), ...objects]);
    this.cluster = new TestCluster({ pods }, { ttlSeconds });
    const log = createLogger({ sink: (line) => void this.logged.push(line.trimEnd()) });
    this.source = new ClusterSource(this.api, { clock: this.clock, random: seededRandom(seed), log });
    const { view } = this.cluster;
    this.source.follow(createNamespaceResource(), view.namespaceSink);
    this.source.follow(createServiceResource(), view.serviceSink);
    this.source.follow(
      createEndpointSliceResource({ targetNames: false, nodeNames: false, zones: false }),
      view.sliceSink,
    );
    if (pods === 'verified') this.source.follow(createPodResource(false), view.podSink);
    this.#freshness = new FreshnessWatch(this.source, {
      clock: this.clock,
      onChange: (isOutdated) => view.markOutdated(isOutdated),
    });
    if (options.snapshot !== undefined) this.keepIn(options.snapshot, options.maxAgeMs);
  }

  /** Saves the view in this folder. */
  keepIn(directory: string, maxAgeMs: number = DAY_MS): void {
    const log = createLogger({ sink: (line) => void this.logged.push(line.trimEnd()) });
    const cells = { served: 0, ageSeconds: 1, writes: 2, failures: 3 };
    this.keeper = new SnapshotKeeper({
      options: { directory, maxAgeMs, cells },
      origin: this.origin,
      shape: '',
      clock: this.clock,
      log,
      countNames: () => this.cluster.writer.stats().entries,
      cells: this.cells,
    });
  }

  /** Starts as the program does: what was saved first. */
  start(): void {
    const saved = this.keeper?.read();
    if (saved) {
      this.cluster.view.expectSaved();
      const slices = this.source.restore(saved);
      while (slices.next().done !== true);
      this.cluster.view.serveSaved();
    }
    this.source.start();
    this.keeper?.keep(this.source);
    this.#freshness.start();
  }

  /** Starts and waits for the first complete view. */
  static async synced(options: BenchOptions = {}): Promise<FollowedCluster> {
    const bench = new FollowedCluster(options);
    bench.start();
    for (let step = 0; step < 200 && !bench.source.synced; step++) await bench.pass(100);
    if (!bench.source.synced) throw new Error(`not synced\n${bench.logged.join('\n')}`);
    await bench.settle();
    return bench;
  }

  /** Lets promises and event-loop turns run out; the steady name is asked for in each. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < TURNS; turn++) {
      await new Promise<void>((resolve) => void setImmediate(resolve));
      this.cluster.settle();
    }
    await this.#askSteady();
  }

  /** Time goes by, in steps. */
  async pass(ms: number, stepMs: number = Math.max(100, ms / 400)): Promise<void> {
    for (let left = ms; left > 0; left -= stepMs) {
      this.clock.advance(Math.min(stepMs, left));
      await this.settle();
    }
  }

  ask(name: string, type = 'A'): Promise<string> {
    return this.cluster.short(name, type);
  }

  /** Waits for an answer. @returns injected milliseconds it took. @throws Error after `limitMs` */
  async until(name: string, expected: string, limitMs: number, type = 'A'): Promise<number> {
    const startMs = this.clock.nowMs();
    const stepMs = Math.max(100, limitMs / 600);
    for (;;) {
      const seen = await this.ask(name, type);
      const tookMs = this.clock.nowMs() - startMs;
      if (seen === expected) return tookMs;
      if (tookMs > limitMs) throw new Error(`${name} ${type}: ${seen} after ${tookMs} ms\n${this.logged.join('\n')}`);
      await this.pass(stepMs, stepMs);
    }
  }

  status(resource: string): ResourceStatus {
    const found = this.source.status().find((each) => each.resource.startsWith(resource));
    if (!found) throw new Error(`${resource} is not followed`);
    return found;
  }

  /** What holds after every fault: the steady name was never wrong, lists kept their distance, one watch a resource is open. */
  async finish(t: ExecutionContext, watches = 3): Promise<void> {
    await this.pass(45_000);
    t.is(
      this.wrong.length,
      0,
      `${this.wrong.length} of ${this.asked} answers wrong: ${this.wrong.slice(0, 3).join('; ')}`,
    );
    t.true(this.api.shortestListGapMs() >= 10_000, `two lists within ${this.api.shortestListGapMs()} ms`);
    t.is(this.api.openWatches.length, watches, this.api.openWatches.join());
    t.true(this.api.mostConnections <= watches + 1, `${this.api.mostConnections} connections`);
    this.stop();
  }

  stop(): void {
    this.#freshness.stop();
    this.keeper?.stop();
    this.source.stop();
  }

  async #askSteady(): Promise<void> {
    this.#wasSynced ||= this.source.synced;
    if (!this.#wasSynced) return;
    this.asked++;
    const answer = await this.ask(STEADY);
    if (answer !== STEADY_ADDRESS) this.wrong.push(`${this.clock.nowMs()}: ${answer}`);
  }
}
