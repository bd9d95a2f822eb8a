// Number of workers: cores, quotas and overrides.
import test from 'ava';
import { countWorkers, readCpuQuota } from '../../../lib/control/cores.ts';

const QUOTAS: readonly (readonly [string, Record<string, string>, number | undefined])[] = [
  ['no cgroup', {}, undefined],
  ['v2 without a limit', { '/sys/fs/cgroup/cpu.max': 'max 100000\n' }, undefined],
  ['v2 in a container', { '/sys/fs/cgroup/cpu.max': '150000 100000\n' }, 1.5],
  [
    'v2, the level above is tighter',
    {
      '/proc/self/cgroup': '0::/a/b\n',
      '/sys/fs/cgroup/a/b/cpu.max': '400000 100000',
      '/sys/fs/cgroup/a/cpu.max': '200000 100000',
    },
    2,
  ],
  [
    'v1',
    {
      '/proc/self/cgroup': '3:cpu,cpuacct:/pod\n',
      '/sys/fs/cgroup/cpu/pod/cpu.cfs_quota_us': '50000\n',
      '/sys/fs/cgroup/cpu/pod/cpu.cfs_period_us': '100000\n',
    },
    0.5,
  ],
  [
    'v1 without a limit',
    { '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '-1\n', '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n' },
    undefined,
  ],
];
for (const [title, files, expected] of QUOTAS)
  test(`readCpuQuota: ${title} is ${expected}`, (t) =>
    t.is(
      readCpuQuota((file) => files[file]),
      expected,
    ));

const COUNTS: readonly (readonly [string, number[], Record<string, string>, number, number | undefined, number])[] = [
  // what                           sockets  environment                    cores quota  workers
  ['one per core', [0], {}, 4, undefined, 4],
  ['quota rounds down', [0], {}, 8, 2.9, 2],
  ['at least one', [0], {}, 8, 0.2, 1],
  ['multisocket lowers', [2, 1], {}, 8, undefined, 2],
  ['multisocket cannot pass the cores', [64], {}, 4, undefined, 4],
  ['a block without multisocket keeps the cores', [0, 1], {}, 4, undefined, 4],
  ['GOMAXPROCS lowers', [0], { GOMAXPROCS: '2' }, 8, undefined, 2],
  ['CLUSTERDNS_WORKERS wins', [1], { CLUSTERDNS_WORKERS: '3', GOMAXPROCS: '1' }, 1, 1, 3],
  ['CLUSTERDNS_WORKERS is bounded', [0], { CLUSTERDNS_WORKERS: '9999' }, 1, 1, 64],
  ['nonsense is ignored', [0], { CLUSTERDNS_WORKERS: 'many' }, 2, undefined, 2],
];
for (const [title, sockets, environment, cores, quota, expected] of COUNTS)
  test(`countWorkers: ${title}`, (t) =>
    t.is(countWorkers(sockets, environment, cores, quota, Number.POSITIVE_INFINITY), expected));

const MIB = 2 ** 20;
for (const [limitMib, expected] of [
  [64, 1],
  [170, 2],
  [512, 16],
] as const)
  test(`countWorkers: ${limitMib} MiB have room for ${expected} of 16 workers`, (t) =>
    t.is(countWorkers([0], {}, 16, undefined, limitMib * MIB), expected));
