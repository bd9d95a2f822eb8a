// Sources beyond their start: what they show at a scrape.
import test from 'ava';
import { ManualClock } from '../../../lib/base/clock.ts';
import { createLogger } from '../../../lib/base/log.ts';
import { SourceTable } from '../../../lib/control/source-table.ts';
import type { Source } from '../../../lib/sources/source.ts';
import { createStoreMemory } from '../../../lib/store/layout.ts';
import { StoreWriter } from '../../../lib/store/writer.ts';

async function tableOf(
  values: readonly (number | undefined)[],
  isOutdated: () => boolean = () => false,
): Promise<SourceTable> {
  let next = 0;
  const start = async (): Promise<Source> => {
    const value = values[next++];
    const family = { name: 'x_total', help: 'X.', type: 'counter' as const };
    return {
      ready: Promise.resolve(),
      isReady: () => true,
      isOutdated,
      startupTimeoutMs: 0,
      waitingFor: () => '',
      stop: () => undefined,
      ...(value === undefined
        ? {}
        : { sample: () => [{ ...family, samples: [{ labels: { resource: 'pods' }, value }] }] }),
    };
  };
  const table = new SourceTable({
    start,
    writer: new StoreWriter(createStoreMemory({ arenaBytes: 2 ** 20 })),
    clock: new ManualClock(),
    log: createLogger({ sink: () => undefined }),
    cells: new Float64Array(8),
  });
  const claims = table.begin();
  values.forEach((_, i) => claims.claim({ kind: 'kubernetes', key: String(i), options: {} }));
  await claims.start();
  claims.keep();
  return table;
}

test('sources: the values of one are shown as they are', async (t) => {
  const [family] = (await tableOf([undefined, 3])).sample();
  t.deepEqual(family?.samples, [{ labels: { resource: 'pods' }, value: 3 }]);
});

test('sources: series of several are told apart by a label', async (t) => {
  const families = (await tableOf([3, 4])).sample();
  t.is(families.length, 1);
  t.deepEqual(families[0]!.samples, [
    { labels: { resource: 'pods', source: '1' }, value: 3 },
    { labels: { resource: 'pods', source: '2' }, value: 4 },
  ]);
});

test('sources: without values there are no families', async (t) => {
  t.deepEqual((await tableOf([undefined])).sample(), []);
});

test('sources: one whose view is too old is waited for, and no longer when it is heard again', async (t) => {
  let isOutdated = false;
  const table = await tableOf([3], () => isOutdated);
  t.false(table.waiting('kubernetes'));
  isOutdated = true;
  t.true(table.waiting('kubernetes'));
  t.false(table.waiting('etcd'));
  isOutdated = false;
  t.false(table.waiting('kubernetes'));
});
