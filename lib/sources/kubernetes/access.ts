// How the API server is reached and who we are to it: in a Pod, by an endpoint URL, or by a kubeconfig. Control thread.
import fs from 'node:fs';
import type http from 'node:http';
import type { ConnectionOptions } from 'node:tls';
import { ConfigError } from '../../base/errors.ts';
import { formatHostPort } from '../../base/ip-address.ts';

/** What one request needs. An equal `fingerprint` means that connections may be shared. */
export type Credentials = {
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: ConnectionOptions;
  /** Only for a proxy: replaces the client's own agent. */
  readonly agent?: http.Agent;
  readonly fingerprint: string;
};

export interface ApiAccess {
  /** Base of all requests; a path prefix is kept. */
  readonly server: URL;
  /**
   * Called for every request, so that rotated files are seen at once.
   * @throws Error when a file or program does not deliver
   */
  credentials(): Promise<Credentials>;
  /** The server refused them: forget whatever is remembered. */
  refresh(): void;
}

/** Where a Pod finds its token and the cluster's authority. */
export const SERVICE_ACCOUNT_FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount';

/**
 * Access as a Pod has it: address from the environment, token and CA from files that the kubelet rotates.
 *
 * @param environment holds KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT
 * @param folder where `token` and `ca.crt` are
 * @throws ConfigError `CLUSTER` when not in a Pod or the token cannot be read
 */
export function openInClusterAccess(
  environment: Readonly<Record<string, string | undefined>> = process.env,
  folder: string = SERVICE_ACCOUNT_FOLDER,
): ApiAccess {
  const host = environment.KUBERNETES_SERVICE_HOST ?? '';
  const port = environment.KUBERNETES_SERVICE_PORT ?? '';
  if (host === '' || port === '')
    throw new ConfigError(
      'CLUSTER',
      'not in a Pod: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT must be set, or "endpoint", "kubeconfig" or "manifests" be used',
    );
  const tokenFile = `${folder}/token`;
  requireReadable(tokenFile, 'service account token');
  return {
    server: parseServer(`https://${formatHostPort(host, port)}`),
    credentials: async () => {
      // Without the file the system's authorities must do, as for every other client.
      const ca = readIfThere(`${folder}/ca.crt`);
      const token = fs.readFileSync(tokenFile, 'utf8').trim();
      return describe({ authorization: `Bearer ${token}` }, ca === undefined ? {} : { ca });
    },
    refresh: () => undefined,
  };
}

/** Paths of the PEM files of the option `tls`. */
export type TlsFiles = { readonly cert: string; readonly key: string; readonly ca: string };

/**
 * Access to a URL, with a client certificate if given.
 *
 * @param url `https://10.0.0.1:6443`; without a scheme http, or https when there are TLS files
 * @throws ConfigError `CLUSTER` for an unusable URL or file
 */
export function openEndpointAccess(url: string, files?: TlsFiles): ApiAccess {
  const server = parseServer(url.includes('://') ? url : `${files === undefined ? 'http' : 'https'}://${url}`);
  if (files === undefined) {
    const plain = describe({}, {});
    return { server, credentials: async () => plain, refresh: () => undefined };
  }
  const read = (): ConnectionOptions => ({
    cert: requireReadable(files.cert, 'client certificate'),
    key: requireReadable(files.key, 'client key'),
    ca: requireReadable(files.ca, 'CA certificate'),
  });
  try {
    process.getBuiltinModule('node:tls').createSecureContext(read());
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw new ConfigError('CLUSTER', `tls: ${files.cert}, ${files.key}, ${files.ca}: ${(error as Error).message}`);
  }
  return { server, credentials: async () => describe({}, read()), refresh: () => undefined };
}

/** @throws ConfigError `CLUSTER` */
export function parseServer(url: string): URL {
  let server: URL | undefined;
  try {
    server = new URL(url);
  } catch {
    // Told below.
  }
  if (server === undefined || (server.protocol !== 'https:' && server.protocol !== 'http:') || server.hostname === '')
    throw new ConfigError('CLUSTER', `not the URL of an API server: "${url}"`);
  return server;
}

/** Credentials with the fingerprint of their TLS part. */
export function describe(
  headers: Readonly<Record<string, string>>,
  tls: ConnectionOptions,
  agent?: http.Agent,
): Credentials {
  const { ca, cert, key, servername, rejectUnauthorized } = tls;
  const fingerprint = [ca, cert, key, servername, rejectUnauthorized].map(String).join('\0');
  return agent === undefined ? { headers, tls, fingerprint } : { headers, tls, agent, fingerprint };
}

function requireReadable(file: string, what: string): Buffer {
  try {
    return fs.readFileSync(file);
  } catch (error) {
    throw new ConfigError('CLUSTER', `${what} ${file}: ${(error as Error).message}`);
  }
}

function readIfThere(file: string): Buffer | undefined {
  try {
    return fs.readFileSync(file);
  } catch {
    return undefined;
  }
}
