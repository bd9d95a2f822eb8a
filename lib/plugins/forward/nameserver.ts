// lib/plugins/forward/nameserver.ts — worker. One upstream as this worker sees it: its latency, its trouble, how willingly it is asked.
//
// Trouble is shared between workers (shared-state.ts): what one finds silent none asks first. Any reply ends it.
import { parseIpAddress } from '../../base/ip-address.ts';
import type { CaseMixing, Env, Upstream } from '../../chain/plugin.ts';
import { Latency } from './latency.ts';
import type { ForwardZoneOptions, UpstreamOptions } from './setup.ts';
import { type SharedState, TROUBLE } from './shared-state.ts';
import { UpstreamHealth } from './upstream-health.ts';

/** Queries without a reply between them that make an upstream look silent; one alone may be a slow name. */
const MIN_UNANSWERED = 3;
/** Queries in a row that it failed and another upstream answered. */
const MAX_OVERRULED = 3;
/** An upstream in trouble that is not probed gets a copy of a query this often. */
const TRIAL_MS = 1000;

/** How willingly an upstream is asked: lower first. */
export const RANK = { GOOD: 0, FAILING: 1, SILENT: 2, DOWN: 3, LOOPED: 4 } as const;

export class Nameserver {
  readonly options: UpstreamOptions;
  readonly upstream: Upstream;
  readonly latency: Latency = new Latency();
  /** Has names go out in letters of random case; undefined unless the Corefile says so. */
  readonly mixing: CaseMixing | undefined;
  /** Its place in the shared state. */
  readonly slot: number;
  readonly #address: Uint8Array;
  readonly #maxFails: number;
  readonly #health: UpstreamHealth;
  readonly #shared: SharedState;
  readonly #env: Env;
  /** Queries sent since the last reply, and when the first of them was. */
  #unanswered = 0;
  #quietSinceMs = 0;
  #overruled = 0;

  constructor(forward: ForwardZoneOptions, options: UpstreamOptions, shared: SharedState, env: Env) {
    this.options = options;
    this.upstream = env.upstreams.open(options.target);
    this.slot = options.slot;
    const { otherCase } = options.cells;
    this.mixing = forward.caseMixing ? { noteOtherCase: () => void env.cells[otherCase]!++ } : undefined;
    this.#address = parseIpAddress(options.target.address)?.bytes ?? new Uint8Array(0);
    this.#maxFails = forward.maxFails;
    this.#shared = shared;
    this.#env = env;
    this.#health = new UpstreamHealth(forward, options, this.upstream, shared, env, () => this.#recover());
  }

  /** How willingly it is asked now. */
  get rank(): number {
    if (this.isLooped) return RANK.LOOPED;
    if (this.#maxFails !== 0 && this.#shared.fails(this.slot) > this.#maxFails) return RANK.DOWN;
    const trouble = this.#shared.trouble(this.slot);
    if (trouble === TROUBLE.NONE) return this.#overruled >= MAX_OVERRULED ? RANK.FAILING : RANK.GOOD;
    return trouble === TROUBLE.SILENT ? RANK.SILENT : RANK.FAILING;
  }

  /** Whether queries to it come back to this server. */
  get isLooped(): boolean {
    return this.#shared.isLooped(this.slot);
  }

  /** Whether a client's query came from its address. */
  isAt(address: Uint8Array, length: number): boolean {
    if (this.#address.length !== length) return false;
    for (let i = 0; i < length; i++) if (this.#address[i] !== address[i]) return false;
    return true;
  }

  noteSent(nowMs: number): void {
    if (this.#unanswered++ === 0) this.#quietSinceMs = nowMs;
  }

  noteReply(tookMs: number): void {
    this.#unanswered = 0;
    this.#countMismatches();
    this.latency.add(tookMs);
    if (this.#shared.trouble(this.slot) !== TROUBLE.NONE) this.#recover();
  }

  /** Its failure (SERVFAIL, REFUSED) was no news to another upstream, which answered. */
  noteOverruled(): void {
    this.#overruled++;
  }

  /** What it sent cannot be used. */
  noteBadReply(): void {
    this.#shared.setTrouble(this.slot, TROUBLE.FAILING);
    if (this.#maxFails !== 0) this.#health.check();
  }

  noteGood(): void {
    this.#overruled = 0;
  }

  /** An exchange that began at `startMs` ended without a reply. */
  noteError(startMs: number, isTimeout: boolean): void {
    this.#countMismatches();
    const isSilent = isTimeout && this.#unanswered > 0 && this.#quietSinceMs <= startMs;
    if (isSilent) this.noteSilent();
    else if (!isTimeout) this.#shared.setTrouble(this.slot, TROUBLE.FAILING);
    if (this.#maxFails !== 0) this.#health.check();
  }

  /** Whether replies are overdue that several queries wait for. */
  looksSilent(nowMs: number): boolean {
    return this.#unanswered >= MIN_UNANSWERED && nowMs - this.#quietSinceMs > this.latency.silentAfterMs;
  }

  get isSilent(): boolean {
    return this.#shared.trouble(this.slot) === TROUBLE.SILENT;
  }

  noteSilent(): void {
    if (this.isSilent) return;
    this.#shared.setTrouble(this.slot, TROUBLE.SILENT);
    this.#env.cells[this.options.cells.silences]!++;
    if (this.#maxFails !== 0) this.#health.check();
  }

  /** Whether a copy of a query should go to it now, to see whether its trouble is over. At most once a second for all workers. */
  isTrialDue(): boolean {
    const { rank } = this;
    if (rank === RANK.GOOD || rank >= RANK.DOWN) return false;
    // Those that are probed need no trial, unless it is their answers that were wrong.
    if (this.#maxFails !== 0 && this.#shared.trouble(this.slot) !== TROUBLE.NONE) return false;
    return this.#shared.claimTrial(this.slot, this.#env.clock.nowMs(), TRIAL_MS);
  }

  #countMismatches(): void {
    const mismatches = this.upstream.takeMismatches();
    if (mismatches > 0) this.#env.cells[this.options.cells.mismatches]! += mismatches;
  }

  #recover(): void {
    this.#unanswered = 0;
    this.#shared.setTrouble(this.slot, TROUBLE.NONE);
  }

  /** Stops probing. */
  close(): void {
    this.#health.close();
  }
}
