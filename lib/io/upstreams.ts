// All upstream nameservers of a worker's plan: who names one alike shares its sockets. Worker.
import type { Clock } from '../base/clock.ts';
import type { CaseMixing, ReplyWaiter, Upstream, Upstreams, UpstreamTarget } from '../chain/plugin.ts';
import { formatAddressPort } from './socket-address.ts';
import { TimerWheel } from './timer-wheel.ts';
import { chosenLibc } from './udp.ts';
import { DgramPorts, type UdpPorts } from './upstream-ports.ts';
import { MmsgPorts } from './upstream-ports-mmsg.ts';
import { HttpsUpstream } from './upstream-https.ts';
import { StreamUpstream } from './upstream-stream.ts';
import { type UpstreamCounters, UdpUpstream } from './upstream-udp.ts';

const WHEEL_TICK_MS = 10;

/** `Upstreams` with an end and a look inside. */
export interface OwnedUpstreams extends Upstreams {
  /** One entry for each nameserver that is open. */
  counters(): readonly { readonly address: string; readonly counters: UpstreamCounters }[];
  /** Fails what is under way and closes all sockets. */
  close(): void;
}

/**
 * Makes the upstreams of a plan. Nothing is opened before the first exchange.
 *
 * @param ports how UDP is done; as `chooseUdp` found unless told
 */
export function createUpstreams(clock: Clock, ports: () => UdpPorts = createPorts): OwnedUpstreams {
  return new PlanUpstreams(clock, ports);
}

function createPorts(): UdpPorts {
  const libc = chosenLibc();
  return libc ? new MmsgPorts(libc) : new DgramPorts();
}

class PlanUpstreams implements OwnedUpstreams {
  readonly #clock: Clock;
  readonly #wheel: TimerWheel;
  readonly #createPorts: () => UdpPorts;
  readonly #shared = new Map<string, SharedUpstream>();
  #ports: UdpPorts | undefined;

  constructor(clock: Clock, ports: () => UdpPorts) {
    this.#clock = clock;
    this.#wheel = new TimerWheel(clock, WHEEL_TICK_MS);
    this.#createPorts = ports;
  }

  open(target: UpstreamTarget): Upstream {
    const key = JSON.stringify(
      target,
      Object.keys(target).toSorted().concat('serverName', 'ca', 'cert', 'key', 'method'),
    );
    let shared = this.#shared.get(key);
    if (!shared) {
      const counters = { sent: 0, received: 0, timeouts: 0, mismatches: 0, overloads: 0, opened: 0, fled: 0 };
      const udp = new UdpUpstream(() => (this.#ports ??= this.#createPorts()), this.#wheel, target, counters);
      const stream = new StreamUpstream(this.#wheel, this.#clock, target, counters);
      const https = target.https && new HttpsUpstream(this.#wheel, this.#clock, target, counters);
      shared = new SharedUpstream(target, { udp, stream, https }, counters, () => this.#shared.delete(key));
      this.#shared.set(key, shared);
    }
    return shared.use();
  }

  counters(): readonly { readonly address: string; readonly counters: UpstreamCounters }[] {
    return [...this.#shared.values()].map(({ address, counters }) => ({ address, counters }));
  }

  close(): void {
    for (const shared of this.#shared.values()) shared.close();
    this.#shared.clear();
    this.#ports?.close();
    this.#wheel.close();
  }
}

/** The ways to one nameserver. */
type Ways = { readonly udp: UdpUpstream; readonly stream: StreamUpstream; readonly https: HttpsUpstream | undefined };

/** The sockets to one nameserver, open while anybody uses them. */
class SharedUpstream {
  readonly address: string;
  readonly counters: UpstreamCounters;
  readonly #ways: Ways;
  readonly #isTls: boolean;
  readonly #forget: () => void;
  #users = 0;
  #takenMismatches = 0;

  constructor(target: UpstreamTarget, ways: Ways, counters: UpstreamCounters, forget: () => void) {
    this.#ways = ways;
    this.#isTls = target.tls !== undefined;
    this.address = formatAddressPort(target.address, target.port);
    this.counters = counters;
    this.#forget = forget;
  }

  use(): Upstream {
    this.#users++;
    let open = true;
    return {
      exchange: (message, transport, timeoutMs, mixing) =>
        new Promise((resolve, reject) => {
          this.#ask(message, transport, timeoutMs, { replied: resolve, failed: reject }, mixing);
        }),
      ask: (message, transport, timeoutMs, waiter, mixing) => this.#ask(message, transport, timeoutMs, waiter, mixing),
      takeMismatches: () => this.#takeMismatches(),
      close: () => {
        if (open && --this.#users === 0) this.close();
        open = false;
      },
    };
  }

  #takeMismatches(): number {
    const taken = this.#takenMismatches;
    this.#takenMismatches = this.counters.mismatches;
    return this.#takenMismatches - taken;
  }

  #ask(
    message: Uint8Array,
    transport: 'udp' | 'tcp',
    timeoutMs: number,
    waiter: ReplyWaiter,
    mixing: CaseMixing | undefined,
  ): void {
    const { udp, stream, https } = this.#ways;
    if (https === undefined && transport === 'udp' && !this.#isTls) return udp.ask(message, timeoutMs, waiter, mixing);
    (https ?? stream).exchange(message, timeoutMs).then(
      (reply) => waiter.replied(reply),
      (error: Error) => waiter.failed(error),
    );
    return undefined;
  }

  close(): void {
    this.#forget();
    this.#ways.udp.close();
    this.#ways.stream.close();
    this.#ways.https?.close();
  }
}
