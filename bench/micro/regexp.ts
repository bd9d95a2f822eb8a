// Microbenchmark of regular expressions: microseconds for a name that is usual and for the worst one a client can send, by V8
// where it is let and by the engine of linear time.
//
//   node bench/micro/regexp.ts
import { compileGoRegexp } from '../../lib/base/go-regexp.ts';

const USUAL = 'ip-10-20-30-40.example.';
const WORST = `${'a'.repeat(62)}.`.repeat(4).slice(0, 251);
const RUNS = 20_000;

const PATTERNS = [
  '^ip-(?P<a>[0-9]*)-(?P<b>[0-9]*)-(?P<c>[0-9]*)-(?P<d>[0-9]*)[.]example[.]$',
  '(.*)\\.example\\.org\\.',
  '(.*)-(us-west-1)\\.example\\.org',
  '(.*)\\.(.*)\\.svc',
  '(a+)+$',
  '^(([a-z0-9]+-?)+\\.)+$',
];

function measure(run: (text: string) => unknown, text: string): string {
  for (let i = 0; i < RUNS / 10; i++) run(text);
  const start = process.cpuUsage();
  for (let i = 0; i < RUNS; i++) run(text);
  const { user, system } = process.cpuUsage(start);
  return ((user + system) / RUNS).toFixed(2).padStart(8);
}

console.log('   usual    worst   linear: usual, worst');
for (const pattern of PATTERNS) {
  const regexp = compileGoRegexp(pattern);
  const own = [measure((text) => regexp.exec(text), USUAL), measure((text) => regexp.exec(text), WORST)];
  const linear = [measure((text) => regexp.execLinear(text), USUAL), measure((text) => regexp.execLinear(text), WORST)];
  console.log(`${[...own, ...linear].join(' ')}  ${regexp.isSimple ? 'V8    ' : 'linear'} ${pattern}`);
}
