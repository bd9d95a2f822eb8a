// Walks a client's search path for it: one reply in place of a query per search domain. Worker.
import { Answer } from '../../chain/answer.ts';
import type { SearchPathFinder } from '../../chain/block-offers.ts';
import { copyRecord } from '../../chain/copy-record.ts';
import { isWaiting, Outcome, type Result } from '../../chain/outcome.ts';
import type { Env, Handler } from '../../chain/plugin.ts';
import type { Query } from '../../chain/query.ts';
import { makeSubquery } from '../../chain/subquery.ts';
import { ZoneTable } from '../../chain/zone-table.ts';
import { MAX_NAME_LENGTH, parseNameLower } from '../../wire/name.ts';
import { SECTION, type Section } from '../../wire/record-index.ts';
import { RCODE, RRTYPE } from '../../wire/types.ts';
import type { AutopathOptions } from './setup.ts';

const SECTIONS: readonly Section[] = [SECTION.ANSWER, SECTION.AUTHORITY, SECTION.ADDITIONAL];

export function createAutopathHandler(options: AutopathOptions, env: Env): Handler {
  const { next, cells } = env;
  const zones = new ZoneTable(options.zones);
  const find = finderOf(options, env);
  const walker = new Walker(next, (query) => void cells[options.successCells[query.server]!]!++);
  return function autopath(query, answer) {
    if (find === undefined || zones.match(query) === -1) return next(query, answer);
    const list = find(query);
    const first = list?.[0];
    if (list === undefined || first === undefined || !isBelow(query, first)) return next(query, answer);
    return walker.begin(query, answer, list);
  };
}

function finderOf(options: AutopathOptions, { offers, store }: Env): SearchPathFinder | undefined {
  const find = offers.searchPaths.get(options.plugin);
  if (find) {
    return (query) => {
      store.enter();
      try {
        return find(query);
      } finally {
        store.leave();
      }
    };
  }
  if (options.search.length === 0) return undefined;
  const list = [...options.search, '.'].flatMap((text) => parseNameLower(text) ?? []);
  return () => list;
}

/** Whether the name is below `zone`; the zone itself has nothing in front that could be searched for. */
function isBelow({ name, nameLength }: Query, zone: Uint8Array): boolean {
  const start = nameLength - zone.length;
  if (start <= 0) return false;
  for (let i = zone.length - 1; i >= 0; i--) if (name[start + i] !== zone[i]) return false;
  let at = 0;
  while (at < start) at += name[at]! + 1;
  return at === start;
}

class Walker {
  readonly #next: Handler;
  readonly #count: (query: Query) => void;

  constructor(next: Handler, count: (query: Query) => void) {
    this.#next = next;
    this.#count = count;
  }

  /** The name as asked is the first on the path: its reply stands when nothing better is found. */
  begin(query: Query, answer: Answer, list: readonly Uint8Array[]): Result {
    const result = this.#next(query, answer);
    if (!isWaiting(result)) return this.#afterFirst(query, answer, list, result);
    return result.then((outcome) => this.#afterFirst(query, answer, list, outcome));
  }

  #afterFirst(query: Query, answer: Answer, list: readonly Uint8Array[], outcome: Outcome): Result {
    if (outcome !== Outcome.ANSWERED) return outcome;
    if (answer.rcode === RCODE.NXDOMAIN) return this.#walk(query, answer, list, 1);
    this.#count(query);
    return outcome;
  }

  /** Tries the elements from `index` on. What is no NXDOMAIN ends the walk: a failure too, as it would end the client's own. */
  #walk(query: Query, answer: Answer, list: readonly Uint8Array[], index: number): Result {
    for (let i = index; i < list.length; i++) {
      const name = joinName(query, list[0]!.length, list[i]!);
      if (!name) continue;
      const subquery = makeSubquery(query, name, query.qtype);
      const into = new Answer();
      into.begin(subquery);
      const result = this.#next(subquery, into);
      if (isWaiting(result)) {
        return result.then((outcome) =>
          isFound(into, outcome)
            ? this.#adopt(query, answer, name, into, outcome)
            : this.#walk(query, answer, list, i + 1),
        );
      }
      if (isFound(into, result)) return this.#adopt(query, answer, name, into, result);
    }
    return Outcome.ANSWERED;
  }

  /** Makes the reply to `name` the reply to the client's question: an alias leads from the one to the other. */
  #adopt(query: Query, answer: Answer, name: Uint8Array, into: Answer, outcome: Outcome): Outcome {
    if (outcome !== Outcome.ANSWERED) {
      answer.fail(into.rcode, into.error);
      return outcome;
    }
    answer.reset();
    answer.rcode = into.rcode;
    answer.authoritative = into.authoritative;
    answer.recursionAvailable = into.recursionAvailable;
    answer.authenticData = into.authenticData;
    answer.truncated = into.truncated;
    answer.error = into.error;
    answer.ede = into.ede;
    answer.edeText = into.edeText;
    answer.options = into.options;
    answer.plugin = into.plugin;
    answer.live = into.live;
    if (
      into.records.counts[SECTION.ANSWER]! > 0 &&
      answer.beginRecordAt(SECTION.ANSWER, 12, RRTYPE.CNAME, into.ttl(0))
    ) {
      answer.writeName(name);
      answer.endRecord();
    }
    let i = 0;
    for (const section of SECTIONS) {
      for (let left = into.records.counts[section]!; left > 0; left--, i++) {
        copyRecord(answer, section, into.bytes, into.base, into.records, i);
      }
    }
    this.#count(query);
    return outcome;
  }
}

function isFound(into: Answer, outcome: Outcome): boolean {
  return outcome !== Outcome.ANSWERED || into.rcode !== RCODE.NXDOMAIN;
}

/** The asked name with its last `dropped` bytes, those of the first element, replaced; undefined when too long. */
function joinName(query: Query, dropped: number, element: Uint8Array): Uint8Array | undefined {
  const kept = query.nameLength - dropped;
  if (kept + element.length > MAX_NAME_LENGTH) return undefined;
  const name = new Uint8Array(kept + element.length);
  // The client's letter case, unless another plugin has replaced the name.
  name.set((query.renamed ? query.name : query.rawName).subarray(0, kept));
  name.set(element, kept);
  return name;
}
