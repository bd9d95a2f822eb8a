// Every upstream takes queries and says nothing.
import { percent } from './figures.mjs';

export const scenarios = [
  {
    name: 'every upstream black-holed, 1,000 queries a second',
    goals: { 'cluster p99 ms': '< 50', 'others SERVFAIL %': '100', 'others max ms': '< 6000', 'peak MiB': '< 170' },
    run: blackHole,
  },
];

const SECONDS = 20;

async function blackHole(rig) {
  const one = await rig.startUpstream({ silent: true }, { address: '127.0.0.11' });
  const two = await rig.startUpstream({ silent: true }, { address: '127.0.0.12' });
  const server = await rig.startServer(`cache 30\nforward . ${one.to} ${two.to}`);
  await rig.settle();
  const memory = rig.watchMemory(server);
  const cluster = rig.runLoad(server, { names: rig.clusterNames.slice(0, 100), perSecond: 200, seconds: SECONDS });
  const others = await rig.runLoad(server, {
    from: ['127.0.0.90', '127.0.0.91', '127.0.0.92', '127.0.0.93'],
    names: ['gone{n}.test.'],
    perSecond: 1000,
    seconds: SECONDS,
    timeoutMs: 9000,
  });
  const inside = await cluster;
  const { startMib, peakMib, endMib, busy } = memory.stop();
  return {
    'cluster right %': percent(inside.rights, inside.sent),
    'cluster p99 ms': inside.p99Ms,
    'others SERVFAIL %': percent(others.rcodes[2] ?? 0, others.sent),
    'others with EDE %': percent(others.withEde, others.sent),
    'others p99 ms': others.p99Ms,
    'others max ms': others.maxMs,
    'server CPUs': busy,
    'start MiB': startMib,
    'peak MiB': peakMib,
    'end MiB': endMib,
  };
}
