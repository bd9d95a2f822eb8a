// The plugin `acl`: who is turned away, how, and what is counted.
import test from 'ava';
import { ConfigError, type ErrorCode } from '../../../lib/base/errors.ts';
import { Outcome } from '../../../lib/chain/outcome.ts';
import { AddressSet } from '../../../lib/plugins/acl/address-set.ts';
import { maskBytes, parseIpAddress, parseIpPrefix } from '../../../lib/base/ip-address.ts';
import { BlockRig, type Asked } from './block-rig.ts';

const BODY = `acl z.test {
  allow net 10.1.2.3
  block type A AAAA net 10.0.0.0/8 2001:db8::/33
  filter type * net 192.0.2.0/24
  drop TYPE TXT
}
acl {
  allow net 127.0.0.0/8
  block type MX
}
whoami`;

const PASSED = 'passed';
const CASES: readonly (readonly [name: string, asked: Asked, expected: string])[] = [
  ['z.test', { from: '10.0.0.1' }, 'REFUSED 15'],
  ['Sub.Z.test', { from: '10.255.255.255', type: 'AAAA' }, 'REFUSED 15'],
  ['z.test', { from: '10.0.0.1', type: 'NS' }, PASSED],
  ['z.test', { from: '10.1.2.3' }, PASSED],
  ['z.test', { from: '11.0.0.0' }, PASSED],
  ['z.test', { from: '9.255.255.255' }, PASSED],
  ['z.test', { from: '2001:db8:7fff::1' }, 'REFUSED 15'],
  ['z.test', { from: '2001:db8:8000::1' }, PASSED],
  ['z.test', { from: '192.0.2.77', type: 'SRV' }, 'NOERROR 17'],
  ['z.test', { from: '198.51.100.1', type: 'TXT' }, 'dropped'],
  ['z.test', { from: '198.51.100.1', type: 'MX' }, 'REFUSED 15'],
  ['other.test', { from: '10.0.0.1' }, PASSED],
  ['other.test', { from: '10.0.0.1', type: 'MX' }, 'REFUSED 15'],
  ['other.test', { from: '127.0.0.9', type: 'MX' }, PASSED],
];
for (const [name, asked, expected] of CASES) {
  test(`acl: ${name} ${asked.type ?? 'A'} from ${asked.from} is ${expected}`, async (t) => {
    const { outcome, rcode, additionals, answer } = await new BlockRig(BODY).ask(name, asked);
    const seen = outcome === Outcome.DROPPED ? 'dropped' : additionals.length > 0 ? PASSED : `${rcode} ${answer.ede}`;
    t.is(seen, expected);
  });
}

test('acl: EDE goes to clients with EDNS only (RFC 8914)', async (t) => {
  const rig = new BlockRig(BODY);
  t.true(
    (await rig.ask('z.test', { from: '10.0.0.1', udpSize: 1232 })).bytes.includes(Buffer.from([0, 15, 0, 2, 0, 15])),
  );
  t.is((await rig.ask('z.test', { from: '10.0.0.1' })).bytes.readUInt16BE(10), 0);
});

test('acl: counters per server and zone', async (t) => {
  const rig = new BlockRig(BODY, { view: 'v' });
  for (const [name, asked] of CASES) await rig.ask(name, asked);
  const labels = { server: 'dns://:1053', view: 'v' };
  t.is(rig.metric('coredns_acl_blocked_requests_total', { ...labels, zone: 'z.test.' }), 3);
  t.is(rig.metric('coredns_acl_blocked_requests_total', { ...labels, zone: '.' }), 2);
  t.is(rig.metric('coredns_acl_filtered_requests_total', { ...labels, zone: 'z.test.' }), 1);
  t.is(rig.metric('coredns_acl_dropped_requests_total', { ...labels, zone: 'z.test.' }), 1);
  t.is(rig.metric('coredns_acl_allowed_requests_total', labels), 7);
});

test('acl: ranges that overlap, touch, nest and reach the ends of the address space', (t) => {
  const prefixes = ['0.0.0.0/32', '10.0.0.0/9', '10.128.0.0/9', '10.1.0.0/16', '255.255.255.254/31', '::/0'];
  const set = new AddressSet(prefixes.map((text) => parseIpPrefix(text)!));
  const has = (text: string): boolean => {
    const { bytes } = parseIpAddress(text)!;
    return set.has(bytes, bytes.length === 4 ? 4 : 6);
  };
  const inside = [
    '0.0.0.0',
    '10.0.0.0',
    '10.127.255.255',
    '10.128.0.0',
    '10.255.255.255',
    '255.255.255.255',
    '::',
    'ff::',
  ];
  t.deepEqual(
    inside.filter((text) => !has(text)),
    [],
  );
  t.deepEqual(['0.0.0.1', '9.255.255.255', '11.0.0.0', '255.255.255.253'].filter(has), []);
});

test('acl: a thousand random addresses agree with a plain comparison', (t) => {
  let seed = 7;
  const random = (): number => (seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0);
  const address = (): Uint8Array => Uint8Array.from([10 + (random() >>> 31), random() >>> 24, random() >>> 24, 0]);
  const prefixes = Array.from({ length: 40 }, () => {
    const length = 8 + (random() >>> 27);
    const bounded = Math.min(32, length);
    return { bytes: maskBytes(address(), bounded), length: bounded };
  });
  const set = new AddressSet(prefixes);
  for (let i = 0; i < 1000; i++) {
    const client = address();
    const plain = prefixes.some(({ bytes, length }) => Buffer.compare(maskBytes(client, length), bytes) === 0);
    t.is(set.has(client, 4), plain, client.join('.'));
  }
});

const REFUSED: readonly (readonly [body: string, code: ErrorCode, message: string])[] = [
  [
    'acl {\ndeny net 10.0.0.0/8\n}',
    'OPTION_UNKNOWN',
    'acl: unknown option "deny", options are allow, block, filter, drop',
  ],
  [
    'acl {\nallow net 10.0.0.0/33\n}',
    'ARGUMENT_VALUE',
    'acl: allow: expected an address or a range (10.0.0.0/8, 2001:db8::/32), not "10.0.0.0/33"',
  ],
  [
    'acl {\nblock type a\n}',
    'ARGUMENT_VALUE',
    'acl: block: expected a record type in capital letters (A, AAAA, ANY), not "a"',
  ],
  ['acl {\nblock type\n}', 'ARGUMENT_COUNT', 'acl: block: nothing follows "type"'],
  ['acl {\nblock net type A\n}', 'ARGUMENT_COUNT', 'acl: block: nothing follows "net"'],
  ['acl {\nblock from 10.0.0.1\n}', 'ARGUMENT_VALUE', 'acl: block: expected type or net, not "from"'],
];
for (const [body, code, message] of REFUSED) {
  test(`acl refused: ${JSON.stringify(body)}`, (t) => {
    const error = t.throws(() => new BlockRig(body), { instanceOf: ConfigError });
    t.deepEqual([error?.code, error?.message, error?.line], [code, message, 3]);
  });
}
