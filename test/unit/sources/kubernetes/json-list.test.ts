import test from 'ava';
import * as fc from 'fast-check';
import { ListFormatError, ListScanner } from '../../../../lib/sources/kubernetes/json-list.ts';

function scan(text: string, chunkBytes: number, maxItemBytes = 1_000_000) {
  const items: unknown[] = [];
  const scanner = new ListScanner((json) => void items.push(JSON.parse(json.toString())), maxItemBytes);
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += chunkBytes) scanner.push(bytes.subarray(at, at + chunkBytes));
  return { items, ...scanner.finish() };
}

test('property: items and metadata equal JSON.parse, for any JSON, order of fields, blanks and chunk size', (t) => {
  const property = fc.property(
    fc.array(fc.jsonValue(), { maxLength: 8 }),
    fc.record({ resourceVersion: fc.string(), continue: fc.string(), odd: fc.jsonValue() }),
    fc.jsonValue(),
    fc.constantFrom('metadata', 'items', 'extra'),
    fc.constantFrom(undefined, 1, '\t'),
    fc.integer({ min: 1, max: 70 }),
    (items, metadata, extra, first, space, chunkBytes) => {
      const fields = { metadata, items, extra, kind: 'ServiceList' };
      const list = { [first]: fields[first as 'items'], ...fields };
      const found = scan(JSON.stringify(list, null, space), chunkBytes);
      const plain = JSON.parse(JSON.stringify(list));
      t.deepEqual(found.items, plain.items);
      t.is(found.resourceVersion, plain.metadata.resourceVersion);
      t.is(found.continueToken, plain.metadata.continue);
    },
  );
  fc.assert(property, { numRuns: 300 });
});

test('no items: null and an empty list are a list of nothing', (t) => {
  t.deepEqual(scan('{"metadata":{"resourceVersion":"7"},"items":null}', 9).items, []);
  t.deepEqual(scan('{"items":[],"metadata":{"resourceVersion":"7"}}', 9).resourceVersion, '7');
});

const BROKEN = [
  '{"kind":"Status","message":"no"}',
  '{"items":[{"a":1}',
  '{"items":[{"a":1}]',
  '[]',
  '<html>',
  '',
  '{"items":[]}}',
  '{"items":[]}{"items":[]}',
];
for (const text of BROKEN)
  test(`not a list: ${text === '' ? '(nothing)' : text}`, (t) => {
    t.throws(() => scan(text, 3), { instanceOf: ListFormatError });
  });

test('an item over the bound is an error before it is whole', (t) => {
  t.throws(() => scan(`{"items":["${'x'.repeat(200)}`, 10, 100), { instanceOf: ListFormatError });
});

test('property: any bytes end in a list or an error, never in anything else', (t) => {
  const alphabet = fc.constantFrom(
    '{',
    '}',
    '[',
    ']',
    '"',
    '\\',
    ',',
    ':',
    ' ',
    'a',
    '1',
    '"items"',
    '"metadata"',
    'null',
  );
  fc.assert(
    fc.property(fc.array(alphabet, { maxLength: 40 }), fc.integer({ min: 1, max: 9 }), (parts, chunkBytes) => {
      try {
        scan(parts.join(''), chunkBytes);
      } catch (error) {
        t.true(error instanceof ListFormatError || error instanceof SyntaxError, String(error));
      }
    }),
    { numRuns: 1000 },
  );
  t.pass();
});
