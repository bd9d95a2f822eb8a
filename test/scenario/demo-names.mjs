// What the demo cluster's names must answer, worked out from its manifests by hand-written rules, not by the server.
// Main thread of a test program.
import fs from 'node:fs';
import path from 'node:path';
import { parseAllDocuments } from 'yaml';
import { sortUnique } from './checks.mjs';
import { PROJECT_DIR } from './programs.mjs';

const ZONE = 'cluster.local.';

function readManifests(folder) {
  return fs
    .readdirSync(folder)
    .filter((file) => /\.ya?ml$/.test(file))
    .flatMap((file) => parseAllDocuments(fs.readFileSync(path.join(folder, file), 'utf8')).map((doc) => doc.toJS()))
    .filter((object) => object !== null)
    .flatMap((object) => (object.kind === 'List' ? object.items : [object]));
}

/**
 * Names of the demo, relative to the cluster domain's `svc`, with their addresses; an alias of an outside name
 * (ExternalName) has `outside` set instead.
 */
export function readDemoNames(folder = path.join(PROJECT_DIR, 'zones', 'demo')) {
  const objects = readManifests(folder);
  const names = new Map();
  const services = objects.filter((object) => object.kind === 'Service');
  for (const service of services) addService(names, service, objects);
  for (const service of services) addAlias(names, service);
  return [...names.values()];
}

function addService(names, service, objects) {
  const { name, namespace } = service.metadata;
  const host = `${name}.${namespace}`;
  if (service.spec.type === 'ExternalName') return;
  const endpoints = readyEndpoints(service, objects);
  const isHeadless = service.spec.clusterIP === 'None';
  const addresses = isHeadless
    ? endpoints.flatMap((endpoint) => endpoint.addresses)
    : (service.spec.clusterIPs ?? [service.spec.clusterIP]);
  names.set(host, {
    host,
    fqdn: `${host}.svc.${ZONE}`,
    addresses: sortUnique(addresses),
    ports: service.spec.ports ?? [],
  });
  if (!isHeadless) return;
  for (const { hostname, addresses: own } of endpoints) {
    if (hostname === undefined) continue;
    const each = `${hostname}.${host}`;
    names.set(each, { host: each, fqdn: `${each}.svc.${ZONE}`, addresses: sortUnique(own), endpointOf: host });
  }
}

function readyEndpoints(service, objects) {
  return objects
    .filter((object) => object.kind === 'EndpointSlice' && object.metadata.namespace === service.metadata.namespace)
    .filter((slice) => slice.metadata.labels?.['kubernetes.io/service-name'] === service.metadata.name)
    .flatMap((slice) => slice.endpoints ?? [])
    .filter((endpoint) => endpoint.conditions?.ready !== false);
}

function addAlias(names, service) {
  if (service.spec.type !== 'ExternalName') return;
  const { name, namespace } = service.metadata;
  const host = `${name}.${namespace}`;
  const target = service.spec.externalName;
  const inside = [...names.values()].find((each) => each.fqdn === `${target}.`);
  const where = inside === undefined ? { outside: `${target}.` } : { addresses: inside.addresses };
  names.set(host, { host, fqdn: `${host}.svc.${ZONE}`, target: `${target}.`, ...where });
}

/** in-addr.arpa or ip6.arpa name of an address. */
export function reverseName(address) {
  if (!address.includes(':')) return `${address.split('.').toReversed().join('.')}.in-addr.arpa.`;
  const [head, tail = ''] = address.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === '' ? [] : tail.split(':');
  const groups = [...left, ...Array(8 - left.length - right.length).fill('0'), ...right];
  const nibbles = groups.map((group) => group.padStart(4, '0')).join('');
  return `${nibbles.split('').toReversed().join('.')}.ip6.arpa.`;
}
