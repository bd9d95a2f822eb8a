// A worker thread of the concurrency test: stores and reads in a table that other threads use, and checks every copy.
import { parentPort, workerData } from 'node:worker_threads';
import { Answer } from '../../../../lib/chain/answer.ts';
import type { Query } from '../../../../lib/chain/query.ts';
import { ManualClock } from '../../../../lib/base/clock.ts';
import { CacheTable, STORED, hashKey } from '../../../../lib/plugins/cache/cache-table.ts';
import type { TableMemory } from '../../../../lib/plugins/cache/table-memory.ts';
import { SECTION } from '../../../../lib/wire/record-index.ts';
import { RRTYPE } from '../../../../lib/wire/types.ts';
import { makeQuery } from '../fake-chain.ts';

export type ThreadTask = { memory: TableMemory; worker: number; steps: number; names: number };
export type ThreadReport = {
  hits: number;
  retries: number;
  stored: number;
  refused: number;
  entries: number;
  wrong: string;
};

const { memory, worker, steps, names } = workerData as ThreadTask;
const report: ThreadReport = { hits: 0, retries: 0, stored: 0, refused: 0, entries: 0, wrong: '' };
const table = new CacheTable(memory, worker, () => void report.entries--);
const clock = new ManualClock();
const queries = Array.from({ length: names }, (_, i) =>
  makeQuery(`name-${i}.${'x'.repeat(i % 60)}.test`, clock, { type: 'TXT' }),
);
const answer = new Answer();
let state = 77 + worker;
const random = (below: number): number => ((state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0) % 65_536) % below;

/** Records that tell by every byte which name and which version they are of. */
function build(index: number, query: Query): void {
  const version = random(200);
  const records = 1 + (version % 7);
  answer.begin(query);
  for (let i = 0; i < records; i++) {
    answer.beginRecordAt(SECTION.ANSWER, 12, RRTYPE.TXT, 60);
    const length = 1 + ((version * 3 + i) % 200);
    answer.putByte(length);
    for (let k = 0; k < length; k++) answer.putByte(k === 0 ? index & 255 : (version + i) & 255);
    answer.endRecord();
  }
}

function findFault(index: number): string {
  const { records, bytes, base } = answer;
  if (records.count === 0) return 'no records';
  const version = records.rdataLength(0) < 3 ? -1 : bytes[base + records.rdataAt(0) + 2]!;
  if (version !== -1 && records.count !== 1 + (version % 7)) return `version ${version} with ${records.count} records`;
  for (let i = 0; i < records.count; i++) {
    const at = base + records.rdataAt(i);
    if (bytes[at] !== records.rdataLength(i) - 1) return `record ${i} has a length of ${bytes[at]}`;
    if (bytes[at + 1] !== (index & 255)) return `record ${i} is of name ${bytes[at + 1]}, not ${index & 255}`;
    for (let k = 2; k <= records.rdataLength(i) - 1; k++) {
      if (version !== -1 && bytes[at + k] !== ((version + i) & 255)) return `record ${i} is torn at ${k}`;
    }
    if (answer.ttl(i) !== 30) return `TTL ${answer.ttl(i)}`;
  }
  return '';
}

const what = { ttlSeconds: 60, answering: 0, nowMs: 0, deadAfterMs: 1e12, keepHits: false, server: 0 };
for (let step = 0; step < steps && report.wrong === ''; step++) {
  const index = random(names);
  const query = queries[index]!;
  const hash = hashKey(query);
  if (random(5) === 0) {
    build(index, query);
    const stored = table.store(query, hash, answer, what);
    if (stored === STORED.REFUSED) report.refused++;
    else report.stored++;
    if ((stored & STORED.NEW) !== 0) report.entries++;
    continue;
  }
  if (random(50) === 0) {
    table.remove(query, hash);
    continue;
  }
  const entry = table.find(query, hash);
  if (entry === -1) continue;
  answer.begin(query);
  table.copyTo(answer, entry, 30);
  if (!table.isUnchanged()) {
    report.retries++;
    continue;
  }
  report.hits++;
  report.wrong = findFault(index);
}
parentPort!.postMessage(report);
