// Directive `prometheus` -> a service that answers /metrics, and the cells of the request metrics. Control thread.
import { splitHostPort } from '../../base/ip-address.ts';
import { expectOnce } from '../../chain/expect-once.ts';
import type { SetupContext } from '../../chain/plugin.ts';
import type { Directive } from '../../config/directive.ts';
import { CONFIG_ONLY } from '../order.ts';
import { declareRequestCells, type RequestCells } from './metrics.ts';

const DEFAULT_ADDRESS = 'localhost:9153';
const OPTIONS = ['runtime_metrics', 'tls'] as const;
/** Pairs of server and zone with series of their own in one block; a pair takes about 210 cells. */
const MAX_PAIRS = 64;

/** What a worker needs to count; plain data. */
export type PrometheusOptions = {
  /** Cells by `server * zoneCount + zone`. */
  readonly cells: readonly RequestCells[];
  readonly zoneCount: number;
  /** Cells of `coredns_plugin_enabled`, raised while the configuration is in use. */
  readonly enabled: readonly number[];
};

/**
 * Reads `prometheus [ADDRESS:PORT] { runtime_metrics ; tls FILE }`.
 *
 * @throws ConfigError `ARGUMENT_COUNT`, `ARGUMENT_VALUE`, `OPTION_UNKNOWN`, `DIRECTIVE_REPEATED`
 */
export function setupPrometheus(directives: readonly Directive[], context: SetupContext): PrometheusOptions {
  const directive = expectOnce(directives);
  directive.expectArguments(0, 1);
  const given = directive.args[0];
  if (given !== undefined && splitHostPort(given.text) === undefined) {
    throw directive.valueError(given, 'an address with a port (:9153, 127.0.0.1:9153)');
  }
  readOptions(directive);
  context.addService({ kind: 'metrics', address: given?.text ?? DEFAULT_ADDRESS });
  return declare(context);
}

function readOptions(directive: Directive): void {
  for (const option of directive.options()) {
    if (option.name === 'runtime_metrics') option.expectArguments(0);
    else if (option.name === 'tls') {
      option.expectArguments(1);
      // Serving in clear what was to be encrypted would be worse than not starting.
      throw option.error('DIRECTIVE_NOT_BUILT', 'tls is not built yet, leave it out or serve the metrics on localhost');
    } else throw directive.unknownOption(option, OPTIONS);
  }
}

function declare({ metrics, servers, zones, view, directives }: SetupContext): PrometheusOptions {
  const plugins = directives.filter((name) => !CONFIG_ONLY.has(name));
  const writer = plugins[plugins.indexOf('prometheus') + 1] ?? '';
  const enabled: number[] = [];
  const cells: RequestCells[] = [];
  for (const server of servers) {
    for (const zone of zones) {
      // Beyond the limit zones share the series of the root zone: the number of cells is bounded.
      const label = cells.length < MAX_PAIRS ? zone : '.';
      cells.push(declareRequestCells(metrics, server, label, view, writer));
      for (const name of cells.length <= MAX_PAIRS ? plugins : []) {
        enabled.push(
          metrics.gauge('coredns_plugin_enabled', '1 for each plugin that a server uses for a zone.', {
            server,
            zone,
            view,
            name,
          }),
        );
      }
    }
  }
  return { cells, zoneCount: zones.length, enabled };
}
