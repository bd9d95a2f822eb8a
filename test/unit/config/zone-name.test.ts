// Keys and zone arguments: scheme, name, port, reverse zones.
import test from 'ava';
import { isPreferredSyntax, parseZone, splitZone } from '../../../lib/config/zone-name.ts';

const KEYS = [
  // key                        scheme   port       zones
  ['.', 'dns', undefined, ['.']],
  ['Example.ORG:5300', 'dns', 5300, ['example.org.']],
  ['example.org.', 'dns', undefined, ['example.org.']],
  ['tls://example.org', 'tls', undefined, ['example.org.']],
  ['https3://.:8443', 'https3', 8443, ['.']],
  ['udp://.:53', 'dns', 53, ['udp://.']],
  ['DNS://.:53', 'dns', 53, ['dns://.']],
  ['.:+0053', 'dns', 53, ['.']],
  ['10.0.0.0/8', 'dns', undefined, ['10.in-addr.arpa.']],
  ['10.1.2.3/8:53', 'dns', 53, ['10.in-addr.arpa.']],
  ['10.1.4.0/23', 'dns', undefined, ['4.1.10.in-addr.arpa.', '5.1.10.in-addr.arpa.']],
  ['0.0.0.0/0', 'dns', undefined, ['in-addr.arpa.']],
  ['2001:db8::/31', 'dns', undefined, ['8.b.d.0.1.0.0.2.ip6.arpa.', '9.b.d.0.1.0.0.2.ip6.arpa.']],
  ['10.1.2.0/33', 'dns', undefined, ['10.1.2.0/33.']],
  ['10.0.0.1', 'dns', undefined, ['10.0.0.1.']],
  ['2001:db8::1', 'dns', 1, ['2001:db8:.']],
  [String.raw`a\046b.example`, 'dns', undefined, [String.raw`a\046b.example.`]],
  [String.raw`a\.`, 'dns', undefined, [String.raw`a\..`]],
] as const;
for (const [key, scheme, port, zones] of KEYS)
  test(`key ${key} is ${zones.join(' ')} on ${scheme} port ${port ?? '(default)'}`, (t) => {
    t.deepEqual(splitZone(key), { scheme, port, zones: [...zones] });
  });

const REFUSED = [
  '',
  ':53',
  '.:',
  'a..b',
  '.a',
  '.:domain',
  '::/0',
  '0db8::/32',
  'a'.repeat(64),
  'é'.repeat(32),
  'a.'.repeat(128),
];
for (const key of REFUSED)
  test(`key ${key.slice(0, 30) || '(empty)'} is refused`, (t) => {
    t.true('fault' in splitZone(key));
    t.is(parseZone(key), undefined);
  });

test('a /27 becomes 32 reverse zones, a /17 128', (t) => {
  t.is(parseZone('10.0.0.32/27')!.length, 32);
  t.is(parseZone('10.0.0.32/27')![0], '32.0.0.10.in-addr.arpa.');
  t.is(parseZone('10.0.0.0/17')!.length, 128);
});

const SYNTAX = [
  ['.', true],
  ['cluster.local.', true],
  ['10.in-addr.arpa.', true],
  ['a-1.example.', true],
  ['a-.example.', false],
  ['_dns.example.', false],
  ['10.0.0.1.', false],
  ['*.example.', false],
] as const;
for (const [zone, expected] of SYNTAX)
  test(`${zone} ${expected ? 'follows' : 'does not follow'} RFC 1035's preferred syntax`, (t) => {
    t.is(isPreferredSyntax(zone), expected);
  });
