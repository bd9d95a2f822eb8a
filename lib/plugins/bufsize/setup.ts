// Directive `bufsize` -> the largest UDP payload size. Control thread.
import type { SetupContext } from '../../chain/plugin.ts';
import type { Directive } from '../../config/directive.ts';

/** What every network path carries without fragments (DNS flag day 2020). */
const DEFAULT_SIZE_BYTES = 1232;

export type BufsizeOptions = { readonly sizeBytes: number };

/**
 * Reads `bufsize [SIZE]`; a second one in the block is ignored.
 *
 * @throws ConfigError `ARGUMENT_COUNT`; `ARGUMENT_VALUE` outside 512 to 4096
 */
export function setupBufsize(directives: readonly Directive[], context: SetupContext): BufsizeOptions {
  const directive = directives[0]!;
  directive.expectArguments(0, 1);
  if (directive.block !== undefined) context.warn('plugin/bufsize: the block is ignored, bufsize has no options');
  const given = directive.args[0];
  return {
    sizeBytes: given === undefined ? DEFAULT_SIZE_BYTES : directive.parseInteger(given, { min: 512, max: 4096 }),
  };
}
