// Server blocks after setup -> the plan that workers carry out. Control thread.
import { randomBytes } from 'node:crypto';
import { ConfigError } from '../base/errors.ts';
import type { ListenerSettings } from '../chain/plugin.ts';
import { checkClashes, groupByListener, type ListenerGroup } from '../config/listener-clash.ts';
import type { BlockPlan, ChainLink, ListenerPlan, ListenerScheme, Plan } from '../link/plan.ts';
import type { MetricRegistry } from '../metrics/registry.ts';
import { declareDropped } from '../plugins/prometheus/metrics.ts';
import type { ViewOptions } from '../plugins/view/setup.ts';
import { formatServer, LISTENER_DEFAULTS, type BlockSetup } from './setup-context.ts';

const SERVED_SCHEMES: readonly string[] = ['dns', 'tls', 'https', 'grpc'] satisfies ListenerScheme[];
/** Transports of CoreDNS that are not built: what to write instead. */
const TRANSPORT_ADVICE: Readonly<Record<string, string>> = {
  quic: 'DNS over QUIC is not built, serve tls:// (DNS over TLS) or https:// instead',
  https3: 'HTTP/3 is not built, serve https:// (HTTP/2 and HTTP/1.1) instead: clients fall back to it',
};
/** TLS sessions resume over a reload, not over a restart. */
const TICKET_SECRET: Uint8Array = new Uint8Array(randomBytes(32));
const TIMES = ['readTimeoutMs', 'writeTimeoutMs', 'idleTimeoutMs', 'maxQueriesPerConnection'] as const;

/**
 * Makes the plan: listeners grouped by scheme, address and port, each with the zones and blocks it serves.
 *
 * @throws ConfigError `ZONE_DUPLICATE` when two blocks claim one zone on one listener; `KEY` for a transport that is not
 *   built
 */
export function buildPlan(blocks: readonly BlockSetup[], generation: number, metrics: MetricRegistry): Plan {
  const bound = blocks.map((setup) => ({
    block: setup.block,
    addresses: setup.addresses,
    hasView: setup.view !== '',
  }));
  checkClashes(bound);
  const hasMetrics = blocks.some(({ services }) => services.some(({ kind }) => kind === 'metrics'));
  return {
    generation,
    debug: blocks.some(({ listener }) => listener.debug),
    blocks: blocks.map(({ zones, view, servers, chain }) => ({ zones, view, servers, chain, ...filterOf(chain) })),
    listeners: groupByListener(bound).map((group) => buildListener(group, blocks, hasMetrics ? metrics : undefined)),
  };
}

/** What the `view` of a block asks of queries; the router must know it before any chain runs. */
function filterOf(chain: readonly ChainLink[]): Pick<BlockPlan, 'filter'> {
  const view = chain.find(({ plugin }) => plugin === 'view')?.options as ViewOptions | undefined;
  return view === undefined || view.expressions.length === 0 ? {} : { filter: view.expressions };
}

function buildListener(
  group: ListenerGroup,
  blocks: readonly BlockSetup[],
  metrics: MetricRegistry | undefined,
): ListenerPlan {
  const { scheme, address, port, members } = group;
  const label = formatServer({ scheme, port }, address);
  if (!SERVED_SCHEMES.includes(scheme)) {
    const { file, line } = blocks[members[0]!.block]!.block;
    throw new ConfigError('KEY', `${scheme}://: ${TRANSPORT_ADVICE[scheme] ?? 'not built'}`, file, line);
  }
  const zones = new Map<string, { block: number; server: number }[]>();
  for (const { block, key } of members) {
    const served = zones.get(key.zone) ?? [];
    if (served.length === 0) zones.set(key.zone, served);
    served.push({ block, server: blocks[block]!.servers.indexOf(label) });
  }
  const settings = [...new Set(members.map(({ block }) => blocks[block]!.listener))];
  return {
    scheme: scheme as ListenerScheme,
    address,
    port,
    zones: [...zones].map(([zone, served]) => ({ zone, blocks: served })),
    anyClass: settings.some(({ anyClass }) => anyClass),
    ...(metrics === undefined ? {} : { dropped: declareDropped(metrics, label) }),
    ...mergeTimes(settings),
    ...mergeSecrets(settings),
    ...(scheme === 'dns' ? {} : encryptedParts(scheme as ListenerScheme, settings)),
    ...(scheme === 'https' && metrics !== undefined ? { httpResponses: declareHttpResponses(metrics, label) } : {}),
  };
}

/** What only tls, https and grpc listeners have. Of blocks that share a listener the last one that sets it decides. */
function encryptedParts(scheme: ListenerScheme, settings: readonly ListenerSettings[]): Partial<ListenerPlan> {
  const last = <Key extends keyof ListenerSettings>(key: Key): ListenerSettings[Key] | undefined =>
    settings.findLast((listener) => listener[key] !== undefined)?.[key];
  const tls = last('tls');
  const maxConnections = scheme === 'https' ? last('httpsConnections') : last('grpcConnections');
  const maxStreams = last('grpcStreams');
  return {
    ...(tls === undefined ? {} : { tls: { ...tls, ticketSecret: TICKET_SECRET } }),
    ...(scheme === 'tls' || maxConnections === undefined ? {} : { maxConnections }),
    ...(scheme !== 'grpc' || maxStreams === undefined ? {} : { maxStreams }),
  };
}

function mergeSecrets(settings: readonly ListenerSettings[]): Pick<ListenerPlan, 'tsigSecrets'> {
  const all = settings.flatMap(({ tsigSecrets }) => (tsigSecrets === undefined ? [] : [tsigSecrets]));
  return all.length === 0 ? {} : { tsigSecrets: Object.assign({}, ...all) as Record<string, Uint8Array> };
}

/** Statuses a DNS-over-HTTPS client can get. */
const HTTP_STATUSES = [200, 400, 404, 500, 503] as const;

function declareHttpResponses(metrics: MetricRegistry, server: string): Record<number, number> {
  const cell = (status: number): number =>
    metrics.counter('coredns_dns_https_responses_total', 'Replies to DNS-over-HTTPS requests, by HTTP status.', {
      server,
      status: `${status}`,
    });
  return Object.fromEntries(HTTP_STATUSES.map((status) => [status, cell(status)]));
}

/** Of blocks that share a listener the last one that says something about a limit decides, as in CoreDNS. */
function mergeTimes(settings: readonly ListenerSettings[]): Pick<ListenerSettings, (typeof TIMES)[number]> {
  const merged = { ...LISTENER_DEFAULTS };
  for (const listener of settings) {
    for (const time of TIMES) if (listener[time] !== LISTENER_DEFAULTS[time]) merged[time] = listener[time];
  }
  const { readTimeoutMs, writeTimeoutMs, idleTimeoutMs, maxQueriesPerConnection } = merged;
  return { readTimeoutMs, writeTimeoutMs, idleTimeoutMs, maxQueriesPerConnection };
}

/**
 * The lines CoreDNS prints at start: one per zone and listener, `.:53`, `tls://example.org.:853`, `zone:port on ADDRESS`.
 */
export function describeListeners(plan: Plan): string[] {
  return plan.listeners.flatMap(({ scheme, address, port, zones }) => {
    const prefix = scheme === 'dns' ? '' : `${scheme}://`;
    const suffix = address === '' ? '' : ` on ${address}`;
    return zones
      .map(({ zone }) => zone)
      .sort()
      .map((zone) => `${prefix}${zone}:${port}${suffix}`);
  });
}
