// Option `topology zone|node [NODE]`. Control thread.
import type { KubernetesSourceOptions } from '../../chain/kubernetes-source.ts';
import type { Directive, Option } from '../../config/directive.ts';
import type { MetricRegistry } from '../../metrics/registry.ts';
import { placeLabel } from '../../store/place-name.ts';
import { nearbyCells } from './metrics.ts';

export type TopologyOption = {
  readonly mode: 'zone' | 'node';
  /** Node of clients that are not known; '' for none. */
  readonly ownNode: string;
};

/** What a worker needs to answer with the endpoints near the client. */
export type NearbyOptions = {
  /** Tree with the names by place. */
  readonly places: number;
  /** Tree of Pods by address; undefined: no client is known. */
  readonly clients: number | undefined;
  /** Node of clients that are not known, '' for none, and its label in the tree of places. */
  readonly ownNode: string;
  readonly ownNodeLabel: string;
  /** Counters; `none`: the Service wants no other endpoints, `unknown`: the client's node or zone is not known. */
  readonly cells: Readonly<Record<'node' | 'zone' | 'all' | 'none' | 'unknown', number>>;
};

/** @throws ConfigError `ARGUMENT_COUNT`, `ARGUMENT_VALUE` */
export function readTopology(option: Option): TopologyOption {
  option.expectArguments(1, 2);
  const mode = option.parseWord(option.argument(), ['zone', 'node']);
  const node = option.args[1];
  if (node?.text === '') throw option.valueError(node, 'the name of a node (is the variable set?)');
  // What the API server takes for the name of a node (RFC 1123 subdomain).
  if (node !== undefined && (node.text.length > 253 || !/^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$/.test(node.text))) {
    throw option.valueError(node, 'the name of a node');
  }
  return { mode, ownNode: node?.text ?? '' };
}

/** @throws ConfigError `OPTION_CONFLICT` */
export function checkTopology(
  { ownNode }: TopologyOption,
  { endpoints, pods }: { readonly endpoints: boolean; readonly pods: string },
  directive: Directive,
): void {
  if (!endpoints) {
    throw directive.error('OPTION_CONFLICT', '"topology" needs endpoints, delete "noendpoints"', directive.endLine);
  }
  if (pods !== 'verified' && ownNode === '') {
    throw directive.error(
      'OPTION_CONFLICT',
      '"topology" must know where clients are: add "pods verified", or give it the node of this server as in "{$NODE_NAME}"',
      directive.endLine,
    );
  }
}

/** What a worker needs; `trees` are those that `topology` was granted. */
export function nearbyOptions(
  { ownNode }: TopologyOption,
  trees: KubernetesSourceOptions['trees'],
  metrics: MetricRegistry,
): NearbyOptions {
  return {
    places: trees.places!,
    clients: trees.clients,
    ownNode,
    ownNodeLabel: ownNode === '' ? '' : placeLabel('node', ownNode),
    cells: nearbyCells(metrics),
  };
}
