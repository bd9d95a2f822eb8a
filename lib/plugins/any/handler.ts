// Answers ANY with one HINFO record (RFC 8482 section 4.2). Worker.
import { Outcome } from '../../chain/outcome.ts';
import type { Env, Handler } from '../../chain/plugin.ts';
import { setLastClass } from '../../chain/record-class.ts';
import { SECTION } from '../../wire/record-index.ts';
import { RRTYPE } from '../../wire/types.ts';
import type { AnyOptions } from './setup.ts';

const QUESTION_NAME_AT = 12;
/** Two character-strings: CPU and OS. */
const HINFO_RDATA = Buffer.from('\x0dANY obsoleted\x0cSee RFC 8482', 'latin1');

export function createAnyHandler(options: AnyOptions, { next }: Env): Handler {
  return function any(query, answer) {
    if (query.qtype !== RRTYPE.ANY) return next(query, answer);
    if (answer.beginRecordAt(SECTION.ANSWER, QUESTION_NAME_AT, RRTYPE.HINFO, options.hinfoTtlSeconds)) {
      answer.putBytes(HINFO_RDATA, 0, HINFO_RDATA.length);
      answer.endRecord();
      setLastClass(answer, query.qclass);
    }
    return Outcome.ANSWERED;
  };
}
