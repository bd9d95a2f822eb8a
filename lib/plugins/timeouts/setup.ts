// Directive `timeouts` -> limits of the block's TCP and TLS listeners. Control thread.
import type { SetupContext } from '../../chain/plugin.ts';
import type { Directive, Option } from '../../config/directive.ts';

const OPTIONS = ['read', 'write', 'idle', 'maxtcpqueries'] as const;
const RANGE_MS = { min: 1000, max: 24 * 3_600_000 } as const;

/** `timeouts` has no handler. */
export type TimeoutsOptions = undefined;

/**
 * Reads `timeouts { read D ; write D ; idle D ; maxtcpqueries N }`; a duration without unit is in seconds.
 *
 * @throws ConfigError `ARGUMENT_COUNT` also for an empty block, `ARGUMENT_VALUE` outside 1 s to 24 h, `OPTION_UNKNOWN`
 */
export function setupTimeouts(directives: readonly Directive[], context: SetupContext): TimeoutsOptions {
  for (const directive of directives) {
    directive.expectArguments(0);
    const options = directive.options();
    if (options.length === 0) throw directive.error('ARGUMENT_COUNT', 'no timeout is given, set read, write or idle');
    for (const option of options) readOption(directive, option, context);
  }
}

function readOption(directive: Directive, option: Option, { listener }: SetupContext): void {
  option.expectArguments(1);
  const value = option.argument();
  switch (option.name) {
    case 'read':
      listener.readTimeoutMs = parseTimeout(option);
      break;
    case 'write':
      listener.writeTimeoutMs = parseTimeout(option);
      break;
    case 'idle':
      listener.idleTimeoutMs = parseTimeout(option);
      break;
    case 'maxtcpqueries': {
      const count = option.parseInteger(value);
      if (count === 0 || count < -1) throw option.valueError(value, 'a count of at least 1, or -1 for no limit');
      listener.maxQueriesPerConnection = count;
      break;
    }
    default:
      throw directive.unknownOption(option, OPTIONS);
  }
}

function parseTimeout(option: Option): number {
  const { text, line, file } = option.argument();
  const withUnit = /^[+-]?\d+$/.test(text) ? `${text}s` : text;
  return option.parseDuration({ text: withUnit, line, file }, RANGE_MS);
}
