// Random histories with `topology` and `ptr`: every answer is what a plain model says of the last objects alone.
import test from 'ava';
import * as fc from 'fast-check';
import { namespace, type RawObject, service, TestCluster } from './cluster-harness.ts';

const CLIENTS = ['10.1.0.1', '10.1.0.2', '10.1.0.3'] as const;
const SERVICES = ['db', 'web'] as const;

type Endpoint = {
  address: string;
  nodeName: string | undefined;
  zone: string | undefined;
  ready: boolean;
  hostname: string | undefined;
  forZones: string[];
  forNodes: string[];
};
type Slice = { kind: 'EndpointSlice'; name: string; service: string; family: 4 | 6; endpoints: Endpoint[] };
type Pod = {
  kind: 'Pod';
  name: string;
  address: string;
  nodeName: string;
  zone: string | undefined;
  ending: boolean;
};
type Service = { kind: 'Service'; name: string; traffic: string; distribution: string; isHeadless: boolean };
type Model = Slice | Pod | Service;

const maybe = <T>(values: readonly T[]): fc.Arbitrary<T | undefined> =>
  fc.option(fc.constantFrom(...values), { nil: undefined, freq: 4 });
const anyHints = (values: readonly string[]): fc.Arbitrary<string[]> =>
  fc.oneof({ weight: 3, arbitrary: fc.constant<string[]>([]) }, { weight: 2, arbitrary: fc.subarray([...values]) });

const anySlice: fc.Arbitrary<Model> = fc
  .record({
    kind: fc.constant('EndpointSlice' as const),
    name: fc.constantFrom('s1', 's2', 's3'),
    service: fc.constantFrom(...SERVICES),
    family: fc.constantFrom(4 as const, 4 as const, 6 as const),
    endpoints: fc.uniqueArray(
      fc.record({
        address: fc.constantFrom('1', '2', '3', '4'),
        nodeName: maybe(['n1', 'n2']),
        zone: maybe(['a', 'b']),
        ready: fc.boolean(),
        hostname: maybe(['h0', 'h1']),
        forZones: anyHints(['a', 'b']),
        forNodes: anyHints(['n1', 'n2']),
      }),
      { maxLength: 4, selector: ({ address }) => address },
    ),
  })
  .map((made) => ({
    ...made,
    endpoints: made.endpoints.map((endpoint) => ({
      ...endpoint,
      address: made.family === 4 ? `10.0.0.${endpoint.address}` : `fd00::${endpoint.address}`,
    })),
  }));
const anyPod: fc.Arbitrary<Model> = fc.record({
  kind: fc.constant('Pod' as const),
  name: fc.constantFrom('p1', 'p2', 'p3'),
  address: fc.constantFrom(...CLIENTS),
  nodeName: fc.constantFrom('n1', 'n1', 'n2', 'n3'),
  zone: maybe(['a', 'b']),
  ending: fc.constantFrom(false, false, true),
});
const anyService: fc.Arbitrary<Model> = fc.record({
  kind: fc.constant('Service' as const),
  name: fc.constantFrom(...SERVICES),
  traffic: fc.constantFrom('Cluster', 'Local'),
  distribution: fc.constantFrom('', '', 'PreferClose', 'PreferSameZone', 'PreferSameNode'),
  isHeadless: fc.constantFrom(true, true, true, false),
});
const anyStep = fc.record({
  gone: fc.constantFrom(false, false, true),
  objects: fc.array(fc.oneof(anySlice, anyPod, anyService), { minLength: 1, maxLength: 4 }),
});
/** Begins with something of each kind, so that histories seldom end with nothing to ask for. */
const anyHistory = fc
  .tuple(
    fc.array(anyService, { minLength: 3, maxLength: 3 }),
    fc.array(anySlice, { minLength: 3, maxLength: 3 }),
    fc.array(anyPod, { minLength: 3, maxLength: 3 }),
    fc.array(anyStep, { maxLength: 12 }),
  )
  .map(([services, slices, pods, steps]) => [{ gone: false, objects: [...services, ...slices, ...pods] }, ...steps]);

const named = (names: readonly string[]): { name: string }[] => names.map((name) => ({ name }));

function rawOf(model: Model): RawObject {
  const metadata = { name: model.name, namespace: 'shop' };
  switch (model.kind) {
    case 'Service':
      return service('shop', model.name, {
        clusterIP: model.isHeadless ? 'None' : '10.96.0.1',
        internalTrafficPolicy: model.traffic,
        ...(model.distribution !== '' && { trafficDistribution: model.distribution }),
      });
    case 'Pod': {
      const labels = model.zone === undefined ? {} : { 'topology.kubernetes.io/zone': model.zone };
      const { nodeName, ending } = model;
      const life = ending ? { deletionTimestamp: '2026-11-22T10:00:00Z' } : {};
      return {
        kind: 'Pod',
        metadata: { ...metadata, ...life, labels },
        spec: { nodeName },
        status: { podIP: model.address },
      };
    }
    default:
      return {
        kind: 'EndpointSlice',
        metadata: { ...metadata, labels: { 'kubernetes.io/service-name': model.service } },
        addressType: `IPv${model.family}`,
        ports: [{ name: 'pg', port: 5432, protocol: 'TCP' }],
        endpoints: model.endpoints.map(({ address, ready, forZones, forNodes, ...rest }) => ({
          ...rest,
          addresses: [address],
          conditions: { ready },
          hints: { forZones: named(forZones), forNodes: named(forNodes) },
        })),
      };
  }
}

/** What there is at the end, and what follows from it. */
class Reference {
  readonly #objects: readonly Model[];
  readonly #topology: 'zone' | 'node';

  constructor(objects: readonly Model[], topology: 'zone' | 'node') {
    this.#objects = objects;
    this.#topology = topology;
  }

  #nodeOf(client: string): string | undefined {
    const pods = this.#objects.flatMap((it) => (it.kind === 'Pod' && it.address === client ? it : []));
    const staying = pods.filter(({ ending }) => !ending);
    const nodes = new Set((staying.length > 0 ? staying : pods).map(({ nodeName }) => nodeName));
    return nodes.size === 1 ? [...nodes][0] : undefined;
  }

  #zoneOf(node: string): string | undefined {
    const zonesIn = (places: readonly Pick<Pod | Endpoint, 'nodeName' | 'zone'>[]): string[] => [
      ...new Set(places.flatMap(({ nodeName, zone }) => (nodeName === node && zone !== undefined ? zone : []))),
    ];
    const told = zonesIn(this.#objects.flatMap((it) => (it.kind === 'EndpointSlice' ? it.endpoints : [])));
    const zones = told.length > 0 ? told : zonesIn(this.#objects.flatMap((it) => (it.kind === 'Pod' ? it : [])));
    return zones.length === 1 ? zones[0] : undefined;
  }

  answer(name: string, family: 4 | 6, client: string): string {
    const own = this.#objects.find((it) => it.kind === 'Service' && it.name === name) as Service | undefined;
    if (own === undefined) return 'NXDOMAIN';
    if (!own.isHeadless) return family === 4 ? '10.96.0.1' : 'NODATA';
    const all = this.#objects.flatMap((it) =>
      it.kind === 'EndpointSlice' && it.service === name
        ? it.endpoints.flatMap((endpoint) => (endpoint.ready ? { ...endpoint, family: it.family } : []))
        : [],
    );
    if (all.length === 0) return 'NXDOMAIN';
    const text = (endpoints: readonly { address: string; family: number }[]): string => {
      const addresses = endpoints.flatMap((it) => (it.family === family ? it.address : []));
      return addresses.length === 0 ? 'NODATA' : [...new Set(addresses)].toSorted().join(', ');
    };
    const node = this.#nodeOf(client);
    if (node === undefined) return text(all);
    const isLocal = own.traffic === 'Local';
    if (isLocal) return text(all.filter(({ nodeName }) => nodeName === node));
    const zone = this.#zoneOf(node);
    const near = (
      place: string | undefined,
      hints: 'forZones' | 'forNodes',
      field: 'zone' | 'nodeName',
    ): typeof all => {
      if (place === undefined) return [];
      const isHinted = all.every((it) => it[hints].length > 0);
      return all.filter((it) => (isHinted ? it[hints].includes(place) : it[field] === place));
    };
    const onNode = near(node, 'forNodes', 'nodeName');
    const inZone = near(zone, 'forZones', 'zone');
    // A place with endpoints of the other family only has all of this one.
    const orAll = (endpoints: typeof all): typeof all =>
      endpoints.some((it) => it.family === family) ? endpoints : all;
    const wish = own.distribution === '' ? this.#topology : own.distribution === 'PreferSameNode' ? 'both' : 'zone';
    if (wish !== 'zone' && onNode.length > 0) return text(orAll(onNode));
    if (wish !== 'node' && inZone.length > 0) return text(orAll(inZone));
    return text(all);
  }
}

/** For `JSON.stringify`: an object's fields in the order of their names. */
const sortedKeys = (_name: string, value: unknown): unknown =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).toSorted(([left], [right]) => (left < right ? -1 : 1)))
    : value;

const keyOf = (model: Model): string => `${model.kind} ${model.name}`;

function live(history: readonly { gone: boolean; objects: readonly Model[] }[], cluster: TestCluster): Model[] {
  const last = new Map<string, Model>();
  for (const { gone, objects } of history) {
    if (gone) cluster.delete(...objects.map(rawOf));
    else cluster.apply(...objects.map(rawOf));
    for (const object of objects) {
      if (gone) last.delete(keyOf(object));
      else last.set(keyOf(object), object);
    }
  }
  return [...last.values()];
}

for (const topology of ['zone', 'node'] as const) {
  const make = (): TestCluster =>
    new TestCluster({ pods: 'verified', topology, sortedPointers: true }, {}, [], ['clients', 'places'])
      .apply(namespace('shop'))
      .sync();

  test(`topology ${topology}: after any history every client gets what the model says`, async (t) => {
    await fc.assert(
      fc.asyncProperty(anyHistory, async (history) => {
        const cluster = make();
        const reference = new Reference(live(history, cluster), topology);
        for (const name of SERVICES) {
          for (const client of [...CLIENTS, '192.0.2.1']) {
            for (const family of [4, 6] as const) {
              const asked = `${name}.shop.svc.cluster.local`;
              const seen = await cluster.short(asked, family === 4 ? 'A' : 'AAAA', cluster.handler, client);
              const expected = reference.answer(name, family, client);
              if (seen !== expected) throw new Error(`${name} IPv${family} for ${client}: ${seen}, not ${expected}`);
            }
          }
        }
      }),
      { numRuns: 250, seed: 20_261_122 },
    );
    t.pass(); // fc.assert throws on a counterexample
  });

  test(`topology ${topology}, ptr: no history leaves anything behind, and PTR records always have the same bytes`, (t) => {
    fc.assert(
      fc.property(anyHistory, (history) => {
        const lived = make();
        const objects = live(history, lived);
        const fresh = make().apply(...objects.toReversed().map(rawOf));
        for (const tree of ['clients', 'places'] as const) {
          const names = (of: TestCluster): string => JSON.stringify([...of.dump(of.trees[tree]).keys()].toSorted());
          if (names(lived) !== names(fresh)) throw new Error(`${tree}: lived ${names(lived)}, fresh ${names(fresh)}`);
        }
        const pointers = (of: TestCluster): string =>
          JSON.stringify(Object.fromEntries([...of.dump()].filter(([name]) => name.endsWith('arpa'))), sortedKeys);
        if (pointers(lived) !== pointers(fresh)) throw new Error(`lived ${pointers(lived)}, fresh ${pointers(fresh)}`);
      }),
      { numRuns: 250, seed: 20_261_122 },
    );
    t.pass(); // fc.assert throws on a counterexample
  });
}
