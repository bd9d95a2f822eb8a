// Keeps the zones of one `file` line equal to their file. Control thread.
import { ConfigError } from '../../base/errors.ts';
import type { CancelTimer } from '../../base/clock.ts';
import { TREE_STATE } from '../../store/layout.ts';
import type { Source, SourceEnv } from '../source.ts';
import { FollowedZone } from './followed-zone.ts';
import { ZonePublisher } from './zone-publisher.ts';

/** Plain data, made by the setup of `file`. */
export type FileSourceOptions = {
  readonly file: string;
  /** Zones that have these records; names without a final dot are relative to each in turn. */
  readonly zones: readonly string[];
  /** How often the file is looked at; 0: never again. */
  readonly reloadMs: number;
  readonly byMtime: boolean;
};

/**
 * Reads the file once for each zone. The tree is a directory of zones.
 *
 * @throws ConfigError `FILE` when the file is broken, or not there and never looked for again
 */
export async function startFileSource(options: FileSourceOptions, env: SourceEnv): Promise<Source> {
  const { writer, tree, log, clock } = env;
  const publisher = new ZonePublisher(writer, tree);
  const zones = options.zones.map((zone) => new FollowedZone(zone, options.file, options.byMtime, publisher, log));
  for (const zone of zones) {
    const error = await zone.load();
    if (error === undefined) continue;
    const isMissing = error.line === 0 && error.isUnreadable && error.file === options.file;
    if (!isMissing || options.reloadMs === 0) {
      publisher.close();
      // What is missing in the file as a whole is reported at its first line.
      const line = error.isUnreadable ? error.line : Math.max(1, error.line);
      throw new ConfigError('FILE', `file: ${error.message}`, error.file, line);
    }
    if (zone === zones[0]) log.warning(`Failed to open ${error.format()}: trying again in ${options.reloadMs / 1000}s`);
  }
  writer.setState(tree, TREE_STATE.SYNCED);
  let cancel: CancelTimer = () => {};
  let isStopped = false;
  const poll = async (): Promise<void> => {
    for (const zone of zones) if (!isStopped) await zone.poll();
    schedule();
  };
  const schedule = (): void => {
    if (options.reloadMs > 0 && !isStopped) cancel = clock.after(options.reloadMs, () => void poll());
  };
  schedule();
  return {
    ready: Promise.resolve(),
    isReady: () => true,
    startupTimeoutMs: 0,
    waitingFor: () => '',
    stop: () => {
      isStopped = true;
      cancel();
    },
    drop: () => publisher.close(),
  };
}
