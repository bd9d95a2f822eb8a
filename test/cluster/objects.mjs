// Objects that the cluster tests create, and where each of the three ways of access finds the API server.
// Main thread of a test program.
import fs from 'node:fs';
import path from 'node:path';
import { runProgram } from '../scenario/programs.mjs';

/** The token that the API server takes at first. */
export const FIRST_TOKEN = 'first-token';

export function makeService(name, namespace, clusterIP) {
  const spec = { clusterIP, clusterIPs: [clusterIP], ports: [{ name: 'http', protocol: 'TCP', port: 80 }] };
  return { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace }, spec: { type: 'ClusterIP', ...spec } };
}

export function makeSlice(service, namespace, addresses) {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `${service}-1`, namespace, labels: { 'kubernetes.io/service-name': service } },
    addressType: 'IPv4',
    ports: [{ name: 'http', protocol: 'TCP', port: 80 }],
    endpoints: addresses.map((address) => ({ addresses: [address], conditions: { ready: true } })),
  };
}

/** Addresses by fully qualified name of every Service with addresses of its own or of its endpoints. */
export function readAddresses(objects) {
  const addresses = new Map();
  const slices = new Map();
  for (const { kind, metadata, endpoints } of objects) {
    if (kind !== 'EndpointSlice') continue;
    const service = `${metadata.labels['kubernetes.io/service-name']}.${metadata.namespace}`;
    slices.set(
      service,
      endpoints.flatMap((endpoint) => endpoint.addresses),
    );
  }
  for (const { kind, metadata, spec } of objects) {
    if (kind !== 'Service' || spec.type === 'ExternalName') continue;
    const service = `${metadata.name}.${metadata.namespace}`;
    const own = spec.clusterIP === 'None' ? slices.get(service) : spec.clusterIPs.filter((ip) => !ip.includes(':'));
    addresses.set(`${service}.svc.cluster.local.`, own.toSorted());
  }
  return addresses;
}

/**
 * The folder of a service account as the kubelet mounts it: token and CA behind `..data`, exchanged as a whole.
 */
export class ServiceAccount {
  folder;
  #generation = 0;
  #ca;

  constructor(folder, ca, token) {
    this.folder = folder;
    this.#ca = ca;
    fs.mkdirSync(folder, { recursive: true });
    this.rotate(token);
    for (const file of ['token', 'ca.crt', 'namespace']) fs.symlinkSync(`..data/${file}`, path.join(folder, file));
  }

  rotate(token) {
    const generation = `..v${++this.#generation}`;
    fs.mkdirSync(path.join(this.folder, generation));
    const files = { token, 'ca.crt': this.#ca, namespace: 'kube-system' };
    for (const [file, text] of Object.entries(files)) fs.writeFileSync(path.join(this.folder, generation, file), text);
    fs.symlinkSync(generation, path.join(this.folder, '..data.new'));
    fs.renameSync(path.join(this.folder, '..data.new'), path.join(this.folder, '..data'));
  }
}

/** A kubeconfig of the user of the first token. @returns its path */
export function writeTokenKubeconfig(api, folder) {
  const file = path.join(folder, 'kubeconfig');
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'test',
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
    clusters: [
      {
        name: 'test',
        cluster: { server: `https://127.0.0.1:${api.port}`, 'certificate-authority': path.join(api.folder, 'ca.crt') },
      },
    ],
    users: [{ name: 'test', user: { token: FIRST_TOKEN } }],
  };
  fs.writeFileSync(file, JSON.stringify(config));
  return file;
}

/** Words that run a command with a service account where a Pod has it; undefined where mounts are not permitted. */
export async function findPodWrap(account) {
  const unshare = process.getuid() === 0 ? ['-m'] : ['-r', '-m'];
  const script = [
    'mount -t tmpfs none "$(readlink -f /var/run)" || exit 1',
    'mkdir -p /var/run/secrets/kubernetes.io && ln -s "$1" /var/run/secrets/kubernetes.io/serviceaccount || exit 1',
    'shift; exec "$@"',
  ].join('\n');
  const wrap = ['unshare', ...unshare, 'sh', '-c', script, 'sh', account.folder];
  const tried = await runProgram(wrap[0], [
    ...wrap.slice(1),
    'cat',
    '/var/run/secrets/kubernetes.io/serviceaccount/token',
  ]);
  return tried.ended.code === 0 ? wrap : undefined;
}
