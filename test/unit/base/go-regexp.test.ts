// Go's regular expressions: what they match here is what Go matches, what Go refuses is refused.
import test from 'ava';
import { compileGoRegexp, RegexpError } from '../../../lib/base/go-regexp.ts';

const MATCHES: readonly (readonly [pattern: string, text: string, expected: readonly (string | undefined)[] | null])[] =
  [
    ['.* timeout$', 'i/o timeout', ['i/o timeout']],
    ['(?P<name>[a-z]+)\\.(?<tld>org)', 'x example.org', ['example.org', 'example', 'org']],
    ['(?i)EXAMPLE', 'example', ['example']],
    ['(?i:EX)ample', 'exAMPLE', null],
    ['a(?s:.)b', 'a\nb', ['a\nb']],
    ['(?m)^b$', 'a\nb', ['b']],
    ['\\Aab\\z', 'ab', ['ab']],
    ['\\Q[x]\\E+', '[x]]', ['[x]]']],
    ['[[:alpha:]_]+', '12ab_', ['ab_']],
    ['[^[:digit:]]', '1a', ['a']],
    ['[]a]+', 'x]a]', [']a]']],
    ['[a\\-z]+', 'b-a', ['-a']],
    ['[a-]+', 'b-a', ['-a']],
    ['[\\w-.]+', ' a-b.c ', ['a-b.c']],
    ['[[:digit:]-z]+', '5-zy', ['5-z']],
    ['[a-c-e]+', 'xb-ed', ['b-e']],
    ['foo\\-bar', 'foo-bar', ['foo-bar']],
    ['a{,2}', 'a{,2}', ['a{,2}']],
    ['a{2,3}', 'aaaa', ['aaa']],
    ['x}', 'x}', ['x}']],
    ['\\x41\\x{42}\\103', 'ABC', ['ABC']],
    ['\\pL+', '1ä', ['ä']],
    ['\\p{Greek}', 'aα', ['α']],
    ['\\d+\\s\\w', '12 b', ['12 b']],
    ['(a)|(b)', 'b', ['b', undefined, 'b']],
    ['a/b', 'a/b', ['a/b']],
  ];
for (const [pattern, text, expected] of MATCHES) {
  test(`${pattern} on ${JSON.stringify(text)}`, (t) => {
    const match = compileGoRegexp(pattern).exec(text);
    t.deepEqual(match === null ? null : [...match], expected);
  });
}

for (const pattern of [
  '(',
  ')',
  'a(?=b)',
  '(?<!a)b',
  '(a)\\1',
  '[a',
  '[z-a]',
  'a**',
  '\\',
  'x{1001}',
  '\\y',
  '(?P<1>a)',
  '[[:nosuch:]]',
  '\\xZZ',
  '*a',
]) {
  test(`refused: ${pattern}`, (t) => {
    const error = t.throws(() => compileGoRegexp(pattern), { instanceOf: RegexpError });
    t.true(error.message.endsWith(`\`${pattern}\``), error.message);
  });
}
