import test from 'ava';
import { Outcome } from '../../../../lib/chain/outcome.ts';
import { RCODE } from '../../../../lib/wire/types.ts';
import { namespace, pod, service, slice, TestCluster } from './cluster-harness.ts';

const HTTP = { name: 'http', port: 80, protocol: 'TCP' };

function shop(): TestCluster {
  return new TestCluster({ pods: 'insecure' })
    .apply(
      namespace('shop'),
      service('shop', 'web', { clusterIP: '10.96.0.17', clusterIPs: ['10.96.0.17', 'fd00::17'], ports: [HTTP] }),
      slice('shop', 'web-1', 'web', [{ ...HTTP, port: 8080 }], [{ address: '10.244.1.5' }]),
      service('shop', 'db', { clusterIP: 'None', ports: [{ name: 'pg', port: 5432, protocol: 'TCP' }] }),
      slice(
        'shop',
        'db-1',
        'db',
        [{ name: 'pg', port: 5432, protocol: 'TCP' }],
        [
          { address: '10.244.1.9', hostname: 'db-0' },
          { address: '10.244.2.9', hostname: 'db-1' },
          { address: '10.244.3.9', hostname: 'db-2', ready: false },
        ],
      ),
      service('shop', 'empty', { clusterIP: 'None', ports: [HTTP] }),
      service('shop', 'noports', { clusterIP: '10.96.0.18' }),
      service('shop', 'outside', { type: 'ExternalName', externalName: 'www.example.org' }),
      service('shop', 'inside', { type: 'ExternalName', externalName: 'web.shop.svc.cluster.local' }),
      service('shop', 'gone', { type: 'ExternalName', externalName: 'nope.shop.svc.cluster.local.' }),
      service('shop', 'self', { type: 'ExternalName', externalName: 'self.shop.svc.cluster.local' }),
      service('shop', 'ping', { type: 'ExternalName', externalName: 'pong.shop.svc.cluster.local' }),
      service('shop', 'pong', { type: 'ExternalName', externalName: 'ping.shop.svc.cluster.local' }),
      service('shop', 'address', { type: 'ExternalName', externalName: '192.0.2.1' }),
      service('hidden', 'web', { clusterIP: '10.96.0.99', ports: [HTTP] }),
    )
    .sync();
}

const CASES = [
  // qname                                    qtype    expected
  ['web.shop.svc.cluster.local', 'A', '10.96.0.17'],
  ['web.shop.svc.cluster.local', 'AAAA', 'fd00::17'],
  ['web.shop.svc.cluster.local', 'MX', 'NODATA'],
  ['web.shop.svc.cluster.local', 'SRV', '0 50 80 web.shop.svc.cluster.local.'],
  ['_http._tcp.web.shop.svc.cluster.local', 'SRV', '0 50 80 web.shop.svc.cluster.local.'],
  ['_HTTP._TCP.Web.shop.SVC.cluster.local', 'SRV', '0 50 80 web.shop.svc.cluster.local.'],
  ['http.tcp.web.shop.svc.cluster.local', 'SRV', '0 50 80 web.shop.svc.cluster.local.'],
  ['_http._udp.web.shop.svc.cluster.local', 'SRV', 'NXDOMAIN'],
  ['_http._tcp.web.shop.svc.cluster.local', 'A', '10.96.0.17'],
  ['10-244-1-5.web.shop.svc.cluster.local', 'A', '10.244.1.5'],
  ['10-244-1-5.web.shop.svc.cluster.local', 'SRV', '0 100 8080 10-244-1-5.web.shop.svc.cluster.local.'],
  ['db.shop.svc.cluster.local', 'A', '10.244.1.9, 10.244.2.9'],
  ['db.shop.svc.cluster.local', 'AAAA', 'NODATA'],
  [
    'db.shop.svc.cluster.local',
    'SRV',
    '0 50 5432 db-0.db.shop.svc.cluster.local., 0 50 5432 db-1.db.shop.svc.cluster.local.',
  ],
  ['db-0.db.shop.svc.cluster.local', 'A', '10.244.1.9'],
  ['db-2.db.shop.svc.cluster.local', 'A', 'NXDOMAIN'],
  ['10-244-1-9.db.shop.svc.cluster.local', 'A', 'NXDOMAIN'],
  ['empty.shop.svc.cluster.local', 'A', 'NXDOMAIN'],
  ['noports.shop.svc.cluster.local', 'A', '10.96.0.18'],
  ['noports.shop.svc.cluster.local', 'SRV', 'NODATA'],
  ['nope.shop.svc.cluster.local', 'A', 'NXDOMAIN'],
  ['web.hidden.svc.cluster.local', 'A', 'NXDOMAIN'],
  ['a.b.c.web.shop.svc.cluster.local', 'A', 'NXDOMAIN'],
  ['shop.svc.cluster.local', 'A', 'NODATA'],
  ['hidden.svc.cluster.local', 'A', 'NXDOMAIN'],
  ['svc.cluster.local', 'A', 'NODATA'],
  ['svc.cluster.local', 'TXT', 'NODATA'],
  ['cluster.local', 'A', 'NODATA'],
  ['dns-version.cluster.local', 'TXT', '"1.1.0"'],
  ['junk.cluster.local', 'A', 'NXDOMAIN'],
  ['10-1-2-3.shop.pod.cluster.local', 'A', '10.1.2.3'],
  ['10-1-2-3.shop.pod.cluster.local', 'AAAA', 'NODATA'],
  ['fd00--1.shop.pod.cluster.local', 'AAAA', 'fd00::1'],
  ['10-1-2-300.shop.pod.cluster.local', 'A', 'NXDOMAIN'],
  ['10-1-2-3.hidden.pod.cluster.local', 'A', 'NXDOMAIN'],
  ['17.0.96.10.in-addr.arpa', 'PTR', 'web.shop.svc.cluster.local.'],
  ['9.1.244.10.in-addr.arpa', 'PTR', 'db-0.db.shop.svc.cluster.local.'],
  ['9.3.244.10.in-addr.arpa', 'PTR', 'NXDOMAIN'],
  ['17.0.96.10.in-addr.arpa', 'A', 'NODATA'],
  ['outside.shop.svc.cluster.local', 'CNAME', 'www.example.org.'],
  ['outside.shop.svc.cluster.local', 'TXT', 'NODATA'],
  ['outside.shop.svc.cluster.local', 'A', 'www.example.org.'],
  ['inside.shop.svc.cluster.local', 'A', 'web.shop.svc.cluster.local., 10.96.0.17'],
  ['inside.shop.svc.cluster.local', 'CNAME', 'web.shop.svc.cluster.local.'],
  ['gone.shop.svc.cluster.local', 'A', 'NXDOMAIN'],
  ['self.shop.svc.cluster.local', 'A', 'NODATA'],
  ['ping.shop.svc.cluster.local', 'A', 'NODATA'],
  ['ping.shop.svc.cluster.local', 'CNAME', 'pong.shop.svc.cluster.local.'],
  ['address.shop.svc.cluster.local', 'A', 'NXDOMAIN'],
] as const;
for (const [qname, qtype, expected] of CASES) {
  test(`kubernetes: ${qname} ${qtype} is ${expected}`, async (t) => {
    t.is(await shop().short(qname, qtype), expected);
  });
}

test('kubernetes: SRV glue is owned by the targets and spelled as stored', async (t) => {
  const { additional } = await shop().ask('_PG._tcp.DB.shop.svc.cluster.local', 'SRV');
  t.deepEqual(additional, [
    'db-0.db.shop.svc.cluster.local. 5 IN A 10.244.1.9',
    'db-1.db.shop.svc.cluster.local. 5 IN A 10.244.2.9',
  ]);
});

test('kubernetes: the owner keeps the letter case of the question', async (t) => {
  const { answer } = await shop().ask('WEB.shop.svc.Cluster.local', 'A');
  t.deepEqual(answer, ['WEB.shop.svc.Cluster.local. 5 IN A 10.96.0.17']);
});

test('kubernetes: a negative answer carries the SOA of the zone', async (t) => {
  const { rcode, aa, authority } = await shop().ask('nope.shop.svc.cluster.local', 'A');
  t.is(rcode, 'NXDOMAIN');
  t.true(aa);
  t.regex(
    authority.join(),
    /^cluster\.local\. 5 IN SOA ns\.dns\.cluster\.local\. hostmaster\.cluster\.local\. \d+ 7200 1800 86400 5$/,
  );
});

test('kubernetes: the target of an ExternalName is asked of the whole server', async (t) => {
  const cluster = shop();
  cluster.outside.set('www.example.org.', (_query, answer) => {
    answer.addAddresses(300, 4, Uint8Array.of(192, 0, 2, 80), 0, 1);
    return Outcome.ANSWERED;
  });
  t.deepEqual((await cluster.ask('outside.shop.svc.cluster.local', 'A')).answer, [
    'outside.shop.svc.cluster.local. 5 IN CNAME www.example.org.',
    'www.example.org. 300 IN A 192.0.2.80',
  ]);
});

for (const [rcode, expected] of [
  [RCODE.NXDOMAIN, 'NXDOMAIN'],
  [RCODE.SERVFAIL, 'SERVFAIL'],
  [RCODE.REFUSED, 'NOERROR'],
] as const) {
  test(`kubernetes: an ExternalName whose target is code ${rcode} is ${expected}`, async (t) => {
    const cluster = shop();
    cluster.outside.set('www.example.org.', (_query, answer) => {
      answer.rcode = rcode;
      return Outcome.ANSWERED;
    });
    t.is((await cluster.ask('outside.shop.svc.cluster.local', 'A')).rcode, expected);
  });
}

test('kubernetes: before the first complete view every name is SERVFAIL with extended error 14, also where misses fall through', async (t) => {
  const cluster = new TestCluster({}, { fallthrough: ['.'] }).apply(
    namespace('shop'),
    service('shop', 'web', { clusterIP: '10.96.0.17', ports: [HTTP] }),
  );
  for (const [name, type] of [
    ['web.shop.svc.cluster.local', 'A'],
    ['nope.shop.svc.cluster.local', 'A'],
    ['cluster.local', 'SOA'],
    ['17.0.96.10.in-addr.arpa', 'PTR'],
    ['1.0.96.10.in-addr.arpa', 'PTR'],
  ] as const) {
    t.is(await cluster.short(name, type), 'SERVFAIL', `${name} ${type}`);
  }
});

test('kubernetes: after startup_timeout known names are answered, missing ones SERVFAIL, headless ones wait for all slices', async (t) => {
  const cluster = new TestCluster().apply(
    namespace('shop'),
    service('shop', 'web', { clusterIP: '10.96.0.17', ports: [HTTP] }),
    service('shop', 'db', { clusterIP: 'None', ports: [HTTP] }),
    slice('shop', 'db-1', 'db', [HTTP], [{ address: '10.1.0.1' }]),
  );
  cluster.view.serveIncomplete();
  cluster.settle();
  t.is(await cluster.short('nope.shop.svc.cluster.local', 'A'), 'SERVFAIL');
  t.is(await cluster.short('web.shop.svc.cluster.local', 'A'), '10.96.0.17');
  t.is(await cluster.short('17.0.96.10.in-addr.arpa', 'PTR'), 'web.shop.svc.cluster.local.');
  t.is(await cluster.short('1.0.96.10.in-addr.arpa', 'PTR'), 'SERVFAIL');
  t.is(await cluster.short('db.shop.svc.cluster.local', 'A'), 'SERVFAIL');
  t.is(await cluster.sync().short('nope.shop.svc.cluster.local', 'A'), 'NXDOMAIN');
  t.is(await cluster.short('db.shop.svc.cluster.local', 'A'), '10.1.0.1');
});

test('kubernetes: pods verified answers only for Pods that are there', async (t) => {
  const cluster = new TestCluster({ pods: 'verified' }).apply(namespace('shop'), pod('shop', 'a', '10.1.2.3')).sync();
  t.is(await cluster.short('10-1-2-3.shop.pod.cluster.local', 'A'), '10.1.2.3');
  t.is(await cluster.short('10-1-2-4.shop.pod.cluster.local', 'A'), 'NXDOMAIN');
  cluster.delete(pod('shop', 'a', '10.1.2.3'));
  t.is(await cluster.short('10-1-2-3.shop.pod.cluster.local', 'A'), 'NXDOMAIN');
});

test('kubernetes: a Service outranks the endpoints at its address', async (t) => {
  const cluster = shop().apply(slice('shop', 'x', 'web', [HTTP], [{ address: '10.96.0.17' }]));
  t.is(await cluster.short('17.0.96.10.in-addr.arpa', 'PTR'), 'web.shop.svc.cluster.local.');
});

test('kubernetes: NS at the apex names the Service that holds a local address', async (t) => {
  const dns = service('kube-system', 'kube-dns', { clusterIP: '10.96.0.10', ports: [{ name: 'dns', port: 53 }] });
  const cluster = new TestCluster({}, {}, ['10.244.0.2']).apply(namespace('kube-system'), dns).sync();
  t.is(await cluster.short('cluster.local', 'NS'), 'ns.dns.cluster.local.');
  t.is(await cluster.short('ns.dns.cluster.local', 'A'), '10.244.0.2');
  cluster.apply(slice('kube-system', 'dns', 'kube-dns', [{ name: 'dns', port: 53 }], [{ address: '10.244.0.2' }]));
  t.is(await cluster.short('cluster.local', 'NS'), 'kube-dns.kube-system.svc.cluster.local.');
  t.is(await cluster.short('ns.dns.cluster.local', 'A'), '10.96.0.10');
});
