// lib/plugins/forward/upstream-health.ts — worker. Probes an upstream after an error until it replies again.
import type { Env, Upstream } from '../../chain/plugin.ts';
import { parseNameLower } from '../../wire/name.ts';
import { RRTYPE } from '../../wire/types.ts';
import { buildQuestion } from './message.ts';
import type { SharedState } from './shared-state.ts';
import type { ForwardZoneOptions, UpstreamOptions } from './setup.ts';

const PROBE_TIMEOUT_MS = 1000;
/** `health_check 0s` must not become a busy loop. */
const MIN_INTERVAL_MS = 10;

/** The health of one upstream, shared between workers; one of them probes. */
export class UpstreamHealth {
  readonly #env: Env;
  readonly #shared: SharedState;
  readonly #slot: number;
  readonly #upstream: Upstream;
  readonly #options: UpstreamOptions;
  readonly #forceTcp: boolean;
  readonly #intervalMs: number;
  readonly #probe: Uint8Array;
  readonly #onReply: () => void;
  #isClosed = false;
  #cancel: (() => void) | undefined;

  /** @param onReply called when a probe was answered */
  constructor(
    forward: ForwardZoneOptions,
    options: UpstreamOptions,
    upstream: Upstream,
    shared: SharedState,
    env: Env,
    onReply: () => void,
  ) {
    this.#env = env;
    this.#shared = shared;
    this.#slot = options.slot;
    this.#upstream = upstream;
    this.#options = options;
    this.#onReply = onReply;
    this.#forceTcp = forward.forceTcp;
    this.#intervalMs = Math.max(MIN_INTERVAL_MS, forward.healthIntervalMs);
    this.#probe = buildQuestion(
      parseNameLower(forward.healthDomain) ?? new Uint8Array(1),
      RRTYPE.NS,
      forward.healthRecursion,
    );
  }

  /** Starts to probe, unless a worker does already. */
  check(): void {
    if (!this.#isClosed && this.#shared.beginProbe(this.#slot)) this.#send();
  }

  close(): void {
    this.#isClosed = true;
    this.#cancel?.();
    this.#shared.endProbe(this.#slot);
  }

  #send(): void {
    this.#cancel = undefined;
    this.#upstream.exchange(this.#probe, this.#forceTcp ? 'tcp' : 'udp', PROBE_TIMEOUT_MS).then(
      () => {
        this.#shared.clearFails(this.#slot);
        this.#onReply();
        this.#shared.endProbe(this.#slot);
      },
      () => this.#fail(),
    );
  }

  #fail(): void {
    if (this.#isClosed) return;
    const { cells } = this.#env;
    cells[this.#options.cells.healthcheckFailures]!++;
    cells[this.#options.cells.oldHealthcheckFailures]!++;
    this.#shared.addFail(this.#slot);
    this.#cancel = this.#env.clock.after(this.#intervalMs, () => this.#send());
  }
}
