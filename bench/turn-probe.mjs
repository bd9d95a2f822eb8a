// Notes how long turns of the control thread's event loop take, in time and in CPU time of that thread; written to the file
// TURNS_FILE when the process ends. Loaded into the server with `--import` by control-turns.mjs.
import fs from 'node:fs';
import { isMainThread } from 'node:worker_threads';

const file = process.env.TURNS_FILE;
/** Shorter turns are not kept. */
const SHOWN_MS = 5;
const MAX_KEPT = 20_000;

// The launcher may run on an older Node, which has no such clock.
if (isMainThread && file !== undefined && process.threadCpuUsage !== undefined) {
  const kept = [];
  /** The first turn: the program's modules are read and run, nothing is served yet. */
  let start;
  const cpuMs = () => {
    const { user, system } = process.threadCpuUsage();
    return (user + system) / 1000;
  };
  let lastMs = performance.now();
  let lastCpuMs = cpuMs();
  // Due every millisecond, so what lies between two calls is one turn and at most a millisecond of others.
  setInterval(() => {
    const nowMs = performance.now();
    const nowCpuMs = cpuMs();
    const turn = [Date.now(), nowMs - lastMs, nowCpuMs - lastCpuMs];
    if (start === undefined) start = turn;
    else if (nowMs - lastMs >= SHOWN_MS && kept.length < MAX_KEPT) kept.push(turn);
    lastMs = nowMs;
    lastCpuMs = nowCpuMs;
  }, 1).unref();
  process.on('exit', () => fs.writeFileSync(file, JSON.stringify({ start, turns: kept })));
}
