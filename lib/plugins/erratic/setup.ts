// Directive `erratic` -> which answers go wrong and how. Control thread.
import type { SetupContext } from '../../chain/plugin.ts';
import type { Directive, Option } from '../../config/directive.ts';

const OPTIONS = ['drop', 'delay', 'truncate', 'large'] as const;
const DEFAULT_EVERY = 2;
const DEFAULT_DELAY_MS = 100;
/** It says that it is ready after this many queries, and no more after that many. */
const READY_FROM = 3;
const READY_BELOW = 5;

/** Each number is "every n-th query"; 0 is never. */
export type ErraticOptions = {
  readonly drop: number;
  readonly delay: number;
  readonly delayMs: number;
  readonly truncate: number;
  /** Answers to A hold 30 records. */
  readonly large: boolean;
  /** Cell that counts its queries. */
  readonly queries: number;
};

/**
 * Reads `erratic { drop [N] ; truncate [N] ; delay [N [DURATION]] ; large }`. Every second query is dropped unless another
 * fault is asked for.
 *
 * @throws ConfigError `ARGUMENT_COUNT`, `ARGUMENT_VALUE`, `OPTION_UNKNOWN`
 */
export function setupErratic(directives: readonly Directive[], context: SetupContext): ErraticOptions {
  let drop: number | undefined;
  let delay = 0;
  let delayMs = DEFAULT_DELAY_MS;
  let truncate = 0;
  let large = false;
  for (const directive of directives) {
    for (const option of directive.options()) {
      switch (option.name) {
        case 'drop':
          // `drop` alone names the default and does not insist on it.
          if (option.args.length > 0) drop = readEvery(option, 1);
          break;
        case 'delay':
          delay = readEvery(option, 2);
          delayMs = option.args[1] === undefined ? DEFAULT_DELAY_MS : option.parseDuration(option.args[1]);
          break;
        case 'truncate':
          truncate = readEvery(option, 1);
          break;
        case 'large':
          large = true;
          break;
        default:
          throw directive.unknownOption(option, OPTIONS);
      }
    }
  }
  const dropByDefault = delay > 0 || truncate > 0 ? 0 : DEFAULT_EVERY;
  const queries = context.metrics.counter('clusterdns_erratic_queries_total', 'Queries that erratic was asked.');
  context.addService({ kind: 'readiness', plugin: 'erratic', cell: queries, from: READY_FROM, below: READY_BELOW });
  return { drop: drop ?? dropByDefault, delay, delayMs: Math.max(0, delayMs), truncate, large, queries };
}

function readEvery(option: Option, maxArguments: number): number {
  option.expectArguments(0, maxArguments);
  const given = option.args[0];
  return given === undefined ? DEFAULT_EVERY : option.parseInteger(given, { min: 0, max: 2 ** 31 - 1 });
}
