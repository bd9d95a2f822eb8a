// Directive `metadata`. Control thread.
import type { SetupContext } from '../../chain/plugin.ts';
import type { Directive } from '../../config/directive.ts';

/** Zones whose queries collect values before the chain runs; values set while answering appear everywhere. */
export type MetadataOptions = { readonly zones: readonly string[] };

/**
 * Reads `metadata [ZONE..]`.
 *
 * @throws ConfigError `ARGUMENT_COUNT` when a block follows, `DIRECTIVE_REPEATED`
 */
export function setupMetadata(directives: readonly Directive[], context: SetupContext): MetadataOptions {
  const [directive, second] = directives;
  directive!.expectNoBlock();
  if (second !== undefined) throw second.error('DIRECTIVE_REPEATED', 'can stand once in a server block');
  return { zones: directive!.parseZones(directive!.args, context.zones) };
}
