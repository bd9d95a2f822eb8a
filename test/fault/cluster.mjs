// An API server that fails in every way, in real time: the whole program on the fake API server and on the real one. The same
// faults, more of them and to the millisecond, are in the *.test.ts of this folder in injected time. Main thread of a test program.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { ApiServer, buildApiServer, collectionOf } from '../cluster/api-server.mjs';
import { start as startFakeApi } from '../conformance/fake-apiserver.mjs';
import { startUpstream } from '../conformance/stub-upstream.mjs';
import { DnsClient } from '../scenario/dns-client.mjs';
import { expect, expectEqual } from '../scenario/checks.mjs';
import { findFreePort, makeFolder, sleep, waitFor } from '../scenario/programs.mjs';
import { spawnServer, startServer, stopServer } from '../scenario/server.mjs';

const PORTS = [{ name: 'http', port: 80, protocol: 'TCP' }];
const namespaceOf = (name) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
const web = (name, clusterIP) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'shop' },
  spec: { type: 'ClusterIP', clusterIP, clusterIPs: [clusterIP], ports: PORTS },
});
const slice = (name, ...addresses) => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name: `${name}-1`, namespace: 'shop', labels: { 'kubernetes.io/service-name': name } },
  addressType: 'IPv4',
  ports: PORTS,
  endpoints: addresses.map((address) => ({ addresses: [address], conditions: { ready: true } })),
});
/** How many programs want each core. Limits are for a machine with nothing else to do; one that is shared is late by itself. */
const BUSY = Math.max(1, os.loadavg()[0] / os.availableParallelism());
/** From exec to the first answer. */
const LATE_MS = 1000 * BUSY;
const P99_MS = 5;
const nameOf = (service) => `${service}.shop.svc.cluster.local.`;
const OBJECTS = [
  namespaceOf('shop'),
  web('steady', '10.96.0.1'),
  web('old', '10.96.0.2'),
  web('db', 'None'),
  slice('db', '10.1.0.1'),
];

function corefile(access, upstream = '127.0.0.1:9', more = '') {
  return `.:{port} {
    bind 127.0.0.1
    errors
    prometheus 127.0.0.1:{metrics}
    kubernetes cluster.local in-addr.arpa {
        ${access}
        fallthrough in-addr.arpa
        ${more}
    }
    forward . ${upstream}
}
`;
}

/** Asks all the time, in a thread of its own; `end` says what was seen. */
class Asker {
  #worker;

  constructor(port, names, perSecond = 500) {
    const workerData = { port, names, perSecond };
    this.#worker = new Worker(path.join(import.meta.dirname, 'asker-thread.mjs'), { workerData });
  }

  end() {
    return new Promise((resolve, reject) => {
      this.#worker.once('message', resolve);
      this.#worker.once('error', reject);
      this.#worker.postMessage('end');
    });
  }
}

/** Waits for an answer. @returns milliseconds it took */
async function until(client, name, wanted, limitMs, type = 'A') {
  const startMs = Date.now();
  await waitFor(
    `${name} ${wanted}`,
    async () => {
      const reply = await client.ask(name, type, { timeoutMs: 500 });
      return reply !== undefined && (reply.data.join() || reply.rcode) === wanted;
    },
    limitMs,
  );
  return Date.now() - startMs;
}

/** A fake API server and a server that follows it. */
async function withCluster(body, { more, objects = OBJECTS, ...options } = {}) {
  const api = await startFakeApi({ objects, bookmarkMs: 20_000, ...options });
  const server = await startServer(corefile(`endpoint ${api.url}`, undefined, more), { ask: [nameOf('steady'), 'A'] });
  try {
    return await body({ api, server, client: server.client });
  } finally {
    await stopServer(server);
    await api.close();
  }
}

/** Loses the watches in some way and measures how long the truth takes, while a steady name is asked 500 times a second. */
async function measureFault(inflict, limitMs) {
  return withCluster(async ({ api, server, client }) => {
    const asker = new Asker(server.port, [[nameOf('steady'), 'A', ['10.96.0.1']]]);
    await sleep(1500);
    inflict(api);
    api.apply([web('new', '10.96.0.9'), slice('db', '10.1.0.2')]);
    api.delete({ kind: 'Service', namespace: 'shop', name: 'old' });
    const tookMs = await until(client, nameOf('new'), '10.96.0.9', limitMs);
    await until(client, nameOf('old'), 'NXDOMAIN', limitMs - tookMs);
    await until(client, nameOf('db'), '10.1.0.2', limitMs - tookMs);
    const { asked, wrong } = await asker.end();
    expectEqual(wrong, [], 'wrong answers');
    return `truth after ${tookMs} ms, ${asked} answers, 0 wrong`;
  });
}

const FAULTS = {
  '410 inside the stream': (api) => {
    api.gone({ drop: false });
    api.sendError({ code: 410, reason: 'Expired' });
  },
  '410 as a status': (api) => api.gone({ http: true }),
  'ERROR event 500': (api) => api.sendError({ code: 500 }),
  'connections reset': (api) => api.dropWatches({ abrupt: true }),
  'reset inside a line': (api) => api.cutNext(),
  'garbage lines': (api) => {
    for (const resource of ['namespaces', 'services', 'endpointslices']) api.inject({ resource, line: '<html>' });
  },
  'every request 503 for a second': (api) => {
    api.fail({ status: 503, retryAfter: 1 });
    api.dropWatches({ abrupt: true });
    setTimeout(() => api.clearFail(), 1000);
  },
};

async function startsWithoutApi() {
  const api = await startFakeApi({ objects: OBJECTS });
  const upstream = await startUpstream({ any: ['60 A 192.0.2.1'] });
  api.hang();
  const [port, metrics] = [await findFreePort(), await findFreePort()];
  const file = path.join(makeFolder('unsynced'), 'Corefile');
  const text = corefile(`endpoint ${api.url}`, upstream.addr);
  fs.writeFileSync(file, text.replace('{port}', port).replace('{metrics}', metrics));
  const startMs = Date.now();
  const program = spawnServer(['-conf', file]);
  const client = new DnsClient(port);
  try {
    await waitFor(
      'forwarded answer',
      async () => (await client.ask('example.org.', 'A', { timeoutMs: 100 }))?.rcode === 'NOERROR',
    );
    const forwardedMs = Date.now() - startMs;
    expect(forwardedMs <= 2000 * BUSY, `${forwardedMs} ms until a forwarded name was answered`);
    for (const [name, type] of [
      [nameOf('steady'), 'A'],
      [nameOf('nope'), 'A'],
      ['1.0.96.10.in-addr.arpa.', 'PTR'],
    ])
      expectEqual((await client.ask(name, type)).rcode, 'SERVFAIL', name);
    api.hang({ on: false });
    const syncedMs = await until(client, nameOf('steady'), '10.96.0.1', 10_000);
    return `forwarded after ${forwardedMs} ms, truth ${syncedMs} ms after the API server`;
  } finally {
    client.close();
    await program.stop();
    await api.close();
    await upstream.close();
  }
}

/** Kills the server, starts it again with the API server gone. @returns the new one and what it took until an answer */
async function restart(server) {
  await server.program.kill();
  const startMs = Date.now();
  const program = spawnServer(['-conf', server.file]);
  const answered = async () => (await server.client.ask(nameOf('steady'), 'A', { timeoutMs: 30 }))?.rcode === 'NOERROR';
  await waitFor('answer from the snapshot', answered, 10_000, 5);
  return { program, tookMs: Date.now() - startMs };
}

async function servesSnapshot() {
  const folder = makeFolder('snapshot');
  const api = await startFakeApi({ objects: OBJECTS });
  const { port: apiPort } = api;
  const text = corefile(`endpoint ${api.url}`, undefined, `snapshot ${folder} 1h\nttl 30`);
  const server = await startServer(text, { ask: [nameOf('steady'), 'A'] });
  let program;
  try {
    await waitFor('saved view', () => fs.readdirSync(folder).some((name) => name.endsWith('.snapshot')));
    await api.close();
    const again = await restart(server);
    program = again.program;
    expect(again.tookMs <= LATE_MS, `${again.tookMs} ms until the first answer`);
    const missing = await server.client.ask(nameOf('nope'), 'A');
    expectEqual(missing.rcode, 'NXDOMAIN');
    expect(/ 5 IN SOA .* 5$/.test(missing.authority[0]), missing.authority[0]);
    const metrics = await (await fetch(`http://127.0.0.1:${server.metrics}/metrics`)).text();
    expect(/^clusterdns_kubernetes_snapshot_served 1$/m.test(metrics), 'not flagged in the metrics');
    expect(/serving the snapshot of/.test(program.output), program.output);
    await sleep(6000);
    const back = await startFakeApi({
      objects: [...OBJECTS.filter(({ metadata }) => metadata.name !== 'old'), web('new', '10.96.0.9')],
      port: apiPort,
    });
    const truthMs = await until(server.client, nameOf('new'), '10.96.0.9', 10_000);
    await until(server.client, nameOf('old'), 'NXDOMAIN', 10_000 - truthMs);
    await back.close();
    await program.kill();
    const [name] = fs.readdirSync(folder);
    const bytes = fs.readFileSync(path.join(folder, name));
    bytes[bytes.length >> 1] ^= 1;
    fs.writeFileSync(path.join(folder, name), bytes);
    program = spawnServer(['-conf', server.file]);
    await waitFor('refusal', () => /is damaged: its checksum does not match; it is not used/.test(program.output));
    await waitFor(
      'SERVFAIL',
      async () => (await server.client.ask(nameOf('steady'), 'A', { timeoutMs: 100 }))?.rcode === 'SERVFAIL',
    );
    return `first answer ${again.tookMs} ms after exec, truth ${truthMs} ms after the API server`;
  } finally {
    await program?.stop();
    await stopServer(server);
    await api.close();
  }
}

async function relists() {
  return withCluster(async ({ api, server }) => {
    const names = [
      [nameOf('steady'), 'A', ['10.96.0.1']],
      [nameOf('db'), 'A', ['10.1.0.1']],
      ['1.0.96.10.in-addr.arpa.', 'PTR', ['steady.shop.svc.cluster.local.']],
    ];
    const asker = new Asker(server.port, names);
    const lists = () =>
      api
        .stats()
        .requests.filter(({ resource, initial, status }) => resource === 'services' && initial && status === 200)
        .length;
    const before = lists();
    const wanted = before + Number(process.env.RELISTS ?? 20);
    while (lists() < wanted) {
      api.gone();
      await sleep(2000);
    }
    const { asked, wrong, p99Ms } = await asker.end();
    expectEqual(wrong, [], 'wrong answers');
    const times = api
      .stats()
      .requests.filter(({ resource, initial }) => resource === 'services' && initial)
      .map(({ at }) => at);
    const shortest = Math.min(...times.slice(1).map((at, n) => at - times[n]));
    expect(shortest >= 9900, `two lists within ${shortest} ms`);
    return `${lists() - before} relists, ${asked} answers, 0 wrong, p99 ${p99Ms} ms`;
  });
}

async function sliceStorm() {
  const objects = Array.from({ length: 500 }, (_, n) => [
    web(`h${n}`, 'None'),
    slice(`h${n}`, `10.2.${n >> 8}.${n & 255}`),
  ]);
  return withCluster(
    async ({ api, server, client }) => {
      const names = Array.from({ length: 500 }, (_, n) => {
        const all = Array.from({ length: 11 }, (_unused, round) => `10.${2 + round}.${n >> 8}.${n & 255}`);
        return [nameOf(`h${n}`), 'A', all];
      });
      const idle = new Asker(server.port, names);
      await sleep(3000);
      const { p99Ms: idleMs } = await idle.end();
      const asker = new Asker(server.port, names);
      await sleep(1000);
      const startMs = Date.now();
      for (let write = 0; write < 5000; write++) {
        const n = write % 500;
        api.apply(slice(`h${n}`, `10.${3 + Math.floor(write / 500)}.${n >> 8}.${n & 255}`));
        if (write % 50 === 0) await sleep(0);
      }
      const writtenMs = Date.now() - startMs;
      for (let n = 0; n < 500; n += 17) await until(client, nameOf(`h${n}`), `10.12.${n >> 8}.${n & 255}`, 5000 * BUSY);
      const truthMs = Date.now() - startMs;
      const { asked, wrong, p99Ms, maxMs } = await asker.end();
      expectEqual(wrong, [], 'wrong answers');
      const figures = `written in ${writtenMs} ms, exact after ${truthMs} ms, ${asked} answers, 0 wrong, p99 ${p99Ms} ms, slowest ${maxMs} ms (p99 ${idleMs} ms while nothing changes)`;
      expect(p99Ms <= (P99_MS + idleMs) * BUSY, figures);
      return figures;
    },
    { objects: [...OBJECTS, ...objects.flat()] },
  );
}

async function disconnects() {
  return withCluster(async ({ api, server, client }) => {
    let most = 0;
    const rssKib = [];
    for (let count = 0; count < 200; count++) {
      // An event shows that the connection was a good one: the next pause is a short one.
      api.apply([namespaceOf('shop'), web('busy', '10.96.4.1'), slice('db', '10.1.0.1')]);
      await sleep(20);
      api.dropWatches({ abrupt: true });
      await waitFor('three watches', () => api.stats().watchers.length === 3, 15_000, 5);
      most = Math.max(most, await api.connections());
      expect(api.stats().watchers.length <= 3, 'more than one watch a resource');
      if (count % 50 === 49) rssKib.push(server.program.rssKib());
    }
    expect(most <= 4, `${most} connections`);
    api.apply(web('new', '10.96.0.9'));
    await until(client, nameOf('new'), '10.96.0.9', 15_000);
    const grownMib = (rssKib.at(-1) - rssKib[0]) / 1024;
    // Heaps are collected when they have grown by half (lib/control/heap-trimmer.ts): up to 20 MiB, some 12 as a rule.
    expect(grownMib < 20, `${grownMib} MiB more after 150 disconnects`);
    return `at most ${most} connections, memory ${rssKib.map((kib) => Math.round(kib / 1024)).join(', ')} MiB after each 50`;
  });
}

/** Creates an object of `OBJECTS`' kinds on the real API server. */
async function create(api, object) {
  const resource = collectionOf(object);
  const { status, body } = await api.request('POST', resource, { body: JSON.stringify(object) });
  expect(status === 201 || status === 409, `${resource}: ${status} ${body}`);
}

async function realRelists(api, server) {
  const asker = new Asker(server.port, [[nameOf('steady'), 'A', ['10.96.0.1']]]);
  const tookMs = [];
  for (let round = 1; round <= 3; round++) {
    await api.request('POST', '/debug/expire');
    await create(api, web(`expired-${round}`, `10.96.1.${round}`));
    tookMs.push(await until(server.client, nameOf(`expired-${round}`), `10.96.1.${round}`, 15_000));
  }
  const { asked, wrong } = await asker.end();
  expectEqual(wrong, [], 'wrong answers');
  return `${asked} answers, truth after ${tookMs.join(', ')} ms`;
}

async function realOutage(api, server, folder) {
  await waitFor('saved view', () => fs.readdirSync(folder).some((name) => name.endsWith('.snapshot')), 40_000);
  await api.kill();
  const again = await restart(server);
  try {
    expect(again.tookMs <= LATE_MS, `${again.tookMs} ms until the first answer`);
    await sleep(2000);
    await api.start();
    const startMs = Date.now();
    await create(api, web('after', '10.96.2.1'));
    await until(server.client, nameOf('after'), '10.96.2.1', 10_000);
    return `first answer ${again.tookMs} ms after exec, truth ${Date.now() - startMs} ms after the API server`;
  } finally {
    await again.program.stop();
  }
}

async function onRealApiServer(checks) {
  const reason = await buildApiServer();
  if (reason !== undefined) {
    checks.skip('real API server', reason);
    return;
  }
  const api = new ApiServer();
  const folder = makeFolder('real-snapshot');
  try {
    await api.start();
    for (const object of OBJECTS) await create(api, object);
    const text = corefile(`kubeconfig ${api.adminKubeconfig}`, undefined, `snapshot ${folder}`);
    const server = await startServer(text, { ask: [nameOf('steady'), 'A'] });
    try {
      await checks.check('relists at 500 queries a second: 0 wrong answers', () => realRelists(api, server));
      await checks.check(
        'killed with the API server: the snapshot is served within a second, truth 10 s after its return',
        () => realOutage(api, server, folder),
      );
    } finally {
      await stopServer(server);
    }
  } finally {
    await api.stop();
  }
}

export async function run(checks) {
  checks.area('cluster');
  await checks.check(
    'start without an API server: forwarded names within 2 s of exec, cluster names SERVFAIL',
    startsWithoutApi,
  );
  await checks.check(
    'snapshot: served within 1 s of exec, flagged, truth within 10 s, damaged ones refused',
    servesSnapshot,
  );
  for (const [title, inflict] of Object.entries(FAULTS)) {
    await checks.check(`${title}: truth within 15 s, no wrong answer`, () => measureFault(inflict, 15_000));
  }
  await checks.check('half-open connections: truth within 90 s, no wrong answer', () =>
    measureFault((api) => api.freeze(), 90_000),
  );
  await checks.check('etcd restored from a backup: truth within 90 s', () =>
    withCluster(async ({ api, client }) => {
      const backup = api.snapshot();
      for (let n = 0; n < 300; n++) api.apply(web('old', `10.96.3.${n % 250}`));
      await until(client, nameOf('old'), `10.96.3.${299 % 250}`, 5000);
      api.restore(backup);
      return `truth after ${await until(client, nameOf('old'), '10.96.0.2', 90_000)} ms`;
    }),
  );
  await checks.check('known names through 20 relists at 500 queries a second: 0 wrong answers', relists);
  await checks.check('5,000 slices rewritten as fast as they come: 0 wrong, p99 of an answer 5 ms', sliceStorm);
  await checks.check('200 forced disconnects: one watch a resource, flat memory', disconnects);
  checks.area('real API server');
  await onRealApiServer(checks);
}
