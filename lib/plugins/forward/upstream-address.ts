// lib/plugins/forward/upstream-address.ts — control thread. The TO words of `forward`: addresses, resolv.conf files, host names.
import fs from 'node:fs';
import { formatHostPort, parseIpAddress, splitHostPort } from '../../base/ip-address.ts';
import { findNameFault } from '../../config/zone-name.ts';

const SCHEMES = ['tls', 'dns', 'quic', 'grpc', 'https3', 'https', 'unix'] as const;
export type UpstreamScheme = (typeof SCHEMES)[number];
const DEFAULT_PORTS: Readonly<Record<UpstreamScheme, string>> = {
  dns: '53',
  tls: '853',
  quic: '853',
  grpc: '443',
  https: '443',
  https3: '443',
  unix: '',
};

/** One nameserver. `host` is an IP address, with its zone when it has one; `port` is as written. */
export type UpstreamAddress = {
  readonly scheme: UpstreamScheme;
  readonly host: string;
  readonly port: string;
  /** Name the certificate must have (`tls://1.1.1.1%name`); '' when the address does not say. */
  readonly serverName: string;
};

/** What a TO word turned out to be. */
export type UpstreamWord =
  | {
      readonly kind: 'addresses';
      readonly addresses: readonly UpstreamAddress[];
      /** The file they stand in; undefined when the word itself is the address. */
      readonly file?: string;
    }
  | { readonly kind: 'host'; readonly host: string; readonly like: UpstreamAddress }
  | { readonly kind: 'fault'; readonly fault: string };

/** Reads a TO word; a word that is no address is tried as a file, then taken for a host name. */
export function parseUpstream(text: string): UpstreamWord {
  const scheme = SCHEMES.find((name) => text.startsWith(`${name}://`));
  const rest = scheme === undefined ? text : text.slice(scheme.length + 3);
  const transport = scheme ?? 'dns';
  if (rest === '') return { kind: 'fault', fault: 'an address, a file or a host name' };
  if (transport === 'https' && rest.includes('/')) {
    return { kind: 'fault', fault: 'no path: /dns-query is what is asked' };
  }
  const split = splitHostPort(rest);
  const host = split ? split.host : rest.replace(/^\[+|\]+$/g, '');
  const port = split ? split.port : DEFAULT_PORTS[transport];
  const percent = host.lastIndexOf('%');
  const bare = percent === -1 ? host : host.slice(0, percent);
  const suffix = percent === -1 ? '' : host.slice(percent + 1);
  const isEncrypted = transport === 'tls' || transport === 'https';
  const like: UpstreamAddress = {
    scheme: transport,
    host: isEncrypted ? bare : host,
    port,
    serverName: isEncrypted ? suffix : '',
  };
  if (parseIpAddress(bare)) return { kind: 'addresses', addresses: [like] };
  const file = split ? rest : host;
  const fromFile = readNameservers(file);
  if (fromFile) return { kind: 'addresses', addresses: fromFile, file };
  if (!['dns', 'tls', 'https'].includes(transport) || bare === '' || findNameFault(bare) !== undefined) {
    return { kind: 'fault', fault: 'an address, a file or a host name' };
  }
  return { kind: 'host', host: bare, like: { ...like, host: bare } };
}

/** The `nameserver` lines of a resolv.conf file, zones of addresses dropped; undefined when it cannot be read. */
export function readNameservers(path: string): UpstreamAddress[] | undefined {
  let text: string;
  try {
    text = fs.readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
  const addresses: UpstreamAddress[] = [];
  for (const line of text.split('\n')) {
    if (line.startsWith('#') || line.startsWith(';')) continue;
    const [keyword, server] = line.trim().split(/\s+/);
    if (keyword !== 'nameserver' || server === undefined) continue;
    const host = server.replace(/%.*$/, '');
    if (parseIpAddress(host)) addresses.push({ scheme: 'dns', host, port: '53', serverName: '' });
  }
  return addresses;
}

/** `10.0.0.1:53`, `[2001:db8::1]:53`: the metric label `to`. Two upstreams with the same one are the same. */
export function formatUpstream(address: UpstreamAddress): string {
  return formatHostPort(address.host.replace(/%.*$/, ''), address.port);
}
