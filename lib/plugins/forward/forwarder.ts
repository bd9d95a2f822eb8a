// lib/plugins/forward/forwarder.ts — worker. One `forward` directive: passes queries to upstream nameservers and their replies back.
//
// A query that goes out is a flight; equal queries that arrive meanwhile wait for its reply. A flight asks one upstream, and
// another one as well when that one is late (a hedge), fails, or is silent; the first usable reply ends it. There is no timer
// per query: the exchange brings its timeout, the watch looks at late flights every few milliseconds, the deadline is
// looked at between exchanges.
import type { Answer } from '../../chain/answer.ts';
import { Outcome, type Result } from '../../chain/outcome.ts';
import type { Env, Handler, UpstreamReply } from '../../chain/plugin.ts';
import { type Query, REACH, TRANSPORT } from '../../chain/query.ts';
import { ZoneTable } from '../../chain/zone-table.ts';
import { TIME_BUCKETS, observe } from '../../metrics/registry.ts';
import { parseNameLower } from '../../wire/name.ts';
import { EDE, RCODE } from '../../wire/types.ts';
import { Admission, MAX_UNDER_WAY, REFUSAL } from './admission.ts';
import { Attempt, type AttemptUser } from './attempt.ts';
import { Flight, awaitLanding, board } from './flight.ts';
import { FlightWatch } from './flight-watch.ts';
import { ForwardLoopGuard } from './loop-guard.ts';
import { type ForwardCells, PROTO, rcodeIndex } from './metrics.ts';
import { type Nameserver, RANK } from './nameserver.ts';
import { NameserverList } from './nameserver-list.ts';
import { REPLY, ReplyReader, copyAnswer } from './relay.ts';
import type { ForwardZoneOptions } from './setup.ts';
import { SharedState } from './shared-state.ts';

/** Time a query has for all its upstreams together; the second while none of them says anything. */
const DEADLINE_MS = 5000;
const SILENT_DEADLINE_MS = 2000;
/** Exchanges for one query when the Corefile sets no limit. */
const MAX_ATTEMPTS = 100;
/** A refresh that has no reply is sent again after this: the upstream may be back, and nobody else may ask it. */
const REFRESH_RESEND_MS = 700;
/** How long a failure is held back for a better reply that is under way. */
const FALLBACK_WAIT_MS = 1000;

export class Forwarder implements AttemptUser {
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
  readonly #nameservers: NameserverList;
  readonly #shared: SharedState;
  readonly #admission: Admission;
  readonly #watch: FlightWatch;
  readonly #loopGuard: ForwardLoopGuard;
  readonly #reader = new ReplyReader();
  readonly #flights = new Map<string, Flight>();
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
    this.#nameservers = new NameserverList(options, this.#shared, env);
    this.#admission = new Admission(this.#shared, options.maxConcurrent, options.clientRate, (nowMs) =>
      this.#nameservers.isQuiet(nowMs),
    );
    this.#watch = new FlightWatch(env.clock, {
      nameservers: () => this.#nameservers.all,
      late: (flight) => this.#hedge(flight),
      stranded: (flight) => this.#failOver(flight),
      settle: (flight) => this.#guard(flight, () => this.#settle(flight)),
    });
    this.#loopGuard = new ForwardLoopGuard(options, this.#nameservers, this.#shared, env);
    this.#nameservers.onAdd = (nameserver) => this.#loopGuard.watch(nameserver);
    env.offers.loopGuards.push(this.#loopGuard);
    env.onClose(() => this.#close());
    this.handler = (query, answer) => (this.#isMine(query) ? this.#forward(query, answer) : following(query, answer));
  }

  /** Stops probing; sockets go when the last query under way has its answer. */
  #close(): void {
    this.#isClosed = true;
    this.#loopGuard.close();
    this.#nameservers.stopProbing();
    if (this.#admission.underWay === 0) this.#nameservers.close();
  }

  #isMine(query: Query): boolean {
    if (this.#from.match(query) === -1) return false;
    return query.nameLength === this.#fromLength || this.#except.match(query) === -1;
  }

  #forward(query: Query, answer: Answer): Result {
    if (query.reach !== REACH.ANYWHERE) return withhold(query, answer);
    const nowMs = this.#env.clock.monotonicMs();
    this.#nameservers.update();
    const place = this.#admission.enter(query, nowMs);
    if (place < 0) return this.#refuse(answer, -1 - place);
    const latestMs = query.deadlineMs > 0 ? query.deadlineMs : Number.POSITIVE_INFINITY;
    const deadlineMs = Math.min(nowMs + DEADLINE_MS, latestMs);
    const silentDeadlineMs = Math.min(nowMs + SILENT_DEADLINE_MS, latestMs);
    const flight = new Flight(query, answer, place, this.#transportFor(query), deadlineMs, silentDeadlineMs);
    const first = this.#flights.get(flight.key);
    if (first) {
      this.#env.cells[this.#cells.coalesced]!++;
      // A loop ends in a query that is under way already, from where queries are sent to.
      if (this.#nameservers.isSender(query)) this.#loopGuard.suspect();
      return new Promise((resolve) => board(first, { query, answer, place, resolve }));
    }
    this.#flights.set(flight.key, flight);
    const landing = awaitLanding(flight);
    try {
      this.#start(flight, nowMs);
    } catch (bug) {
      this.#crash(flight, bug);
    }
    return landing;
  }

  #refuse(answer: Answer, reason: number): Outcome {
    const { cells } = this.#env;
    cells[this.#cells.refused[reason]!]!++;
    if (reason === REFUSAL.MAX_CONCURRENT || reason === REFUSAL.TOTAL) {
      cells[this.#cells.rejects]!++;
      const limit = reason === REFUSAL.TOTAL ? MAX_UNDER_WAY : this.#options.maxConcurrent;
      answer.fail(RCODE.REFUSED, `concurrent queries exceeded maximum ${limit}`);
      answer.edeText = 'too many queries under way';
    } else {
      answer.fail(RCODE.REFUSED, 'client exceeded its share of queries to upstreams');
      answer.edeText = 'too many queries of this client';
    }
    answer.ede = EDE.OTHER;
    return Outcome.FAILED;
  }

  #transportFor(query: Query): 'udp' | 'tcp' {
    const { forceTcp, preferUdp } = this.#options;
    if (forceTcp) return 'tcp';
    return preferUdp || query.transport === TRANSPORT.UDP || query.transport === TRANSPORT.INTERNAL ? 'udp' : 'tcp';
  }

  #start(flight: Flight, nowMs: number): void {
    const nameservers = this.#nameservers;
    nameservers.beginRound(flight);
    this.#watch.budget.earn();
    if (!this.#askNext(flight)) return this.#settle(flight);
    const isRefresh = flight.query.transport === TRANSPORT.INTERNAL;
    if (isRefresh) flight.hedgeAtMs = nowMs + REFRESH_RESEND_MS;
    else if (nameservers.count > 1 && this.#options.hedge)
      flight.hedgeAtMs = nowMs + flight.first!.latency.hedgeAfterMs;
    if (nameservers.count > 1 || isRefresh) this.#watch.add(flight);
    if (nameservers.count === 1) return undefined;
    for (const nameserver of nameservers.all) if (nameserver.isTrialDue()) this.#tryOut(nameserver, flight);
    return undefined;
  }

  /** Asks the best upstream of those that are left; false when the query is given up or waits for what is under way. */
  #askNext(flight: Flight): boolean {
    const { maxConnectAttempts, failfast } = this.#options;
    const isRefresh = flight.query.transport === TRANSPORT.INTERNAL;
    const maxAttempts = isRefresh ? 0 : (maxConnectAttempts ?? 2 * this.#nameservers.count);
    if (flight.attempts >= (maxAttempts || MAX_ATTEMPTS)) return false;
    if (this.#env.clock.monotonicMs() >= this.#deadlineOf(flight)) return false;
    const nameserver = this.#nameservers.take(flight);
    if (nameserver === undefined) return false;
    if (nameserver.rank !== RANK.DOWN) {
      this.#ask(flight, nameserver, flight.transport);
      return true;
    }
    // All are down: perhaps it is the health check that is broken, so one is tried all the same.
    this.#env.cells[this.#cells.broken]!++;
    if (failfast) return false;
    this.#ask(flight, this.#nameservers.takeAny(flight, nameserver), flight.transport);
    return true;
  }

  #deadlineOf({ deadlineMs, silentDeadlineMs }: Flight): number {
    return this.#nameservers.isAnyAudible ? deadlineMs : silentDeadlineMs;
  }

  #ask(flight: Flight, nameserver: Nameserver, transport: 'udp' | 'tcp'): void {
    const startMs = this.#env.clock.monotonicMs();
    const timeoutMs = Math.min(this.#options.readTimeoutMs, this.#deadlineOf(flight) - startMs);
    flight.outstanding++;
    flight.attempts++;
    flight.first ??= nameserver;
    if (this.#nameservers.count > 1) flight.asked = [...flight.asked, nameserver];
    this.#env.cells[nameserver.options.cells.oldRequests]!++;
    nameserver.noteSent(startMs);
    const attempt = new Attempt(flight, nameserver, transport, startMs, this);
    nameserver.upstream.ask(flight.message, transport, timeoutMs, attempt, nameserver.mixing);
  }

  heard(attempt: Attempt, reply: UpstreamReply): void {
    try {
      this.#hear(attempt, reply);
    } catch (bug) {
      this.#crash(attempt.flight, bug);
    }
  }

  missed(attempt: Attempt, error: Error): void {
    try {
      this.#miss(attempt, error);
    } catch (bug) {
      this.#crash(attempt.flight, bug);
    }
  }

  #guard(flight: Flight, run: () => void): void {
    try {
      run();
    } catch (bug) {
      this.#crash(flight, bug);
    }
  }

  /** A bug must not leave the client waiting. */
  #crash(flight: Flight, bug: unknown): void {
    if (flight.hasLanded) {
      this.#env.log.error(`fault after an answer: ${bug instanceof Error ? bug.message : String(bug)}`);
      return;
    }
    this.#fail(flight);
    const { resolve } = flight;
    flight.resolve = () => resolve(Promise.reject(bug));
    this.#land(flight, Outcome.FAILED, false);
  }

  /** The next upstream, or the same again when all have been asked. Nobody is waiting, so it is not urgent. */
  #resend(flight: Flight): void {
    flight.hedgeAtMs = this.#env.clock.monotonicMs() + REFRESH_RESEND_MS;
    if (flight.round.length === 0) this.#nameservers.beginRound(flight);
    this.#guard(flight, () => void this.#askNext(flight));
  }

  /** A second upstream because the first is late. */
  #hedge(flight: Flight): void {
    const { cells } = this.#env;
    if (flight.query.transport === TRANSPORT.INTERNAL) return this.#resend(flight);
    flight.hedgeAtMs = Number.POSITIVE_INFINITY;
    if (!this.#nameservers.hasFit(flight)) return undefined;
    if (!this.#watch.budget.spend()) {
      cells[this.#cells.hedgesSpared]!++;
      return undefined;
    }
    return this.#guard(flight, () => {
      if (!this.#askNext(flight)) return;
      flight.isHedged = true;
      cells[this.#cells.hedges]!++;
    });
  }

  /** The next upstream, because all that were asked say nothing. */
  #failOver(flight: Flight): void {
    this.#guard(flight, () => {
      if (this.#nameservers.hasFit(flight) && this.#askNext(flight)) this.#env.cells[this.#cells.failovers]!++;
      else if (flight.hasFallback) this.#settle(flight);
    });
  }

  /** A copy of the flight's query for an upstream in trouble: its reply shows whether that is over, and is not used. */
  #tryOut(nameserver: Nameserver, flight: Flight): void {
    if (flight.asked.includes(nameserver)) return;
    const startMs = this.#env.clock.monotonicMs();
    nameserver.upstream.exchange(flight.message, flight.transport, this.#options.readTimeoutMs).then(
      (reply) => {
        nameserver.noteReply(this.#env.clock.monotonicMs() - startMs);
        if (!this.#isFailure(reply.bytes[3]! & 15)) nameserver.noteGood();
      },
      () => {},
    );
  }

  #isFailure(rcode: number): boolean {
    const { failover, failoverByDefault } = this.#options;
    return failover.includes(rcode) || (failoverByDefault && (rcode === RCODE.SERVFAIL || rcode === RCODE.REFUSED));
  }

  #hear({ flight, nameserver, transport, startMs }: Attempt, reply: UpstreamReply): void {
    const tookMs = this.#env.clock.monotonicMs() - startMs;
    nameserver.noteReply(tookMs);
    this.#countSocket(nameserver, transport, reply.reused);
    this.#strike(flight, nameserver);
    if (flight.hasLanded) return this.#countReply(nameserver, reply.bytes[3]! & 15, tookMs);
    return this.#take(flight, nameserver, transport, tookMs, reply);
  }

  #take(flight: Flight, nameserver: Nameserver, transport: 'udp' | 'tcp', tookMs: number, reply: UpstreamReply): void {
    const { query, answer } = flight;
    const reader = this.#reader;
    const result = reader.read(query, reply.bytes, reply.length);
    if (result === REPLY.CUT && transport === 'udp' && nameserver.options.target.tls === undefined) {
      if (this.#wantsTcp(flight, transport)) return this.#ask(flight, nameserver, 'tcp');
      this.#countReply(nameserver, reader.info.rcode, tookMs);
      reader.relayCut(answer);
      return this.#land(flight, Outcome.ANSWERED, false);
    }
    if (result !== REPLY.OK) {
      const what = result === REPLY.MISMATCH ? 'reply to another question' : 'bad reply';
      return this.#moveOn(flight, nameserver, `${what} from ${nameserver.options.to}`);
    }
    const { rcode } = reader.info;
    if (reader.strays > 0) {
      this.#env.cells[this.#cells.strays]! += reader.strays;
      // Nothing is left of it, and "no data" is not what it said.
      if (reader.answers === 0 && rcode === RCODE.NOERROR) {
        return this.#moveOn(flight, nameserver, `reply about other names from ${nameserver.options.to}`);
      }
    }
    this.#countReply(nameserver, rcode, tookMs);
    if (reader.isTruncated && this.#wantsTcp(flight, transport)) return this.#ask(flight, nameserver, 'tcp');
    const isFailure = this.#isFailure(rcode);
    if (isFailure && (this.#options.failover.includes(rcode) || !reader.isMeant) && this.#nameservers.count > 1) {
      return this.#putAside(flight, nameserver);
    }
    if (!isFailure) nameserver.noteGood();
    for (const overruled of flight.failed) overruled.noteOverruled();
    if (flight.isHedged && nameserver !== flight.first) this.#env.cells[this.#cells.hedgesWon]!++;
    query.metadata?.set('forward/upstream', nameserver.options.to);
    const goesOn = this.#goesOn(rcode);
    if (!goesOn) reader.relay(query, answer);
    return this.#land(flight, Outcome.ANSWERED, goesOn);
  }

  /** Whether the following `forward` is asked. */
  #goesOn(rcode: number): boolean {
    if (this.#isLast) return false;
    const { next, nextOnNodata } = this.#options;
    return next.includes(rcode) || (nextOnNodata && rcode === RCODE.NOERROR && this.#reader.answers === 0);
  }

  /** Keeps a failure in case nothing better comes, and asks on. */
  #putAside(flight: Flight, nameserver: Nameserver): void {
    flight.failed = [...flight.failed, nameserver];
    flight.query.metadata?.set('forward/upstream', nameserver.options.to);
    flight.goesOnAfterFallback = this.#goesOn(this.#reader.info.rcode);
    this.#reader.relay(flight.query, flight.answer);
    flight.hasFallback = true;
    flight.settleAtMs = this.#env.clock.monotonicMs() + FALLBACK_WAIT_MS;
    this.#continue(flight);
  }

  #miss({ flight, nameserver, transport, startMs }: Attempt, error: Error): void {
    const { message = String(error), kind } = error as { message?: string; kind?: string };
    this.#countSocket(nameserver, transport, false);
    nameserver.noteError(startMs, kind === 'timeout' || (kind === undefined && message.endsWith('i/o timeout')));
    this.#strike(flight, nameserver);
    if (flight.hasLanded) return;
    flight.error = message;
    this.#continue(flight);
  }

  /** The reply is of no use: as if none had come. */
  #moveOn(flight: Flight, nameserver: Nameserver, error: string): void {
    nameserver.noteBadReply();
    flight.error = error;
    this.#continue(flight);
  }

  /** Goes on after an exchange that brought nothing usable. */
  #continue(flight: Flight): void {
    const isAlone = flight.outstanding === 0;
    if (flight.round.length === 0 && isAlone && !flight.hasFallback) this.#nameservers.beginRound(flight);
    if (this.#nameservers.hasFit(flight) || (isAlone && !flight.hasFallback)) {
      if (this.#askNext(flight)) {
        this.#env.cells[this.#cells.failovers]!++;
        return;
      }
    }
    if (isAlone) this.#settle(flight);
  }

  /** Gives what there is: a failure that was put aside, or our own. */
  #settle(flight: Flight): void {
    if (flight.hasFallback) return this.#land(flight, Outcome.ANSWERED, flight.goesOnAfterFallback);
    this.#fail(flight);
    return this.#land(flight, Outcome.FAILED, false);
  }

  #fail(flight: Flight): void {
    const isLooped = this.#nameservers.all.every((nameserver) => nameserver.isLooped);
    if (isLooped) {
      // The guard has written the one line that this deserves.
      flight.answer.fail(RCODE.SERVFAIL);
      flight.answer.ede = EDE.NO_REACHABLE_AUTHORITY;
      flight.answer.edeText = 'upstreams lead back to this server';
      return;
    }
    flight.answer.fail(RCODE.SERVFAIL, flight.error === '' ? 'no healthy proxies' : flight.error);
    flight.answer.ede = EDE.NO_REACHABLE_AUTHORITY;
  }

  /** An exchange is over. */
  #strike(flight: Flight, nameserver: Nameserver): void {
    flight.outstanding--;
    const at = flight.asked.indexOf(nameserver);
    if (at !== -1) flight.asked = flight.asked.toSpliced(at, 1);
  }

  /** Whether a truncated UDP reply is of no use to whom it is for. */
  #wantsTcp(flight: Flight, transport: 'udp' | 'tcp'): boolean {
    const isOurs = this.#options.preferUdp || flight.query.transport === TRANSPORT.INTERNAL;
    return transport === 'udp' && isOurs;
  }

  #countSocket(nameserver: Nameserver, transport: 'udp' | 'tcp', isReused: boolean): void {
    const { cells, target } = nameserver.options;
    const proto = target.tls !== undefined ? PROTO.TLS : transport === 'udp' ? PROTO.UDP : PROTO.TCP;
    this.#env.cells[(isReused ? cells.connHits : cells.connMisses)[proto]!]!++;
  }

  #countReply(nameserver: Nameserver, rcode: number, tookMs: number): void {
    const { cells } = this.#env;
    const own = nameserver.options.cells;
    const seconds = tookMs / 1000;
    const index = rcodeIndex(rcode);
    observe(cells, own.durations[index]!, TIME_BUCKETS, seconds);
    observe(cells, own.oldDurations[index]!, TIME_BUCKETS, seconds);
    cells[own.oldResponses[index]!]!++;
  }

  /** Ends a flight: all who waited get its answer, or go on to the next `forward` each by itself. */
  #land(flight: Flight, outcome: Outcome, goesOn: boolean): void {
    flight.hasLanded = true;
    this.#flights.delete(flight.key);
    this.#watch.remove(flight);
    this.#leave(flight.place);
    for (const { query, answer, place, resolve } of flight.waiters) {
      this.#leave(place);
      if (goesOn) {
        resolve(this.#follow(query, answer));
        continue;
      }
      copyAnswer(flight.answer, answer);
      resolve(outcome);
    }
    flight.resolve(goesOn ? this.#follow(flight.query, flight.answer) : outcome);
  }

  async #follow(query: Query, answer: Answer): Promise<Outcome> {
    answer.reset();
    return this.#following(query, answer);
  }

  #leave(place: number): void {
    this.#admission.leave(place);
    if (this.#isClosed && this.#admission.underWay === 0) this.#nameservers.close();
  }
}

/** Somebody wants to know what is known here: nothing is. Not for caches to keep. */
function withhold(query: Query, answer: Answer): Outcome {
  query.reach = REACH.WITHHELD;
  answer.reset();
  answer.recursionAvailable = true;
  answer.live = true;
  return Outcome.ANSWERED;
}
