// What a worker is to serve: the result of all setups as plain data. Made by control, compiled by workers.

/** One handler to make: the plugin's name and the options its setup returned (plain data). */
export type ChainLink = { readonly plugin: string; readonly options: unknown };

/** A server block. The chain is in execution order; config-only directives are not in it. */
export type BlockPlan = {
  /** Absolute, lower case; the values of the metric label `zone`. */
  readonly zones: readonly string[];
  readonly view: string;
  /** Expressions that must be true of the queries this block takes (`view`); none: it takes all. */
  readonly filter?: readonly string[];
  /** Values of the metric label `server`, one per listener of the block (`dns://:53`). */
  readonly servers: readonly string[];
  readonly chain: readonly ChainLink[];
};

export type ListenerScheme = 'dns' | 'tls' | 'https' | 'grpc';

/** Certificate and rules of an encrypted listener; PEM texts. */
export type ListenerTls = {
  readonly cert: string;
  readonly key: string;
  /** Client certificates must come from here when `clientAuth` asks for them. */
  readonly ca?: string;
  readonly clientAuth?: 'none' | 'request' | 'require' | 'verify-if-given' | 'require-and-verify';
  /** Session secrets are appended to this file. */
  readonly keyLogFile?: string;
  /** The same for all workers of a process, so that a session begun at one resumes at another. */
  readonly ticketSecret?: Uint8Array;
};

/** A socket address to serve, for UDP and TCP (dns) or TCP alone. */
export type ListenerPlan = {
  readonly scheme: ListenerScheme;
  /** IP address, or '' for all addresses of both families. */
  readonly address: string;
  readonly port: number;
  /** Zones served here, each with its blocks in file order (several when views tell them apart). */
  readonly zones: readonly { readonly zone: string; readonly blocks: readonly BlockOnListener[] }[];
  readonly anyClass: boolean;
  /** Cells for queries refused before a block is found: `RequestCells` of the prometheus plugin, when a block here has it. */
  readonly dropped?: unknown;
  readonly readTimeoutMs: number;
  readonly writeTimeoutMs: number;
  readonly idleTimeoutMs: number;
  /** -1: no limit. */
  readonly maxQueriesPerConnection: number;
  /** Without it tls, https and grpc are served in clear. */
  readonly tls?: ListenerTls;
  /** Of https and grpc, in each worker; 0: no limit. */
  readonly maxConnections?: number;
  /** Requests under way on one connection of grpc; 0: no limit. */
  readonly maxStreams?: number;
  /** Keys of TSIG by name, absolute text in lower case. */
  readonly tsigSecrets?: Readonly<Record<string, Uint8Array>>;
  /** Cell that counts the HTTP responses of a status, by status; when a block here has metrics. */
  readonly httpResponses?: Readonly<Record<number, number>>;
};

/** `block` indexes `Plan.blocks`, `server` that block's `servers`. */
export type BlockOnListener = { readonly block: number; readonly server: number };

export type Plan = {
  readonly generation: number;
  readonly blocks: readonly BlockPlan[];
  readonly listeners: readonly ListenerPlan[];
  readonly debug: boolean;
};
