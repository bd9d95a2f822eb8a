// Directive `pprof` -> a service that hands out profiles over HTTP. Control thread.
import { splitHostPort } from '../../base/ip-address.ts';
import { expectOnce } from '../../chain/expect-once.ts';
import type { SetupContext } from '../../chain/plugin.ts';
import type { Directive } from '../../config/directive.ts';

const DEFAULT_ADDRESS = 'localhost:6053';
const OPTIONS = ['block'] as const;

/** `pprof` has no handler. */
export type PprofOptions = undefined;

/**
 * Reads `pprof [ADDRESS:PORT] { block [RATE] }`. `block` is Go's alone: it is checked and changes nothing.
 *
 * @throws ConfigError `DIRECTIVE_REPEATED`, `ARGUMENT_COUNT`, `ARGUMENT_VALUE`, `OPTION_UNKNOWN`
 */
export function setupPprof(directives: readonly Directive[], context: SetupContext): PprofOptions {
  const directive = expectOnce(directives);
  directive.expectArguments(0, 1);
  const given = directive.args[0];
  if (given !== undefined && splitHostPort(given.text) === undefined) {
    throw directive.valueError(given, 'an address with a port (:6053, 127.0.0.1:6053)');
  }
  for (const option of directive.options()) {
    if (option.name !== 'block') throw directive.unknownOption(option, OPTIONS);
    option.expectArguments(0, 1);
    if (option.args.length === 1) option.parseInteger(option.argument());
    context.warn('plugin/pprof: block has no meaning here: there are no goroutines that wait for one another');
  }
  context.addService({ kind: 'pprof', address: given?.text ?? DEFAULT_ADDRESS });
}
