// lib/plugins/forward/flight.ts — worker. One query on its way to upstreams, with the equal ones that wait for its answer.
import type { Answer } from '../../chain/answer.ts';
import type { Outcome } from '../../chain/outcome.ts';
import { type Query, TRANSPORT } from '../../chain/query.ts';
import { buildMessage } from './message.ts';
import type { Nameserver } from './nameserver.ts';

type Settle = (outcome: Outcome | Promise<Outcome>) => void;

/** A client's query that gets the answer of a flight. */
export type Passenger = {
  readonly query: Query;
  readonly answer: Answer;
  /** What `Admission.leave` is to be given. */
  readonly place: number;
  readonly resolve: Settle;
};

/** Shared by all that have none: most flights need no lists of their own. */
const NONE: readonly never[] = [];
const NO_ROUND: Nameserver[] = [];

export class Flight {
  readonly query: Query;
  readonly answer: Answer;
  /** What `Admission.leave` is to be given. */
  readonly place: number;
  readonly message: Uint8Array;
  /** Equal for queries that one exchange can answer: same question and options but for ID and letter case, same way in. */
  readonly key: string;
  /** Equal queries that came while this one was under way. */
  waiters: readonly Passenger[] = NONE;
  readonly transport: 'udp' | 'tcp';
  readonly deadlineMs: number;
  /** When it is given up if no upstream says anything; at most `deadlineMs`. */
  readonly silentDeadlineMs: number;
  /** Upstreams in the order of the policy, as drawn for this flight. */
  order: readonly Nameserver[] = NONE;
  /** Those of them not asked in this round. */
  round: Nameserver[] = NO_ROUND;
  /** Exchanges started. */
  attempts = 0;
  /** Exchanges under way. */
  outstanding = 0;
  /** The upstream asked before all others. */
  first: Nameserver | undefined;
  /** Upstreams that an exchange is under way with; kept only where there are several. */
  asked: readonly Nameserver[] = NONE;
  /** Upstreams whose failure was put aside in the hope of a better reply. */
  failed: readonly Nameserver[] = NONE;
  /** Whether `answer` holds a failure to give when nothing better comes. */
  hasFallback = false;
  /** Whether that failure asks the following `forward`. */
  goesOnAfterFallback = false;
  /** When another upstream is asked as well; Infinity when it was, or must not. */
  hedgeAtMs: number = Number.POSITIVE_INFINITY;
  /** When the fallback is given although a reply may still come. */
  settleAtMs: number = Number.POSITIVE_INFINITY;
  isHedged = false;
  hasLanded = false;
  error = '';
  resolve!: Settle;

  constructor(
    query: Query,
    answer: Answer,
    place: number,
    transport: 'udp' | 'tcp',
    deadlineMs: number,
    silentDeadlineMs: number,
  ) {
    this.query = query;
    this.answer = answer;
    this.place = place;
    this.transport = transport;
    this.deadlineMs = deadlineMs;
    this.silentDeadlineMs = silentDeadlineMs;
    this.message = buildMessage(query);
    this.key = makeKey(query, this.message, transport);
  }
}

let taken!: Settle;
const take = (resolve: Settle): void => {
  taken = resolve;
};

/** What the flight's own query waits for; without the closures that a promise otherwise comes with, as thousands may wait. */
export function awaitLanding(flight: Flight): Promise<Outcome> {
  const promise = new Promise<Outcome>(take);
  flight.resolve = taken;
  return promise;
}

/** Adds a query that gets the flight's answer, too. */
export function board(flight: Flight, passenger: Passenger): void {
  if (flight.waiters === NONE) flight.waiters = [];
  (flight.waiters as Passenger[]).push(passenger);
}

/** A message's key is drawn from its bytes with the name in lower case. */
let keyBytes = Buffer.alloc(1024);

function makeKey(query: Query, message: Uint8Array, transport: 'udp' | 'tcp'): string {
  const { length } = message;
  if (keyBytes.length < length) keyBytes = Buffer.alloc(2 * length);
  const { name, nameLength } = query;
  keyBytes[0] = (transport === 'tcp' ? 2 : 0) | (query.transport === TRANSPORT.INTERNAL ? 1 : 0);
  keyBytes[1] = 0;
  for (let i = 2; i < length; i++) keyBytes[i] = message[i]!;
  for (let i = 0; i < nameLength; i++) keyBytes[12 + i] = name[i]!;
  return keyBytes.toString('latin1', 0, length);
}
