// The rest of a reply that takes more than one message. Worker. See docs/decisions/0020-replies-of-several-messages.md.
import type { Answer } from './answer.ts';
import type { Query } from './query.ts';

/**
 * Put into `answer.continuation` by the handler that built the first message and returned a promise; only for queries over a
 * stream. What wraps that handler sees the first message alone.
 */
export interface Continuation {
  /**
   * Builds the next message. `answer` has been begun for the query; when another message follows, its `continuation` is
   * set again. Called inside a batch of the store, each time the connection has room. A throw is answered SERVFAIL, which is
   * the last message.
   */
  next(query: Query, answer: Answer): void;
  /** Called once: after the last message, or when the client has gone. */
  end(): void;
}
