import test from 'ava';
import { LineSplitter, LineTooLongError } from '../../../../lib/sources/kubernetes/json-lines.ts';

function split(chunks: readonly string[], maxLineBytes = 1000): string[] {
  const splitter = new LineSplitter(maxLineBytes);
  const lines: string[] = [];
  for (const chunk of chunks) {
    splitter.push(Buffer.from(chunk));
    for (let line = splitter.next(); line !== undefined; line = splitter.next()) lines.push(line.toString());
  }
  return lines;
}

const CASES = [
  // chunks                          lines
  [['a\nb\n'], ['a', 'b']],
  [['a', 'b', '\n'], ['ab']],
  [
    ['a\n', '', '\n', 'b'],
    ['a', ''],
  ],
  [
    ['ab\ncd', 'ef\ngh\n'],
    ['ab', 'cdef', 'gh'],
  ],
  [['a\u2028b\r\n'], ['a\u2028b\r']],
] as const;
for (const [chunks, lines] of CASES)
  test(`lines of ${JSON.stringify(chunks)} are ${JSON.stringify(lines)}`, (t) =>
    t.deepEqual(split(chunks), [...lines]));

test('a line of exactly the bound passes, one byte more is an error however it is cut', (t) => {
  t.deepEqual(split(['12345\n'], 5), ['12345']);
  t.throws(() => split(['123456\n'], 5), { instanceOf: LineTooLongError });
  t.throws(() => split(['123', '456'], 5), { instanceOf: LineTooLongError });
});

test('a rest is kept as a copy: the chunk may be reused by the transport', (t) => {
  const splitter = new LineSplitter(100);
  const chunk = Buffer.from('abc');
  splitter.push(chunk);
  t.is(splitter.next(), undefined);
  chunk.fill(0x78);
  splitter.push(Buffer.from('d\n'));
  t.is(splitter.next()?.toString(), 'abcd');
  t.is(splitter.pendingBytes, 0);
});
