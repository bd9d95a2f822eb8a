import test from 'ava';
import * as fc from 'fast-check';
import {
  MAX_NAME_LENGTH,
  countLabels,
  equalNames,
  formatName,
  isSubdomain,
  lowerName,
  nameLength,
  parseName,
  parseNameLower,
  readName,
  skipName,
} from '../../../lib/wire/name.ts';

// The same cases at every run; another seed here looks further.
fc.configureGlobal({ seed: 1 });

const scratch = new Uint8Array(256);
const HEADER = '00'.repeat(12);

/** A message of a header and `hex`, put at offset 7 of a larger buffer to catch forgotten bases. */
function message(hex: string): { bytes: Uint8Array; end: number } {
  const body = Buffer.from(HEADER + hex, 'hex');
  return { bytes: Uint8Array.from([1, 2, 3, 4, 5, 6, 7, ...body, 0, 0, 0]), end: body.length };
}

function read(hex: string, offset: number): string | undefined {
  const { bytes, end } = message(hex);
  const after = readName(bytes, 7, offset, end, scratch);
  return after === -1 ? undefined : `${formatName(scratch)} ${after}`;
}

const label = (length: number): string => length.toString(16).padStart(2, '0') + '61'.repeat(length);

const READ_CASES: readonly (readonly [what: string, hex: string, offset: number, expected: string | undefined])[] = [
  ['the root', '00', 12, '. 13'],
  ['two labels, case kept', '0141016200', 12, 'A.b. 17'],
  ['a pointer, after it the message goes on', '0161000162c00c', 15, 'b.a. 19'],
  ['a pointer to a pointer', '016100c00cc00f', 17, 'a. 19'],
  ['a pointer to itself', 'c00c', 12, undefined],
  ['a pointer forwards', 'c00e0000', 12, undefined],
  ['a pointer into its own labels', '0161c00c', 12, undefined],
  ['a pointer into the header', 'c00b', 12, undefined],
  ['a pointer to labels that run over the pointer', '0161046263c00c6400', 17, undefined],
  ['a pointer to labels that end in the name that holds it', '0261620161c00c00', 15, undefined],
  ['two pointers that aim at each other', 'c00ec00c', 14, undefined],
  ['a label type that was never assigned', '4100', 12, undefined],
  ['a label type that was taken back', '8000', 12, undefined],
  ['the end of the message inside a label', '0361', 12, undefined],
  ['the end of the message before the root', '0161', 12, undefined],
  ['the end of the message inside a pointer', '00c0', 13, undefined],
  ['a start behind the end', '00', 13, undefined],
  ['255 bytes', label(63).repeat(3) + label(61) + '00', 12, `${`${'a'.repeat(63)}.`.repeat(3)}${'a'.repeat(61)}. 267`],
  ['256 bytes', label(63).repeat(3) + label(62) + '00', 12, undefined],
  [
    '256 bytes by a pointer',
    label(63).repeat(3) + label(61) + '0000c00c',
    268,
    `${`${'a'.repeat(63)}.`.repeat(3)}${'a'.repeat(61)}. 270`,
  ],
  ['a label of 63 bytes', `${label(63)}00`, 12, `${'a'.repeat(63)}. 77`],
];
for (const [what, hex, offset, expected] of READ_CASES) {
  test(`readName: ${what} is ${expected === undefined ? 'malformed' : 'read'}`, (t) => {
    t.is(read(hex, offset), expected);
  });
}

test('readName: more than 126 pointers in one name are malformed, 126 are not', (t) => {
  const chain = (pointers: number): string =>
    `00${Array.from({ length: pointers }, (_, i) => (0xc000 | (i === 0 ? 12 : 11 + i * 2)).toString(16)).join('')}`;
  t.is(read(chain(126), 13 + 125 * 2), `. ${13 + 126 * 2}`);
  t.is(read(chain(127), 13 + 126 * 2), undefined);
});

test('skipName: ends where readName ends, wherever readName accepts', (t) => {
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(bytes, fc.nat(39), (body, start) => {
      const packet = Uint8Array.from([...new Uint8Array(12), ...body.map((byte) => (byte > 250 ? 0xc0 : byte % 24))]);
      const offset = 12 + (start % body.length);
      const after = readName(packet, 0, offset, packet.length, scratch);
      if (after !== -1) t.is(skipName(packet, 0, offset, packet.length), after);
    }),
    { numRuns: 2000 },
  );
});

test('skipName: a pointer forwards, a cut label and 256 bytes are malformed', (t) => {
  for (const hex of ['c00c', 'c00d00', '0361', '4100', label(63).repeat(4) + '00']) {
    const { bytes, end } = message(hex);
    t.is(skipName(bytes, 7, 12, end), -1, hex);
  }
});

const TEXT_CASES: readonly (readonly [text: string, wire: string | undefined, printed?: string])[] = [
  ['.', '00'],
  ['a.', '016100'],
  ['a', '016100', 'a.'],
  ['WeB.a.', '03576542016100'],
  [String.raw`a\.b.`, '03612e6200'],
  [String.raw`a\046b.`, '03612e6200', String.raw`a\.b.`],
  [String.raw`\000\255.`, '0200ff00'],
  [String.raw`a\\.`, '02615c00'],
  [String.raw`a\@b.`, '0361406200'],
  ['ä.', '02c3a400', String.raw`\195\164.`],
  ['*.a.', '012a016100'],
  ['', undefined],
  ['..', undefined],
  ['a..b', undefined],
  ['.a', undefined],
  [String.raw`a\256`, undefined],
  ['a\\', undefined],
  ['x'.repeat(63), `3f${'78'.repeat(63)}00`, `${'x'.repeat(63)}.`],
  ['x'.repeat(64), undefined],
  [
    `${'x'.repeat(63)}.`.repeat(3) + 'x'.repeat(61),
    `3f${'78'.repeat(63)}`.repeat(3) + `3d${'78'.repeat(61)}00`,
    `${'x'.repeat(63)}.`.repeat(3) + `${'x'.repeat(61)}.`,
  ],
  [`${'x'.repeat(63)}.`.repeat(3) + 'x'.repeat(62), undefined],
  ['x'.repeat(5000), undefined],
];
for (const [text, wire, printed] of TEXT_CASES) {
  test(`parseName: "${text.slice(0, 20)}" (${text.length} characters) is ${wire === undefined ? 'refused' : 'read and printed'}`, (t) => {
    const name = parseName(text);
    t.is(name && Buffer.from(name).toString('hex'), wire);
    if (name) t.is(formatName(name), printed ?? text);
  });
}

const labels = fc.array(fc.uint8Array({ minLength: 1, maxLength: 63 }), { maxLength: 8 });
const names = labels
  .map((parts) => Uint8Array.from([...parts.flatMap((part) => [part.length, ...part]), 0]))
  .filter((name) => name.length <= MAX_NAME_LENGTH);

test('names: text of any name reads back to the same bytes', (t) => {
  fc.assert(fc.property(names, (name) => t.deepEqual(parseName(formatName(name)), name)));
});

test('names: reading an uncompressed name copies it and its length is known', (t) => {
  fc.assert(
    fc.property(names, (name) => {
      const packet = Uint8Array.from([...new Uint8Array(12), ...name]);
      t.is(readName(packet, 0, 12, packet.length, scratch), packet.length);
      t.deepEqual(scratch.slice(0, nameLength(scratch)), name);
      t.is(nameLength(packet, 12), name.length);
    }),
  );
});

test('equalNames: ASCII letters without case, other bytes as they are', (t) => {
  const equal = (a: string, b: string): boolean => equalNames(parseName(a)!, 0, parseName(b)!, 0);
  t.true(equal('WeB.Shop.', 'wEb.sHOP.'));
  t.false(equal('web.shop.', 'web.shops.'));
  t.false(equal('web.shop.', 'web.'));
  t.false(equal('web.', 'web.shop.'));
  t.false(equal('@.', '`.'));
  t.false(equal('[.', '{.'));
  t.false(equal(String.raw`\196.`, String.raw`\228.`));
  t.false(equal(String.raw`a\.b.`, 'a.b.'));
});

test('isSubdomain: labels count, not bytes', (t) => {
  const below = (name: string, zone: string): boolean => isSubdomain(parseName(name)!, parseName(zone)!);
  t.true(below('a.example.', 'example.'));
  t.true(below('a.Example.', 'eXample.'));
  t.true(below('example.', 'example.'));
  t.true(below('example.', '.'));
  t.true(below('.', '.'));
  t.false(below('badexample.', 'example.'));
  t.false(below('.', 'example.'));
  t.false(below('example.', 'a.example.'));
  // The bytes `7 example 0` stand at the end of this name, but inside a label.
  t.false(below(String.raw`x\007example.`, 'example.'));
});

test('countLabels, lowerName, parseNameLower', (t) => {
  t.is(countLabels(parseName('.')!), 0);
  t.is(countLabels(parseName('a.b.c.')!), 3);
  const name = parseName(String.raw`AZ\[\193.b.`)!;
  lowerName(name);
  t.is(formatName(name), String.raw`az[\193.b.`);
  t.deepEqual(parseNameLower('WEB.'), parseName('web.'));
  t.is(parseNameLower('a..'), undefined);
});
