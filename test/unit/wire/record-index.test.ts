import test from 'ava';
import { RecordIndex, SECTION } from '../../../lib/wire/record-index.ts';

function filled(): RecordIndex {
  const index = new RecordIndex();
  index.push(SECTION.ANSWER, 12, 1, 18, 4);
  index.push(SECTION.ANSWER, 28, 28, 34, 16);
  index.push(SECTION.AUTHORITY, 56, 6, 62, 30);
  index.push(SECTION.ADDITIONAL, 98, 1, 104, 4);
  return index;
}

test('RecordIndex: gives back where each record is', (t) => {
  const index = filled();
  t.deepEqual([index.ownerAt(1), index.type(1), index.ttlAt(1), index.rdataAt(1)], [28, 28, 34, 40]);
  t.deepEqual([index.rdataLength(1), index.endAt(1)], [16, 56]);
  t.deepEqual(
    [0, 1, 2, 3].map((i) => index.section(i)),
    [0, 0, 1, 2],
  );
});

test('RecordIndex: truncate takes records from the end, section by section', (t) => {
  const index = filled();
  index.truncate(3);
  t.deepEqual([...index.counts], [2, 1, 0]);
  index.truncate(1);
  t.deepEqual([...index.counts], [1, 0, 0]);
  index.truncate(5);
  t.is(index.count, 1);
  index.truncate(0);
  t.deepEqual([index.count, ...index.counts], [0, 0, 0, 0]);
});

test('RecordIndex: grows past its first capacity, and copies with a shift', (t) => {
  const index = new RecordIndex();
  for (let i = 0; i < 1000; i++) index.push(SECTION.ANSWER, i, 1, i * 2, 4);
  t.is(index.ttlAt(999), 1998);
  const copy = filled();
  copy.copyFrom(index, 100);
  t.deepEqual([copy.count, copy.ownerAt(999), copy.ttlAt(999), copy.rdataLength(999)], [1000, 1099, 2098, 4]);
  t.deepEqual([...copy.counts], [1000, 0, 0]);
});
