// lib/plugins/forward/loop-guard.ts — worker. Finds upstreams that lead back to this server: asks each for a name that nobody else can know.
//
// The name holds a number that is announced to all workers while the question is out. When it comes in from the network,
// the upstream is looped and not asked any more, until such a question is answered without coming back. A number counts
// once and for as long as the question is out: whoever sees one on the wire and sends it again achieves nothing (CVE-2026-26018).
import type { LoopGuard } from '../../chain/block-offers.ts';
import type { Env } from '../../chain/plugin.ts';
import type { Query } from '../../chain/query.ts';
import { formatName, nameLength, parseNameLower } from '../../wire/name.ts';
import { RRTYPE } from '../../wire/types.ts';
import { buildQuestion } from './message.ts';
import type { Nameserver } from './nameserver.ts';
import type { NameserverList } from './nameserver-list.ts';
import type { ForwardZoneOptions } from './setup.ts';
import type { SharedState } from './shared-state.ts';

/** Lets the listeners of a new plan open first. */
const FIRST_LOOK_MS = 100;
const RETRY_MS = 1000;
/** As long as this an upstream that says nothing is asked again, as CoreDNS does it. */
const RETRY_FOR_MS = 30_000;
const TIMEOUT_MS = 2000;

export class ForwardLoopGuard implements LoopGuard {
  readonly #options: ForwardZoneOptions;
  readonly #nameservers: NameserverList;
  readonly #shared: SharedState;
  readonly #env: Env;
  /** The end of the names asked for, wire form; empty when the zone leaves no room for it. */
  readonly #suffix: Uint8Array;
  #hasStarted = false;
  #isClosed = false;

  constructor(options: ForwardZoneOptions, nameservers: NameserverList, shared: SharedState, env: Env) {
    this.#options = options;
    this.#nameservers = nameservers;
    this.#shared = shared;
    this.#env = env;
    this.#suffix =
      parseNameLower(`${options.loopLabel}.${options.from === '.' ? '' : options.from}`) ?? new Uint8Array(0);
  }

  start(): void {
    if (this.#hasStarted || this.#suffix.length === 0) return;
    this.#hasStarted = true;
    for (const nameserver of this.#nameservers.all) this.watch(nameserver);
  }

  /** Looks at an upstream for the first time. One worker does that for all. */
  watch(nameserver: Nameserver): void {
    if (!this.#hasStarted || this.#env.worker !== 0) return;
    this.#later(nameserver, FIRST_LOOK_MS, this.#env.clock.monotonicMs() + RETRY_FOR_MS);
  }

  close(): void {
    this.#isClosed = true;
  }

  #later(nameserver: Nameserver, delayMs: number, untilMs: number): void {
    this.#env.clock.after(delayMs, () => {
      if (this.#isClosed || !this.#nameservers.all.includes(nameserver)) return;
      void this.#look(nameserver, untilMs);
    });
  }

  /** A query came from where this server's own queries go: that may be a loop that began lately. */
  suspect(): void {
    if (!this.#hasStarted) return;
    const nowMs = this.#env.clock.nowMs();
    for (const nameserver of this.#nameservers.all) {
      if (!nameserver.isLooped && this.#shared.claimLoopTrial(nameserver.slot, nowMs, RETRY_MS)) {
        void this.#look(nameserver, 0);
      }
    }
  }

  async #look(nameserver: Nameserver, untilMs: number): Promise<void> {
    const { slot, upstream } = nameserver;
    const nonce = this.#env.random() | 0 || 1;
    const name = parseNameLower(`${nonce >>> 0}.${slot}.${formatName(this.#suffix)}`);
    if (name === undefined) return;
    this.#shared.setLoopNonce(slot, nonce);
    const transport = this.#options.forceTcp ? 'tcp' : 'udp';
    const isAnswered = await upstream.exchange(buildQuestion(name, RRTYPE.HINFO, true), transport, TIMEOUT_MS).then(
      () => true,
      () => false,
    );
    const isHeard = !this.#shared.takeLoopNonce(slot, nonce);
    if (isAnswered && !isHeard) this.#clear(nameserver);
    const isOpen = !isAnswered && this.#env.clock.monotonicMs() < untilMs;
    if (nameserver.isLooped) this.#later(nameserver, RETRY_MS, 0);
    else if (isOpen) this.#later(nameserver, RETRY_MS, untilMs);
  }

  #clear(nameserver: Nameserver): void {
    if (!this.#shared.setLooped(nameserver.slot, false)) return;
    this.#env.log.info(`${nameserver.options.to} does not lead back here any more, it is asked again`);
  }

  hears(query: Query): boolean {
    if (!this.#hasStarted || query.qtype !== RRTYPE.HINFO || query.labelCount < 3) return false;
    const at = query.labelAt[2]!;
    const { name } = query;
    for (let i = 0, end = nameLength(this.#suffix); i < end; i++) if (name[at + i] !== this.#suffix[i]) return false;
    const nonce = readNumber(name, 0);
    const slot = readNumber(name, query.labelAt[1]!);
    const nameserver = this.#nameservers.all.find((known) => known.slot === slot);
    if (nameserver === undefined || !this.#shared.takeLoopNonce(slot, nonce)) return true;
    if (this.#shared.setLooped(slot, true)) {
      this.#env.cells[nameserver.options.cells.loops]!++;
      this.#env.log.error(
        `Loop detected for zone ${JSON.stringify(this.#options.from)}: queries to ${nameserver.options.to} come back to this ` +
          'server; it is asked no more until that ends. Give forward another nameserver, see the README of loop',
      );
    }
    return true;
  }
}

/** The decimal number that a label is; 0 when it is none. */
function readNumber(name: Uint8Array, at: number): number {
  let number = 0;
  for (let i = at + 1, end = at + 1 + name[at]!; i < end; i++) {
    const digit = name[i]! - 0x30;
    if (digit < 0 || digit > 9) return 0;
    number = number * 10 + digit;
  }
  return number > 0xffff_ffff ? 0 : number;
}
