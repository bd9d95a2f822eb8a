// Directive `kubernetes` -> zones and options for the workers, and the source that follows the cluster. Control thread.
import path from 'node:path';
import { expectOnce } from '../../chain/expect-once.ts';
import type { KubernetesSourceOptions } from '../../chain/kubernetes-source.ts';
import type { SetupContext } from '../../chain/plugin.ts';
import type { Directive, Option } from '../../config/directive.ts';
import { isLabelSelector } from '../../config/label-selector.ts';
import { isReverseZone } from '../../config/zone-name.ts';
import { programmingHistogram } from './metrics.ts';

export type KubernetesOptions = {
  /** Store tree that the source writes. */
  readonly tree: number;
  readonly zones: readonly { readonly zone: string; readonly isReverse: boolean }[];
  /** Zone that PTR targets end in: the first that is no reverse zone. */
  readonly primaryZone: string;
  readonly ttlSeconds: number;
  readonly pods: 'disabled' | 'insecure' | 'verified';
  /** Zones below which NXDOMAIN is passed on; undefined: never. */
  readonly fallthrough: readonly string[] | undefined;
};

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
  'startup_timeout',
  'manifests',
] as const;

const REMOVED = {
  upstream: 'delete the line: external names are always looked up through this server',
  resyncperiod: 'delete the line: the watch has no resync any more',
  transfer: 'use the transfer plugin in the same server block',
  federation: 'delete the line: federation is gone from Kubernetes',
  autopath: 'use the autopath plugin with @kubernetes',
} as const;

const DEFAULT_TTL_SECONDS = 5;
const MAX_TTL_SECONDS = 3600;
const DEFAULT_STARTUP_TIMEOUT_MS = 5000;

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
  startupTimeoutMs = DEFAULT_STARTUP_TIMEOUT_MS;
}

/**
 * Reads `kubernetes [ZONES...] { ... }`; see README.md.
 *
 * @throws ConfigError `DIRECTIVE_REPEATED`, `OPTION_UNKNOWN`, `ARGUMENT_COUNT`, `ARGUMENT_VALUE`, `OPTION_CONFLICT`,
 *   `DIRECTIVE_NOT_BUILT`
 */
export function setupKubernetes(directives: readonly Directive[], context: SetupContext): KubernetesOptions {
  const directive = expectOnce(directives);
  const zones = directive.parseZones(directive.args, context.zones);
  const primaryZone = zones.find((zone) => !isReverseZone(zone));
  if (primaryZone === undefined) {
    throw directive.error(
      'ARGUMENT_VALUE',
      'at least one zone must not be a reverse zone, as in "kubernetes cluster.local"',
    );
  }
  const draft = new Draft();
  for (const option of directive.options()) readOption(draft, option, directive, context);
  checkTogether(draft, directive, context);
  const programming = programmingHistogram(context.metrics);
  const source: KubernetesSourceOptions = {
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
  };
  return {
    tree: context.addSource({ kind: 'kubernetes', key: `kubernetes ${JSON.stringify(source)}`, options: source }),
    zones: zones.map((zone) => ({ zone, isReverse: isReverseZone(zone) })),
    primaryZone,
    ttlSeconds: draft.ttlSeconds,
    pods: draft.pods,
    fallthrough: draft.fallthrough,
  };
}

function accessOf(draft: Draft): KubernetesSourceOptions['access'] {
  if (draft.manifests !== '') return { kind: 'manifests', directory: draft.manifests };
  if (draft.kubeconfig) return { kind: 'kubeconfig', ...draft.kubeconfig };
  if (draft.endpoint !== '') {
    return { kind: 'endpoint', url: draft.endpoint, ...(draft.tls ? { tls: draft.tls } : {}) };
  }
  return { kind: 'in-cluster' };
}

function checkTogether(draft: Draft, directive: Directive, context: SetupContext): void {
  if (draft.namespaces.length > 0 && draft.namespaceLabels !== '') {
    throw directive.error('OPTION_CONFLICT', '"namespaces" and "namespace_labels" exclude each other, keep one');
  }
  if (draft.manifests !== '' && (draft.endpoint !== '' || draft.kubeconfig)) {
    throw directive.error('OPTION_CONFLICT', '"manifests" takes the place of "endpoint" and "kubeconfig", keep one');
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
    case 'multicluster':
    case 'zonal':
      throw option.error('DIRECTIVE_NOT_BUILT', `the option "${option.name}" is not built yet, delete the line`);
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
