// lib/plugins/forward/metrics.ts — control thread. Declares the metrics of `forward` and of the exchanges with its upstreams.
import { type MetricRegistry, TIME_BUCKETS } from '../../metrics/registry.ts';
import { formatRcode } from '../../wire/types.ts';
import { REFUSAL_REASONS } from './admission.ts';

/** Response codes with a series of their own; the others share `OTHER`. */
const RCODES = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 16, 23] as const;
/** Values of the label `proto`, in the order of `connHits`. */
export const PROTO = { UDP: 0, TCP: 1, TLS: 2 } as const;
const PROTO_LABELS = ['udp', 'tcp', 'tcp-tls'] as const;

/** Cell numbers of one upstream. Lists over rcodes are indexed by `rcodeIndex`. */
export type UpstreamCells = {
  readonly durations: readonly number[];
  readonly healthcheckFailures: number;
  readonly connHits: readonly number[];
  readonly connMisses: readonly number[];
  /** The names of before CoreDNS 1.14, which older dashboards and alerts use. */
  readonly oldRequests: number;
  readonly oldResponses: readonly number[];
  readonly oldDurations: readonly number[];
  readonly oldHealthcheckFailures: number;
  /** Times it was found to say nothing. */
  readonly silences: number;
  /** Times it was found to lead back here. */
  readonly loops: number;
  /** Messages from its address that answer nothing. */
  readonly mismatches: number;
  /** Replies in other letters than the question went out with. */
  readonly otherCase: number;
};

/** Cell numbers of the plugin as a whole. */
export type ForwardCells = {
  readonly broken: number;
  readonly rejects: number;
  readonly coalesced: number;
  readonly hedges: number;
  readonly hedgesWon: number;
  readonly hedgesSpared: number;
  readonly failovers: number;
  readonly strays: number;
  /** Indexed by REFUSAL. */
  readonly refused: readonly number[];
};

const INDEX_OF_RCODE = new Map<number, number>(RCODES.map((rcode, index) => [rcode, index]));

/** Where an rcode's cell is in `durations` and `oldResponses`. */
export function rcodeIndex(rcode: number): number {
  return INDEX_OF_RCODE.get(rcode) ?? RCODES.length;
}

export function declareForwardMetrics(metrics: MetricRegistry): ForwardCells {
  return {
    broken: metrics.counter(
      'coredns_forward_healthcheck_broken_total',
      'Queries for which all upstreams were down.',
      {},
      true,
    ),
    rejects: metrics.counter(
      'coredns_forward_max_concurrent_rejects_total',
      'Queries refused because too many were under way.',
      {},
      true,
    ),
    coalesced: metrics.counter(
      'coredns_forward_coalesced_total',
      'Queries answered by the exchange of an equal query that was under way.',
    ),
    hedges: metrics.counter('clusterdns_forward_hedges_total', 'Upstreams asked because another was late.'),
    hedgesWon: metrics.counter('clusterdns_forward_hedges_won_total', 'Queries that a second upstream answered first.'),
    hedgesSpared: metrics.counter(
      'clusterdns_forward_hedges_spared_total',
      'Late replies waited for because too many second upstreams had been asked.',
    ),
    failovers: metrics.counter(
      'clusterdns_forward_failovers_total',
      'Upstreams asked because another failed or went silent.',
    ),
    strays: metrics.counter(
      'clusterdns_forward_strays_total',
      'Records of replies left out because they are about other names than the one asked for.',
    ),
    refused: REFUSAL_REASONS.map((reason) =>
      metrics.counter('clusterdns_forward_refused_total', 'Queries refused instead of forwarded.', { reason }),
    ),
  };
}

/** @param to address and port of the upstream */
export function declareUpstreamMetrics(metrics: MetricRegistry, to: string): UpstreamCells {
  const labels = { proxy_name: 'forward', to };
  const rcodes = [...RCODES.map((rcode) => formatRcode(rcode)), 'OTHER'];
  return {
    durations: rcodes.map((rcode) =>
      metrics.histogram(
        'coredns_proxy_request_duration_seconds',
        'Time an exchange with an upstream took.',
        TIME_BUCKETS,
        {
          ...labels,
          rcode,
        },
      ),
    ),
    healthcheckFailures: metrics.counter(
      'coredns_proxy_healthcheck_failures_total',
      'Health checks that failed.',
      labels,
    ),
    connHits: PROTO_LABELS.map((proto) =>
      metrics.counter('coredns_proxy_conn_cache_hits_total', 'Exchanges over an open socket.', { ...labels, proto }),
    ),
    connMisses: PROTO_LABELS.map((proto) =>
      metrics.counter('coredns_proxy_conn_cache_misses_total', 'Exchanges that opened a socket.', { ...labels, proto }),
    ),
    oldRequests: metrics.counter('coredns_forward_requests_total', 'Exchanges begun.', { to }),
    oldResponses: rcodes.map((rcode) =>
      metrics.counter('coredns_forward_responses_total', 'Replies of upstreams.', { rcode, to }),
    ),
    oldDurations: rcodes.map((rcode) =>
      metrics.histogram(
        'coredns_forward_request_duration_seconds',
        'Time an exchange with an upstream took.',
        TIME_BUCKETS,
        {
          rcode,
          to,
        },
      ),
    ),
    loops: metrics.counter('clusterdns_forward_loops_total', 'Times an upstream was found to lead back here.', { to }),
    mismatches: metrics.counter(
      'clusterdns_forward_mismatches_total',
      'Messages from the address of an upstream that answer nothing: late, or forged.',
      { to },
    ),
    otherCase: metrics.counter(
      'clusterdns_forward_case_mismatches_total',
      'Replies ignored because their letter case is not that of the question.',
      { to },
    ),
    silences: metrics.counter('clusterdns_forward_silences_total', 'Times an upstream was found silent.', { to }),
    oldHealthcheckFailures: metrics.counter(
      'coredns_forward_healthcheck_failures_total',
      'Health checks that failed.',
      {
        to,
      },
    ),
  };
}
