// Keeps one signed zone file good: looks at the start and every five hours, signs when it is time. Control thread.
import path from 'node:path';
import type { CancelTimer } from '../../base/clock.ts';
import { SigningKey, type SigningKeyData } from '../../wire/dnssec/signing-key.ts';
import { parseNameLower } from '../../wire/name.ts';
import type { Source, SourceEnv } from '../source.ts';
import { loadZoneFile } from '../zone-file/load-zone-file.ts';
import { sortInSlices } from '../zone-file/sort-in-slices.ts';
import { nextTurn, type Pause } from '../zone-file/zone-publisher.ts';
import { signZone } from './sign-zone.ts';
import { findStaleness, writeSignedFile } from './signed-file.ts';

const HOUR_SECONDS = 3600;
const DAY_SECONDS = 24 * HOUR_SECONDS;
const CHECK_MS = 5 * HOUR_SECONDS * 1000;
/** Clocks of resolvers may be behind. */
const INCEPTION_BEFORE_SECONDS = 3 * HOUR_SECONDS;
const INCEPTION_JITTER_SECONDS = 18 * HOUR_SECONDS;
const LIFETIME_SECONDS = 32 * DAY_SECONDS;
const EXPIRATION_JITTER_SECONDS = 5 * DAY_SECONDS;

/** Plain data, made by the setup of `sign`. */
export type SignSourceOptions = {
  readonly file: string;
  readonly zone: string;
  /** Where the signed file goes; its name is `db.ZONEsigned`. */
  readonly directory: string;
  readonly keys: readonly SigningKeyData[];
  /** In the control thread's row of metric cells. */
  readonly cells: { readonly signed: number; readonly failures: number };
};

/** Tests give their own. `random` is uniform in [0, 1). */
export type SignSourceParts = { readonly random: () => number; readonly pause: Pause };

export function startSignSource(
  options: SignSourceOptions,
  { clock, log, cells }: Pick<SourceEnv, 'clock' | 'log' | 'cells'>,
  { random, pause }: SignSourceParts = { random: Math.random, pause: nextTurn },
): Source {
  const { zone, file } = options;
  const target = path.join(options.directory, `db.${zone}signed`);
  const keys = options.keys.map((key) => new SigningKey(key));
  const tags = JSON.stringify(keys.map(({ tag }) => tag).join());
  let cancel: CancelTimer = () => undefined;
  let isStopped = false;

  async function sign(): Promise<number> {
    const origin = parseNameLower(zone)!;
    const loaded = await loadZoneFile(file, origin, undefined, pause);
    if (loaded.kind !== 'loaded') throw new Error(loaded.kind === 'failed' ? loaded.error.format() : 'not read');
    const sorting = sortInSlices(loaded.contents.keys());
    let step = sorting.next();
    for (; !step.done; step = sorting.next()) await pause();
    const serial = Math.floor(clock.nowMs() / 1000);
    const terms = {
      serial,
      inceptionSeconds: serial - INCEPTION_BEFORE_SECONDS - Math.floor(random() * INCEPTION_JITTER_SECONDS),
      expirationSeconds: serial + LIFETIME_SECONDS + Math.floor(random() * EXPIRATION_JITTER_SECONDS),
    };
    await writeSignedFile(target, signZone(loaded.contents, step.value, keys, terms), pause);
    return serial;
  }

  async function check(isStart: boolean): Promise<void> {
    const nowMs = clock.nowMs();
    const reason = await findStaleness(
      target,
      file,
      keys.map(({ tag }) => tag),
      nowMs,
    );
    if (isStopped) return;
    const place = `zone ${JSON.stringify(zone)} in ${JSON.stringify(target)}`;
    if (reason === undefined) {
      if (isStart) log.info(`Skipping signing ${place}: signatures are valid`);
      return;
    }
    log.info(`Signing ${JSON.stringify(zone)} because ${reason}`);
    const startMs = clock.monotonicMs();
    const next = new Date(nowMs + CHECK_MS).toISOString();
    try {
      const serial = await sign();
      cells[options.cells.signed]!++;
      const seconds = ((clock.monotonicMs() - startMs) / 1000).toFixed(6);
      log.info(
        `Successfully signed ${place} with key tags ${tags} and ${serial} SOA serial, elapsed ${seconds}, next: ${next}`,
      );
    } catch (error) {
      cells[options.cells.failures]!++;
      log.warning(
        `Error signing ${JSON.stringify(zone)} with key tags ${tags}: ${(error as Error).message}, next: ${next}`,
      );
    }
  }

  async function run(isStart: boolean): Promise<void> {
    await check(isStart);
    if (!isStopped) cancel = clock.after(CHECK_MS, () => void run(false));
  }

  return {
    // Nobody waits for it: whoever serves the file waits for the file.
    ready: run(true),
    isReady: () => true,
    startupTimeoutMs: 0,
    waitingFor: () => '',
    stop: () => {
      isStopped = true;
      cancel();
    },
  };
}
