// Directive `prometheus` -> a service that answers /metrics, and the cells of the request metrics. Control thread.
import path from 'node:path';
import { splitHostPort } from '../../base/ip-address.ts';
import { ConfigError } from '../../base/errors.ts';
import { expectOnce } from '../../chain/expect-once.ts';
import type { SetupContext } from '../../chain/plugin.ts';
import type { Directive, Option } from '../../config/directive.ts';
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
 * @throws ConfigError `ARGUMENT_COUNT`, `ARGUMENT_VALUE`, `OPTION_UNKNOWN`, `OPTION_CONFLICT`, `DIRECTIVE_REPEATED`; `FILE` for what
 *   is wrong with FILE
 */
export function setupPrometheus(
  directives: readonly Directive[],
  context: SetupContext,
): PrometheusOptions | Promise<PrometheusOptions> {
  const directive = expectOnce(directives);
  directive.expectArguments(0, 1);
  const given = directive.args[0];
  if (given !== undefined && splitHostPort(given.text) === undefined) {
    throw directive.valueError(given, 'an address with a port (:9153, 127.0.0.1:9153)');
  }
  const address = given?.text ?? DEFAULT_ADDRESS;
  const tls = readOptions(directive);
  if (tls === undefined) {
    context.addService({ kind: 'metrics', address });
    return declare(context);
  }
  return checkWebConfig(tls).then((webConfig) => {
    context.addService({ kind: 'metrics', address, webConfig });
    return declare(context);
  });
}

/** @returns the option `tls`, undefined without it */
function readOptions(directive: Directive): Option | undefined {
  let tls: Option | undefined;
  for (const option of directive.options()) {
    if (option.name === 'runtime_metrics') option.expectArguments(0);
    else if (option.name === 'tls') {
      option.expectArguments(1);
      if (tls !== undefined) throw option.error('OPTION_CONFLICT', 'tls: can stand once');
      tls = option;
    } else throw directive.unknownOption(option, OPTIONS);
  }
  return tls;
}

/** Reads the file that `tls` names, to find what is wrong before the start. @returns its path */
async function checkWebConfig(option: Option): Promise<string> {
  // Relative to the working directory, whatever `root` says, as in CoreDNS.
  const file = path.resolve(option.argument().text);
  const { readWebConfig } = await import('./web-config.ts');
  try {
    readWebConfig(file);
  } catch (error) {
    // Where the file has no line to name, the Corefile has.
    if (error instanceof ConfigError && error.line === 0) throw option.error('FILE', `tls: ${error.message}`);
    throw error;
  }
  return file;
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
