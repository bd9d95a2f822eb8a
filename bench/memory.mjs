#!/usr/bin/env node
// Memory of the whole program that follows a cluster: steady, and the peak over its start and three forced relists.
//
//   node bench/memory.mjs [--services 10000] [--endpoints 10] [--pods 0] [--topology zone|node] [--cgroup MIB] [--paged]
//
// `--cgroup` runs the server in a memory cgroup of that size (cgroup v1 or v2, when it can be written). Figures are those of
// the process (VmHWM, VmRSS); the last line is JSON. Worth something only on a machine with little else to do.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { DnsClient } from '../test/scenario/dns-client.mjs';
import { findFreePort, makeFolder, Program, sleep, waitFor } from '../test/scenario/programs.mjs';
import { spawnServer } from '../test/scenario/server.mjs';
import { makeCluster } from './cluster.mjs';

const { values } = parseArgs({
  options: {
    services: { type: 'string', default: '10000' },
    endpoints: { type: 'string', default: '10' },
    pods: { type: 'string', default: '0' },
    topology: { type: 'string' },
    cgroup: { type: 'string' },
    paged: { type: 'boolean', default: false },
  },
});
const services = Number(values.services);
const endpoints = Number(values.endpoints);
const pods = Number(values.pods);
const RELISTS = 3;
/** The heap is looked at every few seconds; what is steady shows after some of them. */
const SETTLE_MS = 20_000;

const folder = makeFolder('memory');
const objectsFile = path.join(folder, 'objects.json');
const { objects, names } = makeCluster({ services, endpoints });
for (let n = 0; n < pods; n++)
  objects.push({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `app-${n}-7d9c5b6f4-x2x7z`, namespace: `team-${n % 100}`, labels: { app: `app-${n}` } },
    spec: { nodeName: `node-${n % 500}`, containers: [{ name: 'app', image: 'registry.example/app:1.2.3' }] },
    status: { phase: 'Running', podIP: `10.${200 + (n >> 16)}.${(n >> 8) & 255}.${n & 255}` },
  });
fs.writeFileSync(objectsFile, JSON.stringify(objects));
const last = names.clusterIp.at(-1);

const apiWords = ['--objects', objectsFile, ...(values.paged ? ['--no-watchlist'] : [])];
const api = new Program(process.execPath, [
  path.join(import.meta.dirname, '../test/conformance/fake-apiserver.mjs'),
  ...apiWords,
]);
const [, url] = await waitFor('API server', () => /listening on (\S+)/.exec(api.stdout), 60_000);

const port = await findFreePort();
const corefile = path.join(folder, 'Corefile');
const podLine = pods > 0 ? ' pods verified\n' : '';
const topologyLine = values.topology === undefined ? '' : ` topology ${values.topology} node-1\n`;
fs.writeFileSync(
  corefile,
  `.:${port} {\n bind 127.0.0.1\n kubernetes cluster.local in-addr.arpa {\n endpoint ${url}\n startup_timeout 60s\n${podLine}${topologyLine} }\n}\n`,
);

const group = values.cgroup === undefined ? undefined : makeGroup(Number(values.cgroup));
const server = spawnServer(['-conf', corefile], group === undefined ? {} : { wrap: group.wrap });
const client = new DnsClient(port);
try {
  await answered(60_000);
  const firstMib = peak();
  await sleep(SETTLE_MS);
  const steadyMib = resident();
  for (let relist = 0; relist < RELISTS; relist++) {
    await fetch(`${url}/_fake/gone`, { method: 'POST', body: '{}' });
    await sleep(12_000);
    await answered(5000);
  }
  const peakMib = peak();
  await sleep(SETTLE_MS);
  const result = {
    services,
    endpoints: services * endpoints,
    pods,
    topology: values.topology ?? null,
    streaming: !values.paged,
    firstAnswerPeakMib: firstMib,
    steadyMib,
    peakMib,
    afterMib: resident(),
    ofWhich: { anonymous: status('RssAnon'), files: status('RssFile'), shared: status('RssShmem') },
    peakToSteady: Math.round((peakMib / steadyMib) * 100) / 100,
    cgroup: group === undefined ? null : { limitMib: Number(values.cgroup), peakMib: group.peakMib() },
    load: os.loadavg().map((value) => Math.round(value * 10) / 10),
    cores: os.availableParallelism(),
  };
  process.stdout.write(`${JSON.stringify(result)}\n`);
} catch (error) {
  process.stdout.write(`${error.message}\n${JSON.stringify(server.ended ?? null)} ${server.output.slice(-1500)}\n`);
  process.exitCode = 1;
} finally {
  client.close();
  await server.stop();
  await api.stop();
  group?.remove();
}

async function answered(limitMs) {
  await waitFor(
    'answer',
    async () => {
      if (server.ended) throw new Error('the server ended');
      return (await client.ask(last, 'A', { timeoutMs: 500 }))?.rcode === 'NOERROR';
    },
    limitMs,
  );
}

function status(key) {
  const text = fs.readFileSync(`/proc/${server.pid}/status`, 'latin1');
  return Math.round(Number(new RegExp(`${key}:\\s+(\\d+)`).exec(text)[1]) / 1024);
}
function peak() {
  return status('VmHWM');
}
function resident() {
  return status('VmRSS');
}

/** A memory cgroup of its own; the shell moves itself into it and becomes the server. */
function makeGroup(mib) {
  const isV2 = fs.existsSync('/sys/fs/cgroup/cgroup.controllers');
  const at = `/sys/fs/cgroup${isV2 ? '' : '/memory'}/clusterdns-bench-${process.pid}`;
  fs.mkdirSync(at);
  fs.writeFileSync(path.join(at, isV2 ? 'memory.max' : 'memory.limit_in_bytes'), String(mib * 2 ** 20));
  return {
    wrap: ['sh', '-c', `echo $$ > ${at}/cgroup.procs && exec "$@"`, 'sh'],
    peakMib() {
      const file = path.join(at, isV2 ? 'memory.peak' : 'memory.max_usage_in_bytes');
      return Math.round(Number(fs.readFileSync(file, 'latin1')) / 2 ** 20);
    },
    remove: () => void spawn('rmdir', [at], { stdio: 'ignore' }),
  };
}
