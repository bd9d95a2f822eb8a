// Adds the server's identifier to answers for clients that ask for it (RFC 5001). Worker.
import type { Answer } from '../../chain/answer.ts';
import { Outcome, whenAnswered } from '../../chain/outcome.ts';
import type { Env, Handler } from '../../chain/plugin.ts';
import type { Query } from '../../chain/query.ts';
import { EDNS_OPTION } from '../../wire/types.ts';
import type { NsidOptions } from './setup.ts';

export function createNsidHandler({ option }: NsidOptions, { next }: Env): Handler {
  function add(_query: Query, answer: Answer, outcome: Outcome): Outcome {
    if (outcome !== Outcome.ANSWERED) return outcome;
    answer.options = answer.options.length === 0 ? option : Buffer.concat([answer.options, option]);
    return outcome;
  }

  return function nsid(query, answer) {
    if (query.optionsLength === 0 || query.findOption(EDNS_OPTION.NSID) === -1) return next(query, answer);
    const result = next(query, answer);
    if (typeof result === 'object') return whenAnswered(result, query, answer, add);
    return add(query, answer, result);
  };
}
