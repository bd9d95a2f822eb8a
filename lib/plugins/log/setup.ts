// Directive `log` -> rules: which names, which classes of reply, which line. Control thread.
import type { SetupContext } from '../../chain/plugin.ts';
import { RESPONSE_CLASS } from '../../chain/response-type.ts';
import type { Directive } from '../../config/directive.ts';

const OPTIONS = ['class'] as const;
const COMMON_FORMAT =
  '{remote}:{port} - {>id} "{type} {class} {name} {proto} {size} {>do} {>bufsize}" {rcode} {>rflags} {rsize} {duration}';
const COMBINED_FORMAT = `${COMMON_FORMAT} "{>opcode}"`;
const ALL_CLASSES = RESPONSE_CLASS.SUCCESS | RESPONSE_CLASS.DENIAL | RESPONSE_CLASS.ERROR;
const CLASSES: Readonly<Record<string, number>> = {
  all: ALL_CLASSES,
  success: RESPONSE_CLASS.SUCCESS,
  denial: RESPONSE_CLASS.DENIAL,
  error: RESPONSE_CLASS.ERROR,
};

export type LogRule = {
  /** Names at or below this one. */
  readonly name: string;
  readonly format: string;
  /** `RESPONSE_CLASS` bits. */
  readonly classes: number;
};

export type LogOptions = {
  /** The first rule whose name holds the query's decides. */
  readonly rules: readonly LogRule[];
  /** Cell that counts lines dropped because the reader of standard output was too slow. */
  readonly droppedCell: number;
};

/**
 * Reads `log [NAME..] [FORMAT] { class CLASS.. }`, any number of them. One argument is a name; of several the last one is
 * the format when it holds a `{`.
 *
 * @throws ConfigError `OPTION_UNKNOWN`; `ARGUMENT_COUNT` and `ARGUMENT_VALUE` for `class`
 */
export function setupLog(directives: readonly Directive[], context: SetupContext): LogOptions {
  const rules: LogRule[] = [];
  for (const directive of directives) {
    const classes = readClasses(directive);
    let names = directive.values;
    let format = COMMON_FORMAT;
    const last = names.at(-1);
    if (names.length > 1 && last?.includes('{')) {
      format = last.replaceAll('{common}', COMMON_FORMAT).replaceAll('{combined}', COMBINED_FORMAT);
      names = names.slice(0, -1);
    }
    if (names.length === 0) names = ['.'];
    for (const name of names) rules.push({ name, format, classes });
  }
  const droppedCell = context.metrics.counter(
    'clusterdns_log_lines_dropped_total',
    'Counter of query log lines dropped because standard output was not read fast enough.',
  );
  return { rules, droppedCell };
}

function readClasses(directive: Directive): number {
  let classes = 0;
  for (const option of directive.options()) {
    if (option.name !== 'class') throw directive.unknownOption(option, OPTIONS);
    option.expectArguments(1, Number.POSITIVE_INFINITY);
    for (const word of option.args) classes |= CLASSES[option.parseWord(word, Object.keys(CLASSES))]!;
  }
  return classes === 0 ? ALL_CLASSES : classes;
}
