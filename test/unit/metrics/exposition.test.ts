// Prometheus text: golden output and Go's number format.
import test from 'ava';
import { clearGauges, createCellMemory, rowOf, allRows } from '../../../lib/metrics/cells.ts';
import { formatExposition } from '../../../lib/metrics/exposition.ts';
import { formatFloat } from '../../../lib/metrics/number-text.ts';
import { sampleProcess } from '../../../lib/metrics/process-metrics.ts';
import { MetricRegistry, observe, SLIM_BUCKETS, TIME_BUCKETS } from '../../../lib/metrics/registry.ts';

// Right column: what Go 1.26 prints.
const NUMBERS: readonly (readonly [number, string])[] = [
  [0, '0'],
  [0.00025, '0.00025'],
  [0.0001, '0.0001'],
  [0.00001, '1e-05'],
  [8.192, '8.192'],
  [16000, '16000'],
  [999999, '999999'],
  [1000000, '1e+06'],
  [1234567, '1.234567e+06'],
  [150000.5, '150000.5'],
  [1.7953497874332187e9, '1.7953497874332187e+09'],
  [1e20, '1e+20'],
  [1e21, '1e+21'],
  [1e100, '1e+100'],
  [-2.5, '-2.5'],
  [Number.POSITIVE_INFINITY, '+Inf'],
  [Number.NaN, 'NaN'],
];
for (const [value, expected] of NUMBERS)
  test(`formatFloat: ${value} is written as Go writes it, ${expected}`, (t) => t.is(formatFloat(value), expected));

test('TIME_BUCKETS: le values are those of CoreDNS', (t) => {
  t.is(
    TIME_BUCKETS.map(formatFloat).join(' '),
    '0.00025 0.0005 0.001 0.002 0.004 0.008 0.016 0.032 0.064 0.128 0.256 0.512 1.024 2.048 4.096 8.192',
  );
});

test('formatExposition: families sorted, rows added up, labels in order, text escaped, buckets cumulative', (t) => {
  const registry = new MetricRegistry();
  const memory = createCellMemory(1);
  const worker = rowOf(memory, 0);
  const control = rowOf(memory, 1);
  const b = registry.counter('b_total', 'Second\nline \\.', { zone: 'x"\\\n', server: 's' });
  const a = registry.counter('b_total', 'Second\nline \\.', { zone: 'a', server: 's' });
  registry.counter('b_total', 'Second\nline \\.', { zone: 'never', server: 's' });
  registry.counter('a_total', 'Always there.', {}, true);
  registry.gauge('unused', 'Never there.');
  const seconds = registry.histogram('h_seconds', 'Time.', SLIM_BUCKETS, { zz: '1' });
  worker[a] = 2;
  control[a] = 3;
  worker[b] = 1e6;
  observe(worker, seconds, SLIM_BUCKETS, 0.0025);
  observe(worker, seconds, SLIM_BUCKETS, 0.1);
  observe(control, seconds, SLIM_BUCKETS, 9);
  const sampled = [
    { name: 'c', help: 'Sampled.', type: 'gauge' as const, samples: [{ labels: { k: 'v' }, value: 1 }] },
  ];
  t.is(
    formatExposition(registry, allRows(memory), sampled),
    `# HELP a_total Always there.
# TYPE a_total counter
a_total 0
# HELP b_total Second\\nline \\\\.
# TYPE b_total counter
b_total{server="s",zone="a"} 5
b_total{server="s",zone="x\\"\\\\\\n"} 1e+06
# HELP c Sampled.
# TYPE c gauge
c{k="v"} 1
# HELP clusterdns_udp_kernel_drops_total Datagrams that the kernel dropped because a receive buffer of a listener was full.
# TYPE clusterdns_udp_kernel_drops_total counter
clusterdns_udp_kernel_drops_total 0
# HELP coredns_panics_total Faults that were caught while a query was handled.
# TYPE coredns_panics_total counter
coredns_panics_total 0
# HELP h_seconds Time.
# TYPE h_seconds histogram
h_seconds_bucket{zz="1",le="0.00025"} 0
h_seconds_bucket{zz="1",le="0.0025"} 1
h_seconds_bucket{zz="1",le="0.025"} 1
h_seconds_bucket{zz="1",le="0.25"} 2
h_seconds_bucket{zz="1",le="2.5"} 2
h_seconds_bucket{zz="1",le="+Inf"} 3
h_seconds_sum{zz="1"} 9.1025
h_seconds_count{zz="1"} 3
`,
  );
});

test('clearGauges: a gauge goes to zero, a counter stays', (t) => {
  const registry = new MetricRegistry();
  const row = new Float64Array(8);
  row[registry.gauge('g', 'G.')] = 4;
  row[registry.counter('c_total', 'C.')] = 5;
  clearGauges(registry, row);
  const text = formatExposition(registry, [row]);
  t.regex(text, /^c_total 5$/m);
  t.notRegex(text, /^g /m);
});

test('sampleProcess: every process_* metric that alerts ask for has a plausible value', (t) => {
  const values = new Map(sampleProcess().map(({ name, samples }) => [name, samples[0]!.value]));
  t.true(values.get('process_resident_memory_bytes')! > 1e6);
  t.true(values.get('process_virtual_memory_bytes')! > values.get('process_resident_memory_bytes')!);
  t.true(values.get('process_open_fds')! >= 3);
  t.true(values.get('process_max_fds')! >= 64);
  t.true(Math.abs(values.get('process_start_time_seconds')! - (Date.now() / 1000 - process.uptime())) < 5);
  t.true(values.get('process_cpu_seconds_total')! >= 0);
  t.true(values.get('go_goroutines')! >= 1);
});
