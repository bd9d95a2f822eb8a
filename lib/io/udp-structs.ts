// Offsets and sizes of the kernel's structs that recvmmsg, sendmmsg and epoll read and write. Pure.
//
// Linux, 64 bit, little-endian: the same on x64 and arm64 and in glibc and musl, except where said. A wrong number here is
// memory corruption; test/unit/io/udp-structs.test.ts compares all of them with a C compiler's view.

export const IOVEC = { SIZE: 16, BASE: 0, LEN: 8 } as const;

export const MSGHDR = {
  SIZE: 56,
  NAME: 0,
  NAMELEN: 8,
  IOV: 16,
  IOVLEN: 24,
  CONTROL: 32,
  CONTROLLEN: 40,
  FLAGS: 48,
} as const;

/** `msghdr` followed by the number of bytes received or sent. */
export const MMSGHDR = { SIZE: 64, LEN: 56 } as const;

export const SOCKADDR_IN = { SIZE: 16, FAMILY: 0, PORT: 2, ADDRESS: 4 } as const;
export const SOCKADDR_IN6 = { SIZE: 28, FAMILY: 0, PORT: 2, FLOWINFO: 4, ADDRESS: 8, SCOPE_ID: 24 } as const;

export const CMSGHDR = { SIZE: 16, LEN: 0, LEVEL: 8, TYPE: 12 } as const;
export const IN_PKTINFO = { SIZE: 12, IFINDEX: 0, SPEC_DST: 4, ADDRESS: 8 } as const;
export const IN6_PKTINFO = { SIZE: 20, ADDRESS: 0, IFINDEX: 16 } as const;

export const POLLFD = { SIZE: 8, FD: 0, EVENTS: 4, REVENTS: 6 } as const;

/** Bytes one control message of `length` takes in a control buffer (CMSG_SPACE). */
export function controlSpace(length: number): number {
  return CMSGHDR.SIZE + ((length + 7) & ~7);
}

/** The kernel's numbers; the same on x64 and arm64. */
export const LINUX = {
  AF_INET: 2,
  AF_INET6: 10,
  SOCK_DGRAM: 2,
  SOCK_NONBLOCK: 0x800,
  SOCK_CLOEXEC: 0x80000,
  SOL_SOCKET: 1,
  SO_REUSEADDR: 2,
  SO_SNDBUF: 7,
  SO_RCVBUF: 8,
  SO_REUSEPORT: 15,
  SO_MEMINFO: 55,
  /** Index of the drop counter in SO_MEMINFO's array of 32-bit numbers. */
  SK_MEMINFO_DROPS: 8,
  IPPROTO_IP: 0,
  IP_PKTINFO: 8,
  IP_MTU_DISCOVER: 10,
  IPPROTO_IPV6: 41,
  IPV6_V6ONLY: 26,
  IPV6_RECVPKTINFO: 49,
  IPV6_PKTINFO: 50,
  MSG_TRUNC: 0x20,
  MSG_DONTWAIT: 0x40,
  EPOLL_CTL_ADD: 1,
  EPOLL_CTL_DEL: 2,
  EPOLLIN: 1,
  EPOLL_CLOEXEC: 0x80000,
  O_CLOEXEC: 0x80000,
  POLLOUT: 4,
} as const;

/** What the two architectures do not share. */
type Arch = {
  /** Packed on x64 only. */
  readonly EPOLL_EVENT: { readonly SIZE: number; readonly EVENTS: number; readonly DATA: number };
  /** Numbers of calls that libcs lack, or wrap in something slower (musl sends one message at a time). */
  readonly SYSCALL: Readonly<Record<'RECVMMSG' | 'SENDMMSG' | 'SCHED_SETATTR' | 'SCHED_GETATTR', number>>;
};

export const ARCHS: Readonly<Record<'x64' | 'arm64', Arch>> = {
  x64: {
    EPOLL_EVENT: { SIZE: 12, EVENTS: 0, DATA: 4 },
    SYSCALL: { RECVMMSG: 299, SENDMMSG: 307, SCHED_SETATTR: 314, SCHED_GETATTR: 315 },
  },
  arm64: {
    EPOLL_EVENT: { SIZE: 16, EVENTS: 0, DATA: 8 },
    SYSCALL: { RECVMMSG: 243, SENDMMSG: 269, SCHED_SETATTR: 274, SCHED_GETATTR: 275 },
  },
};

/** Nothing uses them on a third one. */
const OWN: Arch = process.arch === 'x64' ? ARCHS.x64 : ARCHS.arm64;
export const EPOLL_EVENT: Arch['EPOLL_EVENT'] = OWN.EPOLL_EVENT;
export const SYSCALL: Arch['SYSCALL'] = OWN.SYSCALL;
