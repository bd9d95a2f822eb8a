// What every source is to the control thread: something that keeps one tree of the store true. Control thread.
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { SampledFamily } from '../metrics/exposition.ts';
import type { MetricRegistry } from '../metrics/registry.ts';
import type { StoreWriter } from '../store/writer.ts';

export interface Source {
  /** Settles when the first complete view is in the store; never rejects. */
  readonly ready: Promise<void>;
  /** Whether the first complete view is in the store. */
  isReady(): boolean;
  /** What is served is older than was asked for: not ready for now, whatever `isReady` says. */
  isOutdated?(): boolean;
  /** How long the start waits for `ready`, in milliseconds. */
  readonly startupTimeoutMs: number;
  /** What is still missing, for the log line at the end of that time: `services, namespaces`. */
  waitingFor(): string;
  /** The start waits no longer: what is known so far may be served, what is missing may still exist. */
  serveIncomplete?(): void;
  /** Who the source follows says that `zone` has changed. */
  notify?(zone: string): void;
  /** Stops following; the tree stays as it is. */
  stop(): void;
  /** Values of the moment for a scrape; the same families whenever it is asked. */
  sample?(): readonly SampledFamily[];
  /** After `stop`, when no handler names the tree any more: gives back the trees opened beyond it. */
  drop?(): void;
}

/** What a source is given. */
export type SourceEnv = {
  readonly writer: StoreWriter;
  readonly tree: number;
  readonly clock: Clock;
  /** Carries the plugin's name. */
  readonly log: Logger;
  /** The control thread's own row of metric cells. */
  readonly cells: Float64Array;
  /** Another configuration is being served: what a source could show at once, but out of date, is not wanted. */
  readonly isReload?: boolean;
  /** For series whose labels are known only when something happens; without it they are not counted. */
  readonly metrics?: MetricRegistry;
};
