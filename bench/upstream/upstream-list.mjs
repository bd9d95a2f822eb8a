// Files and host names that say who the upstreams are, and then say something else.
import fs from 'node:fs';
import path from 'node:path';
import { makeFolder, sleep } from '../../test/scenario/programs.mjs';
import { timeUntil } from './figures.mjs';

const GOALS = { 'used after ms': '<= 2000', 'kept when the list is gone': '1' };
/** Nobody waits longer for a list to be read again. */
const LIMIT_MS = 15_000;

export const scenarios = [
  { name: 'resolv.conf is written anew', goals: GOALS, run: (rig) => resolvConf(rig, writeInPlace) },
  { name: 'resolv.conf is swapped by symlink', goals: GOALS, run: (rig) => resolvConf(rig, swap) },
  { name: "an upstream's host name moves", goals: GOALS, run: hostName },
];

function writeInPlace(folder, address) {
  fs.writeFileSync(path.join(folder, 'resolv.conf'), `nameserver ${address}\n`);
}

/** As the kubelet does it with a ConfigMap: the file is a link through a folder that is itself a link. */
function swap(folder, address) {
  const version = `version-${address}`;
  fs.mkdirSync(path.join(folder, version));
  fs.writeFileSync(path.join(folder, version, 'resolv.conf'), `nameserver ${address}\n`);
  fs.symlinkSync(version, path.join(folder, 'new'));
  fs.renameSync(path.join(folder, 'new'), path.join(folder, 'current'));
  if (!fs.existsSync(path.join(folder, 'resolv.conf'))) {
    fs.symlinkSync('current/resolv.conf', path.join(folder, 'resolv.conf'));
  }
}

/** Nameserver lines have no port: both upstreams listen on port 53, which needs root. */
async function startTwo(rig) {
  const one = await rig.startUpstream({}, { address: '127.0.0.31', port: 53 });
  return [one, await rig.startUpstream({}, { address: '127.0.0.32', port: 53 })];
}

async function resolvConf(rig, write) {
  const [one, two] = await startTwo(rig);
  const folder = makeFolder('resolv');
  write(folder, one.address);
  const server = await rig.startServer(`forward . ${folder}/resolv.conf`);
  return follow(rig, server, two, {
    move: () => write(folder, two.address),
    lose: () => fs.unlinkSync(path.join(folder, 'resolv.conf')),
  });
}

async function hostName(rig) {
  const [one, two] = await startTwo(rig);
  const resolver = await rig.startUpstream({ address: one.address }, { address: '127.0.0.33' });
  const server = await rig.startServer(`forward . dns.moving.test {\nresolver ${resolver.to}\n}`);
  return follow(rig, server, two, {
    move: () => resolver.set({ address: two.address }),
    lose: () => resolver.set({ rcode: 2 }),
  });
}

async function follow(rig, server, two, { move, lose }) {
  await rig.settle();
  let count = 0;
  const ask = async () => (await server.client.ask(`m${count++}.test.`, 'A', { timeoutMs: 1000 }))?.data[0];
  move();
  const usedMs = await timeUntil(async () => (await ask()) === two.address, LIMIT_MS);
  lose();
  await sleep(3000);
  return { 'used after ms': usedMs, 'kept when the list is gone': Number((await ask()) === two.address) };
}
