// Says once that a resource cannot be followed, and once that it can again. Control thread.
import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import type { Fault } from './fault.ts';

/** Failures in a row before an ordinary one is worth a line: API servers restart all the time. */
const QUIET_FAILURES = 2;

export class OutageLog {
  readonly #resourceName: string;
  readonly #clock: Clock;
  readonly #log: Logger;
  /** What the last line said; '' while all is well. */
  #said = '';
  #failures = 0;
  #sinceMs = 0;

  constructor(resourceName: string, clock: Clock, log: Logger) {
    this.#resourceName = resourceName;
    this.#clock = clock;
    this.#log = log;
  }

  /** @param synced whether there is a view that keeps being served */
  failed(verb: 'list' | 'watch', fault: Fault, synced: boolean): void {
    if (this.#failures++ === 0) this.#sinceMs = this.#clock.nowMs();
    const isRefusal = fault.kind === 'forbidden' || fault.kind === 'unauthorized';
    if (!isRefusal && synced && this.#failures < QUIET_FAILURES) return;
    const subject = isRefusal ? `${fault.kind} ${verb}` : 'unreachable';
    if (this.#said === subject) return;
    this.#said = subject;
    const kept = synced ? `its names stay as of ${this.#time()}` : 'its names are not known yet';
    this.#log.warning(`${this.#describe(verb, fault)}; ${kept}`);
  }

  recovered(): void {
    this.#failures = 0;
    if (this.#said === '') return;
    this.#said = '';
    this.#log.info(`${this.#resourceName}: following the API server again`);
  }

  #describe(verb: string, fault: Fault): string {
    if (fault.kind === 'forbidden')
      return `403 on ${verb} ${this.#resourceName}: the account may not "${verb}" it, check its ClusterRole`;
    return `${verb} ${this.#resourceName}: ${fault.message}`;
  }

  #time(): string {
    return new Date(this.#sinceMs).toISOString().slice(11, 19);
  }
}
