// A large cluster is taken in piece by piece: how much is done before sockets and timers have a turn. How long a piece takes is
// for bench/control-turns.mjs to say.
import test from 'ava';
import { createLogger } from '../../../../lib/base/log.ts';
import { ObjectView } from '../../../../lib/sources/kubernetes/object-view.ts';
import { type Service, trimService } from '../../../../lib/sources/kubernetes/objects/service.ts';
import { createServiceResource } from '../../../../lib/sources/kubernetes/resource.ts';
import { type RawObject, TestCluster } from '../../plugins/kubernetes/cluster-harness.ts';

const SERVICES = 1000;
const ENDPOINTS = 10;
/** As the view promises: Services whose names are made, and changes of a list that are applied. */
const SERVICES_PER_TURN = 100;
const CHANGES_PER_TURN = 128;

const metadata = (name: string): RawObject['metadata'] => ({ namespace: 'shop', name });
const headless = (n: number): RawObject => ({
  kind: 'Service',
  metadata: metadata(`app-${n}`),
  spec: { clusterIP: 'None', ports: [{ name: 'http', port: 80, protocol: 'TCP' }] },
});
const slice = (n: number): RawObject => ({
  kind: 'EndpointSlice',
  metadata: { ...metadata(`app-${n}-1`), labels: { 'kubernetes.io/service-name': `app-${n}` } },
  addressType: 'IPv4',
  ports: [{ name: 'http', port: 80, protocol: 'TCP' }],
  endpoints: Array.from({ length: ENDPOINTS }, (_, i) => ({
    addresses: [`10.${(n >> 8) & 255}.${n & 255}.${i}`],
    conditions: { ready: true },
  })),
});

test(`${SERVICES} headless Services become names at most ${SERVICES_PER_TURN} a turn of the event loop`, (t) => {
  const cluster = new TestCluster();
  const { writer } = cluster;
  const turns: number[] = [];
  let puts = 0;
  const [put, commit] = [writer.put.bind(writer), writer.commit.bind(writer)];
  writer.put = (...words) => {
    puts++;
    return put(...words);
  };
  // Every turn ends with it.
  writer.commit = () => {
    turns.push(puts);
    puts = 0;
    return commit();
  };
  cluster.apply({ kind: 'Namespace', metadata: { name: 'shop' } });
  for (let n = 0; n < SERVICES; n++) cluster.apply(headless(n), slice(n));
  turns.length = 0;
  cluster.sync();
  const made = turns.reduce((sum, count) => sum + count, 0);
  const namesOfService = ENDPOINTS + 1;
  t.true(made >= SERVICES * namesOfService);
  // Names of a Service, of its ports, and reverse names.
  t.true(Math.max(...turns) <= 3 * SERVICES_PER_TURN * namesOfService, turns.join(' '));
  t.true(turns.length >= SERVICES / SERVICES_PER_TURN);
});

test(`a list of ${SERVICES} Services is compared at most ${CHANGES_PER_TURN} changes a turn of the event loop`, async (t) => {
  let changes = 0;
  const count = (): void => void changes++;
  const sink = { upsert: count, remove: count, synced: () => undefined, proofOfLife: () => undefined };
  const view = new ObjectView<Service>(createServiceResource(), sink, createLogger({ sink: () => undefined }));
  const listed = new Map(
    Array.from({ length: SERVICES }, (_, n) => {
      const { object } = trimService({ metadata: { ...metadata(`app-${n}`), resourceVersion: '7' }, spec: {} });
      return [object!.key, object!] as const;
    }),
  );
  for (const [version, list] of [
    [7, listed],
    [8, new Map<string, Service>()],
  ] as const) {
    changes = 0;
    const turns: number[] = [];
    let running = true;
    const watch = (): void => {
      turns.push(changes - turns.reduce((sum, seen) => sum + seen, 0));
      if (running) setImmediate(watch);
    };
    setImmediate(watch);
    await view.replace(list, version, false, () => false);
    running = false;
    t.is(changes, SERVICES);
    // Two pieces may lie between two looks, not more.
    t.true(Math.max(...turns) <= 2 * CHANGES_PER_TURN, turns.join(' '));
  }
});
