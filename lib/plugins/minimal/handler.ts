// Leaves out authority and additional records that a client does not need. Worker.
import type { Answer } from '../../chain/answer.ts';
import { Outcome } from '../../chain/outcome.ts';
import type { Env, Handler } from '../../chain/plugin.ts';
import type { Query } from '../../chain/query.ts';
import { findResponseType, RESPONSE_TYPE } from '../../chain/response-type.ts';
import { SECTION } from '../../wire/record-index.ts';
import type { MinimalOptions } from './setup.ts';

const POINTER_LENGTH = 2;

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
    if (typeof result === 'object') return result.then((outcome) => trim(query, answer, outcome));
    return trim(query, answer, result);
  };
}

/** Bytes that compression of the owners saved in the records from `first` on; names in RDATA are not looked at. */
function savedBy(answer: Answer, first: number): number {
  const { bytes, base, records } = answer;
  let saved = 0;
  for (let i = first; i < records.count; i++) {
    let at = records.ownerAt(i);
    let pointers = 0;
    let length = bytes[base + at]!;
    while (length !== 0 && pointers < records.count) {
      if (length >= 0xc0) {
        at = ((length & 0x3f) << 8) | bytes[base + at + 1]!;
        if (pointers++ === 0) saved -= POINTER_LENGTH - 1;
      } else {
        at += length + 1;
        if (pointers > 0) saved += length + 1;
      }
      length = bytes[base + at]!;
    }
  }
  return Math.max(0, Math.min(saved, answer.saved));
}
