// Directive `root` -> the folder that relative paths of the block start from. Control thread.
import fs from 'node:fs';
import type { SetupContext } from '../../chain/plugin.ts';
import type { Directive } from '../../config/directive.ts';

/** `root` has no handler. */
export type RootOptions = undefined;

/**
 * Reads `root PATH`; of several the last one counts. A folder that does not exist yet is a warning.
 *
 * @throws ConfigError `ARGUMENT_COUNT`; `FILE` when the path cannot be looked at
 */
export function setupRoot(directives: readonly Directive[], context: SetupContext): RootOptions {
  for (const directive of directives) {
    directive.expectArguments(1);
    directive.expectNoBlock();
    context.root = directive.argument().text;
  }
  try {
    fs.statSync(context.root);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT') throw directives.at(-1)!.error('FILE', `cannot look at ${context.root}: ${message}`);
    context.warn(`plugin/root: folder does not exist: ${context.root}`);
  }
}
