// The etcd plugin: answers from services as etcd holds them, without an etcd; what the directive takes and refuses.
import dnsPacket from 'dns-packet';
import test from 'ava';
import { ConfigError } from '../../../lib/base/errors.ts';
import { ManualClock } from '../../../lib/base/clock.ts';
import { Answer } from '../../../lib/chain/answer.ts';
import { finish } from '../../../lib/chain/finish.ts';
import { Outcome, type Result } from '../../../lib/chain/outcome.ts';
import type { Env, Handler } from '../../../lib/chain/plugin.ts';
import { Query } from '../../../lib/chain/query.ts';
import { makeSubquery } from '../../../lib/chain/subquery.ts';
import { createEtcdHandler } from '../../../lib/plugins/etcd/handler.ts';
import { setupEtcd } from '../../../lib/plugins/etcd/setup.ts';
import { labelsOfKey, parseService } from '../../../lib/sources/etcd/service.ts';
import { MAX_SERVICES_PER_NAME, ServiceTree } from '../../../lib/sources/etcd/service-tree.ts';
import { applyChanges } from '../../../lib/store/change.ts';
import { createStoreMemory, TREE_STATE } from '../../../lib/store/layout.ts';
import { StoreReader } from '../../../lib/store/reader.ts';
import { StoreWriter } from '../../../lib/store/writer.ts';
import { formatName } from '../../../lib/wire/name.ts';
import { formatRcode, RCODE } from '../../../lib/wire/types.ts';
import { directivesOf, makeContext } from './fake-chain.ts';

const ZONES = ['skydns.local.', '10.in-addr.arpa.'];
const SERIAL = 1_700_000_000;

/** A plugin with services in its store. */
class Rig {
  readonly clock: ManualClock = new ManualClock();
  readonly #memory = createStoreMemory({ arenaBytes: 2 ** 22, readers: 1 });
  readonly #writer = new StoreWriter(this.#memory);
  readonly #store = new StoreReader(this.#memory, 0);
  readonly #tree = this.#writer.openTree();
  readonly #services = new ServiceTree(ZONES, (lease) => (lease === '7' ? 45 : 0));
  readonly #handler: Handler;

  constructor(services: Readonly<Record<string, object>> = {}, fallthrough: readonly string[] = [], isSynced = true) {
    for (const [key, service] of Object.entries(services)) this.put(key, service);
    this.publish();
    this.#writer.setSerial(this.#tree, SERIAL);
    if (isSynced) this.#writer.setState(this.#tree, TREE_STATE.SYNCED);
    const next: Handler = (query, answer) => {
      if (formatName(query.name) === 'outside.test.') {
        answer.addAddresses(77, 4, Uint8Array.of(192, 0, 2, 7), 0, query.qtype === 1 ? 1 : 0);
        return Outcome.ANSWERED;
      }
      answer.fail(RCODE.REFUSED);
      return Outcome.FAILED;
    };
    const resolve = (query: Query, name: Uint8Array, type: number, into: Answer): Result => {
      const subquery = makeSubquery(query, name, type);
      into.begin(subquery);
      return this.#handler(subquery, into);
    };
    const env = { next, store: this.#store, resolve, clock: this.clock } as unknown as Env;
    this.#handler = createEtcdHandler({ tree: this.#tree, zones: ZONES, fallthrough }, env);
  }

  put(key: string, service: object, lease = '0'): void {
    const parsed = parseService(Buffer.from(JSON.stringify(service)), lease);
    this.#services.set(key, labelsOfKey(key, '/skydns/')!, parsed!);
  }

  delete(key: string): void {
    this.#services.delete(key);
  }

  /** @returns how many names changed */
  publish(): number {
    return applyChanges(this.#writer, this.#tree, this.#services.takeChanges()).changed;
  }

  async ask(
    name: string,
    type: string,
  ): Promise<{ rcode: string; answers: string[]; authority: string[]; additional: string[] }> {
    const packet = dnsPacket.encode({ type: 'query', questions: [{ name, type: type as 'A' }] });
    const query = new Query();
    query.parse(packet, 0, packet.length);
    query.sizeLimit = 65_535;
    const answer = new Answer();
    answer.begin(query);
    await this.#handler(query, answer);
    const length = finish(query, answer);
    const reply = dnsPacket.decode(Buffer.from(answer.bytes.subarray(answer.base, answer.base + length)));
    return {
      rcode: formatRcode(answer.bytes[answer.base + 3]! & 15),
      answers: reply.answers!.map(format),
      authority: reply.authorities!.map(format),
      additional: reply.additionals!.map(format),
    };
  }
}

function format(record: dnsPacket.Answer): string {
  const { name, type } = record;
  const ttl = 'ttl' in record ? record.ttl : '';
  if (record.type === 'SRV') {
    const { priority, weight, port, target } = record.data;
    return `${name} ${ttl} SRV ${priority} ${weight} ${port} ${target}`;
  }
  if (record.type === 'MX') return `${name} ${ttl} MX ${record.data.preference} ${record.data.exchange}`;
  if (record.type === 'SOA')
    return `${name} ${ttl} SOA ${record.data.mname} ${record.data.rname} ${record.data.serial}`;
  if (record.type === 'TXT') return `${name} ${ttl} TXT ${(record.data as Buffer[]).map(String).join('|')}`;
  return `${name} ${ttl} ${type} ${'data' in record && typeof record.data === 'string' ? record.data : ''}`;
}

const SERVICES: Readonly<Record<string, object>> = {
  '/skydns/local/skydns/web/a': { host: '10.0.0.5', port: 8080, ttl: 60 },
  '/skydns/local/skydns/web/b': { host: '10.0.0.6', port: 8080, priority: 20 },
  '/skydns/local/skydns/web/c': { host: '10.0.0.6', port: 8081 },
  '/skydns/local/skydns/six': { host: '2001:db8::1', port: 1 },
  '/skydns/local/skydns/alias': { host: 'web.skydns.local' },
  '/skydns/local/skydns/out': { host: 'outside.test', port: 9 },
  '/skydns/local/skydns/dangling': { host: 'nope.skydns.local' },
  '/skydns/local/skydns/self': { host: 'self.skydns.local' },
  '/skydns/local/skydns/ping': { host: 'pong.skydns.local' },
  '/skydns/local/skydns/pong': { host: 'ping.skydns.local' },
  '/skydns/local/skydns/txt': { text: 'hello world' },
  '/skydns/local/skydns/long': { text: 'x'.repeat(300) },
  '/skydns/local/skydns/mx': { host: 'mail.skydns.local', mail: true, priority: 5 },
  '/skydns/local/skydns/mail': { host: '10.0.0.9', mail: true },
  '/skydns/local/skydns/dns/ns/ns1': { host: '10.0.0.53' },
  '/skydns/local/skydns/dns/apex/x': { host: '10.0.0.80' },
  '/skydns/arpa/in-addr/10/0/0/5': { host: 'web.skydns.local' },
  '/skydns/local/skydns/strip/deep': { host: '10.1.1.1', targetstrip: 1, port: 7 },
  '/skydns/local/skydns/weights/a': { host: '10.2.0.1', weight: 10 },
  '/skydns/local/skydns/weights/b': { host: '10.2.0.2', weight: 30 },
  '/skydns/local/skydns/both': { host: '10.3.0.1' },
  '/skydns/local/skydns/both/below': { host: '10.3.0.2' },
  '/skydns/local/skydns/groups/a': { host: '10.4.0.1', group: 'g1' },
  '/skydns/local/skydns/groups/a/x': { host: '10.4.0.2', group: 'g1' },
  '/skydns/local/skydns/groups/a/y': { host: '10.4.0.3', group: 'g2' },
  '/skydns/org/elsewhere/x': { host: '10.5.0.1' },
};

type Expected = {
  readonly rcode?: string;
  readonly answers?: readonly string[];
  readonly additional?: readonly string[];
};
const CASES: readonly (readonly [name: string, type: string, expected: Expected])[] = [
  ['web.skydns.local', 'A', { answers: ['web.skydns.local 60 A 10.0.0.5', 'web.skydns.local 300 A 10.0.0.6'] }],
  ['web.skydns.local', 'AAAA', {}],
  ['a.web.skydns.local', 'A', { answers: ['a.web.skydns.local 60 A 10.0.0.5'] }],
  ['WEB.skydns.local', 'A', { answers: ['WEB.skydns.local 60 A 10.0.0.5', 'WEB.skydns.local 300 A 10.0.0.6'] }],
  ['six.skydns.local', 'AAAA', { answers: ['six.skydns.local 300 AAAA 2001:db8::1'] }],
  [
    'web.skydns.local',
    'SRV',
    {
      answers: [
        'web.skydns.local 60 SRV 10 50 8080 a.web.skydns.local',
        'web.skydns.local 300 SRV 20 100 8080 b.web.skydns.local',
        'web.skydns.local 300 SRV 10 50 8081 c.web.skydns.local',
      ],
      additional: [
        'a.web.skydns.local 60 A 10.0.0.5',
        'b.web.skydns.local 300 A 10.0.0.6',
        'c.web.skydns.local 300 A 10.0.0.6',
      ],
    },
  ],
  [
    'weights.skydns.local',
    'SRV',
    {
      answers: [
        'weights.skydns.local 300 SRV 10 25 0 a.weights.skydns.local',
        'weights.skydns.local 300 SRV 10 75 0 b.weights.skydns.local',
      ],
      additional: ['a.weights.skydns.local 300 A 10.2.0.1', 'b.weights.skydns.local 300 A 10.2.0.2'],
    },
  ],
  [
    'strip.skydns.local',
    'SRV',
    {
      answers: ['strip.skydns.local 300 SRV 10 100 7 strip.skydns.local'],
      additional: ['strip.skydns.local 300 A 10.1.1.1'],
    },
  ],
  [
    'alias.skydns.local',
    'A',
    {
      answers: [
        'alias.skydns.local 300 CNAME web.skydns.local',
        'web.skydns.local 60 A 10.0.0.5',
        'web.skydns.local 300 A 10.0.0.6',
      ],
    },
  ],
  ['alias.skydns.local', 'CNAME', { answers: ['alias.skydns.local 300 CNAME web.skydns.local'] }],
  ['alias.skydns.local', 'AAAA', {}],
  ['out.skydns.local', 'A', { answers: ['out.skydns.local 300 CNAME outside.test', 'outside.test 77 A 192.0.2.7'] }],
  ['out.skydns.local', 'AAAA', { answers: ['out.skydns.local 300 CNAME outside.test'] }],
  [
    'out.skydns.local',
    'SRV',
    { answers: ['out.skydns.local 300 SRV 10 100 9 outside.test'], additional: ['outside.test 77 A 192.0.2.7'] },
  ],
  ['dangling.skydns.local', 'A', {}],
  ['self.skydns.local', 'A', {}],
  ['ping.skydns.local', 'A', {}],
  ['txt.skydns.local', 'TXT', { answers: ['txt.skydns.local 300 TXT hello world'] }],
  ['txt.skydns.local', 'A', {}],
  ['long.skydns.local', 'TXT', { answers: [`long.skydns.local 300 TXT ${'x'.repeat(255)}|${'x'.repeat(45)}`] }],
  [
    'mx.skydns.local',
    'MX',
    { answers: ['mx.skydns.local 300 MX 5 mail.skydns.local'], additional: ['mail.skydns.local 300 A 10.0.0.9'] },
  ],
  ['web.skydns.local', 'MX', {}],
  ['skydns.local', 'A', { answers: ['skydns.local 300 A 10.0.0.80'] }],
  ['skydns.local', 'SOA', { answers: [`skydns.local 30 SOA ns.dns.skydns.local hostmaster.skydns.local ${SERIAL}`] }],
  [
    'skydns.local',
    'NS',
    {
      answers: ['skydns.local 300 NS ns1.ns.dns.skydns.local'],
      additional: ['ns1.ns.dns.skydns.local 300 A 10.0.0.53'],
    },
  ],
  ['5.0.0.10.in-addr.arpa', 'PTR', { answers: ['5.0.0.10.in-addr.arpa 300 PTR web.skydns.local'] }],
  ['0.0.10.in-addr.arpa', 'PTR', {}],
  ['6.0.0.10.in-addr.arpa', 'PTR', { rcode: 'NXDOMAIN' }],
  ['nope.skydns.local', 'A', { rcode: 'NXDOMAIN' }],
  ['nope.skydns.local', 'SOA', { rcode: 'NXDOMAIN' }],
  ['a.web.skydns.local', 'HINFO', {}],
  ['x.a.web.skydns.local', 'A', { rcode: 'NXDOMAIN' }],
  ['both.skydns.local', 'A', { answers: ['both.skydns.local 300 A 10.3.0.2'] }],
  [
    'groups.skydns.local',
    'A',
    { answers: ['groups.skydns.local 300 A 10.4.0.1', 'groups.skydns.local 300 A 10.4.0.2'] },
  ],
  ['*.web.skydns.local', 'A', { answers: ['*.web.skydns.local 60 A 10.0.0.5', '*.web.skydns.local 300 A 10.0.0.6'] }],
  [
    'a.any.skydns.local',
    'A',
    {
      answers: [
        'a.any.skydns.local 300 A 10.4.0.1',
        'a.any.skydns.local 300 A 10.4.0.2',
        'a.any.skydns.local 300 A 10.4.0.3',
        'a.any.skydns.local 60 A 10.0.0.5',
        'a.any.skydns.local 300 A 10.2.0.1',
      ],
    },
  ],
  ['*.nope.skydns.local', 'A', { rcode: 'NXDOMAIN' }],
  ['nope.any.skydns.local', 'A', { rcode: 'NXDOMAIN' }],
  ['x.elsewhere.org', 'A', { rcode: 'REFUSED' }],
];
for (const [name, type, expected] of CASES) {
  const { rcode = 'NOERROR', answers = [], additional = [] } = expected;
  test(`etcd: ${name} ${type} is ${rcode} with ${answers.length} records`, async (t) => {
    const reply = await new Rig(SERVICES).ask(name, type);
    t.is(reply.rcode, rcode);
    t.deepEqual(reply.answers, answers);
    t.deepEqual(reply.additional, additional);
    const isNegative = rcode !== 'REFUSED' && answers.length === 0;
    t.is(reply.authority.length, isNegative ? 1 : 0);
  });
}

test('etcd: a change is in the next answer, and only the names it concerns are written', async (t) => {
  const rig = new Rig({
    '/skydns/local/skydns/web/a': { host: '10.0.0.1' },
    '/skydns/local/skydns/x': { host: '10.0.0.2' },
  });
  rig.put('/skydns/local/skydns/web/a', { host: '10.0.0.3' });
  t.is(rig.publish(), 3);
  t.deepEqual((await rig.ask('web.skydns.local', 'A')).answers, ['web.skydns.local 300 A 10.0.0.3']);
  t.is(rig.publish(), 0);
  rig.delete('/skydns/local/skydns/web/a');
  rig.publish();
  t.is((await rig.ask('web.skydns.local', 'A')).rcode, 'NXDOMAIN');
  t.deepEqual((await rig.ask('x.skydns.local', 'A')).answers, ['x.skydns.local 300 A 10.0.0.2']);
});

test('etcd: a service deleted and put again between two turns was never missing', (t) => {
  const tree = new ServiceTree(ZONES, () => 0);
  const key = '/skydns/local/skydns/web/a';
  const put = (host: string): void =>
    tree.set(key, labelsOfKey(key, '/skydns/')!, parseService(Buffer.from(`{"host":"${host}"}`), '0')!);
  put('10.0.0.1');
  tree.takeChanges();
  tree.delete(key);
  put('10.0.0.2');
  t.deepEqual([...new Set(tree.takeChanges().map(({ kind }) => kind))], ['put']);
});

test('CVE-2025-58063: etcd: the id of a lease is no TTL, and a TTL that is none is refused', async (t) => {
  const rig = new Rig();
  for (const [i, id] of ['1', '2147483648', '7587890158493721345', '9223372036854775807'].entries()) {
    rig.put(`/skydns/local/skydns/n${i}`, { host: '10.0.0.1' }, id);
  }
  rig.publish();
  for (let i = 0; i < 4; i++) {
    t.deepEqual((await rig.ask(`n${i}.skydns.local`, 'A')).answers, [`n${i}.skydns.local 300 A 10.0.0.1`]);
  }
  for (const ttl of [-1, 2 ** 31, 2 ** 32, 2 ** 63, 1.5, '60']) {
    t.throws(() => rig.put('/skydns/local/skydns/x', { host: '10.0.0.1', ttl }), { message: /^ttl is no number/ });
  }
  rig.put('/skydns/local/skydns/zero', { host: '10.0.0.1', ttl: 0 });
  rig.put('/skydns/local/skydns/most', { host: '10.0.0.1', ttl: 2 ** 31 - 1 });
  rig.publish();
  t.deepEqual((await rig.ask('zero.skydns.local', 'A')).answers, ['zero.skydns.local 300 A 10.0.0.1']);
  t.deepEqual((await rig.ask('most.skydns.local', 'A')).answers, ['most.skydns.local 2147483647 A 10.0.0.1']);
});

test('etcd: a lease shortens the TTL', async (t) => {
  const rig = new Rig();
  rig.put('/skydns/local/skydns/a', { host: '10.0.0.1' }, '7');
  rig.put('/skydns/local/skydns/b', { host: '10.0.0.1', ttl: 20 }, '7');
  rig.put('/skydns/local/skydns/c', { host: '10.0.0.1', ttl: 600 }, '7');
  rig.publish();
  t.deepEqual((await rig.ask('a.skydns.local', 'A')).answers, ['a.skydns.local 45 A 10.0.0.1']);
  t.deepEqual((await rig.ask('b.skydns.local', 'A')).answers, ['b.skydns.local 20 A 10.0.0.1']);
  t.deepEqual((await rig.ask('c.skydns.local', 'A')).answers, ['c.skydns.local 45 A 10.0.0.1']);
});

test('etcd: missing names fall through, others do not', async (t) => {
  const rig = new Rig(SERVICES, ['skydns.local.']);
  t.is((await rig.ask('nope.skydns.local', 'A')).rcode, 'REFUSED');
  t.is((await rig.ask('web.skydns.local', 'AAAA')).rcode, 'NOERROR');
  t.is((await rig.ask('9.9.9.10.in-addr.arpa', 'PTR')).rcode, 'NXDOMAIN');
});

test('etcd: before everything was read nothing is denied', async (t) => {
  const rig = new Rig({}, ['.'], false);
  t.is((await rig.ask('nope.skydns.local', 'A')).rcode, 'SERVFAIL');
});

test(`etcd: a name answers with at most ${MAX_SERVICES_PER_NAME} services`, async (t) => {
  const rig = new Rig();
  for (let i = 0; i < MAX_SERVICES_PER_NAME + 20; i++) {
    rig.put(`/skydns/local/skydns/many/s${String(i).padStart(5, '0')}`, { host: `10.${i >> 8}.${i & 255}.1` });
  }
  rig.publish();
  t.is((await rig.ask('many.skydns.local', 'A')).answers.length, MAX_SERVICES_PER_NAME);
});

const BAD_VALUES: readonly (readonly [string, RegExp])[] = [
  ['notjson', /JSON/],
  ['[]', /no JSON object/],
  ['null', /no JSON object/],
  ['{"host":5}', /host is no text/],
  ['{"host":"a..b"}', /neither an address nor a name/],
  ['{"host":"10.0.0.1","port":70000}', /port is no number from 0 to 65535/],
  ['{"host":"10.0.0.1","ttl":-1}', /ttl/],
  ['{"host":"10.0.0.1","weight":"1"}', /weight/],
  [`{"text":"${'x'.repeat(40_000)}"}`, /text has more than/],
];
for (const [value, message] of BAD_VALUES) {
  test(`etcd: a value that is no service: ${value.slice(0, 40)}`, (t) => {
    t.throws(() => parseService(Buffer.from(value), '0'), { message });
  });
}

const KEYS: readonly (readonly [string, readonly string[] | undefined])[] = [
  ['/skydns/local/skydns/x', ['x', 'skydns', 'local']],
  ['/skydns/Local/x/', ['x', 'local']],
  ['/skydns/', undefined],
  ['/other/local', undefined],
  ['/skydns/a.b/c', undefined],
  [`/skydns/${'x'.repeat(64)}`, undefined],
  [`/skydns/${'abcdefg/'.repeat(40)}`, undefined],
];
for (const [key, labels] of KEYS) {
  test(`etcd: the name of the key ${key.slice(0, 40)}`, (t) => {
    t.deepEqual(labelsOfKey(key, '/skydns/'), labels);
  });
}

type Taken = { readonly kind: string; readonly options: Readonly<Record<string, unknown>> };
function setUp(body: string): { options: ReturnType<typeof setupEtcd>; source: Taken | undefined } {
  let source: Taken | undefined;
  const context = { ...makeContext(['skydns.local.']), addSource: (spec: unknown) => ((source = spec as Taken), 4) };
  return { options: setupEtcd(directivesOf('etcd', body), context), source };
}

test('etcd: defaults of the directive', (t) => {
  const { options, source } = setUp('etcd');
  t.deepEqual(options, { tree: 4, zones: ['skydns.local.'], fallthrough: [] });
  t.deepEqual(source?.options, {
    access: { endpoints: ['http://localhost:2379'] },
    prefix: '/skydns/',
    zones: ['skydns.local.'],
    minLeaseTtlSeconds: 30,
    maxLeaseTtlSeconds: 86_400,
  });
});

test('etcd: every option of the directive', (t) => {
  const { options, source } = setUp(
    'etcd a.test {\npath /dns/zones/\nendpoint http://10.0.0.1:2379 10.0.0.2 https://e.test\ncredentials me secret\nmin-lease-ttl 5\nmax-lease-ttl 1h\nfallthrough b.test\nstubzones\nupstream\n}',
  );
  t.deepEqual(options, { tree: 4, zones: ['a.test.'], fallthrough: ['b.test.'] });
  t.deepEqual(source?.options, {
    access: {
      endpoints: ['http://10.0.0.1:2379', 'http://10.0.0.2:2379', 'https://e.test:2379'],
      user: { name: 'me', password: 'secret' },
    },
    prefix: '/dns/zones/',
    zones: ['a.test.'],
    minLeaseTtlSeconds: 5,
    maxLeaseTtlSeconds: 3600,
  });
});

const REFUSED: readonly (readonly [body: string, code: ConfigError['code'], line: number])[] = [
  ['etcd\netcd', 'DIRECTIVE_REPEATED', 3],
  ['etcd {\npath\n}', 'ARGUMENT_COUNT', 3],
  ['etcd {\nendpoint\n}', 'ARGUMENT_COUNT', 3],
  ['etcd {\nendpoint ftp://x\n}', 'ARGUMENT_VALUE', 3],
  ['etcd {\ncredentials a\n}', 'ARGUMENT_COUNT', 3],
  ['etcd {\nttl 3\n}', 'OPTION_UNKNOWN', 3],
  ['etcd {\nmin-lease-ttl x\n}', 'ARGUMENT_VALUE', 3],
  ['etcd {\ntls a b c d\n}', 'ARGUMENT_COUNT', 3],
  ['etcd {\ntls /nosuch/ca.pem\n}', 'FILE', 3],
];
for (const [body, code, line] of REFUSED) {
  test(`etcd: refused with a line: ${JSON.stringify(body)}`, (t) => {
    const error = t.throws(() => setUp(body), { instanceOf: ConfigError });
    t.is(error.code, code);
    t.is(error.line, line);
  });
}
