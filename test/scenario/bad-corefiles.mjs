// Every Corefile that CoreDNS refuses for what it says gets one clear line and exit status 1.
import fs from 'node:fs';
import path from 'node:path';
import { expect } from './checks.mjs';
import { makeFolder, PROJECT_DIR } from './programs.mjs';
import { spawnServer } from './server.mjs';

const FOLDER = path.join(PROJECT_DIR, 'test', 'conformance', 'corefiles-bad');
const KINDS = new Set(['syntax', 'plugin-unknown', 'option-unknown', 'arguments', 'bad-value', 'duplicate']);
const SAMPLE = 40;
/** How many of the sample are also started, not only checked. */
const STARTED = 6;
const AT_A_TIME = 2;
const LIMIT_MS = 15_000;
const CHECK_LINE = /^[^\s:]+:(\d+): \S/;
const START_LINE = /^[^\s:]+:(\d+) - \S.*: \S/;
/** A plugin that this program has not is refused before its options are read. */
const NOT_BUILT = /is not built/;

function pickCases() {
  const index = JSON.parse(fs.readFileSync(path.join(FOLDER, 'index.json'), 'utf8'));
  const refused = index.filter(
    // What only opening the socket shows is not for -check.
    ({ coredns, reason, error }) => coredns === 'refuses' && KINDS.has(reason) && !error.startsWith('listen'),
  );
  if (process.env.ALL_COREFILES === '1') return refused;
  const step = refused.length / SAMPLE;
  return Array.from({ length: SAMPLE }, (_, n) => refused[Math.floor(n * step)]);
}

/** Tries one file; a text says what is wrong with the verdict. */
async function findFault({ file, error, line, env, files }, args) {
  const folder = makeFolder('corefile');
  for (const [name, text] of Object.entries(files ?? {})) {
    fs.mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    fs.writeFileSync(path.join(folder, name), text);
  }
  fs.copyFileSync(path.join(FOLDER, file), path.join(folder, 'Corefile'));
  const program = spawnServer(['-conf', 'Corefile', ...args], { cwd: folder, env });
  const ended = await program.waitEnd(LIMIT_MS);
  fs.rmSync(folder, { recursive: true, force: true });
  const isCheck = args.includes('-check');
  // -check reports every problem on standard output, a start that fails the first one on standard error.
  const lines = program[isCheck ? 'stdout' : 'stderr'].split('\n').filter((text) => text !== '');
  const places = lines.map((text) => Number((isCheck ? CHECK_LINE : START_LINE).exec(text)?.[1] ?? Number.NaN));
  const seen = `said ${JSON.stringify(program.output.slice(0, 500))}, CoreDNS: ${error}`;
  if (ended.code !== 1) return `${file}: exit ${ended.code ?? ended.signal}, want 1; ${seen}`;
  if (lines.length === 0 || (!isCheck && lines.length > 1)) return `${file}: ${lines.length} lines; ${seen}`;
  if (places.some(Number.isNaN)) return `${file}: no file and line; ${seen}`;
  if (line === undefined || places.includes(line) || NOT_BUILT.test(lines[0])) return undefined;
  return `${file}: want line ${line}; ${seen}`;
}

async function findFaults(cases, args) {
  const faults = [];
  const queue = [...cases];
  const work = async () => {
    for (let each = queue.shift(); each !== undefined; each = queue.shift()) {
      const fault = await findFault(each, args).catch((error) => `${each.file}: ${error.message}`);
      if (fault !== undefined) faults.push(fault);
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, work));
  return faults;
}

export async function run(checks) {
  checks.area('bad-corefiles');
  const cases = pickCases();
  const check = (title, some, args) =>
    checks.check(title, async () => {
      const faults = await findFaults(some, args);
      expect(faults.length === 0, `${faults.length} of ${some.length}:\n${faults.join('\n')}`);
      return `${some.length} files`;
    });
  await check('-check prints one line "FILE:LINE: message" and exits 1', cases, ['-check']);
  const step = Math.floor(cases.length / STARTED);
  await check(
    'so does a start',
    cases.filter((_, n) => n % step === 0),
    [],
  );
}
