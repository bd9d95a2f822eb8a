// Keeps a saved copy of the view up to date on disk, and brings it back at a start without an API server. Control thread.
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import type { CancelTimer, Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import type { KubernetesSourceOptions } from '../../chain/kubernetes-source.ts';
import { readSnapshot, type Snapshot, type SnapshotPart, SnapshotRefused, writeSnapshot } from './snapshot-file.ts';

/** The view that is saved. */
export interface SavedView {
  readonly synced: boolean;
  /** Moves with every object that comes, changes or goes. */
  readonly revision: number;
  /** Unix milliseconds up to which the whole view is known to be true. */
  readonly trueAtMs: number;
  /** All objects as they are at this moment. */
  parts(): readonly SnapshotPart[];
}

export type SnapshotKeeperSettings = {
  readonly options: NonNullable<KubernetesSourceOptions['snapshot']>;
  /** What the view is of: cluster, selectors, columns. */
  readonly origin: string;
  /** What the view is of, the cluster left out: names the file. */
  readonly shape: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** Names in the store at this moment. */
  readonly countNames: () => number;
  /** The control thread's metric cells. */
  readonly cells: Float64Array;
};

const CHECK_MS = 1000;
/** Between two writes, at least. */
const MIN_INTERVAL_MS = 30_000;
/** A write that takes long is made so much less often. */
const INTERVAL_PER_WRITE_TIME = 30;
/** Without a change the copy is written anew after so long, so that its age says when it was last true. */
const REFRESH_MS = 600_000;
/** A view that was not heard for so long is no longer worth a new copy. */
const FRESH_MS = 120_000;

export class SnapshotKeeper {
  readonly file: string;
  readonly #settings: SnapshotKeeperSettings;
  #view: SavedView | undefined;
  #restored: Snapshot | undefined;
  #cancel: CancelTimer | undefined;
  #stopped = false;
  #writtenRevision = -1;
  #writtenMs = Number.NEGATIVE_INFINITY;
  #tookMs = 0;
  #failure = '';

  constructor(settings: SnapshotKeeperSettings) {
    this.#settings = settings;
    this.file = path.join(settings.options.directory, `kubernetes-${shorten(settings.shape)}.snapshot`);
  }

  /** The saved view; undefined when there is none that may be used, which is logged unless there is no file at all. */
  read(): Snapshot | undefined {
    const { clock, log, origin, options } = this.#settings;
    try {
      this.#restored = readSnapshot(this.file, shorten(origin), clock.nowMs(), options.maxAgeMs);
    } catch (error) {
      const verdict = error instanceof SnapshotRefused ? '' : 'cannot be read: ';
      log.warning(`snapshot ${this.file} ${verdict}${(error as Error).message}; it is not used`);
      return undefined;
    }
    if (this.#restored === undefined) return undefined;
    const { trueAtMs, objectCount } = this.#restored;
    const age = `${Math.max(0, Math.round((clock.nowMs() - trueAtMs) / 1000))} s`;
    log.warning(
      `serving the snapshot of ${new Date(trueAtMs).toISOString()} (${objectCount} objects, ${age} old) until the API server answers`,
    );
    this.#showAge();
    return this.#restored;
  }

  /** Writes copies of this view from now on. */
  keep(view: SavedView): void {
    this.#view = view;
    this.#removeLeftovers();
    this.#next();
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel?.();
  }

  #next(): void {
    if (this.#stopped) return;
    this.#cancel = this.#settings.clock.after(CHECK_MS, () => void this.#check().then(() => this.#next()));
  }

  async #check(): Promise<void> {
    const view = this.#view!;
    if (!view.synced) return this.#showAge();
    if (this.#restored !== undefined) {
      this.#restored = undefined;
      this.#showAge();
      this.#settings.log.info('the view of the cluster is complete, the snapshot is no longer served');
    }
    if (this.#isDue(view)) await this.#write(view);
  }

  #isDue({ revision, trueAtMs }: SavedView): boolean {
    const { clock } = this.#settings;
    const sinceMs = clock.monotonicMs() - this.#writtenMs;
    if (sinceMs < Math.max(MIN_INTERVAL_MS, this.#tookMs * INTERVAL_PER_WRITE_TIME)) return false;
    if (clock.nowMs() - trueAtMs > FRESH_MS) return false;
    return revision !== this.#writtenRevision || sinceMs > REFRESH_MS;
  }

  async #write(view: SavedView): Promise<void> {
    const { clock, log, cells, origin, options, countNames } = this.#settings;
    const startMs = clock.monotonicMs();
    const { revision, trueAtMs } = view;
    const contents = { origin: shorten(origin), trueAtMs, names: countNames(), parts: view.parts() };
    this.#writtenMs = startMs;
    try {
      await fs.promises.mkdir(options.directory, { recursive: true });
      await writeSnapshot(this.file, contents);
      this.#writtenRevision = revision;
      cells[options.cells.writes]!++;
      if (this.#failure !== '') log.info(`snapshot ${this.file}: written again`);
      this.#failure = '';
    } catch (error) {
      cells[options.cells.failures]!++;
      const { message } = error as Error;
      if (message !== this.#failure) log.error(`snapshot ${this.file} cannot be written: ${message}`);
      this.#failure = message;
    }
    this.#tookMs = clock.monotonicMs() - startMs;
  }

  #showAge(): void {
    const { clock, cells, options } = this.#settings;
    cells[options.cells.served] = this.#restored === undefined ? 0 : 1;
    cells[options.cells.ageSeconds] =
      this.#restored === undefined ? 0 : Math.max(0, (clock.nowMs() - this.#restored.trueAtMs) / 1000);
  }

  /** What a process that was killed while it wrote has left. */
  #removeLeftovers(): void {
    const { directory } = this.#settings.options;
    const start = `${path.basename(this.file)}.`;
    try {
      for (const name of fs.readdirSync(directory))
        if (name.startsWith(start) && name.endsWith('.tmp')) fs.rmSync(path.join(directory, name), { force: true });
    } catch {
      // There is no such folder yet, or the first write says what is wrong with it.
    }
  }
}

function shorten(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
