// Access by a kubeconfig, with all that the official client knows: exec, OIDC, client certificates, proxies. Control thread.
import fs from 'node:fs';
import path from 'node:path';
import type { KubeConfig } from '@kubernetes/client-node';
import { ConfigError } from '../../base/errors.ts';
import { type ApiAccess, type Credentials, describe, parseServer } from './access.ts';

/** How long a credential program or provider may take. */
const CREDENTIALS_TIMEOUT_MS = 30_000;

/**
 * Reads the file; the official client (some 80 MB) is loaded only here.
 *
 * @param context the context to use, or undefined for the file's current one
 * @throws ConfigError `CLUSTER` when the file cannot be read, is no kubeconfig, or names something that is missing
 */
export async function openKubeconfigAccess(file: string, context?: string): Promise<ApiAccess> {
  let text = readKubeconfig(file);
  const { KubeConfig } = await import('@kubernetes/client-node/dist/config.js');
  const load = (): KubeConfig => loadKubeconfig(new KubeConfig(), text, file, context);
  let config = load();
  const server = parseServer(config.getCurrentCluster()?.server ?? '');
  let agent: Credentials['agent'];
  let agentFor = '';
  return {
    server,
    credentials: async () => {
      const { headers, tls } = await askCredentials(config, server);
      if (config.getCurrentCluster()?.proxyUrl === undefined) return describe(headers, tls);
      const { fingerprint } = describe(headers, tls);
      if (agent === undefined || agentFor !== fingerprint) {
        const options: { agent?: Credentials['agent'] } = {};
        // The library remembers one agent per user; a fresh KubeConfig makes one for the certificates of now.
        await load().applyToHTTPSOptions(options);
        agent = options.agent;
        agentFor = fingerprint;
      }
      return describe(headers, tls, agent);
    },
    refresh: () => {
      // Drops what exec plug-ins and providers have cached; a file that is broken just now is read again later.
      try {
        const fresh = readKubeconfig(file);
        config = loadKubeconfig(new KubeConfig(), fresh, file, context);
        text = fresh;
      } catch {
        config = load();
      }
    },
  };
}

function readKubeconfig(file: string): string {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch (error) {
    throw new ConfigError('CLUSTER', `kubeconfig ${file}: ${(error as Error).message}`);
  }
}

function loadKubeconfig(config: KubeConfig, text: string, file: string, context: string | undefined): KubeConfig {
  try {
    config.loadFromString(text);
    config.makePathsAbsolute(path.dirname(path.resolve(file)));
  } catch (error) {
    throw new ConfigError('CLUSTER', `kubeconfig ${file}: ${(error as Error).message.split('\n')[0]}`);
  }
  if (context !== undefined) config.setCurrentContext(context);
  const name = config.getCurrentContext();
  if (config.getContextObject(name) === null)
    throw new ConfigError('CLUSTER', `kubeconfig ${file}: there is no context "${name ?? ''}"`);
  if (config.getCurrentCluster() === null)
    throw new ConfigError('CLUSTER', `kubeconfig ${file}: context "${name}" names a cluster that is missing`);
  if (config.getCurrentUser() === null)
    throw new ConfigError('CLUSTER', `kubeconfig ${file}: context "${name}" names a user that is missing`);
  return config;
}

type Options = Credentials['tls'] & { headers?: Record<string, unknown>; auth?: string };

/** Headers and TLS settings of this moment. */
async function askCredentials(
  config: KubeConfig,
  server: URL,
): Promise<{ headers: Record<string, string>; tls: Credentials['tls'] }> {
  const options: Options = {};
  if (server.protocol === 'https:' || config.getCurrentCluster()?.skipTLSVerify === true)
    await withTimeout(config.applyToHTTPSOptions(options));
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(options.headers ?? {})) headers[name.toLowerCase()] = String(value);
  const user = config.getCurrentUser();
  if (server.protocol === 'http:' && user?.token) headers.authorization = `Bearer ${user.token}`;
  if (options.auth !== undefined) headers.authorization = `Basic ${Buffer.from(options.auth).toString('base64')}`;
  const { ca, cert, key, servername, rejectUnauthorized } = options;
  const tls: Credentials['tls'] = {};
  if (ca !== undefined) tls.ca = ca;
  if (cert !== undefined) tls.cert = cert;
  if (key !== undefined) tls.key = key;
  if (servername !== undefined) tls.servername = servername;
  if (rejectUnauthorized !== undefined) tls.rejectUnauthorized = rejectUnauthorized;
  return { headers, tls };
}

async function withTimeout<R>(waiting: Promise<R>): Promise<R> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('the kubeconfig gave no credentials in time')), CREDENTIALS_TIMEOUT_MS);
  });
  try {
    return await Promise.race([waiting, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
