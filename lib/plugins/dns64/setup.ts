// Directive `dns64`. Control thread.
import { type IpPrefix, parseIpPrefix } from '../../base/ip-address.ts';
import { expectOnce } from '../../chain/expect-once.ts';
import type { SetupContext } from '../../chain/plugin.ts';
import type { Directive, Option, Token } from '../../config/directive.ts';

export type Dns64Options = {
  /** 16 bytes; those from `prefixBytes` on are zero. */
  readonly prefix: Uint8Array;
  /** Bytes of the prefix: 4 to 12. */
  readonly prefixBytes: number;
  readonly translateAll: boolean;
  readonly allowIpv4: boolean;
  /** Cells of `coredns_dns64_requests_translated_total`, by the block's servers. */
  readonly translatedCells: readonly number[];
};

/** The well-known prefix (RFC 6052 section 2.1). */
const DEFAULT_PREFIX = '64:ff9b::/96';
const OPTIONS = ['prefix', 'translate_all', 'allow_ipv4'] as const;

/**
 * Reads `dns64 [PREFIX] { prefix PREFIX ; translate_all ; allow_ipv4 }`.
 *
 * @throws ConfigError `DIRECTIVE_REPEATED`, `OPTION_UNKNOWN`, `ARGUMENT_COUNT`, `ARGUMENT_VALUE`
 */
export function setupDns64(directives: readonly Directive[], context: SetupContext): Dns64Options {
  const directive = expectOnce(directives);
  directive.expectArguments(0, 1);
  const [argument] = directive.args;
  let prefix = argument === undefined ? parseIpPrefix(DEFAULT_PREFIX)! : readPrefix(directive, argument);
  let translateAll = false;
  let allowIpv4 = false;
  for (const option of directive.options()) {
    switch (option.name) {
      case 'prefix':
        option.expectArguments(1);
        prefix = readPrefix(option, option.argument());
        break;
      case 'translate_all':
        option.expectArguments(0);
        translateAll = true;
        break;
      case 'allow_ipv4':
        option.expectArguments(0);
        allowIpv4 = true;
        break;
      default:
        throw directive.unknownOption(option, OPTIONS);
    }
  }
  return {
    prefix: prefix.bytes,
    prefixBytes: prefix.length / 8,
    translateAll,
    allowIpv4,
    translatedCells: context.servers.map((server) =>
      context.metrics.counter('coredns_dns64_requests_translated_total', 'AAAA queries answered from A records.', {
        server,
      }),
    ),
  };
}

/** RFC 6052 section 2.2: 32 to 96 bits in steps of 8, bits 64 to 71 zero. */
function readPrefix(line: Directive | Option, token: Token): IpPrefix {
  const prefix = parseIpPrefix(token.text);
  if (prefix?.bytes.length !== 16) throw line.valueError(token, 'an IPv6 prefix such as 64:ff9b::/96');
  if (prefix.length < 32 || prefix.length > 96 || prefix.length % 8 !== 0) {
    throw line.valueError(token, 'a prefix of 32, 40, 48, 56, 64, 72, 80, 88 or 96 bits');
  }
  if (prefix.length > 64 && prefix.bytes[8] !== 0)
    throw line.valueError(token, 'a prefix whose bits 64 to 71 are zero');
  return prefix;
}
