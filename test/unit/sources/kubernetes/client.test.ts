import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'ava';
import { systemClock } from '../../../../lib/base/clock.ts';
import { ConfigError } from '../../../../lib/base/errors.ts';
import { createLogger } from '../../../../lib/base/log.ts';
import { type ApiAccess, openEndpointAccess, openInClusterAccess } from '../../../../lib/sources/kubernetes/access.ts';
import { ApiClient } from '../../../../lib/sources/kubernetes/client.ts';
import { ClusterSource } from '../../../../lib/sources/kubernetes/cluster-source.ts';
import { openKubeconfigAccess } from '../../../../lib/sources/kubernetes/kubeconfig.ts';
import type { ObjectIdentity } from '../../../../lib/sources/kubernetes/objects/metadata.ts';
import { createNamespaceResource, createServiceResource } from '../../../../lib/sources/kubernetes/resource.ts';
import { start } from '../../../conformance/fake-apiserver.mjs';

const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } };
const service = (name: string, clusterIP = '10.96.0.1') => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'shop' },
  spec: { type: 'ClusterIP', clusterIP, clusterIPs: [clusterIP], ports: [] },
});

/** Follows Services and Namespaces of an API server over real sockets. */
function follow(access: ApiAccess) {
  const client = new ApiClient(access, { userAgent: 'CoreDNS/1.14.7 clusterdns', clock: systemClock });
  const log = createLogger({ sink: () => undefined });
  const source = new ClusterSource(client, { clock: systemClock, random: Math.random, log });
  const keys = new Set<string>();
  const sink = {
    upsert: (object: ObjectIdentity) => void keys.add(object.key),
    remove: (object: ObjectIdentity) => void keys.delete(object.key),
    synced: () => undefined,
    proofOfLife: () => undefined,
  };
  source.follow(createServiceResource(), sink);
  source.follow(createNamespaceResource(), sink);
  source.start();
  return {
    source,
    keys,
    /** Waits until the objects are exactly these. */
    until: async (...expected: string[]): Promise<void> => {
      const wanted = expected.sort().join();
      const endMs = Date.now() + 20_000;
      while ([...keys].sort().join() !== wanted) {
        if (Date.now() > endMs) throw new Error(`have ${[...keys].sort().join()}, want ${wanted}`);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    },
    stop: (): void => {
      source.stop();
      client.close();
    },
  };
}

for (const watchList of [true, false]) {
  test(`${watchList ? 'streaming' : 'paged'} list, events, and one connection a resource over 8 forced disconnects`, async (t) => {
    const api = await start({ objects: [namespace, service('a')], watchList });
    t.teardown(() => api.close());
    const { until, stop, source } = follow(openEndpointAccess(api.url));
    t.teardown(stop);
    await until('shop', 'shop/a');
    let most = 0;
    for (let round = 0; round < 8; round++) {
      api.dropWatches({ resource: 'services', abrupt: round % 2 === 0 });
      api.apply(service(`b${round}`));
      await until('shop', 'shop/a', `shop/b${round}`);
      most = Math.max(most, await api.connections());
      api.delete(service(`b${round}`));
      await until('shop', 'shop/a');
    }
    t.true(most <= 3, `${most} connections`);
    t.is(api.stats().watchers.length, 2);
    t.deepEqual(
      source.status().map((status) => status.lists),
      [1, 1],
    );
    const { userAgent, accept } = api.stats().requests[0]!;
    t.is(userAgent, 'CoreDNS/1.14.7 clusterdns');
    t.is(accept, 'application/json');
  });
}

test('paged list: 1,203 Services in three pages are all there', async (t) => {
  const objects = Array.from({ length: 1203 }, (_, index) => service(`s${index}`));
  const api = await start({ objects, watchList: false });
  t.teardown(() => api.close());
  const { until, stop } = follow(openEndpointAccess(api.url));
  t.teardown(stop);
  await until(...objects.map((object) => `shop/${object.metadata.name}`));
  const pages = api
    .stats()
    .requests.filter(
      (request: { path: string; verb?: string }) => request.path.endsWith('/services') && request.verb === 'list',
    );
  t.is(pages.length, 3);
});

test('410, an ERROR event, a reset inside a line and garbage: the truth is back each time', async (t) => {
  const api = await start({ objects: [namespace, service('a')] });
  t.teardown(() => api.close());
  const { until, stop } = follow(openEndpointAccess(api.url));
  t.teardown(stop);
  await until('shop', 'shop/a');
  api.cutNext({ resource: 'services' });
  api.apply(service('b'));
  await until('shop', 'shop/a', 'shop/b');
  api.inject({ resource: 'services', line: '{"type":"ADD' });
  api.apply(service('c'));
  await until('shop', 'shop/a', 'shop/b', 'shop/c');
  api.apply(service('lost'), { silent: true });
  api.gone();
  await until('shop', 'shop/a', 'shop/b', 'shop/c', 'shop/lost');
  while (api.stats().watchers.length < 2) await new Promise((resolve) => setTimeout(resolve, 20));
  t.is(api.stats().watchers.length, 2);
});

test('in a Pod: the token file is read again when it was rotated; the environment names the server', async (t) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'account-'));
  fs.writeFileSync(path.join(folder, 'token'), 'first\n');
  const api = await start({ objects: [namespace], token: 'first' });
  t.teardown(() => api.close());
  const inCluster = openInClusterAccess(
    { KUBERNETES_SERVICE_HOST: '127.0.0.1', KUBERNETES_SERVICE_PORT: String(api.port) },
    folder,
  );
  t.is(inCluster.server.href, `https://127.0.0.1:${api.port}/`);
  // The fake server speaks plain HTTP: the same access with another scheme.
  const { until, stop, source } = follow({ ...inCluster, server: new URL(api.url) });
  t.teardown(stop);
  await until('shop');
  api.setToken('second');
  fs.writeFileSync(path.join(folder, 'token'), 'second\n');
  api.dropWatches();
  api.apply(service('a'));
  await until('shop', 'shop/a');
  t.true(source.synced);
  fs.rmSync(folder, { recursive: true });
});

test('IPv6 service address: the URL has brackets', (t) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'account-'));
  fs.writeFileSync(path.join(folder, 'token'), 'x');
  const access = openInClusterAccess({ KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '443' }, folder);
  t.is(access.server.hostname, '[fd00::1]');
  fs.rmSync(folder, { recursive: true });
});

test('kubeconfig: token user and named context over the official client', async (t) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'kubeconfig-'));
  const api = await start({ objects: [namespace], token: 'secret' });
  t.teardown(() => api.close());
  const file = path.join(folder, 'config');
  const clusters = [{ name: 'c', cluster: { server: api.url } }];
  const users = [
    { name: 'u', user: { token: 'secret' } },
    { name: 'nobody', user: {} },
  ];
  const contexts = [
    { name: 'works', context: { cluster: 'c', user: 'u' } },
    { name: 'half', context: { cluster: 'missing', user: 'u' } },
  ];
  fs.writeFileSync(
    file,
    JSON.stringify({ apiVersion: 'v1', kind: 'Config', clusters, users, contexts, 'current-context': 'works' }),
  );
  for (const context of [undefined, 'works']) {
    const { until, stop } = follow(await openKubeconfigAccess(file, context));
    t.teardown(stop);
    await until('shop');
  }
  await t.throwsAsync(openKubeconfigAccess(file, 'nope'), {
    instanceOf: ConfigError,
    message: /there is no context "nope"/,
  });
  await t.throwsAsync(openKubeconfigAccess(file, 'half'), { message: /names a cluster that is missing/ });
  fs.writeFileSync(file, 'a: [');
  await t.throwsAsync(openKubeconfigAccess(file), { instanceOf: ConfigError, code: 'CLUSTER' });
  fs.writeFileSync(file, '');
  await t.throwsAsync(openKubeconfigAccess(file), { instanceOf: ConfigError, code: 'CLUSTER' });
  await t.throwsAsync(openKubeconfigAccess(path.join(folder, 'none')), {
    instanceOf: ConfigError,
    message: /no such file/,
  });
  fs.rmSync(folder, { recursive: true });
});

const REFUSED = [
  ['not in a Pod', () => openInClusterAccess({}), /not in a Pod: KUBERNETES_SERVICE_HOST/],
  [
    'no token',
    () => openInClusterAccess({ KUBERNETES_SERVICE_HOST: 'h', KUBERNETES_SERVICE_PORT: '1' }, '/nonexistent'),
    /service account token \/nonexistent\/token/,
  ],
  ['not a URL', () => openEndpointAccess('http://'), /not the URL of an API server/],
  ['another scheme', () => openEndpointAccess('ftp://x'), /not the URL of an API server/],
  [
    'missing certificate',
    () => openEndpointAccess('https://x', { cert: '/nonexistent', key: '/nonexistent', ca: '/nonexistent' }),
    /client certificate \/nonexistent/,
  ],
  [
    'not a certificate',
    () =>
      openEndpointAccess('https://x', {
        cert: import.meta.filename,
        key: import.meta.filename,
        ca: import.meta.filename,
      }),
    /^tls: /,
  ],
] as const;
for (const [what, open, message] of REFUSED)
  test(`the client cannot be built: ${what} is an error CLUSTER`, (t) => {
    t.throws(open, { instanceOf: ConfigError, code: 'CLUSTER', message });
  });

test('an endpoint without scheme is http, or https with TLS files', (t) => {
  t.is(openEndpointAccess('localhost:8080').server.href, 'http://localhost:8080/');
});
