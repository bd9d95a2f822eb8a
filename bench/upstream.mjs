#!/usr/bin/env node
// What clients see when upstreams are slow, sick or gone, and when one client is greedy: this server beside others, one table.
//
//   node bench/upstream.mjs [--peer NAME='COMMAND -conf {corefile}']... [--only REGEX] [--rounds 1]
//                           [--server-cpu 1] [--load-cpu 0]
//
// CLUSTERDNS_WORKERS=2 in the environment gives this server the two workers of its image although it has one CPU.
//
// Load and upstreams run on one CPU, the server under test on another; "all" pins nothing. As root both go before the machine's
// other users. The median of the rounds is shown, and all values where they differ. The last line is JSON. Needs dnsperf.
import path from 'node:path';
import { parseArgs } from 'node:util';
import { scenarios as blackHole } from './upstream/black-hole.mjs';
import { scenarios as deadLog } from './upstream/dead-log.mjs';
import { scenarios as flood } from './upstream/flood.mjs';
import { scenarios as forgery } from './upstream/forgery.mjs';
import { scenarios as hedging } from './upstream/hedging.mjs';
import { scenarios as loop } from './upstream/loop.mjs';
import { Rig, pinLoad, startCluster } from './upstream/rig.mjs';
import { scenarios as stale } from './upstream/stale.mjs';
import { scenarios as upstreamList } from './upstream/upstream-list.mjs';

/** The shell's launcher: it becomes the server, so that no second process is in the figures. */
const OURS = `${path.resolve(import.meta.dirname, '../bin/clusterdns')} -conf {corefile}`;
const SCENARIOS = [...hedging, ...flood, ...blackHole, ...stale, ...upstreamList, ...loop, ...deadLog, ...forgery];

const { values } = parseArgs({
  options: {
    peer: { type: 'string', multiple: true, default: [] },
    only: { type: 'string', default: '' },
    rounds: { type: 'string', default: '1' },
    'server-cpu': { type: 'string', default: '1' },
    'load-cpu': { type: 'string', default: '0' },
  },
});
const others = values.peer.map((text) => {
  const at = text.indexOf('=');
  return { name: text.slice(0, at), command: text.slice(at + 1) };
});
// A peer named "ours" takes the place of the server of this folder.
const hasOurs = others.some(({ name }) => name === 'ours');
const peers = [...(hasOurs ? [] : [{ name: 'ours', command: OURS }]), ...others];

await pinLoad(values['load-cpu']);
const cluster = await startCluster();
const report = {};
for (const scenario of SCENARIOS.filter(({ name }) => new RegExp(values.only).test(name))) {
  const found = Object.fromEntries(peers.map(({ name }) => [name, []]));
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const peer of peers) found[peer.name].push(await measure(scenario, peer));
  }
  report[scenario.name] = found;
  print(scenario, found);
}
await cluster.stop();
process.stdout.write(`${JSON.stringify(report)}\n`);
process.exit();

/** Runs a scenario; once more when a port that was free has been taken by another program meanwhile. */
async function measure(scenario, peer, attempts = 3) {
  const rig = new Rig({ peer, cluster, cpu: values['server-cpu'] });
  try {
    return await scenario.run(rig);
  } catch (error) {
    if (attempts === 1 || !String(error).includes('address already in use')) throw error;
  } finally {
    await rig.close();
  }
  return measure(scenario, peer, attempts - 1);
}

function print({ name, goals = {} }, found) {
  const names = peers.map((peer) => peer.name);
  process.stdout.write(
    `\n## ${name}\n\n| figure | goal | ${names.join(' | ')} |\n|${' --- |'.repeat(names.length + 2)}\n`,
  );
  for (const figure of Object.keys(found[names[0]][0])) {
    const cells = names.map((peer) => show(found[peer].map((result) => result[figure])));
    process.stdout.write(`| ${figure} | ${goals[figure] ?? ''} | ${cells.join(' | ')} |\n`);
  }
}

function show(values) {
  if (values.every((value) => Number.isNaN(value))) return 'none';
  const sorted = values.toSorted((a, b) => a - b);
  const median = sorted[Math.floor(sorted.length / 2)];
  return sorted.length === 1 || sorted[0] === sorted.at(-1)
    ? String(median).replace('Infinity', 'never')
    : `${median} (${values.join(', ')})`;
}
