// Directive `https` -> how many connections the block's https listeners keep. Control thread.
import { expectOnce } from '../../chain/expect-once.ts';
import type { SetupContext } from '../../chain/plugin.ts';
import type { Directive } from '../../config/directive.ts';

const OPTIONS = ['max_connections'] as const;

/** `https` has no handler. */
export type HttpsOptions = undefined;

/**
 * Reads `https { max_connections N }`; 0 means no limit.
 *
 * @throws ConfigError `DIRECTIVE_REPEATED`, `ARGUMENT_COUNT`, `ARGUMENT_VALUE`, `OPTION_UNKNOWN`, `OPTION_CONFLICT`
 */
export function setupHttps(directives: readonly Directive[], context: SetupContext): HttpsOptions {
  const directive = expectOnce(directives);
  directive.expectArguments(0);
  let given = false;
  for (const option of directive.options()) {
    if (option.name !== 'max_connections') throw directive.unknownOption(option, OPTIONS);
    option.expectArguments(1);
    if (given) throw option.error('OPTION_CONFLICT', 'max_connections is given twice');
    given = true;
    context.listener.httpsConnections = option.parseInteger(option.argument(), { min: 0 });
  }
}
