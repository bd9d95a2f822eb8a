// Words of one server block -> Directive objects, with CoreDNS's idea of where a block opens. Control thread.
import { quote } from '../base/quote.ts';
import { Directive, Option, type Token } from './directive.ts';
import { isSameLine, type RawDirective, type Warning } from './parser.ts';

/** A word and the number of the directive it was written in. */
type Word = { readonly token: Token; readonly origin: number };

/**
 * Makes a block's directives.
 *
 * A plugin of CoreDNS gets the words of all its directives in the block in one row and reads them line by line, which
 * shows in two places: a `{` on its own line does not open the block of the line above but counts as one more use of
 * the directive (a warning tells), and a snippet imported twice in a row puts two uses on one line.
 *
 * @returns in the order of the text
 */
export function groupDirectives(raw: readonly RawDirective[], warnings: Warning[]): Directive[] {
  const rows = new Map<string, Word[]>();
  for (const [origin, { name, tokens }] of raw.entries()) {
    const row = rows.get(name) ?? [];
    if (row.length === 0) rows.set(name, row);
    row.push({ token: { ...tokens[0]!, text: name }, origin });
    for (const token of tokens.slice(1)) row.push({ token, origin });
  }
  const found: { readonly origin: number; readonly directive: Directive }[] = [];
  for (const [name, row] of rows) {
    for (let at = 0; at < row.length; ) {
      const { token, origin } = row[at]!;
      if (token.text === '{') {
        const message = `${name}: this "{" opens no block, it must stand on the line of ${quote(name)}`;
        warnings.push({ message, file: token.file, line: token.line });
      }
      const reading = readDirective(name, row, at);
      if (row.slice(at, reading.end).some((word) => word.origin !== origin)) {
        const message = `${name}: this line is imported twice, the second ${quote(name)} counts as an argument of the first`;
        warnings.push({ message, file: token.file, line: token.line });
      }
      found.push({ origin, directive: reading.directive });
      at = reading.end;
    }
  }
  return found.sort((a, b) => a.origin - b.origin).map(({ directive }) => directive);
}

function readDirective(owner: string, row: readonly Word[], start: number): { directive: Directive; end: number } {
  const name = row[start]!.token;
  const args = readArguments(row, start);
  let at = start + 1 + args.length;
  const brace = row[at]?.token;
  if (brace?.text !== '{' || !isSameLine(row[at - 1]!.token, brace)) {
    return { directive: new Directive(owner, name, args), end: at };
  }
  const options: Option[] = [];
  for (at++; at < row.length && row[at]!.token.text !== '}'; ) {
    const optionArgs = readArguments(row, at);
    options.push(new Option(owner, row[at]!.token, optionArgs));
    at += 1 + optionArgs.length;
  }
  const endLine = (row[at] ?? row.at(-1)!).token.line;
  return { directive: new Directive(owner, name, args, { line: brace.line, endLine, options }), end: at + 1 };
}

/** The words after the one at `start` up to the end of its line or a `{`. */
function readArguments(row: readonly Word[], start: number): Token[] {
  const args: Token[] = [];
  for (let at = start + 1; at < row.length; at++) {
    const { token } = row[at]!;
    if (token.text === '{' || !isSameLine(row[at - 1]!.token, token)) break;
    args.push(token);
  }
  return args;
}
