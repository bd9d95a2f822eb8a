import test from 'ava';
import { fuzzMessages, loadSeeds } from '../../fuzz/message.ts';
import { Random, mutate } from '../../fuzz/mutate.ts';
import { Query } from '../../../lib/chain/query.ts';
import { MessageInfo, indexMessage } from '../../../lib/wire/message-reader.ts';
import { RecordIndex } from '../../../lib/wire/record-index.ts';

test('fuzz: 30,000 broken messages: no throw, one verdict with a plain walk, bounded work', (t) => {
  const report = fuzzMessages(3, 30_000);
  t.deepEqual(report.failures, []);
  // The corpus and the mutations keep enough messages whole to test more than the refusals.
  t.true(report.valid > 1500 && report.queries > 500, `${report.valid} valid, ${report.queries} queries`);
});

test('fuzz: reading 20,000 broken messages allocates less than a quarter of their bytes', (t) => {
  const corpus = loadSeeds();
  const random = new Random(5);
  const messages = Array.from({ length: 2000 }, () => mutate(corpus, random));
  const size = messages.reduce((sum, message) => sum + message.length, 0) * 10;
  const index = new RecordIndex();
  const info = new MessageInfo();
  const query = new Query();
  const round = (): number => {
    const before = process.memoryUsage();
    for (let times = 0; times < 10; times++) {
      for (const message of messages) {
        indexMessage(message, 0, message.length, index, info);
        if (message.length >= 12) query.parse(message, 0, message.length);
      }
    }
    const after = process.memoryUsage();
    return Math.abs(after.heapUsed - before.heapUsed) + Math.abs(after.arrayBuffers - before.arrayBuffers);
  };
  const rounds = [round(), round(), round(), round()];
  t.true(Math.min(...rounds) < size / 4, `${rounds.join(', ')} of ${size} bytes`);
});
