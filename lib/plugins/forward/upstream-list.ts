// lib/plugins/forward/upstream-list.ts — both kinds of thread. The upstreams of one `forward` when files or host names say who they are.
//
// The control thread announces a new list in shared memory; workers look at its version with each query, which costs one
// load, and read the text when it moved. The version is odd while the text is written.
import type { MetricRegistry } from '../../metrics/registry.ts';
import { type UpstreamCells, declareUpstreamMetrics } from './metrics.ts';
import { MAX_UPSTREAMS } from './shared-state.ts';
import { type UpstreamAddress, formatUpstream } from './upstream-address.ts';

/** One upstream as it is announced. */
export type AnnouncedUpstream = {
  readonly to: string;
  readonly address: UpstreamAddress;
  /** Place in the shared state. */
  readonly slot: number;
  readonly cells: UpstreamCells;
};

const WORD = { VERSION: 0, LENGTH: 1, TEXT: 2 } as const;
const TEXT_BYTES = 2 ** 18;
/** Upstreams of one server that get series of their own; addresses that come later share one. */
const MAX_LABELS = 64;
const OTHER_LABEL = 'other';

export function createUpstreamList(): SharedArrayBuffer {
  return new SharedArrayBuffer(WORD.TEXT * 4 + TEXT_BYTES);
}

/**
 * Gives every address a slot and metrics; those that were there before keep theirs. Addresses that are written alike are one.
 *
 * @param before the list until now; slots that it does not use come first for new addresses
 */
export function declareUpstreams(
  addresses: readonly UpstreamAddress[],
  before: readonly AnnouncedUpstream[],
  metrics: MetricRegistry,
): AnnouncedUpstream[] {
  const known = new Map(before.map((upstream) => [keyOf(upstream.address), upstream]));
  const taken = new Set(before.map(({ slot }) => slot));
  const found = new Map<string, AnnouncedUpstream>();
  let free = 0;
  for (const address of addresses) {
    const key = keyOf(address);
    if (found.has(key)) continue;
    const old = known.get(key);
    if (!old) {
      while (taken.has(free)) free++;
      taken.add(free);
    }
    found.set(key, old ?? { to: formatUpstream(address), address, slot: free, cells: declareCells(address, metrics) });
  }
  return [...found.values()];
}

/** Addresses with the same `to` are the same upstream. */
function keyOf(address: UpstreamAddress): string {
  return formatUpstream(address);
}

function declareCells(address: UpstreamAddress, metrics: MetricRegistry): UpstreamCells {
  const to = formatUpstream(address);
  const series = metrics.families.get('coredns_forward_requests_total')?.series;
  const isKnown = [...(series?.values() ?? [])].some(({ labels }) => labels.to === to);
  return declareUpstreamMetrics(metrics, isKnown || (series?.size ?? 0) < MAX_LABELS ? to : OTHER_LABEL);
}

/** Announces a list; only the control thread does. @returns false when it is too long */
export function announceUpstreams(list: SharedArrayBuffer, upstreams: readonly AnnouncedUpstream[]): boolean {
  const text = Buffer.from(JSON.stringify(upstreams));
  if (text.length > TEXT_BYTES || upstreams.length > MAX_UPSTREAMS) return false;
  const words = new Int32Array(list, 0, WORD.TEXT);
  Atomics.add(words, WORD.VERSION, 1);
  new Uint8Array(list, WORD.TEXT * 4).set(text);
  Atomics.store(words, WORD.LENGTH, text.length);
  Atomics.add(words, WORD.VERSION, 1);
  return true;
}

/** A worker's view of the list. */
export class UpstreamListReader {
  readonly #list: SharedArrayBuffer;
  readonly #words: Int32Array;
  #version = 0;

  constructor(list: SharedArrayBuffer) {
    this.#list = list;
    this.#words = new Int32Array(list, 0, WORD.TEXT);
  }

  /** Whether something was announced since `read` returned a list. */
  get isNew(): boolean {
    return Atomics.load(this.#words, WORD.VERSION) !== this.#version;
  }

  /** The list, or undefined while it is being written. */
  read(): readonly AnnouncedUpstream[] | undefined {
    const version = Atomics.load(this.#words, WORD.VERSION);
    if ((version & 1) !== 0) return undefined;
    const length = Atomics.load(this.#words, WORD.LENGTH);
    const text = Buffer.from(new Uint8Array(this.#list, WORD.TEXT * 4, length).slice()).toString('utf8');
    if (Atomics.load(this.#words, WORD.VERSION) !== version) return undefined;
    this.#version = version;
    return JSON.parse(text) as AnnouncedUpstream[];
  }
}
