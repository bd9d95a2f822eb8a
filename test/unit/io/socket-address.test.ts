import net from 'node:net';
import test from 'ava';
import {
  createSockaddr,
  formatAddress,
  formatAddressPort,
  isLinkLocal,
  isMapped,
  parseAddress,
} from '../../../lib/io/socket-address.ts';

const ADDRESSES: readonly (readonly [string, string, string])[] = [
  // text                      bytes                               canonical text
  ['127.0.0.1', '7f000001', '127.0.0.1'],
  ['255.1.0.9', 'ff010009', '255.1.0.9'],
  ['::', '00000000000000000000000000000000', '::'],
  ['::1', '00000000000000000000000000000001', '::1'],
  ['2001:db8::', '20010db8000000000000000000000000', '2001:db8::'],
  ['2001:DB8:0:0:1:0:0:1', '20010db8000000000001000000000001', '2001:db8::1:0:0:1'],
  ['1:2:3:4:5:6:7:8', '00010002000300040005000600070008', '1:2:3:4:5:6:7:8'],
  ['1:0:3:4:5:6:7:8', '00010000000300040005000600070008', '1:0:3:4:5:6:7:8'],
  ['::ffff:10.0.0.7', '00000000000000000000ffff0a000007', '::ffff:a00:7'],
  ['64:ff9b::1.2.3.4', '0064ff9b000000000000000001020304', '64:ff9b::102:304'],
  ['1:2:3:4:5:6:1.2.3.4', '00010002000300040005000601020304', '1:2:3:4:5:6:102:304'],
  ['::1.2.3.4', '00000000000000000000000001020304', '::102:304'],
  ['fe80::1%lo', 'fe800000000000000000000000000001', 'fe80::1'],
];
for (const [text, hex, canonical] of ADDRESSES) {
  test(`address ${text} is ${hex}`, (t) => {
    const bytes = parseAddress(text)!;
    t.is(Buffer.from(bytes).toString('hex'), hex);
    t.is(formatAddress(bytes, 0, bytes.length === 4 ? 4 : 6), canonical);
    t.not(net.isIP(canonical), 0);
  });
}

for (const text of ['', '1.2.3', '1.2.3.256', ':::', '1::2::3', 'localhost', '%lo']) {
  test(`"${text}" is no address`, (t) => {
    t.is(parseAddress(text), undefined);
    t.throws(() => createSockaddr(text, 53));
  });
}

test('IPv6 addresses stand in brackets before a port', (t) => {
  t.is(formatAddressPort('10.0.0.1', 53), '10.0.0.1:53');
  t.is(formatAddressPort('::1', 53), '[::1]:53');
});

test('mapped and link-local addresses are told apart', (t) => {
  t.true(isMapped(parseAddress('::ffff:1.2.3.4')!, 0));
  t.false(isMapped(parseAddress('::1.2.3.4')!, 0));
  t.true(isLinkLocal(parseAddress('febf::1')!, 0));
  t.false(isLinkLocal(parseAddress('fec0::1')!, 0));
});
