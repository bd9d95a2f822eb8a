// How many datagrams the kernel dropped at a socket, as /proc tells it. Worker; for sockets whose owner cannot ask the kernel.
import fs from 'node:fs';

/** Column of the inode in /proc/net/udp; drops are the last one. */
const INODE_COLUMN = 9;

/**
 * Reads the drop counter of a UDP socket.
 *
 * @param family of the socket, not of its clients
 * @returns -1 where the system does not tell
 */
export function readKernelDrops(fd: number, family: 4 | 6): number {
  try {
    const inode = /^socket:\[(\d+)\]$/.exec(fs.readlinkSync(`/proc/self/fd/${fd}`))?.[1];
    if (inode === undefined) return -1;
    return findDrops(fs.readFileSync(family === 4 ? '/proc/self/net/udp' : '/proc/self/net/udp6', 'latin1'), inode);
  } catch {
    return -1;
  }
}

/** @param table text of /proc/net/udp or udp6 */
export function findDrops(table: string, inode: string): number {
  for (const line of table.split('\n')) {
    const columns = line.trim().split(/\s+/);
    if (columns[INODE_COLUMN] === inode) return Number(columns.at(-1));
  }
  return -1;
}
