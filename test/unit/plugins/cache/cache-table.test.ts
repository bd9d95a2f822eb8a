import { Worker } from 'node:worker_threads';
import test from 'ava';
import { ManualClock } from '../../../../lib/base/clock.ts';
import { Answer } from '../../../../lib/chain/answer.ts';
import type { Query } from '../../../../lib/chain/query.ts';
import { CacheTable, STORED, hashKey } from '../../../../lib/plugins/cache/cache-table.ts';
import { SHARD_ENTRIES, type TableMemory, createTableMemory } from '../../../../lib/plugins/cache/table-memory.ts';
import { SECTION } from '../../../../lib/wire/record-index.ts';
import { RRTYPE } from '../../../../lib/wire/types.ts';
import { makeQuery } from '../fake-chain.ts';
import type { ThreadReport, ThreadTask } from './table-thread.ts';

const clock = new ManualClock();
const what = { ttlSeconds: 60, answering: 0, nowMs: 0, deadAfterMs: 1e12, keepHits: false, server: 0 };

function runThread(task: ThreadTask): Promise<ThreadReport> {
  return new Promise((resolve, reject) => {
    const thread = new Worker(new URL('table-thread.ts', import.meta.url), { workerData: task });
    thread.once('message', resolve);
    thread.once('error', reject);
  });
}

/** Entries that are in the table, counted one by one. */
function countEntries(memory: TableMemory): number {
  const tags = new Int32Array(memory.buffer, memory.shards * 128, memory.shards * SHARD_ENTRIES);
  return tags.filter((tag) => tag !== 0).length;
}

test('three threads store, drop and read 2,000 names at once: no copy is torn, entries are counted rightly', async (t) => {
  const memory = createTableMemory(1024);
  const reports = await Promise.all(
    [0, 1, 2].map((worker) => runThread({ memory, worker, steps: 150_000, names: 2000 })),
  );
  for (const report of reports) {
    t.is(report.wrong, '');
    t.true(report.hits > 10_000, JSON.stringify(report));
  }
  const removed = reports.reduce((sum, report) => sum + report.entries, 0);
  t.is(removed, countEntries(memory));
});

test('equal hashes: the whole key decides (TOB-CDNS-8)', (t) => {
  const table = new CacheTable(createTableMemory(1024), 0, () => {});
  const answer = new Answer();
  const stored = makeQuery('one.test', clock);
  answer.begin(stored);
  table.store(stored, 4711, answer, what);
  t.not(table.find(stored, 4711), -1);
  t.not(table.find(makeQuery('ONE.test', clock), 4711), -1);
  for (const other of [
    makeQuery('two.test', clock),
    makeQuery('one.tesu', clock),
    makeQuery('one.test', clock, { type: 'AAAA' }),
    makeQuery('one.test', clock, { class: 'CH' }),
    makeQuery('one.test', clock, { dnssecOk: true }),
    makeQuery('one.test', clock, { flags: 0x10 }),
  ]) {
    t.is(table.find(other, 4711), -1);
  }
});

test('60,000 names that are asked once push out none of those that are asked for now and then', (t) => {
  const table = new CacheTable(createTableMemory(1024), 0, () => {});
  const answer = new Answer();
  const popular = Array.from({ length: 50 }, (_, i) => makeQuery(`popular${i}.test`, clock));
  const store = (query: Query): number => {
    answer.begin(query);
    return table.store(query, hashKey(query), answer, what);
  };
  /** The entry as a hit reads it. */
  const hit = (query: Query): boolean => {
    const entry = table.find(query, hashKey(query));
    if (entry === -1) return false;
    answer.begin(query);
    table.copyTo(answer, entry, 60);
    return true;
  };
  for (const query of popular) store(query);
  for (const query of popular) t.true(hit(query));
  let missed = 0;
  for (let i = 0; i < 60_000; i++) {
    store(makeQuery(`noise${i}.test`, clock));
    // Each popular one after 20,000 others: every entry of its set was replaced some 20 times by then.
    if (i % 400 === 0 && !hit(popular[(i / 400) % popular.length]!)) missed++;
  }
  t.is(missed, 0);
  for (const query of popular) t.true(hit(query));
});

test('names that are all asked for make room for one another', (t) => {
  const table = new CacheTable(createTableMemory(1024), 0, () => {});
  const answer = new Answer();
  for (let i = 0; i < 5000; i++) {
    const query = makeQuery(`n${i}.test`, clock);
    answer.begin(query);
    t.not(table.store(query, hashKey(query), answer, what), STORED.REFUSED);
    const entry = table.find(query, hashKey(query));
    t.not(entry, -1);
    table.copyTo(answer, entry, 60);
  }
});

test('a rewritten question has its own entry for each name that was rewritten to it', (t) => {
  const table = new CacheTable(createTableMemory(1024), 0, () => {});
  const answer = new Answer();
  const plain = makeQuery('target.test', clock);
  const renamed = makeQuery('alias1.test', clock);
  renamed.setName(plain.name);
  const other = makeQuery('alias2.test', clock);
  other.setName(plain.name);
  answer.begin(renamed);
  table.store(renamed, 1, answer, what);
  t.not(table.find(renamed, 1), -1);
  t.is(table.find(other, 1), -1);
  t.is(table.find(plain, 1), -1);
});

test('messages of up to 65,535 bytes come back byte for byte, small ones make room for them', (t) => {
  const memory = createTableMemory(1024);
  let dropped = 0;
  const table = new CacheTable(memory, 0, () => void dropped++);
  const answer = new Answer();
  for (let i = 0; i < 1000; i++) {
    const query = makeQuery(`small${i}.test`, clock);
    answer.begin(query);
    answer.addAddresses(60, 4, new Uint8Array(40), 0, 10);
    table.store(query, i * 7919, answer, what);
  }
  for (const size of [100, 5000, 65_000]) {
    const query = makeQuery(`big${size}.test`, clock, { type: 'TXT' });
    answer.begin(query);
    for (let i = 0; answer.length < size; i++) {
      answer.beginRecordAt(SECTION.ANSWER, 12, RRTYPE.TXT, 60);
      answer.putByte(200);
      for (let k = 0; k < 200; k++) answer.putByte((i + k) & 255);
      answer.endRecord();
    }
    const wanted = answer.bytes.slice(answer.base + answer.questionEnd, answer.base + answer.length);
    t.not(table.store(query, 12_345, answer, what), STORED.REFUSED);
    const copy = new Answer();
    copy.begin(query);
    table.copyTo(copy, table.find(query, 12_345), 60);
    t.true(table.isUnchanged());
    t.deepEqual(copy.bytes.slice(copy.base + copy.questionEnd, copy.base + copy.length), wanted);
    t.is(copy.records.count, answer.records.count);
  }
  t.true(dropped > 0);
});

test('a shard that a dead worker left locked answers nothing until the worker is replaced, then works again', (t) => {
  const memory = createTableMemory(1024);
  let dropped = 0;
  const table = new CacheTable(memory, 3, () => void dropped++);
  const query = makeQuery('x.test', clock);
  const hash = hashKey(query);
  const answer = new Answer();
  answer.begin(query);
  table.store(query, hash, answer, what);
  const locks = new Int32Array(memory.buffer);
  const lockAt = ((hash >>> 4) % memory.shards) * 32;
  locks[lockAt]! |= 4;
  const other = new CacheTable(memory, 1, () => {});
  t.is(other.find(query, hash), -1);
  t.is(other.store(query, hash, answer, what), STORED.REFUSED);
  other.repair();
  t.is(other.find(query, hash), -1);
  table.repair();
  t.is(dropped, 1);
  t.is(other.find(query, hash), -1);
  t.is(other.store(query, hash, answer, what), STORED.NEW);
  t.not(other.find(query, hash), -1);
});
