// An expression written out for the two engines that run it. Pure; both kinds of thread.
import type { CharSet } from './char-set.ts';
import type { Place, RegexpNode } from './ast.ts';

type Dialect = {
  readonly places: Readonly<Record<Place, string>>;
  readonly writeChars: (chars: CharSet) => string;
};

/** For the flag `u`. `^` and `$` of JavaScript know more line ends than Go's with the flag m. */
const JAVASCRIPT: Dialect = {
  places: {
    TEXT_START: '^',
    TEXT_END: '$',
    LINE_START: '(?<![^\\n])',
    LINE_END: '(?![^\\n])',
    WORD_EDGE: '\\b',
    NO_WORD_EDGE: '\\B',
  },
  writeChars: ({ source }) => source,
};

const RE2: Dialect = {
  places: {
    TEXT_START: '\\A',
    TEXT_END: '\\z',
    LINE_START: '(?m:^)',
    LINE_END: '(?m:$)',
    WORD_EDGE: '\\b',
    NO_WORD_EDGE: '\\B',
  },
  // Properties as the code points that V8 says have them: the two do not know the same names, nor the same Unicode.
  writeChars: ({ source }) =>
    source.replaceAll(/\\[pP]\{[^}]*\}/g, writeMembers).replaceAll(/\\u\{([0-9a-f]+)\}/g, '\\x{$1}'),
};

const LAST_CODE_POINT = 0x10ffff;

/** Groups keep their numbers and lose their names. */
export function toJavaScript(node: RegexpNode): string {
  return write(node, JAVASCRIPT);
}

/** Groups keep their numbers and lose their names. */
export function toRe2(node: RegexpNode): string {
  return write(node, RE2);
}

function write(node: RegexpNode, dialect: Dialect): string {
  switch (node.kind) {
    case 'empty':
      return '(?:)';
    case 'chars':
      return dialect.writeChars(node.chars);
    case 'place':
      return dialect.places[node.place];
    case 'group':
      return `(${write(node.body, dialect)})`;
    case 'sequence':
      return node.parts.map((part) => write(part, dialect)).join('');
    case 'choice':
      return `(?:${node.parts.map((part) => write(part, dialect)).join('|')})`;
    case 'repeat': {
      const max = node.max === Number.POSITIVE_INFINITY ? '' : node.max;
      return `(?:${write(node.body, dialect)}){${node.min},${max}}${node.isGreedy ? '' : '?'}`;
    }
  }
}

/** The ranges of code points that a property (`\p{L}`, `\P{L}`) stands for, to be put between brackets. */
function writeMembers(property: string): string {
  const pattern = new RegExp(property, 'u');
  let ranges = '';
  let first = -1;
  for (let codePoint = 0; codePoint <= LAST_CODE_POINT + 1; codePoint++) {
    const isMember = codePoint <= LAST_CODE_POINT && pattern.test(String.fromCodePoint(codePoint));
    if (isMember && first === -1) first = codePoint;
    if (isMember || first === -1) continue;
    ranges += `\\x{${first.toString(16)}}-\\x{${(codePoint - 1).toString(16)}}`;
    first = -1;
  }
  return ranges;
}
