// Brings a plan to life in this worker: sockets opened and chains compiled first, then everything swapped between two batches. Worker.
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { Answer } from '../chain/answer.ts';
import { BlockOffers, type MetadataProvider } from '../chain/block-offers.ts';
import { type BaseEnv, compileChain } from '../chain/compile.ts';
import { Outcome, type Result } from '../chain/outcome.ts';
import type { Handler, HandlerFactory, Upstreams } from '../chain/plugin.ts';
import { type Query, TRANSPORT } from '../chain/query.ts';
import { compileQueryFilter, type QueryFilter, withMetadata } from '../chain/query-filter.ts';
import { Router } from '../chain/router.ts';
import { TsigVerifier } from '../chain/tsig.ts';
import { makeSubquery, MAX_DEPTH } from '../chain/subquery.ts';
import type { BlockPlan, ListenerPlan, Plan } from '../link/plan.ts';
import type { RequestCells } from '../plugins/prometheus/metrics.ts';
import type { StoreReader } from '../store/reader.ts';
import { RCODE } from '../wire/types.ts';
import { ListenerSockets } from './listener-sockets.ts';
import type { ListenerState, PacketLoop } from './loop.ts';

const DRAIN_POLL_MS = 10;

/** What the chains of every plan share in this worker. */
export type RunnerEnv = {
  readonly worker: number;
  readonly clock: Clock;
  readonly log: Logger;
  readonly store: StoreReader;
  readonly cells: Float64Array;
  readonly random: () => number;
  readonly upstreams: () => Upstreams & { close(): void };
  readonly loop: PacketLoop;
  /** Ends the process with a `[FATAL]` line. */
  readonly fatal: (text: string) => void;
  /** Hands a NOTIFY on to the control thread. */
  readonly notifySource: (tree: number, zone: string) => void;
  readonly factories: Readonly<Record<string, HandlerFactory<never>>>;
};

/** A plan with its chains, ready to be swapped in. */
type Prepared = {
  readonly plan: Plan;
  readonly states: readonly ListenerState[];
  readonly onClose: readonly (() => void)[];
  /** Sockets opened for this plan alone, by listener. */
  readonly opened: Map<string, ListenerSockets>;
};

export class PlanRunner {
  readonly #env: RunnerEnv;
  readonly #sockets = new Map<string, ListenerSockets>();
  #active: Prepared | undefined;
  #prepared: Prepared | undefined;
  #retiredDrops = 0;

  constructor(env: RunnerEnv) {
    this.#env = env;
  }

  /**
   * Compiles the plan and opens the sockets it has beyond those that are open. A new socket serves at once.
   *
   * @throws Error when a socket cannot be opened; then everything is as it was
   */
  async prepare(plan: Plan): Promise<void> {
    this.discard();
    const opened = new Map<string, ListenerSockets>();
    const compiled = this.#compile(plan);
    try {
      for (const [index, listener] of plan.listeners.entries()) {
        const key = keyOf(listener);
        if (this.#sockets.has(key) || opened.has(key)) continue;
        opened.set(key, await ListenerSockets.open(listener, compiled.states[index]!, this.#env.loop));
      }
    } catch (error) {
      for (const sockets of opened.values()) sockets.close();
      for (const close of compiled.onClose) close();
      throw error;
    }
    this.#prepared = { plan, opened, ...compiled };
  }

  /** Serves the prepared plan from the next packet on; sockets that it does not name are closed. */
  activate(generation: number): void {
    const next = this.#prepared;
    if (next?.plan.generation !== generation) return;
    this.#prepared = undefined;
    for (const [key, sockets] of next.opened) this.#sockets.set(key, sockets);
    const kept = new Set<string>();
    for (const [index, listener] of next.plan.listeners.entries()) {
      const key = keyOf(listener);
      kept.add(key);
      this.#sockets.get(key)?.serve(next.states[index]!, listener);
    }
    for (const [key, sockets] of this.#sockets) {
      if (kept.has(key)) continue;
      this.#retiredDrops += sockets.takeKernelDrops();
      sockets.retire();
      this.#sockets.delete(key);
    }
    const previous = this.#active;
    this.#active = next;
    for (const close of previous?.onClose ?? []) close();
  }

  /** Descriptors of all listening sockets, those of a prepared plan too. */
  descriptors(): number[] {
    return [...this.#sockets.values(), ...(this.#prepared?.opened.values() ?? [])].flatMap((sockets) =>
      sockets.descriptors(),
    );
  }

  /** Datagrams that the kernel dropped at the listeners since the last call. */
  takeKernelDrops(): number {
    let drops = this.#retiredDrops;
    this.#retiredDrops = 0;
    for (const sockets of this.#sockets.values()) drops += sockets.takeKernelDrops();
    return drops;
  }

  /** Forgets the prepared plan. */
  discard(): void {
    const dropped = this.#prepared;
    this.#prepared = undefined;
    for (const sockets of dropped?.opened.values() ?? []) sockets.close();
    for (const close of dropped?.onClose ?? []) close();
  }

  /**
   * Ends the service: no new connections at once; datagrams are answered until no query waits any more, so that none is
   * lost that came before the last one was sent. At most `graceMs`.
   */
  async stop(graceMs: number): Promise<void> {
    this.discard();
    const { clock, loop } = this.#env;
    const endMs = clock.monotonicMs() + graceMs;
    await Promise.all([...this.#sockets.values()].map((sockets) => sockets.drainConnections(graceMs)));
    while (loop.waiting > 0 && clock.monotonicMs() < endMs) {
      await new Promise<void>((resolve) => void setTimeout(resolve, DRAIN_POLL_MS));
    }
    for (const sockets of this.#sockets.values()) sockets.close();
    this.#sockets.clear();
    for (const close of this.#active?.onClose ?? []) close();
    this.#active = undefined;
  }

  #compile(plan: Plan): { states: ListenerState[]; onClose: (() => void)[] } {
    const { env, states, onClose } = this.#baseEnv();
    const offers = plan.blocks.map(() => new BlockOffers());
    const handlers: Handler[] = plan.blocks.map((block, i) => compileChain(block, this.#env.factories, env, offers[i]));
    const zones = plan.blocks.map((block) => block.zones);
    const filters = plan.blocks.map((block, i) => compileFilter(block, offers[i]!.metadata, this.#env.store));
    plan.listeners.forEach((listener, index) => {
      states.push({
        index,
        router: new Router(listener, handlers, zones, filters),
        anyClass: listener.anyClass,
        dropped: listener.dropped as RequestCells | undefined,
        httpResponses: listener.httpResponses,
        tsig: listener.tsigSecrets && new TsigVerifier(listener.tsigSecrets),
        transport:
          listener.scheme === 'dns' ? TRANSPORT.UDP : listener.scheme === 'tls' ? TRANSPORT.TLS : TRANSPORT.HTTPS,
      });
    });
    return { states, onClose };
  }

  #baseEnv(): { env: BaseEnv; states: ListenerState[]; onClose: (() => void)[] } {
    const { worker, clock, log, store, cells, random } = this.#env;
    const states: ListenerState[] = [];
    const upstreams = this.#env.upstreams();
    const onClose = [() => upstreams.close()];
    const env: BaseEnv = {
      worker,
      clock,
      store,
      cells,
      random,
      upstreams,
      logFor: (plugin) => log.forPlugin(plugin),
      onClose: (run) => void onClose.push(run),
      fatal: this.#env.fatal,
      notifySource: this.#env.notifySource,
      resolve: (query, name, type, into) => resolve(states, query, name, type, into),
    };
    return { env, states, onClose };
  }
}

/** The block's conditions; metadata is collected for them only where the block has it and they ask for it. */
function compileFilter(
  block: BlockPlan,
  providers: readonly MetadataProvider[],
  store: StoreReader,
): QueryFilter | undefined {
  if (block.filter === undefined) return undefined;
  const filter = compileQueryFilter(block.filter);
  const asksMetadata = block.filter.some((expression) => /\bmetadata\s*\(/.test(expression));
  const hasMetadata = block.chain.some(({ plugin }) => plugin === 'metadata');
  return asksMetadata && hasMetadata ? withMetadata(filter, providers, store) : filter;
}

/** Asks the server that `query` came to for another name. */
function resolve(states: readonly ListenerState[], query: Query, name: Uint8Array, type: number, into: Answer): Result {
  const subquery = makeSubquery(query, name, type);
  into.begin(subquery);
  if (query.depth >= MAX_DEPTH) {
    into.fail(RCODE.SERVFAIL, 'aliases lead to one another without end');
    return Outcome.FAILED;
  }
  const handler = states[query.listener]?.router.route(subquery);
  if (handler) return handler(subquery, into);
  into.fail(RCODE.REFUSED);
  return Outcome.FAILED;
}

/** Equal for listeners that one set of sockets can serve: what is fixed when a socket is opened is part of it. */
function keyOf({ scheme, address, port, tls, maxConnections, maxStreams }: ListenerPlan): string {
  return JSON.stringify([scheme, address, port, tls, maxConnections, maxStreams]);
}
