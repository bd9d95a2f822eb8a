// Directive `ready` -> a service that answers /ready over HTTP. Control thread.
import { splitHostPort } from '../../base/ip-address.ts';
import { expectOnce } from '../../chain/expect-once.ts';
import type { SetupContext } from '../../chain/plugin.ts';
import type { Directive } from '../../config/directive.ts';

const DEFAULT_ADDRESS = ':8181';
const OPTIONS = ['monitor'] as const;
const MODES = ['until-ready', 'continuously'] as const;

/** `ready` has no handler. */
export type ReadyOptions = undefined;

/**
 * Reads `ready [ADDRESS:PORT] { monitor until-ready|continuously }`.
 *
 * @throws ConfigError `ARGUMENT_COUNT`, `ARGUMENT_VALUE`, `OPTION_UNKNOWN`, `DIRECTIVE_REPEATED`
 */
export function setupReady(directives: readonly Directive[], context: SetupContext): ReadyOptions {
  const directive = expectOnce(directives);
  directive.expectArguments(0, 1);
  const given = directive.args[0];
  if (given !== undefined && splitHostPort(given.text) === undefined) {
    throw directive.valueError(given, 'an address with a port (:8181, 127.0.0.1:8181)');
  }
  let mode: (typeof MODES)[number] = 'until-ready';
  for (const option of directive.options()) {
    if (option.name !== 'monitor') throw directive.unknownOption(option, OPTIONS);
    option.expectArguments(1);
    mode = option.parseWord(option.argument(), MODES);
  }
  context.addService({ kind: 'ready', address: given?.text ?? DEFAULT_ADDRESS, mode });
}
