// Measures the store alone: loading a cluster's names in slices, lookups, memory. One thread; `node bench/micro/store.ts [SERVICES]`.
//
// The names are those of SERVICES Services with 10 endpoints each (default 10,000): Service and endpoint names in one tree,
// addresses in a reverse tree, 22 names a Service with its port name.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Change, RrsetData } from '../../lib/store/change.ts';
import { applyChanges } from '../../lib/store/change.ts';
import { createStoreMemory } from '../../lib/store/layout.ts';
import { relativeNameHash } from '../../lib/store/name-hash.ts';
import { StoreReader } from '../../lib/store/reader.ts';
import { StoreWriter } from '../../lib/store/writer.ts';

const SERVICES = Number(process.argv[2] ?? 10_000);
const ENDPOINTS = 10;
const SLICE = 2000;
const CLUSTER = 1;
const REVERSE = 2;

type Named = { readonly tree: number; readonly change: Change & { kind: 'put' } };

function wire(text: string): Uint8Array {
  const out: number[] = [];
  for (const label of text.split('.')) out.push(label.length, ...Buffer.from(label));
  return Uint8Array.from(out);
}

function put(tree: number, name: string, rrsets: RrsetData[]): Named {
  return { tree, change: { kind: 'put', name: wire(name), flags: 0, rrsets } };
}

function* cluster(): Generator<Named> {
  for (let i = 0; i < SERVICES; i++) {
    const service = `service-${i}.namespace-${i % 100}.svc`;
    const bytes = Uint8Array.of(10, 96 + (i >>> 16), i >>> 8, i);
    const srv = Uint8Array.from({ length: 24 }, (_, j) => j + i);
    yield put(CLUSTER, service, [
      { type: 1, count: 1, form: 1, bytes },
      { type: 33, count: 1, form: 2, bytes: srv },
    ]);
    yield put(CLUSTER, `_http._tcp.${service}`, [{ type: 33, count: 1, form: 2, bytes: srv }]);
    yield put(REVERSE, `${i & 255}.${(i >>> 8) & 255}.${96 + (i >>> 16)}`, [
      { type: 12, count: 1, form: 3, bytes: wire(service) },
    ]);
    for (let e = 0; e < ENDPOINTS; e++) {
      const n = i * ENDPOINTS + e;
      const [a, b, c] = [n >>> 16, (n >>> 8) & 255, n & 255];
      const endpoint = `10-${a}-${b}-${c}.${service}`;
      yield put(CLUSTER, endpoint, [{ type: 1, count: 1, form: 1, bytes: Uint8Array.of(10, a, b, c) }]);
      yield put(REVERSE, `${c}.${b}.${a}`, [{ type: 12, count: 1, form: 3, bytes: wire(endpoint) }]);
    }
  }
}

function lap(from: bigint): number {
  return Number(process.hrtime.bigint() - from);
}

function print(label: string, value: string): void {
  process.stdout.write(`${label.padEnd(46)}${value}\n`);
}

/** Nanoseconds of one lookup, the best of three rounds; `tree` picks whether it can hit. */
function timeLookups(reader: StoreReader, names: readonly Named[], tree: (named: Named) => number): number {
  const flat = new Uint8Array(names.reduce((sum, { change }) => sum + change.name.length, 0));
  const at = new Int32Array(names.length + 1);
  const trees = new Int32Array(names.length);
  const hashes = new Int32Array(names.length);
  // As in a worker the name asked is in the cache, the store's own lines are not: the list is walked in order, but its order
  // (a stride coprime to its length) has nothing to do with the order of loading.
  const shuffled = names.map((_, k) => names[(k * 7919) % names.length]!);
  shuffled.forEach((named, i) => {
    flat.set(named.change.name, at[i]);
    at[i + 1] = at[i]! + named.change.name.length;
    trees[i] = tree(named);
    hashes[i] = relativeNameHash(trees[i], named.change.name);
  });
  let best = Infinity;
  let found = 0;
  for (let round = 0; round < 3; round++) {
    const from = process.hrtime.bigint();
    for (let i = 0; i < names.length; i++) {
      const entry = reader.find(trees[i]!, flat, at[i]!, at[i + 1]! - at[i]!, hashes[i]!);
      if (entry !== 0) found += reader.findRrset(entry, 1) === 0 ? 1 : 2;
    }
    best = Math.min(best, lap(from) / names.length);
  }
  return found >= 0 ? best : NaN;
}

async function main(): Promise<void> {
  const names = [...cluster()];
  globalThis.gc?.();
  const rssBefore = process.memoryUsage().rss;
  const memory = createStoreMemory();
  const writer = new StoreWriter(memory);
  const reader = new StoreReader(memory, 0);
  const rssEmpty = process.memoryUsage().rss;

  const delay = monitorEventLoopDelay({ resolution: 1 });
  let slowest = 0;
  let slowestPut = 0;
  const from = process.hrtime.bigint();
  for (let i = 0; i < names.length; i += SLICE) {
    const slice = names.slice(i, i + SLICE);
    const start = process.hrtime.bigint();
    for (const { tree, change } of slice) {
      const one = process.hrtime.bigint();
      writer.put(tree, change.name, change.flags, change.rrsets);
      slowestPut = Math.max(slowestPut, lap(one));
    }
    writer.commit();
    slowest = Math.max(slowest, lap(start));
    if (i === 0) delay.enable();
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  const loadNs = lap(from);
  delay.disable();
  const rssLoaded = process.memoryUsage().rss;
  const stats = writer.stats();
  print('entries', String(stats.entries));
  print(
    'load, all in slices of 2000',
    `${(loadNs / 1e6).toFixed(0)} ms, ${(loadNs / names.length).toFixed(0)} ns a put`,
  );
  print(
    'slowest slice / put / event loop delay',
    `${(slowest / 1e6).toFixed(1)} / ${(slowestPut / 1e6).toFixed(2)} / ${(delay.max / 1e6).toFixed(1)} ms`,
  );
  print('arena reserved / written', `${stats.arenaBytes / 2 ** 20} / ${(stats.touchedBytes / 2 ** 20).toFixed(1)} MiB`);
  print('used bytes an entry, table included', (stats.usedBytes / stats.entries).toFixed(1));
  print('used bytes a Service with 10 endpoints', (stats.usedBytes / SERVICES).toFixed(0));
  print(
    'table slots',
    `${stats.tableSlots} (${((stats.tableSlots * 4) / stats.entries).toFixed(1)} bytes an entry), ${stats.rebuilds} rebuilds`,
  );
  print(
    'RSS: empty store, loaded store',
    `+${((rssEmpty - rssBefore) / 2 ** 20).toFixed(1)}, +${((rssLoaded - rssBefore) / 2 ** 20).toFixed(1)} MiB`,
  );

  reader.enter();
  print('find + findRrset, all names, hit', `${timeLookups(reader, names, (named) => named.tree).toFixed(0)} ns`);
  print('find, all names, miss', `${timeLookups(reader, names, (named) => named.tree + 2).toFixed(0)} ns`);
  const hot = names.slice(0, 1000);
  for (let i = 0; i < 20; i++) timeLookups(reader, hot, (named) => named.tree);
  print(
    'find + findRrset, 1000 names in cache, hit',
    `${timeLookups(reader, hot, (named) => named.tree).toFixed(0)} ns`,
  );
  reader.leave();

  const walk = process.hrtime.bigint();
  let walked = 0;
  writer.forEach(CLUSTER, () => void walked++);
  print('forEach of half the names', `${(lap(walk) / 1e6).toFixed(0)} ms, ${walked} names`);

  const again = process.hrtime.bigint();
  let changed = 0;
  for (const { tree, change } of names) if (writer.put(tree, change.name, change.flags, change.rrsets)) changed++;
  print('put of the same contents', `${(lap(again) / names.length).toFixed(0)} ns, ${changed} changed`);

  const churn = process.hrtime.bigint();
  const rounds = 10;
  for (let round = 1; round <= rounds; round++) {
    for (let i = 0; i < names.length; i += SLICE) {
      const slice = names.slice(i, i + SLICE).map(({ change }) => ({ ...change, flags: round }));
      applyChanges(
        writer,
        CLUSTER,
        slice.filter((_, j) => names[i + j]!.tree === CLUSTER),
      );
    }
  }
  const after = writer.stats();
  print(
    'every cluster name changed 10 times',
    `${(lap(churn) / 1e6 / rounds).toFixed(0)} ms a time; written ${(after.touchedBytes / 2 ** 20).toFixed(1)} MiB, reclaimed ${(after.reclaimedBytes / 2 ** 20).toFixed(0)} MiB`,
  );

  const drop = process.hrtime.bigint();
  writer.dropTree(REVERSE);
  let slowestCommit = 0;
  for (let more = true; more; ) {
    const start = process.hrtime.bigint();
    more = writer.commit();
    slowestCommit = Math.max(slowestCommit, lap(start));
  }
  print(
    'dropTree of half the names',
    `${(lap(drop) / 1e6).toFixed(0)} ms, slowest commit ${(slowestCommit / 1e6).toFixed(1)} ms`,
  );
}

await main();
