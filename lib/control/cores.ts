// How many worker threads the machine is good for: cores this process may run on, cut by the cgroup's CPU quota. Control.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/** Most workers there can be; the store has room for as many readers. */
export const MAX_WORKERS = 64;

/** What the control thread and a view of 10,000 Services take, and what each worker adds. */
const BASE_BYTES = 110 * 2 ** 20;
const WORKER_BYTES = 25 * 2 ** 20;

/** Reads a small file; undefined when it is not there. */
export type ReadFile = (file: string) => string | undefined;

/**
 * Cores' worth of CPU time that the cgroup grants, the smallest of all levels; undefined without a quota.
 *
 * @param read replaced in tests
 */
export function readCpuQuota(read: ReadFile = readSmallFile): number | undefined {
  let quota = Number.POSITIVE_INFINITY;
  const groups = read('/proc/self/cgroup') ?? '';
  const unified = /^0::(\/.*)$/m.exec(groups)?.[1] ?? '/';
  for (const level of levelsOf(unified)) {
    const [limit, period] = (read(path.join('/sys/fs/cgroup', level, 'cpu.max')) ?? '').trim().split(/\s+/);
    quota = Math.min(quota, divide(limit, period));
  }
  const cpu = /^\d+:(?:[^:]*,)?cpu(?:,[^:]*)?:(\/.*)$/m.exec(groups)?.[1] ?? '/';
  for (const level of levelsOf(cpu)) {
    const folder = path.join('/sys/fs/cgroup/cpu', level);
    quota = Math.min(
      quota,
      divide(read(path.join(folder, 'cpu.cfs_quota_us')), read(path.join(folder, 'cpu.cfs_period_us'))),
    );
  }
  return Number.isFinite(quota) ? quota : undefined;
}

/** The folder itself and all above it. */
function levelsOf(folder: string): string[] {
  const levels = [folder];
  for (let at = folder; at !== '/' && at !== '.'; ) {
    at = path.dirname(at);
    levels.push(at);
  }
  return levels;
}

function divide(limit = '', period = ''): number {
  const quota = Number(limit) / Number(period);
  return limit !== '' && quota > 0 ? quota : Number.POSITIVE_INFINITY;
}

function readSmallFile(file: string): string | undefined {
  try {
    return fs.readFileSync(file, 'latin1');
  } catch {
    return undefined;
  }
}

/**
 * Number of worker threads: `CLUSTERDNS_WORKERS`, else the largest `multisocket` of the Corefile, else `GOMAXPROCS`, else
 * one per core, never more than the quota's whole cores or than the memory limit has room for (but at least 1). What is
 * set by hand is only bounded.
 *
 * @param sockets what each server block asks for; 0 when it leaves the choice
 */
export function countWorkers(
  sockets: readonly number[],
  environment: Readonly<Record<string, string | undefined>>,
  cores: number = os.availableParallelism(),
  quota: number | undefined = readCpuQuota(),
  memoryLimitBytes: number = readMemoryLimit(),
): number {
  const wanted = parseCount(environment.CLUSTERDNS_WORKERS);
  if (wanted !== undefined) return Math.min(wanted, MAX_WORKERS);
  const usable = Math.min(cores, Math.max(1, Math.floor(quota ?? cores)));
  const asked = sockets.length > 0 && sockets.every((count) => count > 0) ? Math.max(...sockets) : undefined;
  const affordable = Math.floor((memoryLimitBytes - BASE_BYTES) / WORKER_BYTES);
  return Math.max(1, Math.min(asked ?? parseCount(environment.GOMAXPROCS) ?? usable, usable, affordable, MAX_WORKERS));
}

/** The cgroup's memory limit in bytes; infinite without one. */
function readMemoryLimit(): number {
  const limit = process.constrainedMemory();
  return limit > 0 && limit < os.totalmem() ? limit : Number.POSITIVE_INFINITY;
}

function parseCount(text: string | undefined): number | undefined {
  const count = Number(text);
  return text !== undefined && /^\d+$/.test(text) && count > 0 ? count : undefined;
}
