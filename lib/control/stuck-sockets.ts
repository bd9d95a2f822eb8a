// Takes the sockets away from a thread that is stuck in a native call: it cannot be ended there, and the kernel would go on giving
// its listeners a share of the clients. Control thread.
import fs from 'node:fs';
import type { Libc } from '../io/libc.ts';
import { LINUX } from '../io/udp-structs.ts';
import type { OpenSocket } from '../link/messages.ts';

/**
 * Puts an unbound socket in the place of each of these. The numbers stay taken, so that the thread closes what is its own when
 * its call returns at last.
 *
 * @returns how many were taken away; one that is another's by now is left alone
 */
export async function seizeSockets(sockets: readonly OpenSocket[]): Promise<number> {
  // Loaded here: a server whose workers live does not need it in this thread.
  const libc = await import('../io/libc.ts').then(
    ({ loadLibc }) => loadLibc(),
    (error: unknown) => String(error),
  );
  if (typeof libc === 'string') return 0;
  return sockets.filter((socket) => seize(libc, socket)).length;
}

function seize(libc: Libc, { fd, name }: OpenSocket): boolean {
  // The thread may read from it once more before it ends, which must not block.
  const place = libc.socket(LINUX.AF_INET, LINUX.SOCK_DGRAM | LINUX.SOCK_NONBLOCK | LINUX.SOCK_CLOEXEC, 0);
  if (place < 0) return false;
  const isSeized = nameOf(fd) === name && libc.dup3(place, fd, LINUX.O_CLOEXEC) === fd;
  libc.close(place);
  return isSeized;
}

function nameOf(fd: number): string {
  try {
    return fs.readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return '';
  }
}
