// Logs why queries failed. Worker.
import type { Answer } from '../../chain/answer.ts';
import { Outcome, whenAnswered } from '../../chain/outcome.ts';
import type { Env, Handler } from '../../chain/plugin.ts';
import type { Query } from '../../chain/query.ts';
import { formatType } from '../../wire/types.ts';
import { ErrorReport } from './report.ts';
import type { ErrorsOptions } from './setup.ts';

export function createErrorsHandler(options: ErrorsOptions, env: Env): Handler {
  const { next } = env;
  const report = new ErrorReport(options, env.clock, env.log);
  env.onClose(() => report.close());

  function look(query: Query, answer: Answer, outcome: Outcome): Outcome {
    // A bare error code (hosts, template) is an answer, not a fault: it carries no text.
    if (outcome === Outcome.FAILED && answer.error !== '') {
      report.report(answer.error, () => `${answer.rcode} ${query.formatName()} ${formatType(query.qtype)}`);
    }
    return outcome;
  }

  return function errors(query, answer) {
    const result = next(query, answer);
    if (typeof result === 'object') return whenAnswered(result, query, answer, look);
    return look(query, answer, result);
  };
}
