// Queries to one nameserver by UDP: random IDs on a few random ports that are replaced all the time. Worker.
//
// Whoever wants to forge a reply must guess which of the open ports a query took and its ID, both from a cryptographic source, and
// has to repeat the question (RFC 5452). A wrong datagram is counted and ignored; it never ends the wait (CVE-2023-28452). A port
// that gets more of them than can be accidents is given up: what waits there is asked from another one, and what the forger sends
// to the old one costs this process nothing. A query moves once: a forger who sees where it went must not keep it on the run.
import type { CaseMixing, ReplyWaiter, UpstreamTarget } from '../chain/plugin.ts';
import { mixLetterCase } from './letter-case.ts';
import { randomUint16, randomUint32 } from './random.ts';
import { formatAddressPort } from './socket-address.ts';
import { type TimerWheel, WheelEntry } from './timer-wheel.ts';
import { UpstreamError, errorKindOf, formatGoErrno } from './upstream-error.ts';
import { PendingQuery, noQuestionError } from './upstream-pending.ts';
import type { PortUser, UdpPort, UdpPorts } from './upstream-ports.ts';

/** Ports of one upstream that are open for new queries: 500 queries in a row use at least 128 (RFC 5452 section 9.2). */
const MAX_PORTS = 160;
/** Queries a port serves before another one takes its place. */
const MAX_USES = 512;
/** Queries one worker may have out at one upstream by UDP. */
export const MAX_IN_FLIGHT = 16_384;
const MAX_ID_TRIES = 16;
/** Wrong datagrams that a port bears: so many, and for each query what a slow upstream may send late or twice. */
const MAX_WRONG = 128;
const MAX_WRONG_PER_USE = 4;
const MAX_SPARE = 4096;
const MIN_EXPIRE_MS = 100;

/** Totals of one upstream, UDP and TCP together. */
export type UpstreamCounters = {
  sent: number;
  received: number;
  timeouts: number;
  /** Datagrams with an ID or a question that nobody asked. */
  mismatches: number;
  /** Queries refused because too many were out. */
  overloads: number;
  /** Sockets opened: source ports and connections. */
  opened: number;
  /** Source ports given up because of wrong datagrams. */
  fled: number;
};

export class UdpUpstream {
  readonly #ports: () => UdpPorts;
  readonly #wheel: TimerWheel;
  readonly #target: UpstreamTarget;
  readonly #remote: string;
  readonly #counters: UpstreamCounters;
  readonly #open: (Source | undefined)[] = [];
  /** The open ones, and the retired ones that still wait for a reply. */
  readonly #sources = new Set<Source>();
  readonly #spare: PendingQuery[] = [];
  /** Source of the queries of this turn: one call sends them all. */
  #current: Source | undefined;
  #inFlight = 0;

  constructor(ports: () => UdpPorts, wheel: TimerWheel, target: UpstreamTarget, counters: UpstreamCounters) {
    this.#ports = ports;
    this.#wheel = wheel;
    this.#target = target;
    this.#remote = formatAddressPort(target.address, target.port);
    this.#counters = counters;
  }

  /** @param mixing has the name go out in letters of random case */
  ask(message: Uint8Array, timeoutMs: number, waiter: ReplyWaiter, mixing?: CaseMixing): void {
    if (this.#inFlight >= MAX_IN_FLIGHT) {
      this.#counters.overloads++;
      const error = new UpstreamError('overload', `udp ${this.#remote}: too many queries in flight`);
      return failLater(waiter, error);
    }
    const pending = this.#spare.pop() ?? new PendingQuery();
    const source = pending.setMessage(message) ? this.#pickSource() : noQuestionError();
    if (source instanceof Error) {
      this.#recycle(pending);
      return failLater(waiter, source);
    }
    pending.waiter = waiter;
    pending.mixing = mixing;
    if (mixing !== undefined) {
      pending.plain = message;
      pending.message = mixLetterCase(message);
    }
    this.#inFlight++;
    this.#wheel.schedule(pending, timeoutMs);
    this.#send(source, pending);
    return undefined;
  }

  /**
   * Something came that is right but for its letters: forged, or from a server that does not keep the case. It is ignored, and
   * the query goes out once more as it was given, under another ID.
   */
  #resendPlain(source: Source, pending: PendingQuery, mixing: CaseMixing): void {
    const { plain, waiter } = pending;
    const leftMs = this.#wheel.remainingMs(pending);
    this.#counters.mismatches++;
    mixing.noteOtherCase();
    this.#release(source, pending);
    this.#recycle(pending);
    this.ask(plain, leftMs, waiter);
  }

  #send(source: Source, pending: PendingQuery): void {
    source.add(pending);
    this.#counters.sent++;
    source.port.send(pending.message, pending.id);
  }

  /** Leaves a port that is under fire: its queries go out from another one, each with the time it has left. */
  #flee(source: Source): void {
    this.#counters.fled++;
    for (const pending of source.abandon()) {
      const other = this.#pickSource();
      if (!(other instanceof Error)) {
        pending.hasMoved = true;
        this.#send(other, pending);
        continue;
      }
      this.#inFlight--;
      this.#wheel.cancel(pending);
      failLater(pending.waiter, other);
      this.#recycle(pending);
    }
  }

  #pickSource(): Source | UpstreamError {
    if (this.#current?.isFit()) return this.#current;
    const index = randomUint32() % MAX_PORTS;
    let source = this.#open[index];
    if (!source?.isFit()) {
      source?.retire();
      try {
        source = this.#openSource(index);
      } catch (error) {
        const { syscall = 'socket', code = '' } = error as NodeJS.ErrnoException;
        return new UpstreamError('network', `dial udp ${this.#remote}: ${syscall}: ${formatGoErrno(code)}`);
      }
    }
    if (this.#current === undefined) queueMicrotask(this.#endTurn);
    this.#current = source;
    return source;
  }

  readonly #endTurn = (): void => {
    this.#current = undefined;
  };

  #openSource(index: number): Source {
    const { address, port, sourceAddress } = this.#target;
    const target = sourceAddress === undefined ? { address, port } : { address, port, sourceAddress };
    const source = new Source(this, (user) => this.#ports().open(target, user));
    this.#counters.opened++;
    this.#open[index] = source;
    this.#sources.add(source);
    this.#wheel.schedule(source, Math.max(MIN_EXPIRE_MS, this.#target.expireMs));
    return source;
  }

  /** Hands the reply to whoever waits for it; anything else is counted and forgotten. */
  settle(source: Source, pending: PendingQuery | undefined, bytes: Uint8Array, length: number): void {
    this.#counters.received++;
    if (!pending?.isAnsweredBy(bytes, length)) {
      this.#counters.mismatches++;
      if (source.isUnderFire()) this.#flee(source);
      return;
    }
    const { mixing } = pending;
    if (mixing !== undefined && !pending.unmix(bytes, length)) return this.#resendPlain(source, pending, mixing);
    const { waiter } = pending;
    this.#release(source, pending);
    this.#recycle(pending);
    return waiter.replied({ bytes, length, reused: source.uses > 1 });
  }

  fail(source: Source, pending: PendingQuery, code: string): void {
    const text = `read udp ${source.port.formatLocal()}->${this.#remote}: read: ${formatGoErrno(code)}`;
    this.#release(source, pending);
    // It may be that a queue of messages is being sent just now: who waits must not add to it.
    failLater(pending.waiter, new UpstreamError(errorKindOf(code), text));
    this.#recycle(pending);
  }

  timeOut(source: Source, pending: PendingQuery): void {
    const text = `read udp ${source.port.formatLocal()}->${this.#remote}: i/o timeout`;
    this.#counters.timeouts++;
    const { waiter } = pending;
    this.#release(source, pending);
    this.#recycle(pending);
    waiter.failed(new UpstreamError('timeout', text));
  }

  #release(source: Source, pending: PendingQuery): void {
    this.#inFlight--;
    this.#wheel.cancel(pending);
    source.remove(pending);
  }

  #recycle(pending: PendingQuery): void {
    pending.forget();
    if (this.#spare.length < MAX_SPARE) this.#spare.push(pending);
  }

  /** Takes the source out of the open ones; it lives until its last query is done. */
  forget(source: Source): void {
    this.#wheel.cancel(source);
    const index = this.#open.indexOf(source);
    if (index !== -1) this.#open[index] = undefined;
    if (this.#current === source) this.#current = undefined;
  }

  /** The source's socket is closed. */
  drop(source: Source): void {
    this.#sources.delete(source);
  }

  /** Queries that are out fail. */
  close(): void {
    for (const source of this.#sources) {
      source.retire();
      source.fail('ERR_CLOSED', -1);
    }
  }
}

function failLater(waiter: ReplyWaiter, error: Error): void {
  queueMicrotask(() => waiter.failed(error));
}

/** One source port and the queries that are out on it. */
class Source extends WheelEntry implements PortUser {
  readonly port: UdpPort;
  uses = 0;
  #wrong = 0;
  /** Queries out on it that have moved here from a port under fire: they stay. */
  #moved = 0;
  readonly #upstream: UdpUpstream;
  readonly #pending = new Map<number, PendingQuery>();
  #retired = false;
  #isAbandoned = false;

  constructor(upstream: UdpUpstream, open: (user: PortUser) => UdpPort) {
    super();
    this.#upstream = upstream;
    this.port = open(this);
  }

  isFit(): boolean {
    return !this.#retired && this.uses < MAX_USES;
  }

  /** Gives the query an ID that nobody on this port has. */
  add(pending: PendingQuery): void {
    let id = randomUint16();
    // At most MAX_USES of 65,536 are taken.
    for (let tries = 0; this.#pending.has(id); tries++) id = tries < MAX_ID_TRIES ? randomUint16() : (id + 1) & 0xffff;
    pending.id = id;
    pending.onExpire = this.#onExpire;
    this.#pending.set(id, pending);
    if (pending.hasMoved) this.#moved++;
    this.uses++;
  }

  readonly #onExpire = (pending: PendingQuery): void => this.#upstream.timeOut(this, pending);

  remove(pending: PendingQuery): void {
    this.#pending.delete(pending.id);
    if (pending.hasMoved) this.#moved--;
    if (this.#retired && this.#pending.size === 0) this.#close();
  }

  #close(): void {
    this.port.close();
    this.#upstream.drop(this);
  }

  receive(bytes: Uint8Array, length: number): void {
    const pending = length < 2 ? undefined : this.#pending.get((bytes[0]! << 8) | bytes[1]!);
    this.#upstream.settle(this, pending, bytes, length);
  }

  fail(code: string, id: number): void {
    // A refusal says nothing about our own socket, other errors may last as long as it does.
    if (code !== 'ECONNREFUSED') this.retire();
    if (id === -1) {
      for (const pending of this.#pending.values()) this.#upstream.fail(this, pending, code);
      return;
    }
    const pending = this.#pending.get(id);
    if (pending) this.#upstream.fail(this, pending, code);
  }

  /** Counts a wrong datagram; true once, when it is one too many and nothing has to stay. */
  isUnderFire(): boolean {
    const isTooMuch = ++this.#wrong > MAX_WRONG + MAX_WRONG_PER_USE * this.uses;
    return isTooMuch && this.#moved === 0 && !this.#isAbandoned;
  }

  /** Closes the socket and hands over the queries that are out on it. */
  abandon(): PendingQuery[] {
    const left = [...this.#pending.values()];
    this.#pending.clear();
    this.#isAbandoned = true;
    if (this.#retired) this.#close();
    else this.retire();
    return left;
  }

  /** The port is old. */
  expire(): void {
    this.retire();
  }

  /** Takes no more queries; those that are out may still be answered. */
  retire(): void {
    if (this.#retired) return;
    this.#retired = true;
    this.#upstream.forget(this);
    if (this.#pending.size === 0) this.#close();
  }
}
