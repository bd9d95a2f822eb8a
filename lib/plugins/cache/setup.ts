// lib/plugins/cache/setup.ts — control thread. Directive `cache` -> CacheOptions.
import { expectOnce } from '../../chain/expect-once.ts';
import type { SetupContext } from '../../chain/plugin.ts';
import type { Directive, Option } from '../../config/directive.ts';
import { parseZone } from '../../config/zone-name.ts';
import { type CacheCells, declareCacheMetrics } from './metrics.ts';
import { MAX_TABLE_ENTRIES, type TableMemory, createTableMemory } from './table-memory.ts';

/** Capacity and TTL range of one of the two caches. */
export type CacheKind = {
  /** Answers of this kind for names in these zones are not kept; absolute, lower case. */
  readonly disabledZones: readonly string[];
  readonly maxTtlSeconds: number;
  readonly minTtlSeconds: number;
  readonly memory: TableMemory;
};

export type StaleOptions = {
  /** How long past its TTL an answer may still be given. */
  readonly upToMs: number;
  /** Ask first and fall back to the old answer, instead of answering at once and refreshing behind it. */
  readonly verify: boolean;
  /** How long `verify` waits. */
  readonly verifyTimeoutMs: number;
  /** TTL told with a stale answer. */
  readonly ttlSeconds: number;
  /** Pause after a failed refresh. */
  readonly recheckMs: number;
  /** An answer of the success cache goes before a denial, and is kept over a reply that answers nothing. */
  readonly preferPositive: boolean;
};

/** What a worker needs to run `cache`. The memory of the two tables is shared by all workers, the rest is copied. */
export type CacheOptions = {
  readonly zones: readonly string[];
  readonly success: CacheKind;
  readonly denial: CacheKind;
  readonly servfailMs: number;
  readonly keepTtl: boolean;
  /** Hits that make an answer worth prefetching; 0: no prefetch. */
  readonly prefetchHits: number;
  readonly prefetchWindowMs: number;
  readonly prefetchPercent: number;
  readonly stale: StaleOptions | undefined;
  /** One per listener of the block. */
  readonly cells: readonly CacheCells[];
};

const DEFAULT_CAPACITY = 9984;
const MAX_TTL_SECONDS = 3600;
const MAX_DENIAL_TTL_SECONDS = 1800;
const MIN_TTL_SECONDS = 5;
const MAX_SERVFAIL_MS = 300_000;
const MAX_RECHECK_MS = 300_000;
const DEFAULT_STALE_MS = 3_600_000;
/** Without a limit in the Corefile a dead upstream holds a stale answer back this long, not for the whole query: with the way to the
 *  client and back it is there within 400 ms. */
const DEFAULT_VERIFY_MS = 350;
const OPTIONS = [
  'success',
  'denial',
  'prefetch',
  'serve_stale',
  'serve_stale_policy',
  'servfail',
  'disable',
  'keepttl',
] as const;

/** Numbers as the Corefile gave them, defaults otherwise. */
type Draft = {
  success: DraftKind;
  denial: DraftKind;
  servfailMs: number;
  keepTtl: boolean;
  prefetchHits: number;
  prefetchWindowMs: number;
  prefetchPercent: number;
  stale: Omit<StaleOptions, 'preferPositive'> | undefined;
  preferPositive: Option | undefined;
};
type DraftKind = { capacity: number; maxTtlSeconds: number; minTtlSeconds: number; disabledZones: string[] };

/**
 * Reads `cache [TTL] [ZONES...] { ... }`.
 *
 * @throws ConfigError `DIRECTIVE_REPEATED`, `ARGUMENT_COUNT`, `ARGUMENT_VALUE`, `OPTION_UNKNOWN` or `OPTION_CONFLICT`
 */
export function setupCache(directives: readonly Directive[], context: SetupContext): CacheOptions {
  const directive = expectOnce(directives);
  const draft: Draft = {
    success: draftKind(MAX_TTL_SECONDS),
    denial: draftKind(MAX_DENIAL_TTL_SECONDS),
    servfailMs: MIN_TTL_SECONDS * 1000,
    keepTtl: false,
    prefetchHits: 0,
    prefetchWindowMs: 60_000,
    prefetchPercent: 10,
    stale: undefined,
    preferPositive: undefined,
  };
  const zones = readArguments(directive, context, draft);
  for (const option of directive.options()) readOption(directive, option, draft);
  if (draft.preferPositive && !draft.stale) {
    throw draft.preferPositive.error('OPTION_CONFLICT', 'serve_stale_policy needs serve_stale');
  }
  const { stale } = draft;
  return {
    zones,
    success: finishKind(draft.success, context),
    denial: finishKind(draft.denial, context),
    servfailMs: draft.servfailMs,
    keepTtl: draft.keepTtl,
    prefetchHits: draft.prefetchHits,
    prefetchWindowMs: draft.prefetchWindowMs,
    prefetchPercent: draft.prefetchPercent,
    stale: stale && stale.upToMs > 0 ? { ...stale, preferPositive: draft.preferPositive !== undefined } : undefined,
    cells: context.servers.map((server) =>
      declareCacheMetrics(context.metrics, { server, zones: zones.join(','), view: context.view }),
    ),
  };
}

function draftKind(maxTtlSeconds: number): DraftKind {
  return { capacity: DEFAULT_CAPACITY, maxTtlSeconds, minTtlSeconds: MIN_TTL_SECONDS, disabledZones: [] };
}

function finishKind(kind: DraftKind, context: SetupContext): CacheKind {
  const { capacity, maxTtlSeconds, minTtlSeconds, disabledZones } = kind;
  if (capacity > MAX_TABLE_ENTRIES) {
    context.warn(`plugin/cache: capacity ${capacity} is more than can be kept, using ${MAX_TABLE_ENTRIES}`);
  }
  return { disabledZones, maxTtlSeconds, minTtlSeconds, memory: createTableMemory(capacity) };
}

/** First argument: a TTL when it is a whole number, else a zone like the others. */
function readArguments(directive: Directive, context: SetupContext, draft: Draft): readonly string[] {
  const [first] = directive.args;
  let zoneArguments = directive.args;
  if (first && isGoInteger(first.text)) {
    const seconds = directive.parseInteger(first, { min: 1 });
    draft.success.maxTtlSeconds = seconds;
    draft.denial.maxTtlSeconds = seconds;
    zoneArguments = directive.args.slice(1);
  } else if (first && /^\d+(?:ms|s|m|h)$/.test(first.text)) {
    context.warn(
      `plugin/cache: ${JSON.stringify(first.text)} in line ${first.line} is read as a zone, write the TTL as a number of seconds`,
    );
  }
  return directive.parseZones(zoneArguments, context.zones);
}

/** What fits a 64-bit integer; a longer number is a zone for CoreDNS, and so it is here. */
function isGoInteger(text: string): boolean {
  return /^[+-]?\d+$/.test(text) && BigInt.asIntN(64, BigInt(text)) === BigInt(text);
}

function readOption(directive: Directive, option: Option, draft: Draft): void {
  switch (option.name) {
    case 'success':
      return readKind(option, draft.success);
    case 'denial':
      return readKind(option, draft.denial);
    case 'prefetch':
      return readPrefetch(option, draft);
    case 'serve_stale':
      draft.stale = readStale(option);
      return undefined;
    case 'serve_stale_policy':
      if (draft.preferPositive) throw option.error('DIRECTIVE_REPEATED', 'serve_stale_policy can stand once');
      option.expectArguments(1);
      option.parseWord(option.argument().text.toLowerCase(), ['prefer_positive']);
      draft.preferPositive = option;
      return undefined;
    case 'servfail':
      option.expectArguments(1);
      draft.servfailMs = option.parseDuration(option.argument(), { min: 0, max: MAX_SERVFAIL_MS });
      return undefined;
    case 'disable':
      return readDisable(option, draft);
    case 'keepttl':
      option.expectArguments(0);
      draft.keepTtl = true;
      return undefined;
    default:
      throw directive.unknownOption(option, OPTIONS);
  }
}

/** `success CAPACITY [TTL [MINTTL]]`; what follows is ignored, as CoreDNS does. */
function readKind(option: Option, kind: DraftKind): void {
  option.expectArguments(1, Number.POSITIVE_INFINITY);
  kind.capacity = option.parseInteger(option.argument());
  if (option.args.length > 1) kind.maxTtlSeconds = option.parseInteger(option.argument(1), { min: 1 });
  if (option.args.length > 2) kind.minTtlSeconds = option.parseInteger(option.argument(2), { min: 0 });
}

/** `prefetch AMOUNT [DURATION [PERCENTAGE%]]` */
function readPrefetch(option: Option, draft: Draft): void {
  option.expectArguments(1, 3);
  draft.prefetchHits = option.parseInteger(option.argument(), { min: 0 });
  if (option.args.length > 1) draft.prefetchWindowMs = option.parseDuration(option.argument(1));
  if (option.args.length < 3) return;
  const percentage = option.argument(2);
  if (!percentage.text.endsWith('%')) throw option.valueError(percentage, 'a percentage that ends in %');
  draft.prefetchPercent = option.parseInteger(percentage.text.slice(0, -1), { min: 10, max: 90 });
}

/** `serve_stale [DURATION [immediate [TTL [RECHECK]] | verify [TIMEOUT [TTL [RECHECK]]]]]` */
function readStale(option: Option): Omit<StaleOptions, 'preferPositive'> {
  option.expectArguments(0, 5);
  const upToMs = option.args.length > 0 ? option.parseDuration(option.argument(), { min: 0 }) : DEFAULT_STALE_MS;
  const mode =
    option.args.length > 1
      ? option.parseWord(option.argument(1).text.toLowerCase(), ['immediate', 'verify'])
      : 'immediate';
  if (mode === 'immediate') option.expectArguments(0, 4);
  const rest = option.args.slice(2);
  const timeout = mode === 'verify' ? rest.shift() : undefined;
  const [ttl, recheck] = rest;
  const ttlMs = ttl ? option.parseDuration(ttl, { min: 0, max: 0xffff_ffff * 1000 }) : 0;
  if (ttl && ttlMs % 1000 !== 0) throw option.valueError(ttl, 'a whole number of seconds');
  const verifyTimeoutMs = timeout ? option.parseDuration(timeout, { min: 0 }) : 0;
  return {
    upToMs,
    verify: mode === 'verify',
    verifyTimeoutMs: verifyTimeoutMs === 0 ? DEFAULT_VERIFY_MS : verifyTimeoutMs,
    ttlSeconds: ttlMs / 1000,
    recheckMs: recheck ? option.parseDuration(recheck, { min: 0, max: MAX_RECHECK_MS }) : 0,
  };
}

/** `disable success|denial [ZONES...]` */
function readDisable(option: Option, draft: Draft): void {
  option.expectArguments(1, Number.POSITIVE_INFINITY);
  const zones = option.args.slice(1).map((token) => {
    const zone = parseZone(token.text)?.[0];
    if (zone === undefined) throw option.valueError(token, 'a zone');
    return zone;
  });
  const kind = option.parseWord(option.argument(), ['success', 'denial']);
  draft[kind].disabledZones = zones.length === 0 ? ['.'] : zones;
}
