// What a reflector is given and what it counts. Control thread.
import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import type { OneAtATime } from './one-at-a-time.ts';

export type ReflectorSettings = {
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Already carries the plugin's name. */
  readonly log: Logger;
  /** Shared by all reflectors of a cluster. */
  readonly sideRequests: OneAtATime;
  /** Without a byte for so long (give or take a tenth) a watch is taken for dead and opened anew. Default 60 s. */
  readonly idleTimeoutMs?: number;
};

/** Counted since the start; read at any time. */
export type ReflectorCounters = {
  /** Complete lists, the first one included. */
  lists: number;
  /** Watches that the server accepted. */
  watches: number;
  /** Requests and streams that failed; a watch that the server ends in good order is none. */
  errors: number;
  badLines: number;
  /** Watches opened anew because nothing was heard. */
  idleReconnects: number;
  /** Times the cluster was found to have gone back in time. */
  rewinds: number;
  /** Unix milliseconds when the server last showed that it would tell of changes; 0 before the first list. */
  lastProofOfLifeMs: number;
};
