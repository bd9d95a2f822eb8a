// The one gate: `npm test` runs every step below and ends with `N passed, N failed`. Plain JavaScript.
//
//   node test/gate.mjs            all steps
//   node test/gate.mjs types unit only these
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const packageDir = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const bin = path.join(packageDir, 'node_modules', '.bin');
process.env.PATH = `${bin}${path.delimiter}${process.env.PATH ?? ''}`;
const node = fs.existsSync(path.join(bin, 'node')) ? path.join(bin, 'node') : process.execPath;

/**
 * A step: its command, how its output is counted, and (optionally) the file without which there is nothing to run. All
 * steps run, also after one that failed.
 */
const STEPS = [
  { name: 'types', command: ['tsc', '--noEmit'], count: countProblems(/^\S+\(\d+,\d+\): error /gm) },
  {
    name: 'lint',
    command: ['oxlint', '--type-aware', '--deny-warnings', 'lib', 'test', 'bin'],
    count: countProblems(/^ {2}[x!] /gm),
  },
  { name: 'format', command: ['biome', 'format', '.'], count: countProblems(/ format ━/g) },
  {
    name: 'unit',
    command: [node, path.join('node_modules', 'ava', 'entrypoints', 'cli.js'), '--tap'],
    count: countTap,
    show: showFailedTap,
  },
  {
    name: 'conformance',
    needs: 'test/conformance/gate.mjs',
    command: [node, path.join('test', 'conformance', 'gate.mjs')],
    count: countSummary,
  },
  {
    name: 'scenario',
    needs: 'test/scenario/run.mjs',
    command: [node, path.join('test', 'scenario', 'run.mjs')],
    count: countSummary,
    show: (output) =>
      output
        .split('\n')
        .filter((line) => /^(?:FAILED|skipped| )/.test(line))
        .join('\n'),
  },
];

const only = process.argv.slice(2);
const unknown = only.filter((name) => !STEPS.some((step) => step.name === name));
if (unknown.length > 0) {
  console.error(`no such step: ${unknown.join(', ')}; there are ${STEPS.map(({ name }) => name).join(', ')}`);
  process.exit(2);
}

const total = { passed: 0, failed: 0, skipped: 0 };
for (const step of STEPS) {
  if (only.length > 0 && !only.includes(step.name)) continue;
  if (step.needs !== undefined && !fs.existsSync(path.join(packageDir, step.needs))) continue;
  const startMs = performance.now();
  const { output, code } = await run(step.command);
  const counts = step.count(output, code);
  // A step that ends badly has failed, whatever it says of itself.
  if (code !== 0 && counts.failed === 0) counts.failed = 1;
  if (counts.passed + counts.failed + counts.skipped === 0) counts.failed = 1;
  const text = counts.failed === 0 ? '' : (step.show?.(output) ?? output).trimEnd();
  if (text !== '') console.log(text);
  for (const key of Object.keys(total)) total[key] += counts[key];
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  console.log(`${step.name}: ${format(counts)} (${seconds} s)`);
}
console.log(format(total));
process.exitCode = total.failed === 0 ? 0 : 1;

function format({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}

function run([command, ...args]) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: packageDir, stdio: ['ignore', 'pipe', 'pipe'] });
    const chunks = [];
    child.stdout.on('data', (chunk) => chunks.push(chunk));
    child.stderr.on('data', (chunk) => chunks.push(chunk));
    child.on('error', (error) => resolve({ output: `${command}: ${error.message}`, code: 1 }));
    child.on('close', (code) => resolve({ output: Buffer.concat(chunks).toString('utf8'), code: code ?? 1 }));
  });
}

/** A check of the whole tree passes as one, or fails once for each problem. */
function countProblems(pattern) {
  return (output, code) => {
    const failed = output.match(pattern)?.length ?? 0;
    return { passed: code === 0 && failed === 0 ? 1 : 0, failed, skipped: 0 };
  };
}

/** TAP lines; the summary at its end counts `todo` as failed, so it is not used. */
function countTap(output) {
  const lines = output.split('\n');
  const isSkipped = (line) => /# (?:SKIP|TODO)\b/.test(line);
  const count = (start, wanted) => lines.filter((line) => line.startsWith(start) && isSkipped(line) === wanted).length;
  return {
    passed: count('ok ', false),
    failed: count('not ok ', false),
    skipped: count('ok ', true) + count('not ok ', true),
  };
}

/** Failed tests with what is said about them, and anything that is no TAP. */
function showFailedTap(output) {
  const shown = [];
  let isFailed = true;
  for (const line of output.split('\n')) {
    if (/^(?:ok|not ok|TAP version|1\.\.|# )/.test(line)) isFailed = line.startsWith('not ok ');
    if (isFailed) shown.push(line);
  }
  return shown.join('\n');
}

/** The last line of the form `N passed, N failed, N skipped` that the step prints itself. */
function countSummary(output) {
  const lines = [...output.matchAll(/^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$/gm)];
  const [, passed = 0, failed = 0, skipped = 0] = lines.at(-1) ?? [];
  return { passed: Number(passed), failed: Number(failed), skipped: Number(skipped) };
}
