// lib/plugins/forward/flight.ts — worker. One query on its way to upstreams, with the equal ones that wait for its answer.
import type { Answer } from '../../chain/answer.ts';
import type { Outcome } from '../../chain/outcome.ts';
import { type Query, TRANSPORT } from '../../chain/query.ts';
import { buildMessage } from './message.ts';

/** An equal query that came while the first was under way. */
export type Waiter = {
  readonly query: Query;
  readonly answer: Answer;
  readonly resolve: (outcome: Outcome | Promise<Outcome>) => void;
};

export class Flight {
  readonly query: Query;
  readonly answer: Answer;
  readonly message: Uint8Array;
  /** Equal for queries that one exchange can answer: same bytes but the ID, same way in. */
  readonly key: string;
  readonly waiters: Waiter[] = [];
  transport: 'udp' | 'tcp';
  /** Upstreams in the order they are asked; undefined when there is only one. */
  readonly order: Uint8Array | undefined;
  /** Index of the upstream that is asked now. */
  current = 0;
  position = 0;
  /** Upstreams found down since the start of the list. */
  down = 0;
  attempts = 0;
  failovers = 0;
  readonly deadlineMs: number;
  error = '';

  constructor(
    query: Query,
    answer: Answer,
    transport: 'udp' | 'tcp',
    order: Uint8Array | undefined,
    deadlineMs: number,
  ) {
    this.query = query;
    this.answer = answer;
    this.transport = transport;
    this.order = order;
    this.deadlineMs = deadlineMs;
    this.message = buildMessage(query);
    this.key = `${transport[0]}${query.transport === TRANSPORT.INTERNAL ? 'i' : ''}${latin1(this.message)}`;
  }
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1', 2);
}
