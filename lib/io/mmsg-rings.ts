// Slots in one arena with the headers that recvmmsg and sendmmsg want, laid out by hand. Worker.
//
// An arena is never moved or freed while the kernel may know its address: rings keep it, and `ARENAS` keeps it for the
// thread's life. Strides are no multiple of 4096, so that slots do not fight for the same cache sets. Slots are reserved at full
// size, but a page that was never touched costs nothing.
import { formatErrno, type Libc } from './libc.ts';
import { IOVEC, LINUX, MMSGHDR, MSGHDR, POLLFD } from './udp-structs.ts';

const ARENAS: Uint8Array[] = [];
const STRIDE_PAD = 192;
/** How long a full send buffer is waited for before replies are given up, once per batch. */
const SEND_WAIT_MS = 5;
const EAGAIN = 11;
const EINTR = 4;
const ENOBUFS = 105;

/** Zeroed memory that stays where it is until the thread ends. */
export function createArena(sizeBytes: number): Uint8Array {
  const arena = new Uint8Array(sizeBytes);
  ARENAS.push(arena);
  return arena;
}

/** Distance between slots that hold `capacity` bytes. */
export function slotStride(capacity: number): number {
  return ((capacity + 63) & ~63) + STRIDE_PAD;
}

/** Where one slot's parts lie in the arena; -1 where it has none. */
export type SlotParts = { readonly payloadAt: number; readonly nameAt: number; readonly controlAt: number };

/** An array of mmsghdr in an arena, each with one iovec. */
export class MessageHeaders {
  readonly at: number;
  readonly address: number;
  readonly i32: Int32Array;
  readonly #arenaAddress: number;
  readonly #iovecsAt: number;
  readonly #u32: Uint32Array;

  /** Bytes that `count` headers take. */
  static size(count: number): number {
    return count * (MMSGHDR.SIZE + IOVEC.SIZE);
  }

  /** @param at where they start in the arena, a multiple of 8 */
  constructor(libc: Libc, arena: Uint8Array, at: number, count: number) {
    this.at = at;
    this.#arenaAddress = libc.addressOf(arena);
    this.address = this.#arenaAddress + at;
    this.i32 = new Int32Array(arena.buffer);
    this.#u32 = new Uint32Array(arena.buffer);
    this.#iovecsAt = at + count * MMSGHDR.SIZE;
    for (let i = 0; i < count; i++) {
      this.#setPointer(this.headerAt(i) + MSGHDR.IOV, this.#iovecsAt + i * IOVEC.SIZE);
      this.i32[(this.headerAt(i) + MSGHDR.IOVLEN) >> 2] = 1;
    }
  }

  headerAt(index: number): number {
    return this.at + index * MMSGHDR.SIZE;
  }

  /** Makes header `index` point at the parts of a slot. */
  point(index: number, parts: SlotParts, nameLength: number): void {
    const header = this.headerAt(index);
    this.#setPointer(this.#iovecsAt + index * IOVEC.SIZE + IOVEC.BASE, parts.payloadAt);
    this.#setPointer(header + MSGHDR.NAME, parts.nameAt);
    this.#setPointer(header + MSGHDR.CONTROL, parts.controlAt);
    this.i32[(header + MSGHDR.NAMELEN) >> 2] = parts.nameAt < 0 ? 0 : nameLength;
  }

  setLength(index: number, length: number): void {
    this.i32[(this.#iovecsAt + index * IOVEC.SIZE + IOVEC.LEN) >> 2] = length;
  }

  setControlLength(index: number, length: number): void {
    this.i32[(this.headerAt(index) + MSGHDR.CONTROLLEN) >> 2] = length;
  }

  #setPointer(at: number, target: number): void {
    const address = target < 0 ? 0 : this.#arenaAddress + target;
    this.#u32[at >> 2] = address % 2 ** 32;
    this.#u32[(at >> 2) + 1] = Math.floor(address / 2 ** 32);
  }
}

/** What a ring counts; `UdpCounters` has this shape. */
export type SendCounters = { sent: number; readonly sendErrors: Map<string, number> };

/**
 * Sends headers `first .. end` in as few calls as possible. A message that the kernel refuses is counted and skipped; a full
 * send buffer is waited for once, then the rest is dropped and counted.
 *
 * @param failed told of every message that did not leave, by index
 * @returns messages sent
 */
export function sendAll(
  libc: Libc,
  fd: number,
  headers: MessageHeaders,
  first: number,
  end: number,
  counters: SendCounters,
  failed?: (index: number, errno: number) => void,
): number {
  let done = first;
  let sent = 0;
  let waited = false;
  while (done < end) {
    const taken = libc.sendmmsg(fd, headers.address + done * MMSGHDR.SIZE, end - done, LINUX.MSG_DONTWAIT);
    if (taken > 0) {
      done += taken;
      sent += taken;
      continue;
    }
    const errno = libc.errno();
    if (errno === EINTR) continue;
    const isFull = errno === EAGAIN || errno === ENOBUFS;
    if (isFull && !waited) {
      waited = true;
      waitWritable(libc, fd);
      continue;
    }
    const next = isFull ? end : done + 1;
    countError(counters.sendErrors, errno, next - done);
    for (; done < next; done++) failed?.(done, errno);
  }
  counters.sent += sent;
  return sent;
}

/** Adds to the counter of the error's name. */
export function countError(errors: Map<string, number>, errno: number, count = 1): void {
  const name = formatErrno(errno);
  errors.set(name, (errors.get(name) ?? 0) + count);
}

function waitWritable(libc: Libc, fd: number): void {
  const set = new Uint8Array(POLLFD.SIZE);
  const view = new DataView(set.buffer);
  view.setInt32(POLLFD.FD, fd, true);
  view.setInt16(POLLFD.EVENTS, LINUX.POLLOUT, true);
  libc.poll(set, 1, SEND_WAIT_MS);
}
