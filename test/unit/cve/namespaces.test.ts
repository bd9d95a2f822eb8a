// Namespaces with names that mean something else in DNS: they have the names that the specification gives them, and no others.
import test from 'ava';
import { namespace, service, TestCluster } from '../plugins/kubernetes/cluster-harness.ts';

const web = (inside: string, name: string, address: string) =>
  service(inside, name, {
    clusterIP: address,
    clusterIPs: [address],
    ports: [{ name: 'http', port: 80, protocol: 'TCP' }],
  });

function cluster(): TestCluster {
  const names = ['shop', 'svc', 'pod', 'com', 'local', 'cluster'];
  return new TestCluster({ pods: 'insecure' })
    .apply(
      ...names.map((name) => namespace(name)),
      web('shop', 'web', '10.96.0.1'),
      ...['svc', 'pod', 'com', 'local', 'cluster'].flatMap((name, i) => [
        web(name, 'shop', `10.96.1.${i}`),
        web(name, 'web', `10.96.2.${i}`),
        web(name, 'example', `10.96.3.${i}`),
      ]),
    )
    .sync();
}

const CASES = [
  // qname                              expected
  ['web.shop.svc.cluster.local', '10.96.0.1'],
  // A Service "shop" in a namespace "svc" is not what web.shop.svc means, with the client's search list or without.
  ['shop.svc.cluster.local', 'NODATA'],
  ['shop.svc.svc.cluster.local', '10.96.1.0'],
  ['web.shop.svc.svc.cluster.local', 'NXDOMAIN'],
  ['web.shop.cluster.local', 'NXDOMAIN'],
  ['nope.shop.svc.cluster.local', 'NXDOMAIN'],
  ['10-0-0-1.svc.pod.cluster.local', '10.0.0.1'],
] as const;
for (const [qname, expected] of CASES) {
  test(`CVE-2022-2835: with a namespace "svc" ${qname} is ${expected}`, async (t) => {
    t.is(await cluster().short(qname, 'A'), expected);
  });
}

const OUTSIDE = [
  ['example.com', 'REFUSED'],
  ['example.com.cluster.local', 'NXDOMAIN'],
  ['web.example.com.svc.cluster.local', 'NXDOMAIN'],
  // The name that a client's search list makes of example.com; only who may make namespaces decides that it exists.
  ['example.com.svc.cluster.local', '10.96.3.2'],
] as const;
for (const [qname, expected] of OUTSIDE) {
  test(`CVE-2022-2837: with a namespace "com" ${qname} is ${expected}`, async (t) => {
    t.is(await cluster().short(qname, 'A'), expected);
  });
}
