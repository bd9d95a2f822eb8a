// Runs in a private network and mount namespace: the demo on port 53, a Pod's resolv.conf, and every stub resolver this
// machine has. Prints one JSON line a resolver: {"resolver", "answers": {name: [address]}} or {"resolver", "skipped"}.
//
// argv: 1. JSON {names, fqdns, goProgram?, muslProgram?, folder}
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { startUpstream } from '../../conformance/stub-upstream.mjs';
import { sortUnique } from '../checks.mjs';
import { demoCorefile, OUTSIDE_RECORDS } from '../demo.mjs';
import { findProgram, runProgram } from '../programs.mjs';
import { startServer, stopServer } from '../server.mjs';

const plan = JSON.parse(process.argv[2]);
const LIMIT_MS = 60_000;

function useResolvConf(text) {
  const file = path.join(plan.folder, `resolv-${text.length}.conf`);
  fs.writeFileSync(file, text);
  execFileSync('mount', ['--bind', file, '/etc/resolv.conf']);
}

function readLines(output) {
  const answers = {};
  for (const line of output.trim().split('\n')) {
    const [name, ...found] = line.split(/\s+/);
    answers[name] = sortUnique(found);
  }
  return answers;
}

/** A program that reads names from standard input. */
async function askProgram(resolver, command, args, names = plan.names) {
  const program = await runProgram(command, args, { input: `${names.join('\n')}\n`, timeoutMs: LIMIT_MS });
  report({ resolver, answers: readLines(program.stdout), stderr: program.stderr.slice(0, 500) });
}

async function askGetent() {
  const answers = {};
  for (const name of plan.names) {
    const { stdout } = await runProgram('getent', ['-A', 'ahosts', name]);
    const found = stdout
      .trim()
      .split('\n')
      .map((line) => line.split(/\s+/)[0]);
    answers[name] = sortUnique(found.filter((address) => address !== ''));
    if (answers[name].length === 0) answers[name] = ['!not found'];
  }
  report({ resolver: 'glibc getent', answers });
}

async function askDig() {
  const answers = {};
  for (const name of plan.names) {
    const { stdout } = await runProgram('dig', ['+search', '+noall', '+answer', name, 'A', name, 'AAAA']);
    const found = stdout
      .trim()
      .split('\n')
      .map((line) => line.split(/\s+/))
      .filter((words) => /^A(AAA)?$/.test(words[3]));
    answers[name] = sortUnique(found.map((words) => words[4]));
    if (answers[name].length === 0) answers[name] = ['!not found'];
  }
  report({ resolver: 'dig +search', answers });
}

function report(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

useResolvConf('nameserver 127.0.0.53\n');
const upstream = await startUpstream({ records: OUTSIDE_RECORDS, listen: '127.0.0.53@53' });
const server = await startServer(demoCorefile('/etc/resolv.conf', { port: '53' }), {
  port: 53,
  ask: ['kubernetes.default.svc.cluster.local.', 'A'],
});
try {
  useResolvConf(
    'search default.svc.cluster.local svc.cluster.local cluster.local\nnameserver 127.0.0.1\noptions ndots:5\n',
  );
  const node = path.join(import.meta.dirname, 'lookup-node.mjs');
  await askProgram('Node dns.lookup', process.execPath, [node, 'lookup']);
  await askProgram('Node dns.resolve', process.execPath, [node, 'resolve'], plan.fqdns);
  for (const [resolver, program] of Object.entries(plan.programs)) await askProgram(resolver, program, []);
  if (findProgram('python3')) await askProgram('Python', 'python3', [path.join(import.meta.dirname, 'lookup.py')]);
  else report({ resolver: 'Python', skipped: 'python3 is not installed' });
  if (findProgram('getent')) await askGetent();
  else report({ resolver: 'glibc getent', skipped: 'getent is not installed' });
  if (findProgram('dig')) await askDig();
  else report({ resolver: 'dig +search', skipped: 'dig is not installed' });
} finally {
  await stopServer(server);
  await upstream.close();
}
