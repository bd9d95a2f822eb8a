#!/usr/bin/env node
// A zone of 100,000 records from a file: what a query costs beside the cluster's zone, nsd and other peers, how long loading takes,
// and whether a reload loses queries. Needs dnsperf, nsd and taskset (Debian packages) and a built dist/ (npm run build).
//
//   node bench/zone.mjs [--peer coredns='/path/to/coredns -conf {corefile}'] [--records 100000] [--seconds 4] [--rounds 3]
//                       [--qps 20000] [--steps load,start,reload]
//
//   load    compare.mjs: the names of the cluster's Services, once from the zone file (peers `zone`, `nsd` and those given), once
//           from the cluster (peer `cluster`)
//   start   milliseconds from the file to a zone that is answered from, in this process
//   reload  the file gets another serial and other addresses every two seconds beside a paced load
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { spawn, spawnSync } from 'node:child_process';
import { DnsClient } from '../test/scenario/dns-client.mjs';
import { findFreePort, Program, runProgram, waitFor } from '../test/scenario/programs.mjs';
import { makeCluster, makeQueries } from './cluster.mjs';

const HERE = import.meta.dirname;
const LAUNCHER = path.join(HERE, '..', 'bin', 'clusterdns');
const SERVICES = 10_000;
const RELOAD_EVERY_MS = 2000;

const options = { peer: [], records: 100_000, seconds: 4, rounds: 3, qps: 20_000, steps: 'load,start,reload' };
for (let i = 2; i < process.argv.length; i += 2) {
  const name = process.argv[i].replace(/^--/, '');
  const value = process.argv[i + 1];
  if (!(name in options) || value === undefined) {
    process.stderr.write(`unknown option --${name}, there are: ${Object.keys(options).join(' ')}\n`);
    process.exit(2);
  }
  if (name === 'peer') options.peer.push(value);
  else options[name] = typeof options[name] === 'number' ? Number(value) : value;
}
const steps = new Set(options.steps.split(','));
const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'zone-bench-'));
process.on('exit', () => fs.rmSync(dir, { recursive: true, force: true }));

const { names } = makeCluster({ services: SERVICES });
const zoneFile = path.join(dir, 'cluster.local.zone');
const corefile = path.join(dir, 'Corefile');
writeZone(1);
fs.writeFileSync(
  corefile,
  `cluster.local {\n    bind 127.0.0.1\n    errors\n    prometheus 127.0.0.1:0\n    file ${zoneFile} {\n        reload ${RELOAD_EVERY_MS / 1000}s\n    }\n    loadbalance\n}\n`,
);
if (steps.has('load')) await compare();
if (steps.has('start')) await measureStart();
if (steps.has('reload')) await measureReload();

/** The names that queries ask for, and others up to the number of records. A new file appears in one step. */
function writeZone(serial) {
  const asked = [...names.clusterIp, ...names.dual, ...names.headless];
  const lines = ['$TTL 30', `@ SOA ns host ${serial} 3600 600 86400 5`, '@ NS ns', 'ns A 127.0.0.1'];
  const host = (i) => `${(i >> 8) & 255}.${i & 255}`;
  const net = `10.${String(serial % 250)}`;
  for (const [i, name] of asked.entries()) lines.push(`${String(name)} A ${net}.${host(i)}`);
  for (let i = 0; lines.length <= options.records; i++)
    lines.push(`host-${i}.team-${String(i % 100)}.svc A ${net}.${host(i)}`);
  fs.writeFileSync(`${zoneFile}.new`, `${lines.join('\n')}\n`);
  fs.renameSync(`${zoneFile}.new`, zoneFile);
}

async function compare() {
  fs.writeFileSync(
    path.join(dir, 'nsd.conf'),
    `server:\n  username: ""\n  chroot: ""\n  zonesdir: "${dir}"\n  pidfile: "${dir}/nsd.pid"\n  zonelistfile: "${dir}/zones"\n` +
      `  xfrdfile: ""\n  database: ""\n  server-count: 1\n  rrl-ratelimit: 0\nremote-control:\n  control-enable: no\n` +
      `zone:\n  name: cluster.local\n  zonefile: cluster.local.zone\n`,
  );
  const peers = [
    `zone=${LAUNCHER} -conf ${corefile} -p {port}`,
    `cluster=${LAUNCHER} -conf {corefile}`,
    `nsd=nsd -d -a 127.0.0.1@{port} -c ${dir}/nsd.conf`,
    ...options.peer.map((peer) => `${peer.replace('{corefile}', corefile)} -dns.port {port}`),
  ];
  const words = [
    '--steps',
    'load',
    '--mixes',
    'svc',
    '--seconds',
    String(options.seconds),
    '--rounds',
    String(options.rounds),
  ];
  const child = spawn(
    process.execPath,
    [path.join(HERE, 'compare.mjs'), ...words, ...peers.flatMap((peer) => ['--peer', peer])],
    {
      stdio: 'inherit',
    },
  );
  const code = await new Promise((resolve) => child.on('exit', resolve));
  if (code !== 0) process.exit(code ?? 1);
}

/** In a process of its own per run: nothing is compiled yet, as at a start. */
async function measureStart() {
  const script = path.join(HERE, 'zone-load.ts');
  const figures = [];
  for (let round = 0; round < options.rounds; round++) {
    const { stdout, stderr, status } = spawnSync(process.execPath, [script, zoneFile, 'cluster.local'], {
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(stderr);
    figures.push(stdout.trim());
  }
  console.log(`start                  ${figures.join('; ')}`);
}

async function measureReload() {
  const port = await findFreePort();
  const queries = path.join(dir, 'queries.txt');
  fs.writeFileSync(queries, `${makeQueries(names, 'svc', 100_000).join('\n')}\n`);
  const server = new Program('taskset', ['-c', '0', LAUNCHER, '-conf', corefile, '-p', String(port)]);
  const client = new DnsClient(port);
  const serialOf = async () => Number((await client.ask('cluster.local.', 'SOA'))?.answers[0]?.split(' ')[6]);
  await waitFor('the zone', async () => (await serialOf()) >= 1, 30_000);
  const seconds = Math.max(10, options.seconds);
  const first = await serialOf();
  let serial = first;
  const writing = setInterval(() => writeZone(++serial), RELOAD_EVERY_MS);
  const words = [
    '-c',
    '1',
    'dnsperf',
    '-s',
    '127.0.0.1',
    '-p',
    String(port),
    '-d',
    queries,
    '-l',
    String(seconds),
    '-c',
    '20',
    '-q',
    '200',
  ];
  const { stdout } = await runProgram('taskset', [...words, '-Q', String(options.qps)], {
    timeoutMs: (seconds + 30) * 1000,
  });
  clearInterval(writing);
  const figure = (pattern) => Number(pattern.exec(stdout)?.[1] ?? 'NaN');
  const sent = figure(/Queries sent:\s+(\d+)/);
  const completed = figure(/Queries completed:\s+(\d+)/);
  const loaded = (await serialOf()) - first;
  console.log(
    `reload                 sent=${sent}  answered=${completed}  lost=${sent - completed}  versions=${loaded}  a second=${options.qps}`,
  );
  client.close();
  await server.stop();
  if (sent !== completed || loaded < 1) process.exitCode = 1;
}
