// Scripted upstreams, load and the server between them. Main thread of a test program.
import path from 'node:path';
import { Worker } from 'node:worker_threads';

const HERE = import.meta.dirname;

/** A nameserver on `address` (loopback) and a free port; see upstream-thread.mjs for behaviours. */
export async function startUpstream(behaviour = {}, { address = '127.0.0.1', port = 0 } = {}) {
  const counters = new SharedArrayBuffer(8);
  const counts = new Int32Array(counters);
  const worker = new Worker(path.join(HERE, 'upstream-thread.mjs'), {
    workerData: { address, port, behaviour, counters },
  });
  const bound = await new Promise((resolve, reject) => {
    worker.once('message', ({ port: found }) => resolve(found));
    worker.once('error', reject);
  });
  return {
    to: `${address}:${bound}`,
    address,
    port: bound,
    get received() {
      return counts[0];
    },
    set: (next) => worker.postMessage({ behaviour: next }),
    async report() {
      const report = new Promise((resolve) => worker.once('message', resolve));
      worker.postMessage({ report: true });
      return report;
    },
    async close() {
      const ended = new Promise((resolve) => worker.once('exit', resolve));
      worker.postMessage({ close: true });
      await ended;
    },
  };
}

/** Runs a load to its end: {sent, rcodes, rights, lost, withEde, p50Ms, p99Ms, maxMs}. */
export function runLoad(server, load) {
  const workerData = { address: '127.0.0.1', port: server.port, from: '127.0.0.1', ...load };
  const worker = new Worker(path.join(HERE, 'load-thread.mjs'), { workerData });
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

/** A Corefile with a small cluster, whose names are `web.shop.svc.cluster.local.` and others, and these lines. */
export function corefile(lines) {
  return `.:{port} {
    bind 127.0.0.1
    errors
    prometheus 127.0.0.1:{metrics}
    hosts {
        10.96.0.17 web.shop.svc.cluster.local
        10.96.0.18 db.shop.svc.cluster.local
        fallthrough
    }
${lines}
}
`;
}
export const CLUSTER_NAMES = ['web.shop.svc.cluster.local.', 'db.shop.svc.cluster.local.'];
/** What a server started with `corefile` answers first. */
export const READY = { ask: ['web.shop.svc.cluster.local.', 'A'] };

/** Sum of a metric's series whose text holds `labels`. */
export async function readMetric(server, name, labels = '') {
  const text = await (await fetch(`http://127.0.0.1:${server.metrics}/metrics`)).text();
  return text
    .split('\n')
    .filter((line) => line.startsWith(name) && !line.startsWith('#') && line.includes(labels))
    .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}
