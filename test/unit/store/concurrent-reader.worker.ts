// A reader for concurrent-readers.test.ts: looks names up until told to stop, and reports everything that may not be.
import { parentPort, workerData } from 'node:worker_threads';
import type { StoreMemory } from '../../../lib/store/layout.ts';
import { relativeNameHash } from '../../../lib/store/name-hash.ts';
import { StoreReader } from '../../../lib/store/reader.ts';
import { createRandom } from './random.ts';
import {
  CELL,
  CHURNING,
  LOOKUPS_PER_BATCH,
  STABLE,
  TREE,
  TYPE,
  VERSIONS_AT,
  nameOf,
  sumOf,
} from './concurrent-names.ts';

export type ReaderReport = {
  readonly batches: number;
  readonly hits: number;
  readonly misses: number;
  readonly problems: readonly string[];
};

const {
  memory,
  shared,
  reader: number,
} = workerData as {
  memory: StoreMemory;
  shared: SharedArrayBuffer;
  reader: number;
};
const cells = new Int32Array(shared);
const reader = new StoreReader(memory, number);
const random = createRandom(number + 1);
const names = Array.from({ length: STABLE + CHURNING }, (_, id) => nameOf(id));
const hashes = names.map((name) => relativeNameHash(TREE, name));
const problems: string[] = [];
let batches = 0;
let hits = 0;
let misses = 0;

function lookUp(id: number): void {
  // The version that the writer had put before this lookup began: nothing older may come back.
  const floor = Atomics.load(cells, VERSIONS_AT + id);
  const name = names[id]!;
  const entry = reader.find(TREE, name, 0, name.length, hashes[id]!);
  if (entry === 0) {
    misses++;
    // Versions are never used twice: the same one before and after means that the name was there all the time.
    if (id < STABLE || (floor > 0 && Atomics.load(cells, VERSIONS_AT + id) === floor))
      problems.push(`name ${id} is missing`);
    return;
  }
  hits++;
  const rrset = reader.findRrset(entry, TYPE);
  if (rrset === 0) {
    problems.push(`name ${id} has no rrset`);
    return;
  }
  const at = reader.bytesAt(rrset) >>> 2;
  const words = reader.byteLength(rrset) >>> 2;
  const version = reader.words[at + 1]!;
  if (reader.words[at] !== id) problems.push(`name ${id} holds ${reader.words[at]}`);
  if (version < floor) problems.push(`name ${id} has version ${version}, ${floor} was put before`);
  if (reader.flags(entry) !== (version & 0xffff)) problems.push(`name ${id}: flags of another version`);
  if (reader.words[at + words - 1] !== sumOf(reader.words, at, words - 1)) problems.push(`name ${id}: wrong sum`);
}

Atomics.add(cells, CELL.READY, 1);
Atomics.notify(cells, CELL.READY);
while (Atomics.load(cells, CELL.STOP) === 0 && problems.length < 10) {
  reader.enter();
  for (let left = LOOKUPS_PER_BATCH; left > 0; left--) {
    lookUp(random(STABLE));
    lookUp(STABLE + random(CHURNING));
  }
  reader.leave();
  batches++;
}
const report: ReaderReport = { batches, hits, misses, problems };
parentPort!.postMessage(report);
