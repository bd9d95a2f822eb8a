// lib/plugins/forward/nameserver-list.ts — worker. The upstreams of one `forward` and the order in which they are asked.
import type { Env } from '../../chain/plugin.ts';
import type { Query } from '../../chain/query.ts';
import type { Flight } from './flight.ts';
import { Nameserver, RANK } from './nameserver.ts';
import type { ForwardZoneOptions, Policy } from './setup.ts';
import type { SharedState } from './shared-state.ts';
import { UpstreamListReader } from './upstream-list.ts';
import { makeTarget } from './upstream-target.ts';

/** No query is under way for longer. */
const RETIRE_MS = 10_000;

export class NameserverList {
  readonly #policy: Policy;
  readonly #shared: SharedState;
  readonly #env: Env;
  readonly #options: ForwardZoneOptions;
  readonly #reader: UpstreamListReader | undefined;
  /** Those that the list no longer names and that queries may still be out at. */
  readonly #retired = new Set<Nameserver>();
  #all: readonly Nameserver[];
  /** Called with each upstream that a new list adds. */
  onAdd: (nameserver: Nameserver) => void = () => {};

  constructor(options: ForwardZoneOptions, shared: SharedState, env: Env) {
    this.#options = options;
    this.#reader = options.list && new UpstreamListReader(options.list);
    this.#policy = options.policy;
    this.#shared = shared;
    this.#env = env;
    this.#all = options.upstreams.map((upstream) => new Nameserver(options, upstream, shared, env));
  }

  /** Takes over the list that was announced last. */
  update(): void {
    if (this.#reader === undefined || !this.#reader.isNew) return;
    const announced = this.#reader.read();
    if (announced === undefined) return;
    const known = new Map(this.#all.map((nameserver) => [nameserver.options.to, nameserver]));
    const all = announced.map(({ to, address, cells, slot }) => {
      const old = known.get(to);
      known.delete(to);
      if (old) return old;
      const target = makeTarget(address, this.#options.template);
      return new Nameserver(this.#options, { to, target, cells, slot }, this.#shared, this.#env);
    });
    const added = all.filter((nameserver) => !this.#all.includes(nameserver));
    this.#all = all;
    for (const nameserver of added) this.onAdd(nameserver);
    for (const gone of known.values()) this.#retire(gone);
  }

  #retire(nameserver: Nameserver): void {
    nameserver.close();
    this.#retired.add(nameserver);
    this.#env.clock.after(RETIRE_MS, () => {
      if (this.#retired.delete(nameserver)) nameserver.upstream.close();
    });
  }

  get all(): readonly Nameserver[] {
    return this.#all;
  }

  get count(): number {
    return this.#all.length;
  }

  /** Whether one has said something of late. */
  get isAnyAudible(): boolean {
    for (const nameserver of this.#all) if (nameserver.rank < RANK.SILENT) return true;
    return false;
  }

  /** Whether all owe replies that are overdue, or have been found silent. */
  isQuiet(nowMs: number): boolean {
    return this.#all.every((nameserver) => nameserver.rank >= RANK.SILENT || nameserver.looksSilent(nowMs));
  }

  /** Has all of them asked once (again), in the order that the policy draws for the flight. */
  beginRound(flight: Flight): void {
    if (flight.order.length === 0) flight.order = this.#all.length === 1 ? this.#all : this.#drawOrder();
    flight.round = flight.order.slice();
  }

  #drawOrder(): readonly Nameserver[] {
    const order = this.#all.slice();
    const { length } = order;
    if (length === 1 || this.#policy === 'sequential') return order;
    if (this.#policy === 'round_robin') {
      const first = this.#shared.turn() % length;
      return [...order.slice(first), ...order.slice(0, first)];
    }
    for (let i = length - 1; i > 0; i--) {
      const other = this.#env.random() % (i + 1);
      const swapped = order[i]!;
      order[i] = order[other]!;
      order[other] = swapped;
    }
    return order;
  }

  /**
   * The one to ask next: in better health than the others, or else the first. Undefined when all have been asked, or those
   * left lead back here.
   */
  take(flight: Flight): Nameserver | undefined {
    const { round } = flight;
    let best = 0;
    let bestRank: number = round[0]?.rank ?? RANK.GOOD;
    for (let i = 1; i < round.length && bestRank > RANK.GOOD; i++) {
      const { rank } = round[i]!;
      if (rank >= bestRank) continue;
      best = i;
      bestRank = rank;
    }
    if (bestRank === RANK.LOOPED) return undefined;
    return best === 0 ? round.shift() : round.splice(best, 1)[0];
  }

  /** Any of them, in place of one that was taken. */
  takeAny(flight: Flight, taken: Nameserver): Nameserver {
    const any = this.#all[this.#env.random() % this.#all.length]!;
    if (any.isLooped) return taken;
    const at = flight.round.indexOf(any);
    if (at !== -1) flight.round[at] = taken;
    return any;
  }

  /** Whether one is left that is worth being asked while others are. */
  hasFit(flight: Flight): boolean {
    for (const nameserver of flight.round) if (nameserver.rank < RANK.SILENT) return true;
    return false;
  }

  /** Whether the query came from an upstream's address, or from this server's own. */
  isSender({ clientAddress, serverAddress, family }: Query): boolean {
    const length = family === 4 ? 4 : 16;
    let isOwn = true;
    for (let i = 0; i < length && isOwn; i++) isOwn = clientAddress[i] === serverAddress[i];
    return isOwn || this.#all.some((nameserver) => nameserver.isAt(clientAddress, length));
  }

  stopProbing(): void {
    for (const nameserver of this.#all) nameserver.close();
  }

  close(): void {
    for (const nameserver of [...this.#all, ...this.#retired]) nameserver.upstream.close();
    this.#retired.clear();
  }
}
