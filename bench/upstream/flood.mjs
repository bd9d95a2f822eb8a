// One client asks for random names beside twenty honest ones; and a cache under a million names.
import { readMetric } from '../../test/fault/rig.mjs';
import { percent } from './figures.mjs';

const HONEST = Array.from({ length: 20 }, (_, i) => `127.0.0.${100 + i}`);
const NOISY = '127.0.0.66';
const CACHED = Array.from({ length: 50 }, (_, i) => `cached${i}.popular.test.`);
const SECONDS = 12;

export const scenarios = [
  {
    name: 'a client with 20,000 random names a second, upstream of 200 ms',
    goals: { 'honest right %': '>= 99.9', 'honest p99 ms': '< 50', 'peak MiB': '< 170' },
    run: (rig) => flood(rig, ''),
  },
  {
    name: 'the same with max_concurrent 1000',
    goals: { 'honest right %': '>= 99.9', 'honest p99 ms': '< 50', 'peak MiB': '< 170' },
    run: (rig) => flood(rig, 'max_concurrent 1000'),
  },
  {
    name: 'a cache under 1,000,000 random names',
    goals: { 'popular queries not from the cache': '0', 'peak MiB': '< 170' },
    run: millionNames,
  },
];

async function flood(rig, option) {
  const upstream = await rig.startUpstream({ delayMs: 200, ttl: 60 });
  const server = await rig.startServer(`cache 30\nforward . ${upstream.to} {\n${option}\n}`);
  await rig.settle();
  await rig.runLoad(server, { names: CACHED, perSecond: 200, seconds: 1 });
  const memory = rig.watchMemory(server);
  const noise = rig.flood(server, { from: NOISY, perSecond: 20_000, seconds: SECONDS });
  const [honest, fresh] = await Promise.all([
    rig.runLoad(server, {
      from: HONEST,
      names: [...rig.clusterNames.slice(0, 50), ...CACHED],
      perSecond: 1000,
      seconds: SECONDS,
      timeoutMs: 2000,
    }),
    // Names that are in no cache: what the noisy client leaves of the way upstream.
    rig.runLoad(server, { from: HONEST, names: ['new{n}.test.'], perSecond: 100, seconds: SECONDS, timeoutMs: 6000 }),
  ]);
  const { sent, answered, refused } = await noise;
  const { startMib, peakMib, endMib, busy } = memory.stop();
  return {
    'honest right %': percent(honest.rights, honest.sent),
    'honest p99 ms': honest.p99Ms,
    'honest max ms': honest.maxMs,
    'honest new names right %': percent(fresh.rights, fresh.sent),
    'noise per second': Math.round(sent / SECONDS),
    'noise answered %': percent(answered, sent),
    'noise refused %': percent(refused, sent),
    'server CPUs': busy,
    'start MiB': startMib,
    'peak MiB': peakMib,
    'end MiB': endMib,
  };
}

async function millionNames(rig) {
  const upstream = await rig.startUpstream({ ttl: 250 });
  const server = await rig.startServer(`cache 300\nforward . ${upstream.to}`);
  await rig.settle();
  const popular = { names: CACHED, perSecond: 200, timeoutMs: 2000 };
  await rig.runLoad(server, { ...popular, seconds: 1 });
  const memory = rig.watchMemory(server);
  let sent = 0;
  let asked = 0;
  const hitsBefore = await readMetric(server, 'coredns_cache_hits_total');
  while (sent < 1_000_000) {
    const popularLoad = rig.runLoad(server, { ...popular, seconds: 8 });
    // Below what upstream and server can do, so that nothing is lost and asked upstream twice.
    const noise = await rig.flood(server, { from: NOISY, perSecond: 12_500, seconds: 8, timeoutS: 5 });
    sent += noise.sent;
    asked += (await popularLoad).sent;
  }
  const again = asked - ((await readMetric(server, 'coredns_cache_hits_total')) - hitsBefore);
  const { startMib, peakMib, endMib, busy } = memory.stop();
  return {
    'names asked': sent,
    'popular queries not from the cache': again,
    'server CPUs': busy,
    'start MiB': startMib,
    'peak MiB': peakMib,
    'end MiB': endMib,
  };
}
