// Replaces the target of an alias in an answer, and what follows it by what the server has for the new target. Worker, cold path.
import type { Answer } from '../../chain/answer.ts';
import { copyRecord, type NameChanger } from '../../chain/copy-record.ts';
import { formatName, parseName, readName } from '../../wire/name.ts';
import { SECTION } from '../../wire/record-index.ts';
import { RRTYPE } from '../../wire/types.ts';
import { compileMatch, compileReplacement, NameText, type NameReplacement, type NameTest } from './name-text.ts';
import { copyRecords } from './response.ts';
import type { RewriteRule } from './rules.ts';

export type CnameRule = { readonly test: NameTest; readonly replace: NameReplacement };

export function compileCnameRule(rule: Extract<RewriteRule, { field: 'cname' }>): CnameRule {
  return { test: compileMatch(rule.from), replace: compileReplacement(rule.from, rule.to) };
}

/** An alias that a rule is about: number of its record, and its new target in wire form. */
export type FoundAlias = { readonly record: number; readonly target: Uint8Array };

/** `into` holds the answer for the new target. */
export type ReplacedAlias = FoundAlias & { readonly into: Answer };

const text = new NameText();
const name = new Uint8Array(256);

/** The first alias that one of the rules is about, the last rule first. */
export function findAlias(answer: Answer, rules: readonly CnameRule[]): FoundAlias | undefined {
  const { records } = answer;
  for (let i = 0; i < records.counts[SECTION.ANSWER]!; i++) {
    if (records.type(i) !== RRTYPE.CNAME) continue;
    if (readName(answer.bytes, answer.base, records.rdataAt(i), answer.length, name) === -1) continue;
    text.setText(formatName(name).toLowerCase());
    for (let r = rules.length - 1; r >= 0; r--) {
      const { test, replace } = rules[r]!;
      if (!test(text)) continue;
      const target = parseName(replace(text.toString()));
      if (target !== undefined) return { record: i, target };
    }
  }
  return undefined;
}

/** Appends the aliases up to the one that was replaced, the answers for its new target, and the other sections. */
export function copyWithAlias(to: Answer, from: Answer, names: NameChanger, alias: ReplacedAlias): void {
  const { records } = from;
  const { record, target, into } = alias;
  const replacing: NameChanger = {
    changeOwner: (owner) => names.changeOwner(owner),
    changeTarget: (_target, type) => names.changeTarget(target, type),
  };
  for (let i = 0; i <= record; i++) {
    if (records.type(i) !== RRTYPE.CNAME) continue;
    copyRecord(to, SECTION.ANSWER, from.bytes, from.base, records, i, i === record ? replacing : names);
  }
  const answers = into.records.counts[SECTION.ANSWER]!;
  for (let i = 0; i < answers; i++) copyRecord(to, SECTION.ANSWER, into.bytes, into.base, into.records, i);
  copyRecords(to, from, names, records.counts[SECTION.ANSWER]);
}
