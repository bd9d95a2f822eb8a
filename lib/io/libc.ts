// The C library's calls that Node has none for, through koffi: the one place that binds them. Worker.
//
// Every thread that asks gets functions of its own. Pointers are passed as numbers: addresses in arenas that are kept for ever.
import os from 'node:os';
import koffi from 'koffi';
import { SYSCALL } from './udp-structs.ts';

/** Negative results mean `errno()` holds the reason; read it before any other call. */
export interface Libc {
  socket(family: number, type: number, protocol: number): number;
  bind(fd: number, address: Uint8Array, length: number): number;
  connect(fd: number, address: Uint8Array, length: number): number;
  close(fd: number): number;
  /** `fd` becomes another name of `from`. */
  dup3(from: number, fd: number, flags: number): number;
  setsockopt(fd: number, level: number, name: number, value: Int32Array, length: number): number;
  getsockopt(fd: number, level: number, name: number, value: Int32Array, length: Int32Array): number;
  getsockname(fd: number, address: Uint8Array, length: Int32Array): number;
  epollCreate(flags: number): number;
  epollControl(epoll: number, operation: number, fd: number, event: Uint8Array): number;
  epollWait(epoll: number, events: number, count: number, timeoutMs: number): number;
  poll(fds: Uint8Array, count: number, timeoutMs: number): number;
  recvmmsg(fd: number, headers: number, count: number, flags: number): number;
  sendmmsg(fd: number, headers: number, count: number, flags: number): number;
  schedGetattr(thread: number, attributes: number, size: number): number;
  schedSetattr(thread: number, attributes: number): number;
  errno(): number;
  /** Address of the first byte; good as long as the caller keeps a reference to the array. */
  addressOf(bytes: Uint8Array): number;
}

type Call = (...args: readonly unknown[]) => number;

let cached: Libc | string | undefined;

/** The calls, or the reason why this system has none: one short sentence for the log. */
export function loadLibc(): Libc | string {
  cached ??= bindLibc();
  return cached;
}

/**
 * Binds anew.
 *
 * @param bySystemCall takes recvmmsg and sendmmsg past the C library even where its own are as good (glibc); for tests
 */
export function bindLibc(bySystemCall = false): Libc | string {
  if (process.platform !== 'linux') return `recvmmsg is not known on ${process.platform}`;
  if ((process.arch !== 'x64' && process.arch !== 'arm64') || os.endianness() !== 'LE') {
    return `struct layouts are not known on ${process.arch}`;
  }
  try {
    const library = koffi.load(null);
    return bindAll(library, !bySystemCall && isGlibc(library));
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function bindAll(library: ReturnType<typeof koffi.load>, byName: boolean): Libc {
  const bind = (prototype: string): Call => library.func(prototype);
  const recvmmsg = byName ? bind('int recvmmsg(int, intptr_t, unsigned int, int, intptr_t)') : undefined;
  const sendmmsg = recvmmsg && bind('int sendmmsg(int, intptr_t, unsigned int, int)');
  const syscall = bind('long syscall(long, long, intptr_t, long, long, intptr_t)');
  return {
    socket: bind('int socket(int, int, int)'),
    bind: bind('int bind(int, void *, unsigned int)'),
    connect: bind('int connect(int, void *, unsigned int)'),
    close: bind('int close(int)'),
    dup3: bind('int dup3(int, int, int)'),
    setsockopt: bind('int setsockopt(int, int, int, void *, unsigned int)'),
    getsockopt: bind('int getsockopt(int, int, int, void *, void *)'),
    getsockname: bind('int getsockname(int, void *, void *)'),
    epollCreate: bind('int epoll_create1(int)'),
    epollControl: bind('int epoll_ctl(int, int, int, void *)'),
    epollWait: bind('int epoll_wait(int, intptr_t, int, int)'),
    poll: bind('int poll(void *, unsigned long, int)'),
    recvmmsg: recvmmsg
      ? (fd, headers, count, flags) => recvmmsg(fd, headers, count, flags, 0)
      : (fd, headers, count, flags) => syscall(SYSCALL.RECVMMSG, fd, headers, count, flags, 0),
    sendmmsg: sendmmsg ?? ((fd, headers, count, flags) => syscall(SYSCALL.SENDMMSG, fd, headers, count, flags, 0)),
    schedGetattr: (thread, attributes, size) => syscall(SYSCALL.SCHED_GETATTR, thread, attributes, size, 0, 0),
    schedSetattr: (thread, attributes) => syscall(SYSCALL.SCHED_SETATTR, thread, attributes, 0, 0, 0),
    errno: () => koffi.errno(),
    addressOf: (bytes) => Number(koffi.address(bytes)),
  };
}

/** musl sends the messages of sendmmsg one by one, so there the kernel is called directly. */
function isGlibc(library: ReturnType<typeof koffi.load>): boolean {
  try {
    library.func('void *gnu_get_libc_version()');
    return true;
  } catch {
    return false;
  }
}

const ERRNO_NAMES = new Map<number, string>(Object.entries(os.constants.errno).map(([name, code]) => [code, name]));

/** `EAGAIN`, ... or `errno n`. */
export function formatErrno(errno: number): string {
  return ERRNO_NAMES.get(errno) ?? `errno ${errno}`;
}

/** An error in the form that Node gives its own system errors: `bind EADDRINUSE 127.0.0.1:53`, with `code`. */
export function systemError(call: string, errno: number, place: string): NodeJS.ErrnoException {
  const code = formatErrno(errno);
  const error: NodeJS.ErrnoException = new Error(`${call} ${code} ${place}`);
  error.code = code;
  error.errno = -errno;
  error.syscall = call;
  return error;
}
