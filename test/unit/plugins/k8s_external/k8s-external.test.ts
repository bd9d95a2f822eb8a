// Names for the external addresses of Services.
import test from 'ava';
import { Answer } from '../../../../lib/chain/answer.ts';
import { finish } from '../../../../lib/chain/finish.ts';
import { Outcome } from '../../../../lib/chain/outcome.ts';
import type { Env, Handler } from '../../../../lib/chain/plugin.ts';
import { TRANSFER } from '../../../../lib/chain/zone-transfer.ts';
import { createK8sExternalHandler } from '../../../../lib/plugins/k8s_external/handler.ts';
import type { ExternalOptions } from '../../../../lib/plugins/k8s_external/setup.ts';
import { SECTION } from '../../../../lib/wire/record-index.ts';
import { RCODE, RRTYPE } from '../../../../lib/wire/types.ts';
import { decodeMessage } from '../../wire-text.ts';
import { makeQuery, namespace, type RawObject, service, slice, TestCluster } from '../kubernetes/cluster-harness.ts';

const HTTP = { name: 'http', port: 80, protocol: 'TCP' };
const OPTIONS: ExternalOptions = {
  zones: [
    { zone: 'example.org.', isReverse: false },
    { zone: '2.0.192.in-addr.arpa.', isReverse: true },
  ],
  primaryZone: 'example.org.',
  apex: 'dns',
  ttlSeconds: 30,
  headless: false,
  fallthrough: undefined,
};

const balanced = (name: string, ...ingress: { ip?: string; hostname?: string }[]): RawObject => ({
  ...service('shop', name, { type: 'LoadBalancer', clusterIP: '10.96.0.1', ports: [HTTP] }),
  status: { loadBalancer: { ingress } },
});

function shop(localAddresses: string[] = ['10.9.9.9']): TestCluster {
  const cluster = new TestCluster({ transfer: true }, {}, localAddresses, ['external']).apply(
    namespace('shop'),
    service('shop', 'ext', {
      clusterIP: '10.96.0.2',
      externalIPs: ['192.0.2.1', '2001:db8::1'],
      ports: [HTTP, { port: 53, protocol: 'UDP' }],
    }),
    service('shop', 'same', { clusterIP: '10.96.0.3', externalIPs: ['192.0.2.1'] }),
    balanced('lb', { ip: '192.0.2.7' }, { hostname: 'ignored.test' }),
    balanced('cloud', { hostname: 'lb.cloud.test' }),
    service('shop', 'inner', { clusterIP: '10.96.0.4', ports: [HTTP] }),
    slice('shop', 'inner-1', 'inner', [HTTP], [{ address: '10.1.0.9', hostname: 'i0' }]),
    service('shop', 'db', { clusterIP: 'None', ports: [HTTP] }),
    slice('shop', 'db-1', 'db', [HTTP], [{ address: '10.1.0.1', hostname: 'db-0' }, { address: '10.1.0.2' }]),
    service('hidden', 'ext', { clusterIP: '10.96.0.5', externalIPs: ['192.0.2.9'] }),
  );
  cluster.outside.set('lb.cloud.test.', (query, answer) => {
    if (query.qtype !== RRTYPE.A) return Outcome.ANSWERED;
    answer.beginRecordAt(SECTION.ANSWER, 12, RRTYPE.A, 60);
    answer.putBytes(Uint8Array.of(198, 51, 100, 1), 0, 4);
    answer.endRecord();
    return Outcome.ANSWERED;
  });
  return cluster.sync();
}

function handlerOf(cluster: TestCluster, options: Partial<ExternalOptions> = {}, env: Partial<Env> = {}): Handler {
  return createK8sExternalHandler({ ...OPTIONS, ...options }, { ...cluster.env, ...env });
}

const CASES = [
  ['ext.shop.example.org', 'A', '192.0.2.1'],
  ['EXT.Shop.Example.Org', 'AAAA', '2001:db8::1'],
  ['lb.shop.example.org', 'A', '192.0.2.7'],
  ['lb.shop.example.org', 'AAAA', 'NODATA'],
  ['ext.shop.example.org', 'TXT', 'NODATA'],
  ['ext.shop.example.org', 'SRV', '0 25 53 ext.shop.example.org., 0 25 80 ext.shop.example.org.'],
  ['_http._tcp.ext.shop.example.org', 'SRV', '0 50 80 ext.shop.example.org.'],
  ['http.tcp.ext.shop.example.org', 'SRV', '0 50 80 ext.shop.example.org.'],
  ['_http._udp.ext.shop.example.org', 'SRV', 'NXDOMAIN'],
  ['cloud.shop.example.org', 'A', 'lb.cloud.test., 198.51.100.1'],
  ['cloud.shop.example.org', 'CNAME', 'lb.cloud.test.'],
  ['cloud.shop.example.org', 'SRV', '0 100 80 lb.cloud.test.'],
  ['inner.shop.example.org', 'A', 'NXDOMAIN'],
  ['i0.inner.shop.example.org', 'A', 'NXDOMAIN'],
  ['db.shop.example.org', 'A', 'NXDOMAIN'],
  ['x.ext.shop.example.org', 'A', 'NXDOMAIN'],
  ['ext.hidden.example.org', 'A', 'NXDOMAIN'],
  ['shop.example.org', 'A', 'NODATA'],
  ['hidden.example.org', 'A', 'NXDOMAIN'],
  ['_headless.example.org', 'A', 'NXDOMAIN'],
  ['a.b.c.ext.shop.example.org', 'A', 'NXDOMAIN'],
  ['example.org', 'A', 'NODATA'],
  ['example.org', 'NS', 'ns1.dns.example.org.'],
  ['ns1.dns.example.org', 'A', '10.9.9.9'],
  ['ns1.dns.example.org', 'AAAA', 'NODATA'],
  ['dns.example.org', 'A', 'NODATA'],
  ['ns2.dns.example.org', 'A', 'NXDOMAIN'],
  ['a.ns1.dns.example.org', 'A', 'NXDOMAIN'],
  ['1.2.0.192.in-addr.arpa', 'PTR', 'ext.shop.example.org., same.shop.example.org.'],
  ['1.2.0.192.in-addr.arpa', 'A', 'NODATA'],
  ['9.2.0.192.in-addr.arpa', 'PTR', 'ext.hidden.example.org.'],
  ['8.2.0.192.in-addr.arpa', 'PTR', 'NXDOMAIN'],
  ['ext.shop.svc.cluster.local', 'A', 'REFUSED'],
] as const;
const plain = shop();
const handler = handlerOf(plain);
for (const [name, type, expected] of CASES) {
  test(`k8s_external: ${name} ${type} is ${expected}`, async (t) => {
    t.is(await plain.short(name, type, handler), expected);
  });
}

const HEADLESS = [
  ['db.shop.example.org', 'A', '10.1.0.1, 10.1.0.2'],
  ['db-0.db.shop.example.org', 'A', '10.1.0.1'],
  ['i0.inner.shop.example.org', 'A', '10.1.0.9'],
  ['inner.shop.example.org', 'A', 'NXDOMAIN'],
  ['_http._tcp.db.shop.example.org', 'SRV', '0 50 80 10-1-0-2.db.shop.example.org., 0 50 80 db-0.db.shop.example.org.'],
  ['ext.shop.example.org', 'A', '192.0.2.1'],
] as const;
const withHeadless = shop();
const headlessHandler = handlerOf(withHeadless, { headless: true });
for (const [name, type, expected] of HEADLESS) {
  test(`k8s_external headless: ${name} ${type} is ${expected}`, async (t) => {
    t.is(await withHeadless.short(name, type, headlessHandler), expected);
  });
}

test('k8s_external: SOA, glue and negative answers have its own TTL and names', async (t) => {
  const { authority } = await plain.ask('nope.shop.example.org', 'A', handler);
  t.regex(
    authority[0]!,
    /^example\.org\. 30 IN SOA ns1\.dns\.example\.org\. hostmaster\.dns\.example\.org\. \d+ 7200 1800 86400 30$/,
  );
  const { additional } = await plain.ask('example.org', 'NS', handler);
  t.deepEqual(additional, ['ns1.dns.example.org. 30 IN A 10.9.9.9']);
  const outside = await plain.ask('cloud.shop.example.org', 'SRV', handler);
  t.deepEqual(outside.additional, ['lb.cloud.test. 60 IN A 198.51.100.1']);
});

test('k8s_external: the name server has the external addresses of the Service that this server is part of', async (t) => {
  const cluster = shop(['10.1.0.9']);
  cluster.apply(service('shop', 'inner', { clusterIP: '10.96.0.4', externalIPs: ['192.0.2.53'], ports: [HTTP] }));
  t.is(await cluster.short('ns1.dns.example.org', 'A', handlerOf(cluster)), '192.0.2.53');
});

test('k8s_external: with headless, endpoints of the headless Service that this server is part of', async (t) => {
  const cluster = shop(['10.1.0.1']);
  t.is(await cluster.short('ns1.dns.example.org', 'A', handlerOf(cluster)), 'NODATA');
  t.is(await cluster.short('ns1.dns.example.org', 'A', handlerOf(cluster, { headless: true })), '10.1.0.1, 10.1.0.2');
});

test('k8s_external: names that are missing fall through, names without records do not', async (t) => {
  const next: Handler = (_query, answer) => {
    answer.rcode = RCODE.YXDOMAIN;
    return Outcome.ANSWERED;
  };
  const falling = handlerOf(plain, { fallthrough: ['.'] }, { next });
  t.is(await plain.short('nope.shop.example.org', 'A', falling), 'YXDOMAIN');
  t.is(await plain.short('lb.shop.example.org', 'AAAA', falling), 'NODATA');
  t.is(await plain.short('shop.example.org', 'A', falling), 'NODATA');
});

test('k8s_external: before the first complete view nothing is denied', async (t) => {
  const cluster = new TestCluster({}, {}, [], ['external']).apply(namespace('shop'));
  t.is(await cluster.short('ext.shop.example.org', 'A', handlerOf(cluster)), 'SERVFAIL');
  cluster.view.serveIncomplete();
  t.is(await cluster.short('ext.shop.example.org', 'A', handlerOf(cluster)), 'SERVFAIL');
});

test('k8s_external: a transfer lists what queries answer, each record once', async (t) => {
  const cluster = shop([]);
  const query = makeQuery('example.org', 'AXFR');
  const listed = async (headless: boolean): Promise<string[]> => {
    handlerOf(cluster, { headless });
    const transfer = cluster.offers.transferers.at(-1)!.open(query)!;
    while (!transfer.prepare!());
    const answer = new Answer();
    answer.begin(query);
    t.is(transfer.addRecords(answer, 65_000), TRANSFER.DONE);
    const length = finish(query, answer);
    return [...decodeMessage(answer.bytes.slice(answer.base, answer.base + length)).answer].slice(2, -1);
  };
  const plainly = await listed(false);
  t.deepEqual(plainly, [
    'cloud.shop.example.org. 30 IN CNAME lb.cloud.test.',
    '_http._tcp.cloud.shop.example.org. 30 IN SRV 0 100 80 lb.cloud.test.',
    'ext.shop.example.org. 30 IN A 192.0.2.1',
    'ext.shop.example.org. 30 IN AAAA 2001:db8::1',
    'ext.shop.example.org. 30 IN SRV 0 100 80 ext.shop.example.org.',
    '_http._tcp.ext.shop.example.org. 30 IN SRV 0 100 80 ext.shop.example.org.',
    'ext.shop.example.org. 30 IN SRV 0 100 53 ext.shop.example.org.',
    'lb.shop.example.org. 30 IN A 192.0.2.7',
    'lb.shop.example.org. 30 IN SRV 0 100 80 lb.shop.example.org.',
    '_http._tcp.lb.shop.example.org. 30 IN SRV 0 100 80 lb.shop.example.org.',
    'same.shop.example.org. 30 IN A 192.0.2.1',
  ]);
  const more = (await listed(true)).filter((record) => !plainly.includes(record));
  t.deepEqual(more, [
    'db.shop.example.org. 30 IN A 10.1.0.1',
    'db.shop.example.org. 30 IN SRV 0 50 80 db-0.db.shop.example.org.',
    'db-0.db.shop.example.org. 30 IN A 10.1.0.1',
    'db-0.db.shop.example.org. 30 IN SRV 0 100 80 db-0.db.shop.example.org.',
    '_http._tcp.db.shop.example.org. 30 IN SRV 0 50 80 db-0.db.shop.example.org.',
    'db.shop.example.org. 30 IN A 10.1.0.2',
    'db.shop.example.org. 30 IN SRV 0 50 80 10-1-0-2.db.shop.example.org.',
    '10-1-0-2.db.shop.example.org. 30 IN A 10.1.0.2',
    '10-1-0-2.db.shop.example.org. 30 IN SRV 0 100 80 10-1-0-2.db.shop.example.org.',
    '_http._tcp.db.shop.example.org. 30 IN SRV 0 50 80 10-1-0-2.db.shop.example.org.',
  ]);
});

test('k8s_external: the serial moves with what can be asked for, names go with their Service', async (t) => {
  const cluster = shop();
  const { external } = cluster.trees;
  const serial = cluster.reader.serial(external!);
  cluster.clock.advance(10_000);
  cluster.apply(service('shop', 'quiet', { clusterIP: '10.96.0.9' }));
  t.is(cluster.reader.serial(external!), serial);
  cluster.delete(balanced('lb', {}));
  t.is(cluster.reader.serial(external!), serial + 10);
  t.is(await cluster.short('lb.shop.example.org', 'A', handlerOf(cluster)), 'NXDOMAIN');
});
