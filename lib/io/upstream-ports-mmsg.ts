// Connected UDP sockets to upstreams on recvmmsg and sendmmsg: one wake-up and one set of slots for all of a worker. Worker.
import { type Libc, formatErrno, systemError } from './libc.ts';
import { MessageHeaders, createArena, sendAll, slotStride } from './mmsg-rings.ts';
import { createSockaddr, formatAddress, formatAddressPort } from './socket-address.ts';
import { LINUX, MMSGHDR, SOCKADDR_IN, SOCKADDR_IN6 } from './udp-structs.ts';
import type { PortTarget, PortUser, UdpPort, UdpPorts } from './upstream-ports.ts';
import { Wake, ownSocket } from './wake.ts';

const SLOTS = 64;
const CAPACITY = 65535;
const RECEIVE_BUFFER_BYTES = 1 << 20;
const EAGAIN = 11;
const EINTR = 4;

export class MmsgPorts implements UdpPorts {
  readonly #libc: Libc;
  readonly #wake: Wake;
  readonly #ports = new Map<number, MmsgPort>();
  readonly #rx: MessageHeaders;
  readonly #tx: MessageHeaders;
  readonly #arena: Uint8Array;
  readonly #received: Uint8Array[] = [];
  readonly #sendAt: number[] = [];
  /** Port and ID of every queued message. */
  readonly #queuedPort: (MmsgPort | undefined)[] = Array.from({ length: SLOTS }, () => undefined);
  readonly #queuedId = new Int32Array(SLOTS);
  #queued = 0;
  #open = true;
  /** Since this worker started, for all upstreams. */
  readonly counters: { sent: number; readonly sendErrors: Map<string, number> } = { sent: 0, sendErrors: new Map() };

  constructor(libc: Libc) {
    this.#libc = libc;
    const headersSize = MessageHeaders.size(SLOTS);
    const stride = slotStride(CAPACITY);
    this.#arena = createArena(2 * headersSize + 2 * SLOTS * stride);
    this.#rx = new MessageHeaders(libc, this.#arena, 0, SLOTS);
    this.#tx = new MessageHeaders(libc, this.#arena, headersSize, SLOTS);
    for (let i = 0; i < SLOTS; i++) {
      const receiveAt = 2 * headersSize + i * stride;
      const sendAt = receiveAt + SLOTS * stride;
      this.#rx.point(i, { payloadAt: receiveAt, nameAt: -1, controlAt: -1 }, 0);
      this.#rx.setLength(i, CAPACITY);
      this.#tx.point(i, { payloadAt: sendAt, nameAt: -1, controlAt: -1 }, 0);
      this.#received.push(this.#arena.subarray(receiveAt, receiveAt + CAPACITY));
      this.#sendAt.push(sendAt);
    }
    this.#wake = new Wake(libc, () => this.#drain());
    this.#wake.keepAlive(false);
  }

  open(target: PortTarget, user: PortUser): UdpPort {
    const libc = this.#libc;
    const sockaddr = createSockaddr(target.address, target.port);
    const family = sockaddr.length === SOCKADDR_IN.SIZE ? LINUX.AF_INET : LINUX.AF_INET6;
    const type = LINUX.SOCK_DGRAM | LINUX.SOCK_NONBLOCK | LINUX.SOCK_CLOEXEC;
    const fd = libc.socket(family, type, 0);
    if (fd < 0) throw systemError('socket', libc.errno(), '');
    libc.setsockopt(fd, LINUX.SOL_SOCKET, LINUX.SO_RCVBUF, Int32Array.of(RECEIVE_BUFFER_BYTES), 4);
    const source = target.sourceAddress === undefined ? undefined : createSockaddr(target.sourceAddress, 0);
    const bound = source === undefined || libc.bind(fd, source, source.length) === 0;
    if (!bound || libc.connect(fd, sockaddr, sockaddr.length) < 0) {
      const errno = libc.errno();
      libc.close(fd);
      throw systemError(bound ? 'connect' : 'bind', errno, '');
    }
    const closeSocket = ownSocket(libc, fd);
    const port = new MmsgPort(this, fd, user, closeSocket);
    this.#ports.set(fd, port);
    this.#wake.add(fd);
    return port;
  }

  /** Copies the message into a transmit slot; all queued ones leave after the batch of packets that caused them. */
  queue(port: MmsgPort, message: Uint8Array, id: number): void {
    if (this.#queued === SLOTS) this.#flush();
    const index = this.#queued++;
    const at = this.#sendAt[index]!;
    this.#arena.set(message, at);
    this.#arena[at] = id >> 8;
    this.#arena[at + 1] = id & 255;
    this.#tx.setLength(index, message.length);
    this.#queuedPort[index] = port;
    this.#queuedId[index] = id;
    if (index === 0) queueMicrotask(this.#flush);
  }

  readonly #flush = (): void => {
    const count = this.#queued;
    this.#queued = 0;
    for (let first = 0; first < count; ) {
      const port = this.#queuedPort[first]!;
      let end = first + 1;
      while (end < count && this.#queuedPort[end] === port) end++;
      if (port.isOpen) sendAll(this.#libc, port.fd, this.#tx, first, end, this.counters, this.#failed);
      first = end;
    }
  };

  readonly #failed = (index: number, errno: number): void => {
    const code = formatErrno(errno);
    // A refusal is the answer to an earlier datagram: nothing listens there, all that are out are lost.
    this.#queuedPort[index]?.user.fail(code, code === 'ECONNREFUSED' ? -1 : this.#queuedId[index]!);
  };

  #drain(): void {
    const readable = this.#wake.findReadable();
    let used = 0;
    for (let i = 0; i < readable && used < SLOTS; i++) {
      const port = this.#ports.get(this.#wake.readableFd(i));
      if (!port) continue;
      const headers = this.#rx.address + used * MMSGHDR.SIZE;
      const count = this.#libc.recvmmsg(port.fd, headers, SLOTS - used, LINUX.MSG_DONTWAIT);
      if (count <= 0) {
        const errno = this.#libc.errno();
        if (count < 0 && errno !== EAGAIN && errno !== EINTR) port.user.fail(formatErrno(errno), -1);
        continue;
      }
      const end = used + count;
      for (; used < end; used++) {
        const length = this.#rx.i32[(this.#rx.headerAt(used) + MMSGHDR.LEN) >> 2]!;
        port.user.receive(this.#received[used]!, length);
      }
    }
  }

  readLocal(fd: number): string {
    const sockaddr = new Uint8Array(SOCKADDR_IN6.SIZE);
    if (this.#libc.getsockname(fd, sockaddr, Int32Array.of(sockaddr.length)) < 0) return ':0';
    const port = (sockaddr[SOCKADDR_IN.PORT]! << 8) | sockaddr[SOCKADDR_IN.PORT + 1]!;
    const family = sockaddr[0] === LINUX.AF_INET ? 4 : 6;
    const at = family === 4 ? SOCKADDR_IN.ADDRESS : SOCKADDR_IN6.ADDRESS;
    return formatAddressPort(formatAddress(sockaddr, at, family), port);
  }

  forget(fd: number): void {
    this.#ports.delete(fd);
    if (this.#open) this.#wake.remove(fd);
  }

  close(): void {
    if (!this.#open) return;
    for (const port of this.#ports.values()) port.close();
    this.#open = false;
    this.#wake.close();
  }
}

class MmsgPort implements UdpPort {
  readonly fd: number;
  readonly user: PortUser;
  readonly #ports: MmsgPorts;
  readonly #closeSocket: () => void;
  isOpen = true;

  constructor(ports: MmsgPorts, fd: number, user: PortUser, closeSocket: () => void) {
    this.#ports = ports;
    this.fd = fd;
    this.user = user;
    this.#closeSocket = closeSocket;
  }

  formatLocal(): string {
    return this.isOpen ? this.#ports.readLocal(this.fd) : ':0';
  }

  send(message: Uint8Array, id: number): void {
    this.#ports.queue(this, message, id);
  }

  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.#ports.forget(this.fd);
    this.#closeSocket();
  }
}
