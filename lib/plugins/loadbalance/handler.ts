// Reorders the addresses of answers, so that clients which take the first one spread over all. Worker.
import fs from 'node:fs';
import { isInPrefix } from '../../base/ip-address.ts';
import type { Answer } from '../../chain/answer.ts';
import { Outcome, whenAnswered } from '../../chain/outcome.ts';
import type { Env, Handler } from '../../chain/plugin.ts';
import type { Query } from '../../chain/query.ts';
import { SECTION, type Section } from '../../wire/record-index.ts';
import { CLASS, RCODE, RRTYPE } from '../../wire/types.ts';
import { applyOrder, haveSameOwner, sectionStart, swapContents } from './record-order.ts';
import type { LoadbalanceOptions, PreferredPrefix } from './setup.ts';
import { findWeight } from './weighted.ts';
import { parseWeights, type Weights } from './weights.ts';

const SECTIONS: readonly Section[] = [SECTION.ANSWER, SECTION.AUTHORITY, SECTION.ADDITIONAL];

/** Where a type stands in a reordered section: CNAME, all others, addresses, MX. */
const RANK = { CNAME: 0, OTHER: 1, ADDRESS: 2, MX: 3 } as const;

export function createLoadbalanceHandler(options: LoadbalanceOptions, env: Env): Handler {
  const { next } = env;
  const reorder = options.policy === 'weighted' ? makeWeighted(options, env) : makeRoundRobin(options.prefer, env);

  function after(query: Query, answer: Answer, outcome: Outcome): Outcome {
    if (outcome !== Outcome.ANSWERED || answer.rcode !== RCODE.NOERROR || query.qclass !== CLASS.IN) return outcome;
    if (answer.records.count < 2 || query.qtype === RRTYPE.AXFR || query.qtype === RRTYPE.IXFR) return outcome;
    reorder(query, answer);
    return outcome;
  }

  return function loadbalance(query, answer) {
    const result = next(query, answer);
    if (typeof result === 'object') return whenAnswered(result, query, answer, after);
    return after(query, answer, result);
  };
}

type Reorder = (query: Query, answer: Answer) => void;

function makeRoundRobin(prefer: readonly PreferredPrefix[], { random }: Env): Reorder {
  const order = new OrderList(random);
  return function roundRobin(_query, answer) {
    for (const section of SECTIONS) {
      const count = answer.records.counts[section]!;
      if (count < 2) continue;
      const first = sectionStart(answer, section);
      if (prefer.length === 0 && shuffleInPlace(answer, first, count, random)) continue;
      order.fill(answer, first, count);
      order.shuffle(answer, RRTYPE.MX);
      order.shuffleAddresses(answer);
      if (prefer.length > 0 && section !== SECTION.AUTHORITY) order.preferFirst(answer, prefer);
      applyOrder(answer, section, first, count, order.entries, order.addressesOnly);
    }
  };
}

/**
 * The common answer: addresses of one type and owner, perhaps behind a CNAME chain.
 * @returns false when the section holds anything else; nothing was changed then
 */
function shuffleInPlace(answer: Answer, first: number, count: number, random: () => number): boolean {
  const { records } = answer;
  const end = first + count;
  let start = first;
  while (start < end && records.type(start) === RRTYPE.CNAME) start++;
  if (start === end) return true;
  const type = records.type(start);
  if (type !== RRTYPE.A && type !== RRTYPE.AAAA) return false;
  for (let i = start + 1; i < end; i++) if (records.type(i) !== type) return false;
  if (!haveSameOwner(answer, start, end)) return false;
  // Fisher-Yates; one random number of 32 bits serves two steps.
  let bits = 0;
  for (let left = end - start, step = 0; left > 1; left--, step++) {
    bits = (step & 1) === 0 ? random() : bits >>> 16;
    const j = start + ((bits & 0xffff) % left);
    const last = start + left - 1;
    if (j !== last) swapContents(answer, j, last);
  }
  return true;
}

/** Record numbers of one section in their new order; reused. */
class OrderList {
  entries = new Int32Array(64);
  addressesOnly = true;
  #count = 0;
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  /** All records by rank, each rank in the order of the message. */
  fill(answer: Answer, first: number, count: number): void {
    if (this.entries.length < count) this.entries = new Int32Array(count * 2);
    this.#count = 0;
    this.addressesOnly = true;
    for (let rank = 0; rank <= RANK.MX; rank++) {
      for (let i = first; i < first + count; i++) {
        const found = rankOf(answer.records.type(i));
        if (found !== RANK.ADDRESS) this.addressesOnly = false;
        if (found === rank) this.entries[this.#count++] = i;
      }
    }
  }

  shuffle(answer: Answer, type: number): void {
    this.#shuffleRank(answer, rankOf(type));
  }

  shuffleAddresses(answer: Answer): void {
    this.#shuffleRank(answer, RANK.ADDRESS);
  }

  #shuffleRank(answer: Answer, rank: number): void {
    const [start, end] = this.range(answer, rank);
    for (let left = end - start; left > 1; left--) {
      const j = start + (this.#random() % left);
      const last = start + left - 1;
      const kept = this.entries[j]!;
      this.entries[j] = this.entries[last]!;
      this.entries[last] = kept;
    }
  }

  /** Where the entries of a rank stand: first, and one behind the last. */
  range(answer: Answer, rank: number): [number, number] {
    let start = 0;
    while (start < this.#count && rankOf(answer.records.type(this.entries[start]!)) !== rank) start++;
    let end = start;
    while (end < this.#count && rankOf(answer.records.type(this.entries[end]!)) === rank) end++;
    return [start, end];
  }

  /** Addresses in the given prefixes come first, in the order of the prefixes; records of other types move to the end. */
  preferFirst(answer: Answer, prefixes: readonly PreferredPrefix[]): void {
    const all = [...this.entries.subarray(0, this.#count)];
    const ofRank = (rank: number): number[] => all.filter((i) => rankOf(answer.records.type(i)) === rank);
    const addresses = ofRank(RANK.ADDRESS);
    const preferred = new Set<number>();
    for (const prefix of prefixes) {
      for (const i of addresses) if (isInPrefix(rdataOf(answer, i), prefix)) preferred.add(i);
    }
    const others = addresses.filter((i) => !preferred.has(i));
    const result = [...ofRank(RANK.CNAME), ...preferred, ...others, ...ofRank(RANK.MX), ...ofRank(RANK.OTHER)];
    this.entries.set(result);
  }
}

function rankOf(type: number): number {
  switch (type) {
    case RRTYPE.CNAME:
      return RANK.CNAME;
    case RRTYPE.A:
    case RRTYPE.AAAA:
      return RANK.ADDRESS;
    case RRTYPE.MX:
      return RANK.MX;
    default:
      return RANK.OTHER;
  }
}

function rdataOf(answer: Answer, i: number): Uint8Array {
  const at = answer.base + answer.records.rdataAt(i);
  return answer.bytes.subarray(at, at + answer.records.rdataLength(i));
}

function makeWeighted(options: Extract<LoadbalanceOptions, { policy: 'weighted' }>, env: Env): Reorder {
  let weights: Weights = options.weights;
  if (options.reloadMs > 0) watchFile(options.file, options.reloadMs, env, (read) => (weights = read));
  const order = new OrderList(env.random);
  return function weighted(query, answer) {
    const { qtype } = query;
    if (qtype !== RRTYPE.A && qtype !== RRTYPE.AAAA && qtype !== RRTYPE.SRV) return;
    for (const section of [SECTION.ANSWER, SECTION.ADDITIONAL] as const) {
      const count = answer.records.counts[section]!;
      if (count < 2) continue;
      const first = sectionStart(answer, section);
      order.fill(answer, first, count);
      const [start, end] = order.range(answer, RANK.ADDRESS);
      if (start === end) continue;
      const chosen = start + drawByWeight(answer, order.entries, start, end, weights, env.random);
      const kept = order.entries[start]!;
      order.entries[start] = order.entries[chosen]!;
      order.entries[chosen] = kept;
      applyOrder(answer, section, first, count, order.entries, order.addressesOnly);
    }
  };
}

/** Picks one of the addresses, each as likely as its weight says; an address without a weight has 1. */
function drawByWeight(
  answer: Answer,
  entries: Int32Array,
  start: number,
  end: number,
  weights: Weights,
  random: () => number,
): number {
  let sum = 0;
  for (let i = start; i < end; i++) sum += findWeight(answer, entries[i]!, weights);
  let drawn = random() % sum;
  for (let i = start; i < end; i++) {
    drawn -= findWeight(answer, entries[i]!, weights);
    if (drawn < 0) return i - start;
  }
  return 0;
}

/** Reads the file again each period; a file that cannot be used leaves the old weights. */
function watchFile(file: string, periodMs: number, env: Env, use: (weights: Weights) => void): void {
  let last = '';
  let closed = false;
  let cancel = env.clock.after(periodMs, poll);
  env.onClose(() => {
    closed = true;
    cancel();
  });
  function poll(): void {
    fs.readFile(file, 'utf8', (error, text) => {
      if (closed) return;
      cancel = env.clock.after(periodMs, poll);
      if (error === null && text === last) return;
      try {
        if (error) throw error;
        use(parseWeights(text));
        last = text;
        env.log.info(`Successfully reloaded weight file ${file}`);
      } catch (problem) {
        env.log.error((problem as Error).message);
      }
    });
  }
}
