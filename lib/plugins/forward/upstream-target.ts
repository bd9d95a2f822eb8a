// lib/plugins/forward/upstream-target.ts — both kinds of thread. Address of an upstream and the options of its `forward` -> what io connects to.
import type { UpstreamTarget } from '../../chain/plugin.ts';
import type { UpstreamAddress } from './upstream-address.ts';

/** What the upstreams of a `forward` have in common. */
export type TargetTemplate = {
  readonly expireMs: number;
  readonly maxAgeMs: number;
  readonly maxIdleSockets: number;
  readonly sourceAddress: string | undefined;
  readonly tls: { readonly ca?: string; readonly cert?: string; readonly key?: string };
  readonly tlsServerName: string;
  readonly dohMethod: 'GET' | 'POST';
};

/** The port is -1 when the one written can belong to no socket. */
export function makeTarget(address: UpstreamAddress, template: TargetTemplate): UpstreamTarget {
  const { scheme, host, serverName } = address;
  const { tls, tlsServerName, dohMethod, sourceAddress, expireMs, maxAgeMs, maxIdleSockets } = template;
  return {
    address: host,
    port: parsePort(address.port),
    ...(scheme === 'https' ? { https: { method: dohMethod } } : {}),
    ...(scheme === 'tls' || scheme === 'https' ? { tls: { serverName: serverName || tlsServerName, ...tls } } : {}),
    ...(sourceAddress === undefined ? {} : { sourceAddress }),
    expireMs,
    maxAgeMs,
    maxIdleSockets,
  };
}

function parsePort(text: string): number {
  if (text === 'domain') return 53;
  const port = /^\d{1,5}$/.test(text) ? Number(text) : -1;
  return port > 65_535 ? -1 : port;
}
