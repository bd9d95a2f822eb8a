// What is kept beyond its time, while its upstream is dead and when it is back.
import { sleep } from '../../test/scenario/programs.mjs';
import { percent, timeUntil } from './figures.mjs';

export const scenarios = ['immediate', 'verify'].map((mode) => ({
  name: `serve_stale ${mode}, the upstream dead for 10 s`,
  goals: { 'stale answers %': '100', 'max delay ms': '<= 400', 'fresh after ms': '<= 1000' },
  run: (rig) => stale(rig, mode),
}));

const SECONDS = 10;
const FRESH = '10.1.1.1';

async function stale(rig, mode) {
  const upstream = await rig.startUpstream({ ttl: 1 });
  const server = await rig.startServer(
    `cache {\nsuccess 9984 3600 1\nserve_stale 1h ${mode}\n}\nforward . ${upstream.to}`,
  );
  await rig.settle();
  const ask = () => server.client.ask('stale.test.', 'A', { udpSize: 1232, timeoutMs: 6000 });
  await ask();
  upstream.set({ silent: true });
  await sleep(1500);
  const load = await rig.runLoad(server, { names: ['stale.test.'], perSecond: 100, seconds: SECONDS });
  const refreshes = upstream.received;
  upstream.set({ ttl: 60, address: FRESH });
  const freshMs = await timeUntil(async () => (await ask())?.data[0] === FRESH, 10_000, 20);
  return {
    'stale answers %': percent(load.rights, load.sent),
    'with EDE %': percent(load.withEde, load.sent),
    'p50 ms': load.p50Ms,
    'max delay ms': load.maxMs,
    'questions to the dead upstream': refreshes,
    'fresh after ms': freshMs,
  };
}
