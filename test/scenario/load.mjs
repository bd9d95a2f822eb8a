// dnsperf with every mix of the synthetic cluster for a bounded time: nothing is lost, nothing fails.
// LOAD_SECONDS sets the time (10).
import fs from 'node:fs';
import path from 'node:path';
import { makeCluster, makeQueries, MIXES } from '../../bench/cluster.mjs';
import { startUpstream } from '../conformance/stub-upstream.mjs';
import { expect } from './checks.mjs';
import { findFreePort, findProgram, makeFolder, Program, PROJECT_DIR, runProgram, waitFor } from './programs.mjs';
import { kubeadmCorefile, startServer, stopServer } from './server.mjs';

const SECONDS = Number(process.env.LOAD_SECONDS ?? 10);
const SERVICES = 1000;
const QUERIES_A_MIX = 20_000;

export async function run(checks) {
  checks.area('load');
  if (findProgram('dnsperf') === undefined) {
    checks.skip('nothing is lost under load', 'dnsperf is not installed');
    return;
  }
  const folder = makeFolder('load');
  const { objects, names } = makeCluster({ services: SERVICES });
  const api = await startApi(folder, objects);
  const upstream = await startOutside(folder);
  const server = await startServer(kubeadmCorefile(`endpoint http://127.0.0.1:${api.port}`, upstream.addr), {
    ask: [names.clusterIp.at(-1), 'A'],
  });
  try {
    await checks.check(`dnsperf with every mix for ${SECONDS} s loses nothing`, async () => {
      const file = writeQueries(folder, names);
      const { output } = await runDnsperf(server.port, file);
      const count = (pattern) => Number(pattern.exec(output)?.[1] ?? Number.NaN);
      const sent = count(/Queries sent:\s+(\d+)/);
      const lost = count(/Queries lost:\s+(\d+)/);
      const codes = /Response codes:\s+(.*)/.exec(output)?.[1] ?? '';
      expect(sent > 1000 && lost === 0, `sent ${sent}, lost ${lost}\n${output}\n${server.program.output.slice(-1000)}`);
      expect(!/SERVFAIL|REFUSED|FORMERR/.test(codes), `answers: ${codes}`);
      return `${sent} queries, ${count(/Queries per second:\s+([\d.]+)/)} a second; ${codes}`;
    });
  } finally {
    await stopServer(server);
    await upstream.close();
    await api.program.stop();
  }
}

async function startApi(folder, objects) {
  const file = path.join(folder, 'objects.json');
  fs.writeFileSync(file, JSON.stringify(objects));
  const port = await findFreePort();
  const script = path.join(PROJECT_DIR, 'test', 'conformance', 'fake-apiserver.mjs');
  const program = new Program(process.execPath, [script, '--port', String(port), '--objects', file]);
  await waitFor(
    'API server',
    async () => (await fetch(`http://127.0.0.1:${port}/_fake/stats`).catch(() => undefined))?.ok,
  );
  return { program, port };
}

/** nsd as the outside world where it is installed, else the stub. */
async function startOutside(folder) {
  if (findProgram('nsd') === undefined) return startUpstream({ any: ['300 A 192.0.2.1'] });
  const port = await findFreePort();
  const hosts = Array.from({ length: 500 }, (_, n) => `host${n}.ext A 192.0.2.${n % 250}\n`).join('');
  fs.writeFileSync(
    path.join(folder, 'test.zone'),
    `$ORIGIN test.\n$TTL 300\n@ SOA ns host 1 3600 600 86400 60\n@ NS ns\nns A 127.0.0.1\n*.cold A 192.0.2.1\n${hosts}`,
  );
  const settings = [
    `server:\n  ip-address: 127.0.0.1\n  port: ${port}\n  username: ""\n  chroot: ""\n  zonesdir: "${folder}"`,
    `  pidfile: "${folder}/nsd.pid"\n  zonelistfile: "${folder}/zones"\n  xfrdfile: ""\n  database: ""`,
    '  server-count: 1\n  rrl-ratelimit: 0\nremote-control:\n  control-enable: no',
    'zone:\n  name: test\n  zonefile: test.zone\n',
  ];
  fs.writeFileSync(path.join(folder, 'nsd.conf'), settings.join('\n'));
  const program = new Program('nsd', ['-d', '-c', path.join(folder, 'nsd.conf')]);
  return { addr: `127.0.0.1:${port}`, close: () => program.stop() };
}

/** All mixes taken in turns, so that every kind of answer is under way at any time. */
function writeQueries(folder, names) {
  const mixes = MIXES.map((mix) => makeQueries(names, mix, QUERIES_A_MIX));
  const lines = Array.from({ length: QUERIES_A_MIX }, (_, n) => mixes.map((queries) => queries[n])).flat();
  const file = path.join(folder, 'queries.txt');
  fs.writeFileSync(file, `${lines.join('\n')}\n`);
  return file;
}

function runDnsperf(port, file) {
  const words = ['-s', '127.0.0.1', '-p', String(port), '-d', file, '-l', String(SECONDS), '-c', '20', '-q', '200'];
  return runProgram('dnsperf', words, { timeoutMs: (SECONDS + 20) * 1000 });
}
