#!/usr/bin/env node
// How long the control thread of the whole program is kept from its event loop while it loads a cluster, follows 400 changes a
// second, and lists everything anew.
//
//   node bench/control-turns.mjs [--services 10000] [--endpoints 10] [--paged]
//
// Turns are given in time and in CPU time of the thread: on a machine with other work only the second says something of us.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { DnsClient } from '../test/scenario/dns-client.mjs';
import { findFreePort, makeFolder, Program, sleep, waitFor } from '../test/scenario/programs.mjs';
import { kubeadmCorefile, spawnServer } from '../test/scenario/server.mjs';
import { makeCluster } from './cluster.mjs';

const { values } = parseArgs({
  options: {
    services: { type: 'string', default: '10000' },
    endpoints: { type: 'string', default: '10' },
    paged: { type: 'boolean', default: false },
  },
});
const SETTLE_MS = 8000;
const CHURN_MS = 5000;
const CHANGES_PER_TICK = 20;
const CHURN_TICK_MS = 50;

const folder = makeFolder('turns');
const objectsFile = path.join(folder, 'objects.json');
const { objects, names } = makeCluster({ services: Number(values.services), endpoints: Number(values.endpoints) });
fs.writeFileSync(objectsFile, JSON.stringify(objects));
const slices = objects.filter(({ kind }) => kind === 'EndpointSlice');
const api = new Program(process.execPath, [
  path.join(import.meta.dirname, '../test/conformance/fake-apiserver.mjs'),
  '--objects',
  objectsFile,
  ...(values.paged ? ['--no-watchlist'] : []),
]);
const [, url] = await waitFor('API server', () => /listening on (\S+)/.exec(api.stdout), 60_000);

const ports = {
  port: await findFreePort(),
  health: await findFreePort(),
  ready: await findFreePort(),
  metrics: await findFreePort(),
};
const corefile = path.join(folder, 'Corefile');
fs.writeFileSync(
  corefile,
  kubeadmCorefile(`endpoint ${url}`, '127.0.0.1:9').replace(/\{(port|health|ready|metrics)\}/g, (_, key) => ports[key]),
);
const turnsFile = path.join(folder, 'turns.json');
const server = spawnServer(['-conf', corefile], {
  env: {
    TURNS_FILE: turnsFile,
    NODE_OPTIONS: `--import ${new URL('turn-probe.mjs', import.meta.url).href}`,
    CLUSTERDNS_WORKERS: '1',
  },
});
const client = new DnsClient(ports.port);
const phases = [];
try {
  await phase('load', async () => {
    await answered(60_000);
    await sleep(SETTLE_MS);
  });
  await phase('400 changes a second', churn);
  await phase('list anew', async () => {
    await fetch(`${url}/_fake/gone`, { method: 'POST', body: '{}' });
    await sleep(SETTLE_MS);
    await answered(30_000);
  });
  await phase('scrapes', async () => {
    for (let i = 0; i < 20; i++) await (await fetch(`http://127.0.0.1:${ports.metrics}/metrics`)).text();
  });
} finally {
  client.close();
  await server.stop();
  await api.stop();
}
report();

async function phase(name, body) {
  const fromMs = Date.now();
  await body();
  phases.push({ name, fromMs, toMs: Date.now() });
}

async function answered(limitMs) {
  const wanted = names.clusterIp.at(-1);
  const ask = async () => {
    if (server.ended !== undefined) throw new Error(`the server ended\n${server.output.slice(-2000)}`);
    return (await client.ask(wanted, 'A', { timeoutMs: 300 }))?.rcode === 'NOERROR';
  };
  await waitFor('answer', ask, limitMs);
}

async function churn() {
  const endMs = Date.now() + CHURN_MS;
  for (let n = 0; Date.now() < endMs; ) {
    const changed = Array.from({ length: CHANGES_PER_TICK }, () => change(slices[(n * 7919) % slices.length], n++));
    await fetch(`${url}/_fake/apply`, { method: 'POST', body: JSON.stringify(changed) });
    await sleep(CHURN_TICK_MS);
  }
}

/** The slice with one of its endpoints not ready. */
function change(slice, n) {
  const endpoints = structuredClone(slice.endpoints);
  endpoints[n % endpoints.length].conditions.ready = n % 2 === 0;
  return { ...slice, endpoints };
}

function report() {
  const { start, turns } = JSON.parse(fs.readFileSync(turnsFile, 'utf8'));
  const round = (ms) => Math.round(ms * 10) / 10;
  const result = phases.map(({ name, fromMs, toMs }) => {
    const inside = turns.filter(([atMs]) => atMs >= fromMs && atMs <= toMs);
    const longest = (column) => round(Math.max(0, ...inside.map((turn) => turn[column])));
    return {
      phase: name,
      longestMs: longest(1),
      longestCpuMs: longest(2),
      turnsOver20CpuMs: inside.filter((turn) => turn[2] > 20).length,
    };
  });
  process.stdout.write(`start of the program: ${round(start[1])} ms, ${round(start[2])} ms of CPU\n`);
  for (const { phase: name, longestMs, longestCpuMs, turnsOver20CpuMs } of result) {
    process.stdout.write(
      `${name}: longest turn ${longestMs} ms, ${longestCpuMs} ms of CPU; ${turnsOver20CpuMs} over 20 ms of CPU\n`,
    );
  }
  const load = os.loadavg().map((value) => round(value));
  process.stdout.write(
    `${JSON.stringify({ services: Number(values.services), endpoints: Number(values.endpoints), load, startCpuMs: round(start[2]), phases: result })}\n`,
  );
}
