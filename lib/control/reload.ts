// When the configuration is replaced: at SIGUSR1, and when the reload plugin finds the Corefile changed. Control thread.
import type { CancelTimer, Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { Service } from '../chain/plugin.ts';
import type { Corefile } from '../config/corefile.ts';
import { describeError } from './server.ts';

/** What a reload acts on; the server, or a fake one in tests. */
export interface Reloadable {
  /** @throws ConfigError when the old configuration stays */
  replace(corefile: Corefile): Promise<void>;
  countFailedReload(): void;
  readonly services: readonly Service[];
}

export type ReloadEnv = {
  readonly server: Reloadable;
  /** Reads and parses the Corefile with its imports. @throws ConfigError */
  readonly load: () => Corefile;
  readonly clock: Clock;
  readonly log: Logger;
  /** From [0, 1); where in the jitter's span the next look falls. */
  readonly random: () => number;
};

export class Reloader {
  readonly #env: ReloadEnv;
  /** Hash of the text that was last tried, good or bad: a bad one is tried once. */
  #triedHash: string;
  #cancelTimer: CancelTimer | undefined;
  #busy: Promise<void> = Promise.resolve();
  #stopped = false;

  /** @param hash of the configuration in use */
  constructor(hash: string, env: ReloadEnv) {
    this.#env = env;
    this.#triedHash = hash;
  }

  /** Logs the hash and starts to look for changes, when the configuration has the reload plugin. */
  watch(): void {
    const service = this.#service();
    if (service === undefined) return;
    this.#env.log.forPlugin('reload').info(`Running configuration SHA512 = ${this.#triedHash}`);
    this.#schedule();
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelTimer?.();
  }

  /** Reloads now, whether the text changed or not. Never rejects; one reload at a time. */
  reloadNow(): Promise<void> {
    return this.#queue(async () => {
      const { log, load, server } = this.#env;
      log.info('SIGUSR1: Reloading');
      let corefile: Corefile;
      try {
        corefile = load();
      } catch (error) {
        server.countFailedReload();
        log.error(`SIGUSR1: ${describeError(error)}`);
        return;
      }
      const problem = await this.#replace(corefile);
      if (problem !== undefined) log.error(`SIGUSR1: ${problem}`);
    });
  }

  #service(): Extract<Service, { kind: 'reload' }> | undefined {
    return this.#env.server.services.findLast((service) => service.kind === 'reload');
  }

  #schedule(): void {
    this.#cancelTimer?.();
    const service = this.#service();
    if (this.#stopped || service === undefined) return;
    const { intervalMs, jitterMs } = service;
    const delayMs = intervalMs + (this.#env.random() - 0.5) * jitterMs;
    this.#cancelTimer = this.#env.clock.after(delayMs, () => {
      void this.#queue(() => this.#look()).then(() => this.#schedule());
    });
  }

  async #look(): Promise<void> {
    const { load, server } = this.#env;
    const log = this.#env.log.forPlugin('reload');
    let corefile: Corefile;
    try {
      corefile = load();
    } catch (error) {
      // A file that is gone for a moment (a ConfigMap being swapped) is no news.
      if ((error as { code?: string }).code === 'FILE') return;
      log.warning(`Corefile parse failed: ${describeError(error)}`);
      return;
    }
    if (corefile.hash === this.#triedHash) return;
    const problem = await this.#replace(corefile);
    if (problem !== undefined) log.error(`Corefile changed but reload failed: ${problem}`);
    else if (server.services.every(({ kind }) => kind !== 'reload')) log.info('reload is gone from the Corefile');
  }

  /** @returns why the old configuration stays, or undefined */
  async #replace(corefile: Corefile): Promise<string | undefined> {
    const { log, server } = this.#env;
    this.#triedHash = corefile.hash;
    log.info('Reloading');
    try {
      await server.replace(corefile);
    } catch (error) {
      const problem = describeError(error);
      log.error(`Restart failed: ${problem}`);
      return problem;
    }
    this.watch();
    log.info('Reloading complete');
    return undefined;
  }

  #queue(run: () => Promise<void>): Promise<void> {
    this.#busy = this.#busy.then(async () => {
      if (!this.#stopped) await run();
    });
    return this.#busy;
  }
}
