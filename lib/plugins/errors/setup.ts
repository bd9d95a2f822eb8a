// Directive `errors` -> which errors are put together in one line. Control thread.
import { expectOnce } from '../../chain/expect-once.ts';
import { compileGoRegexp } from '../../base/go-regexp.ts';
import type { SetupContext } from '../../chain/plugin.ts';
import type { Directive, Option } from '../../config/directive.ts';
import { createGuardMemory } from './flood-guard.ts';

const OPTIONS = ['stacktrace', 'consolidate', 'each'] as const;
const LEVELS = ['warning', 'error', 'info', 'debug'] as const;
const MAX_PATTERN_LENGTH = 10_000;

export type ErrorsLevel = (typeof LEVELS)[number];

/** Errors whose text matches `pattern` (Go's syntax) become one line a period. */
export type Consolidation = {
  readonly pattern: string;
  readonly periodMs: number;
  readonly level: ErrorsLevel;
  readonly showFirst: boolean;
};

export type ErrorsOptions = {
  readonly consolidations: readonly Consolidation[];
  /** What the workers share to count floods; undefined when every error is to be a line. */
  readonly guard: SharedArrayBuffer | undefined;
};

/**
 * Reads `errors [stdout] { stacktrace ; each ; consolidate DURATION REGEXP [LEVEL] [show_first] }`. The first pattern that matches
 * takes the error.
 *
 * @throws ConfigError `ARGUMENT_COUNT`, `ARGUMENT_VALUE`, `OPTION_UNKNOWN`, `OPTION_CONFLICT`, `DIRECTIVE_REPEATED`
 */
export function setupErrors(directives: readonly Directive[], _context: SetupContext): ErrorsOptions {
  const directive = expectOnce(directives);
  directive.expectArguments(0, 1);
  const [output] = directive.args;
  if (output !== undefined) directive.parseWord(output, ['stdout']);
  const consolidations: Consolidation[] = [];
  let isEach = false;
  for (const option of directive.options()) {
    if (option.name === 'consolidate') consolidations.push(readConsolidate(option));
    else if (option.name === 'each') {
      option.expectArguments(0);
      isEach = true;
    }
    // Faults carry their stack in any case.
    else if (option.name !== 'stacktrace') throw directive.unknownOption(option, OPTIONS);
  }
  return { consolidations, guard: isEach ? undefined : createGuardMemory() };
}

function readConsolidate(option: Option): Consolidation {
  option.expectArguments(2, 4);
  const periodMs = option.parseDuration(option.argument());
  const pattern = option.argument(1).text;
  if (pattern.length > MAX_PATTERN_LENGTH) {
    throw option.error('ARGUMENT_VALUE', `consolidate: pattern is longer than ${MAX_PATTERN_LENGTH} characters`);
  }
  try {
    compileGoRegexp(pattern);
  } catch (error) {
    throw option.error('ARGUMENT_VALUE', `consolidate: ${(error as Error).message}`);
  }
  let level: ErrorsLevel | undefined;
  let showFirst = false;
  for (const word of option.args.slice(2)) {
    const value = option.parseWord(word, [...LEVELS, 'show_first'] as const);
    if (value === 'show_first') {
      showFirst = true;
      continue;
    }
    if (level !== undefined) throw option.error('OPTION_CONFLICT', 'consolidate: two log levels, keep one');
    if (showFirst) throw option.error('ARGUMENT_VALUE', 'consolidate: the log level must come before show_first');
    level = value;
  }
  return { pattern, periodMs, level: level ?? 'error', showFirst };
}
