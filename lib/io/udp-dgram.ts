// UDP listener on node:dgram, for systems without recvmmsg: one packet a batch. Worker.
import dgram from 'node:dgram';
import { datagramDescriptor } from './descriptor.ts';
import { readKernelDrops } from './kernel-drops.ts';
import { parseAddress } from './socket-address.ts';
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
import { slotStride } from './mmsg-rings.ts';

/** Replies given to the socket that it has not sent; more are dropped and counted. */
const MAX_UNSENT = 4096;

class DgramReplyAddress implements ReplyAddress {
  declare readonly opaque: 'ReplyAddress';
  address = '';
  port = 0;
}

/**
 * Opens and binds the socket.
 *
 * @throws Error of Node's with `code` (`EADDRINUSE`, `EACCES`, ...), as a rejection
 */
export async function openDgram(options: UdpOptions, handler: BatchHandler): Promise<UdpBatch> {
  const socket = dgram.createSocket({
    type: options.family === 4 ? 'udp4' : 'udp6',
    reusePort: options.reusePort,
    ipv6Only: options.family === 6 && options.dualStack !== true,
    // Addresses are literal; Node's own would take a turn of the event loop for each.
    lookup: (address, _options, found) => found(null, address, options.family),
  });
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.bind({ address: options.address, port: options.port, exclusive: true }, () => {
      socket.off('error', reject);
      resolve();
    });
  });
  try {
    socket.setRecvBufferSize(options.receiveBufferBytes);
  } catch {
    // A wish: the listener serves with the default size too.
  }
  return new DgramBatch(socket, options, handler);
}

class DgramBatch implements UdpBatch {
  readonly kind = 'dgram';
  readonly transport = 'udp';
  readonly address: string;
  readonly port: number;
  readonly family: 4 | 6;
  readonly counters: UdpCounters = createUdpCounters();

  readonly #socket: dgram.Socket;
  readonly #handler: BatchHandler;
  readonly #serverAddress: Uint8Array;
  readonly #arena = new Uint8Array(slotStride(RECEIVE_CAPACITY) + TRANSMIT_CAPACITY);
  readonly #replyAt = slotStride(RECEIVE_CAPACITY);
  #peer: dgram.RemoteInfo = { address: '', port: 0, family: 'IPv4', size: 0 };
  #unsent = 0;
  #open = true;

  constructor(socket: dgram.Socket, options: UdpOptions, handler: BatchHandler) {
    this.#socket = socket;
    this.#handler = handler;
    this.address = options.address;
    this.family = options.family;
    this.port = socket.address().port;
    this.#serverAddress = parseAddress(options.address) ?? new Uint8Array(16);
    socket.on('message', (message, peer) => this.#receive(message, peer));
    socket.on('error', (error: NodeJS.ErrnoException) => count(this.counters.receiveErrors, error));
  }

  #receive(message: Uint8Array, peer: dgram.RemoteInfo): void {
    if (!this.#open) return;
    this.#peer = peer;
    this.counters.received++;
    this.counters.batches++;
    const length = Math.min(message.length, RECEIVE_CAPACITY);
    if (message.length > RECEIVE_CAPACITY) this.counters.truncatedReceives++;
    this.#arena.set(length === message.length ? message : message.subarray(0, length), 0);
    this.#handler.begin(1, this);
    const replyLength = this.#handler.packet(this.#arena, 0, length, this.#arena, this.#replyAt, 0);
    this.#handler.end();
    if (replyLength > 0) this.#send(this.#arena, this.#replyAt, replyLength, peer.port, peer.address);
  }

  /** The bytes are copied: the socket may send them later, or not at all, which is counted. */
  #send(bytes: Uint8Array, at: number, length: number, port: number, address: string): boolean {
    if (!this.#open || this.#unsent >= MAX_UNSENT) return false;
    this.#unsent++;
    this.#socket.send(bytes.slice(at, at + length), port, address, (error) => {
      this.#unsent--;
      if (error) count(this.counters.sendErrors, error);
      else this.counters.sent++;
    });
    return true;
  }

  readAddresses(_slot: number, into: PacketAddresses): void {
    const peer = this.#peer;
    const mapped = peer.address.startsWith('::ffff:') && peer.address.includes('.');
    const bytes = parseAddress(mapped ? peer.address.slice(7) : peer.address) ?? this.#serverAddress;
    into.family = bytes.length === 4 ? 4 : 6;
    into.clientAddress.set(bytes);
    into.clientPort = peer.port;
    into.serverPort = this.port;
    into.serverAddress.fill(0);
    if (this.#serverAddress.length === bytes.length) into.serverAddress.set(this.#serverAddress);
  }

  isTruncated(_slot: number): boolean {
    return this.#peer.size > RECEIVE_CAPACITY;
  }

  capture(_slot: number, reuse?: ReplyAddress): ReplyAddress {
    const to = reuse instanceof DgramReplyAddress ? reuse : new DgramReplyAddress();
    to.address = this.#peer.address;
    to.port = this.#peer.port;
    return to;
  }

  sendTo(to: ReplyAddress, bytes: Uint8Array, at: number, length: number): boolean {
    const good = to instanceof DgramReplyAddress && length > 0 && length <= TRANSMIT_CAPACITY;
    if (good && this.#send(bytes, at, length, to.port, to.address)) return true;
    this.counters.deferredDropped++;
    return false;
  }

  discard(_to: ReplyAddress): void {
    // Nothing is held for a datagram.
  }

  get descriptor(): number {
    return this.#open ? datagramDescriptor(this.#socket) : -1;
  }

  drops(): number {
    const { descriptor } = this;
    return descriptor < 0 ? -1 : readKernelDrops(descriptor, this.family);
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#socket.close();
  }
}

function count(errors: Map<string, number>, error: NodeJS.ErrnoException): void {
  const name = error.code ?? 'UNKNOWN';
  errors.set(name, (errors.get(name) ?? 0) + 1);
}
