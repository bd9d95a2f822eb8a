// Takes in a saved view in slices, so that sockets open and forwarded names are answered while that goes on. Control thread.
import type { Logger } from '../../base/log.ts';
import type { StoreWriter } from '../../store/writer.ts';
import type { ClusterSource } from './cluster-source.ts';
import type { ClusterTrees } from './cluster-trees.ts';
import { yieldToEventLoop } from './object-view.ts';
import type { Snapshot } from './snapshot-file.ts';

export type SavedStartEnv = {
  readonly source: ClusterSource;
  readonly trees: ClusterTrees;
  readonly writer: StoreWriter;
  readonly log: Logger;
  readonly isStopped: () => boolean;
};

/** Restores and has the view served; never rejects, as the cluster's own view puts everything right. */
export async function restoreSaved(saved: Snapshot, env: SavedStartEnv): Promise<void> {
  const { source, trees, writer, log, isStopped } = env;
  try {
    writer.reserve(saved.names);
    trees.expectSaved();
    for (const _ of source.restore(saved)) {
      await yieldToEventLoop();
      if (isStopped()) return;
    }
    trees.serveSaved();
  } catch (error) {
    log.error(`the snapshot could not be taken in: ${(error as Error).stack}`);
  }
}
