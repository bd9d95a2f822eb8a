// One zone that is a copy of a primary's: fetched, refreshed and expired as its SOA record says (RFC 1035 section 3.3.13,
// RFC 1034 section 4.3.5). Control thread.
import { formatHostPort } from '../../base/ip-address.ts';
import type { CancelTimer, Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import { formatName } from '../../wire/name.ts';
import { RRTYPE } from '../../wire/types.ts';
import type { ZoneContents } from '../zone-file/zone-contents.ts';
import type { ZonePublisher } from '../zone-file/zone-publisher.ts';
import { applySteps } from './change-reader.ts';
import type { Primary, PrimaryClient } from './primary.ts';
import { isNewer, TransferError } from './transfer-reader.ts';
import type { TransferSlots } from './transfer-slots.ts';

const FIRST_BACKOFF_MS = 250;
const MAX_BACKOFF_MS = 10_000;
const REFRESH_JITTER_MS = 5000;
const RETRY_JITTER_MS = 2000;
/** NOTIFY messages lead to one look in this time. */
const MIN_NOTIFY_INTERVAL_MS = 1000;
/** Longer timers would fire at once (Node's limit is 2^31 - 1). */
const MAX_TIMER_MS = 2_000_000_000;

/** `increments` are those of the transfers that brought changes only. */
export type SecondaryCell = 'transfers' | 'increments' | 'failures';

/** What all zones of a source share. `random` is uniform in [0, 1). */
export type SecondaryEnv = {
  readonly clock: Clock;
  readonly log: Logger;
  readonly publisher: ZonePublisher;
  readonly client: PrimaryClient;
  readonly slots: TransferSlots;
  readonly random: () => number;
  /** Raises a metric. */
  readonly count: (cell: SecondaryCell) => void;
};

type Timing = { readonly refreshMs: number; readonly retryMs: number; readonly expireMs: number };

export class SecondaryZone {
  /** Text, absolute, lower case. */
  readonly name: string;
  readonly #origin: Uint8Array;
  readonly #env: SecondaryEnv;
  readonly #onContents: (contents: ZoneContents) => () => void;
  readonly #abort = new AbortController();
  /** Asked in this order. */
  primaries: readonly Primary[];
  #serial: number | undefined;
  /** Data of the SOA record of the version in use. */
  #soa: Uint8Array | undefined;
  #timing: Timing | undefined;
  #backoffMs = FIRST_BACKOFF_MS;
  #cancelCheck: CancelTimer = () => undefined;
  #cancelExpiry: CancelTimer = () => undefined;
  #isBusy = false;
  /** A NOTIFY came while the zone was looked at. */
  #isDue = false;
  #checkedMs = Number.NEGATIVE_INFINITY;
  #confirmedMs = 0;
  #isExpired = false;

  /**
   * @param origin wire form, lower case
   * @param onContents looks at a new version before it is served, throws when it may not be; what it returns runs afterwards
   */
  constructor(
    origin: Uint8Array,
    primaries: readonly Primary[],
    env: SecondaryEnv,
    onContents: (contents: ZoneContents) => () => void = () => () => undefined,
  ) {
    this.name = formatName(origin);
    this.primaries = primaries;
    this.#origin = origin;
    this.#env = env;
    this.#onContents = onContents;
  }

  /** Serial of the version in use. */
  get serial(): number | undefined {
    return this.#serial;
  }

  /** Fetches the zone, again and again until it comes, and follows it. */
  start(): Promise<void> {
    return this.#check();
  }

  /** The primary says that the zone has changed (RFC 1996). */
  notify(): void {
    if (this.#isBusy) this.#isDue = true;
    else this.#schedule(Math.max(0, this.#checkedMs + MIN_NOTIFY_INTERVAL_MS - this.#env.clock.monotonicMs()));
  }

  /** Stops following. What is served stays. */
  stop(): void {
    this.#abort.abort();
    this.#cancelCheck();
    this.#cancelExpiry();
  }

  /** Stops following and serving. */
  remove(): void {
    this.stop();
    this.#env.publisher.remove(this.#origin);
  }

  get #isStopped(): boolean {
    return this.#abort.signal.aborted;
  }

  #schedule(delayMs: number): void {
    this.#cancelCheck();
    if (this.#isStopped) return;
    this.#cancelCheck = this.#env.clock.after(Math.min(delayMs, MAX_TIMER_MS), () => void this.#check());
  }

  /** Looks for a newer version and fetches it; then, or when that fails, waits for the next time. */
  async #check(): Promise<void> {
    const { clock, log, random } = this.#env;
    this.#isBusy = true;
    this.#checkedMs = clock.monotonicMs();
    try {
      if (this.#serial === undefined || (await this.#isOutdated(this.#serial))) await this.#fetch();
      if (!this.#isStopped) this.#confirm();
    } catch (error) {
      if (!this.#isStopped) {
        this.#env.count('failures');
        if (this.#timing === undefined) {
          log.warning(
            `All '${this.name}' masters failed to transfer, retrying in ${this.#backoffMs / 1000}s: ${(error as Error).message}`,
          );
          this.#schedule(this.#backoffMs);
          this.#backoffMs = Math.min(this.#backoffMs * 2, MAX_BACKOFF_MS);
        } else {
          log.warning(`Failed refresh check of ${this.name}: ${(error as Error).message}`);
          this.#schedule(this.#timing.retryMs + random() * RETRY_JITTER_MS);
        }
      }
    }
    this.#isBusy = false;
    if (!this.#isDue) return;
    this.#isDue = false;
    this.notify();
  }

  /** The copy is good as of now. */
  #confirm(): void {
    const { clock, random, publisher } = this.#env;
    const { refreshMs } = this.#timing!;
    this.#backoffMs = FIRST_BACKOFF_MS;
    this.#confirmedMs = clock.monotonicMs();
    if (this.#isExpired) publisher.setExpired(this.#origin, false);
    this.#isExpired = false;
    this.#watchExpiry();
    this.#schedule(refreshMs + random() * REFRESH_JITTER_MS);
  }

  #watchExpiry(): void {
    const { clock, publisher, log } = this.#env;
    this.#cancelExpiry();
    const leftMs = this.#confirmedMs + this.#timing!.expireMs - clock.monotonicMs();
    if (leftMs > 0) {
      this.#cancelExpiry = clock.after(Math.min(leftMs, MAX_TIMER_MS), () => this.#watchExpiry());
      return;
    }
    this.#isExpired = true;
    publisher.setExpired(this.#origin, true);
    log.warning(`Zone ${this.name} has expired: no primary was reached for ${this.#timing!.expireMs / 1000}s`);
  }

  /** Whether the first primary that answers has a newer serial (RFC 1982 section 3.2). */
  async #isOutdated(serial: number): Promise<boolean> {
    const { client } = this.#env;
    const faults: string[] = [];
    for (const primary of this.primaries) {
      try {
        const theirs = await client.fetchSerial(this.#origin, primary, this.#abort.signal);
        return isNewer(theirs, serial);
      } catch (error) {
        faults.push(`${formatPrimary(primary)}: ${(error as Error).message}`);
      }
    }
    throw new Error(faults.join('; '));
  }

  /** @throws Error when no primary gives the zone out */
  async #fetch(): Promise<void> {
    const { slots, log } = this.#env;
    const faults: string[] = [];
    for (const primary of this.primaries) {
      const release = await slots.take();
      try {
        if (this.#isStopped) throw new Error('stopped');
        await this.#fetchFrom(primary);
        return;
      } catch (error) {
        const fault = `${formatPrimary(primary)}: ${(error as Error).message}`;
        if (!this.#isStopped && this.primaries.length > 1) log.error(`Failed to transfer '${this.name}' from ${fault}`);
        faults.push(fault);
      } finally {
        release();
      }
    }
    throw new Error(faults.join('; '));
  }

  /** Asks for what has changed (RFC 1995), and for the whole zone when there is no copy or the changes cannot be used. */
  async #fetchFrom(primary: Primary): Promise<void> {
    const { client, count, log } = this.#env;
    if (this.#soa !== undefined) {
      try {
        await this.#fetchChange(this.#soa, primary);
        return;
      } catch (error) {
        // Another error than one of the reply would meet the next query too.
        if (!(error instanceof TransferError) || this.#isStopped) throw error;
        log.debug(`No incremental transfer of ${this.name} from ${formatPrimary(primary)}: ${error.message}`);
      }
    }
    await this.#use(await client.fetchZone(this.#origin, primary, this.#abort.signal));
    count('transfers');
    log.info(`Transferred: ${this.name} from ${formatPrimary(primary)}`);
  }

  async #fetchChange(soa: Uint8Array, primary: Primary): Promise<void> {
    const { client, count, log, publisher } = this.#env;
    const change = await client.fetchChange(this.#origin, soa, primary, this.#abort.signal);
    if (change.kind === 'current' || this.#isStopped) return;
    if (change.kind === 'whole') await this.#use(change.contents);
    else {
      const contents = await publisher.read(this.#origin);
      applySteps(contents, change.steps, change.soa);
      await this.#use(contents);
      count('increments');
    }
    count('transfers');
    const kind = change.kind === 'whole' ? '' : ' (changes only)';
    log.info(`Transferred: ${this.name} from ${formatPrimary(primary)}${kind}`);
  }

  async #use(contents: ZoneContents): Promise<void> {
    const { publisher, log } = this.#env;
    const timing = readTiming(contents);
    const afterwards = this.#onContents(contents);
    if (this.#isStopped) return;
    await publisher.publish(contents);
    // Gone while it was put into the store.
    if (this.#isStopped) return publisher.remove(this.#origin);
    for (const warning of contents.warnings) log.warning(`${this.name}: ${warning}`);
    this.#isExpired = false;
    this.#timing = timing;
    this.#serial = contents.serial;
    this.#soa = readSoa(contents);
    afterwards();
  }
}

function formatPrimary({ address, port }: Primary): string {
  return formatHostPort(address, port);
}

/** Times at the end of SOA data: refresh, retry, expire, minimum. None is below a second. */
function readTiming(contents: ZoneContents): Timing {
  const soa = readSoa(contents);
  const view = new DataView(soa.buffer);
  const ms = (fromEnd: number): number => Math.max(1, view.getUint32(soa.length - fromEnd)) * 1000;
  return { refreshMs: ms(16), retryMs: ms(12), expireMs: ms(8) };
}

/** A copy of the SOA record's data; transfers begin with it. */
function readSoa(contents: ZoneContents): Uint8Array {
  const { bytes, at, length } = contents.records('').findLast(({ type }) => type === RRTYPE.SOA)!;
  return bytes.slice(at, at + length);
}
