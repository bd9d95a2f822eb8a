// The packet loop: header check, question, chain, reply. The only catch on the packet path. Worker.
import type { Clock } from '../base/clock.ts';
import { Answer } from '../chain/answer.ts';
import type { Continuation } from '../chain/continuation.ts';
import { ADMISSION, admit, finish, writeRejection } from '../chain/finish.ts';
import { isWaiting, Outcome, type Result } from '../chain/outcome.ts';
import { PARSED, Query, TRANSPORT } from '../chain/query.ts';
import type { Router } from '../chain/router.ts';
import type { TsigVerifier } from '../chain/tsig.ts';
import { countDropped, type RequestCells } from '../plugins/prometheus/metrics.ts';
import type { StoreReader } from '../store/reader.ts';
import { CLASS, RCODE } from '../wire/types.ts';

/** Queries kept for reuse while others wait; more are left to the garbage collector. */
const MAX_POOLED = 4096;
/** Largest message over TCP and its kin. */
const STREAM_LIMIT = 65_535;
const MIN_UDP_LIMIT = 512;

/** What the loop needs to know of the listener a packet came in on; swapped as a whole with the plan. */
export type ListenerState = {
  readonly index: number;
  readonly router: Router;
  readonly anyClass: boolean;
  readonly dropped: RequestCells | undefined;
  readonly transport: number;
  /** Checks signed queries; only on listeners with keys. */
  readonly tsig?: TsigVerifier | undefined;
  /** Cell that counts the HTTP responses of a status, by status. */
  readonly httpResponses?: Readonly<Record<number, number>> | undefined;
};

/**
 * Sends the reply of a query that had to wait; `length` 0: there is none, let go of the client. With `then` another message of
 * the same reply follows: it is called when there is room for it, or with `false` when the client has gone and nothing may.
 */
export type LateReply = (bytes: Uint8Array, at: number, length: number, then?: (isOpen: boolean) => void) => void;

/** Hears of faults: a throw in a handler is a bug, the query is answered SERVFAIL and life goes on. */
export type FaultReport = (where: string, error: unknown) => void;

export class PacketLoop {
  readonly #clock: Clock;
  readonly #store: StoreReader;
  readonly #cells: Float64Array;
  readonly #report: FaultReport;
  readonly #pool: { query: Query; answer: Answer }[] = [];
  #query = new Query();
  #answer = new Answer(0);
  #nowMs = 0;
  /** Queries whose answer is still to come. */
  waiting = 0;

  constructor(clock: Clock, store: StoreReader, cells: Float64Array, report: FaultReport) {
    this.#clock = clock;
    this.#store = store;
    this.#cells = cells;
    this.#report = report;
  }

  /** Before a batch of packets: one reading of the clock and one epoch of the store for all of them. */
  begin(): void {
    this.#nowMs = this.#clock.monotonicMs();
    this.#store.enter();
  }

  end(): void {
    this.#store.leave();
  }

  /** Adds one to a metric cell, if there is one. */
  count(cell: number | undefined): void {
    if (cell !== undefined) this.#cells[cell]!++;
  }

  /** The query under way, for the listener to put the client's address into; valid after `read` returned true. */
  get query(): Query {
    return this.#query;
  }

  /**
   * Reads one message into `query`. What is no query is rejected here.
   *
   * @param isCut the message was longer than what was read of it
   * @returns -1 when `run` is to follow, else the length of the rejection at `tx[txAt]`, 0 for none
   */
  read(rx: Uint8Array, rxAt: number, rxLength: number, isCut: boolean, tx: Uint8Array, txAt: number): number {
    try {
      const admission = isCut ? ADMISSION.FORMERR : admit(rx, rxAt, rxLength);
      if (admission === ADMISSION.DROP) return 0;
      if (admission !== ADMISSION.PASS) return writeRejection(rx, rxAt, admission, tx, txAt);
      if (this.#query.parse(rx, rxAt, rxLength) !== PARSED.OK) {
        return writeRejection(rx, rxAt, ADMISSION.FORMERR, tx, txAt);
      }
      return -1;
    } catch (error) {
      this.#report('message', error);
      return 0;
    }
  }

  /**
   * Runs the chain for `query`, whose addresses are set by now, and builds the reply at `tx[txAt .. txAt + capacity)`.
   *
   * @param late asked for a function that takes the reply when the query has to wait
   * @returns length of the reply, 0 for none (now)
   */
  run(listener: ListenerState, tx: Uint8Array, txAt: number, capacity: number, late: () => LateReply): number {
    const query = this.#query;
    const answer = this.#answer;
    query.listener = listener.index;
    query.transport = listener.transport;
    query.receivedMs = this.#nowMs;
    query.sizeLimit = listener.transport === TRANSPORT.UDP ? Math.max(MIN_UDP_LIMIT, query.udpSize) : STREAM_LIMIT;
    answer.attach(tx, txAt, capacity);
    try {
      if (query.tsigAt !== -1 && listener.tsig) query.tsig = listener.tsig.verify(query, this.#clock.nowMs());
      answer.begin(query);
      const result = this.#dispatch(listener, query, answer);
      if (!isWaiting(result)) return result === Outcome.DROPPED ? 0 : finish(query, answer);
      this.#wait(result, query, answer, late);
      return 0;
    } catch (error) {
      answer.attach(tx, txAt, capacity);
      return this.#recover(query, answer, 'handler', error);
    }
  }

  #dispatch(listener: ListenerState, query: Query, answer: Answer): Result {
    if (query.qclass !== CLASS.IN && !listener.anyClass) return this.#refuse(listener, query, answer);
    if (query.ednsVersion !== 0) {
      // RFC 6891 section 6.1.3
      answer.fail(RCODE.BADVERS);
      return Outcome.FAILED;
    }
    const handler = listener.router.route(query);
    return handler ? handler(query, answer) : this.#refuse(listener, query, answer);
  }

  #refuse(listener: ListenerState, query: Query, answer: Answer): Outcome {
    answer.fail(RCODE.REFUSED);
    if (listener.dropped) countDropped(this.#cells, listener.dropped, query, RCODE.REFUSED, answer.length);
    return Outcome.FAILED;
  }

  #fault(answer: Answer, error: unknown): Outcome {
    this.#report('handler', error);
    answer.fail(RCODE.SERVFAIL);
    return Outcome.FAILED;
  }

  /**
   * Makes the reply SERVFAIL after a throw.
   *
   * @returns its length; 0, which is no reply, when what threw stands in the way of that one too
   */
  #recover(query: Query, answer: Answer, where: string, error: unknown): number {
    this.#report(where, error);
    try {
      answer.begin(query);
      answer.fail(RCODE.SERVFAIL);
      return finish(query, answer);
    } catch {
      return 0;
    }
  }

  /** The slots go to the next packet: the query takes along what it needs. */
  #wait(result: Promise<Outcome>, query: Query, answer: Answer, capture: () => LateReply): void {
    query.detach();
    answer.detach();
    const late = capture();
    this.waiting++;
    const spare = this.#pool.pop();
    this.#query = spare?.query ?? new Query();
    this.#answer = spare?.answer ?? new Answer(0);
    result.then(
      (outcome) => this.#finishLate(query, answer, outcome, late),
      (error: unknown) => this.#finishLate(query, answer, this.#fault(answer, error), late),
    );
  }

  #finishLate(query: Query, answer: Answer, outcome: Outcome, late: LateReply): void {
    if (answer.continuation !== undefined) {
      this.#sendPart(query, answer, answer.continuation, late);
      return;
    }
    this.waiting--;
    this.#sendLast(query, answer, outcome, late);
    if (this.#pool.length < MAX_POOLED) this.#pool.push({ query, answer });
  }

  #sendLast(query: Query, answer: Answer, outcome: Outcome, late: LateReply): void {
    this.#deliver(answer, outcome === Outcome.DROPPED ? 0 : this.#complete(query, answer), late);
  }

  #deliver(answer: Answer, length: number, late: LateReply): void {
    try {
      late(answer.bytes, answer.base, length);
    } catch (error) {
      this.#report('late reply', error);
    }
  }

  #complete(query: Query, answer: Answer): number {
    try {
      return finish(query, answer);
    } catch (error) {
      return this.#recover(query, answer, 'late reply', error);
    }
  }

  /** Sends a message that others follow. */
  #sendPart(query: Query, answer: Answer, continuation: Continuation, late: LateReply): void {
    // Before its place is asked for: finishing can move the message to a larger buffer.
    const length = this.#complete(query, answer);
    // After a throw the answer is SERVFAIL and nothing follows it.
    if (answer.continuation === undefined) {
      this.#deliver(answer, length, late);
      this.#endParts(query, answer, continuation);
      return;
    }
    late(answer.bytes, answer.base, length, (isOpen) => {
      if (isOpen) this.#sendNext(query, answer, continuation, late);
      else this.#endParts(query, answer, continuation);
    });
  }

  #sendNext(query: Query, answer: Answer, continuation: Continuation, late: LateReply): void {
    answer.begin(query);
    this.#store.enter();
    try {
      continuation.next(query, answer);
    } catch (error) {
      this.#fault(answer, error);
    } finally {
      this.#store.leave();
    }
    if (answer.continuation !== undefined) {
      this.#sendPart(query, answer, answer.continuation, late);
      return;
    }
    this.#sendLast(query, answer, Outcome.ANSWERED, late);
    this.#endParts(query, answer, continuation);
  }

  #endParts(query: Query, answer: Answer, continuation: Continuation): void {
    this.waiting--;
    answer.continuation = undefined;
    try {
      continuation.end();
    } catch (error) {
      this.#report('late reply', error);
    }
    if (this.#pool.length < MAX_POOLED) this.#pool.push({ query, answer });
  }
}
