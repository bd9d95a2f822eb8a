// What a kubeconfig can hold beside tokens; client certificates are tried against a real API server in test/cluster.
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { systemClock } from '../../../../lib/base/clock.ts';
import { ApiClient } from '../../../../lib/sources/kubernetes/client.ts';
import { openKubeconfigAccess } from '../../../../lib/sources/kubernetes/kubeconfig.ts';
import { start } from '../../../conformance/fake-apiserver.mjs';

function makeFolder(t: ExecutionContext): string {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'kubeconfig-'));
  t.teardown(() => fs.rmSync(folder, { recursive: true }));
  return folder;
}

/** Writes a kubeconfig with one cluster and user; credentials are asked for although the server speaks plain HTTP. */
function writeKubeconfig(folder: string, cluster: object, user: object): string {
  const file = path.join(folder, 'config');
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'c', cluster: { 'insecure-skip-tls-verify': true, ...cluster } }],
    users: [{ name: 'u', user }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'x',
  };
  fs.writeFileSync(file, JSON.stringify(config));
  return file;
}

/** Status of one list request made with the kubeconfig's credentials. */
async function listStatus(t: ExecutionContext, file: string): Promise<number> {
  const client = new ApiClient(await openKubeconfigAccess(file), { userAgent: 'test', clock: systemClock });
  t.teardown(() => client.close());
  const { status, body } = await client.get({
    verb: 'list',
    path: '/api/v1/services?limit=1',
    signal: AbortSignal.timeout(10_000),
  });
  // Read to its end, so that the connection is free again.
  for await (const chunk of body) if (chunk.length === 0) break;
  return status;
}

async function startApi(t: ExecutionContext, token: string): Promise<string> {
  const api = await start({ objects: [], token });
  t.teardown(() => api.close());
  return api.url;
}

test('kubeconfig: a program (exec) gives the token', async (t) => {
  const folder = makeFolder(t);
  const server = await startApi(t, 'from-a-program');
  const credential = {
    apiVersion: 'client.authentication.k8s.io/v1',
    kind: 'ExecCredential',
    status: { token: 'from-a-program' },
  };
  const exec = {
    apiVersion: 'client.authentication.k8s.io/v1',
    command: process.execPath,
    args: ['-e', `process.stdout.write(${JSON.stringify(JSON.stringify(credential))})`],
    interactiveMode: 'Never',
  };
  t.is(await listStatus(t, writeKubeconfig(folder, { server }, { exec })), 200);
});

test('kubeconfig: an OIDC provider gives its ID token', async (t) => {
  const folder = makeFolder(t);
  const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url');
  const idToken = `${encode({ alg: 'none' })}.${encode({ exp: 4_000_000_000 })}.signature`;
  const server = await startApi(t, idToken);
  const config = {
    'client-id': 'me',
    'client-secret': 'secret',
    'id-token': idToken,
    'refresh-token': 'again',
    'idp-issuer-url': 'http://127.0.0.1:1',
  };
  const file = writeKubeconfig(folder, { server }, { 'auth-provider': { name: 'oidc', config } });
  t.is(await listStatus(t, file), 200);
});

test('kubeconfig: requests go through the proxy', async (t) => {
  const folder = makeFolder(t);
  const server = await startApi(t, 'secret');
  let seen = 0;
  const proxy = http.createServer((request, response) => {
    seen++;
    http.get(request.url!, { headers: request.headers }, (reply) => {
      response.writeHead(reply.statusCode ?? 502, reply.headers);
      reply.pipe(response);
    });
  });
  proxy.on('connect', (request, socket, head) => {
    seen++;
    const [host, port] = request.url!.split(':');
    const upstream = net.connect(Number(port), host, () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      upstream.write(head);
      upstream.pipe(socket).pipe(upstream);
    });
    upstream.on('error', () => socket.destroy());
  });
  await new Promise<void>((resolve) => void proxy.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    proxy.closeAllConnections();
    proxy.close();
  });
  const { port } = proxy.address() as net.AddressInfo;
  const file = writeKubeconfig(folder, { server, 'proxy-url': `http://127.0.0.1:${port}` }, { token: 'secret' });
  t.is(await listStatus(t, file), 200);
  t.true(seen > 0);
});
