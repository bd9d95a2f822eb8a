// Tells one cluster from another before anything of it has been loaded or asked. Control thread.
import fs from 'node:fs';
import type { KubernetesSourceOptions } from '../../chain/kubernetes-source.ts';
import { SERVICE_ACCOUNT_FOLDER } from './access.ts';

/** What a kubeconfig says about clusters; users and their tokens come and go. */
const CLUSTER_LINES = /^\s*(?:server|certificate-authority|certificate-authority-data):.*$/gm;

/** Address and authority of the cluster, as text to compare; two clusters with one address differ by their authority. */
export function identifyCluster(access: KubernetesSourceOptions['access']): string {
  switch (access.kind) {
    case 'endpoint':
      return `${access.url} ${access.tls === undefined ? '' : readText(access.tls.ca)}`;
    case 'kubeconfig':
      return `${access.context} ${(readText(access.file).match(CLUSTER_LINES) ?? []).join(' ')}`;
    default: {
      const { KUBERNETES_SERVICE_HOST: host = '', KUBERNETES_SERVICE_PORT: port = '' } = process.env;
      return `${host} ${port} ${readText(`${SERVICE_ACCOUNT_FOLDER}/ca.crt`)}`;
    }
  }
}

/** '' for a file that cannot be read: whoever needs it will say so. */
function readText(file: string): string {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
