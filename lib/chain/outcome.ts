// What a handler did with a query. Worker.

export const Outcome = {
  /** The answer is complete, rcode included. */
  ANSWERED: 0,
  /** Nothing was answered: the server replies with `answer.rcode` alone and `answer.error` says why. */
  FAILED: 1,
  /** No reply at all. */
  DROPPED: 2,
} as const;
export type Outcome = (typeof Outcome)[keyof typeof Outcome];

/** A promise only when the handler has to wait for something outside the process. */
export type Result = Outcome | Promise<Outcome>;

/**
 * Whether a handler returned a promise: a wrapper then hangs its second half on it, otherwise runs it at once.
 */
export function isWaiting(result: Result): result is Promise<Outcome> {
  return typeof result === 'object';
}
