import { Worker } from 'node:worker_threads';
import test from 'ava';
import { createStoreMemory } from '../../../lib/store/layout.ts';
import { StoreFullError } from '../../../lib/store/store-full-error.ts';
import { StoreWriter } from '../../../lib/store/writer.ts';
import { CELL, CHURNING, STABLE, TREE, TYPE, VERSIONS_AT, nameOf, valueOf } from './concurrent-names.ts';
import type { ReaderReport } from './concurrent-reader.worker.ts';
import { createRandom } from './random.ts';

const READERS = 2;
const WRITES = 200_000;
const ARENA_BYTES = 6 << 20;

test('two reading threads beside a writer: no name is ever missing, torn, another one or older than what was put', async (t) => {
  const memory = createStoreMemory({ arenaBytes: ARENA_BYTES, readers: READERS });
  const writer = new StoreWriter(memory, { minSlots: 16 });
  const shared = new SharedArrayBuffer((VERSIONS_AT + STABLE + CHURNING) * 4);
  const cells = new Int32Array(shared);
  const random = createRandom(99);
  const names = Array.from({ length: STABLE + CHURNING }, (_, id) => nameOf(id));
  let version = 0;
  let pauses = 0;

  function put(id: number): void {
    version++;
    const rrset = { type: TYPE, count: 1, form: 0, bytes: valueOf(id, version, random(60)) };
    for (;;) {
      try {
        writer.put(TREE, names[id]!, version & 0xffff, [rrset]);
        break;
      } catch (error) {
        // A reader that the system does not run inside its batch holds the space: let it run.
        if (!(error instanceof StoreFullError) || ++pauses > 5000) throw error;
        Atomics.wait(cells, CELL.STOP, 0, 1);
      }
    }
    Atomics.store(cells, VERSIONS_AT + id, version);
  }

  function remove(id: number): void {
    Atomics.store(cells, VERSIONS_AT + id, 0);
    writer.remove(TREE, names[id]!);
  }

  for (let id = 0; id < STABLE; id++) put(id);
  const readers = Array.from({ length: READERS }, (_, reader) => {
    const worker = new Worker(new URL('concurrent-reader.worker.ts', import.meta.url), {
      workerData: { memory, shared, reader },
    });
    return new Promise<ReaderReport>((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
    });
  });
  while (Atomics.load(cells, CELL.READY) < READERS) await new Promise((resolve) => setTimeout(resolve, 5));

  for (let write = 0; write < WRITES; write++) {
    const dice = random(100);
    // Waves of more and fewer names, so that tables are rebuilt again and again.
    const growing = ((write / 20_000) | 0) % 2 === 0;
    const churning = STABLE + random(growing ? CHURNING : 200);
    if (dice < 30) put(random(STABLE));
    else if (dice < (growing ? 75 : 50)) put(churning);
    else remove(STABLE + random(CHURNING));
    if (write % 50 === 0) writer.commit();
  }
  Atomics.store(cells, CELL.STOP, 1);
  const reports = await Promise.all(readers);
  for (const { batches, hits, misses, problems } of reports) {
    t.deepEqual(problems, []);
    t.true(batches > 20 && hits > 500 && misses > 0, `${batches} batches, ${hits} hits, ${misses} misses`);
  }
  const { rebuilds, reclaimedBytes } = writer.stats();
  t.true(rebuilds >= 8, `${rebuilds} rebuilds`);
  t.true(reclaimedBytes > ARENA_BYTES, `${reclaimedBytes} bytes reclaimed`);
  t.log(`${reports.map(({ hits }) => hits).join(' + ')} hits, ${rebuilds} rebuilds, ${pauses} pauses`);
});
