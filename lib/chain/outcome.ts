// What a handler did with a query. Worker.
import type { Answer } from './answer.ts';
import type { Query } from './query.ts';

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

/**
 * Runs a wrapper's second half when the answer is there. The function that remembers query and answer is made here: a handler
 * that made it itself would get an object for what it remembers on every call, also for answers given at once.
 */
export function whenAnswered(
  result: Promise<Outcome>,
  query: Query,
  answer: Answer,
  after: (query: Query, answer: Answer, outcome: Outcome) => Outcome,
): Promise<Outcome> {
  return result.then((outcome) => after(query, answer, outcome));
}
