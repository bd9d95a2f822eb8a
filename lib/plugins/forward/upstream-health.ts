// lib/plugins/forward/upstream-health.ts — worker. Probes an upstream after an error until it replies again.
import type { Env, Upstream } from '../../chain/plugin.ts';
import { parseNameLower } from '../../wire/name.ts';
import { buildProbe } from './message.ts';
import type { SharedState } from './shared-state.ts';
import type { ForwardZoneOptions, UpstreamOptions } from './setup.ts';

const PROBE_TIMEOUT_MS = 1000;
/** `health_check 0s` must not become a busy loop. */
const MIN_INTERVAL_MS = 10;

/** The health of one upstream, shared between workers; one of them probes. */
export class UpstreamHealth {
  readonly #env: Env;
  readonly #shared: SharedState;
  readonly #number: number;
  readonly #upstream: Upstream;
  readonly #options: UpstreamOptions;
  readonly #forceTcp: boolean;
  readonly #intervalMs: number;
  readonly #probe: Uint8Array;
  #isClosed = false;
  #cancel: (() => void) | undefined;

  constructor(forward: ForwardZoneOptions, number: number, upstream: Upstream, shared: SharedState, env: Env) {
    this.#env = env;
    this.#shared = shared;
    this.#number = number;
    this.#upstream = upstream;
    this.#options = forward.upstreams[number]!;
    this.#forceTcp = forward.forceTcp;
    this.#intervalMs = Math.max(MIN_INTERVAL_MS, forward.healthIntervalMs);
    this.#probe = buildProbe(parseNameLower(forward.healthDomain) ?? new Uint8Array(1), forward.healthRecursion);
  }

  /** Whether more than `maxFails` probes failed since the last good one; 0 means never. */
  isDown(maxFails: number): boolean {
    return maxFails !== 0 && this.#shared.fails(this.#number) > maxFails;
  }

  /** Starts to probe, unless a worker does already. */
  check(): void {
    if (!this.#isClosed && this.#shared.beginProbe(this.#number)) this.#send();
  }

  close(): void {
    this.#isClosed = true;
    this.#cancel?.();
    this.#shared.endProbe(this.#number);
  }

  #send(): void {
    this.#cancel = undefined;
    this.#upstream.exchange(this.#probe, this.#forceTcp ? 'tcp' : 'udp', PROBE_TIMEOUT_MS).then(
      () => {
        this.#shared.clearFails(this.#number);
        this.#shared.endProbe(this.#number);
      },
      () => this.#fail(),
    );
  }

  #fail(): void {
    if (this.#isClosed) return;
    const { cells } = this.#env;
    cells[this.#options.cells.healthcheckFailures]!++;
    cells[this.#options.cells.oldHealthcheckFailures]!++;
    this.#shared.addFail(this.#number);
    this.#cancel = this.#env.clock.after(this.#intervalMs, () => this.#send());
  }
}
