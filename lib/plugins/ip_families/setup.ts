// Directive `ip_families` -> the address type that clients have no use for. Control thread.
import os from 'node:os';
import { parseIpAddress } from '../../base/ip-address.ts';
import { expectOnce } from '../../chain/expect-once.ts';
import type { SetupContext } from '../../chain/plugin.ts';
import type { Directive } from '../../config/directive.ts';
import { RRTYPE } from '../../wire/types.ts';

export type IpFamiliesOptions = {
  /** Type that is answered without records; 0 for none. */
  readonly unwantedType: number;
  /** Labels of each zone of the server block. */
  readonly zoneLabels: readonly number[];
  /** Cells of `clusterdns_ip_families_withheld_total` by server. */
  readonly withheldCells: readonly number[];
};

/** This machine's interfaces; a table in tests. */
export type Interfaces = () => ReturnType<typeof os.networkInterfaces>;

const FAMILIES = ['ipv4', 'ipv6', 'auto'] as const;

/**
 * Reads `ip_families ipv4|ipv6|auto`.
 *
 * @throws ConfigError `ARGUMENT_COUNT`, `ARGUMENT_VALUE`, `DIRECTIVE_REPEATED`
 */
export function setupIpFamilies(
  directives: readonly Directive[],
  context: SetupContext,
  interfaces: Interfaces = os.networkInterfaces,
): IpFamiliesOptions {
  const directive = expectOnce(directives);
  directive.expectArguments(1);
  directive.expectNoBlock();
  const given = directive.parseWord(directive.argument(), FAMILIES);
  const wanted = given === 'auto' ? findFamilies(interfaces) : new Set([given]);
  // A host with neither cannot tell: nothing is withheld.
  const isOne = wanted.size === 1;
  const unwantedType = !isOne ? 0 : wanted.has('ipv4') ? RRTYPE.AAAA : RRTYPE.A;
  if (given === 'auto') {
    const found = wanted.size === 0 ? 'no address' : [...wanted].join(' and ');
    const what =
      unwantedType === 0 ? 'nothing is withheld' : `${isOne && wanted.has('ipv4') ? 'AAAA' : 'A'} is withheld`;
    context.log.forPlugin('ip_families').info(`this host has ${found}: ${what}`);
  }
  return {
    unwantedType,
    zoneLabels: context.zones.map((zone) => (zone === '.' ? 0 : zone.split('.').length - 1)),
    withheldCells: context.servers.map((server) =>
      context.metrics.counter(
        'clusterdns_ip_families_withheld_total',
        'Questions for addresses of the family that is not wanted.',
        { server },
      ),
    ),
  };
}

/** Families with an address that reaches beyond this host and its links. */
function findFamilies(interfaces: Interfaces): Set<'ipv4' | 'ipv6'> {
  const found = new Set<'ipv4' | 'ipv6'>();
  for (const list of Object.values(interfaces())) {
    for (const { address, internal } of list ?? []) {
      const bytes = parseIpAddress(address)?.bytes;
      if (!internal && bytes && !isLocal(bytes)) found.add(bytes.length === 4 ? 'ipv4' : 'ipv6');
    }
  }
  return found;
}

/** Loopback and link-local addresses (RFC 6890). */
function isLocal(bytes: Uint8Array): boolean {
  if (bytes.length === 4) return bytes[0] === 127 || (bytes[0] === 169 && bytes[1] === 254);
  if (bytes[0] === 0xfe && (bytes[1]! & 0xc0) === 0x80) return true;
  return bytes.every((byte, i) => byte === (i === 15 ? 1 : 0));
}
