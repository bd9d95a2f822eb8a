// Asks the API server for its newest version some time after a watch was cut, to notice a cluster that went back in time.
// Control thread.
import type { CancelTimer } from '../../base/clock.ts';
import type { ReflectorSettings } from './reflector-settings.ts';

/** What the probe needs of its reflector. */
export type ProbeOwner = {
  /** Nothing has shown the server's version since the cut. */
  readonly isWanted: () => boolean;
  /** Leave to make a list: milliseconds to wait, 0 for now. */
  readonly claim: () => number;
  readonly ask: () => Promise<string>;
  readonly judge: (newest: string) => void;
};

/** An event usually shows the version sooner, and then nothing is asked. */
const DELAY_MS = 5000;
/** After a long silence no event is likely, and most of the time there is has gone by. */
const DELAY_AFTER_SILENCE_MS = 500;

export class VersionProbe {
  readonly #settings: ReflectorSettings;
  readonly #owner: ProbeOwner;
  #cancelTimer: CancelTimer | undefined;

  constructor(settings: ReflectorSettings, owner: ProbeOwner) {
    this.#settings = settings;
    this.#owner = owner;
  }

  /** Asks in 5 to 10 s unless that is no longer wanted, after a silence within 1 s; does nothing when already armed. */
  arm(wasSilent = false): void {
    const delayMs = wasSilent ? DELAY_AFTER_SILENCE_MS : DELAY_MS;
    this.#after(delayMs * (1 + this.#settings.random()));
  }

  cancel(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  #after(delayMs: number): void {
    this.#cancelTimer ??= this.#settings.clock.after(delayMs, () => {
      this.#cancelTimer = undefined;
      void this.#settings.sideRequests.run(() => this.#probe());
    });
  }

  async #probe(): Promise<void> {
    if (!this.#owner.isWanted()) return;
    const waitMs = this.#owner.claim();
    if (waitMs > 0) return this.#after(waitMs);
    try {
      this.#owner.judge(await this.#owner.ask());
    } catch {
      // Not reachable just now: the watch will tell, and the next one arms the probe again.
      this.arm();
    }
  }
}
