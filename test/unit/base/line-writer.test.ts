// Lines in batches: all of them, in order, within the bound, to the end.
import test from 'ava';
import { LineWriter, MAX_LINE_BYTES, type WriteBytes } from '../../../lib/base/line-writer.ts';

function put(writer: LineWriter, text: string): boolean {
  const at = writer.begin();
  if (at === -1) return false;
  writer.commit(at + Buffer.from(text).copy(writer.bytes, at));
  return true;
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function rig(options: { queueBytes?: number } = {}): {
  writer: LineWriter;
  written: string[];
  waiting: (() => void)[];
} {
  const written: string[] = [];
  const waiting: (() => void)[] = [];
  const keep = (bytes: Uint8Array, from: number, length: number): void =>
    void written.push(Buffer.from(bytes.subarray(from, from + length)).toString());
  const write: WriteBytes = (bytes, from, length, done) => {
    keep(bytes, from, length);
    waiting.push(() => done(null, length));
  };
  const writer = new LineWriter(1, {
    ...options,
    write,
    writeNow: (bytes, from, length) => {
      keep(bytes, from, length);
      return length;
    },
  });
  return { writer, written, waiting };
}

test('lines of one turn are one write, lines during a write are the next', async (t) => {
  const { writer, written, waiting } = rig();
  put(writer, 'a\n');
  put(writer, 'b\n');
  t.deepEqual(written, []);
  await turn();
  put(writer, 'c\n');
  await turn();
  t.deepEqual(written, ['a\nb\n']);
  waiting.shift()!();
  t.deepEqual(written, ['a\nb\n', 'c\n']);
});

test('lines beyond the bound are dropped and counted, later ones are taken again', async (t) => {
  const { writer, waiting } = rig({ queueBytes: 2 * MAX_LINE_BYTES });
  const line = `${'x'.repeat(MAX_LINE_BYTES - 1)}\n`;
  t.deepEqual([put(writer, line), put(writer, line), put(writer, line)], [true, true, false]);
  t.is(writer.dropped, 1);
  await turn();
  t.true(put(writer, line));
  waiting.shift()!();
});

test('a short write goes on, EAGAIN is tried again, another error loses the batch only', async (t) => {
  const seen: string[] = [];
  const results: (readonly [NodeJS.ErrnoException | null, number])[] = [
    [null, 1],
    [Object.assign(new Error(), { code: 'EAGAIN' }), 0],
    [null, 3],
    [Object.assign(new Error(), { code: 'EPIPE' }), 0],
    [null, 2],
  ];
  const writer = new LineWriter(1, {
    write: (bytes, from, length, done) => {
      seen.push(Buffer.from(bytes.subarray(from, from + length)).toString());
      done(...results.shift()!);
    },
  });
  put(writer, 'a1\n');
  put(writer, '\n');
  for (let i = 0; i < 2000 && results.length > 2; i++) await turn();
  t.deepEqual(seen, ['a1\n\n', '1\n\n', '1\n\n']);
  put(writer, 'b\n');
  await turn();
  put(writer, 'c\n');
  await turn();
  t.deepEqual(seen.slice(3), ['b\n', 'c\n']);
});

test('close writes what is left and takes no more', (t) => {
  const { writer, written } = rig();
  put(writer, 'a\n');
  writer.close();
  t.false(put(writer, 'b\n'));
  writer.close();
  t.deepEqual(written, ['a\n']);
});

test('close during a write lets it end first', async (t) => {
  const { writer, written, waiting } = rig();
  put(writer, 'a\n');
  await turn();
  put(writer, 'b\n');
  writer.close();
  t.deepEqual(written, ['a\n']);
  waiting.shift()!();
  t.deepEqual(written, ['a\n', 'b\n']);
});
