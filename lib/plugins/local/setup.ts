// Directive `local` -> which names count as this machine's. Control thread.
import type { SetupContext } from '../../chain/plugin.ts';
import type { Directive } from '../../config/directive.ts';

const OPTIONS = ['localhost_prefix'] as const;

export type LocalOptions = {
  /** Whether `localhost.` in front of any name makes it local. */
  readonly localhostPrefix: boolean;
  /** Counter of answered names next to `localhost.` itself. */
  readonly localhostCell: number;
};

/**
 * Reads `local { localhost_prefix on|off }`.
 *
 * @throws ConfigError `ARGUMENT_COUNT`, `ARGUMENT_VALUE`, `OPTION_UNKNOWN`
 */
export function setupLocal(directives: readonly Directive[], context: SetupContext): LocalOptions {
  let localhostPrefix = true;
  for (const directive of directives) {
    directive.expectArguments(0);
    for (const option of directive.options()) {
      if (option.name !== 'localhost_prefix') throw directive.unknownOption(option, OPTIONS);
      option.expectArguments(1);
      localhostPrefix = option.parseWord(option.argument(), ['on', 'off']) === 'on';
    }
  }
  const localhostCell = context.metrics.counter(
    'coredns_local_localhost_requests_total',
    'Queries for names below localhost or that start with it.',
    {},
    true,
  );
  return { localhostPrefix, localhostCell };
}
