import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'ava';
import * as ours from '../../../lib/io/udp-structs.ts';

const CHECKS: readonly (readonly [string, number])[] = [
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
  ['sizeof(struct epoll_event)', ours.EPOLL_EVENT.SIZE],
  ['offsetof(struct epoll_event, events)', ours.EPOLL_EVENT.EVENTS],
  ['offsetof(struct epoll_event, data)', ours.EPOLL_EVENT.DATA],
  ['sizeof(struct pollfd)', ours.POLLFD.SIZE],
  ['offsetof(struct pollfd, fd)', ours.POLLFD.FD],
  ['offsetof(struct pollfd, events)', ours.POLLFD.EVENTS],
  ['offsetof(struct pollfd, revents)', ours.POLLFD.REVENTS],
  ...Object.entries(ours.LINUX)
    .filter(([name]) => name !== 'SK_MEMINFO_DROPS')
    .map(([name, value]): [string, number] => [name, value]),
  ['SYS_recvmmsg', ours.SYSCALL.RECVMMSG],
  ['SYS_sendmmsg', ours.SYSCALL.SENDMMSG],
  ['SYS_sched_setattr', ours.SYSCALL.SCHED_SETATTR],
  ['SYS_sched_getattr', ours.SYSCALL.SCHED_GETATTR],
  ['sizeof(long)', 8],
  ['sizeof(void *)', 8],
];

const HEADERS = [
  'stddef.h',
  'stdio.h',
  'fcntl.h',
  'poll.h',
  'netinet/in.h',
  'sys/epoll.h',
  'sys/socket.h',
  'sys/syscall.h',
];

/** Compiles and runs a program that prints every expression, or tells why it cannot. */
function askCompiler(compiler: string): readonly number[] | string {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'udp-structs-'));
  try {
    const source = path.join(folder, 'layout.c');
    const lines = CHECKS.map(([expression]) => `  printf("%ld\\n", (long)(${expression}));`);
    const includes = HEADERS.map((name) => `#include <${name}>`);
    fs.writeFileSync(
      source,
      ['#define _GNU_SOURCE', ...includes, 'int main(void) {', ...lines, '  return 0;', '}'].join('\n'),
    );
    execFileSync(compiler, ['-o', path.join(folder, 'layout'), source], { stdio: 'pipe' });
    return execFileSync(path.join(folder, 'layout'), { encoding: 'utf8' }).trim().split('\n').map(Number);
  } catch (error) {
    const { code, stderr } = error as { code?: string; stderr?: Buffer };
    return code === 'ENOENT' ? `${compiler} is not installed` : `${compiler}: ${String(stderr ?? error)}`;
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

for (const compiler of ['cc', 'musl-gcc']) {
  test(`every offset, size and number is the one that ${compiler} sees`, (t) => {
    if (process.platform !== 'linux') return t.pass('the layouts are those of Linux only');
    const found = askCompiler(compiler);
    if (typeof found === 'string') {
      t.log(`skipped: ${found}`);
      return t.regex(found, /is not installed/);
    }
    for (const [i, [expression, expected]] of CHECKS.entries()) t.is(expected, found[i]!, expression);
    return undefined;
  });
}
