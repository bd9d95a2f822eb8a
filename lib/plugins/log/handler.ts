// Writes a line per query. Worker.
import { LineWriter } from '../../base/line-writer.ts';
import type { Answer } from '../../chain/answer.ts';
import type { Outcome } from '../../chain/outcome.ts';
import type { Env, Handler } from '../../chain/plugin.ts';
import type { Query } from '../../chain/query.ts';
import { classOf, findResponseType, formatResponseClass, formatResponseType } from '../../chain/response-type.ts';
import { ZoneTable } from '../../chain/zone-table.ts';
import { compileFormat, LineBuilder, type Piece } from './line.ts';
import type { LogOptions } from './setup.ts';

const STDOUT = 1;

type CompiledRule = { readonly zone: ZoneTable; readonly pieces: readonly Piece[]; readonly classes: number };

/** `writer` is replaced in tests. */
export function createLogHandler(options: LogOptions, env: Env, writer: LineWriter = new LineWriter(STDOUT)): Handler {
  const { next, clock, cells } = env;
  const rules: readonly CompiledRule[] = options.rules.map(({ name, format, classes }) => ({
    zone: new ZoneTable([name]),
    pieces: compileFormat(format),
    classes,
  }));
  const builder = new LineBuilder();
  env.onClose(() => writer.close());

  function write(
    rule: CompiledRule,
    query: Query,
    qtype: number,
    answer: Answer,
    outcome: Outcome,
    startMs: number,
  ): Outcome {
    const type = findResponseType(query, answer, outcome);
    const responseClass = classOf(type);
    if (query.metadata !== undefined) {
      query.metadata.set('log/type', formatResponseType(type));
      query.metadata.set('log/class', formatResponseClass(responseClass));
    }
    if ((rule.classes & responseClass) === 0) return outcome;
    const at = writer.begin();
    if (at === -1) cells[options.droppedCell]!++;
    else {
      const durationMs = clock.monotonicMs() - startMs;
      writer.commit(builder.build(writer.bytes, at, rule.pieces, query, qtype, answer, outcome, durationMs));
    }
    return outcome;
  }

  return function log(query, answer) {
    const rule = findRule(rules, query);
    if (rule === undefined) return next(query, answer);
    const { qtype } = query;
    const startMs = clock.monotonicMs();
    const result = next(query, answer);
    if (typeof result === 'object') return waitFor(result, rule, query, qtype, answer, startMs);
    return write(rule, query, qtype, answer, result, startMs);
  };

  // Apart, so that only queries that wait need an object for what is remembered.
  function waitFor(
    result: Promise<Outcome>,
    rule: CompiledRule,
    query: Query,
    qtype: number,
    answer: Answer,
    startMs: number,
  ): Promise<Outcome> {
    return result.then((outcome) => write(rule, query, qtype, answer, outcome, startMs));
  }
}

function findRule(rules: readonly CompiledRule[], query: Query): CompiledRule | undefined {
  for (let i = 0; i < rules.length; i++) if (rules[i]!.zone.match(query) !== -1) return rules[i];
  return undefined;
}
