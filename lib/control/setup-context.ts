// What the setup functions of one server block share, and what they leave behind. Control thread.
import { formatHostPort } from '../base/ip-address.ts';
import type { Logger } from '../base/log.ts';
import type { ListenerSettings, Service, SetupContext, SourceSpec } from '../chain/plugin.ts';
import type { BlockKey, ServerBlock } from '../config/server-block.ts';
import type { ChainLink } from '../link/plan.ts';
import type { MetricRegistry } from '../metrics/registry.ts';
import { PLUGIN_ORDER } from '../plugins/order.ts';

/** Settings of a listener that no directive touched; times as in CoreDNS. */
export const LISTENER_DEFAULTS: Readonly<ListenerSettings> = {
  bind: [],
  readTimeoutMs: 3000,
  writeTimeoutMs: 5000,
  idleTimeoutMs: 10_000,
  maxQueriesPerConnection: -1,
  sockets: 0,
  anyClass: false,
  debug: false,
};

/** What setups need from outside of their block. */
export type SetupEnv = {
  readonly metrics: MetricRegistry;
  readonly log: Logger;
  /** Tree number for a source; the same for an equal key. */
  readonly claimTree: (source: SourceSpec) => number;
  readonly warn: (text: string) => void;
};

/** A server block while its setups run, and their results. */
export class BlockSetup implements SetupContext {
  readonly block: ServerBlock;
  readonly keys: readonly BlockKey[];
  readonly zones: readonly string[];
  readonly view: string;
  readonly directives: readonly string[];
  readonly listener: ListenerSettings = { ...LISTENER_DEFAULTS, bind: [] };
  root = '.';
  readonly metrics: MetricRegistry;
  readonly log: Logger;
  readonly services: Service[] = [];
  /** Handlers in chain order. */
  readonly chain: ChainLink[] = [];
  readonly #env: SetupEnv;

  constructor(block: ServerBlock, env: SetupEnv) {
    const names = new Set(block.directives.map(({ owner }) => owner));
    this.block = block;
    this.keys = block.keys;
    this.zones = [...new Set(block.keys.map(({ zone }) => zone))];
    this.view = block.directives.find(({ owner }) => owner === 'view')?.args[0]?.text ?? '';
    this.directives = PLUGIN_ORDER.filter((name) => names.has(name));
    this.metrics = env.metrics;
    this.log = env.log;
    this.#env = env;
  }

  /** Listen addresses: those of `bind`, else all. */
  get addresses(): readonly string[] {
    return this.listener.bind.length > 0 ? [...new Set(this.listener.bind)] : [''];
  }

  /** Known once `bind` was set up, which comes before every plugin that has metrics. */
  get servers(): readonly string[] {
    return [...new Set(this.keys.flatMap((key) => this.addresses.map((address) => formatServer(key, address))))];
  }

  addService(service: Service): void {
    this.services.push(service);
  }

  addSource(source: SourceSpec): number {
    return this.#env.claimTree(source);
  }

  warn(text: string): void {
    this.#env.warn(text);
  }
}

/** `dns://127.0.0.1:53`, as CoreDNS names a server in metrics. */
export function formatServer({ scheme, port }: Pick<BlockKey, 'scheme' | 'port'>, address: string): string {
  return `${scheme}://${formatHostPort(address, port)}`;
}
