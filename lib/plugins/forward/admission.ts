// lib/plugins/forward/admission.ts — worker. Who may have how many queries at upstreams, so that one client cannot take them all.
//
// Limits per client and one in all. A client's share of the places shrinks as they fill: it may have as many as are left
// free, so that one alone gets half of them and there is always room for the next. Its rate is limited where the Corefile says so.
import QuickLRU from 'quick-lru';
import type { Query } from '../../chain/query.ts';

/** Clients remembered; those not heard of for longest are forgotten first (quick-lru keeps up to twice as many). */
const MAX_CLIENTS = 4096;
/** Seconds of its rate that a client may ask at once. */
const BURST_SECONDS = 2;

/** What one client has going. */
export type Client = { underWay: number; tokens: number; refilledMs: number };

/** Why a query is not forwarded; the metric's label `reason` in this order. */
export const REFUSAL = { MAX_CONCURRENT: 0, TOTAL: 1, CLIENT: 2, CLIENT_RATE: 3 } as const;
export const REFUSAL_REASONS = ['max_concurrent', 'total', 'client', 'client_rate'] as const;

export class Admission {
  readonly #clients = new QuickLRU<number | string, Client>({ maxSize: MAX_CLIENTS });
  readonly #maxTotal: number;
  readonly #maxRate: number;
  /** Queries that were let in and have not left. */
  underWay = 0;

  /** @param maxTotal queries under way in all @param maxRate queries a second of one client, 0: no limit */
  constructor(maxTotal: number, maxRate: number) {
    this.#maxTotal = maxTotal;
    this.#maxRate = maxRate;
  }

  /** Clients that are remembered now. */
  get clientCount(): number {
    return this.#clients.size;
  }

  /** Lets a query in, for `leave` to be told when it is done; or a REFUSAL. */
  enter(query: Query, nowMs: number): Client | number {
    const free = this.#maxTotal - this.underWay;
    if (free <= 0) return REFUSAL.TOTAL;
    const client = this.#find(query, nowMs);
    if (client.underWay >= free) return REFUSAL.CLIENT;
    if (this.#maxRate !== 0 && !this.#pay(client, nowMs)) return REFUSAL.CLIENT_RATE;
    client.underWay++;
    this.underWay++;
    return client;
  }

  leave(client: Client): void {
    this.underWay--;
    client.underWay--;
  }

  #pay(client: Client, nowMs: number): boolean {
    const earned = ((nowMs - client.refilledMs) / 1000) * this.#maxRate;
    client.tokens = Math.min(this.#maxRate * BURST_SECONDS, client.tokens + earned);
    client.refilledMs = nowMs;
    if (client.tokens < 1) return false;
    client.tokens--;
    return true;
  }

  #find(query: Query, nowMs: number): Client {
    const key = clientKey(query);
    let client = this.#clients.get(key);
    if (client === undefined) {
      client = { underWay: 0, tokens: this.#maxRate * BURST_SECONDS, refilledMs: nowMs };
      this.#clients.set(key, client);
    }
    return client;
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
