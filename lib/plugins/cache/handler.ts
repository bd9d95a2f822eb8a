// lib/plugins/cache/handler.ts — worker. Answers again what was answered before, until its TTL runs out.
//
// A hit is synchronous and allocates nothing. A miss asks the rest of the chain and keeps the answer on the way back. Only
// refreshes, behind a stale or nearly stale answer, have a query and an answer of their own.
import type { Answer } from '../../chain/answer.ts';
import { Outcome, type Result, isWaiting } from '../../chain/outcome.ts';
import type { Env, Handler } from '../../chain/plugin.ts';
import type { Query } from '../../chain/query.ts';
import { ZoneTable } from '../../chain/zone-table.ts';
import { OPTION_HEADER_LENGTH, findOption, optionLength } from '../../wire/edns.ts';
import { EDE, EDNS_OPTION, RCODE } from '../../wire/types.ts';
import { CacheTable, STORED, type StoredAnswer, hashKey } from './cache-table.ts';
import { KIND, type Kind, classify, isAnswering } from './classify.ts';
import type { CacheCells } from './metrics.ts';
import { type Refresh, RefreshTable, answerFor, copyForRefresh, waitFor } from './refresh.ts';
import type { CacheOptions } from './setup.ts';
import { FLAG } from './table-memory.ts';

const SUCCESS = 0;
const DENIAL = 1;
type TableNumber = typeof SUCCESS | typeof DENIAL;

/** TTL of replies that say nothing about how long they hold. */
const SHORT_TTL_SECONDS = 5;
/** A refresh that was not heard of for this long is given up. */
const REFRESH_LEASE_MS = 10_000;
/** Looks at an entry that others keep changing. */
const MAX_LOOKS = 4;

export function createCacheHandler(options: CacheOptions, env: Env): Handler {
  const zones = new ZoneTable(options.zones);
  const cache = new Cache(options, env);
  const { next } = env;
  return function cacheAnswers(query, answer) {
    return zones.match(query) === -1 ? next(query, answer) : cache.handle(query, answer);
  };
}

class Cache {
  readonly #options: CacheOptions;
  readonly #env: Env;
  readonly #tables: readonly [CacheTable, CacheTable];
  readonly #disabled: readonly [ZoneTable, ZoneTable];
  readonly #staleSeconds: number;
  /** Milliseconds from this worker's monotonic clock to the time that all workers share. */
  readonly #epochMs: number;
  /** What the entries gauges were raised by here: they are given back when the plan ends. */
  readonly #counted = new Map<number, number>();
  readonly #what: StoredAnswer = {
    ttlSeconds: 0,
    answering: 0,
    nowMs: 0,
    deadAfterMs: 0,
    keepHits: false,
    server: 0,
  };
  /** Table of the entry that `#lookUp` found. */
  #found: TableNumber = SUCCESS;
  readonly #refreshes = new RefreshTable();
  #closed = false;

  constructor(options: CacheOptions, env: Env) {
    this.#options = options;
    this.#env = env;
    const open = (kind: TableNumber): CacheTable => {
      const { memory } = kind === SUCCESS ? options.success : options.denial;
      const table = new CacheTable(memory, env.worker, (server) => this.#count(server, kind, -1));
      table.repair();
      return table;
    };
    this.#tables = [open(SUCCESS), open(DENIAL)];
    this.#disabled = [new ZoneTable(options.success.disabledZones), new ZoneTable(options.denial.disabledZones)];
    this.#staleSeconds = options.stale ? options.stale.upToMs / 1000 : 0;
    this.#epochMs = env.clock.nowMs() - env.clock.monotonicMs();
    env.onClose(() => this.#close());
  }

  #close(): void {
    this.#closed = true;
    for (const [cell, entries] of this.#counted) this.#env.cells[cell]! -= entries;
    this.#counted.clear();
  }

  handle(query: Query, answer: Answer): Result {
    const { cells } = this.#env;
    const own = this.#cellsOf(query.server);
    cells[own.requests]!++;
    const hash = hashKey(query);
    for (let looks = 0; looks < MAX_LOOKS; looks++) {
      const entry = this.#lookUp(query, hash);
      if (entry === -1) break;
      // Not before: a query that nothing is stored for needs no time, which would be an object of its own.
      const nowMs = query.receivedMs + this.#epochMs;
      const kind = this.#found;
      const table = this.#tables[kind];
      const ttlLeft = table.ttlLeft(entry, nowMs);
      table.copyTo(answer, entry, this.#ttlToTell(table, entry, ttlLeft));
      if (!table.isUnchanged()) {
        answer.reset();
        continue;
      }
      cells[own.hits[kind]]!++;
      // Old stub resolvers discard answers without it; every hit of CoreDNS carries it.
      answer.authoritative = true;
      if (!query.dnssecOk && !query.authenticData) answer.authenticData = false;
      answer.plugin = 'cache';
      if (ttlLeft <= 0) return this.#answerStale(query, answer, hash, entry, nowMs);
      if (this.#options.prefetchHits > 0) this.#prefetch(query, hash, entry, ttlLeft, nowMs);
      return Outcome.ANSWERED;
    }
    cells[own.misses]!++;
    return this.#ask(query, answer, hash);
  }

  #cellsOf(server: number): CacheCells {
    return this.#options.cells[server] ?? this.#options.cells[0]!;
  }

  /**
   * The entry to answer from, or -1; `#found` says in which table. A denial goes before a success, but a stored SERVFAIL
   * after it.
   */
  #lookUp(query: Query, hash: number): number {
    const [success, denial] = this.#tables;
    this.#found = SUCCESS;
    if (this.#options.stale?.preferPositive) {
      const entry = success.find(query, hash);
      if (
        entry !== -1 &&
        this.#isUsable(success, entry, query.receivedMs + this.#epochMs) &&
        success.isAnswering(entry)
      )
        return entry;
    }
    const denied = denial.find(query, hash);
    const isDenied = denied !== -1 && this.#isUsable(denial, denied, query.receivedMs + this.#epochMs);
    const denialIsFinal = isDenied && !isFailure(denial.rcode(denied));
    if (!denialIsFinal) {
      const entry = success.find(query, hash);
      if (entry !== -1 && this.#isUsable(success, entry, query.receivedMs + this.#epochMs)) return entry;
    }
    this.#found = DENIAL;
    return isDenied ? denied : -1;
  }

  /** Fresh, or stale within the time that stale answers are served. */
  #isUsable(table: CacheTable, entry: number, nowMs: number): boolean {
    const ttlLeft = table.ttlLeft(entry, nowMs);
    return ttlLeft > 0 || -ttlLeft < this.#staleSeconds;
  }

  #ttlToTell(table: CacheTable, entry: number, ttlLeft: number): number {
    const { stale, keepTtl } = this.#options;
    if (ttlLeft <= 0 && stale && stale.ttlSeconds > 0) return stale.ttlSeconds;
    return keepTtl ? table.ttl(entry) : Math.max(0, ttlLeft);
  }

  /** The rest of the chain answers, and the answer is kept. */
  #ask(query: Query, answer: Answer, hash: number): Result {
    const wantsAd = query.authenticData;
    query.authenticData = true;
    const result = this.#env.next(query, answer);
    if (isWaiting(result)) return this.#waitFor(result, query, answer, hash, wantsAd);
    return this.#finishAsk(query, answer, hash, wantsAd, result);
  }

  /** Apart from `#ask`, so that only queries that wait need an object for what is remembered. */
  #waitFor(result: Promise<Outcome>, query: Query, answer: Answer, hash: number, wantsAd: boolean): Promise<Outcome> {
    return result.then((outcome) => this.#finishAsk(query, answer, hash, wantsAd, outcome));
  }

  #finishAsk(query: Query, answer: Answer, hash: number, wantsAd: boolean, outcome: Outcome): Outcome {
    query.authenticData = wantsAd;
    if (outcome !== Outcome.ANSWERED) return outcome;
    this.#keep(query, answer, hash, false);
    if (!query.dnssecOk && !wantsAd) answer.authenticData = false;
    return Outcome.ANSWERED;
  }

  /** Gives all records of the answer one TTL and stores it when its kind may be. */
  #keep(query: Query, answer: Answer, hash: number, keepHits: boolean): void {
    const isTailored = answer.options.length !== 0 && isForSubnet(answer.options);
    dropHopByHop(answer);
    const live = answer.live;
    const kind = live ? kindOfLive(answer) : classify(query, answer, this.#env.clock.nowMs() / 1000);
    const isDenial = kind === KIND.DENIAL || kind === KIND.SERVFAIL;
    const ttlSeconds = this.#ttlOf(kind, answer);
    for (let i = 0; i < answer.records.count; i++) answer.setTtl(i, ttlSeconds);
    if (live || isTailored || kind >= KIND.UNCACHED || answer.truncated || ttlSeconds <= 0 || this.#closed) return;
    const number: TableNumber = isDenial ? DENIAL : SUCCESS;
    if (this.#disabled[number].match(query) !== -1) return;
    this.#store(query, answer, hash, number, ttlSeconds, keepHits);
  }

  #ttlOf(kind: Kind, answer: Answer): number {
    if (kind === KIND.SERVFAIL) return Math.floor(this.#options.servfailMs / 1000);
    const { maxTtlSeconds, minTtlSeconds } = kind === KIND.DENIAL ? this.#options.denial : this.#options.success;
    const { records } = answer;
    let ttl = maxTtlSeconds;
    if (records.count === 0 || kind === KIND.DELEGATION || kind === KIND.UNCACHED) ttl = SHORT_TTL_SECONDS;
    else for (let i = 0; i < records.count; i++) ttl = Math.min(ttl, answer.ttl(i));
    return Math.min(Math.max(ttl, minTtlSeconds), maxTtlSeconds);
  }

  #store(query: Query, answer: Answer, hash: number, number: TableNumber, ttlSeconds: number, keepHits: boolean): void {
    const what = this.#what;
    what.answering = number === SUCCESS && isAnswering(query, answer) ? FLAG.ANSWERING : 0;
    what.ttlSeconds = ttlSeconds;
    what.nowMs = this.#nowMs();
    what.deadAfterMs = what.nowMs + ttlSeconds * 1000 + this.#staleSeconds * 1000;
    what.keepHits = keepHits;
    what.server = query.server;
    const preferPositive = this.#options.stale?.preferPositive === true;
    if (preferPositive && number === SUCCESS && what.answering === 0 && this.#hasGoodAnswer(query, hash)) return;
    const { cells } = this.#env;
    const own = this.#cellsOf(query.server);
    const stored = this.#tables[number].store(query, hash, answer, what);
    if (stored === STORED.REFUSED) cells[own.drops]!++;
    if ((stored & STORED.NEW) !== 0) this.#count(query.server, number, 1);
    if ((stored & STORED.EVICTED) !== 0) cells[own.evictions[number]]!++;
    // What was learned last holds; but a failure says nothing about what was known before.
    if (number === SUCCESS && (!preferPositive || what.answering !== 0)) this.#tables[DENIAL].remove(query, hash);
    if (number === DENIAL && !preferPositive && !isFailure(answer.rcode)) {
      this.#tables[SUCCESS].remove(query, hash);
    }
  }

  /** Whether there is an entry with the type asked that may still be served. */
  #hasGoodAnswer(query: Query, hash: number): boolean {
    const table = this.#tables[SUCCESS];
    const entry = table.find(query, hash);
    return entry !== -1 && table.isAnswering(entry) && this.#isUsable(table, entry, this.#nowMs());
  }

  #count(server: number, number: TableNumber, by: number): void {
    const cell = this.#cellsOf(server).entries[number];
    this.#env.cells[cell]! += by;
    this.#counted.set(cell, (this.#counted.get(cell) ?? 0) + by);
  }

  /** The time that all workers share, milliseconds. */
  #nowMs(): number {
    return this.#env.clock.monotonicMs() + this.#epochMs;
  }

  #prefetch(query: Query, hash: number, entry: number, ttlLeft: number, nowMs: number): void {
    const { prefetchHits, prefetchWindowMs, prefetchPercent } = this.#options;
    const table = this.#tables[this.#found];
    const hits = table.countHit(entry, nowMs, prefetchWindowMs);
    if (hits < prefetchHits || ttlLeft > Math.ceil((prefetchPercent / 100) * table.ttl(entry))) return;
    if (table.claimRefresh(entry, nowMs, nowMs + REFRESH_LEASE_MS)) this.#refreshBehind(query, hash);
  }

  /** A refresh that nobody waits for. */
  #refreshBehind(query: Query, hash: number): void {
    if (this.#refresh(query, hash, this.#found)) this.#env.cells[this.#cellsOf(query.server).prefetch]!++;
  }

  /** `answer` holds the stale records already; `#found` and `entry` say where they are from. */
  #answerStale(query: Query, answer: Answer, hash: number, entry: number, nowMs: number): Result {
    const stale = this.#options.stale!;
    const table = this.#tables[this.#found];
    answer.ede = answer.rcode === RCODE.NXDOMAIN ? EDE.STALE_NXDOMAIN : EDE.STALE_ANSWER;
    const isClaimed = table.claimRefresh(entry, nowMs, nowMs + REFRESH_LEASE_MS);
    if (!stale.verify) {
      if (isClaimed) this.#refreshBehind(query, hash);
      return this.#giveStale(query);
    }
    const running = this.#refreshes.find(query);
    if (running === undefined && !isClaimed && stale.recheckMs > 0) return this.#giveStale(query);
    // Who comes when others have waited in vain for as long as one may need not wait again.
    const leftMs = running ? running.startMs + stale.verifyTimeoutMs - this.#nowMs() : stale.verifyTimeoutMs;
    return leftMs > 0 ? this.#verify(query, answer, hash, running, leftMs) : this.#giveStale(query);
  }

  #giveStale(query: Query): Outcome {
    this.#env.cells[this.#cellsOf(query.server).servedStale]!++;
    return Outcome.ANSWERED;
  }

  /** Waits for a refresh for a while; `answer` keeps the stale records when it brings nothing usable in time. */
  #verify(query: Query, answer: Answer, hash: number, running: Refresh | undefined, timeoutMs: number): Result {
    const refresh = running ?? this.#refresh(query, hash, this.#found);
    if (refresh === undefined) return this.#giveStale(query);
    return new Promise((resolve) => {
      let isDone = false;
      const finish = (fresh: Answer | undefined): void => {
        if (isDone) return;
        isDone = true;
        cancel();
        if (fresh) takeOver(query, answer, fresh);
        resolve(fresh ? Outcome.ANSWERED : this.#giveStale(query));
      };
      const cancel = this.#env.clock.after(timeoutMs, () => finish(undefined));
      if (!waitFor(refresh, finish)) finish(undefined);
    });
  }

  /**
   * Asks the rest of the chain on the server's own account and keeps what comes if it is a complete NOERROR or NXDOMAIN
   * (RFC 8767 section 4). None for the question may be under way in this worker.
   *
   * @returns undefined when none was started
   */
  #refresh(query: Query, hash: number, number: TableNumber): Refresh | undefined {
    const refresh = this.#closed ? undefined : this.#refreshes.begin(query, this.#nowMs());
    if (refresh === undefined) {
      this.#env.cells[this.#cellsOf(query.server).refreshesRefused]!++;
      return undefined;
    }
    const copy = copyForRefresh(query);
    const answer = answerFor(copy);
    const settle = (outcome: Outcome): void => {
      const isFresh = outcome === Outcome.ANSWERED && this.#takeRefreshed(copy, answer, hash);
      this.#endRefresh(copy, hash, number, isFresh);
      this.#refreshes.end(refresh, isFresh ? answer : undefined);
    };
    // A chain that answers at once does so after those who asked have begun to wait.
    new Promise<Outcome>((resolve) => resolve(this.#env.next(copy, answer))).then(settle, () => settle(Outcome.FAILED));
    return refresh;
  }

  #takeRefreshed(query: Query, answer: Answer, hash: number): boolean {
    if (answer.truncated || (answer.rcode !== RCODE.NOERROR && answer.rcode !== RCODE.NXDOMAIN)) return false;
    this.#keep(query, answer, hash, true);
    return this.#options.stale?.preferPositive ? isAnswering(query, answer) : true;
  }

  /** The next refresh of the question may start at once, or after the pause that follows a failed one. */
  #endRefresh(query: Query, hash: number, number: TableNumber, isFresh: boolean): void {
    const table = this.#tables[number];
    const entry = table.find(query, hash);
    if (entry !== -1) table.endRefresh(entry, isFresh ? 0 : this.#nowMs() + (this.#options.stale?.recheckMs ?? 0));
  }
}

/** Codes that say nothing about the name: they never hide what is known of it. */
function isFailure(rcode: number): boolean {
  return rcode === RCODE.SERVFAIL || rcode === RCODE.NOTIMP;
}

/** Whether the answer holds for the network that the client named, not for everybody (RFC 7871 section 7.3.1). */
function isForSubnet(options: Uint8Array): boolean {
  const at = findOption(options, 0, options.length, EDNS_OPTION.CLIENT_SUBNET);
  return at !== -1 && optionLength(options, at) >= 4 && options[at + OPTION_HEADER_LENGTH + SCOPE_AT] !== 0;
}
/** Family, source prefix length, scope prefix length. */
const SCOPE_AT = 3;

/** OPT and its options are between two neighbours only (RFC 6891 section 6.1.1): none of the upstream's goes on. */
function dropHopByHop(answer: Answer): void {
  if (answer.options.length !== 0) answer.options = NO_OPTIONS;
  answer.ede = -1;
}
const NO_OPTIONS = new Uint8Array(0);

/** Own zones answer rightly: a look at the counts will do. */
function kindOfLive(answer: Answer): Kind {
  if (answer.rcode === RCODE.NOERROR) {
    return answer.records.counts[0] === 0 && answer.records.counts[1] !== 0 ? KIND.DENIAL : KIND.SUCCESS;
  }
  return answer.rcode === RCODE.NXDOMAIN ? KIND.DENIAL : KIND.UNCACHED;
}

/** Makes `answer` what `fresh` is: the reply to the same question. */
function takeOver(query: Query, answer: Answer, fresh: Answer): void {
  answer.reset();
  answer.copyBody(fresh.bytes, fresh.base, fresh.records, fresh.saved);
  answer.rcode = fresh.rcode;
  answer.authoritative = fresh.authoritative;
  answer.recursionAvailable = fresh.recursionAvailable;
  answer.authenticData = fresh.authenticData && (query.dnssecOk || query.authenticData);
}
