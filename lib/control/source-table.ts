// The sources of the configuration in use, each with its tree: kept over a reload when nothing about them changed. Control.
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { SourceSpec } from '../chain/plugin.ts';
import type { SampledFamily } from '../metrics/exposition.ts';
import type { MetricRegistry } from '../metrics/registry.ts';
import type { Source, SourceEnv } from '../sources/source.ts';
import type { StoreWriter } from '../store/writer.ts';

/** Starts a source; `startSource` of lib/sources, a fake in tests. */
export type StartSource = (spec: SourceSpec, env: SourceEnv) => Promise<Source>;

export type SourceTableEnv = {
  readonly start: StartSource;
  readonly writer: StoreWriter;
  readonly clock: Clock;
  readonly log: Logger;
  readonly cells: Float64Array;
  readonly metrics?: MetricRegistry;
};

/** CoreDNS says twice a second what the start waits for. */
const NOTE_INTERVAL_MS = 500;

type Entry = { readonly spec: SourceSpec; readonly tree: number; source: Source | undefined };

/** The sources one configuration asks for, until it is taken or given up. */
export interface SourceClaims {
  /** Tree of an equal source that runs already, or of a new one. */
  readonly claim: (spec: SourceSpec) => number;
  /** Starts the new ones. @throws ConfigError when one cannot be built */
  start(): Promise<void>;
  /**
   * Waits for the first view of each (of the kinds that `isWanted` names), as long as it wants to be waited for.
   * @returns those that are late; they may serve what they know from now on
   */
  waitReady(isWanted?: (kind: SourceSpec['kind']) => boolean): Promise<readonly LateSource[]>;
  /** These are the sources from now on; others end and their trees are given back. */
  keep(): void;
  /** Ends those that were started for nothing. */
  abandon(): void;
}

export type LateSource = { readonly kind: string; readonly waitingFor: string };

export class SourceTable {
  readonly #env: SourceTableEnv;
  #entries = new Map<string, Entry>();

  constructor(env: SourceTableEnv) {
    this.#env = env;
  }

  /** Whether a source of this kind has no complete view yet, or an older one than was asked for. */
  waiting(kind: SourceSpec['kind']): boolean {
    return [...this.#entries.values()].some(
      ({ spec, source }) => spec.kind === kind && (source?.isReady() !== true || source.isOutdated?.() === true),
    );
  }

  begin(): SourceClaims {
    const before = this.#entries;
    const claimed = new Map<string, Entry>();
    const claim = (spec: SourceSpec): number => {
      const key = `${spec.kind} ${spec.key}`;
      const entry = claimed.get(key) ??
        before.get(key) ?? { spec, tree: this.#env.writer.openTree(), source: undefined };
      claimed.set(key, entry);
      return entry.tree;
    };
    return {
      claim,
      start: async () => {
        for (const entry of claimed.values()) entry.source ??= await this.#start(entry, before.size > 0);
      },
      waitReady: (isWanted = () => true) =>
        this.#waitReady([...claimed.values()].filter(({ spec }) => isWanted(spec.kind))),
      keep: () => {
        this.#entries = claimed;
        this.#end([...before].filter(([key]) => !claimed.has(key)));
      },
      abandon: () => this.#end([...claimed].filter(([key]) => !before.has(key))),
    };
  }

  /** What the sources show of themselves at this moment. Of several with the same series each gets a label `source`, from 1. */
  sample(): SampledFamily[] {
    const sampled = [...this.#entries.values()].flatMap(({ source }) => {
      const families = source?.sample?.() ?? [];
      return families.length === 0 ? [] : [families];
    });
    const merged = new Map<string, SampledFamily>();
    for (const [index, families] of sampled.entries()) {
      for (const family of families) {
        const number = sampled.length === 1 ? {} : { source: String(index + 1) };
        const samples = family.samples.map(({ labels, value }) => ({ labels: { ...labels, ...number }, value }));
        const before = merged.get(family.name)?.samples ?? [];
        merged.set(family.name, { ...family, samples: [...before, ...samples] });
      }
    }
    return [...merged.values()];
  }

  /** Tells the source that writes `tree`, if it is still one of these. */
  notify(tree: number, zone: string): void {
    for (const entry of this.#entries.values()) if (entry.tree === tree) entry.source?.notify?.(zone);
  }

  /** Ends all sources; what they wrote stays, so that answers go on. */
  stopAll(): void {
    for (const { source } of this.#entries.values()) source?.stop();
  }

  #start({ spec, tree }: Entry, isReload: boolean): Promise<Source> {
    const { start, writer, clock, log, cells, metrics } = this.#env;
    const env = { writer, tree, clock, log: log.forPlugin(spec.kind), cells, isReload };
    return start(spec, { ...env, ...(metrics && { metrics }) });
  }

  async #waitReady(entries: readonly Entry[]): Promise<LateSource[]> {
    const late: LateSource[] = [];
    await Promise.all(
      entries.map(async ({ spec, source }) => {
        if (source === undefined || source.isReady()) return;
        await this.#waitFor(spec.kind, source);
        if (source.isReady()) return;
        source.serveIncomplete?.();
        late.push({ kind: spec.kind, waitingFor: source.waitingFor() });
      }),
    );
    return late;
  }

  async #waitFor(kind: SourceSpec['kind'], source: Source): Promise<void> {
    const { clock, log } = this.#env;
    let cancelNote = (): void => {};
    const note = (): void => {
      cancelNote = clock.after(NOTE_INTERVAL_MS, () => {
        log.forPlugin(kind).info('waiting for Kubernetes API before starting server');
        note();
      });
    };
    if (kind === 'kubernetes') note();
    let cancelTimeout = (): void => {};
    const timeout = new Promise<void>((resolve) => {
      cancelTimeout = clock.after(source.startupTimeoutMs, resolve);
    });
    await Promise.race([source.ready, timeout]);
    cancelTimeout();
    cancelNote();
  }

  #end(entries: readonly (readonly [string, Entry])[]): void {
    for (const [, { source, tree }] of entries) {
      source?.stop();
      source?.drop?.();
      this.#env.writer.dropTree(tree);
    }
  }
}
