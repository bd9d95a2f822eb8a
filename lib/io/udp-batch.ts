// What a listener offers, whichever way it reads packets: batches of receive and transmit slots. Worker.

/** Bytes of a datagram that fit a UDP receive slot. A longer one is cut and flagged; no DNS query comes near. */
export const RECEIVE_CAPACITY = 4096;
/** Bytes of a reply that fit a transmit slot. */
export const TRANSMIT_CAPACITY = 65535;
export type UdpOptions = {
  /** Literal address; `0.0.0.0` and `::` are the wildcards. */
  readonly address: string;
  /** 0 lets the kernel choose; `UdpBatch.port` tells. */
  readonly port: number;
  readonly family: 4 | 6;
  /** Several sockets share the address, the kernel spreads clients over them. */
  readonly reusePort: boolean;
  /** Asked for with SO_RCVBUF; the kernel doubles it and caps it at `net.core.rmem_max`. */
  readonly receiveBufferBytes: number;
  /** `::` also takes IPv4 clients (addresses then arrive as family 4). Only with family 6. */
  readonly dualStack?: boolean;
  /** Packets read by one system call; 64 unless told. */
  readonly batchSize?: number;
};

/** Who answers. One call of `begin` and `end` around every batch, no matter how many packets it holds. */
export interface BatchHandler {
  /** Before the first packet of a batch of `count` read by `source`: take the time, pin the store's epoch. */
  begin(count: number, source: PacketSource): void;
  /**
   * One message, `rx[rxAt .. rxAt + rxLength)`: at most `RECEIVE_CAPACITY` bytes by UDP, 65535 by TCP. Bytes and slot are
   * valid until `packet` returns.
   *
   * @param tx `tx[txAt .. txAt + TRANSMIT_CAPACITY)` takes the reply
   * @returns bytes of the reply written, 0 for none now: either dropped or `capture(slot)` was called and `sendTo` or
   *   `discard` follows later
   */
  packet(rx: Uint8Array, rxAt: number, rxLength: number, tx: Uint8Array, txAt: number, slot: number): number;
  /** After the last packet, before the replies leave. */
  end(): void;
}

/** Where the addresses of a packet are copied to; `Query` has this shape. */
export type PacketAddresses = {
  /** 4 or 6. */
  family: number;
  /** 4 or 16 bytes are written. */
  readonly clientAddress: Uint8Array;
  clientPort: number;
  /** Address the packet was sent to; all zero when the system does not tell (dgram on a wildcard). */
  readonly serverAddress: Uint8Array;
  serverPort: number;
};

/** Where a late reply goes and which address it leaves from: a copy, valid as long as the listener lives. */
export type ReplyAddress = { readonly opaque: 'ReplyAddress' };

/** Totals since the listener opened. */
export type UdpCounters = {
  received: number;
  sent: number;
  /** Batches read; `received / batches` is the mean batch. */
  batches: number;
  /** Datagrams longer than `RECEIVE_CAPACITY`. */
  truncatedReceives: number;
  /** Late replies that never left: too long, listener closed, or no room in the kernel's send buffer. */
  deferredDropped: number;
  /** Replies the kernel refused, by error name (`EMSGSIZE`, `EPERM`, ...). */
  readonly sendErrors: Map<string, number>;
  /** Reads the kernel refused, by error name; `EAGAIN` is not an error. */
  readonly receiveErrors: Map<string, number>;
};

/** What the packet loop needs of a listener, UDP or TCP. */
export interface PacketSource {
  readonly transport: 'udp' | 'tcp' | 'tls' | 'https' | 'grpc';
  /** As bound. */
  readonly address: string;
  readonly port: number;
  readonly family: 4 | 6;
  /** Copies client and server address of the packet in `slot`; call it inside `packet`. Allocates nothing. */
  readAddresses(slot: number, into: PacketAddresses): void;
  /** Whether the packet in `slot` was longer than `RECEIVE_CAPACITY` and its end is lost. Never by TCP. */
  isTruncated(slot: number): boolean;
  /**
   * Keeps the addresses of `slot` for a late reply. Every captured address ends in exactly one `sendTo` or `discard`.
   *
   * @param reuse a former result, of any listener, that has ended; saves an allocation where it fits
   */
  capture(slot: number, reuse?: ReplyAddress): ReplyAddress;
  /**
   * Queues a late reply; the bytes are copied. The queue leaves with one system call at the end of this turn of the event
   * loop or when a batch is full.
   *
   * @returns false when it was dropped: the listener or the connection is closed or `length` is over `TRANSMIT_CAPACITY`
   */
  sendTo(to: ReplyAddress, bytes: Uint8Array, at: number, length: number): boolean;
  /**
   * Queues one message of a reply that has several; `to` stays captured. `then` is called once: with true when there is room for
   * the next message (which `sendPart`, or for the last one `sendTo`, takes), with false when the client has gone, which
   * ends `to`. Absent where a reply is one message: UDP.
   */
  sendPart?(to: ReplyAddress, bytes: Uint8Array, at: number, length: number, then: (isOpen: boolean) => void): void;
  /** No reply will follow for this captured packet. */
  discard(to: ReplyAddress): void;
}

export interface UdpBatch extends PacketSource {
  /** How packets are read: `mmsg` (recvmmsg/sendmmsg) or `dgram` (node:dgram). */
  readonly kind: 'mmsg' | 'dgram';
  readonly transport: 'udp';
  readonly counters: UdpCounters;
  /** Of the socket; -1 once it is closed. */
  readonly descriptor: number;
  /** Datagrams the kernel dropped because the receive buffer was full, since the listener opened; -1 where unknown. */
  drops(): number;
  /** Sends what is queued and closes the socket. No handler call follows. */
  close(): void;
}

/** Empty counters. */
export function createUdpCounters(): UdpCounters {
  return {
    received: 0,
    sent: 0,
    batches: 0,
    truncatedReceives: 0,
    deferredDropped: 0,
    sendErrors: new Map(),
    receiveErrors: new Map(),
  };
}
