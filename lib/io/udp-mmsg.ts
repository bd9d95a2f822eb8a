// UDP listener on recvmmsg and sendmmsg: one system call reads a batch, one sends its replies. Worker.
import { readKernelDrops } from './kernel-drops.ts';
import { type Libc, systemError } from './libc.ts';
import { MessageHeaders, type SlotParts, countError, createArena, sendAll, slotStride } from './mmsg-rings.ts';
import { createSockaddr, isLinkLocal, isMapped } from './socket-address.ts';
import {
  type BatchHandler,
  type PacketAddresses,
  RECEIVE_CAPACITY,
  type ReplyAddress,
  TRANSMIT_CAPACITY,
  type UdpBatch,
  type UdpCounters,
  type UdpOptions,
  createUdpCounters,
} from './udp-batch.ts';
import {
  CMSGHDR,
  IN6_PKTINFO,
  IN_PKTINFO,
  LINUX,
  MMSGHDR,
  MSGHDR,
  SOCKADDR_IN,
  SOCKADDR_IN6,
  controlSpace,
} from './udp-structs.ts';
import { Wake, ownSocket } from './wake.ts';

const DEFAULT_BATCH = 64;
/** Packets read in one wake-up before the event loop gets its turn. */
const MAX_PACKETS = 256;
/** After a batch of this many there are likely more: reading again costs less than another wake-up. */
const READ_AGAIN = 4;
const NAME_SPACE = 32;
const CONTROL_SPACE = 64;
const SEND_BUFFER_BYTES = 4 << 20;
const EAGAIN = 11;
const EINTR = 4;

/** A late reply's way back: sockaddr, its length, control message, its length. */
class MmsgReplyAddress implements ReplyAddress {
  declare readonly opaque: 'ReplyAddress';
  readonly bytes: Uint8Array = new Uint8Array(NAME_SPACE + CONTROL_SPACE);
  controlLength = 0;
}

/**
 * Opens and binds the socket.
 *
 * @throws Error with `code` (`EADDRINUSE`, `EACCES`, ...) like Node's own
 */
export function openMmsg(libc: Libc, options: UdpOptions, handler: BatchHandler): UdpBatch {
  return new MmsgBatch(libc, options, handler);
}

class MmsgBatch implements UdpBatch {
  readonly kind = 'mmsg';
  readonly transport = 'udp';
  readonly address: string;
  readonly port: number;
  readonly family: 4 | 6;
  readonly counters: UdpCounters = createUdpCounters();

  readonly #libc: Libc;
  readonly #handler: BatchHandler;
  readonly #fd: number;
  readonly #closeSocket: () => void;
  readonly #wake: Wake;
  readonly #batchSize: number;
  readonly #nameLength: number;
  /** Bytes of control buffer a received packet may fill; 0 on a socket bound to one address. */
  readonly #controlSpace: number;
  readonly #serverAddress: Uint8Array;

  readonly #arena: Uint8Array;
  /** Slots `0 .. batchSize` belong to packets being answered, the same number behind them to late replies. */
  readonly #receiveAt: number[] = [];
  readonly #reply: SlotParts[] = [];
  readonly #rx: MessageHeaders;
  readonly #tx: MessageHeaders;
  readonly #late: MessageHeaders;
  /** Slot that transmit header i points at now. */
  readonly #pointsAt: Int32Array;
  #lateCount = 0;
  #flushScheduled = false;
  #open = true;

  constructor(libc: Libc, options: UdpOptions, handler: BatchHandler) {
    const batchSize = options.batchSize ?? DEFAULT_BATCH;
    this.#libc = libc;
    this.#handler = handler;
    this.#batchSize = batchSize;
    this.address = options.address;
    this.family = options.family;
    this.#nameLength = options.family === 4 ? SOCKADDR_IN.SIZE : SOCKADDR_IN6.SIZE;
    const sockaddr = createSockaddr(options.address, options.port);
    this.#serverAddress = sockaddr
      .slice(options.family === 4 ? SOCKADDR_IN.ADDRESS : SOCKADDR_IN6.ADDRESS)
      .subarray(0, 16);
    const wildcard = options.address === '0.0.0.0' || options.address === '::';
    this.#controlSpace = wildcard ? controlSpace(options.family === 4 ? IN_PKTINFO.SIZE : IN6_PKTINFO.SIZE) : 0;

    const headersSize = MessageHeaders.size(batchSize);
    const receiveStride = slotStride(RECEIVE_CAPACITY);
    const replyStride = slotStride(TRANSMIT_CAPACITY);
    const addressesAt = 3 * headersSize;
    const receiveAt = addressesAt + 2 * batchSize * (NAME_SPACE + CONTROL_SPACE);
    const replyAt = receiveAt + batchSize * receiveStride;
    this.#arena = createArena(replyAt + 2 * batchSize * replyStride);
    this.#rx = new MessageHeaders(libc, this.#arena, 0, batchSize);
    this.#tx = new MessageHeaders(libc, this.#arena, headersSize, batchSize);
    this.#late = new MessageHeaders(libc, this.#arena, 2 * headersSize, batchSize);
    this.#pointsAt = Int32Array.from({ length: batchSize }, (_, i) => i);
    for (let i = 0; i < 2 * batchSize; i++) {
      const nameAt = addressesAt + i * (NAME_SPACE + CONTROL_SPACE);
      const controlAt = this.#controlSpace === 0 ? -1 : nameAt + NAME_SPACE;
      const parts = { payloadAt: replyAt + i * replyStride, nameAt, controlAt };
      this.#reply.push(parts);
      if (i >= batchSize) {
        this.#late.point(i - batchSize, parts, this.#nameLength);
        continue;
      }
      this.#receiveAt.push(receiveAt + i * receiveStride);
      this.#tx.point(i, parts, this.#nameLength);
      this.#rx.point(i, { payloadAt: this.#receiveAt[i]!, nameAt, controlAt }, this.#nameLength);
      this.#rx.setLength(i, RECEIVE_CAPACITY);
      this.#rx.setControlLength(i, this.#controlSpace);
    }

    this.#fd = openSocket(libc, options, sockaddr, wildcard);
    this.#closeSocket = ownSocket(libc, this.#fd);
    this.port = readPort(libc, this.#fd);
    try {
      this.#wake = new Wake(libc, () => this.#drain());
      this.#wake.add(this.#fd);
    } catch (error) {
      this.#closeSocket();
      throw error;
    }
  }

  #drain(): void {
    for (let read = 0; read < MAX_PACKETS; ) {
      const count = this.#libc.recvmmsg(this.#fd, this.#rx.address, this.#batchSize, LINUX.MSG_DONTWAIT);
      if (count <= 0) {
        const errno = this.#libc.errno();
        // Anything else is an error of an earlier packet (ICMP) and cleared by having been read.
        if (count < 0 && errno !== EAGAIN && errno !== EINTR) countError(this.counters.receiveErrors, errno);
        break;
      }
      this.#answer(count);
      read += count;
      if (count < READ_AGAIN || !this.#open) break;
    }
    if (this.#lateCount > 0) this.#flush();
  }

  #answer(count: number): void {
    const handler = this.#handler;
    const arena = this.#arena;
    const i32 = this.#rx.i32;
    const { counters } = this;
    counters.received += count;
    counters.batches++;
    handler.begin(count, this);
    let replies = 0;
    for (let slot = 0; slot < count; slot++) {
      const header = this.#rx.headerAt(slot);
      const length = i32[(header + MMSGHDR.LEN) >> 2]!;
      if ((i32[(header + MSGHDR.FLAGS) >> 2]! & LINUX.MSG_TRUNC) !== 0) counters.truncatedReceives++;
      const replyLength = handler.packet(
        arena,
        this.#receiveAt[slot]!,
        length,
        arena,
        this.#reply[slot]!.payloadAt,
        slot,
      );
      if (replyLength > 0) this.#queueReply(replies++, slot, replyLength);
    }
    handler.end();
    if (!this.#open) return;
    if (replies > 0) sendAll(this.#libc, this.#fd, this.#tx, 0, replies, counters);
    if (this.#controlSpace > 0) for (let i = 0; i < count; i++) this.#rx.setControlLength(i, this.#controlSpace);
  }

  #queueReply(index: number, slot: number, length: number): void {
    if (this.#pointsAt[index] !== slot) {
      this.#tx.point(index, this.#reply[slot]!, this.#nameLength);
      this.#pointsAt[index] = slot;
    }
    this.#tx.setLength(index, length);
    if (this.#controlSpace > 0) this.#tx.setControlLength(index, this.#prepareControl(slot));
  }

  /**
   * Makes the received control message of a slot one to send: same address, interface left to routing.
   *
   * @returns its length, 0 for none
   */
  #prepareControl(slot: number): number {
    const received = this.#rx.i32[(this.#rx.headerAt(slot) + MSGHDR.CONTROLLEN) >> 2]!;
    if (received < CMSGHDR.SIZE) return 0;
    const dataAt = this.#reply[slot]!.controlAt + CMSGHDR.SIZE;
    if (this.family === 4) {
      this.#rx.i32[(dataAt + IN_PKTINFO.IFINDEX) >> 2] = 0;
      // The kernel sends from spec_dst, and for a packet to a group or a broadcast that is ours; `addr` must not matter.
      return this.#controlSpace;
    }
    if (!isLinkLocal(this.#arena, dataAt)) this.#rx.i32[(dataAt + IN6_PKTINFO.IFINDEX) >> 2] = 0;
    return this.#controlSpace;
  }

  readAddresses(slot: number, into: PacketAddresses): void {
    const arena = this.#arena;
    const { nameAt, controlAt } = this.#reply[slot]!;
    into.clientPort = (arena[nameAt + SOCKADDR_IN.PORT]! << 8) | arena[nameAt + SOCKADDR_IN.PORT + 1]!;
    into.serverPort = this.port;
    const told = controlAt >= 0 && this.#rx.i32[(this.#rx.headerAt(slot) + MSGHDR.CONTROLLEN) >> 2]! >= CMSGHDR.SIZE;
    if (this.family === 4) {
      into.family = 4;
      copyBytes(arena, nameAt + SOCKADDR_IN.ADDRESS, into.clientAddress, 4);
      if (told) copyBytes(arena, controlAt + CMSGHDR.SIZE + IN_PKTINFO.SPEC_DST, into.serverAddress, 4);
      else copyBytes(this.#serverAddress, 0, into.serverAddress, 4);
      return;
    }
    const client = nameAt + SOCKADDR_IN6.ADDRESS;
    const from = told ? arena : this.#serverAddress;
    const server = told ? controlAt + CMSGHDR.SIZE + IN6_PKTINFO.ADDRESS : 0;
    const skip = isMapped(arena, client) ? 12 : 0;
    into.family = skip === 12 ? 4 : 6;
    copyBytes(arena, client + skip, into.clientAddress, 16 - skip);
    copyBytes(from, server + skip, into.serverAddress, 16 - skip);
  }

  isTruncated(slot: number): boolean {
    return (this.#rx.i32[(this.#rx.headerAt(slot) + MSGHDR.FLAGS) >> 2]! & LINUX.MSG_TRUNC) !== 0;
  }

  capture(slot: number, reuse?: ReplyAddress): ReplyAddress {
    const to = reuse instanceof MmsgReplyAddress ? reuse : new MmsgReplyAddress();
    to.controlLength = this.#controlSpace > 0 ? this.#prepareControl(slot) : 0;
    copyBytes(this.#arena, this.#reply[slot]!.nameAt, to.bytes, NAME_SPACE + to.controlLength);
    return to;
  }

  sendTo(to: ReplyAddress, bytes: Uint8Array, at: number, length: number): boolean {
    if (!this.#open || length > TRANSMIT_CAPACITY || length <= 0 || !(to instanceof MmsgReplyAddress)) {
      this.counters.deferredDropped++;
      return false;
    }
    if (this.#lateCount === this.#batchSize) this.#flush();
    const index = this.#lateCount++;
    const { payloadAt, nameAt } = this.#reply[this.#batchSize + index]!;
    copyBytes(to.bytes, 0, this.#arena, NAME_SPACE + to.controlLength, nameAt);
    this.#arena.set(at === 0 && length === bytes.length ? bytes : bytes.subarray(at, at + length), payloadAt);
    this.#late.setLength(index, length);
    if (this.#controlSpace > 0) this.#late.setControlLength(index, to.controlLength);
    if (!this.#flushScheduled) {
      this.#flushScheduled = true;
      setImmediate(this.#flushLater);
    }
    return true;
  }

  readonly #flushLater = (): void => {
    this.#flushScheduled = false;
    this.#flush();
  };

  #flush(): void {
    const count = this.#lateCount;
    this.#lateCount = 0;
    if (count === 0 || !this.#open) return;
    const sent = sendAll(this.#libc, this.#fd, this.#late, 0, count, this.counters);
    this.counters.deferredDropped += count - sent;
  }

  discard(_to: ReplyAddress): void {
    // Nothing is held for a datagram.
  }

  get descriptor(): number {
    return this.#open ? this.#fd : -1;
  }

  drops(): number {
    if (!this.#open) return -1;
    const values = new Int32Array(16);
    const length = Int32Array.of(values.byteLength);
    const failed = this.#libc.getsockopt(this.#fd, LINUX.SOL_SOCKET, LINUX.SO_MEMINFO, values, length) < 0;
    if (!failed && length[0]! / 4 > LINUX.SK_MEMINFO_DROPS) return values[LINUX.SK_MEMINFO_DROPS]! >>> 0;
    return readKernelDrops(this.#fd, this.family);
  }

  close(): void {
    if (!this.#open) return;
    this.#flush();
    this.#open = false;
    this.#wake.remove(this.#fd);
    this.#wake.close();
    this.#closeSocket();
  }
}

function openSocket(libc: Libc, options: UdpOptions, sockaddr: Uint8Array, wildcard: boolean): number {
  const four = options.family === 4;
  const place = `${options.address}:${options.port}`;
  const type = LINUX.SOCK_DGRAM | LINUX.SOCK_NONBLOCK | LINUX.SOCK_CLOEXEC;
  const fd = libc.socket(four ? LINUX.AF_INET : LINUX.AF_INET6, type, 0);
  if (fd < 0) throw systemError('socket', libc.errno(), place);
  const set = (level: number, name: number, value: number): void => {
    if (libc.setsockopt(fd, level, name, Int32Array.of(value), 4) === 0) return;
    const errno = libc.errno();
    libc.close(fd);
    throw systemError('setsockopt', errno, place);
  };
  if (options.reusePort) set(LINUX.SOL_SOCKET, LINUX.SO_REUSEPORT, 1);
  if (!four) set(LINUX.IPPROTO_IPV6, LINUX.IPV6_V6ONLY, options.dualStack === true ? 0 : 1);
  if (wildcard && four) set(LINUX.IPPROTO_IP, LINUX.IP_PKTINFO, 1);
  if (wildcard && !four) set(LINUX.IPPROTO_IPV6, LINUX.IPV6_RECVPKTINFO, 1);
  // Sizes are wishes: the kernel caps them, a refusal is no reason not to serve.
  libc.setsockopt(fd, LINUX.SOL_SOCKET, LINUX.SO_RCVBUF, Int32Array.of(options.receiveBufferBytes), 4);
  libc.setsockopt(fd, LINUX.SOL_SOCKET, LINUX.SO_SNDBUF, Int32Array.of(SEND_BUFFER_BYTES), 4);
  if (libc.bind(fd, sockaddr, sockaddr.length) === 0) return fd;
  const errno = libc.errno();
  libc.close(fd);
  throw systemError('bind', errno, place);
}

function readPort(libc: Libc, fd: number): number {
  const sockaddr = new Uint8Array(SOCKADDR_IN6.SIZE);
  libc.getsockname(fd, sockaddr, Int32Array.of(sockaddr.length));
  return (sockaddr[SOCKADDR_IN.PORT]! << 8) | sockaddr[SOCKADDR_IN.PORT + 1]!;
}

function copyBytes(from: Uint8Array, at: number, into: Uint8Array, length: number, intoAt = 0): void {
  for (let i = 0; i < length; i++) into[intoAt + i] = from[at + i]!;
}
