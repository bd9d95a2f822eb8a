// What goes wrong with an upstream, worded as Go does, since that is what operators search for. Worker.
import { formatErrno } from './libc.ts';

export type UpstreamErrorKind = 'timeout' | 'refused' | 'closed' | 'network' | 'tls' | 'overload';

export class UpstreamError extends Error {
  readonly kind: UpstreamErrorKind;

  constructor(kind: UpstreamErrorKind, message: string) {
    // Made by the thousand while an upstream is dead, and where in the code a timeout is noticed says nothing.
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    super(message);
    Error.stackTraceLimit = stackTraceLimit;
    this.name = 'UpstreamError';
    this.kind = kind;
  }
}

const GO_TEXTS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EADDRINUSE: 'address already in use',
  EADDRNOTAVAIL: 'cannot assign requested address',
  EAFNOSUPPORT: 'address family not supported by protocol',
  EAGAIN: 'resource temporarily unavailable',
  ECONNABORTED: 'software caused connection abort',
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset by peer',
  EHOSTDOWN: 'host is down',
  EHOSTUNREACH: 'no route to host',
  EINVAL: 'invalid argument',
  EMFILE: 'too many open files',
  EMSGSIZE: 'message too long',
  ENETDOWN: 'network is down',
  ENETUNREACH: 'network is unreachable',
  ENFILE: 'too many open files in system',
  ENOBUFS: 'no buffer space available',
  EPERM: 'operation not permitted',
  EPIPE: 'broken pipe',
  ERR_CLOSED: 'use of closed network connection',
  ETIMEDOUT: 'connection timed out',
};

/** Go's text of `ECONNREFUSED` or of its number; the name itself when there is none. */
export function formatGoErrno(errno: string | number): string {
  const name = typeof errno === 'number' ? formatErrno(errno) : errno;
  return GO_TEXTS[name] ?? name;
}

/** `kind` of a system error's name. */
export function errorKindOf(code: string): UpstreamErrorKind {
  if (code === 'ECONNREFUSED') return 'refused';
  if (code === 'ETIMEDOUT') return 'timeout';
  return code === 'ECONNRESET' || code === 'EPIPE' || code === 'ERR_CLOSED' ? 'closed' : 'network';
}
