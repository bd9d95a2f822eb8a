// A real Prometheus scrapes the server, promtool reads its metrics, and the expressions that dashboards and alerts for
// CoreDNS use have data.
import fs from 'node:fs';
import path from 'node:path';
import { startUpstream } from '../conformance/stub-upstream.mjs';
import { expect } from './checks.mjs';
import { findFreePort, findProgram, makeFolder, Program, runProgram, sleep, waitFor } from './programs.mjs';
import { DEMO_VIEW, kubeadmCorefile, startServer, stopServer } from './server.mjs';

const TRAFFIC_MS = 8000;
const RATE = '[10s]';

/** What promtool says of CoreDNS's own names too; a name that dashboards ask for cannot change. */
const KNOWN_LINT =
  /^(go_|process_|coredns_(cache_(hits|misses|entries|requests|drops|evictions|prefetch|served_stale)))/;

/** Expressions of panels and alert conditions; each has data once there was traffic. */
const WITH_DATA = [
  'up{job="coredns"} == 1',
  `sum(rate(coredns_dns_requests_total${RATE})) by (proto)`,
  `sum(rate(coredns_dns_requests_total{proto="udp"}${RATE})) by (type) > 0`,
  `sum(rate(coredns_dns_requests_total{proto="tcp"}${RATE})) by (zone, server) > 0`,
  'count(coredns_dns_requests_total{family="1", view=""}) by (server)',
  `sum(rate(coredns_dns_do_requests_total${RATE})) > 0`,
  `sum(rate(coredns_dns_responses_total${RATE})) by (rcode) > 0`,
  `sum(rate(coredns_dns_responses_total{rcode="NXDOMAIN"}${RATE})) / sum(rate(coredns_dns_responses_total${RATE})) > 0`,
  'count(coredns_dns_responses_total{plugin=~".*", view=""}) by (server, zone)',
  `histogram_quantile(0.99, sum(rate(coredns_dns_request_duration_seconds_bucket{job="coredns"}${RATE})) by (server, zone, le)) > 0`,
  `sum(rate(coredns_dns_request_duration_seconds_bucket{le="0.00025"}${RATE}))`,
  `sum(rate(coredns_dns_request_duration_seconds_sum${RATE})) / sum(rate(coredns_dns_request_duration_seconds_count${RATE})) > 0`,
  `histogram_quantile(0.90, sum(rate(coredns_dns_request_size_bytes_bucket{proto="udp"}${RATE})) by (le, proto)) > 0`,
  `histogram_quantile(0.90, sum(rate(coredns_dns_response_size_bytes_bucket{proto="tcp"}${RATE})) by (le, proto)) > 0`,
  'sum(coredns_cache_entries) by (type) >= 0',
  `sum(rate(coredns_cache_hits_total${RATE})) by (type) > 0`,
  `sum(rate(coredns_cache_misses_total${RATE})) > 0`,
  `sum(rate(coredns_cache_requests_total${RATE})) > 0`,
  `sum(rate(coredns_proxy_request_duration_seconds_count{proxy_name="forward"}${RATE})) by (to, rcode) > 0`,
  `histogram_quantile(0.99, sum(rate(coredns_proxy_request_duration_seconds_bucket${RATE})) by (to, le)) > 0`,
  'coredns_forward_healthcheck_broken_total',
  'coredns_forward_max_concurrent_rejects_total',
  'coredns_panics_total == 0',
  'count(coredns_plugin_enabled{name="kubernetes"} == 1) by (server, zone)',
  'coredns_build_info{version=~".+", goversion=~".+", revision=~".*"}',
  'coredns_reload_failed_total == 0',
  'histogram_quantile(0.99, sum(rate(coredns_health_request_duration_seconds_bucket[10s])) by (le)) > 0',
  'coredns_health_request_failures_total == 0',
  'process_resident_memory_bytes > 1e6',
  `rate(process_cpu_seconds_total${RATE}) >= 0`,
  'process_open_fds > 0 and process_max_fds > 0',
  'process_start_time_seconds > 0',
  'go_goroutines > 0',
];

/** Alert conditions; none may fire for a healthy server, and none may fail to evaluate. */
const QUIET = [
  'absent(up{job="coredns"} == 1)',
  `sum(rate(coredns_dns_responses_total{rcode="SERVFAIL"}${RATE})) / sum(rate(coredns_dns_responses_total${RATE})) > 0.01`,
  `histogram_quantile(0.99, sum(rate(coredns_dns_request_duration_seconds_bucket${RATE})) by (server, zone, le)) > 4`,
  `sum(rate(coredns_proxy_healthcheck_failures_total${RATE})) by (to) > 0`,
  `sum(rate(coredns_forward_healthcheck_broken_total${RATE})) > 0`,
  `increase(coredns_panics_total${RATE}) > 0`,
];

export async function run(checks) {
  checks.area('monitoring');
  const missing = ['prometheus', 'promtool'].filter((program) => findProgram(program) === undefined);
  if (missing.length > 0) {
    checks.skip('a real Prometheus', `${missing.join(' and ')} is not installed`);
    return;
  }
  const upstream = await startUpstream({ any: ['60 A 192.0.2.1'], records: ['x.test. 1 A 192.0.2.1'] });
  const view = process.env.SERVER_COMMAND === undefined ? DEMO_VIEW : 'endpoint http://127.0.0.1:1';
  const server = await startServer(kubeadmCorefile(view, upstream.addr), { ask: ['web.shop.svc.cluster.local.', 'A'] });
  const prometheus = await startPrometheus(server.metrics);
  try {
    await makeTraffic(server.client);
    await checkText(checks, server.metrics);
    await checkExpressions(checks, prometheus.port);
  } finally {
    await prometheus.program.stop();
    await stopServer(server);
    await upstream.close();
  }
}

async function makeTraffic(client) {
  for (const until = Date.now() + TRAFFIC_MS; Date.now() < until; await sleep(50)) {
    await client.ask('web.shop.svc.cluster.local.', 'A');
    await client.ask('web.shop.svc.cluster.local.', 'AAAA', { tcp: true });
    await client.ask('nope.shop.svc.cluster.local.', 'A', { udpSize: 1232, dnssecOk: true });
    await client.ask('same.example.com.', 'A');
    await client.ask('same.example.com.', 'MX');
    await client.ask(`name-${Date.now()}.example.com.`, 'A');
  }
}

async function checkText(checks, port) {
  await checks.check('promtool check metrics finds nothing that CoreDNS names differently', async () => {
    const response = await fetch(`http://127.0.0.1:${port}/metrics`);
    expect(
      response.headers.get('content-type')?.startsWith('text/plain; version=0.0.4'),
      response.headers.get('content-type'),
    );
    const { ended, output } = await runProgram('promtool', ['check', 'metrics'], { input: await response.text() });
    const complaints = output.split('\n').filter((line) => line !== '' && !KNOWN_LINT.test(line));
    expect(complaints.length === 0, `exit ${ended.code}\n${complaints.join('\n')}`);
    return `exit ${ended.code}`;
  });
}

async function startPrometheus(target) {
  const folder = makeFolder('prometheus');
  const port = await findFreePort();
  fs.writeFileSync(
    path.join(folder, 'prometheus.yml'),
    `global: { scrape_interval: 1s }\nscrape_configs:\n  - job_name: coredns\n    static_configs: [{ targets: ["127.0.0.1:${target}"] }]\n`,
  );
  const program = new Program('prometheus', [
    `--config.file=${folder}/prometheus.yml`,
    `--storage.tsdb.path=${folder}/data`,
    `--web.listen-address=127.0.0.1:${port}`,
    '--log.level=error',
  ]);
  await waitFor(
    'Prometheus',
    async () => (await fetch(`http://127.0.0.1:${port}/-/ready`).catch(() => undefined))?.ok,
    20_000,
  );
  return { program, port };
}

async function evaluate(port, expression) {
  const response = await fetch(`http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(expression)}`);
  const { status, error, data } = await response.json();
  expect(status === 'success', `${expression}: ${error}`);
  return data.result;
}

async function checkExpressions(checks, port) {
  await checks.check('expressions of dashboards have data', async () => {
    const empty = [];
    for (const expression of WITH_DATA) {
      const result = await evaluate(port, expression);
      if (!result.some(({ value }) => value[1] !== 'NaN')) empty.push(expression);
    }
    expect(empty.length === 0, `without data:\n${empty.join('\n')}`);
    return `${WITH_DATA.length} expressions`;
  });
  await checks.check('conditions of alerts are quiet', async () => {
    for (const expression of QUIET) {
      const result = await evaluate(port, expression);
      expect(result.length === 0, `${expression}: ${JSON.stringify(result)}`);
    }
    return `${QUIET.length} conditions`;
  });
}
