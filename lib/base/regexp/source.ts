// An expression in JavaScript's syntax, for the flag `u`. Pure; both kinds of thread.
import type { Place, RegexpNode } from './ast.ts';

/** `^` and `$` of JavaScript know more line ends than Go's with the flag m. */
const PLACES: Readonly<Record<Place, string>> = {
  TEXT_START: '^',
  TEXT_END: '$',
  LINE_START: '(?<![^\\n])',
  LINE_END: '(?![^\\n])',
  WORD_EDGE: '\\b',
  NO_WORD_EDGE: '\\B',
};

/** Groups keep their numbers and lose their names. */
export function toJavaScript(node: RegexpNode): string {
  switch (node.kind) {
    case 'empty':
      return '(?:)';
    case 'chars':
      return node.chars.source;
    case 'place':
      return PLACES[node.place];
    case 'group':
      return `(${toJavaScript(node.body)})`;
    case 'sequence':
      return node.parts.map(toJavaScript).join('');
    case 'choice':
      return `(?:${node.parts.map(toJavaScript).join('|')})`;
    case 'repeat': {
      const max = node.max === Number.POSITIVE_INFINITY ? '' : node.max;
      return `(?:${toJavaScript(node.body)}){${node.min},${max}}${node.isGreedy ? '' : '?'}`;
    }
  }
}
