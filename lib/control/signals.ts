// What each signal does, as in CoreDNS. Control thread.
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';

export const EXIT = { OK: 0, FAILED: 1, FORCED: 2, HOOK_FAILED: 4 } as const;

/** What signals act on. */
export type SignalTargets = {
  readonly log: Logger;
  readonly clock: Clock;
  /** Ends in order; rejects when a part of it failed. */
  readonly stop: () => Promise<void>;
  readonly reload: () => void;
  /** Removes what is left behind (the pidfile) and ends the process. */
  readonly exit: (code: number) => void;
};

/** A terminal's Ctrl-C can arrive twice, once through npm; the second within this time is the same one. */
const SAME_KEY_MS = 100;

/** Makes the handlers, by signal. A signal that is not in the table keeps its default. */
export function createSignalHandlers(targets: SignalTargets): Readonly<Partial<Record<NodeJS.Signals, () => void>>> {
  const { log, clock, stop, reload, exit } = targets;
  let stopping = false;
  let interruptedMs: number | undefined;
  const finish = (): void => {
    if (stopping) return;
    stopping = true;
    stop().then(
      () => exit(EXIT.OK),
      (error: Error) => {
        log.error(`shutdown: ${error.message}`);
        exit(EXIT.HOOK_FAILED);
      },
    );
  };
  return {
    SIGTERM: () => {
      log.info('SIGTERM: Shutting down servers then terminating');
      finish();
    },
    SIGINT: () => {
      const nowMs = clock.monotonicMs();
      if (interruptedMs === undefined) {
        interruptedMs = nowMs;
        log.info('SIGINT: Shutting down');
        finish();
      } else if (nowMs - interruptedMs >= SAME_KEY_MS) {
        log.info('SIGINT: Force quit');
        exit(EXIT.FORCED);
      }
    },
    SIGQUIT: () => {
      log.info('SIGQUIT: Quitting process immediately');
      exit(EXIT.OK);
    },
    SIGUSR1: () => {
      if (!stopping) reload();
    },
    SIGUSR2: () => log.info('SIGUSR2: ignored, a running process cannot be exchanged for another binary'),
    SIGHUP: () => {},
  };
}
