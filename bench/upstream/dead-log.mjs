// How much a dead upstream writes into the log.
export const scenarios = [
  {
    name: 'a dead upstream at 5,000 queries a second for 60 s',
    goals: { 'log lines': '<= 20', 'cluster right %': '100' },
    run: logFlood,
  },
];

const SECONDS = 60;

async function logFlood(rig) {
  const upstream = await rig.startUpstream({ silent: true });
  const server = await rig.startServer(`forward . ${upstream.to}`);
  await rig.settle();
  const from = server.program.output.length;
  const cluster = rig.runLoad(server, { names: rig.clusterNames.slice(0, 100), perSecond: 100, seconds: SECONDS });
  const load = await rig.runLoad(server, {
    names: ['dead{n}.test.'],
    from: ['127.0.0.90', '127.0.0.91', '127.0.0.92', '127.0.0.93'],
    perSecond: 5000,
    seconds: SECONDS,
    timeoutMs: 7000,
  });
  const inside = await cluster;
  const lines = server.program.output
    .slice(from)
    .split('\n')
    .filter((line) => line !== '');
  return {
    queries: load.sent,
    'log lines': lines.length,
    'log KiB': Math.round(lines.join('\n').length / 1024),
    'cluster right %': Math.round((inside.rights / inside.sent) * 10_000) / 100,
    'cluster p99 ms': inside.p99Ms,
  };
}
