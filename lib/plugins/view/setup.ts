// Directive `view` -> which queries the server block takes. Control thread.
import { expectOnce } from '../../chain/expect-once.ts';
import type { SetupContext } from '../../chain/plugin.ts';
import { compileQueryFilter } from '../../chain/query-filter.ts';
import type { Directive, Option } from '../../config/directive.ts';

/** Conditions that must all hold; they go to the router with the plan. */
export type ViewOptions = { readonly name: string; readonly expressions: readonly string[] };

/**
 * Reads `view NAME { expr EXPRESSION }`, once in a block, `expr` any number of times.
 *
 * @throws ConfigError `DIRECTIVE_REPEATED`, `ARGUMENT_COUNT`, `ARGUMENT_VALUE`, `OPTION_UNKNOWN`
 */
export function setupView(directives: readonly Directive[], _context: SetupContext): ViewOptions {
  const directive = expectOnce(directives);
  directive.expectArguments(1);
  return {
    name: directive.argument().text,
    expressions: directive.options().map((option) => readExpression(directive, option)),
  };
}

function readExpression(directive: Directive, option: Option): string {
  if (option.name !== 'expr') throw directive.unknownOption(option, ['expr']);
  const text = option.values.join(' ');
  try {
    compileQueryFilter([text]);
    return text;
  } catch (error) {
    throw option.error('ARGUMENT_VALUE', `expr: ${(error as Error).message}`);
  }
}
