import test from 'ava';
import * as fc from 'fast-check';
import { formatName, parseName } from '../../../lib/wire/name.ts';
import { decodeEscapes, parseTtl, parseZoneName, quoteBytes, tokenizeRecord } from '../../../lib/wire/text.ts';

// The same cases at every run; another seed here looks further.
fc.configureGlobal({ seed: 1 });

const words = (text: string): string[] => tokenizeRecord(text).map(({ text, quoted }) => (quoted ? `"${text}"` : text));

const TOKENS: readonly (readonly [text: string, expected: readonly string[]])[] = [
  ['a 1 IN A 1.2.3.4', ['a', '1', 'IN', 'A', '1.2.3.4']],
  ['  a\t b \r\n', ['a', 'b']],
  ['"a b" c', ['"a b"', 'c']],
  ['"a""b"', ['"a"', '"b"']],
  ['""', ['""']],
  [String.raw`"a\"b" c\ d`, [String.raw`"a\"b"`, String.raw`c\ d`]],
  ['key="a b" x', ['key=a b', 'x']],
  ['a ; comment "( with marks', ['a']],
  ['"a;b"', ['"a;b"']],
  ['a ( b ; first\n c\n) d', ['a', 'b', 'c', 'd']],
  ['a(b)c', ['a', 'b', 'c']],
  ['\n\n a', ['a']],
  ['', []],
];
for (const [text, expected] of TOKENS) {
  test(`tokenizeRecord: ${JSON.stringify(text)} is ${expected.length} words`, (t) => {
    t.deepEqual(words(text), expected);
  });
}

const BAD: readonly (readonly [text: string, message: string])[] = [
  ['"a', 'a quote is not closed'],
  ['(a', '"(" without ")"'],
  ['a)', '")" without "("'],
  ['a\nb', 'a second record follows, a line break needs parentheses'],
  ['a\\', '"\\" at the end escapes nothing'],
  ['x'.repeat(300_001), 'a record of 300001 characters is too long'],
];
for (const [text, message] of BAD) {
  test(`tokenizeRecord: ${JSON.stringify(text.slice(0, 10))} is refused: ${message}`, (t) => {
    t.throws(() => tokenizeRecord(text), { name: 'RecordTextError', message });
  });
}

test('quoteBytes: any bytes come back through a word and its escapes', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
      const tokens = tokenizeRecord(quoteBytes(bytes));
      t.is(tokens.length, 1);
      t.deepEqual(Uint8Array.from(decodeEscapes(tokens[0]!.text)), bytes);
    }),
  );
});

const TTLS: readonly (readonly [text: string, seconds: number | undefined])[] = [
  ['0', 0],
  ['300', 300],
  ['4294967295', 4_294_967_295],
  ['4294967296', undefined],
  ['1h30m', 5400],
  ['1W2D', 777_600],
  ['1m30', 90],
  ['99999w', undefined],
  ['', undefined],
  ['m', undefined],
  ['-1', undefined],
  ['1.5h', undefined],
  ['1y', undefined],
];
for (const [text, seconds] of TTLS) {
  test(`parseTtl: "${text}" is ${seconds === undefined ? 'none' : `${seconds} s`}`, (t) =>
    t.is(parseTtl(text), seconds));
}

test('parseZoneName: a final dot that is not escaped makes a name absolute', (t) => {
  const origin = parseName('example.')!;
  const full = (text: string): string => formatName(parseZoneName(text, origin));
  t.is(full('@'), 'example.');
  t.is(full('www'), 'www.example.');
  t.is(full('www.'), 'www.');
  t.is(full('.'), '.');
  t.is(full(String.raw`a\.`), String.raw`a\..example.`);
  t.is(full(String.raw`a\\.`), String.raw`a\\.`);
  t.throws(() => parseZoneName(`${'x.'.repeat(125)}x`, origin), { message: /is over 255 bytes/ });
  t.throws(() => parseZoneName('a..b', origin), { message: '"a..b" is not a domain name' });
});
