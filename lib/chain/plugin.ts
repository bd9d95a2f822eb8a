// The contract between a plugin and the rest: what setup is given, what a handler is given. Both kinds of thread.
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { Directive } from '../config/directive.ts';
import type { BlockKey } from '../config/server-block.ts';
import type { ListenerTls } from '../link/plan.ts';
import type { MetricRegistry } from '../metrics/registry.ts';
import type { StoreReader } from '../store/reader.ts';
import type { Answer } from './answer.ts';
import type { BlockOffers } from './block-offers.ts';
import type { Result } from './outcome.ts';
import type { Query } from './query.ts';

/** Answers a query, or passes it on by calling the `next` it was made with. */
export type Handler = (query: Query, answer: Answer) => Result;

/** Makes a worker's handler from what setup returned; called once per plan, worker and directive. */
export type HandlerFactory<Options> = (options: Options, env: Env) => Handler;

/** Something the control thread runs on behalf of a server block; plain data, so that a reload can compare. */
export type Service =
  | { readonly kind: 'health'; readonly address: string; readonly lameduckMs: number }
  | { readonly kind: 'ready'; readonly address: string; readonly mode: 'until-ready' | 'continuously' }
  /** `webConfig` is the path of the file that says how they are served over TLS. */
  | { readonly kind: 'metrics'; readonly address: string; readonly webConfig?: string }
  | { readonly kind: 'pprof'; readonly address: string }
  | { readonly kind: 'reload'; readonly intervalMs: number; readonly jitterMs: number }
  /** The plugin is ready while its count of queries, in a metric cell, is at least `from` and below `below`. */
  | {
      readonly kind: 'readiness';
      readonly plugin: string;
      readonly cell: number;
      readonly from: number;
      readonly below: number;
    }
  /** `watch` is the forward plugin's: files and host names that say who the upstreams are. */
  | { readonly kind: 'upstreams'; readonly watch: unknown }
  /** `address` is where this server listens, host empty when on all addresses; `probe` ends the name to ask for. */
  | { readonly kind: 'loop'; readonly zone: string; readonly probe: string; readonly address: string };

/**
 * What feeds one tree of the store. `key` equal means the same tree may serve both. `tree` is one more tree for a source that
 * writes several: it feeds nothing itself, the other source's options name its number.
 */
export type SourceSpec = {
  readonly kind: 'kubernetes' | 'hosts' | 'tree' | 'file' | 'auto' | 'etcd' | 'sign' | 'secondary';
  readonly key: string;
  readonly options: unknown;
};

/** Settings of the listeners of a block, set by directives without a handler (bind, timeouts, ...). */
export type ListenerSettings = {
  bind: string[];
  readTimeoutMs: number;
  writeTimeoutMs: number;
  idleTimeoutMs: number;
  maxQueriesPerConnection: number;
  /** Sockets per address; 0: one per worker. */
  sockets: number;
  /** Classes other than IN reach the plugins (chaos and forward open them). */
  anyClass: boolean;
  debug: boolean;
  /** Of tls, https and grpc listeners; without it they serve in clear. */
  tls?: ListenerTls;
  /** Open connections of https and of grpc listeners, in each worker; 0: no limit. */
  httpsConnections?: number;
  grpcConnections?: number;
  /** Requests under way on one connection of grpc listeners; 0: no limit. */
  grpcStreams?: number;
  /** Keys of TSIG by name, absolute text in lower case; those of all blocks of a listener count. */
  tsigSecrets?: Readonly<Record<string, Uint8Array>>;
};

/** What a setup function may use. Everything it returns must be plain data. */
export interface SetupContext {
  /** Keys of the server block, in order. */
  readonly keys: readonly BlockKey[];
  /** The block's zones, lower case, absolute, without duplicates. */
  readonly zones: readonly string[];
  /** `dns://:53`-like labels of the block's listeners, the values of the metric label `server`. */
  readonly servers: readonly string[];
  /** The block's view name, or ''. */
  readonly view: string;
  /** Folder that relative paths start from: the working directory until the `root` directive sets another. */
  root: string;
  readonly listener: ListenerSettings;
  readonly metrics: MetricRegistry;
  readonly log: Logger;
  /** Names of all directives of the block, in chain order. */
  readonly directives: readonly string[];
  /** Has the control thread run a service while this configuration lives. */
  addService(service: Service): void;
  /** Has the control thread keep a source running; returns the number of the store tree it writes. */
  addSource(source: SourceSpec): number;
  /** A start-up line that does not stop the start. */
  warn(text: string): void;
}

/**
 * Turns all directives of one name in one block into options for the handlers; a promise only where something outside
 * has to be asked (a host name). @throws ConfigError, or rejects with it
 */
export type Setup<Options> = (directives: readonly Directive[], context: SetupContext) => Options | Promise<Options>;

/** An exchange with an upstream nameserver; see lib/io/upstream.ts. */
export interface Upstreams {
  /** Sockets to one nameserver, shared by all handlers of a worker that name it alike. */
  open(target: UpstreamTarget): Upstream;
}

export type UpstreamTarget = {
  readonly address: string;
  readonly port: number;
  readonly tls?: {
    readonly serverName: string;
    readonly ca?: string;
    readonly cert?: string;
    readonly key?: string;
  };
  /** By HTTPS (RFC 8484), with what `tls` says. */
  readonly https?: { readonly method: 'GET' | 'POST' };
  readonly sourceAddress?: string;
  readonly expireMs: number;
  readonly maxAgeMs: number;
  readonly maxIdleSockets: number;
};

/** What came back from an upstream: bytes valid during `replied` or until the promise's first `then` has run, copy to keep. */
export type UpstreamReply = {
  readonly bytes: Uint8Array;
  readonly length: number;
  /** Whether a pooled connection was used (metrics). */
  readonly reused: boolean;
};

/** Who waits for a reply. One of the two is called, once, and not before `ask` has returned. */
export interface ReplyWaiter {
  replied(reply: UpstreamReply): void;
  /** @param error an UpstreamError */
  failed(error: Error): void;
}

export interface Upstream {
  /**
   * Sends the message (its ID is replaced by a random one) and waits for the reply to it.
   * Replies with another ID or question are ignored until the timeout (CVE-2023-28452).
   * @param message must not change before the exchange has ended
   * @param mixing has the name go out in letters of random case over UDP, and hears of replies in other letters
   * @throws UpstreamError with a text in Go's manner (`read udp 10.0.0.1:5353->...: i/o timeout`)
   */
  exchange(
    message: Uint8Array,
    transport: 'udp' | 'tcp',
    timeoutMs: number,
    mixing?: CaseMixing,
  ): Promise<UpstreamReply>;
  /** The same without a promise, for what thousands of queries do at once. The waiter must not throw. */
  ask(message: Uint8Array, transport: 'udp' | 'tcp', timeoutMs: number, waiter: ReplyWaiter, mixing?: CaseMixing): void;
  /** How many messages came that answer nothing, late ones and forged ones, since this was last called. */
  takeMismatches(): number;
  close(): void;
}

/** Who has names go out in letters of random case. */
export interface CaseMixing {
  /** A reply came whose question has other letters; it is ignored. */
  noteOtherCase(): void;
}

/** What a handler factory is given besides its options. */
export interface Env {
  /** The rest of the chain. */
  readonly next: Handler;
  /** Nothing follows: `next` only says so. */
  readonly isLast?: boolean;
  readonly clock: Clock;
  /** Already carries the plugin's name. */
  readonly log: Logger;
  readonly store: StoreReader;
  /** What the plugins of this block offer to one another. */
  readonly offers: BlockOffers;
  readonly upstreams: Upstreams;
  /** This worker's row of metric cells; indexes come from `MetricRegistry` at setup. */
  readonly cells: Float64Array;
  /** Cryptographically random integers in [0, 2^32). */
  readonly random: () => number;
  /** Asks the whole server again, as for a CNAME's target; the answer is a fresh one. */
  resolve(query: Query, name: Uint8Array, type: number, into: Answer): Result;
  /** Has `run` called when the plan is replaced or the worker ends. */
  onClose(run: () => void): void;
  /** Has the control thread write `[FATAL]` and the text (`plugin/NAME: ...`) and end the process with exit code 1. */
  fatal(text: string): void;
  /** Tells the source that writes `tree` that its origin says `zone` has changed (text, absolute, lower case). */
  notifySource(tree: number, zone: string): void;
  /** Index of this worker, from 0. */
  readonly worker: number;
}
