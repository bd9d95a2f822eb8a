// lib/plugins/forward/handler.ts — worker. Passes queries to upstream nameservers and their replies back.
//
// One async function per query that goes out; equal queries that arrive meanwhile wait for its reply. No timer per query:
// the exchange brings its timeout, the deadline is looked at between exchanges.
import { Outcome, type Result } from '../../chain/outcome.ts';
import type { Answer } from '../../chain/answer.ts';
import type { Env, Handler, Upstream, UpstreamReply } from '../../chain/plugin.ts';
import { type Query, TRANSPORT } from '../../chain/query.ts';
import { ZoneTable } from '../../chain/zone-table.ts';
import { TIME_BUCKETS, observe } from '../../metrics/registry.ts';
import { parseNameLower } from '../../wire/name.ts';
import { EDE, RCODE } from '../../wire/types.ts';
import { Flight } from './flight.ts';
import { type ForwardCells, PROTO, rcodeIndex } from './metrics.ts';
import { REPLY, ReplyReader, copyAnswer } from './relay.ts';
import type { ForwardOptions, ForwardZoneOptions } from './setup.ts';
import { SharedState } from './shared-state.ts';
import { UpstreamHealth } from './upstream-health.ts';

/** Time a query has for all its upstreams together. */
const DEADLINE_MS = 5000;
/** Exchanges for one query when the Corefile sets no limit. */
const MAX_ATTEMPTS = 100;
/** Queries of one worker that may wait for upstreams, whatever the Corefile says. */
const MAX_UNDER_WAY = 20_000;

export function createForwardHandler(options: ForwardOptions, env: Env): Handler {
  let following: Handler = env.next;
  let isLast = true;
  for (const forward of options.forwards.toReversed()) {
    following = new Forwarder(forward, options.cells, env, following, isLast).handler;
    isLast = false;
  }
  return following;
}

/** What one exchange means for the query. */
const VERDICT = { DONE: 0, ASK_NEXT_UPSTREAM: 1, ASK_OVER_TCP: 2, ASK_NEXT_FORWARD: 3 } as const;

/** One `forward` directive in one worker. */
class Forwarder {
  readonly handler: Handler;
  readonly #options: ForwardZoneOptions;
  readonly #cells: ForwardCells;
  readonly #env: Env;
  readonly #following: Handler;
  /** Whether no other `forward` follows: `next` has no effect then. */
  readonly #isLast: boolean;
  readonly #from: ZoneTable;
  readonly #fromLength: number;
  readonly #except: ZoneTable;
  readonly #upstreams: readonly Upstream[];
  readonly #health: readonly UpstreamHealth[];
  readonly #shared: SharedState;
  readonly #reader = new ReplyReader();
  readonly #flights = new Map<string, Flight>();
  #underWay = 0;
  #isClosed = false;

  constructor(options: ForwardZoneOptions, cells: ForwardCells, env: Env, following: Handler, isLast: boolean) {
    this.#options = options;
    this.#cells = cells;
    this.#env = env;
    this.#following = following;
    this.#isLast = isLast;
    this.#from = new ZoneTable([options.from]);
    this.#fromLength = parseNameLower(options.from)?.length ?? 0;
    this.#except = new ZoneTable(options.except);
    this.#shared = new SharedState(options.shared, env.worker);
    this.#upstreams = options.upstreams.map(({ target }) => env.upstreams.open(target));
    this.#health = this.#upstreams.map((upstream, i) => new UpstreamHealth(options, i, upstream, this.#shared, env));
    env.onClose(() => this.#close());
    this.handler = (query, answer) => (this.#isMine(query) ? this.#forward(query, answer) : following(query, answer));
  }

  /** Stops probing; sockets go when the last query under way has its answer. */
  #close(): void {
    this.#isClosed = true;
    for (const health of this.#health) health.close();
    if (this.#underWay === 0) this.#closeUpstreams();
  }

  #closeUpstreams(): void {
    for (const upstream of this.#upstreams) upstream.close();
  }

  #isMine(query: Query): boolean {
    if (this.#from.match(query) === -1) return false;
    return query.nameLength === this.#fromLength || this.#except.match(query) === -1;
  }

  #forward(query: Query, answer: Answer): Result {
    const { maxConcurrent } = this.#options;
    if (this.#underWay >= MAX_UNDER_WAY || (maxConcurrent > 0 && !this.#shared.enter(maxConcurrent))) {
      this.#env.cells[this.#cells.rejects]!++;
      answer.fail(RCODE.REFUSED, `concurrent queries exceeded maximum ${maxConcurrent || MAX_UNDER_WAY}`);
      return Outcome.FAILED;
    }
    this.#underWay++;
    const latestMs = this.#env.clock.monotonicMs() + DEADLINE_MS;
    const deadlineMs = query.deadlineMs > 0 ? Math.min(query.deadlineMs, latestMs) : latestMs;
    const flight = new Flight(query, answer, this.#transportFor(query), this.#order(), deadlineMs);
    const first = this.#flights.get(flight.key);
    if (first) {
      this.#env.cells[this.#cells.coalesced]!++;
      return new Promise((resolve) => first.waiters.push({ query, answer, resolve }));
    }
    this.#flights.set(flight.key, flight);
    return this.#fly(flight);
  }

  #transportFor(query: Query): 'udp' | 'tcp' {
    const { forceTcp, preferUdp } = this.#options;
    if (forceTcp) return 'tcp';
    return preferUdp || query.transport === TRANSPORT.UDP || query.transport === TRANSPORT.INTERNAL ? 'udp' : 'tcp';
  }

  /** The order in which the upstreams are asked, by the policy. */
  #order(): Uint8Array | undefined {
    const count = this.#upstreams.length;
    if (count === 1) return undefined;
    const order = Uint8Array.from({ length: count }, (_, i) => i);
    if (this.#options.policy === 'round_robin') {
      const first = this.#shared.turn() % count;
      order.copyWithin(1, 0, first);
      order[0] = first;
    } else if (this.#options.policy === 'random') {
      for (let i = count - 1; i > 0; i--) {
        const other = this.#env.random() % (i + 1);
        const swapped = order[i]!;
        order[i] = order[other]!;
        order[other] = swapped;
      }
    }
    return order;
  }

  async #fly(flight: Flight): Promise<Outcome> {
    let verdict: number = VERDICT.ASK_NEXT_UPSTREAM;
    try {
      while (verdict === VERDICT.ASK_OVER_TCP || (verdict === VERDICT.ASK_NEXT_UPSTREAM && this.#pick(flight))) {
        const startMs = this.#env.clock.monotonicMs();
        const timeoutMs = Math.min(this.#options.readTimeoutMs, flight.deadlineMs - startMs);
        const upstream = this.#upstreams[flight.current]!;
        this.#env.cells[this.#options.upstreams[flight.current]!.cells.oldRequests]!++;
        let reply: UpstreamReply;
        try {
          reply = await upstream.exchange(flight.message, flight.transport, timeoutMs);
        } catch (error) {
          this.#countSocket(flight, false);
          verdict = this.#noteFailure(flight, error instanceof Error ? error.message : String(error));
          continue;
        }
        // The reply's bytes are gone after this turn: all that is needed of them is copied in `#take`.
        verdict = this.#take(flight, reply, startMs);
      }
    } catch (bug) {
      this.#land(flight, this.#fail(flight), false);
      throw bug;
    }
    const outcome = verdict === VERDICT.ASK_NEXT_UPSTREAM ? this.#fail(flight) : Outcome.ANSWERED;
    const goesOn = verdict === VERDICT.ASK_NEXT_FORWARD;
    this.#land(flight, outcome, goesOn);
    return goesOn ? this.#following(flight.query, flight.answer) : outcome;
  }

  #fail(flight: Flight): Outcome {
    flight.answer.fail(RCODE.SERVFAIL, flight.error === '' ? 'no healthy proxies' : flight.error);
    flight.answer.ede = EDE.NO_REACHABLE_AUTHORITY;
    return Outcome.FAILED;
  }

  /** Moves on to the upstream to ask next; false when the query is given up. */
  #pick(flight: Flight): boolean {
    const { maxFails, maxConnectAttempts, failfast } = this.#options;
    const count = this.#upstreams.length;
    if (flight.attempts >= (maxConnectAttempts || MAX_ATTEMPTS)) return false;
    if (this.#env.clock.monotonicMs() >= flight.deadlineMs) return false;
    flight.transport = this.#transportFor(flight.query);
    for (;;) {
      if (flight.position >= count) {
        flight.position = 0;
        flight.down = 0;
      }
      flight.current = flight.order ? flight.order[flight.position]! : 0;
      flight.position++;
      if (!this.#health[flight.current]!.isDown(maxFails)) return true;
      if (++flight.down < count) continue;
      this.#env.cells[this.#cells.broken]!++;
      // All are down: perhaps it is the health check that is broken, so one is tried all the same.
      flight.current = this.#env.random() % count;
      return !failfast;
    }
  }

  #take(flight: Flight, reply: UpstreamReply, startMs: number): number {
    const { query, answer } = flight;
    const reader = this.#reader;
    this.#countSocket(flight, reply.reused);
    const result = reader.read(query, reply.bytes, reply.length);
    if (result === REPLY.CUT && flight.transport === 'udp' && !this.#hasTls(flight.current)) {
      if (this.#wantsTcp(flight)) return VERDICT.ASK_OVER_TCP;
      this.#countReply(flight, reader.info.rcode, startMs);
      reader.relayCut(answer);
      return VERDICT.DONE;
    }
    if (result !== REPLY.OK) {
      const { to } = this.#options.upstreams[flight.current]!;
      return this.#noteFailure(
        flight,
        `${result === REPLY.MISMATCH ? 'reply to another question' : 'bad reply'} from ${to}`,
      );
    }
    const { rcode } = reader.info;
    this.#countReply(flight, rcode, startMs);
    if (reader.isTruncated && this.#wantsTcp(flight)) return VERDICT.ASK_OVER_TCP;
    if (this.#options.failover.includes(rcode) && ++flight.failovers < this.#upstreams.length) {
      return VERDICT.ASK_NEXT_UPSTREAM;
    }
    if (!this.#isLast) {
      if (this.#options.next.includes(rcode)) return VERDICT.ASK_NEXT_FORWARD;
      if (this.#options.nextOnNodata && rcode === RCODE.NOERROR && reader.answers === 0)
        return VERDICT.ASK_NEXT_FORWARD;
    }
    query.metadata?.set('forward/upstream', this.#options.upstreams[flight.current]!.to);
    reader.relay(query, answer);
    return VERDICT.DONE;
  }

  /** Switches a query to TCP when its truncated UDP reply is of no use to whom it is for. */
  #wantsTcp(flight: Flight): boolean {
    const isOurs = this.#options.preferUdp || flight.query.transport === TRANSPORT.INTERNAL;
    if (flight.transport === 'tcp' || !isOurs) return false;
    flight.transport = 'tcp';
    return true;
  }

  #noteFailure(flight: Flight, error: string): number {
    flight.error = error;
    flight.attempts++;
    if (this.#options.maxFails !== 0) this.#health[flight.current]!.check();
    return VERDICT.ASK_NEXT_UPSTREAM;
  }

  #hasTls(upstream: number): boolean {
    return this.#options.upstreams[upstream]!.target.tls !== undefined;
  }

  #countSocket(flight: Flight, isReused: boolean): void {
    const { connHits, connMisses } = this.#options.upstreams[flight.current]!.cells;
    const proto = this.#hasTls(flight.current) ? PROTO.TLS : flight.transport === 'udp' ? PROTO.UDP : PROTO.TCP;
    this.#env.cells[(isReused ? connHits : connMisses)[proto]!]!++;
  }

  #countReply(flight: Flight, rcode: number, startMs: number): void {
    const { cells, clock } = this.#env;
    const own = this.#options.upstreams[flight.current]!.cells;
    const seconds = (clock.monotonicMs() - startMs) / 1000;
    const index = rcodeIndex(rcode);
    observe(cells, own.durations[index]!, TIME_BUCKETS, seconds);
    observe(cells, own.oldDurations[index]!, TIME_BUCKETS, seconds);
    cells[own.oldResponses[index]!]!++;
  }

  /** Ends a flight: those who waited get its answer, or go on to the next `forward` each by itself. */
  #land(flight: Flight, outcome: Outcome, goesOn: boolean): void {
    this.#flights.delete(flight.key);
    this.#leave();
    for (const { query, answer, resolve } of flight.waiters) {
      this.#leave();
      if (goesOn) {
        resolve(Promise.resolve(this.#following(query, answer)));
        continue;
      }
      copyAnswer(flight.answer, answer);
      resolve(outcome);
    }
  }

  #leave(): void {
    if (this.#options.maxConcurrent > 0) this.#shared.leave();
    if (--this.#underWay === 0 && this.#isClosed) this.#closeUpstreams();
  }
}
