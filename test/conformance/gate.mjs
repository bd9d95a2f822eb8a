// Runs all black-box checks against the program for the gate. Plain JavaScript.
//
// A check that is known to differ stands in known-differences.json with its reason: a line of docs/differences.md, or something
// that is not built. It counts as skipped. Many checks wait for real timers, so one that fails is run once more, alone.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const FOLDERS = ['kubernetes', 'network', 'plugins', 'own'].map((folder) => path.join(HERE, 'vectors', folder));
const PROGRAM = path.join(HERE, '..', '..', 'bin', 'clusterdns');
const known = JSON.parse(fs.readFileSync(path.join(HERE, 'known-differences.json'), 'utf8'));
const workDir = fs.mkdtempSync(path.join(os.tmpdir(), 'clusterdns-conformance-'));

/** Run once more on node:dgram: what depends on sockets. `npm run fault` runs all. */
const PORTABLE =
  '^(?:kubeadm|message|bind-addresses|bind-ipv6|multisocket|cache-truncated|cache-big|forward-relay-rcodes|udp-odd|acl-drop)/';

/** Results by id; undefined when the runner did not get to its end. */
function run(jobs, only, env = {}) {
  const resultFile = path.join(workDir, 'results.json');
  fs.rmSync(resultFile, { force: true });
  const args = ['--cmd', `${PROGRAM} -conf {corefile}`, '--quiet', '--jobs', String(jobs), '--json', resultFile];
  if (only) args.push('--only', only);
  const { stdout, stderr } = spawnSync(process.execPath, [path.join(HERE, 'run-vectors.mjs'), ...args, ...FOLDERS], {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    env: { ...process.env, ...env },
  });
  if (!fs.existsSync(resultFile)) {
    console.log(`${stdout}${stderr}\n0 passed, 1 failed`);
    process.exit(1);
  }
  const { vectors } = JSON.parse(fs.readFileSync(resultFile, 'utf8'));
  return new Map(vectors.flatMap(({ results }) => results).map((result) => [result.id, result]));
}

function runPortable() {
  const env = { CLUSTERDNS_UDP: 'dgram' };
  const found = run(jobs, PORTABLE, env);
  const isFailed = ([id, { status }]) => status === 'fail' && known[id] === undefined;
  if (![...found].some(isFailed)) return found;
  const second = run(1, PORTABLE, env);
  return new Map([...found].map(([id, result]) => [id, isFailed([id, result]) ? (second.get(id) ?? result) : result]));
}

const jobs = Math.max(2, Math.min(4, os.availableParallelism()));
const results = run(jobs);
const portable = process.env.CLUSTERDNS_UDP === undefined ? runPortable() : new Map();
const again = [...results.values()].filter(({ id, status }) => status === 'fail' && known[id] === undefined);
if (again.length > 0 && again.length <= 40) {
  // A later query of a check may depend on earlier ones, so whole checks are repeated.
  const names = new Set(again.map(({ id }) => id.slice(0, id.indexOf('/'))));
  const pattern = `^(?:${[...names].map((name) => name.replace(/[^\w-]/g, '\\$&')).join('|')})/`;
  for (const [id, result] of run(1, pattern)) {
    if (results.get(id)?.status === 'fail' && result.status === 'pass') console.log(`${id}: passed when run again alone`);
    if (results.get(id)?.status === 'fail') results.set(id, result);
  }
}
for (const [id, result] of portable) if (known[id] === undefined) results.set(`${id} (dgram)`, result);
fs.rmSync(workDir, { recursive: true, force: true });

const counts = { passed: 0, failed: 0, skipped: 0 };
for (const { id, status, diffs } of results.values()) {
  if (status === 'pass') {
    counts.passed++;
    if (known[id] !== undefined) console.log(`${id}: agrees, though known-differences.json says it does not`);
  } else if (status === 'skip' || known[id] !== undefined) counts.skipped++;
  else {
    counts.failed++;
    console.log(`${id}: ${diffs.join('; ')}`);
  }
}
for (const id of Object.keys(known)) {
  if (results.has(id)) continue;
  counts.failed++;
  console.log(`${id}: in known-differences.json, but there is no such check`);
}
const { passed, failed, skipped } = counts;
console.log(`${passed} of ${results.size} black-box checks agree with CoreDNS 1.14.7`);
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
process.exit(failed === 0 ? 0 : 1);
