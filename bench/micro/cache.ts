// Microbenchmark of the cache plugin: nanoseconds of CPU and bytes allocated per hit, and per miss that is stored.
//
//   node bench/micro/cache.ts [ROUNDS]
//
// One process, no sockets: queries are parsed once and handed to the handler again and again, as the loop does. The median
// of the rounds counts. `stored` includes a made-up answer of one address.
import { parseCorefile } from '../../lib/config/corefile.ts';
import { ManualClock } from '../../lib/base/clock.ts';
import { Answer } from '../../lib/chain/answer.ts';
import { Outcome } from '../../lib/chain/outcome.ts';
import type { Env, Handler, SetupContext } from '../../lib/chain/plugin.ts';
import { Query } from '../../lib/chain/query.ts';
import { MetricRegistry } from '../../lib/metrics/registry.ts';
import { createCacheHandler } from '../../lib/plugins/cache/handler.ts';
import { setupCache } from '../../lib/plugins/cache/setup.ts';
import { directiveNames, PLUGIN_ORDER } from '../../lib/plugins/order.ts';
import { parseName } from '../../lib/wire/name.ts';

const HITS_PER_ROUND = 1_000_000;
const NAMES = 1000;
const rounds = Number(process.argv[2] ?? 7);

const addresses = new Uint8Array(160);
const clock = new ManualClock();
const answer = new Answer(65_536);

function buildQuery(text: string): Query {
  const name = parseName(text)!;
  const packet = new Uint8Array(12 + name.length + 4);
  packet[2] = 1;
  packet[5] = 1;
  packet.set(name, 12);
  packet[12 + name.length + 1] = 1;
  packet[12 + name.length + 3] = 1;
  const query = new Query();
  query.parse(packet, 0, packet.length);
  return query;
}

function buildCache(addressesPerAnswer: number): Handler {
  const [block] = parseCorefile('. {\n cache\n}', { file: 'bench', directives: directiveNames(PLUGIN_ORDER) }).blocks;
  const options = setupCache(block!.directives, {
    zones: ['.'],
    servers: ['dns://:53'],
    view: '',
    metrics: new MetricRegistry(),
    warn() {},
  } as unknown as SetupContext);
  const next: Handler = (_query, into) => {
    into.addAddresses(300, 4, addresses, 0, addressesPerAnswer);
    return Outcome.ANSWERED;
  };
  const env = { next, clock, cells: new Float64Array(65_536), worker: 0, onClose() {} } as unknown as Env;
  return createCacheHandler(options, env);
}

/** Runs `count` queries and returns nanoseconds and bytes for each. */
function measure(handler: Handler, queries: readonly Query[], count: number): { ns: number; bytes: number } {
  const before = process.memoryUsage().heapUsed;
  const start = process.cpuUsage();
  for (let i = 0, at = 0; i < count; i++) {
    const query = queries[at]!;
    if (++at === queries.length) at = 0;
    answer.begin(query);
    handler(query, answer) as Outcome;
  }
  const { user, system } = process.cpuUsage(start);
  const ns = ((user + system) * 1000) / count;
  return { ns, bytes: Math.max(0, process.memoryUsage().heapUsed - before) / count };
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!;
}

function report(title: string, run: () => { ns: number; bytes: number }): void {
  run();
  const results = Array.from({ length: rounds }, run);
  const ns = median(results.map((result) => result.ns)).toFixed(0);
  const bytes = median(results.map((result) => result.bytes)).toFixed(3);
  process.stdout.write(`${title.padEnd(28)} ${ns.padStart(6)} ns ${bytes.padStart(9)} B allocated\n`);
}

const known = Array.from({ length: NAMES }, (_, i) => buildQuery(`host-${i}.bench.example.org.`));
const begin: Handler = () => Outcome.ANSWERED;
report('begin alone', () => measure(begin, known, HITS_PER_ROUND));
for (const count of [1, 10]) {
  const cache = buildCache(count);
  measure(cache, known, NAMES);
  report(`hit, ${count} A`, () => measure(cache, known, HITS_PER_ROUND));
}
const cold = buildCache(1);
const unknown = Array.from({ length: 50_000 }, (_, i) => buildQuery(`cold-${i}.bench.example.org.`));
report('stored, full table', () => measure(cold, unknown, unknown.length));
