// The sockets of one listener address in this worker: UDP and TCP for dns, a stream listener alone for the others. Worker.
import { TRANSPORT } from '../chain/query.ts';
import { openTcp } from '../io/tcp.ts';
import {
  type BatchHandler,
  type PacketSource,
  type ReplyAddress,
  TRANSMIT_CAPACITY,
  type UdpBatch,
} from '../io/udp-batch.ts';
import { openUdp } from '../io/udp.ts';
import type { ListenerPlan } from '../link/plan.ts';
import type { LateReply, ListenerState, PacketLoop } from './loop.ts';

/** Asked for; the kernel gives what `net.core.rmem_max` allows. */
const RECEIVE_BUFFER_BYTES = 4 * 2 ** 20;
/** Former reply addresses kept for the next query that waits. */
const MAX_SPARE = 4096;
/** How long connections of a listener that is no longer served may wait for their answers. */
const RETIRE_MS = 5000;

/** Feeds the packets of one socket to the loop. */
export class SocketHandler implements BatchHandler {
  /** Swapped with the plan. */
  state: ListenerState;
  readonly #loop: PacketLoop;
  #source: PacketSource | undefined;
  #slot = 0;
  readonly #spare: ReplyAddress[] = [];
  readonly #late: () => LateReply;

  constructor(state: ListenerState, loop: PacketLoop) {
    this.state = state;
    this.#loop = loop;
    this.#late = () => this.#capture();
  }

  begin(_count: number, source: PacketSource): void {
    this.#source = source;
    this.#loop.begin();
  }

  packet(rx: Uint8Array, rxAt: number, rxLength: number, tx: Uint8Array, txAt: number, slot: number): number {
    const source = this.#source!;
    const loop = this.#loop;
    const rejected = loop.read(rx, rxAt, rxLength, source.isTruncated(slot), tx, txAt);
    if (rejected !== -1) return rejected;
    source.readAddresses(slot, loop.query);
    this.#slot = slot;
    return loop.run(this.state, tx, txAt, TRANSMIT_CAPACITY, this.#late);
  }

  end(): void {
    this.#loop.end();
  }

  #capture(): LateReply {
    const source = this.#source!;
    const to = source.capture(this.#slot, this.#spare.pop());
    return (bytes, at, length, then) => {
      if (then !== undefined) {
        sendPart(source, to, bytes, at, length, then);
        return;
      }
      if (length === 0) source.discard(to);
      else source.sendTo(to, bytes, at, length);
      if (this.#spare.length < MAX_SPARE) this.#spare.push(to);
    };
  }
}

/** What TCP, TLS and HTTP listeners have in common. */
interface StreamListener {
  /** Of the listening socket; -1 where unknown or closed. */
  readonly descriptor: number;
  drain(timeoutMs: number): Promise<void>;
  close(): void;
}

/** What cannot stream sends the first message alone. */
function sendPart(
  source: PacketSource,
  to: ReplyAddress,
  bytes: Uint8Array,
  at: number,
  length: number,
  then: (isOpen: boolean) => void,
): void {
  if (source.sendPart !== undefined) return source.sendPart(to, bytes, at, length, then);
  source.sendTo(to, bytes, at, length);
  then(false);
  return undefined;
}

type Bound = { readonly address: string; readonly family: 4 | 6; readonly dualStack: boolean };

/** Where to bind: all addresses of both families in one socket where the machine has IPv6, else IPv4 alone. */
function candidates(address: string): readonly Bound[] {
  if (address !== '') return [{ address, family: address.includes(':') ? 6 : 4, dualStack: false }];
  return [
    { address: '::', family: 6, dualStack: true },
    { address: '0.0.0.0', family: 4, dualStack: false },
  ];
}

const NO_IPV6 = new Set(['EAFNOSUPPORT', 'EADDRNOTAVAIL', 'EPROTONOSUPPORT']);

export class ListenerSockets {
  readonly #stream: StreamListener;
  readonly #udp: UdpBatch | undefined;
  readonly #streamHandler: SocketHandler;
  readonly #udpHandler: SocketHandler | undefined;
  #countedDrops = 0;

  private constructor(
    stream: StreamListener,
    streamHandler: SocketHandler,
    udp: UdpBatch | undefined,
    udpHandler: SocketHandler | undefined,
  ) {
    this.#stream = stream;
    this.#streamHandler = streamHandler;
    this.#udp = udp;
    this.#udpHandler = udpHandler;
  }

  /** Opens the listener's sockets. @throws Error with the text of the failed bind, in Go's manner */
  static async open(listener: ListenerPlan, state: ListenerState, loop: PacketLoop): Promise<ListenerSockets> {
    let lastError: unknown;
    for (const bound of candidates(listener.address)) {
      try {
        return await ListenerSockets.#openAt(bound, listener, state, loop);
      } catch (error) {
        lastError = error;
        if (!NO_IPV6.has((error as NodeJS.ErrnoException).code ?? '')) break;
      }
    }
    throw describe(lastError, listener);
  }

  static async #openAt(
    { address, family, dualStack }: Bound,
    listener: ListenerPlan,
    state: ListenerState,
    loop: PacketLoop,
  ): Promise<ListenerSockets> {
    const { port } = listener;
    const streamHandler = new SocketHandler(streamState(state, listener), loop);
    const stream = await openStream({ address, family, dualStack }, listener, streamHandler, loop);
    if (listener.scheme !== 'dns') return new ListenerSockets(stream, streamHandler, undefined, undefined);
    const udpHandler = new SocketHandler(state, loop);
    try {
      const udp = await openUdp(
        { address, port, family, dualStack, reusePort: true, receiveBufferBytes: RECEIVE_BUFFER_BYTES },
        udpHandler,
      );
      return new ListenerSockets(stream, streamHandler, udp, udpHandler);
    } catch (error) {
      stream.close();
      throw error;
    }
  }

  /** Serves another plan from the next packet on. */
  serve(state: ListenerState, listener: ListenerPlan): void {
    this.#streamHandler.state = streamState(state, listener);
    if (this.#udpHandler) this.#udpHandler.state = state;
  }

  /** Datagrams that the kernel dropped since the last call because the receive buffer was full; 0 where it does not tell. */
  takeKernelDrops(): number {
    const drops = this.#udp?.drops() ?? -1;
    if (drops <= this.#countedDrops) return 0;
    const taken = drops - this.#countedDrops;
    this.#countedDrops = drops;
    return taken;
  }

  /** Of the listening sockets, as far as they are known. */
  descriptors(): number[] {
    return [this.#udp?.descriptor ?? -1, this.#stream.descriptor].filter((fd) => fd >= 0);
  }

  /** Takes no more connections and ends the open ones once their queries are answered, at most `graceMs` from now. */
  async drainConnections(graceMs: number): Promise<void> {
    await this.#stream.drain(graceMs);
  }

  /** Closes what another plan does not serve any more; connections may finish what they asked. */
  retire(): void {
    this.#udp?.close();
    void this.#stream.drain(RETIRE_MS);
  }

  close(): void {
    this.#udp?.close();
    this.#stream.close();
  }
}

async function openStream(
  bound: Bound,
  listener: ListenerPlan,
  handler: SocketHandler,
  loop: PacketLoop,
): Promise<StreamListener> {
  const { scheme, port, readTimeoutMs, writeTimeoutMs, idleTimeoutMs, tls, maxConnections, maxStreams } = listener;
  const options = {
    ...bound,
    port,
    reusePort: true,
    readTimeoutMs,
    writeTimeoutMs,
    idleTimeoutMs,
    ...(scheme === 'dns' || tls === undefined ? {} : { tls }),
  };
  if (scheme === 'dns' || scheme === 'tls') {
    return openTcp({ ...options, maxQueriesPerConnection: listener.maxQueriesPerConnection }, handler);
  }
  const httpOptions = {
    ...options,
    ...(maxConnections === undefined ? {} : { maxConnections }),
    ...(maxStreams === undefined ? {} : { maxStreams }),
    onResponse: (status: number) => loop.count(handler.state.httpResponses?.[status]),
  };
  // Loaded when needed: HTTP/2 costs each worker memory that a server without such listeners saves.
  if (scheme === 'grpc') return (await import('../io/grpc.ts')).openGrpc(httpOptions, handler);
  return (await import('../io/https.ts')).openHttps(httpOptions, handler);
}

const STREAM_TRANSPORTS = {
  dns: TRANSPORT.TCP,
  tls: TRANSPORT.TLS,
  https: TRANSPORT.HTTPS,
  grpc: TRANSPORT.HTTPS,
} as const;

function streamState(state: ListenerState, { scheme }: ListenerPlan): ListenerState {
  return { ...state, transport: STREAM_TRANSPORTS[scheme] };
}

const BIND_TEXTS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'address already in use',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EADDRNOTAVAIL: 'cannot assign requested address',
};

function describe(error: unknown, { address, port }: ListenerPlan): Error {
  const { code = '', message } = error as NodeJS.ErrnoException;
  const host = address.includes(':') ? `[${address}]` : address;
  const text = BIND_TEXTS[code] ?? message;
  return Object.assign(new Error(`listen tcp ${host}:${port}: bind: ${text}`), { code });
}
