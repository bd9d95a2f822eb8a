import test from 'ava';
import * as fc from 'fast-check';
import { trimEndpointSlice } from '../../../../lib/sources/kubernetes/objects/endpoint-slice.ts';
import { trimNamespace } from '../../../../lib/sources/kubernetes/objects/namespace.ts';
import { trimPod } from '../../../../lib/sources/kubernetes/objects/pod.ts';
import { formatProblem } from '../../../../lib/sources/kubernetes/objects/problem.ts';
import { trimService } from '../../../../lib/sources/kubernetes/objects/service.ts';
import { trimServiceImport } from '../../../../lib/sources/kubernetes/objects/service-import.ts';

const metadata = { namespace: 'shop', name: 'web', resourceVersion: '7' };

test('Service: everything DNS needs and nothing else', (t) => {
  const { object, problems } = trimService({
    metadata: { ...metadata, labels: { app: 'x' }, managedFields: [{}] },
    spec: {
      type: 'LoadBalancer',
      clusterIP: '10.96.0.1',
      clusterIPs: ['10.96.0.1', 'fd00::1'],
      externalIPs: ['192.0.2.1'],
      ports: [{ name: 'http', protocol: 'TCP', port: 80, targetPort: 8080 }],
    },
    status: { loadBalancer: { ingress: [{ ip: '192.0.2.2', hostname: 'ignored' }, { hostname: 'lb.example.com' }] } },
  });
  t.deepEqual(object, {
    key: 'shop/web',
    resourceVersion: 7,
    namespace: 'shop',
    name: 'web',
    type: 'LoadBalancer',
    headless: false,
    clusterIps: ['10.96.0.1', 'fd00::1'],
    externalName: '',
    ports: [{ name: 'http', protocol: 'TCP', port: 80 }],
    externalAddresses: ['192.0.2.1', '192.0.2.2', 'lb.example.com'],
  });
  t.deepEqual(problems, []);
});

test('Service: clusterIP counts where clusterIPs is missing; None is headless', (t) => {
  t.deepEqual(trimService({ metadata, spec: { clusterIP: '10.0.0.1' } }).object?.clusterIps, ['10.0.0.1']);
  t.true(trimService({ metadata, spec: { clusterIP: 'None' } }).object?.headless);
  t.true(trimService({ metadata, spec: { clusterIPs: ['None'] } }).object?.headless);
  t.false(trimService({ metadata, spec: { clusterIP: '' } }).object?.headless);
});

test('port lists that are equal are one', (t) => {
  const spec = { ports: [{ name: 'http', protocol: 'TCP', port: 80 }] };
  t.is(
    trimService({ metadata, spec }).object?.ports,
    trimService({ metadata, spec: structuredClone(spec) }).object?.ports,
  );
});

const slice = (endpoints: unknown, more: object = {}) => ({
  metadata: { ...metadata, labels: { 'kubernetes.io/service-name': 'web' } },
  addressType: 'IPv4',
  ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
  endpoints,
  ...more,
});

test('EndpointSlice: one entry per address, ready ones first in their order, columns of equal length', (t) => {
  const { object, problems } = trimEndpointSlice(
    slice([
      { addresses: ['10.0.0.1', '10.0.0.2'], hostname: 'db-0', nodeName: 'a', zone: 'z', targetRef: { name: 'db-0' } },
      { addresses: ['10.0.0.3'], conditions: { ready: false } },
      { addresses: ['10.0.0.4'], conditions: { ready: true } },
      { addresses: ['10.0.0.5'], conditions: {}, targetRef: { name: 'p'.repeat(64) } },
    ]),
  );
  t.deepEqual(problems, []);
  t.is(object?.service, 'web');
  t.is(object?.readyCount, 4);
  t.deepEqual(object?.addresses, ['10.0.0.1', '10.0.0.2', '10.0.0.4', '10.0.0.5', '10.0.0.3']);
  t.deepEqual(object?.hostnames, ['db-0', 'db-0', '', '', '']);
  t.deepEqual(object?.targetNames, ['db-0', 'db-0', '', '', '']);
  t.deepEqual(object?.nodeNames, ['a', 'a', '', '', '']);
  t.deepEqual(object?.zones, ['z', 'z', '', '', '']);
});

test('EndpointSlice: columns that are not asked for or all empty are the shared empty list', (t) => {
  const columns = { targetNames: false, nodeNames: false, zones: false };
  const raw = slice([{ addresses: ['10.0.0.1'], nodeName: 'a', targetRef: { name: 'p' } }]);
  const { object } = trimEndpointSlice(raw, columns);
  t.is(object?.nodeNames, trimEndpointSlice(raw, columns).object?.targetNames);
  t.deepEqual(object?.hostnames, []);
});

test('EndpointSlice: trigger time, multicluster labels, FQDN', (t) => {
  const { object } = trimEndpointSlice({
    metadata: {
      ...metadata,
      labels: { 'multicluster.kubernetes.io/service-name': 'web', 'multicluster.kubernetes.io/source-cluster': 'east' },
      annotations: { 'endpoints.kubernetes.io/last-change-trigger-time': '2024-01-01T00:00:01Z' },
    },
    addressType: 'FQDN',
    endpoints: [{ addresses: ['a.example.com'] }],
  });
  t.is(object?.triggerTimeMs, 1_704_067_201_000);
  t.is(object?.importName, 'web');
  t.is(object?.sourceCluster, 'east');
  t.deepEqual(object?.addresses, ['a.example.com']);
});

test('Pod: address, deletion, labels only when asked for', (t) => {
  const raw = {
    metadata: { ...metadata, deletionTimestamp: 'x', labels: { app: 'a' } },
    status: { podIP: '10.0.0.1' },
  };
  const { object } = trimPod(raw);
  t.is(object?.podIp, '10.0.0.1');
  t.true(object?.deleting);
  t.deepEqual(object?.labels, []);
  t.deepEqual(trimPod(raw, true).object?.labels, ['app', 'a']);
});

test('ServiceImport and Namespace', (t) => {
  const { object } = trimServiceImport({
    metadata,
    spec: { type: 'ClusterSetIP', ips: ['10.0.0.1', 'x'], ports: [{ port: 1 }] },
  });
  t.is(object?.type, 'ClusterSetIP');
  t.deepEqual(object?.ips, ['10.0.0.1']);
  t.deepEqual(object?.ports, [{ name: '', protocol: '', port: 1 }]);
  t.deepEqual(trimNamespace({ metadata: { name: 'svc', resourceVersion: '3' } }).object, {
    key: 'svc',
    resourceVersion: 3,
    name: 'svc',
  });
});

const long = 'x'.repeat(300);
const ODD = [
  // trim              raw                                                        kept   problem
  [trimService, null, false, 'Service (no name): not an object: null'],
  [trimService, {}, false, 'Service /: metadata.name: not a DNS label: ""'],
  [trimService, { metadata: { name: 5, namespace: 'a' } }, false, 'Service (no name): metadata.name: not a text: 5'],
  [
    trimService,
    { metadata: { name: 'a.b', namespace: 'a' } },
    false,
    'Service a/a.b: metadata.name: not a DNS label: "a.b"',
  ],
  [trimService, { metadata, spec: 'x' }, true, 'Service shop/web: spec: not an object: "x"'],
  [
    trimService,
    { metadata, spec: { clusterIPs: {} } },
    true,
    'Service shop/web: spec.clusterIPs: not a list: an object',
  ],
  [
    trimService,
    { metadata, spec: { clusterIPs: ['10.0.0.01'] } },
    true,
    'Service shop/web: spec.clusterIPs[0]: not an IP address: "10.0.0.01"',
  ],
  [
    trimService,
    { metadata, spec: { clusterIPs: ['fe80::1%eth0'] } },
    true,
    'Service shop/web: spec.clusterIPs[0]: not an IP address: "fe80::1%eth0"',
  ],
  [
    trimService,
    { metadata, spec: { ports: [null, { port: 70000 }] } },
    true,
    'Service shop/web: spec.ports[0]: not an object: null',
  ],
  [
    trimService,
    { metadata, spec: { type: 'ExternalName', externalName: 'a..b' } },
    true,
    'Service shop/web: spec.externalName: not a domain name: "a..b"',
  ],
  [
    trimEndpointSlice,
    slice(null, { addressType: 'IPX' }),
    false,
    'EndpointSlice shop/web: addressType: not IPv4, IPv6 or FQDN: "IPX"',
  ],
  [
    trimEndpointSlice,
    slice([{ addresses: ['example.com'] }]),
    true,
    'EndpointSlice shop/web: endpoints[0].addresses[0]: not an IPv4 address: "example.com"',
  ],
  [
    trimEndpointSlice,
    slice([{ addresses: ['10.0.0.1'], hostname: long }]),
    true,
    `EndpointSlice shop/web: endpoints[0].hostname: not a DNS label: "${'x'.repeat(59)}...`,
  ],
  [
    trimEndpointSlice,
    slice([{ addresses: ['10.0.0.1'], conditions: { ready: 'yes' } }]),
    true,
    'EndpointSlice shop/web: endpoints[0].conditions.ready: not true or false: "yes"',
  ],
  [trimPod, { metadata, status: { podIP: 'x' } }, true, 'Pod shop/web: status.podIP: not an IP address: "x"'],
  [trimNamespace, { metadata: { name: '' } }, false, 'Namespace (no name): metadata.name: not a DNS label: ""'],
] as const;
for (const [trim, raw, kept, line] of ODD)
  test(`odd object: ${line.slice(0, 100)}`, (t) => {
    const { object, problems } = trim(raw);
    t.is(object !== undefined, kept);
    t.is(formatProblem(problems[0]!), line);
  });

test('the valid part of an odd slice is kept', (t) => {
  const { object } = trimEndpointSlice(
    slice([
      null,
      { addresses: ['x', '10.0.0.1', 3] },
      { addresses: null },
      { addresses: ['10.0.0.2'], hostname: 'a.b' },
    ]),
  );
  t.deepEqual(object?.addresses, ['10.0.0.1', '10.0.0.2']);
  t.deepEqual(object?.hostnames, []);
});

test('a thousand bad endpoints are a few problems', (t) => {
  const { problems } = trimEndpointSlice(slice(Array.from({ length: 1000 }, () => ({ addresses: ['x'] }))));
  t.is(problems.length, 9);
  t.is(problems[8]?.text, '992 more fields skipped');
});

test('property: no JSON makes a trim function throw', (t) => {
  const keys = [
    'metadata',
    'name',
    'namespace',
    'labels',
    'spec',
    'ports',
    'endpoints',
    'addresses',
    'status',
    'clusterIPs',
  ];
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 5 },
      fc.constantFrom(null, 1, 'x', '10.0.0.1', 'IPv4', true),
      tie('list'),
      tie('object'),
    ),
    list: fc.array(tie('value'), { maxLength: 3 }),
    object: fc.dictionary(fc.constantFrom(...keys), tie('value'), { maxKeys: 6 }),
  }));
  fc.assert(
    fc.property(value, (spec) => {
      for (const trim of [trimService, trimEndpointSlice, trimPod, trimServiceImport, trimNamespace]) {
        trim(spec);
        trim({ metadata, addressType: 'IPv4', spec, status: spec, endpoints: spec, ports: spec });
      }
    }),
    { numRuns: 500 },
  );
  t.pass();
});
