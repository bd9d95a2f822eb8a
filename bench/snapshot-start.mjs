#!/usr/bin/env node
// Restart without an API server from a saved view: when forwarded names and the cluster's names are answered, and what it costs.
//
//   node bench/snapshot-start.mjs [--services 10000] [--endpoints 10] [--rounds 5] [--core 0] [--folder DIR] [--node-flags WORDS]
//
// `--core` keeps the server on one core. With `--folder` cluster and saved view are kept there for the next run. Times are
// milliseconds since exec, CPU milliseconds are those of the whole process when the last name was answered. Last line JSON.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { startUpstream } from '../test/fault/rig.mjs';
import { DnsClient } from '../test/scenario/dns-client.mjs';
import { findFreePort, makeFolder, Program, sleep, waitFor } from '../test/scenario/programs.mjs';
import { spawnServer } from '../test/scenario/server.mjs';
import { makeCluster } from './cluster.mjs';

const { values } = parseArgs({
  options: {
    services: { type: 'string', default: '10000' },
    endpoints: { type: 'string', default: '10' },
    rounds: { type: 'string', default: '5' },
    core: { type: 'string' },
    folder: { type: 'string' },
    'node-flags': { type: 'string' },
  },
});
const TICKS_PER_SECOND = 100;
const ASK_EVERY_MS = 5;

const folder = values.folder ?? makeFolder('snapshot-start');
fs.mkdirSync(folder, { recursive: true });
const { objects, names } = makeCluster({ services: Number(values.services), endpoints: Number(values.endpoints) });
const saved = path.join(folder, 'saved');
const port = await findFreePort();
const upstream = await startUpstream({ any: ['60 A 192.0.2.1'] });

const api = await startApi();
const corefile = path.join(folder, 'Corefile');
fs.writeFileSync(
  corefile,
  `.:${port} {
    bind 127.0.0.1
    errors
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        endpoint ${api.url}
        fallthrough in-addr.arpa ip6.arpa
        snapshot ${saved} 1000h
    }
    forward . ${upstream.to}
    cache 30
}
`,
);
if (api.program !== undefined) await save();

const every = Math.floor(names.clusterIp.length / 50);
const ASKED = {
  forwarded: [['www.example.org.', 'A']],
  first: [[names.clusterIp[0], 'A']],
  all: [
    ...names.clusterIp.filter((_, at) => at % every === 0).map((name) => [name, 'A']),
    ...[names.clusterIp.at(-1), names.headless.at(-1), names.dual.at(-1)].map((name) => [name, 'A']),
    [`${names.ips.at(-1).split('.').reverse().join('.')}.in-addr.arpa.`, 'PTR'],
  ],
  denied: [['no-such.team-0.svc.cluster.local.', 'A', 'NXDOMAIN']],
};
const rounds = [];
for (let round = 0; round < Number(values.rounds); round++) {
  rounds.push(await restart());
  process.stderr.write(`${JSON.stringify(rounds.at(-1))}\n`);
}
await upstream.close();
const median = (key) => rounds.map((round) => round[key]).sort((a, b) => a - b)[rounds.length >> 1];
const medians = Object.fromEntries(Object.keys(rounds[0]).map((key) => [key, median(key)]));
process.stdout.write(`${JSON.stringify({ ...medians, rounds: rounds.length, load: os.loadavg()[0] })}\n`);

/** The API server for the view that is saved; only its address when there is a saved one. */
async function startApi() {
  const addressFile = path.join(folder, 'api');
  if (fs.existsSync(saved) && fs.existsSync(addressFile)) return { url: fs.readFileSync(addressFile, 'utf8') };
  const objectsFile = path.join(folder, 'objects.json');
  fs.writeFileSync(objectsFile, JSON.stringify(objects));
  const program = new Program(process.execPath, [
    path.join(import.meta.dirname, '../test/conformance/fake-apiserver.mjs'),
    '--objects',
    objectsFile,
  ]);
  const [, url] = await waitFor('API server', () => /listening on (\S+)/.exec(program.stdout), 60_000);
  fs.writeFileSync(addressFile, url);
  return { url, program };
}

async function save() {
  const server = spawnServer(['-conf', corefile]);
  await waitFor(
    'saved view',
    () => fs.existsSync(saved) && fs.readdirSync(saved).some((name) => name.endsWith('.snapshot')),
    120_000,
  );
  await server.stop();
  await api.program.stop();
}

async function restart() {
  const client = new DnsClient(port);
  const wrap = values.core === undefined ? [] : ['taskset', '-c', values.core];
  const env = values['node-flags'] === undefined ? {} : { NODE_OPTIONS: values['node-flags'] };
  const startMs = performance.now();
  const server = spawnServer(['-conf', corefile], { wrap, env });
  const result = {};
  try {
    await Promise.all(
      Object.entries(ASKED).map(async ([what, questions]) => {
        for (const question of questions) await answered(client, question);
        result[`${what}Ms`] = Math.round(performance.now() - startMs);
        if (what === 'all') result.cpuMs = cpuMs(server.pid);
      }),
    );
    await sleep(500);
    result.rssMb = Math.round(
      Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${server.pid}/status`, 'latin1'))[1]) / 1024,
    );
    result.peakMb = Math.round(
      Number(/VmHWM:\s+(\d+)/.exec(fs.readFileSync(`/proc/${server.pid}/status`, 'latin1'))[1]) / 1024,
    );
  } finally {
    client.close();
    await server.stop();
  }
  return result;
}

async function answered(client, [name, type, rcode = 'NOERROR']) {
  for (const endMs = performance.now() + 30_000; performance.now() < endMs; ) {
    const askedMs = performance.now();
    if ((await client.ask(name, type, { timeoutMs: 40 }))?.rcode === rcode) return;
    await sleep(Math.max(0, ASK_EVERY_MS - (performance.now() - askedMs)));
  }
  throw new Error(`${name} ${type}: not answered`);
}

function cpuMs(pid) {
  const fields = fs.readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1].split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_SECOND;
}
