// Leaves out authority and additional records that a client does not need. Worker.
import type { Answer } from '../../chain/answer.ts';
import { Outcome, whenAnswered } from '../../chain/outcome.ts';
import type { Env, Handler } from '../../chain/plugin.ts';
import type { Query } from '../../chain/query.ts';
import { findResponseType, RESPONSE_TYPE } from '../../chain/response-type.ts';
import { skipName } from '../../wire/name.ts';
import { LAYOUT } from '../../wire/rdata/codec.ts';
import { findLayout } from '../../wire/rdata/registry.ts';
import { SECTION } from '../../wire/record-index.ts';
import { CLASS } from '../../wire/types.ts';
import type { MinimalOptions } from './setup.ts';

const POINTER_LENGTH = 2;
/** Labels and pointers of one name; more than any has. */
const MAX_HOPS = 255;

export function createMinimalHandler(_options: MinimalOptions, { next }: Env): Handler {
  function trim(query: Query, answer: Answer, outcome: Outcome): Outcome {
    // Denials and referrals need their authority section: only a positive answer is cut.
    if (outcome !== Outcome.ANSWERED || findResponseType(query, answer, outcome) !== RESPONSE_TYPE.NOERROR)
      return outcome;
    const { records } = answer;
    const keep = records.counts[SECTION.ANSWER]!;
    if (keep === records.count) return outcome;
    answer.saved -= savedBy(answer, keep);
    answer.length = keep === 0 ? answer.questionEnd : records.endAt(keep - 1);
    records.truncate(keep);
    return outcome;
  }

  return function minimal(query, answer) {
    const result = next(query, answer);
    if (typeof result === 'object') return whenAnswered(result, query, answer, trim);
    return trim(query, answer, result);
  };
}

/** Bytes that compression saved in the records from `first` on. */
function savedBy(answer: Answer, first: number): number {
  const { records } = answer;
  let saved = 0;
  for (let i = first; i < records.count; i++) {
    saved += savedInName(answer, records.ownerAt(i));
    let at = records.rdataAt(i);
    for (const step of findLayout(records.type(i), CLASS.IN) ?? []) {
      if (step >= LAYOUT.STRINGS || at >= records.endAt(i)) break;
      if (step === LAYOUT.NAME || step === LAYOUT.COMPRESSIBLE_NAME) {
        saved += savedInName(answer, at);
        at = skipName(answer.bytes, answer.base, at, records.endAt(i));
        if (at === -1) break;
      } else at += step === LAYOUT.STRING ? answer.bytes[answer.base + at]! + 1 : step;
    }
  }
  return Math.min(saved, answer.saved);
}

/** Length of the name at `at` in full, less what it takes in the message. */
function savedInName({ bytes, base }: Answer, at: number): number {
  let isFollowing = false;
  let saved = 0;
  for (let hops = 0; hops < MAX_HOPS; hops++) {
    const length = bytes[base + at]!;
    if (length === 0) return isFollowing ? saved + 1 : 0;
    if (length < 0xc0) {
      at += length + 1;
      if (isFollowing) saved += length + 1;
      continue;
    }
    at = ((length & 0x3f) << 8) | bytes[base + at + 1]!;
    if (!isFollowing) saved -= POINTER_LENGTH;
    isFollowing = true;
  }
  return 0;
}
