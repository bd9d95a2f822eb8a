// Words of a Corefile and their lines.
import test from 'ava';
import { splitWords } from '../../../lib/config/lexer.ts';

const CASES: readonly (readonly [string, string, readonly (readonly [string, number])[]])[] = [
  [
    'words are parted by white space',
    'a\tb\u00a0c\u2028d\n e',
    [
      ['a', 1],
      ['b', 1],
      ['c', 1],
      ['d', 1],
      ['e', 2],
    ],
  ],
  [
    'a carriage return is dropped, also within a word',
    'a\r\nb\rc',
    [
      ['a', 1],
      ['bc', 2],
    ],
  ],
  ['one byte order mark at the start is dropped, another is text', '\ufeff\ufeffa', [['\ufeffa', 1]]],
  [
    'a comment lasts to the end of the line',
    'a # b "c\nd',
    [
      ['a', 1],
      ['d', 2],
    ],
  ],
  [
    'a comment within a word lasts to the end of the word',
    'a#b c',
    [
      ['a', 1],
      ['c', 1],
    ],
  ],
  [
    'a quoted word keeps white space and #',
    '"a # b" c',
    [
      ['a # b', 1],
      ['c', 1],
    ],
  ],
  [
    'a quoted word carries the line it starts on',
    'a "b\nc" d',
    [
      ['a', 1],
      ['b\nc', 1],
      ['d', 2],
    ],
  ],
  [
    'an empty quoted word is a word',
    'a ""',
    [
      ['a', 1],
      ['', 1],
    ],
  ],
  [
    'text after a closing quote is a word of its own',
    '"a"b',
    [
      ['a', 1],
      ['b', 1],
    ],
  ],
  [
    'a quote within a word is text',
    'a"b c"',
    [
      ['a"b', 1],
      ['c"', 1],
    ],
  ],
  [
    'a backslash escapes a quote and nothing else',
    String.raw`"a\"b\n\\" c\"`,
    [
      [String.raw`a"b\n\\`, 1],
      [String.raw`c\"`, 1],
    ],
  ],
  [
    'an unclosed quote takes the rest',
    'a "b\nc',
    [
      ['a', 1],
      ['b\nc', 1],
    ],
  ],
  ['a lone quote at the end is nothing', 'a "', [['a', 1]]],
  [
    'braces are words only when they stand alone',
    'a{ { }',
    [
      ['a{', 1],
      ['{', 1],
      ['}', 1],
    ],
  ],
  ['nothing has no words', '\ufeff\n # x', []],
];
for (const [title, text, expected] of CASES)
  test(title, (t) => {
    t.deepEqual(
      splitWords(text, 'f').map((token) => [token.text, token.line]),
      expected.map(([word, line]) => [word, line]),
    );
  });
