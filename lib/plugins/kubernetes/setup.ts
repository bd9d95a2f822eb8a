// Directive `kubernetes` -> zones and options for the workers, and the source that follows the cluster. Control thread.
import fs from 'node:fs';
import path from 'node:path';
import { expectOnce } from '../../chain/expect-once.ts';
import type { KubernetesSourceOptions } from '../../chain/kubernetes-source.ts';
import type { SetupContext } from '../../chain/plugin.ts';
import type { Directive, Option } from '../../config/directive.ts';
import { isLabelSelector } from '../../config/label-selector.ts';
import { readSearchDomains } from '../../config/resolv-conf.ts';
import { isReverseZone } from '../../config/zone-name.ts';
import { programmingHistogram, snapshotCells } from './metrics.ts';
import {
  checkTopology,
  nearbyOptions,
  type NearbyOptions,
  readTopology,
  type TopologyOption,
} from './topology-option.ts';

export type KubernetesOptions = {
  /** Store tree that the source writes. */
  readonly tree: number;
  /** `isMulticluster`: served from ServiceImports. */
  readonly zones: readonly { readonly zone: string; readonly isReverse: boolean; readonly isMulticluster: boolean }[];
  /** Zone that PTR targets end in: the first that is no reverse zone. */
  readonly primaryZone: string;
  readonly ttlSeconds: number;
  readonly pods: 'disabled' | 'insecure' | 'verified';
  /** Headless Services have names for the endpoints of one topology zone. */
  readonly zonal: boolean;
  /** Further trees that the source writes, see `KubernetesSourceOptions`. */
  readonly trees: KubernetesSourceOptions['trees'];
  /** Search domains of this host, which the resolvers of Pods try after those of the cluster; for `autopath @kubernetes`. */
  readonly hostSearch: readonly string[];
  /** Zones below which NXDOMAIN is passed on; undefined: never. */
  readonly fallthrough: readonly string[] | undefined;
  /** Which names an endpoint's address has; all unless given. */
  readonly ptr?: PtrNames;
  /** Option `topology`; undefined: every client gets all endpoints. */
  readonly nearby?: NearbyOptions;
};

const PTR_NAMES = ['all', 'prefer-hostname', 'hostname-only'] as const;
type PtrNames = (typeof PTR_NAMES)[number];

const OPTIONS = [
  'endpoint',
  'tls',
  'kubeconfig',
  'apiserver_qps',
  'apiserver_burst',
  'apiserver_max_inflight',
  'namespaces',
  'namespace_labels',
  'labels',
  'pods',
  'endpoint_pod_names',
  'ttl',
  'noendpoints',
  'fallthrough',
  'ignore',
  'multicluster',
  'zonal',
  'topology',
  'ptr',
  'startup_timeout',
  'manifests',
  'snapshot',
  'ready_max_age',
] as const;

const REMOVED = {
  upstream: 'delete the line: external names are always looked up through this server',
  resyncperiod: 'delete the line: the watch has no resync any more',
  transfer: 'use the transfer plugin in the same server block',
  federation: 'delete the line: federation is gone from Kubernetes',
  autopath: 'use the autopath plugin with @kubernetes',
} as const;

const REVERSE_TREES: ReadonlySet<string> = new Set(['in-addr.arpa.', 'ip6.arpa.']);
const DEFAULT_TTL_SECONDS = 5;
const MAX_TTL_SECONDS = 3600;
const DEFAULT_STARTUP_TIMEOUT_MS = 5000;
const DEFAULT_SNAPSHOT_MAX_AGE_MS = 86_400_000;
/** API servers are heard once a minute, and a watch is given up after 66 s: less would make /ready flap. */
const MIN_READY_MAX_AGE_MS = 90_000;

/** What the block's options have said so far. */
class Draft {
  endpoint = '';
  tls: { cert: string; key: string; ca: string } | undefined;
  kubeconfig: { file: string; context: string } | undefined;
  manifests = '';
  namespaces: string[] = [];
  namespaceLabels = '';
  labels = '';
  pods: KubernetesOptions['pods'] = 'disabled';
  endpointPodNames = false;
  ttlSeconds = DEFAULT_TTL_SECONDS;
  endpoints = true;
  fallthrough: string[] | undefined;
  ignoreEmptyService = false;
  multicluster: readonly string[] = [];
  zonal = false;
  topology: TopologyOption | undefined;
  ptr: PtrNames = 'all';
  startupTimeoutMs = DEFAULT_STARTUP_TIMEOUT_MS;
  snapshot: { directory: string; maxAgeMs: number } | undefined;
  readyMaxAgeMs: number | undefined;
}

/**
 * Reads `kubernetes [ZONES...] { ... }`; see README.md.
 *
 * @throws ConfigError `DIRECTIVE_REPEATED`, `OPTION_UNKNOWN`, `ARGUMENT_COUNT`, `ARGUMENT_VALUE`, `OPTION_CONFLICT`
 */
export function setupKubernetes(directives: readonly Directive[], context: SetupContext): KubernetesOptions {
  const directive = expectOnce(directives);
  const zones = directive.parseZones(directive.args, context.zones);
  // As in CoreDNS the two reverse trees themselves will do when there is nothing else.
  const primaryZone = zones.find((zone) => !isReverseZone(zone)) ?? zones.find((zone) => REVERSE_TREES.has(zone));
  if (primaryZone === undefined) {
    throw directive.error(
      'ARGUMENT_VALUE',
      'at least one zone must not be a reverse zone, as in "kubernetes cluster.local"',
    );
  }
  const draft = new Draft();
  for (const option of directive.options()) readOption(draft, option, directive, context);
  checkTogether(draft, directive, zones, context);
  const programming = programmingHistogram(context.metrics);
  const { directives: plugins } = context;
  const shared = {
    access: accessOf(draft),
    pods: draft.pods,
    namespaces: draft.namespaces,
    namespaceLabels: draft.namespaceLabels,
    labels: draft.labels,
    endpointPodNames: draft.endpointPodNames,
    endpoints: draft.endpoints,
    ignoreEmptyService: draft.ignoreEmptyService,
    reverse: zones.some(isReverseZone),
    bind: context.listener.bind,
    startupTimeoutMs: draft.startupTimeoutMs,
    programmingCells: programming,
    zonal: draft.zonal,
    transfer: plugins.includes('transfer'),
    podLabels: plugins.includes('metadata'),
    ...(draft.topology ? { topology: draft.topology.mode } : {}),
    ...(draft.ptr === 'all' ? {} : { sortedPointers: true }),
    ...(draft.readyMaxAgeMs === undefined ? {} : { readyMaxAgeMs: draft.readyMaxAgeMs }),
    ...(draft.snapshot ? { snapshot: { ...draft.snapshot, cells: snapshotCells(context.metrics) } } : {}),
  };
  const usesClients = plugins.includes('metadata') || plugins.includes('autopath') || draft.topology !== undefined;
  const hasClients = draft.pods === 'verified' && usesClients;
  const wanted = {
    imports: draft.multicluster.length > 0,
    external: plugins.includes('k8s_external'),
    clients: hasClients,
    places: draft.topology !== undefined,
  };
  const key = `kubernetes ${JSON.stringify([shared, wanted])}`;
  const trees = claimTrees(context, key, wanted);
  const source: KubernetesSourceOptions = { ...shared, trees };
  return {
    tree: context.addSource({ kind: 'kubernetes', key, options: source }),
    trees,
    zones: zones.map((zone) => ({
      zone,
      isReverse: isReverseZone(zone),
      isMulticluster: draft.multicluster.includes(zone),
    })),
    primaryZone,
    ttlSeconds: draft.ttlSeconds,
    pods: draft.pods,
    zonal: draft.zonal,
    hostSearch: hasClients && plugins.includes('autopath') ? readHostSearch() : [],
    fallthrough: draft.fallthrough,
    ...(draft.ptr === 'all' ? {} : { ptr: draft.ptr }),
    ...(draft.topology ? { nearby: nearbyOptions(draft.topology, trees, context.metrics) } : {}),
  };
}

/** One tree for each part that is wanted; the source that runs under `key` writes them all. */
function claimTrees(
  context: SetupContext,
  key: string,
  wanted: Readonly<Record<keyof KubernetesSourceOptions['trees'], boolean>>,
): KubernetesSourceOptions['trees'] {
  const claim = (part: keyof typeof wanted): { [part: string]: number } =>
    wanted[part] ? { [part]: context.addSource({ kind: 'tree', key: `${part} of ${key}`, options: {} }) } : {};
  return { ...claim('imports'), ...claim('external'), ...claim('clients'), ...claim('places') };
}

/** Search domains of /etc/resolv.conf; none when there is no such file. */
function readHostSearch(): string[] {
  try {
    return readSearchDomains(fs.readFileSync('/etc/resolv.conf', 'utf8'));
  } catch {
    return [];
  }
}

function accessOf(draft: Draft): KubernetesSourceOptions['access'] {
  if (draft.manifests !== '') return { kind: 'manifests', directory: draft.manifests };
  if (draft.kubeconfig) return { kind: 'kubeconfig', ...draft.kubeconfig };
  if (draft.endpoint !== '') {
    return { kind: 'endpoint', url: draft.endpoint, ...(draft.tls ? { tls: draft.tls } : {}) };
  }
  return { kind: 'in-cluster' };
}

function checkTogether(draft: Draft, directive: Directive, zones: readonly string[], context: SetupContext): void {
  const foreign = draft.multicluster.find((zone) => !zones.includes(zone));
  if (foreign !== undefined) {
    throw directive.error(
      'ARGUMENT_VALUE',
      `multicluster: "${foreign}" is not among the zones of this plugin`,
      directive.endLine,
    );
  }
  if (draft.zonal && !draft.endpoints) {
    throw directive.error('OPTION_CONFLICT', '"zonal" needs endpoints, delete "noendpoints"', directive.endLine);
  }
  if (draft.topology) checkTopology(draft.topology, draft, directive);
  if (draft.namespaces.length > 0 && draft.namespaceLabels !== '') {
    throw directive.error(
      'OPTION_CONFLICT',
      '"namespaces" and "namespace_labels" exclude each other, keep one',
      directive.endLine,
    );
  }
  if (draft.manifests !== '' && (draft.endpoint !== '' || draft.kubeconfig)) {
    throw directive.error('OPTION_CONFLICT', '"manifests" takes the place of "endpoint" and "kubeconfig", keep one');
  }
  if (draft.snapshot && draft.manifests !== '') {
    throw directive.error('OPTION_CONFLICT', '"snapshot" is of no use with "manifests", delete it');
  }
  if (draft.readyMaxAgeMs !== undefined && draft.manifests !== '') {
    throw directive.error('OPTION_CONFLICT', '"ready_max_age" is of no use with "manifests", delete it');
  }
  if (draft.tls && draft.endpoint === '') context.warn('kubernetes: "tls" has no effect without "endpoint"');
}

function readOption(draft: Draft, option: Option, directive: Directive, context: SetupContext): void {
  switch (option.name) {
    case 'endpoint':
    case 'tls':
    case 'kubeconfig':
    case 'manifests':
      return readAccess(draft, option, context);
    case 'apiserver_qps':
    case 'apiserver_burst':
    case 'apiserver_max_inflight':
      return checkApiLimit(option);
    case 'namespaces':
      option.expectArguments(1, Number.POSITIVE_INFINITY);
      draft.namespaces.push(...option.values);
      return undefined;
    case 'namespace_labels':
      draft.namespaceLabels = readSelector(option);
      return undefined;
    case 'labels':
      draft.labels = readSelector(option);
      return undefined;
    case 'pods':
      option.expectArguments(1);
      draft.pods = option.parseWord(option.argument(), ['disabled', 'insecure', 'verified']);
      return undefined;
    case 'endpoint_pod_names':
      option.expectArguments(0);
      draft.endpointPodNames = true;
      return undefined;
    case 'ttl':
      draft.ttlSeconds = option.parseInteger(option.argument(), { min: 0, max: MAX_TTL_SECONDS });
      return undefined;
    case 'noendpoints':
      option.expectArguments(0);
      draft.endpoints = false;
      return undefined;
    case 'fallthrough':
      draft.fallthrough = option.parseZones(option.args, ['.']);
      return undefined;
    case 'ignore':
      if (option.args[0] !== undefined) {
        option.parseWord(option.args[0], ['empty_service']);
        draft.ignoreEmptyService = true;
      }
      return undefined;
    case 'startup_timeout':
      option.expectArguments(1);
      draft.startupTimeoutMs = option.parseDuration(option.argument());
      return undefined;
    case 'snapshot':
      return readSnapshot(draft, option, context);
    case 'ready_max_age':
      return readReadyMaxAge(draft, option);
    case 'multicluster':
      draft.multicluster = option.parseZones(option.args);
      return undefined;
    case 'zonal':
      option.expectArguments(0);
      draft.zonal = true;
      return undefined;
    case 'topology':
      draft.topology = readTopology(option);
      return undefined;
    case 'ptr':
      option.expectArguments(1);
      draft.ptr = option.parseWord(option.argument(), PTR_NAMES);
      return undefined;
    default:
      throw directive.unknownOption(option, OPTIONS, REMOVED);
  }
}

function readAccess(draft: Draft, option: Option, context: SetupContext): undefined {
  const file = (index: number): string => path.resolve(context.root, option.argument(index).text);
  switch (option.name) {
    case 'endpoint':
      option.expectArguments(1, Number.POSITIVE_INFINITY);
      if (option.args.length > 1) context.warn('kubernetes: only the first "endpoint" is used');
      draft.endpoint = option.argument().text;
      return undefined;
    case 'tls':
      option.expectArguments(3);
      draft.tls = { cert: file(0), key: file(1), ca: file(2) };
      return undefined;
    case 'kubeconfig':
      option.expectArguments(1, 2);
      draft.kubeconfig = { file: file(0), context: option.args[1]?.text ?? '' };
      return undefined;
    default:
      option.expectArguments(1);
      draft.manifests = file(0);
      return undefined;
  }
}

function readSnapshot(draft: Draft, option: Option, context: SetupContext): undefined {
  option.expectArguments(1, 2);
  const age = option.args[1];
  const maxAgeMs = age === undefined ? DEFAULT_SNAPSHOT_MAX_AGE_MS : option.parseDuration(age);
  if (maxAgeMs <= 0) throw option.valueError(age!, 'a duration above 0');
  draft.snapshot = { directory: path.resolve(context.root, option.argument().text), maxAgeMs };
  return undefined;
}

function readReadyMaxAge(draft: Draft, option: Option): undefined {
  option.expectArguments(1);
  draft.readyMaxAgeMs = option.parseDuration(option.argument());
  if (draft.readyMaxAgeMs < MIN_READY_MAX_AGE_MS) {
    throw option.valueError(option.argument(), 'a duration of at least 90s: an API server may be silent for a minute');
  }
  return undefined;
}

/** CoreDNS reads these and does nothing with them; the number is checked all the same. */
function checkApiLimit(option: Option): undefined {
  option.expectArguments(1);
  const { text } = option.argument();
  const number = Number(text);
  const isRight = option.name === 'apiserver_qps' ? number >= 0 : Number.isInteger(number) && number >= 0;
  if (text.trim() === '' || !isRight) throw option.valueError(option.argument(), 'a number of at least 0');
  return undefined;
}

function readSelector(option: Option): string {
  option.expectArguments(1, Number.POSITIVE_INFINITY);
  const selector = option.values.join(' ');
  if (!isLabelSelector(selector)) {
    throw option.valueError(selector, 'a label selector such as "app=web,tier in (a, b)"');
  }
  return selector;
}
