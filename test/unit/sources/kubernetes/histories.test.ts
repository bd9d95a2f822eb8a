// Whatever order objects come and go in, the store ends up as if only the last ones had ever been there.
import test from 'ava';
import * as fc from 'fast-check';
import {
  namespace,
  pod,
  type RawObject,
  service,
  slice,
  TestCluster,
} from '../../plugins/kubernetes/cluster-harness.ts';

const NAMESPACES = ['a', 'b'] as const;
const SERVICES = ['web', 'db'] as const;
const ADDRESSES = ['10.0.0.1', '10.0.0.2', '10.0.0.3', 'fd00::1'] as const;
const PORTS = [
  [],
  [{ name: 'http', port: 80, protocol: 'TCP' }],
  [
    { port: 53, protocol: 'UDP' },
    { name: 'metrics', port: 9153, protocol: 'TCP' },
  ],
] as const;

const anyService = fc
  .record({
    namespace: fc.constantFrom(...NAMESPACES),
    name: fc.constantFrom(...SERVICES),
    spec: fc.oneof(
      fc.record({ clusterIP: fc.constantFrom(...ADDRESSES), ports: fc.constantFrom(...PORTS) }),
      fc.record({ clusterIP: fc.constant('None'), ports: fc.constantFrom(...PORTS) }),
      fc.record({
        type: fc.constant('ExternalName'),
        externalName: fc.constantFrom('x.test', 'web.a.svc.cluster.local'),
      }),
    ),
  })
  .map(({ namespace: namespaceName, name, spec }) => service(namespaceName, name, spec));

const anySlice = fc
  .record({
    namespace: fc.constantFrom(...NAMESPACES),
    name: fc.constantFrom('s1', 's2', 's3'),
    service: fc.constantFrom(...SERVICES),
    ports: fc.constantFrom(...PORTS),
    endpoints: fc.uniqueArray(
      fc.record({
        address: fc.constantFrom('10.0.0.1', '10.0.0.2', '10.0.0.9'),
        hostname: fc.option(fc.constantFrom('h0', 'h1'), { nil: undefined }),
        ready: fc.boolean(),
      }),
      { maxLength: 3, selector: (endpoint) => endpoint.address },
    ),
  })
  .map((it) =>
    slice(
      it.namespace,
      it.name,
      it.service,
      [...it.ports],
      it.endpoints.map(({ address, hostname, ready }) => ({
        address,
        ready,
        ...(hostname === undefined ? {} : { hostname }),
      })),
    ),
  );

const anyObject: fc.Arbitrary<RawObject> = fc.oneof(
  fc.constantFrom(...NAMESPACES).map(namespace),
  anyService,
  anySlice,
  fc
    .tuple(fc.constantFrom(...NAMESPACES), fc.constantFrom('p1', 'p2'), fc.constantFrom(...ADDRESSES))
    .map(([namespaceName, name, address]) => pod(namespaceName, name, address)),
);

/** A step of a history; several objects in one step reach the view before it makes any names. */
const anyStep = fc.record({ gone: fc.boolean(), objects: fc.array(anyObject, { minLength: 1, maxLength: 3 }) });

const keyOf = (object: RawObject): string =>
  `${object.kind} ${object.metadata.namespace ?? ''}/${object.metadata.name}`;

/** Objects that only some trees are made of: imports and their slices, external addresses, zones of endpoints. */
const anyMore: fc.Arbitrary<RawObject> = fc.oneof(
  fc
    .record({
      name: fc.constantFrom(...SERVICES),
      externalIPs: fc.subarray(['192.0.2.1', '2001:db8::1']),
      clusterIP: fc.constantFrom('None', '10.0.0.1'),
      ports: fc.constantFrom(...PORTS),
    })
    .map(({ name, ...spec }) => service('a', name, spec)),
  fc
    .record({
      name: fc.constantFrom(...SERVICES),
      type: fc.constantFrom('ClusterSetIP', 'Headless'),
      ips: fc.subarray(['10.9.0.1']),
    })
    .map(({ name, ...spec }) => ({ kind: 'ServiceImport', metadata: { name, namespace: 'a' }, spec })),
  fc
    .record({
      name: fc.constantFrom('s1', 's2'),
      service: fc.constantFrom(...SERVICES),
      isImport: fc.boolean(),
      cluster: fc.constantFrom('', 'east', 'west'),
      zone: fc.constantFrom('z1', 'z.2'),
      ready: fc.boolean(),
    })
    .map(({ name, service: serviceName, isImport, cluster, zone, ready }) => {
      const raw = slice('a', name, serviceName, [...PORTS[1]], [{ address: '10.0.0.9', hostname: 'h0', ready }]);
      (raw['endpoints'] as { zone: string }[])[0]!.zone = zone;
      if (isImport) {
        raw.metadata.labels = { 'multicluster.kubernetes.io/service-name': serviceName };
        if (cluster !== '') raw.metadata.labels['multicluster.kubernetes.io/source-cluster'] = cluster;
      }
      return raw;
    }),
);

test('trees: any history equals its final objects in every tree, zones and transfers included', (t) => {
  const parts = ['imports', 'external', 'clients'] as const;
  const make = (): TestCluster =>
    new TestCluster({ pods: 'verified', zonal: true, transfer: true }, {}, ['10.0.0.9'], parts).sync();
  const anyRichStep = fc.record({
    gone: fc.boolean(),
    objects: fc.array(fc.oneof(anyMore, anyObject), { minLength: 1, maxLength: 3 }),
  });
  fc.assert(
    fc.property(fc.array(anyRichStep, { maxLength: 20 }), (history) => {
      const lived = make();
      const last = new Map<string, RawObject>();
      for (const { gone, objects } of history) {
        if (gone) lived.delete(...objects);
        else lived.apply(...objects);
        for (const object of objects) {
          if (gone) last.delete(keyOf(object));
          else last.set(keyOf(object), object);
        }
      }
      const fresh = make().apply(...last.values());
      assertSameNames(lived.dump(), fresh.dump());
      for (const part of parts) assertSameNames(lived.dump(lived.trees[part]), fresh.dump(fresh.trees[part]));
    }),
    { numRuns: 150, seed: 20_261_122 },
  );
  t.pass(); // fc.assert throws on a counterexample
});

for (const ignoreEmptyService of [false, true]) {
  test(`view: any history equals its final objects (ignore empty_service ${ignoreEmptyService})`, (t) => {
    fc.assert(
      fc.property(fc.array(anyStep, { maxLength: 25 }), (history) => {
        const options = { pods: 'verified', ignoreEmptyService } as const;
        const lived = new TestCluster(options, {}, ['10.0.0.9']).sync();
        const last = new Map<string, RawObject>();
        for (const { gone, objects } of history) {
          if (gone) lived.delete(...objects);
          else lived.apply(...objects);
          for (const object of objects) {
            if (gone) last.delete(keyOf(object));
            else last.set(keyOf(object), object);
          }
        }
        const fresh = new TestCluster(options, {}, ['10.0.0.9']).sync().apply(...last.values());
        assertSameNames(lived.dump(), fresh.dump());
      }),
      { numRuns: 300, seed: 20_261_122 },
    );
    t.pass(); // fc.assert throws on a counterexample
  });
}

/** Targets and addresses may come in another order, so bytes are compared as sorted runs. */
function assertSameNames(a: Map<string, string>, b: Map<string, string>): void {
  const flat = (dump: Map<string, string>): string[] =>
    [...dump].map(([name, contents]) => `${JSON.stringify(name)} ${contents.split('').sort().join('')}`).sort();
  const left = flat(a);
  const right = flat(b);
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    if (left[i] !== right[i]) throw new Error(`lived: ${left[i]}\nfresh: ${right[i]}`);
  }
}
