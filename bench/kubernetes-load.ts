// Loads the synthetic cluster from the fake API server in another process: time, longest block of the event loop, heap and
// peak memory of the reflectors alone (no records, no store). `node --expose-gc bench/kubernetes-load.ts [paged] [SERVICES] [ENDPOINTS]`
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { systemClock } from '../lib/base/clock.ts';
import { createLogger } from '../lib/base/log.ts';
import { openEndpointAccess } from '../lib/sources/kubernetes/access.ts';
import { ApiClient } from '../lib/sources/kubernetes/client.ts';
import { ClusterSource } from '../lib/sources/kubernetes/cluster-source.ts';
import { ALL_SLICE_COLUMNS } from '../lib/sources/kubernetes/objects/endpoint-slice.ts';
import {
  createEndpointSliceResource,
  createNamespaceResource,
  createServiceResource,
} from '../lib/sources/kubernetes/resource.ts';

const paged = process.argv.includes('paged');
const allColumns = process.argv.includes('all-columns');
const [services = 10_000, endpoints = 10] = process.argv
  .slice(2)
  .filter((text) => /^\d+$/.test(text))
  .map(Number);
const here = import.meta.dirname;
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'kubernetes-load-'));
const objectsFile = path.join(folder, 'objects.json');
const maker = `import { makeCluster } from ${JSON.stringify(path.join(here, 'cluster.mjs'))};
import fs from 'node:fs';
fs.writeFileSync(${JSON.stringify(objectsFile)}, JSON.stringify(makeCluster({ services: ${services}, endpoints: ${endpoints} }).objects));`;
const made = spawn(process.execPath, ['--input-type=module', '-e', maker], { stdio: 'inherit' });
await new Promise((resolve) => made.once('exit', resolve));

const server = spawn(process.execPath, [
  path.join(here, '../test/conformance/fake-apiserver.mjs'),
  '--objects',
  objectsFile,
  ...(paged ? ['--no-watchlist'] : []),
]);
const url = await new Promise<string>((resolve) => {
  server.stdout.on('data', (text: Buffer) => {
    const match = /listening on (\S+)/.exec(text.toString());
    if (match) resolve(match[1]!);
  });
});

const heapMb = (): number => {
  globalThis.gc?.();
  globalThis.gc?.();
  return process.memoryUsage().heapUsed / 1e6;
};
const heapBefore = heapMb();
const rssBefore = process.memoryUsage.rss() / 1e6;
let objects = 0;
const sink = {
  upsert: () => void objects++,
  remove: () => undefined,
  synced: () => undefined,
  proofOfLife: () => undefined,
};
const client = new ApiClient(openEndpointAccess(url), { userAgent: 'bench', clock: systemClock });
const source = new ClusterSource(client, { clock: systemClock, random: Math.random, log: createLogger() });
source.follow(createServiceResource(), sink);
source.follow(createNamespaceResource(), sink);
const columns = allColumns ? ALL_SLICE_COLUMNS : { targetNames: false, nodeNames: false, zones: false };
source.follow(createEndpointSliceResource(columns), sink);

const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();
let longestTurnMs = 0;
/** CPU time of this thread alone: what the longest turn costs on a machine that is not shared. */
let longestCpuMs = 0;
let lastMs = performance.now();
const threadCpuMs = (): number => {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
};
let lastCpuMs = threadCpuMs();
const tick = (): void => {
  const nowMs = performance.now();
  longestTurnMs = Math.max(longestTurnMs, nowMs - lastMs);
  lastMs = nowMs;
  const cpuMs = threadCpuMs();
  longestCpuMs = Math.max(longestCpuMs, cpuMs - lastCpuMs);
  lastCpuMs = cpuMs;
  if (!source.synced) setImmediate(tick);
};
const startMs = performance.now();
const startCpu = process.cpuUsage();
source.start();
tick();
while (!source.synced) await new Promise((resolve) => setTimeout(resolve, 5));
const elapsedMs = performance.now() - startMs;
const cpu = process.cpuUsage(startCpu);
delay.disable();
const peakMb = process.resourceUsage().maxRSS / 1000;
const heapAfter = heapMb();
const print = (text: string): void => void process.stdout.write(`${text}\n`);
print(`${paged ? 'paged list' : 'streaming list'}, ${objects} objects, ${allColumns ? 'all' : 'default'} columns`);
print(`time ${elapsedMs.toFixed(0)} ms, cpu ${((cpu.user + cpu.system) / 1000).toFixed(0)} ms`);
print(
  `longest turn ${longestTurnMs.toFixed(1)} ms (cpu ${longestCpuMs.toFixed(1)} ms), event loop delay max ${(delay.max / 1e6).toFixed(1)} ms`,
);
print(
  `rss before ${rssBefore.toFixed(0)} MB, peak ${peakMb.toFixed(0)} MB, after ${(process.memoryUsage.rss() / 1e6).toFixed(0)} MB`,
);
print(`heap retained ${(heapAfter - heapBefore).toFixed(1)} MB`);
source.stop();
client.close();
server.kill();
fs.rmSync(folder, { recursive: true });
