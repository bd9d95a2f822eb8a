// IP addresses: strictness of the reader, canonical form of the writer.
import test from 'ava';
import {
  formatHostPort,
  formatIpAddress,
  isInPrefix,
  parseIpAddress,
  parseIpPrefix,
  splitHostPort,
} from '../../../lib/base/ip-address.ts';

const ADDRESSES = [
  // text                                        formatted, or undefined when it is no address
  ['0.0.0.0', '0.0.0.0'],
  ['10.0.0.255', '10.0.0.255'],
  ['10.0.0.256', undefined],
  ['10.0.0.01', undefined],
  ['10.0.0', undefined],
  ['10.0.0.1.2', undefined],
  ['10.0.0.', undefined],
  ['0x10.0.0.1', undefined],
  [' 10.0.0.1', undefined],
  ['', undefined],
  ['::', '::'],
  ['::1', '::1'],
  ['1::', '1::'],
  ['2001:DB8::0:1', '2001:db8::1'],
  ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
  ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
  ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
  ['::2:3:4:5:6:7:8', '0:2:3:4:5:6:7:8'],
  ['::ffff:10.0.0.1', '::ffff:10.0.0.1'],
  ['64:ff9b::10.0.0.1', '64:ff9b::a00:1'],
  ['fe80::1%eth0', 'fe80::1%eth0'],
  ['fe80::1%', undefined],
  ['1:2:3:4:5:6:7:8::', undefined],
  ['1:2:3:4:5:6:7', undefined],
  ['1:2:3:4:5:6:7:8:9', undefined],
  [':::', undefined],
  ['1::2::3', undefined],
  ['12345::', undefined],
  ['::10.0.0.1:1', undefined],
  ['10.0.0.1::', undefined],
  ['[::1]', undefined],
  ['g::', undefined],
] as const;
for (const [text, expected] of ADDRESSES)
  test(`address ${JSON.stringify(text)} reads as ${expected ?? 'no address'}`, (t) => {
    const address = parseIpAddress(text);
    t.is(address && formatIpAddress(address.bytes, address.zone), expected);
  });

const PREFIXES = [
  ['10.1.2.3/8', '10.0.0.0', 8],
  ['10.1.2.255/31', '10.1.2.254', 31],
  ['0.0.0.0/0', '0.0.0.0', 0],
  ['2001:db8:ffff::/33', '2001:db8:8000::', 33],
  ['10.0.0.0/33', undefined, 0],
  ['::/129', undefined, 0],
  ['10.0.0.0', undefined, 0],
  ['10.0.0.0/', undefined, 0],
  ['10.0.0.0/-1', undefined, 0],
  ['fe80::1%eth0/64', undefined, 0],
] as const;
for (const [text, network, length] of PREFIXES)
  test(`prefix ${text} is ${network === undefined ? 'refused' : `${network} with ${length} bits`}`, (t) => {
    const prefix = parseIpPrefix(text);
    t.is(prefix && formatIpAddress(prefix.bytes), network);
    if (prefix !== undefined) t.is(prefix.length, length);
  });

const MEMBERSHIP = [
  ['10.1.2.3', '10.1.2.0/24', true],
  ['10.1.3.3', '10.1.2.0/24', false],
  ['10.1.2.127', '10.1.2.0/25', true],
  ['10.1.2.128', '10.1.2.0/25', false],
  ['192.0.2.1', '0.0.0.0/0', true],
  ['::ffff:10.1.2.3', '10.0.0.0/8', true],
  ['2001:db8::1', '2001:db8::/32', true],
  ['2001:db9::1', '2001:db8::/32', false],
  ['2001:db8::1', '0.0.0.0/0', false],
] as const;
for (const [address, prefix, expected] of MEMBERSHIP)
  test(`${address} is ${expected ? '' : 'not '}in ${prefix}`, (t) => {
    t.is(isInPrefix(parseIpAddress(address)!.bytes, parseIpPrefix(prefix)!), expected);
  });

test('host and port: parts what formatHostPort joins, refuses a missing port and stray colons', (t) => {
  for (const [host, port] of [
    ['10.0.0.1', '53'],
    ['::1', '53'],
    ['', '8080'],
    ['localhost', '9153'],
  ] as const) {
    t.deepEqual(splitHostPort(formatHostPort(host, port)), { host, port });
  }
  for (const text of ['localhost', '::1', '[::1]', '[::1', 'a:b:1']) t.is(splitHostPort(text), undefined, text);
});
