// lib/plugins/forward/flight-watch.ts — worker. Looks at the flights under way every few milliseconds: one timer for all of them.
import type { Clock } from '../../base/clock.ts';
import type { Flight } from './flight.ts';
import { HedgeBudget } from './hedge-budget.ts';
import { type Nameserver, RANK } from './nameserver.ts';

const TICK_MS = 5;
/** After a pause of our own this long, replies may lie in the sockets: nobody is judged before they were read. */
const STALL_MS = 50;

/** What the watch finds and its user acts on. */
export type WatchEvents = {
  readonly nameservers: () => readonly Nameserver[];
  /** The upstream that was asked is late. */
  readonly late: (flight: Flight) => void;
  /** All upstreams that were asked are silent. */
  readonly stranded: (flight: Flight) => void;
  /** A failure was held back for long enough. */
  readonly settle: (flight: Flight) => void;
};

export class FlightWatch {
  readonly budget: HedgeBudget = new HedgeBudget();
  readonly #clock: Clock;
  readonly #events: WatchEvents;
  readonly #flights = new Set<Flight>();
  #isTicking = false;
  #lastMs = 0;

  constructor(clock: Clock, events: WatchEvents) {
    this.#clock = clock;
    this.#events = events;
  }

  add(flight: Flight): void {
    this.#flights.add(flight);
    if (!this.#isTicking) this.#schedule(this.#clock.monotonicMs());
  }

  remove(flight: Flight): void {
    this.#flights.delete(flight);
  }

  #schedule(nowMs: number): void {
    this.#isTicking = true;
    this.#lastMs = nowMs;
    this.#clock.after(TICK_MS, this.#tick);
  }

  readonly #tick = (): void => {
    this.#isTicking = false;
    if (this.#flights.size === 0) return;
    const nowMs = this.#clock.monotonicMs();
    const hasStalled = nowMs - this.#lastMs > STALL_MS;
    this.#schedule(nowMs);
    if (hasStalled) return;
    let isAnySilent = false;
    let isAnyFit = false;
    for (const nameserver of this.#events.nameservers()) {
      if (nameserver.looksSilent(nowMs)) nameserver.noteSilent();
      isAnySilent ||= nameserver.isSilent;
      isAnyFit ||= nameserver.rank < RANK.SILENT;
    }
    for (const flight of this.#flights) {
      // Where nobody is left to be asked, thousands wait: nothing is done for each of them.
      this.#look(flight, nowMs, isAnySilent && (isAnyFit || flight.hasFallback));
    }
  };

  /** @param canStrand whether something can be done for a flight that only silent upstreams were asked for */
  #look(flight: Flight, nowMs: number, canStrand: boolean): void {
    if (nowMs >= flight.settleAtMs) this.#events.settle(flight);
    else if (canStrand && flight.asked.length > 0 && flight.asked.every((asked) => asked.isSilent)) {
      this.#events.stranded(flight);
    } else if (nowMs >= flight.hedgeAtMs) this.#events.late(flight);
  }
}
