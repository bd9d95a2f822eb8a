// Directive `dnssec` -> keys and zones to sign with them. Control thread.
import { expectOnce } from '../../chain/expect-once.ts';
import { readKeyOption } from '../../chain/key-files.ts';
import type { SetupContext } from '../../chain/plugin.ts';
import type { Directive } from '../../config/directive.ts';
import { keyTag, type SigningKeyData } from '../../wire/dnssec/signing-key.ts';
import { formatName, isSubdomain, parseNameLower } from '../../wire/name.ts';
import { declareDnssecMetrics, type DnssecCells } from './metrics.ts';

const DEFAULT_CAPACITY = 10_000;
/** A million signatures of ECDSA take about 300 MB. */
const MAX_CAPACITY = 1_000_000;
const OPTIONS = ['key', 'cache_capacity'] as const;

export type DnssecOptions = {
  readonly zones: readonly string[];
  readonly keys: readonly SigningKeyData[];
  /** RRsets whose signatures each worker keeps. */
  readonly cacheCapacity: number;
  /** By listener of the block. */
  readonly cells: readonly DnssecCells[];
};

/**
 * Reads `dnssec [ZONE..] { key file NAME.. ; cache_capacity N }`.
 *
 * @throws ConfigError `DIRECTIVE_REPEATED`, `ARGUMENT_COUNT`, `ARGUMENT_VALUE`, `OPTION_UNKNOWN`, `FILE`
 */
export function setupDnssec(directives: readonly Directive[], context: SetupContext): DnssecOptions {
  const directive = expectOnce(directives);
  const zones = directive.parseZones(directive.args, context.zones);
  const keys: SigningKeyData[] = [];
  let cacheCapacity = DEFAULT_CAPACITY;
  for (const option of directive.options()) {
    switch (option.name) {
      case 'key': {
        const read = readKeyOption(option, context.root);
        for (const key of read) {
          if (canSign(key, zones)) continue;
          const name = `key ${formatName(key.owner)} (keyid: ${keyTag(key.dnskey)})`;
          throw option.error('ARGUMENT_VALUE', `${name} can not sign any of the zones: ${zones.join(', ')}`);
        }
        keys.push(...read);
        break;
      }
      case 'cache_capacity':
        option.expectArguments(1);
        cacheCapacity = option.parseInteger(option.argument(), { min: 0, max: MAX_CAPACITY });
        break;
      default:
        throw directive.unknownOption(option, OPTIONS);
    }
  }
  if (keys.length === 0) context.warn('plugin/dnssec: there is no "key", nothing is signed');
  const cells = context.servers.map((server) => declareDnssecMetrics(context.metrics, server));
  return { zones, keys, cacheCapacity, cells };
}

/** Whether one of the zones is the key's or below it. */
function canSign({ owner }: SigningKeyData, zones: readonly string[]): boolean {
  return zones.some((zone) => {
    const name = parseNameLower(zone);
    return name !== undefined && isSubdomain(name, owner);
  });
}
