// lib/plugins/forward/resolve-host.ts — control thread. Addresses of an upstream that is given by its host name.
import dns from 'node:dns/promises';

const TIMEOUT_MS = 2000;

/**
 * Looks up the addresses of `host`: through the system, or through `resolvers` (`IP` or `IP:PORT`) in their order.
 *
 * @throws Error when no lookup yields an address
 */
export async function resolveHost(host: string, resolvers: readonly string[]): Promise<string[]> {
  if (resolvers.length === 0) return (await dns.lookup(host, { all: true })).map((entry) => entry.address);
  let lastError: unknown;
  for (const resolver of resolvers) {
    const lookup = new dns.Resolver({ timeout: TIMEOUT_MS, tries: 1 });
    lookup.setServers([resolver]);
    const [four, six] = await Promise.allSettled([lookup.resolve4(host), lookup.resolve6(host)]);
    const found = [four, six].flatMap((result) => (result.status === 'fulfilled' ? result.value : []));
    if (found.length > 0) return found;
    lastError = four.status === 'rejected' ? four.reason : undefined;
  }
  throw lastError instanceof Error ? lastError : new Error(`no addresses found for ${host}`);
}
