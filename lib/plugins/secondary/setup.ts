// Directive `secondary` -> a source that copies zones from primaries, and how to answer from them. Control thread.
import { parseIpAddress, splitHostPort } from '../../base/ip-address.ts';
import type { SetupContext } from '../../chain/plugin.ts';
import type { Directive, Option, Token } from '../../config/directive.ts';
import { declareSecondaryMetrics, type SecondaryCells } from './metrics.ts';

const DEFAULT_PORT = 53;
const OPTIONS = ['transfer', 'catalog', 'fallthrough'] as const;

/** A nameserver that zones are copied from. */
export type Primary = { readonly address: string; readonly port: number };

export type SecondaryOptions = {
  readonly zones: readonly {
    readonly zone: string;
    /** Addresses whose NOTIFY messages count. */
    readonly primaries: readonly string[];
    readonly isCatalog: boolean;
  }[];
  /** Tree that says where each zone is now. */
  readonly directory: number;
  /** Missing names in these zones go to the next plugin. */
  readonly fallthrough: readonly string[];
  readonly cells: SecondaryCells;
};

type ZoneSettings = { readonly zone: string; primaries: Primary[]; memberZones?: string[] };

/**
 * Reads `secondary [ZONE..] { transfer from ADDRESS.. ; catalog [ZONE..] ; fallthrough [ZONE..] }`, any number of lines.
 *
 * @throws ConfigError `ARGUMENT_COUNT`, `ARGUMENT_VALUE`, `ADDRESS`, `OPTION_UNKNOWN`
 */
export function setupSecondary(directives: readonly Directive[], context: SetupContext): SecondaryOptions {
  // Of a zone that stands in several lines the last one counts.
  const settings = new Map<string, ZoneSettings>();
  let fallthrough: readonly string[] = [];
  for (const directive of directives) {
    const primaries: Primary[] = [];
    let memberZones: string[] | undefined;
    for (const option of directive.options()) {
      switch (option.name) {
        case 'transfer':
          primaries.push(...readPrimaries(option));
          break;
        case 'catalog':
          memberZones = readMemberZones(option, memberZones);
          break;
        case 'fallthrough':
          fallthrough = option.args.length === 0 ? ['.'] : option.parseZones(option.args);
          break;
        default:
          throw directive.unknownOption(option, OPTIONS);
      }
    }
    if (primaries.length === 0) {
      throw directive.error('ARGUMENT_COUNT', '"transfer from" is missing: write where to copy the zone from');
    }
    for (const zone of directive.parseZones(directive.args, context.zones)) {
      settings.set(zone, { zone, primaries, ...(memberZones && { memberZones }) });
    }
  }
  // The form of `SecondarySourceOptions` in lib/sources/zone-transfer/source.ts.
  const cells = declareSecondaryMetrics(context.metrics);
  const { transfers, increments, failures } = cells;
  const options = { zones: [...settings.values()], cells: { transfers, increments, failures } };
  return {
    zones: options.zones.map(({ zone, primaries, memberZones }) => ({
      zone,
      primaries: primaries.map(({ address }) => address),
      isCatalog: memberZones !== undefined,
    })),
    directory: context.addSource({ kind: 'secondary', key: JSON.stringify(options), options }),
    fallthrough,
    cells,
  };
}

/** `from` and addresses, each with a port or without. */
function readPrimaries(option: Option): Primary[] {
  const [direction, ...hosts] = option.args;
  if (direction === undefined) throw option.error('ARGUMENT_COUNT', 'transfer: needs "from" and addresses');
  option.parseWord(direction, ['from']);
  if (hosts.length === 0) throw option.error('ARGUMENT_COUNT', 'transfer: an address behind "from" is missing');
  return hosts.map((host) => readPrimary(option, host));
}

function readPrimary(option: Option, token: Token): Primary {
  const text = token.text.replace(/^dns:\/\//, '');
  const parts = parseIpAddress(text) ? { host: text, port: '' } : splitHostPort(text);
  const port = parts === undefined || parts.port === '' ? DEFAULT_PORT : Number(parts.port);
  const isPort = Number.isInteger(port) && port >= 1 && port <= 65_535;
  if (parts === undefined || parseIpAddress(parts.host) === undefined || !isPort) {
    const message = `transfer: expected an IP address, with a port or without, not ${JSON.stringify(token.text)}`;
    throw option.error('ADDRESS', message, token.line);
  }
  return { address: parts.host, port };
}

/** Without names, on any of its lines, every member is taken. */
function readMemberZones(option: Option, before: readonly string[] | undefined): string[] {
  const zones = option.args.map((token) => {
    const [zone, other] = option.parseZones([token]);
    if (zone === undefined || other !== undefined) throw option.valueError(token, 'a domain name');
    return zone;
  });
  if (zones.length === 0 || before?.length === 0) return [];
  return [...new Set([...(before ?? []), ...zones])];
}
