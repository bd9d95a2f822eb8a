// Directive `header` -> header flags to set and clear. Control thread.
import type { SetupContext } from '../../chain/plugin.ts';
import type { Directive, Option } from '../../config/directive.ts';

const SELECTORS = ['query', 'response'] as const;
const ACTIONS = ['set', 'clear'] as const;
const FLAGS = ['aa', 'ra', 'rd'] as const;
export type HeaderFlag = (typeof FLAGS)[number];

/** What becomes of each flag; one that is not named stays as it is. */
export type FlagChanges = { readonly [Flag in HeaderFlag]?: boolean };

export type HeaderOptions = { readonly query: FlagChanges; readonly response: FlagChanges };

/**
 * Reads `header { query|response set|clear FLAG.. }`. Only the first directive of a block that changes anything counts; of
 * several actions on a flag the last one.
 *
 * @throws ConfigError `ARGUMENT_COUNT`, `ARGUMENT_VALUE`, `OPTION_UNKNOWN`
 */
export function setupHeader(directives: readonly Directive[], _context: SetupContext): HeaderOptions {
  for (const directive of directives) {
    const changes = { query: {}, response: {} };
    for (const option of directive.options()) {
      const selector = SELECTORS.find((name) => name === option.name.toLowerCase());
      if (selector === undefined) throw directive.unknownOption(option, SELECTORS);
      Object.assign(changes[selector], readFlags(option));
    }
    if (directive.options().length > 0) return changes;
  }
  throw directives[0]!.error(
    'ARGUMENT_COUNT',
    'no flag is changed, write "response set ra" or the like into its block',
  );
}

function readFlags(option: Option): FlagChanges {
  option.expectArguments(2, Number.POSITIVE_INFINITY);
  const action = option.parseWord(option.argument().text.toLowerCase(), ACTIONS);
  return Object.fromEntries(
    option.args.slice(1).map((word) => [option.parseWord(word.text.toLowerCase(), FLAGS), action === 'set']),
  );
}
