// Server block keys -> zones on transports and ports. Control thread.
import { ConfigError } from '../base/errors.ts';
import { quote } from '../base/quote.ts';
import type { Token } from './directive.ts';
import type { BlockKey, Scheme } from './server-block.ts';
import { splitZone } from './zone-name.ts';

const DEFAULT_PORTS: Readonly<Record<Exclude<Scheme, 'dns'>, number>> = {
  tls: 853,
  quic: 853,
  grpc: 443,
  https: 443,
  https3: 443,
};

/**
 * Reads one key: `[scheme://]ZONE[:PORT]`, where ZONE may be an address with prefix length.
 *
 * @param defaultPort port of `dns` keys that name none
 * @returns one entry per zone; several for a prefix that does not end on a label boundary
 * @throws ConfigError `KEY`
 */
export function parseKey(token: Token, defaultPort: number): BlockKey[] {
  const parts = splitZone(token.text);
  if ('fault' in parts) throw keyError(token, parts.fault);
  const { scheme } = parts;
  const port = parts.port ?? (scheme === 'dns' ? defaultPort : DEFAULT_PORTS[scheme]);
  if (port < 0 || port > 65_535) throw keyError(token, `port ${port} is not between 0 and 65535`);
  return parts.zones.map((zone) => ({ scheme, zone, port, text: token.text }));
}

function keyError(token: Token, fault: string): ConfigError {
  return new ConfigError('KEY', `key ${quote(token.text)}: ${fault}${hintFor(token.text)}`, token.file, token.line);
}

function hintFor(text: string): string {
  if (text.endsWith('{')) return ', put a blank before the "{"';
  if (text.endsWith(':')) return ' (an unset variable is an empty text)';
  const afterColon = /:([^:/]+)$/.exec(text)?.[1];
  return afterColon === undefined || /^[+-]?\d+$/.test(afterColon) ? '' : `, ${quote(afterColon)} is not a port number`;
}
