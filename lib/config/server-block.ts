// What a parsed Corefile consists of: server blocks with their keys and directives. Control thread.
import type { Directive } from './directive.ts';

/** Transports a server block key can name. */
export const SCHEMES = ['dns', 'tls', 'quic', 'grpc', 'https', 'https3'] as const;
export type Scheme = (typeof SCHEMES)[number];

/** One zone on one transport and port; a CIDR key becomes one of these per reverse zone. */
export type BlockKey = {
  readonly scheme: Scheme;
  /** Absolute, lower case, text form: `cluster.local.`, `.`, `10.in-addr.arpa.`. */
  readonly zone: string;
  /** May be any integer that was written; whether a listener can have it shows when the socket is opened. */
  readonly port: number;
  /** The key as the Corefile has it, variables replaced. */
  readonly text: string;
};

export type ServerBlock = {
  readonly keys: readonly BlockKey[];
  /** In the order of the Corefile; the chain's order comes later. */
  readonly directives: readonly Directive[];
  /** File of the first key. */
  readonly file: string;
  /** Line of the first key, counted from 1. */
  readonly line: number;
};

/** `dns://cluster.local.:53`, as CoreDNS names a zone on a listener in messages. */
export function formatKey(key: Pick<BlockKey, 'scheme' | 'zone' | 'port'>): string {
  return `${key.scheme}://${key.zone}:${key.port}`;
}
