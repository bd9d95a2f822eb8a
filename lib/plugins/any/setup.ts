// Directive `any`. Control thread.
import type { SetupContext } from '../../chain/plugin.ts';
import type { Directive } from '../../config/directive.ts';

/** What a worker needs to run `any`; crosses threads as plain data. */
export type AnyOptions = { readonly hinfoTtlSeconds: number };

/**
 * Reads `any`.
 *
 * @throws ConfigError `ARGUMENT_COUNT` when something follows the directive
 */
export function setupAny(directives: readonly Directive[], _context: SetupContext): AnyOptions {
  const directive = directives[0]!;
  directive.expectArguments(0);
  directive.expectNoBlock();
  return { hinfoTtlSeconds: 8482 };
}
