// Directive `chaos` -> texts for the version and author queries of class CH. Control thread.
import os from 'node:os';
import type { SetupContext } from '../../chain/plugin.ts';
import type { Directive } from '../../config/directive.ts';

/** What one character-string holds. */
const MAX_TEXT_BYTES = 255;
const DEFAULT_VERSION = 'clusterdns';
const DEFAULT_AUTHORS = ['The clusterdns authors'] as const;

/** Texts as bytes of at most 255. */
export type ChaosOptions = {
  readonly version: Uint8Array;
  readonly authors: readonly Uint8Array[];
  readonly hostname: Uint8Array;
};

/**
 * Reads `chaos [VERSION [AUTHOR..]]`; a second one in the block is ignored. Lets classes other than IN reach the plugins.
 *
 * @throws ConfigError `OPTION_UNKNOWN` when a block with something in it follows
 */
export function setupChaos(directives: readonly Directive[], context: SetupContext): ChaosOptions {
  const directive = directives[0]!;
  const [option] = directive.options();
  if (option !== undefined) throw directive.unknownOption(option, []);
  const [version = DEFAULT_VERSION, ...given] = directive.values;
  const authors = given.length === 0 ? DEFAULT_AUTHORS : [...new Set(given)].sort();
  context.listener.anyClass = true;
  return { version: toText(version), authors: authors.map(toText), hostname: toText(os.hostname() || 'localhost') };
}

function toText(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text).subarray(0, MAX_TEXT_BYTES));
}
