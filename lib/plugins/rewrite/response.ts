// Applies the rules that a query collected to its answer. Worker, cold path.
import type { Answer } from '../../chain/answer.ts';
import { copyRecord, type NameChanger } from '../../chain/copy-record.ts';
import { LOWER, formatName, nameLength, parseName } from '../../wire/name.ts';
import { SECTION, type Section } from '../../wire/record-index.ts';
import { RRTYPE } from '../../wire/types.ts';
import type { NameReplacement } from './name-text.ts';

/** What becomes of an answer, in the order in which the query's rules applied. It is undone from the last to the first. */
export type ResponseRule =
  | { readonly kind: 'name' | 'value'; readonly replace: NameReplacement }
  | { readonly kind: 'ttl'; readonly minSeconds: number; readonly maxSeconds: number }
  | { readonly kind: 'rcode'; readonly old: number; readonly new: number };

/** Types whose first name is changed by rules for values. */
const TYPES_WITH_TARGET: ReadonlySet<number> = new Set<number>([
  RRTYPE.CNAME, RRTYPE.DNAME, RRTYPE.MX, RRTYPE.NAPTR, RRTYPE.NS, RRTYPE.PTR, RRTYPE.SOA, RRTYPE.SRV,
]); // biome-ignore format: a list
const SECTIONS: readonly Section[] = [SECTION.ANSWER, SECTION.AUTHORITY, SECTION.ADDITIONAL];

/** Brings the TTLs of all records into the ranges that the rules ask for. */
export function clampTtls(answer: Answer, rules: readonly ResponseRule[]): void {
  for (let i = rules.length - 1; i >= 0; i--) {
    const rule = rules[i]!;
    if (rule.kind !== 'ttl') continue;
    for (let record = 0; record < answer.records.count; record++) {
      const ttlSeconds = answer.ttl(record);
      if (ttlSeconds < rule.minSeconds) answer.setTtl(record, rule.minSeconds);
      else if (ttlSeconds > rule.maxSeconds) answer.setTtl(record, rule.maxSeconds);
    }
  }
}

export function changeRcode(answer: Answer, rules: readonly ResponseRule[]): void {
  for (let i = rules.length - 1; i >= 0; i--) {
    const rule = rules[i]!;
    if (rule.kind === 'rcode' && answer.rcode === rule.old) answer.rcode = rule.new;
  }
}

/** Takes over everything of a finished answer but its records. */
export function copyState(to: Answer, from: Answer): void {
  to.rcode = from.rcode;
  to.authoritative = from.authoritative;
  to.truncated ||= from.truncated;
  to.recursionAvailable = from.recursionAvailable;
  to.authenticData = from.authenticData;
  to.error = from.error;
  to.ede = from.ede;
  to.edeText = from.edeText;
  to.options = from.options;
  to.plugin = from.plugin;
  to.live = from.live;
}

/** Appends the records of `from`, from number `first` on. */
export function copyRecords(to: Answer, from: Answer, names: NameChanger | undefined, first = 0): void {
  const { records } = from;
  let i = 0;
  for (const section of SECTIONS) {
    for (let left = records.counts[section]!; left > 0; left--, i++) {
      if (i >= first) copyRecord(to, section, from.bytes, from.base, records, i, names);
    }
  }
}

/** Changes names by rules; of names that come twice in a row the result is kept. */
export class RuleNames implements NameChanger {
  readonly #owners: readonly NameReplacement[];
  readonly #targets: readonly NameReplacement[];
  readonly #last = new Uint8Array(256);
  #lastResult: Uint8Array | undefined;
  /** A name that a rule made and that is none. */
  illegal = '';

  constructor(rules: readonly ResponseRule[]) {
    const reversed = rules.toReversed();
    this.#owners = reversed.flatMap((rule) => (rule.kind === 'name' ? [rule.replace] : []));
    this.#targets = reversed.flatMap((rule) => (rule.kind === 'value' ? [rule.replace] : []));
  }

  changeOwner(name: Uint8Array): Uint8Array {
    if (this.#owners.length === 0) return name;
    const length = nameLength(name);
    if (this.#lastResult !== undefined && this.#isLast(name, length)) return this.#lastResult;
    this.#last.set(name.subarray(0, length));
    this.#lastResult = this.#change(name, this.#owners);
    return this.#lastResult;
  }

  changeTarget(name: Uint8Array, type: number): Uint8Array {
    return this.#targets.length === 0 || !TYPES_WITH_TARGET.has(type) ? name : this.#change(name, this.#targets);
  }

  #isLast(name: Uint8Array, length: number): boolean {
    for (let i = 0; i < length; i++) if (name[i] !== this.#last[i]) return false;
    return true;
  }

  #change(name: Uint8Array, replacements: readonly NameReplacement[]): Uint8Array {
    const before = formatName(name);
    let text = before;
    for (const replace of replacements) text = replace(text);
    if (text === before) return name.slice(0, nameLength(name));
    const changed = parseName(text);
    if (changed === undefined) this.illegal = text;
    return changed ?? name.slice(0, nameLength(name));
  }
}

/** Maps `from` and names below it to `to`, letters compared without case. */
export function makeRemap(from: string, to: string): NameReplacement {
  return (name) => {
    const start = name.length - from.length;
    const isSame = start >= 0 && lower(name.slice(start)) === from;
    return isSame && (start === 0 || name[start - 1] === '.') ? name.slice(0, start) + to : name;
  };
}

/** Maps the end `from` of a name to `to`, letters compared without case. */
export function makeSuffixRemap(from: string, to: string): NameReplacement {
  return (name) => {
    const start = name.length - from.length;
    return start >= 0 && lower(name.slice(start)) === from ? name.slice(0, start) + to : name;
  };
}

/** ASCII letters only (RFC 4343). */
function lower(text: string): string {
  return text.replace(/[A-Z]/g, (char) => String.fromCharCode(LOWER[char.charCodeAt(0)]!));
}
