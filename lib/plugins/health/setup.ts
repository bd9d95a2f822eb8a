// Directive `health` -> a service that answers /health over HTTP. Control thread.
import type { SetupContext } from '../../chain/plugin.ts';
import { splitHostPort } from '../../base/ip-address.ts';
import type { Directive } from '../../config/directive.ts';

const DEFAULT_ADDRESS = ':8080';
const OPTIONS = ['lameduck'] as const;

/** `health` has no handler. */
export type HealthOptions = undefined;

/**
 * Reads `health [ADDRESS:PORT] { lameduck DURATION }`. Of several in one block the last one counts.
 *
 * @throws ConfigError `ARGUMENT_COUNT`, `ARGUMENT_VALUE`, `OPTION_UNKNOWN`
 */
export function setupHealth(directives: readonly Directive[], context: SetupContext): HealthOptions {
  let address = DEFAULT_ADDRESS;
  let lameduckMs = 0;
  for (const directive of directives) {
    directive.expectArguments(0, 1);
    const given = directive.args[0];
    if (given !== undefined) {
      if (splitHostPort(given.text) === undefined) {
        throw directive.valueError(given, 'an address with a port (:8080, 127.0.0.1:8080)');
      }
      address = given.text;
    }
    for (const option of directive.options()) {
      if (option.name !== 'lameduck') throw directive.unknownOption(option, OPTIONS);
      option.expectArguments(1);
      lameduckMs = Math.max(0, option.parseDuration(option.argument()));
    }
  }
  context.addService({ kind: 'health', address, lameduckMs });
}
