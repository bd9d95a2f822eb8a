// Which server blocks share a listener, and which ones may not stand side by side. Control thread, after setup: only
// then the addresses (`bind`) and filters (`view`) of a block are known.
import { ConfigError } from '../base/errors.ts';
import { formatKey, type BlockKey, type Scheme, type ServerBlock } from './server-block.ts';

/** A server block with what its `bind` and `view` directives made of it. */
export type BoundBlock = {
  readonly block: Pick<ServerBlock, 'keys' | 'file' | 'line'>;
  /** IP addresses to listen on; `['']` for all. */
  readonly addresses: readonly string[];
  /** Whether a `view` decides if the block takes a query. */
  readonly hasView: boolean;
};

/**
 * Refuses blocks that claim one zone on one listener. Blocks with a view may repeat a zone; a zone may not be served on
 * all addresses and on a particular one.
 *
 * @throws ConfigError `ZONE_DUPLICATE` at the later block
 */
export function checkClashes(blocks: readonly BoundBlock[]): void {
  const taken = new Map<string, ServerPlace>();
  const boundSomewhere = new Map<string, string>();
  for (const { block, addresses, hasView } of blocks) {
    for (const key of block.keys) {
      const zone = formatKey(key);
      for (const address of addresses) {
        const here = formatBound(zone, address);
        const refuse = (reason: string): ConfigError =>
          new ConfigError('ZONE_DUPLICATE', `cannot serve ${here} - ${reason}`, block.file, block.line);
        const first = taken.get(here);
        if (first !== undefined && !hasView) throw refuse(`it is already defined ${formatPlace(first, block)}`);
        const other = first === undefined ? findOverlap(zone, address, taken, boundSomewhere) : undefined;
        if (other !== undefined) {
          throw refuse(`zone overlap listener capacity with ${other}: bind both blocks to addresses, or neither`);
        }
        if (hasView) continue;
        taken.set(here, { file: block.file, line: block.line });
        boundSomewhere.set(zone, here);
      }
    }
  }
}

type ServerPlace = { readonly file: string; readonly line: number };

function findOverlap(
  zone: string,
  address: string,
  taken: ReadonlyMap<string, ServerPlace>,
  boundSomewhere: ReadonlyMap<string, string>,
): string | undefined {
  if (address === '') return boundSomewhere.get(zone);
  return taken.has(zone) ? zone : undefined;
}

function formatBound(zone: string, address: string): string {
  return address === '' ? zone : `${zone} on ${address}`;
}

function formatPlace(first: ServerPlace, here: ServerPlace): string {
  if (first.file !== here.file) return `by the block at ${first.file}:${first.line}`;
  return first.line === here.line ? 'by this block' : `by the block on line ${first.line}`;
}

/** All zones that one socket address serves. */
export type ListenerGroup = {
  readonly scheme: Scheme;
  /** IP address, or '' for all. */
  readonly address: string;
  readonly port: number;
  /** In the order of the Corefile; `block` indexes the list given. */
  readonly members: readonly { readonly block: number; readonly key: BlockKey }[];
};

/** Groups keys by transport, address and port, in the order in which the listeners are first named. */
export function groupByListener(blocks: readonly Pick<BoundBlock, 'block' | 'addresses'>[]): ListenerGroup[] {
  const groups = new Map<string, ListenerGroup & { members: { block: number; key: BlockKey }[] }>();
  for (const [index, { block, addresses }] of blocks.entries()) {
    for (const key of block.keys) {
      for (const address of addresses) {
        const { scheme, port } = key;
        const name = `${scheme} ${address} ${port}`;
        const group = groups.get(name) ?? { scheme, address, port, members: [] };
        if (group.members.length === 0) groups.set(name, group);
        group.members.push({ block: index, key });
      }
    }
  }
  return [...groups.values()];
}
