// What the plugins of one server block offer to one another: a plugin never imports another one. Handlers are made from the
// end of the chain to its start, so whoever needs something finds what later plugins have put here. Worker.
import type { Query } from './query.ts';
import type { ZoneTransferer } from './zone-transfer.ts';

/** Puts what a plugin knows about a query, before the chain runs, into the query's metadata. Must not throw. */
export type MetadataProvider = (query: Query, into: Map<string, string>) => void;

/**
 * The search path of a client's resolver: lower-case absolute names in wire form in the order of the client, the root
 * last; undefined when it is not known for certain. The list never changes. Called inside a batch of the store.
 */
export type SearchPathFinder = (query: Query) => readonly Uint8Array[] | undefined;

/** Where a cluster's names for use outside of it are: a store tree with names relative to the external zone. */
export type ExternalNamesOffer = { readonly tree: number };

/** What `forward` offers to `loop`: it finds out which of its upstreams lead back here, and asks those no more. */
export type LoopGuard = {
  /** Begins to look, now and whenever there is reason to. */
  start(): void;
  /** Whether the query is one of the guard's own that came back. It must not be forwarded again. */
  hears(query: Query): boolean;
};

export class BlockOffers {
  readonly metadata: MetadataProvider[] = [];
  /** Plugins that can hand out whole zones, the last of the chain first. */
  readonly transferers: ZoneTransferer[] = [];
  /** By name of the plugin: `autopath @kubernetes`. */
  readonly searchPaths: Map<string, SearchPathFinder> = new Map();
  readonly loopGuards: LoopGuard[] = [];
  external: ExternalNamesOffer | undefined;
}
