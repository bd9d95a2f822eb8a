import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'ava';
import * as ours from '../../../lib/io/udp-structs.ts';

type Check = readonly [expression: string, value: number];

const SHARED: readonly Check[] = [
  ['sizeof(struct iovec)', ours.IOVEC.SIZE],
  ['offsetof(struct iovec, iov_base)', ours.IOVEC.BASE],
  ['offsetof(struct iovec, iov_len)', ours.IOVEC.LEN],
  ['sizeof(struct msghdr)', ours.MSGHDR.SIZE],
  ['offsetof(struct msghdr, msg_name)', ours.MSGHDR.NAME],
  ['offsetof(struct msghdr, msg_namelen)', ours.MSGHDR.NAMELEN],
  ['offsetof(struct msghdr, msg_iov)', ours.MSGHDR.IOV],
  ['offsetof(struct msghdr, msg_iovlen)', ours.MSGHDR.IOVLEN],
  ['offsetof(struct msghdr, msg_control)', ours.MSGHDR.CONTROL],
  ['offsetof(struct msghdr, msg_controllen)', ours.MSGHDR.CONTROLLEN],
  ['offsetof(struct msghdr, msg_flags)', ours.MSGHDR.FLAGS],
  ['sizeof(struct mmsghdr)', ours.MMSGHDR.SIZE],
  ['offsetof(struct mmsghdr, msg_len)', ours.MMSGHDR.LEN],
  ['sizeof(struct sockaddr_in)', ours.SOCKADDR_IN.SIZE],
  ['offsetof(struct sockaddr_in, sin_family)', ours.SOCKADDR_IN.FAMILY],
  ['offsetof(struct sockaddr_in, sin_port)', ours.SOCKADDR_IN.PORT],
  ['offsetof(struct sockaddr_in, sin_addr)', ours.SOCKADDR_IN.ADDRESS],
  ['sizeof(struct sockaddr_in6)', ours.SOCKADDR_IN6.SIZE],
  ['offsetof(struct sockaddr_in6, sin6_family)', ours.SOCKADDR_IN6.FAMILY],
  ['offsetof(struct sockaddr_in6, sin6_port)', ours.SOCKADDR_IN6.PORT],
  ['offsetof(struct sockaddr_in6, sin6_flowinfo)', ours.SOCKADDR_IN6.FLOWINFO],
  ['offsetof(struct sockaddr_in6, sin6_addr)', ours.SOCKADDR_IN6.ADDRESS],
  ['offsetof(struct sockaddr_in6, sin6_scope_id)', ours.SOCKADDR_IN6.SCOPE_ID],
  ['sizeof(struct cmsghdr)', ours.CMSGHDR.SIZE],
  ['offsetof(struct cmsghdr, cmsg_len)', ours.CMSGHDR.LEN],
  ['offsetof(struct cmsghdr, cmsg_level)', ours.CMSGHDR.LEVEL],
  ['offsetof(struct cmsghdr, cmsg_type)', ours.CMSGHDR.TYPE],
  ['CMSG_LEN(0)', ours.CMSGHDR.SIZE],
  ['CMSG_SPACE(sizeof(struct in_pktinfo))', ours.controlSpace(ours.IN_PKTINFO.SIZE)],
  ['CMSG_SPACE(sizeof(struct in6_pktinfo))', ours.controlSpace(ours.IN6_PKTINFO.SIZE)],
  ['sizeof(struct in_pktinfo)', ours.IN_PKTINFO.SIZE],
  ['offsetof(struct in_pktinfo, ipi_ifindex)', ours.IN_PKTINFO.IFINDEX],
  ['offsetof(struct in_pktinfo, ipi_spec_dst)', ours.IN_PKTINFO.SPEC_DST],
  ['offsetof(struct in_pktinfo, ipi_addr)', ours.IN_PKTINFO.ADDRESS],
  ['sizeof(struct in6_pktinfo)', ours.IN6_PKTINFO.SIZE],
  ['offsetof(struct in6_pktinfo, ipi6_addr)', ours.IN6_PKTINFO.ADDRESS],
  ['offsetof(struct in6_pktinfo, ipi6_ifindex)', ours.IN6_PKTINFO.IFINDEX],
  ['sizeof(struct pollfd)', ours.POLLFD.SIZE],
  ['offsetof(struct pollfd, fd)', ours.POLLFD.FD],
  ['offsetof(struct pollfd, events)', ours.POLLFD.EVENTS],
  ['offsetof(struct pollfd, revents)', ours.POLLFD.REVENTS],
  ...Object.entries(ours.LINUX)
    .filter(([name]) => name !== 'SK_MEMINFO_DROPS')
    .map(([name, value]): [string, number] => [name, value]),
  ['sizeof(long)', 8],
  ['sizeof(void *)', 8],
];

const HEADERS = ['stddef.h', 'fcntl.h', 'poll.h', 'netinet/in.h', 'sys/epoll.h', 'sys/socket.h', 'sys/syscall.h'];

const checksOf = (arch: keyof typeof ours.ARCHS): readonly Check[] => {
  const { EPOLL_EVENT, SYSCALL } = ours.ARCHS[arch];
  return [
    ...SHARED,
    ['sizeof(struct epoll_event)', EPOLL_EVENT.SIZE],
    ['offsetof(struct epoll_event, events)', EPOLL_EVENT.EVENTS],
    ['offsetof(struct epoll_event, data)', EPOLL_EVENT.DATA],
    ['SYS_recvmmsg', SYSCALL.RECVMMSG],
    ['SYS_sendmmsg', SYSCALL.SENDMMSG],
    ['SYS_sched_setattr', SYSCALL.SCHED_SETATTR],
    ['SYS_sched_getattr', SYSCALL.SCHED_GETATTR],
  ];
};

/** Lets the compiler compare; returns what it has to say. */
function compile(compiler: string, checks: readonly Check[]): { readonly missing: boolean; readonly text: string } {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'udp-structs-'));
  try {
    const source = path.join(folder, 'layout.c');
    const includes = HEADERS.map((name) => `#include <${name}>`);
    const lines = checks.map(
      ([expression, value]) =>
        `_Static_assert((long)(${expression}) == ${value}, ${JSON.stringify(`${expression} is not ${value}`)});`,
    );
    fs.writeFileSync(source, ['#define _GNU_SOURCE', ...includes, ...lines, ''].join('\n'));
    execFileSync(compiler, ['-std=c11', '-fsyntax-only', source], { stdio: 'pipe' });
    return { missing: false, text: '' };
  } catch (error) {
    const { code, stderr } = error as { code?: string; stderr?: Buffer };
    return { missing: code === 'ENOENT', text: String(stderr ?? error) };
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

const HERE = process.arch === 'arm64' ? 'arm64' : 'x64';
/** Those that are not installed are passed over: Debian has them in gcc-aarch64-linux-gnu, gcc-x86-64-linux-gnu and musl-tools. */
const COMPILERS = [
  ['cc', HERE],
  ['musl-gcc', HERE],
  ['x86_64-linux-gnu-gcc', 'x64'],
  ['aarch64-linux-gnu-gcc', 'arm64'],
  ['x86_64-linux-musl-gcc', 'x64'],
  ['aarch64-linux-musl-gcc', 'arm64'],
] as const;

for (const [compiler, arch] of COMPILERS) {
  test(`every offset, size and number is the one that ${compiler} sees on ${arch}`, (t) => {
    if (process.platform !== 'linux') return t.pass('the layouts are those of Linux only');
    const { missing, text } = compile(compiler, checksOf(arch));
    if (missing) {
      t.log(`skipped: ${compiler} is not installed`);
      return t.pass();
    }
    t.is(text, '');
    // The compiler does compare.
    return t.regex(compile(compiler, [['sizeof(long)', 4]]).text, /sizeof\(long\) is not 4/);
  });
}
