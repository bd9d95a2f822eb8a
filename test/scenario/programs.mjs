// Starts and stops programs for whole-program tests: everything by pid, nothing outlives the test. Main thread.
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';

export const PROJECT_DIR = path.resolve(import.meta.dirname, '..', '..');

const running = new Set();
const folders = new Set();
process.on('exit', () => {
  for (const program of running) killTree(program.pid);
  for (const folder of folders) fs.rmSync(folder, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(130));

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** A folder that goes away with the process. */
export function makeFolder(name) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), `clusterdns-${name}-`));
  folders.add(folder);
  return folder;
}

/** Full path of a program, undefined when it is not installed. */
export function findProgram(name) {
  try {
    return execFileSync('which', [name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return undefined;
  }
}

/** A port of 127.0.0.1 that is free for TCP right now. */
export async function findFreePort() {
  const server = net.createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Waits until `probe` returns something truthy and returns it. @throws Error after `timeoutMs`. */
export async function waitFor(what, probe, timeoutMs = 10_000, everyMs = 25) {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const seen = await probe();
    if (seen) return seen;
    if (Date.now() > deadline) throw new Error(`no ${what} within ${timeoutMs} ms`);
    await sleep(everyMs);
  }
}

/** A started program: its output so far, how it ended, and ways to end it. */
export class Program {
  stdout = '';
  stderr = '';
  /** Undefined while it runs, then {code, signal}. */
  ended;
  #process;

  constructor(command, args, options = {}) {
    this.#process = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], ...options });
    this.command = [command, ...args].join(' ');
    running.add(this);
    this.#process.stdin.on('error', () => {});
    this.#process.stdin.end(options.input ?? '');
    this.#process.stdout.on('data', (chunk) => (this.stdout += chunk));
    this.#process.stderr.on('data', (chunk) => (this.stderr += chunk));
    this.finished = new Promise((resolve) => {
      const end = (code, signal) => {
        this.ended ??= { code, signal };
        running.delete(this);
        resolve(this.ended);
      };
      this.#process.on('error', (error) => {
        this.stderr += `${error.message}\n`;
        end(127, null);
      });
      this.#process.on('close', end);
    });
  }

  get pid() {
    return this.#process.pid;
  }

  get output() {
    return this.stdout + this.stderr;
  }

  signal(name) {
    this.#process.kill(name);
  }

  /** Waits for the end. @throws Error when it still runs after `timeoutMs`; it is killed then. */
  async waitEnd(timeoutMs) {
    const late = sleepUnref(timeoutMs);
    const ended = await Promise.race([this.finished, late.promise]);
    late.cancel();
    if (ended !== undefined) return ended;
    killTree(this.pid);
    throw new Error(`${this.command}: still running after ${timeoutMs} ms\n${this.output.slice(-2000)}`);
  }

  /** Asks it to end, kills it after five seconds. */
  async stop(name = 'SIGTERM') {
    if (this.ended !== undefined) return this.ended;
    this.signal(name);
    const late = sleepUnref(5000);
    await Promise.race([this.finished, late.promise]);
    late.cancel();
    if (this.ended === undefined) killTree(this.pid);
    return this.finished;
  }

  /** Kills it and its children without a chance to clean up. */
  async kill() {
    killTree(this.pid);
    return this.finished;
  }

  /** Resident memory of it and its children, in KiB. */
  rssKib() {
    return processTree(this.pid).reduce((sum, pid) => sum + readStatus(pid, 'VmRSS'), 0);
  }

  /** CPU time that it and its children have used, in milliseconds. */
  cpuMs() {
    return processTree(this.pid).reduce((sum, pid) => sum + readCpuMs(pid), 0);
  }
}

/** Runs a program to its end. */
export async function runProgram(command, args, { timeoutMs = 30_000, ...options } = {}) {
  const program = new Program(command, args, options);
  await program.waitEnd(timeoutMs);
  return program;
}

function sleepUnref(ms) {
  let timer;
  const promise = new Promise((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  return { promise, cancel: () => clearTimeout(timer) };
}

function processTree(pid) {
  const all = [pid];
  for (let i = 0; i < all.length; i++) {
    for (const child of readChildren(all[i])) all.push(child);
  }
  return all;
}

function readChildren(pid) {
  try {
    return fs
      .readdirSync(`/proc/${pid}/task`)
      .flatMap((task) => fs.readFileSync(`/proc/${pid}/task/${task}/children`, 'latin1').trim().split(' '))
      .filter((word) => word !== '')
      .map(Number);
  } catch {
    return [];
  }
}

function readStatus(pid, key) {
  try {
    return Number(new RegExp(`${key}:\\s+(\\d+)`).exec(fs.readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

/** User and system time: the 14th and 15th word of stat, in ticks of 10 ms (proc(5)). */
function readCpuMs(pid) {
  try {
    const text = fs.readFileSync(`/proc/${pid}/stat`, 'latin1');
    const words = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return (Number(words[11]) + Number(words[12])) * 10;
  } catch {
    return 0;
  }
}

function killTree(pid) {
  if (pid === undefined) return;
  for (const each of processTree(pid).reverse()) {
    try {
      process.kill(each, 'SIGKILL');
    } catch {
      // It has ended already.
    }
  }
}
