// What somebody who writes in an upstream's name can do: guess ports and IDs, end waits, burn CPU.
import { percent, round } from './figures.mjs';

export const scenarios = [
  {
    name: 'source ports of 500 queries one after the other',
    goals: { 'different source ports': '>= 128' },
    run: ports,
  },
  {
    name: '100 forged datagrams before each reply',
    goals: { 'right %': '100', 'cluster p99 ms': '< 50' },
    run: (rig) => forgeries(rig, { copies: 20, perSecond: 50 }),
  },
  {
    name: '400 forged datagrams before each reply',
    goals: { 'right %': '100', 'cluster p99 ms': '< 50' },
    run: (rig) => forgeries(rig, { copies: 80, perSecond: 20 }),
  },
];

async function ports(rig) {
  const upstream = await rig.startUpstream({ watchPorts: true });
  const server = await rig.startServer(`forward . ${upstream.to}`);
  await rig.settle();
  await upstream.report();
  const before = new Set((await upstream.report()).ports);
  for (let i = 0; i < 500; i++) await server.client.ask(`p${i}.test.`, 'A');
  const { ids, ports: seen } = await upstream.report();
  return {
    'different source ports': seen.filter((port) => !before.has(port)).length,
    'different IDs': new Set(ids).size,
    queries: ids.length,
  };
}

const KINDS = ['id', 'question', 'garbage', 'short', 'query'];
const SECONDS = 10;

/** @param copies of each kind of forgery, before each reply */
async function forgeries(rig, { copies, perSecond }) {
  const forge = Array.from({ length: copies }, () => KINDS).flat();
  const upstream = await rig.startUpstream({});
  const server = await rig.startServer(`forward . ${upstream.to}`);
  await rig.settle();
  const load = { names: ['f{n}.test.'], perSecond, seconds: SECONDS };
  const beside = { names: rig.clusterNames, perSecond: 100, seconds: SECONDS };
  const both = () => Promise.all([rig.runLoad(server, load), rig.runLoad(server, beside)]);
  // The first time includes what a program does once.
  await both();
  const idleMs = await cpuOf(server, both);
  upstream.set({ forge });
  const before = upstream.received;
  let result;
  const cluster = rig.runLoad(server, beside);
  const busyMs = await cpuOf(server, async () => (result = await rig.runLoad(server, load)));
  const inside = await cluster;
  return {
    'forged datagrams a second': forge.length * perSecond,
    'right %': percent(result.rights, result.sent),
    'p99 ms': result.p99Ms,
    'cluster right %': percent(inside.rights, inside.sent),
    'cluster p99 ms': inside.p99Ms,
    // A query that is sent again is forged for again.
    'CPU of one forged datagram, us': round(((busyMs - idleMs) * 1000) / (forge.length * (upstream.received - before))),
  };
}

async function cpuOf(server, run) {
  const before = server.program.cpuMs();
  await run();
  return server.program.cpuMs() - before;
}
