#!/usr/bin/env node
// `npm run test:cluster`: bin/clusterdns against a real API server with 10,000 Services. About two minutes; the last
// line is "N passed, N failed".
//
//   node test/cluster/run.mjs [--only REGEX]      SERVICES=1000 loads fewer
//
// Needs Linux; Go to build the API server once; kubectl is used where it is installed. Everything is on loopback.
import fs from 'node:fs';
import path from 'node:path';
import { makeCluster } from '../../bench/cluster.mjs';
import { startUpstream } from '../conformance/stub-upstream.mjs';
import { Checks, expect, expectEqual } from '../scenario/checks.mjs';
import { makeFolder, sleep } from '../scenario/programs.mjs';
import { kubeadmCorefile, startServer, stopServer } from '../scenario/server.mjs';
import { ApiServer, buildApiServer, Editor } from './api-server.mjs';
import { checkConformance } from './conformance.mjs';
import { checkOutages } from './outages.mjs';
import { findPodWrap, FIRST_TOKEN, readAddresses, ServiceAccount, writeTokenKubeconfig } from './objects.mjs';
import { checkPropagation } from './propagation.mjs';

const SERVICES = Number(process.env.SERVICES ?? 10_000);
const ENDPOINTS = 10;
/** One name in so many is asked for. */
const SAMPLE = 7;
const LIMIT_MS = 240_000;

const onlyAt = process.argv.indexOf('--only');
const checks = new Checks(onlyAt < 0 ? undefined : new RegExp(process.argv[onlyAt + 1]));
setTimeout(() => {
  process.stdout.write(`FAILED  the run took longer than ${LIMIT_MS / 1000} s\n`);
  checks.failed++;
  process.exit(checks.finish());
}, LIMIT_MS).unref();

const reason = await buildApiServer();
if (reason === undefined) await run();
else checks.skip('cluster', reason);
process.exit(checks.finish());

async function run() {
  await checkConformance(checks);
  checks.area('cluster');
  const folder = makeFolder('cluster');
  const tokensFile = path.join(folder, 'tokens');
  fs.writeFileSync(tokensFile, `${FIRST_TOKEN}\n`);
  const api = new ApiServer(['--rbac-readonly', '--token-file', tokensFile]);
  const upstream = await startUpstream({ any: ['60 A 192.0.2.1'] });
  try {
    await api.start();
    process.stdout.write(`        ${await api.load(SERVICES, ENDPOINTS)}\n`);
    const account = new ServiceAccount(path.join(folder, 'account'), api.read('ca.crt'), FIRST_TOKEN);
    await checkAccess(api, folder, upstream.addr);
    await checkCluster({ api, account, tokensFile, upstream: upstream.addr });
  } catch (error) {
    await checks.check('runs', () => {
      throw error;
    });
  } finally {
    await api.stop();
    await upstream.close();
  }
}

/** The ways in beside the in-cluster one, which everything else uses. */
async function checkAccess(api, folder, upstream) {
  const last = [...readAddresses(makeCluster({ services: SERVICES, endpoints: ENDPOINTS }).objects)].at(-1);
  const ways = {
    'kubeconfig with a token': `kubeconfig ${writeTokenKubeconfig(api, folder)}`,
    'kubeconfig with a client certificate': `kubeconfig ${api.adminKubeconfig}`,
    'endpoint with tls': `endpoint https://127.0.0.1:${api.port}\n       tls ${['admin.crt', 'admin.key', 'ca.crt'].map((file) => path.join(api.folder, file)).join(' ')}`,
  };
  for (const [way, view] of Object.entries(ways)) {
    await checks.check(`${way}: reads the whole cluster`, async () => {
      const server = await startServer(kubeadmCorefile(view, upstream), { ask: [last[0], 'A'] });
      try {
        expectEqual((await server.client.ask(last[0], 'A')).data, last[1], last[0]);
        return `${Math.round(server.program.rssKib() / 1024)} MiB`;
      } finally {
        await stopServer(server);
      }
    });
  }
}

async function checkCluster({ api, account, tokensFile, upstream }) {
  const addresses = readAddresses(makeCluster({ services: SERVICES, endpoints: ENDPOINTS }).objects);
  const names = [...addresses.keys()];
  const wrap = await findPodWrap(account);
  if (wrap === undefined) checks.skip('in-cluster access', 'private mounts are not permitted, a kubeconfig is used');
  const view = wrap === undefined ? `kubeconfig ${writeTokenKubeconfig(api, makeFolder('kubeconfig'))}` : '';
  const env = { KUBERNETES_SERVICE_HOST: '127.0.0.1', KUBERNETES_SERVICE_PORT: String(api.port) };
  const startMs = Date.now();
  const server = await startServer(kubeadmCorefile(view, upstream), { wrap, env, ask: [names.at(-1), 'A'] });
  const startedMs = Date.now() - startMs;
  try {
    await checks.check('kubeadm Corefile: every sampled Service answers its addresses', async () => {
      const sample = names.filter((_, n) => n % SAMPLE === 0);
      for (const name of sample) {
        const reply = await server.client.ask(name, 'A', { udpSize: 1232 });
        expectEqual([reply?.rcode, reply?.data], ['NOERROR', addresses.get(name)], name);
      }
      return `${sample.length} names, first answer after ${startedMs} ms, ${Math.round(server.program.rssKib() / 1024)} MiB`;
    });
    await checkEndpoints(server);
    await checkRights(api, server);
    await checkPropagation(checks, api, new Editor(api), server.client);
    await checkOutages(checks, {
      api,
      account: wrap && account,
      tokensFile,
      editor: new Editor(api),
      server,
      addresses,
    });
    await checks.check('nothing was refused and nothing went wrong inside', () => {
      const { output } = server.program;
      expect(
        server.program.ended === undefined,
        `ended: ${JSON.stringify(server.program.ended)}\n${output.slice(-2000)}`,
      );
      expect(!/\b403\b|[Ff]orbidden|panic|TypeError|RangeError/.test(output), output.slice(-3000));
    });
  } finally {
    const ended = await stopServer(server);
    await checks.check('it ends with 0', () => expectEqual(ended, { code: 0, signal: null }));
  }
}

async function checkEndpoints(server) {
  await checks.check('/health, /ready and /metrics answer', async () => {
    for (const [port, where] of [
      [server.health, 'health'],
      [server.ready, 'ready'],
    ]) {
      expectEqual((await fetch(`http://127.0.0.1:${port}/${where}`)).status, 200, where);
    }
    const metrics = await (await fetch(`http://127.0.0.1:${server.metrics}/metrics`)).text();
    expect(/coredns_dns_requests_total\{.*type="A".*\} \d/.test(metrics), metrics.slice(0, 500));
  });
}

/** The rights are those of CoreDNS's cluster role; the checks above worked with them. */
async function checkRights(api, server) {
  await checks.check('the API server grants list and watch only', async () => {
    const token = FIRST_TOKEN;
    const status = async (resource) => (await api.request('GET', resource, { token })).status;
    expectEqual(await status('/api/v1/services?limit=1'), 200, 'list services');
    expectEqual(await status('/api/v1/namespaces/team-0'), 403, 'get a namespace');
    expectEqual(await status('/api/v1/configmaps?limit=1'), 403, 'list configmaps');
    await sleep(100);
    expect(!/\b403\b|forbidden/i.test(server.program.output), server.program.output.slice(-2000));
  });
}
