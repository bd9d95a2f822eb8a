// lib/plugins/forward/admission.ts — worker. Who may have how many queries at upstreams, so that one client cannot take them all.
//
// Limits per client and one in all, for all workers together. While upstreams answer a client may have a quarter of the places:
// who needs more asks for more than a slow upstream can give. While they say nothing, waiting is not the client's doing; then its
// share shrinks as the places fill: it may have as many as are left free, so that one alone gets half of them. `max_concurrent` is the
// Corefile's own number: there only the last eighth is kept for clients that have little. A client's rate is limited where the
// Corefile says so.
import QuickLRU from 'quick-lru';
import type { Query } from '../../chain/query.ts';
import type { SharedState } from './shared-state.ts';

/** Queries that may wait for the upstreams of one `forward`, whatever the Corefile says. */
export const MAX_UNDER_WAY = 5000;
/** Those of one client while upstreams answer. */
const MAX_OF_CLIENT = MAX_UNDER_WAY / 4;
/** Clients whose rate is remembered; those not heard of for longest are forgotten first (quick-lru keeps up to twice as many). */
const MAX_CLIENTS = 4096;
/** Seconds of its rate that a client may ask at once. */
const BURST_SECONDS = 2;
/** The part of `max_concurrent` that is kept for clients with little, and from what number on. */
const KEPT_PART = 8;
const MIN_SHARED = 100;

/** What a client may still ask now. */
type Allowance = { tokens: number; refilledMs: number };

/** Why a query is not forwarded; the metric's label `reason` in this order. */
export const REFUSAL = { MAX_CONCURRENT: 0, TOTAL: 1, CLIENT: 2, CLIENT_RATE: 3 } as const;
export const REFUSAL_REASONS = ['max_concurrent', 'total', 'client', 'client_rate'] as const;

export class Admission {
  readonly #shared: SharedState;
  readonly #maxConcurrent: number;
  readonly #limit: number;
  readonly #kept: number;
  readonly #maxRate: number;
  readonly #isQuiet: (nowMs: number) => boolean;
  readonly #allowances = new QuickLRU<number | string, Allowance>({ maxSize: MAX_CLIENTS });
  /** Queries that this worker let in and that have not left. */
  underWay = 0;

  /**
   * @param maxConcurrent queries under way in all, 0: MAX_UNDER_WAY
   * @param maxRate queries a second of one client, 0: no limit
   * @param isQuiet whether the upstreams say nothing
   */
  constructor(
    shared: SharedState,
    maxConcurrent: number,
    maxRate: number,
    isQuiet: (nowMs: number) => boolean = () => false,
  ) {
    this.#shared = shared;
    this.#maxConcurrent = maxConcurrent;
    this.#limit = maxConcurrent === 0 ? MAX_UNDER_WAY : Math.min(maxConcurrent, MAX_UNDER_WAY);
    this.#kept = maxConcurrent < MIN_SHARED ? 0 : Math.floor(maxConcurrent / KEPT_PART);
    this.#maxRate = maxRate;
    this.#isQuiet = isQuiet;
  }

  /** Clients whose rate is remembered now. */
  get clientCount(): number {
    return this.#allowances.size;
  }

  /** Lets a query in: a place, 0 or above, for `leave` when it is done; or -1 minus a REFUSAL. */
  enter(query: Query, nowMs: number): number {
    const { clients } = this.#shared;
    const cells = clients.cellsOf(query);
    const free = MAX_UNDER_WAY - this.#shared.underWay;
    if (free > 0) {
      const has = clients.underWay(cells, this.#shared.workers);
      if (has >= free || this.#isKept(has)) return -1 - REFUSAL.CLIENT;
      if (has >= MAX_OF_CLIENT && !this.#isQuiet(nowMs)) return -1 - REFUSAL.CLIENT;
      if (this.#maxRate !== 0 && !this.#pay(query, nowMs)) return -1 - REFUSAL.CLIENT_RATE;
    }
    if (!this.#shared.enter(this.#limit)) {
      return -1 - (this.#limit === this.#maxConcurrent ? REFUSAL.MAX_CONCURRENT : REFUSAL.TOTAL);
    }
    clients.add(cells, 1);
    this.underWay++;
    return cells;
  }

  leave(place: number): void {
    this.underWay--;
    this.#shared.leave();
    this.#shared.clients.add(place, -1);
  }

  /** Whether the places that are left are not for a client that has so many. */
  #isKept(has: number): boolean {
    const left = this.#limit - this.#shared.underWay;
    return has > this.#kept && left > 0 && left <= this.#kept;
  }

  #pay(query: Query, nowMs: number): boolean {
    const allowance = this.#find(query, nowMs);
    const earned = ((nowMs - allowance.refilledMs) / 1000) * this.#maxRate;
    allowance.tokens = Math.min(this.#maxRate * BURST_SECONDS, allowance.tokens + earned);
    allowance.refilledMs = nowMs;
    if (allowance.tokens < 1) return false;
    allowance.tokens--;
    return true;
  }

  #find(query: Query, nowMs: number): Allowance {
    const key = clientKey(query);
    let allowance = this.#allowances.get(key);
    if (allowance === undefined) {
      allowance = { tokens: this.#maxRate * BURST_SECONDS, refilledMs: nowMs };
      this.#allowances.set(key, allowance);
    }
    return allowance;
  }
}

/** The IPv4 address as a number; of IPv6 the /64 that one host can choose from. */
function clientKey({ clientAddress: bytes, family }: Query): number | string {
  if (family === 4) return ((bytes[0]! << 24) | (bytes[1]! << 16) | (bytes[2]! << 8) | bytes[3]!) >>> 0;
  return String.fromCharCode(
    (bytes[0]! << 8) | bytes[1]!,
    (bytes[2]! << 8) | bytes[3]!,
    (bytes[4]! << 8) | bytes[5]!,
    (bytes[6]! << 8) | bytes[7]!,
  );
}
