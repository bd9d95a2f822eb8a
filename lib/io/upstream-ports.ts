// Connected UDP sockets to upstreams: the interface, and the portable way on node:dgram. Worker.
import dgram from 'node:dgram';
import { formatAddressPort } from './socket-address.ts';

export type PortTarget = { readonly address: string; readonly port: number; readonly sourceAddress?: string };

/** Who uses a port. */
export interface PortUser {
  /** A datagram of the peer, `bytes[0 .. length)`, valid until the promises settled now have run their first callbacks. */
  receive(bytes: Uint8Array, length: number): void;
  /** The system's error name; of the query `id` alone, or of all that are out when it is -1. */
  fail(code: string, id: number): void;
}

/** One source port. */
export interface UdpPort {
  /** `1.2.3.4:40000`. Cold path. */
  formatLocal(): string;
  /** Queues the message with `id` in place of its own; it leaves before the event loop turns. The bytes are copied. */
  send(message: Uint8Array, id: number): void;
  close(): void;
}

export interface UdpPorts {
  /** A socket with a port that the kernel picks at random. @throws Error with `code` when the system has none to give */
  open(target: PortTarget, user: PortUser): UdpPort;
  close(): void;
}

const RECEIVE_BUFFER_BYTES = 1 << 20;

export class DgramPorts implements UdpPorts {
  open(target: PortTarget, user: PortUser): UdpPort {
    return new DgramPort(target, user);
  }

  close(): void {
    // Every port has been closed by its user.
  }
}

class DgramPort implements UdpPort {
  readonly #socket: dgram.Socket;
  readonly #user: PortUser;
  /** Messages given before the socket was connected. */
  #early: { readonly message: Uint8Array; readonly id: number }[] | undefined = [];
  /** Why the socket could not be bound or connected. */
  #failure: string | undefined;
  #open = true;

  constructor(target: PortTarget, user: PortUser) {
    const family = target.address.includes(':') ? 6 : 4;
    this.#user = user;
    this.#socket = dgram.createSocket({
      type: family === 4 ? 'udp4' : 'udp6',
      recvBufferSize: RECEIVE_BUFFER_BYTES,
      lookup: (address, _options, found) => found(null, address, family),
    });
    this.#socket.unref();
    this.#socket.on('message', (bytes) => user.receive(bytes, bytes.length));
    this.#socket.on('error', (error: NodeJS.ErrnoException) => this.#giveUp(error));
    const any = family === 4 ? '0.0.0.0' : '::';
    this.#socket.bind({ port: 0, address: target.sourceAddress ?? any, exclusive: true }, () => {
      if (!this.#open) return;
      // Without a route the callback gets an error, and the socket must not be sent on.
      this.#socket.connect(target.port, target.address, (error?: NodeJS.ErrnoException) => {
        if (error) this.#giveUp(error);
        else this.#sendEarly();
      });
    });
  }

  #giveUp(error: NodeJS.ErrnoException): void {
    if (this.#early) this.#failure = error.code ?? error.message;
    // Binding may fail while the user is still being built: then the first message is told.
    if (this.#early?.length !== 0) this.#fail(error, -1);
  }

  #fail(error: NodeJS.ErrnoException, id: number): void {
    if (this.#open) this.#user.fail(error.code ?? error.message, id);
  }

  #sendEarly(): void {
    const early = this.#early ?? [];
    this.#early = undefined;
    if (this.#open) for (const { message, id } of early) this.#send(message, id);
  }

  formatLocal(): string {
    try {
      const { address, port } = this.#socket.address();
      return formatAddressPort(address, port);
    } catch {
      return ':0';
    }
  }

  send(message: Uint8Array, id: number): void {
    const failure = this.#failure;
    if (failure !== undefined) return queueMicrotask(() => this.#user.fail(failure, id));
    const copy = message.slice();
    copy[0] = id >> 8;
    copy[1] = id & 255;
    if (this.#early) this.#early.push({ message: copy, id });
    else this.#send(copy, id);
    return undefined;
  }

  #send(message: Uint8Array, id: number): void {
    this.#socket.send(message, (error) => {
      if (error) this.#fail(error, (error as NodeJS.ErrnoException).code === 'ECONNREFUSED' ? -1 : id);
    });
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#socket.close();
  }
}
