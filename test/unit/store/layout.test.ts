import { Worker } from 'node:worker_threads';
import test from 'ava';
import { HASH_SEED, createStoreMemory } from '../../../lib/store/layout.ts';

const LAYOUT = new URL('../../../lib/store/layout.ts', import.meta.url).href;

async function firstMessage(code: string): Promise<unknown> {
  const worker = new Worker(code, { eval: true });
  try {
    return await new Promise((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
    });
  } finally {
    await worker.terminate();
  }
}

test('HASH_SEED: a worker and a worker of that worker have the seed of the thread above', async (t) => {
  const report = `const { parentPort } = require('node:worker_threads');
    import('${LAYOUT}').then(({ HASH_SEED }) => parentPort.postMessage(HASH_SEED));`;
  const nested = `const { Worker, parentPort } = require('node:worker_threads');
    new Worker(${JSON.stringify(report)}, { eval: true }).once('message', (seed) => parentPort.postMessage(seed));`;
  t.is(await firstMessage(report), HASH_SEED);
  t.is(await firstMessage(nested), HASH_SEED);
  t.is(HASH_SEED, HASH_SEED | 0);
});

test('createStoreMemory: the arena is whole units of the size asked for', (t) => {
  t.is(createStoreMemory({ arenaBytes: 100_001 }).arena.byteLength, 100_000);
});

const BAD = [{ readers: 0 }, { readers: 1.5 }, { arenaBytes: 1000 }, { arenaBytes: 2 ** 31 }, { arenaBytes: NaN }];
for (const options of BAD) {
  test(`createStoreMemory: ${Object.entries(options).join().replace(',', ' ')} is a RangeError`, (t) => {
    t.throws(() => createStoreMemory(options), { instanceOf: RangeError });
  });
}
