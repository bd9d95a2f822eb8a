// Counts every query that reaches the block and what came of it. Worker.
import type { Answer } from '../../chain/answer.ts';
import type { Outcome } from '../../chain/outcome.ts';
import type { Env, Handler } from '../../chain/plugin.ts';
import type { Query } from '../../chain/query.ts';
import { countRequest, secondsBetween } from './metrics.ts';
import type { PrometheusOptions } from './setup.ts';

/** Of this many queries that are answered at once one is timed; its time stands for the others. A power of two. */
const SAMPLE_EVERY = 16;

export function createPrometheusHandler(options: PrometheusOptions, env: Env): Handler {
  const { next, clock, cells } = env;
  const { zoneCount } = options;
  const tables = options.cells;
  showEnabled(options, env);
  let queries = 0;
  let sampledSeconds = 0;

  function waitFor(result: Promise<Outcome>, query: Query, answer: Answer, startMs: number): Promise<Outcome> {
    const at = tables[query.server * zoneCount + query.zone];
    const { qtype } = query;
    return result.then((outcome) => {
      const durationSeconds = secondsBetween(startMs, clock.monotonicMs());
      if (at !== undefined) countRequest(cells, at, query, qtype, answer, outcome, durationSeconds);
      return outcome;
    });
  }

  return function prometheus(query, answer) {
    const { qtype } = query;
    const isSample = (queries++ & (SAMPLE_EVERY - 1)) === 0;
    const startMs = isSample ? clock.monotonicMs() : 0;
    const result = next(query, answer);
    if (typeof result === 'object') return waitFor(result, query, answer, isSample ? startMs : query.receivedMs);
    // Times are numbers that would be kept in objects of their own: one in sixteen is.
    if (isSample) sampledSeconds = secondsBetween(startMs, clock.monotonicMs());
    const at = tables[query.server * zoneCount + query.zone];
    if (at !== undefined) countRequest(cells, at, query, qtype, answer, result, sampledSeconds);
    return result;
  };
}

/** One worker says it for all. Old and new configuration may overlap, hence counting up and down instead of 1 and 0. */
function showEnabled({ enabled }: PrometheusOptions, env: Env): void {
  const { cells } = env;
  if (env.worker !== 0) return;
  for (const cell of enabled) cells[cell]!++;
  env.onClose(() => {
    for (const cell of enabled) cells[cell]!--;
  });
}
