// The family of addresses that nobody can use: no records, nobody asked upstream, and the same word on existence.
import type os from 'node:os';
import test from 'ava';
import { ConfigError } from '../../../lib/base/errors.ts';
import { Answer } from '../../../lib/chain/answer.ts';
import { Outcome } from '../../../lib/chain/outcome.ts';
import type { Handler } from '../../../lib/chain/plugin.ts';
import { Query, REACH } from '../../../lib/chain/query.ts';
import { createIpFamiliesHandler } from '../../../lib/plugins/ip_families/handler.ts';
import { setupIpFamilies } from '../../../lib/plugins/ip_families/setup.ts';
import { SECTION } from '../../../lib/wire/record-index.ts';
import { parseNameLower } from '../../../lib/wire/name.ts';
import { RCODE, RRTYPE } from '../../../lib/wire/types.ts';
import { parseTestCorefile } from '../config/parse-test-corefile.ts';
import { BlockRig } from './block-rig.ts';
import { namespace, service, TestCluster } from './kubernetes/cluster-harness.ts';

const HTTP = { name: 'http', port: 80, protocol: 'TCP' };
const MADE_SOA = { mname: 'ip-families.invalid', rname: 'nobody.invalid', minimum: 30 };
const isMadeSoa = (record: string): boolean => record.includes(MADE_SOA.mname) && record.includes(MADE_SOA.rname);

/** A cluster with both families behind the plugin. */
function cluster(unwantedType: number, outside?: Handler): { ask: TestCluster['ask']; cells: Float64Array } {
  const base = new TestCluster();
  base.apply(
    namespace('shop'),
    service('shop', 'both', {
      type: 'ClusterIP',
      clusterIP: '10.96.0.1',
      clusterIPs: ['10.96.0.1', 'fd00::1'],
      ports: [HTTP],
    }),
    service('shop', 'four', { type: 'ClusterIP', clusterIP: '10.96.0.2', clusterIPs: ['10.96.0.2'], ports: [HTTP] }),
    service('shop', 'away', { type: 'ExternalName', externalName: 'db.example.org' }),
  );
  base.sync();
  if (outside) base.outside.set('db.example.org.', outside);
  const cells = new Float64Array(4);
  const options = { unwantedType, zoneLabels: [0], withheldCells: [1] };
  const handler = createIpFamiliesHandler(options, { ...base.env, next: base.handler, cells });
  return { ask: (name, type) => base.ask(name, type, handler), cells };
}

const OWN = [
  // unwanted       name                                   type    rcode       answers                            SOA
  [RRTYPE.AAAA, 'both.shop.svc.cluster.local', 'AAAA', 'NOERROR', [], true],
  [RRTYPE.AAAA, 'both.shop.svc.cluster.local', 'A', 'NOERROR', ['10.96.0.1'], false],
  [RRTYPE.AAAA, 'four.shop.svc.cluster.local', 'AAAA', 'NOERROR', [], true],
  [RRTYPE.AAAA, 'nope.shop.svc.cluster.local', 'AAAA', 'NXDOMAIN', [], true],
  [RRTYPE.AAAA, 'nope.shop.svc.cluster.local', 'A', 'NXDOMAIN', [], true],
  [RRTYPE.AAAA, 'shop.svc.cluster.local', 'AAAA', 'NOERROR', [], true],
  [RRTYPE.A, 'both.shop.svc.cluster.local', 'A', 'NOERROR', [], true],
  [RRTYPE.A, 'both.shop.svc.cluster.local', 'AAAA', 'NOERROR', ['fd00::1'], false],
  [RRTYPE.A, 'four.shop.svc.cluster.local', 'A', 'NOERROR', [], true],
  [RRTYPE.A, 'nope.shop.svc.cluster.local', 'A', 'NXDOMAIN', [], true],
] as const;
for (const [unwanted, name, type, rcode, answers, hasSoa] of OWN) {
  test(`own zone, ${unwanted === RRTYPE.A ? 'ipv6' : 'ipv4'}: ${name} ${type} is ${rcode} with ${answers.join() || 'nothing'}`, async (t) => {
    const { ask, cells } = cluster(unwanted);
    const reply = await ask(name, type);
    t.is(reply.rcode, rcode);
    t.deepEqual(
      reply.answer.map((record) => record.split(/\s+/).at(-1)),
      [...answers],
    );
    t.is(reply.aa, true);
    t.is(reply.authority.length, hasSoa ? 1 : 0);
    if (hasSoa) t.regex(reply.authority[0]!, /^cluster\.local\.\s.*SOA\sns\.dns\.cluster\.local/);
    t.is(cells[1], type === (unwanted === RRTYPE.A ? 'A' : 'AAAA') ? 1 : 0);
  });
}

test('own zone: PTR and SRV are untouched, in both families', async (t) => {
  const { ask } = cluster(RRTYPE.AAAA);
  const v6 = `1.${'0.'.repeat(29)}d.f.ip6.arpa`;
  t.regex((await ask(v6, 'PTR')).answer[0]!, /both\.shop\.svc\.cluster\.local/);
  t.regex((await ask('1.0.96.10.in-addr.arpa', 'PTR')).answer[0]!, /both\.shop/);
  t.is((await ask('_http._tcp.both.shop.svc.cluster.local', 'SRV')).additional.length, 2);
});

test('own zone: an alias to the outside keeps the alias and gets a SOA', async (t) => {
  const seen: number[] = [];
  const { ask } = cluster(RRTYPE.AAAA, (query) => {
    seen.push(query.qtype);
    return Outcome.ANSWERED;
  });
  const reply = await ask('away.shop.svc.cluster.local', 'AAAA');
  t.is(reply.rcode, 'NOERROR');
  t.deepEqual(
    reply.answer.map((record) => record.split(/\s+/)[3]),
    ['CNAME'],
  );
  t.is(reply.authority.length, 1);
});

test('forwarded names: no upstream is asked, NODATA with a made-up SOA of the block that may be kept for 30 s', async (t) => {
  const rig = new BlockRig('ip_families ipv4\ncache\nforward . 192.0.2.53');
  const reply = await rig.ask('www.example.org.', { type: 'AAAA' });
  t.is(reply.rcode, 'NOERROR');
  t.deepEqual(reply.answers, []);
  t.is(reply.authorities.length, 1);
  t.regex(reply.authorities[0]!, /^\S* ?30 SOA /);
  t.true(isMadeSoa(reply.authorities[0]!));
  t.true(reply.authorities[0]!.includes('"minimum":30'));
  t.deepEqual(reply.flags, ['rd', 'ra']);
  // The rig has no upstream: whoever asks one fails.
  t.is((await rig.ask('www.example.org.', { type: 'A' })).rcode, 'SERVFAIL');
  t.is(rig.metric('clusterdns_ip_families_withheld_total'), 1);
  rig.close();
});

test('forwarded names: the SOA is the zone of the server block, in the letters of the client', async (t) => {
  const rig = new BlockRig('ip_families ipv4\nforward . 192.0.2.53', { zones: ['example.org.'] });
  const reply = await rig.ask('www.Example.ORG.', { type: 'AAAA' });
  t.regex(reply.authorities[0]!, /^Example\.ORG 30 SOA /);
  rig.close();
});

/** Answers as a cache would that holds the reply to the wanted family, and knows nothing of the other one. */
function remembers(rcode: number): Handler {
  return (query, answer) => {
    if (query.qtype === RRTYPE.A) {
      answer.rcode = rcode;
      if (rcode === RCODE.NOERROR) answer.addAddresses(30, 4, Uint8Array.of(192, 0, 2, 1), 0, 1);
      return Outcome.ANSWERED;
    }
    expectOwn(query);
    query.reach = REACH.WITHHELD;
    answer.live = true;
    return Outcome.ANSWERED;
  };
}

function expectOwn(query: Query): void {
  if (query.reach !== REACH.OWN) throw new Error('an upstream would have been asked');
}

test('forwarded names: what is known not to exist by the wanted family does not exist in the other one', async (t) => {
  t.is(
    (await new BlockRig('ip_families ipv4', { last: remembers(RCODE.NXDOMAIN) }).ask('no.test.', { type: 'AAAA' }))
      .rcode,
    'NXDOMAIN',
  );
  const known = await new BlockRig('ip_families ipv4', { last: remembers(RCODE.NOERROR) }).ask('yes.test.', {
    type: 'AAAA',
  });
  t.is(known.rcode, 'NOERROR');
  t.deepEqual(known.answers, []);
  t.true(isMadeSoa(known.authorities[0]!));
});

test('hosts entries of the unwanted family are withheld, those of the other one are answered', async (t) => {
  const rig = new BlockRig(
    'ip_families ipv4\nhosts {\n192.0.2.1 a.test\n2001:db8::1 a.test\nfallthrough\n}\nforward . 192.0.2.53',
  );
  t.deepEqual((await rig.ask('a.test.', { type: 'A' })).answers, ['a.test 3600 A 192.0.2.1']);
  const reply = await rig.ask('a.test.', { type: 'AAAA' });
  t.is(reply.rcode, 'NOERROR');
  t.deepEqual(reply.answers, []);
  t.true(isMadeSoa(reply.authorities[0]!));
  rig.close();
});

test('dns64 has the addresses of the other family, its own are not made where nobody wants them', async (t) => {
  const v4: Handler = (query, answer) => {
    if (query.qtype === RRTYPE.A) answer.addAddresses(30, 4, Uint8Array.of(192, 0, 2, 33), 0, 1);
    return Outcome.ANSWERED;
  };
  const six = new BlockRig('ip_families ipv6\ndns64', { last: v4 });
  const from = '2001:db8::1';
  t.deepEqual((await six.ask('h.test.', { type: 'AAAA', from })).answers, ['h.test 30 AAAA 64:ff9b::c000:221']);
  t.deepEqual((await six.ask('h.test.', { type: 'A', from })).answers, []);
  const four = new BlockRig('ip_families ipv4\ndns64', { last: v4 });
  t.deepEqual((await four.ask('h.test.', { type: 'AAAA', from })).answers, []);
  t.deepEqual((await four.ask('h.test.', { type: 'A', from })).answers, ['h.test 30 A 192.0.2.33']);
});

test('failures, refusals and signed answers stay as they are', async (t) => {
  for (const rcode of [RCODE.SERVFAIL, RCODE.REFUSED]) {
    const fails: Handler = (_query, answer) => {
      answer.fail(rcode);
      return Outcome.FAILED;
    };
    const { outcome, answer } = await new BlockRig('ip_families ipv4', { last: fails }).ask('x.test.', {
      type: 'AAAA',
    });
    t.is(outcome, Outcome.FAILED);
    t.is(answer.rcode, rcode);
  }
  const signed: Handler = (query, answer) => {
    answer.addAddresses(30, 16, new Uint8Array(16), 0, 1);
    answer.beginRecordAt(SECTION.ANSWER, 12, RRTYPE.RRSIG, 30);
    answer.putBytes(new Uint8Array(18), 0, 18);
    answer.writePlainName(query.name);
    answer.endRecord();
    return Outcome.ANSWERED;
  };
  const query = new BlockRig('ip_families ipv4', { last: signed });
  t.is((await query.ask('x.test.', { type: 'AAAA', dnssecOk: true })).answer.records.counts[SECTION.ANSWER], 2);
});

test('a client that validates (CD and DO) is passed on: it would take the denial for forged', async (t) => {
  const rig = new BlockRig('ip_families ipv4\nforward . 192.0.2.53');
  t.is((await rig.ask('x.test.', { type: 'AAAA', dnssecOk: true, flags: 0x0110 })).rcode, 'SERVFAIL');
  t.is((await rig.ask('x.test.', { type: 'AAAA', flags: 0x0110 })).rcode, 'NOERROR');
  rig.close();
});

test('other classes and other types are passed on', async (t) => {
  const rig = new BlockRig('ip_families ipv4\nforward . 192.0.2.53');
  for (const asked of [{ type: 'AAAA', class: 'CH' }, { type: 'MX' }, { type: 'HTTPS' }])
    t.is((await rig.ask('x.test.', asked)).rcode, 'SERVFAIL');
  rig.close();
});

for (const how of ['at once', 'later'] as const) {
  test(`a failure ${how} leaves the query as it was`, async (t) => {
    const breaks: Handler = () => {
      if (how === 'at once') throw new Error('bug');
      return Promise.reject(new Error('bug'));
    };
    const rig = new BlockRig('ip_families ipv4', { last: breaks });
    const query = rig.makeQuery('x.test.', { type: 'AAAA' });
    const answer = new Answer();
    answer.begin(query);
    await t.throwsAsync(async () => rig.handler(query, answer), { message: 'bug' });
    t.is(query.reach, REACH.ANYWHERE);
    t.is(query.qtype, RRTYPE.AAAA);
  });
}

test('a reply that comes later is judged as one that comes at once, and the query is put back', async (t) => {
  const late: Handler = async (query, answer) => {
    await Promise.resolve();
    if (query.qtype === RRTYPE.AAAA) answer.addAddresses(30, 16, new Uint8Array(16), 0, 1);
    return Outcome.ANSWERED;
  };
  const rig = new BlockRig('ip_families ipv4', { last: late });
  const reply = await rig.ask('x.test.', { type: 'AAAA' });
  t.deepEqual(reply.answers, []);
  t.true(isMadeSoa(reply.authorities[0]!));
  t.is(reply.query.qtype, RRTYPE.AAAA);
  t.is(reply.query.reach, REACH.ANYWHERE);
});

test('what the server asks itself on behalf of a client asks no upstream either', (t) => {
  const query = new BlockRig('whoami').makeQuery('x.test.');
  query.reach = REACH.OWN;
  const copy = new Query();
  copy.copyOrigin(query);
  t.is(copy.reach, REACH.OWN);
  t.truthy(parseNameLower('x.test.'));
});

const BASE = { netmask: '', mac: '', internal: false, cidr: null };
const V4 = { ...BASE, address: '10.0.0.2', family: 'IPv4' } as const;
const V6 = { ...BASE, address: 'fd00::2', family: 'IPv6', scopeid: 0 } as const;
const LINK_LOCAL = { ...BASE, address: 'fe80::1', family: 'IPv6', scopeid: 2 } as const;
const ZEROCONF = { ...BASE, address: '169.254.1.1', family: 'IPv4' } as const;
const LOOPBACK = { ...BASE, internal: true, address: '::1', family: 'IPv6', scopeid: 0 } as const;

const HOSTS: readonly (readonly [string, os.NetworkInterfaceInfo[], number])[] = [
  ['IPv4, and IPv6 on the link only', [V4, LINK_LOCAL, LOOPBACK], RRTYPE.AAAA],
  ['IPv6, and IPv4 on the link only', [V6, ZEROCONF], RRTYPE.A],
  ['both', [V4, V6], 0],
  ['neither', [LOOPBACK, LINK_LOCAL], 0],
];
for (const [what, list, expected] of HOSTS) {
  test(`auto on a host with ${what}: ${expected === 0 ? 'nothing' : expected === RRTYPE.A ? 'A' : 'AAAA'} is withheld`, (t) => {
    const rig = new BlockRig('whoami');
    const { directives } = parseTestCorefile('. {\nip_families auto\n}\n').blocks[0]!;
    t.is(setupIpFamilies(directives, rig.context, () => ({ eth0: list })).unwantedType, expected);
    t.is(rig.lines.length, 1);
  });
}

test('nothing is withheld: the handler is the next one, so it costs nothing', (t) => {
  const next: Handler = () => Outcome.ANSWERED;
  const env = { next, cells: new Float64Array(1) } as unknown as Parameters<typeof createIpFamiliesHandler>[1];
  t.is(createIpFamiliesHandler({ unwantedType: 0, zoneLabels: [0], withheldCells: [] }, env), next);
});

const REFUSED = [
  ['ip_families', 'ARGUMENT_COUNT'],
  ['ip_families ipv5', 'ARGUMENT_VALUE'],
  ['ip_families ipv4 ipv6', 'ARGUMENT_COUNT'],
  ['ip_families ipv4\nip_families ipv6', 'DIRECTIVE_REPEATED'],
] as const;
for (const [body, code] of REFUSED) {
  test(`refused: ${JSON.stringify(body)}`, (t) => {
    t.is(t.throws(() => new BlockRig(body), { instanceOf: ConfigError })?.code, code);
  });
}
