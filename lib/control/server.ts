// The running server: one configuration in use, brought in and replaced as a whole. Control thread.
import type { Clock } from '../base/clock.ts';
import { ConfigError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { Service } from '../chain/plugin.ts';
import type { Corefile } from '../config/corefile.ts';
import { formatDuration } from '../config/duration.ts';
import { HEARTBEAT } from '../link/messages.ts';
import { allRows, clearGauges, createCellMemory, rowOf } from '../metrics/cells.ts';
import { formatExposition, type SampledFamily } from '../metrics/exposition.ts';
import { sampleProcess } from '../metrics/process-metrics.ts';
import { MetricRegistry, PANICS_CELL } from '../metrics/registry.ts';
import { type UpstreamWatch, runUpstreamWatch } from '../plugins/forward/upstream-watch.ts';
import { runLoopProbe } from '../plugins/loop/probe.ts';
import { createStoreMemory, type StoreMemory } from '../store/layout.ts';
import { StoreWriter } from '../store/writer.ts';
import { configure, type Configuration } from './configure.ts';
import { startHealthProbe } from './health-probe.ts';
import { HttpServices } from './http-services.ts';
import { describeListeners } from './plan-builder.ts';
import { WorkerPool, type WorkerThread } from './pool.ts';
import { QueryReadiness } from './query-readiness.ts';
import { createProfiler } from './profiler.ts';
import { seizeSockets } from './stuck-sockets.ts';
import { readSchedule } from './thread-schedule.ts';
import { type LateSource, type SourceClaims, SourceTable, type StartSource } from './source-table.ts';
import { COREDNS_VERSION, readPackageVersion, runtimeVersion } from './version.ts';

/** Shared memory that a worker is given. */
export type WorkerMemory = {
  readonly store: StoreMemory;
  readonly cells: SharedArrayBuffer;
  readonly heartbeat: SharedArrayBuffer;
};

export type ServerEnv = {
  readonly clock: Clock;
  readonly log: Logger;
  readonly startSource: StartSource;
  readonly spawn: (worker: number, memory: WorkerMemory) => WorkerThread;
  /** How many workers a configuration gets; asked once, at the start. */
  readonly countWorkers: (sockets: readonly number[]) => number;
  /** A plugin wants the process to end. */
  readonly onFatal: (message: string) => void;
};

/** How long queries under way may take at the end. */
const DRAIN_MS = 5000;

type Parts = { readonly pool: WorkerPool; readonly cells: SharedArrayBuffer; readonly control: Float64Array };

export class Server {
  readonly metrics: MetricRegistry = new MetricRegistry();
  readonly http: HttpServices;
  readonly #env: ServerEnv;
  readonly #storeMemory: StoreMemory;
  readonly #sources: SourceTable;
  readonly #failedReloads: number;
  readonly #replacedWorkers: number;
  #parts: Parts | undefined;
  #configuration: Configuration | undefined;
  #readiness: QueryReadiness | undefined;
  #generation = 0;
  #serving = false;
  #reloads = 0;
  #loops = new AbortController();
  #endProbe = (): void => {};

  constructor(env: ServerEnv) {
    this.#env = env;
    this.#storeMemory = createStoreMemory();
    const parts = (): Parts => this.#parts!;
    this.#sources = new SourceTable({
      start: env.startSource,
      writer: new StoreWriter(this.#storeMemory),
      clock: env.clock,
      log: env.log,
      metrics: this.metrics,
      get cells() {
        return parts().control;
      },
    });
    this.http = new HttpServices({
      notReady: () => this.#notReady(),
      metrics: () => this.#scrape(),
      profiler: createProfiler(() => parts().pool),
      log: env.log,
    });
    this.#failedReloads = this.metrics.counter(
      'coredns_reload_failed_total',
      'Reloads that failed and left the old configuration in use.',
      {},
      true,
    );
    this.#replacedWorkers = this.metrics.counter(
      'clusterdns_workers_replaced_total',
      'Worker threads that ended or stalled and were replaced.',
      {},
      true,
    );
  }

  /** What the configuration in use asks the control thread to run. */
  get services(): readonly Service[] {
    return this.#configuration?.services ?? [];
  }

  /**
   * Sets a Corefile up and serves it.
   *
   * @returns the lines that name the zones served
   * @throws ConfigError when it cannot be served; the process has to end then
   */
  async start(corefile: Corefile): Promise<readonly string[]> {
    const claims = this.#sources.begin();
    const configuration = await this.#configure(corefile, claims);
    const parts = this.#createParts(configuration);
    const endpoints = await this.http.prepare(configuration.services);
    endpoints.take();
    parts.pool.start();
    await Promise.all([parts.pool.prepare(configuration.plan), claims.start()]);
    claims.keep();
    await claims.waitReady((kind) => kind !== 'kubernetes');
    await parts.pool.activate(configuration.plan);
    this.#take(configuration);
    this.#endProbe = startHealthProbe({
      metrics: this.metrics,
      cells: parts.control,
      clock: this.#env.clock,
      log: this.#env.log,
      addresses: () => this.http.healthAddresses,
    });
    // Forwarded names are answered from here on, cluster names as soon as they are known. What is logged and what /ready
    // says keeps to CoreDNS, which opens its sockets only after this wait.
    this.#reportLate(await claims.waitReady());
    this.#serving = true;
    return describeListeners(configuration.plan);
  }

  /**
   * Replaces the configuration in use by another one; queries are answered all the while.
   *
   * @throws ConfigError when the new one cannot be served; the old one then goes on
   */
  async replace(corefile: Corefile): Promise<void> {
    const { pool, control } = this.#parts!;
    const claims = this.#sources.begin();
    let endpoints: Awaited<ReturnType<HttpServices['prepare']>> | undefined;
    let configuration: Configuration;
    try {
      configuration = await this.#configure(corefile, claims);
      await claims.start();
      this.#reportLate(await claims.waitReady());
      endpoints = await this.http.prepare(configuration.services);
      await pool.prepare(configuration.plan);
    } catch (error) {
      endpoints?.drop();
      claims.abandon();
      control[this.#failedReloads]!++;
      throw error;
    }
    // Every worker has said that it can; from here on there is no way back and none is needed.
    await pool.activate(configuration.plan);
    endpoints.take();
    claims.keep();
    this.#reloads++;
    this.#take(configuration);
  }

  /** Whether a configuration is in use: the start has got as far as that. */
  get isServing(): boolean {
    return this.#configuration !== undefined;
  }

  /** Counts a fault that no code of the control thread caught. */
  countFault(): void {
    if (this.#parts) this.#parts.control[PANICS_CELL]!++;
  }

  /** Counts a reload that failed before it got here: the text could not be parsed. */
  countFailedReload(): void {
    this.#parts!.control[this.#failedReloads]!++;
  }

  /**
   * Ends in CoreDNS's order: sources and /ready stop, lameduck time passes while everything else serves, then the
   * other endpoints and the sockets close.
   */
  async stop(): Promise<void> {
    const { clock, log } = this.#env;
    this.#sources.stopAll();
    this.#loops.abort();
    this.http.close('ready');
    const lameduckMs = this.services.reduce(
      (longest, service) => (service.kind === 'health' ? Math.max(longest, service.lameduckMs) : longest),
      0,
    );
    if (lameduckMs > 0) {
      log.forPlugin('health').info(`Going into lameduck mode for ${formatDuration(lameduckMs)}`);
      await new Promise<void>((resolve) => clock.after(lameduckMs, resolve));
    }
    this.#endProbe();
    this.http.close('health');
    this.http.close('metrics');
    this.http.close('pprof');
    await this.#parts?.pool.stop(DRAIN_MS);
  }

  async #configure(corefile: Corefile, claims: SourceClaims): Promise<Configuration> {
    const { log } = this.#env;
    const env = { metrics: this.metrics, log, claimTree: claims.claim };
    return (await configure(corefile, ++this.#generation, env))!;
  }

  #createParts({ sockets }: Configuration): Parts {
    const { clock, log, spawn, countWorkers, onFatal } = this.#env;
    const workers = countWorkers(sockets);
    const cells = createCellMemory(workers);
    const heartbeat = new SharedArrayBuffer(workers * HEARTBEAT.WORDS * Int32Array.BYTES_PER_ELEMENT);
    const control = rowOf(cells, workers);
    const pool = new WorkerPool({
      workers,
      heartbeat,
      clock,
      log,
      spawn: (worker) => spawn(worker, { store: this.#storeMemory, cells, heartbeat }),
      onLost: (worker) => {
        clearGauges(this.metrics, rowOf(cells, worker));
        control[this.#replacedWorkers]!++;
      },
      onFatal,
      seizeSockets,
      readSchedule,
      onNotified: (tree, zone) => this.#sources.notify(tree, zone),
    });
    this.#parts = { pool, cells, control };
    return this.#parts;
  }

  #take(configuration: Configuration): void {
    this.#configuration = configuration;
    this.#readiness = new QueryReadiness(configuration.services, allRows(this.#parts!.cells));
    this.#loops.abort();
    this.#loops = new AbortController();
    for (const service of configuration.services) {
      if (service.kind === 'loop') void runLoopProbe(service, this.#env.clock, this.#loops.signal);
      if (service.kind === 'upstreams') {
        const { clock, log } = this.#env;
        const env = { clock, log: log.forPlugin('forward'), metrics: this.metrics, signal: this.#loops.signal };
        void runUpstreamWatch(service.watch as UpstreamWatch, env);
      }
    }
  }

  #reportLate(late: readonly LateSource[]): void {
    for (const { kind, waitingFor } of late) {
      const missing = waitingFor === '' ? '' : `, still waiting for ${waitingFor}`;
      const text =
        kind === 'kubernetes' ? 'starting server with unsynced Kubernetes API' : 'starting before the first view';
      this.#env.log.forPlugin(kind).warning(`${text}${missing}`);
    }
  }

  #notReady(): readonly string[] {
    const counted = this.#readiness?.notReady() ?? [];
    // Both monitor modes come to the same: a view that was complete once stays so, also when the connection is lost, and
    // who sets `ready_max_age` wants it asked always.
    if (this.#sources.waiting('kubernetes')) return [...counted, 'kubernetes'];
    return this.#serving ? counted : ['startup'];
  }

  #scrape(): string {
    const { cells } = this.#parts!;
    return formatExposition(this.metrics, allRows(cells), [
      ...this.#sampled(),
      ...this.#sources.sample(),
      ...sampleProcess(),
    ]);
  }

  #sampled(): SampledFamily[] {
    const version = readPackageVersion();
    const build = { version: COREDNS_VERSION, revision: `clusterdns-${version}`, goversion: runtimeVersion() };
    const families: SampledFamily[] = [
      {
        name: 'coredns_build_info',
        help: 'Always 1; the labels tell which CoreDNS release this program keeps to and what it runs on.',
        type: 'gauge',
        samples: [{ labels: build, value: 1 }],
      },
    ];
    // As in CoreDNS, the hash shows from the first reload on.
    if (this.#reloads > 0) {
      families.push({
        name: 'coredns_reload_version_info',
        help: 'Always 1; the labels hold the hash of the configuration in use.',
        type: 'gauge',
        samples: [{ labels: { hash: 'sha512', value: this.#configuration!.hash }, value: 1 }],
      });
    }
    return families;
  }
}

/** For messages: the first line of what went wrong, with its place. */
export function describeError(error: unknown): string {
  if (error instanceof ConfigError) return error.formatFatal();
  return error instanceof Error ? error.message : String(error);
}
