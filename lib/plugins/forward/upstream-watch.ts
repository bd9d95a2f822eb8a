// lib/plugins/forward/upstream-watch.ts — control thread. Looks whether the files and host names of a `forward` name other upstreams by now.
import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import type { MetricRegistry } from '../../metrics/registry.ts';
import { resolveHost } from './resolve-host.ts';
import { clearSlot } from './shared-state.ts';
import { type UpstreamAddress, type UpstreamWord, readNameservers } from './upstream-address.ts';
import { type AnnouncedUpstream, announceUpstreams, declareUpstreams } from './upstream-list.ts';

/** Pause between looks: what moves is used within two seconds, a lookup included. */
const LOOK_MS = 1000;
/** A look waits this long for lookups; what comes later is heard at a later look. */
const LOOKUP_MS = 500;

/** What to watch; plain data. */
export type UpstreamWatch = {
  /** The `forward`'s zone, for messages. */
  readonly zone: string;
  readonly words: readonly Exclude<UpstreamWord, { kind: 'fault' }>[];
  readonly resolvers: readonly string[];
  readonly announced: readonly AnnouncedUpstream[];
  readonly list: SharedArrayBuffer;
  readonly shared: SharedArrayBuffer;
};

export type UpstreamWatchEnv = {
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: MetricRegistry;
  /** Ends the watch: reload or shutdown. */
  readonly signal: AbortSignal;
  readonly resolve?: (host: string, resolvers: readonly string[]) => Promise<readonly string[]>;
};

/** Watches until the signal; never rejects. */
export async function runUpstreamWatch(watch: UpstreamWatch, env: UpstreamWatchEnv): Promise<void> {
  const words = watch.words.map((word) => new WatchedWord(word, watch, env));
  let announced = watch.announced;
  while (!env.signal.aborted) {
    await pause(env.clock, env.signal);
    if (env.signal.aborted) return;
    const addresses = (await Promise.all(words.map((word) => word.look()))).flat();
    if (env.signal.aborted || addresses.length === 0) continue;
    const next = declareUpstreams(addresses, announced, env.metrics);
    if (isSame(next, announced)) continue;
    const old = new Set(announced.map(({ slot }) => slot));
    for (const { slot } of next) if (!old.has(slot)) clearSlot(watch.shared, slot);
    if (!announceUpstreams(watch.list, next)) continue;
    announced = next;
    env.log.info(`upstreams of ${JSON.stringify(watch.zone)} are now ${next.map(({ to }) => to).join(' ')}`);
  }
}

/** One TO word and the addresses it stood for last. */
class WatchedWord {
  readonly #word: Exclude<UpstreamWord, { kind: 'fault' }>;
  readonly #watch: UpstreamWatch;
  readonly #env: UpstreamWatchEnv;
  #addresses: readonly UpstreamAddress[];
  #hasFailed = false;
  #lookup: Promise<readonly UpstreamAddress[]> | undefined;

  constructor(word: Exclude<UpstreamWord, { kind: 'fault' }>, watch: UpstreamWatch, env: UpstreamWatchEnv) {
    this.#word = word;
    this.#watch = watch;
    this.#env = env;
    this.#addresses =
      word.kind === 'addresses' ? word.addresses : watch.announced.map(({ address }) => address).filter(isOf(word));
  }

  /** Its addresses now; the old ones while there are no new ones. */
  async look(): Promise<readonly UpstreamAddress[]> {
    const word = this.#word;
    if (word.kind === 'host') return this.#lookHost(word.host, word.like);
    if (word.file === undefined) return this.#addresses;
    const found = readNameservers(word.file);
    if (found === undefined || found.length === 0) {
      this.#fail(`${word.file} ${found === undefined ? 'cannot be read' : 'has no nameserver line'}`);
    } else this.#take(found);
    return this.#addresses;
  }

  async #lookHost(host: string, like: UpstreamAddress): Promise<readonly UpstreamAddress[]> {
    const resolve = this.#env.resolve ?? resolveHost;
    this.#lookup ??= resolve(host, this.#watch.resolvers)
      .then(
        (found) => this.#take(found.map((address) => ({ ...like, host: address }))),
        (error: unknown) =>
          this.#fail(
            `cannot resolve ${JSON.stringify(host)}: ${error instanceof Error ? error.message : String(error)}`,
          ),
      )
      .then(() => {
        this.#lookup = undefined;
        return this.#addresses;
      });
    const late = delay(this.#env.clock, LOOKUP_MS);
    const addresses = await Promise.race([this.#lookup, late.promise.then(() => this.#addresses)]);
    late.cancel();
    return addresses;
  }

  #take(found: readonly UpstreamAddress[]): void {
    this.#hasFailed = false;
    if (found.length === 0) return;
    // Lookups give the same addresses in any order: those that stay keep their places.
    const hosts = new Map(found.map((address) => [`${address.host} ${address.port}`, address]));
    const isFile = this.#word.kind === 'addresses';
    const kept = isFile ? [] : this.#addresses.filter(({ host, port }) => hosts.delete(`${host} ${port}`));
    this.#addresses = [...kept, ...hosts.values()];
  }

  #fail(text: string): void {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    this.#env.log.warning(`${text}; its upstreams stay as they were`);
  }
}

/** Addresses that a host name stood for when the configuration was loaded cannot be told from equal ones; that does no harm. */
function isOf(word: Extract<UpstreamWord, { kind: 'host' }>): (address: UpstreamAddress) => boolean {
  const { scheme, port } = word.like;
  return (address) => address.scheme === scheme && address.port === port;
}

function isSame(left: readonly AnnouncedUpstream[], right: readonly AnnouncedUpstream[]): boolean {
  return left.length === right.length && left.every(({ to }, i) => to === right[i]!.to);
}

function delay(clock: Clock, ms: number): { promise: Promise<void>; cancel: () => void } {
  let cancel = (): void => {};
  const promise = new Promise<void>((resolve) => void (cancel = clock.after(ms, resolve)));
  return { promise, cancel };
}

function pause(clock: Clock, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      cancel();
      signal.removeEventListener('abort', end);
      resolve();
    };
    const cancel = clock.after(LOOK_MS, end);
    signal.addEventListener('abort', end);
  });
}
