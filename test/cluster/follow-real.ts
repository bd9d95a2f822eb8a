// Follows a real API server (kube-lite, see apiserver/README.md): first list, kubectl's changes, an expired watch cache, a
// restart. Bounded to about a minute. `node test/cluster/follow-real.ts KUBE_LITE_BINARY`; needs kubectl; exit status 1 on failure.
import { execFile, spawn } from 'node:child_process';
import fs from 'node:fs';
import https from 'node:https';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { systemClock } from '../../lib/base/clock.ts';
import { createLogger } from '../../lib/base/log.ts';
import { ApiClient } from '../../lib/sources/kubernetes/client.ts';
import { ClusterSource } from '../../lib/sources/kubernetes/cluster-source.ts';
import { openKubeconfigAccess } from '../../lib/sources/kubernetes/kubeconfig.ts';
import type { ObjectIdentity } from '../../lib/sources/kubernetes/objects/metadata.ts';
import {
  createEndpointSliceResource,
  createNamespaceResource,
  createServiceResource,
} from '../../lib/sources/kubernetes/resource.ts';

const run = promisify(execFile);
const print = (text: string): void => void process.stdout.write(`${text}\n`);
const binary = process.argv[2] ?? path.join(import.meta.dirname, 'apiserver/kube-lite');
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'kube-lite-'));
const SERVICES = 500;

/** Starts the server on `listen` and waits until it serves. */
async function startServer(listen: string): Promise<{ url: string; stop: () => Promise<void> }> {
  const server = spawn(binary, ['--listen', listen, '--dir', folder, '--rbac-readonly'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const url = await new Promise<string>((resolve, reject) => {
    server.once('error', reject);
    server.once('exit', (code) => reject(new Error(`${binary} ended with ${code}`)));
    server.stdout.on('data', (text: Buffer) => {
      const match = /ready (https:\S+)/.exec(text.toString());
      if (match !== null) resolve(match[1]!);
    });
  });
  const stop = (): Promise<void> =>
    new Promise((resolve) => {
      server.removeAllListeners('exit');
      server.once('exit', () => resolve());
      server.kill('SIGTERM');
    });
  return { url, stop };
}

const kubectl = (...args: string[]): Promise<unknown> =>
  run('kubectl', ['--kubeconfig', path.join(folder, 'admin.kubeconfig'), ...args], { timeout: 20_000 });

const keys = new Set<string>();
let emptied = false;
const sink = {
  upsert: (object: ObjectIdentity) => void keys.add(object.key),
  remove(object: ObjectIdentity) {
    keys.delete(object.key);
    emptied ||= keys.size < SERVICES;
  },
  synced: () => undefined,
  proofOfLife: () => undefined,
};

async function until(what: string, withinMs: number, isDone: () => boolean): Promise<void> {
  const startMs = performance.now();
  while (!isDone()) {
    if (performance.now() - startMs > withinMs) throw new Error(`${what}: not within ${withinMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  print(`ok ${what} (${Math.round(performance.now() - startMs)} ms)`);
}

function post(url: string): Promise<void> {
  const token = fs.readFileSync(path.join(folder, 'admin-token'), 'utf8').trim();
  const ca = fs.readFileSync(path.join(folder, 'ca.crt'));
  return new Promise((resolve, reject) => {
    const request = https.request(
      url,
      { method: 'POST', ca, headers: { authorization: `Bearer ${token}` } },
      (response) => {
        response.resume();
        response.once('end', () => resolve());
      },
    );
    request.once('error', reject);
    request.end();
  });
}

let server = await startServer('127.0.0.1:0');
let stopSource = (): void => undefined;
try {
  const admin = ['--kubeconfig', path.join(folder, 'admin.kubeconfig')];
  await run(binary, ['load', ...admin, '--services', String(SERVICES), '--endpoints', '10'], { timeout: 60_000 });
  const client = new ApiClient(await openKubeconfigAccess(path.join(folder, 'kubeconfig')), {
    userAgent: 'CoreDNS/1.14.7 clusterdns',
    clock: systemClock,
  });
  const source = new ClusterSource(client, {
    clock: systemClock,
    random: Math.random,
    log: createLogger({ sink: print }),
  });
  source.follow(createNamespaceResource(), sink);
  source.follow(createServiceResource(), sink);
  source.follow(createEndpointSliceResource({ targetNames: false, nodeNames: false, zones: false }), sink);
  source.start();
  stopSource = () => {
    source.stop();
    client.close();
  };
  await until('first lists', 10_000, () => source.synced);
  await kubectl('create', 'service', 'clusterip', 'made', '--tcp=80', '--clusterip=10.111.0.1');
  await until('created Service', 1000, () => keys.has('default/made'));
  await kubectl('delete', 'service', 'made');
  await until('deleted Service', 1000, () => !keys.has('default/made'));
  await post(`${server.url}/debug/expire`);
  await kubectl('create', 'service', 'clusterip', 'after-expire', '--tcp=80', '--clusterip=10.111.0.2');
  await until('truth after 410', 15_000, () => keys.has('default/after-expire'));
  const listen = new URL(server.url).host;
  await server.stop();
  server = await startServer(listen);
  await kubectl('create', 'service', 'clusterip', 'after-restart', '--tcp=80', '--clusterip=10.111.0.3');
  await until('truth after a restart of the API server', 20_000, () => keys.has('default/after-restart'));
  if (emptied) throw new Error('the view was emptied');
  for (const status of source.status()) print(JSON.stringify(status));
} catch (error) {
  print(`not ok ${(error as Error).message}`);
  process.exitCode = 1;
} finally {
  stopSource();
  await server.stop();
  fs.rmSync(folder, { recursive: true, force: true });
}
