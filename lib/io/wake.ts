// Tells when sockets opened through koffi can be read, on the event loop and without reading them. Worker.
//
// Node has no public way to watch a foreign descriptor. This one takes a UDP handle of Node's own, lets it listen on a throw-away
// socket, and before the loop has registered that socket puts an epoll instance in its place (dup3). The loop then polls
// the epoll instance, which is readable while any socket in it is; libuv's recvmsg on it fails at once with ENOTSOCK, and
// that error is the call to JavaScript. Against the usual trick (`dgram.bind({ fd })`, the first packet arrives as a
// Buffer) a wake-up saves two system calls, a Buffer and an address object, and the packet keeps its destination address.
// The descriptors belong to Node's handles, so Node closes them when a worker thread ends, however it ends.
import dgram from 'node:dgram';
import { datagramHandle } from './descriptor.ts';
import { type Libc, systemError } from './libc.ts';
import { EPOLL_EVENT, LINUX } from './udp-structs.ts';

/** The part of Node's internal UDP handle that is used; all of it has been stable since Node 0.12. */
export interface UdpHandle {
  onmessage: (read: number) => void;
  /** 0 or a negative error number. */
  open(fd: number): number;
  recvStart(): number;
  close(): void;
  ref(): void;
  unref(): void;
}

let handleClass: (new () => UdpHandle) | undefined;

/** A new UDP handle. @throws Error when this Node has none where it is looked for */
export function createUdpHandle(): UdpHandle {
  handleClass ??= findHandleClass();
  return new handleClass();
}

function findHandleClass(): new () => UdpHandle {
  const socket = dgram.createSocket('udp4');
  try {
    const found = datagramHandle(socket)?.constructor as (new () => UdpHandle) | undefined;
    if (!found || typeof found.prototype.open !== 'function') throw new Error('node:dgram shows no UDP handle');
    return found;
  } finally {
    socket.close();
  }
}

/**
 * Hands the socket to a handle that does nothing but close it, at the latest when the thread ends.
 *
 * @returns what closes the socket; calling it twice is harmless
 */
export function ownSocket(libc: Libc, fd: number): () => void {
  const handle = createUdpHandle();
  const status = handle.open(fd);
  if (status !== 0) {
    libc.close(fd);
    throw systemError('uv_udp_open', -status, '');
  }
  handle.unref();
  // libuv sets it on every descriptor it is given; with it a second server could bind the same port unseen.
  libc.setsockopt(fd, LINUX.SOL_SOCKET, LINUX.SO_REUSEADDR, Int32Array.of(0), 4);
  let open = true;
  return () => {
    if (open) handle.close();
    open = false;
  };
}

const MAX_EVENTS = 64;

/** A set of descriptors and one function that is called while one of them is readable (level-triggered). */
export class Wake {
  readonly #libc: Libc;
  readonly #handle: UdpHandle;
  /** The epoll instance, under the descriptor that the handle owns. */
  readonly #epoll: number;
  readonly #events = new Uint8Array(MAX_EVENTS * EPOLL_EVENT.SIZE);
  readonly #view = new DataView(this.#events.buffer);
  readonly #eventsAt: number;
  readonly #event = new Uint8Array(EPOLL_EVENT.SIZE);
  #open = true;

  /** @throws Error when the system refuses a descriptor */
  constructor(libc: Libc, onReadable: () => void) {
    this.#libc = libc;
    this.#eventsAt = libc.addressOf(this.#events);
    const place = libc.socket(LINUX.AF_INET, LINUX.SOCK_DGRAM | LINUX.SOCK_CLOEXEC, 0);
    const fd = place >= 0 ? place : libc.socket(LINUX.AF_INET6, LINUX.SOCK_DGRAM | LINUX.SOCK_CLOEXEC, 0);
    if (fd < 0) throw systemError('socket', libc.errno(), '');
    this.#epoll = fd;
    this.#handle = createUdpHandle();
    const status = this.#handle.open(fd);
    if (status !== 0) {
      libc.close(fd);
      throw systemError('uv_udp_open', -status, '');
    }
    // Node's handle calls this property; it knows no listeners.
    // oxlint-disable-next-line unicorn/prefer-add-event-listener
    this.#handle.onmessage = onReadable;
    this.#handle.recvStart();
    const epoll = libc.epollCreate(LINUX.EPOLL_CLOEXEC);
    const failed = epoll < 0 || libc.dup3(epoll, fd, LINUX.O_CLOEXEC) < 0;
    const errno = failed ? libc.errno() : 0;
    if (epoll >= 0) libc.close(epoll);
    if (failed) {
      this.#handle.close();
      throw systemError('epoll', errno, '');
    }
  }

  add(fd: number): void {
    const view = new DataView(this.#event.buffer);
    view.setUint32(EPOLL_EVENT.EVENTS, LINUX.EPOLLIN, true);
    view.setInt32(EPOLL_EVENT.DATA, fd, true);
    if (this.#libc.epollControl(this.#epoll, LINUX.EPOLL_CTL_ADD, fd, this.#event) < 0) {
      throw systemError('epoll_ctl', this.#libc.errno(), '');
    }
  }

  /** Call it before the descriptor is closed. */
  remove(fd: number): void {
    this.#libc.epollControl(this.#epoll, LINUX.EPOLL_CTL_DEL, fd, this.#event);
  }

  /** How many descriptors are readable, 64 at most; `readableFd` names them. One system call. */
  findReadable(): number {
    return Math.max(0, this.#libc.epollWait(this.#epoll, this.#eventsAt, MAX_EVENTS, 0));
  }

  readableFd(index: number): number {
    return this.#view.getInt32(index * EPOLL_EVENT.SIZE + EPOLL_EVENT.DATA, true);
  }

  /** Whether waiting for these descriptors keeps the thread alive; it does at first. */
  keepAlive(wanted: boolean): void {
    if (!this.#open) return;
    if (wanted) this.#handle.ref();
    else this.#handle.unref();
  }

  close(): void {
    if (this.#open) this.#handle.close();
    this.#open = false;
  }
}
