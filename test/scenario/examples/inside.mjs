// Runs in a private network: starts the program with each Corefile given and asks it something. Prints `EXAMPLE id result`.
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { DnsClient } from '../dns-client.mjs';
import { PROJECT_DIR } from '../programs.mjs';

const LAUNCHER = path.join(PROJECT_DIR, 'bin', 'clusterdns');
const START_MS = 20_000;
const ASK_MS = 2000;

/** Addresses that examples bind to, beside the loopback interface's own. */
const ADDRESSES = ['127.0.0.53/32', '10.0.0.53/32', '169.254.20.10/32', '192.0.2.53/32', 'fd00::53/128'];

execFileSync('ip', ['link', 'set', 'lo', 'up']);
execFileSync('ip', ['link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth0-peer']);
execFileSync('ip', ['link', 'set', 'eth0', 'up']);
for (const address of ADDRESSES) execFileSync('ip', ['addr', 'add', address, 'dev', 'lo']);
execFileSync('ip', ['addr', 'add', '192.0.2.1/24', 'dev', 'eth0']);

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clusterdns-examples-'));
for (const { id, text } of JSON.parse(process.argv[2])) {
  let result;
  try {
    result = await tryExample(text);
  } catch (error) {
    result = `failed: ${error.message.replaceAll('\n', ' | ')}`;
  }
  console.log(`EXAMPLE ${id} ${result}`);
}
fs.rmSync(folder, { recursive: true, force: true });

async function tryExample(text) {
  const file = path.join(folder, 'Corefile');
  fs.writeFileSync(
    file,
    /^\S.*\{\s*$/m.test(text) && !/^\w+\s*$/m.test(text.split('\n')[0]) ? text : `. {\n${text}\n}\n`,
  );
  const child = spawn(LAUNCHER, ['-conf', file], { cwd: PROJECT_DIR, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  const ended = new Promise((resolve) => child.once('exit', (code, signal) => resolve(`${code ?? signal}`)));
  const started = new Promise((resolve) => {
    const take = (chunk) => {
      output += chunk;
      if (/^clusterdns-/m.test(output)) resolve('started');
    };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), START_MS);
  try {
    const outcome = await Promise.race([started, ended.then((code) => `ended with ${code}`)]);
    if (outcome !== 'started') throw new Error(`${outcome}: ${output.trim()}`);
    return `ok ${await ask(output)}`;
  } finally {
    clearTimeout(timer);
    child.kill('SIGKILL');
    await ended;
  }
}

/** Asks the first zone that the start lines name. */
async function ask(output) {
  const line = output.split('\n').find((text) => /^(?:\w+:\/\/)?\S*:\d+(?: on \S+)?$/.test(text));
  if (line === undefined) throw new Error(`no zone in: ${output.trim()}`);
  const [, scheme = 'dns://', zone, port, address = '127.0.0.1'] = /^(\w+:\/\/)?(\S*):(\d+)(?: on (\S+))?$/.exec(line);
  if (scheme !== 'dns://') return connect(Number(port), address, line);
  const client = new DnsClient(Number(port), address);
  try {
    // Asked again because some examples drop queries on purpose.
    let reply;
    for (let attempt = 0; attempt < 3 && reply === undefined; attempt++) {
      reply = await client.ask(zone === '.' ? 'www.example.org.' : `www.${zone}`, 'A', { timeoutMs: ASK_MS });
    }
    if (reply === undefined) throw new Error(`no reply from ${line}`);
    return `${line}: ${reply.rcode}`;
  } finally {
    client.close();
  }
}

/** An encrypted listener takes connections; what it says is for the checks of its own. */
function connect(port, address, line) {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, address, () => {
      socket.destroy();
      resolve(`${line}: connected`);
    });
    socket.once('error', reject);
  });
}
