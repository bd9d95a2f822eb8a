// Asks the own /health endpoints once a second and measures: shows when the process is too busy to answer. Control thread.
import http from 'node:http';
import type { CancelTimer, Clock } from '../base/clock.ts';
import { formatHostPort, splitHostPort } from '../base/ip-address.ts';
import type { Logger } from '../base/log.ts';
import { type MetricRegistry, observe, SLIM_BUCKETS } from '../metrics/registry.ts';

const EVERY_MS = 1000;
const TIMEOUT_MS = 3000;
const SLOW_MS = 1000;

export type HealthProbeEnv = {
  readonly metrics: MetricRegistry;
  readonly cells: Float64Array;
  readonly clock: Clock;
  readonly log: Logger;
  /** Addresses as configured; asked anew each time. */
  readonly addresses: () => readonly string[];
  /** One GET; rejects when no answer comes. Replaced in tests. */
  readonly get?: (url: string, timeoutMs: number) => Promise<void>;
};

/** Starts probing. @returns ends it */
export function startHealthProbe(env: HealthProbeEnv): CancelTimer {
  const { metrics, cells, clock, get = getOnce } = env;
  const log = env.log.forPlugin('health');
  const duration = metrics.histogram(
    'coredns_health_request_duration_seconds',
    'Time that a request to the own health endpoint took, in seconds.',
    SLIM_BUCKETS,
    {},
    true,
  );
  const failures = metrics.counter(
    'coredns_health_request_failures_total',
    'Requests to the own health endpoint that failed.',
    {},
    true,
  );
  let stopped = false;
  let cancel: CancelTimer = () => {};

  const probe = async (address: string): Promise<void> => {
    const url = urlOf(address);
    const startMs = clock.monotonicMs();
    let problem = '';
    try {
      await get(url, TIMEOUT_MS);
    } catch (error) {
      problem = (error as Error).message;
    }
    if (stopped) return;
    const tookMs = clock.monotonicMs() - startMs;
    observe(cells, duration, SLIM_BUCKETS, tookMs / 1000);
    if (problem !== '') {
      cells[failures]!++;
      log.warning(`Local health request to "${url}" failed: ${problem}`);
    } else if (tookMs > SLOW_MS) {
      log.warning(`Local health request to "${url}" took more than 1s: ${Math.round(tookMs)}ms`);
    }
  };
  const schedule = (): void => {
    cancel = clock.after(EVERY_MS, () => {
      void Promise.all(env.addresses().map(probe)).then(() => {
        if (!stopped) schedule();
      });
    });
  };
  schedule();
  return () => {
    stopped = true;
    cancel();
  };
}

function urlOf(address: string): string {
  const { host = '', port = '' } = splitHostPort(address) ?? {};
  return `http://${formatHostPort(host === '' ? 'localhost' : host, port)}/health`;
}

const agent = new http.Agent({ keepAlive: true, maxSockets: 4 });

function getOnce(url: string, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = http.get(url, { agent, timeout: timeoutMs }, (response) => {
      response.resume();
      response.once('end', resolve);
      response.once('error', reject);
    });
    request.once('timeout', () => request.destroy(new Error(`no answer within ${timeoutMs / 1000}s`)));
    request.once('error', reject);
    request.on('socket', (socket) => socket.unref());
  });
}
