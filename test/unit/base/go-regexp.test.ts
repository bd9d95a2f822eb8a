// Go's regular expressions: what they match here is what Go matches, what Go refuses is refused.
import test from 'ava';
import * as fc from 'fast-check';
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
    ['a(?i)b|c', 'C', ['C']],
    ['(?:(?i)a)b', 'Ab', ['Ab']],
    ['(?U)a+', 'aaa', ['a']],
    ['(?U)a+?', 'aaa', ['aaa']],
    ['a.b', 'a\rb', ['a\rb']],
    ['(?m)a$', 'a\rb', null],
    ['[[:^digit:]]+', '12ab', ['ab']],
    ['[^\\W_]+', '_ab', ['ab']],
    ['(?i)[^a]', 'A', null],
    ['(?i)K', '\u212a', ['\u212a']],
    ['\\Qa.b\\E{2}', 'a.bb', ['a.bb']],
    ['^*a', 'a', ['a']],
    ['(?P<1>a)', 'a', ['a', 'a']],
    ['a(?i)*', 'aaA', ['aa']],
    ['\\p{Lc}\\p{greek}\\p{Letter}\\p{ASCII}', 'Aαxy', ['Aαxy']],
    ['(?:(a)|b)*', 'ab', ['ab', 'a']],
    ['(a*)+', 'b', ['', '']],
    ['(|a)*', 'aa', ['', '']],
    ['(|a)+', 'aa', ['', '']],
    ['a|ab|abc', 'abc', ['a']],
    ['(?:a{2}){3}', 'aaaaaaa', ['aaaaaa']],
    ['\\bfoo\\b', 'a foo', ['foo']],
    ['x*', '\u{1f600}', ['']],
    ['^.$', '\u{1f600}', ['\u{1f600}']],
  ];
for (const [pattern, text, expected] of MATCHES) {
  test(`${pattern} on ${JSON.stringify(text)}`, (t) => {
    const regexp = compileGoRegexp(pattern);
    for (const match of [regexp.exec(text), regexp.execLinear(text)])
      t.deepEqual(match ? [...match.groups] : null, expected);
    t.is(regexp.test(text), expected !== null);
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
  '(?P<a-b>a)',
  '(?>a)',
  'a*+',
  'a{2}{3}',
  'a{2,1}',
  '((a{100}){100})',
  '\\Z',
  '\\C',
  '\\p{Nosuch}',
  '\\p{Alphabetic}',
  '[a-\\d]',
  `${'('.repeat(1001)}${')'.repeat(1001)}`,
  '.{1000}'.repeat(30),
  '[[:nosuch:]]',
  '\\xZZ',
  '*a',
]) {
  test(`refused: ${pattern}`, (t) => {
    const error = t.throws(() => compileGoRegexp(pattern), { instanceOf: RegexpError });
    t.true(error.message.endsWith(`\`${pattern}\``), error.message);
  });
}

test('of groups with the same name the later one has it', (t) => {
  t.deepEqual([...compileGoRegexp('(?P<n>a)(?P<n>b)').exec('ab')!.names], [['n', 2]]);
});

test('groups have numbers and names', (t) => {
  const regexp = compileGoRegexp('(a)(?P<second>b)?');
  t.is(regexp.groupCount, 2);
  for (const match of [regexp.exec('a'), regexp.execLinear('a')]) {
    t.deepEqual([...match!.groups], ['a', 'a', undefined]);
    t.deepEqual([...match!.names], [['second', 2]]);
  }
});

const HOSTILE: readonly (readonly [pattern: string, text: string])[] = [
  ['(a+)+$', `${'a'.repeat(250)}!`],
  ['(a|a)*b', 'a'.repeat(250)],
  ['(a|aa)+$', `${'a'.repeat(250)}!`],
  ['([a-z]+)*\\.example$', 'a'.repeat(250)],
  ['(.*)(.*)(.*)(.*)(.*)(.*)x$', 'a'.repeat(250)],
  ['(x+x+)+y', 'x'.repeat(250)],
  [`${'a?'.repeat(60)}${'a'.repeat(60)}`, 'a'.repeat(60)],
  ['^(([a-z0-9]+-?)+\\.)+$', 'a'.repeat(250)],
];
for (const [pattern, text] of HOSTILE) {
  test(`${pattern} is not given to V8`, (t) => {
    const regexp = compileGoRegexp(pattern);
    t.false(regexp.isSimple);
    t.is(regexp.test(text), pattern.startsWith('a?'));
  });
}

const SIMPLE = [
  '(.*)\\.example\\.org',
  '^ip-(?P<a>[0-9]*)-(?P<b>[0-9]*)-(?P<c>[0-9]*)-(?P<d>[0-9]*)[.]example[.]$',
  '^(.*)-(.*)\\.foo$',
  '([a-z0-9-]+\\.)+org',
  '(us-west-1|us-east)\\.(.*)',
  '.*',
];
for (const pattern of SIMPLE) {
  test(`${pattern} is left to V8`, (t) => {
    t.true(compileGoRegexp(pattern).isSimple);
  });
}

/** Expressions over a few letters, so that they often match. */
const patterns: fc.Arbitrary<string> = fc.letrec<{ node: string }>((tie) => ({
  node: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom('a', 'b', '.', '[ab]', '[^a]', '\\w', '^', '$', '\\b', ''),
    fc.tuple(tie('node'), tie('node')).map(([a, b]) => `${a}${b}`),
    fc.tuple(tie('node'), tie('node')).map(([a, b]) => `(?:${a}|${b})`),
    tie('node').map((node) => `(${node})`),
    fc
      .tuple(tie('node'), fc.constantFrom('*', '+', '?', '*?', '+?', '??', '{2}', '{1,3}'))
      .map(([node, times]) => `(?:${node})${times}`),
  ),
})).node;

test('both engines find the same where V8 is used', (t) => {
  let simple = 0;
  fc.assert(
    fc.property(patterns, fc.stringMatching(/^[ab.]{0,12}$/), (pattern, text) => {
      const regexp = compileGoRegexp(pattern);
      if (!regexp.isSimple) return;
      simple++;
      t.deepEqual(
        [...(regexp.execLinear(text)?.groups ?? [])],
        [...(regexp.exec(text)?.groups ?? [])],
        `${pattern} on ${text}`,
      );
    }),
    { numRuns: 3000 },
  );
  t.true(simple > 500, String(simple));
});

test('what is not left to V8 matches the same texts there', (t) => {
  fc.assert(
    fc.property(patterns, fc.stringMatching(/^[ab.]{0,8}$/), (pattern, text) => {
      let isMatch: boolean;
      try {
        isMatch = new RegExp(pattern, 'u').test(text);
      } catch {
        return;
      }
      t.is(compileGoRegexp(pattern).test(text), isMatch, `${pattern} on ${text}`);
    }),
    { numRuns: 2000 },
  );
});
