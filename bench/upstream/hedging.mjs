// Upstreams that are silent or sick beside a good one; upstreams that are all well; equal questions at once.
import { readMetric } from '../../test/fault/rig.mjs';
import { percent, round } from './figures.mjs';

const SECONDS = 20;
const PER_SECOND = 300;

export const scenarios = [
  {
    name: 'three upstreams: one silent, one SERVFAIL, one good',
    goals: {
      'right %': '100',
      'p99 ms': '<= RTT + 300',
      'queries a second to the silent one': '<= 1',
      'second questions %': '<= 10',
    },
    run: threeUpstreams,
  },
  {
    name: 'three good upstreams, replies in 5 to 15 ms',
    goals: { 'right %': '100', 'second questions %': '<= 10' },
    run: steady,
  },
  {
    name: '1,000 equal questions at once, upstream of 300 ms',
    goals: { 'questions upstream': '1 a worker' },
    run: coalescing,
  },
];

/** Second upstreams asked because the first was late; NaN of a server that does not know such a thing. */
async function readHedges(rig, server) {
  return rig.peer.name === 'ours' ? readMetric(server, 'clusterdns_forward_hedges_total') : NaN;
}

async function threeUpstreams(rig) {
  const silent = await rig.startUpstream({ silent: true }, { address: '127.0.0.11' });
  const failing = await rig.startUpstream({ rcode: 2 }, { address: '127.0.0.12' });
  const good = await rig.startUpstream({ delayMs: 5 }, { address: '127.0.0.13' });
  const server = await rig.startServer(`forward . ${silent.to} ${failing.to} ${good.to}`);
  await rig.settle();
  const names = ['a{n}.test.'];
  const first = await rig.runLoad(server, { names, perSecond: PER_SECOND, seconds: 3 });
  const [before, hedgesBefore] = [silent.received, await readHedges(rig, server)];
  const all = () => silent.received + failing.received + good.received;
  const allBefore = all();
  const steadyLoad = await rig.runLoad(server, { names, perSecond: PER_SECOND, seconds: SECONDS });
  const hedges = (await readHedges(rig, server)) - hedgesBefore;
  return {
    'right in the first 3 s %': percent(first.rights, first.sent),
    'p99 in the first 3 s, ms': first.p99Ms,
    'right %': percent(steadyLoad.rights, steadyLoad.sent),
    'p50 ms': steadyLoad.p50Ms,
    'p99 ms': steadyLoad.p99Ms,
    'max ms': steadyLoad.maxMs,
    'queries a second to the silent one': round((silent.received - before) / SECONDS),
    'questions upstream a query': round((all() - allBefore) / steadyLoad.sent),
    'second questions %': percent(hedges, steadyLoad.sent),
  };
}

async function steady(rig) {
  const upstreams = [];
  for (const [i, delayMs] of [5, 10, 15].entries()) {
    upstreams.push(await rig.startUpstream({ delayMs }, { address: `127.0.0.${11 + i}` }));
  }
  const server = await rig.startServer(`forward . ${upstreams.map(({ to }) => to).join(' ')}`);
  await rig.settle();
  const load = await rig.runLoad(server, { names: ['a{n}.test.'], perSecond: 1000, seconds: SECONDS });
  const received = upstreams.reduce((sum, upstream) => sum + upstream.received, 0);
  return {
    'right %': percent(load.rights, load.sent),
    'p99 ms': load.p99Ms,
    'questions upstream a query': round(received / load.sent),
    'second questions %': percent(await readHedges(rig, server), load.sent),
  };
}

async function coalescing(rig) {
  const upstream = await rig.startUpstream({ delayMs: 300 });
  const server = await rig.startServer(`cache 30\nforward . ${upstream.to}`);
  await rig.settle();
  const before = upstream.received;
  const load = await rig.runLoad(server, { names: ['same.test.'], perSecond: 20_000, seconds: 0.05, sockets: 20 });
  return {
    'queries at once': load.sent,
    'right %': percent(load.rights, load.sent),
    'questions upstream': upstream.received - before,
  };
}
