// What no code of this thread caught: counted, logged once, and the server goes on with what it has. Control thread.
import type { Logger } from '../base/log.ts';

export type FaultGuardOptions = {
  readonly log: Logger;
  /** Whether a configuration is in use. Before that nothing is lost by an end, and a start that failed half-way serves nobody. */
  readonly isServing: () => boolean;
  readonly count: () => void;
  /** Ends the process. */
  readonly end: () => void;
};

/** Texts remembered so that each is logged once. */
const MAX_TEXTS = 256;

/**
 * Listener for `uncaughtException`, which also gets what a rejected promise that nobody waits for was rejected with. A bug that
 * something from the network can reach costs what was under way, not the answers of the workers.
 */
export function createFaultGuard({ log, isServing, count, end }: FaultGuardOptions): (fault: unknown) => void {
  const texts = new Set<string>();
  return (fault) => {
    const text = fault instanceof Error ? (fault.stack ?? fault.message) : String(fault);
    if (!isServing()) {
      log.fatal(text);
      end();
      return;
    }
    count();
    if (texts.has(text) || texts.size >= MAX_TEXTS) return;
    texts.add(text);
    log.error(`Recovered from panic in the control thread: ${text}`);
  };
}
