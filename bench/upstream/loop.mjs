// An upstream that leads back to the server, at the start or later.
import { findFreePort, sleep } from '../../test/scenario/programs.mjs';
import { percent, timeUntil } from './figures.mjs';

const GOALS = {
  'process up': '1',
  'packets looped': '<= 50',
  'cluster names right %': '100',
  'log lines': '1',
  'recovered after ms': '<= 5000',
};
const SECONDS = 5;

export const scenarios = [
  { name: 'a forwarding loop at the start', goals: GOALS, run: atStart },
  { name: 'a forwarding loop that begins later', goals: GOALS, run: later },
];

async function atStart(rig) {
  const port = await findFreePort();
  const stub = await rig.startUpstream({ relayTo: { address: '127.0.0.1', port } }, { address: '127.0.0.41' });
  const server = await rig.startServer(lines(stub), { port }).catch(() => undefined);
  if (server !== undefined) await rig.settle();
  return observe(rig, server, stub, 0);
}

async function later(rig) {
  const stub = await rig.startUpstream({}, { address: '127.0.0.41' });
  const server = await rig.startServer(lines(stub));
  await rig.settle();
  const before = stub.received;
  stub.set({ relayTo: { address: '127.0.0.1', port: server.port } });
  return observe(rig, server, stub, before);
}

function lines(stub) {
  return `cache 30\nloop\nforward . ${stub.to}`;
}

/** A client asks for other names once a second beside one that asks for names of the cluster; then the upstream is put right. */
async function observe(rig, server, stub, before) {
  const gone = { 'process up': 0, 'packets looped': stub.received - before, 'cluster names right %': 0 };
  if (server === undefined) return { ...gone, 'log lines': NaN, 'recovered after ms': Infinity };
  const cluster = rig.runLoad(server, { names: rig.clusterNames, perSecond: 100, seconds: SECONDS, timeoutMs: 2000 });
  for (let i = 0; i < SECONDS; i++) {
    void server.client.ask(`during${i}.test.`, 'A', { timeoutMs: 3000 });
    await sleep(1000);
  }
  const inside = await cluster;
  const packets = stub.received - before;
  stub.set({});
  let count = 0;
  const ask = () => server.client.ask(`after${count++}.test.`, 'A', { timeoutMs: 1000 });
  const recoveredMs = await timeUntil(async () => (await ask())?.rcode === 'NOERROR', 15_000);
  return {
    'process up': Number(server.program.ended === undefined),
    'packets looped': packets,
    'cluster names right %': percent(inside.rights, inside.sent),
    'log lines': server.program.output.split('\n').filter((line) => /loop/i.test(line)).length,
    'recovered after ms': recoveredMs,
  };
}
