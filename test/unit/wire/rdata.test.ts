import test from 'ava';
import { parseRecord } from '../../../lib/wire/record.ts';
import { CODECS, equalRdata, findRdataNames, formatRdata, isValidRdata } from '../../../lib/wire/rdata/registry.ts';
import { formatName } from '../../../lib/wire/name.ts';
import { formatType, parseType } from '../../../lib/wire/types.ts';
import { RDATA_CASES } from './rdata-cases.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'));

for (const [type, text, wire, printed] of RDATA_CASES) {
  test(`rdata: ${type} ${text} has its wire form and is printed as usual`, (t) => {
    const { rdata } = parseRecord(`a. 1 IN ${type} ${text}`);
    t.is(hex(rdata), wire);
    t.is(formatRdata(parseType(type)!, rdata), printed);
    t.is(hex(parseRecord(`a. 1 IN ${type} ${printed}`).rdata), wire);
  });
}

test('rdata: every type with a codec has a case', (t) => {
  const tested = new Set(RDATA_CASES.map(([type]) => type));
  const sameFormat = new Map([
    ['SIG', 'RRSIG'],
    ['KEY', 'DNSKEY'],
  ]);
  const missing = [...CODECS.keys()].map(formatType).filter((type) => !tested.has(sameFormat.get(type) ?? type));
  t.deepEqual(missing, []);
});

test('rdata: bytes cut off or left over do not fit the type and are printed as unknown data', (t) => {
  // These have a part of free length at the end, or nothing but one.
  const open = new Set(['TXT', 'SPF', 'OPENPGPKEY', 'DHCID', 'CAA', 'URI', 'SSHFP', 'TLSA', 'SMIMEA', 'DS', 'CDS']);
  for (const [type, , wire] of RDATA_CASES) {
    if (!CODECS.has(parseType(type)!)) continue;
    const code = parseType(type)!;
    const rdata = bytes(wire);
    t.true(isValidRdata(code, rdata), type);
    t.true(formatRdata(code, Uint8Array.of()).startsWith('\\# 0') || open.has(type), type);
    for (let length = 0; length < rdata.length; length++) {
      const cut = rdata.slice(0, length);
      const printed = formatRdata(code, cut);
      t.is(isValidRdata(code, cut), !printed.startsWith('\\#'), `${type} cut at ${length}`);
      // A list of mandatory keys outlives the keys it names when the end is cut off: printable, but no valid text.
      if (printed.startsWith('\\#') || printed.includes('mandatory=')) continue;
      t.is(hex(parseRecord(`a. 1 IN ${type} ${printed}`).rdata), hex(cut), `${type} cut at ${length}`);
    }
  }
});

const BAD: readonly (readonly [string, string])[] = [
  ['A 1.2.3', 'A: "1.2.3" is not an IPv4 address'],
  ['A 1.2.3.4 5.6.7.8', 'A: "5.6.7.8" follows a complete record'],
  ['A', 'A: address is missing'],
  ['AAAA fe80::1%eth0', 'AAAA: "fe80::1%eth0" is not an IPv6 address'],
  ['AAAA 1.2.3.4', 'AAAA: "1.2.3.4" is not an IPv6 address'],
  ['MX mail.example.', 'MX: preference: "mail.example." is not a number from 0 to 65535'],
  ['MX 65536 mail.example.', 'MX: preference: "65536" is not a number from 0 to 65535'],
  ['NS a..b', 'NS: "a..b" is not a domain name'],
  ['SOA ns. mail. 1 2 3 4', 'SOA: minimum TTL is missing'],
  ['SOA ns. mail. 1 2x 3 4 5', 'SOA: refresh: "2x" is not a number of seconds'],
  ['TXT', 'TXT: text is missing'],
  [String.raw`TXT \256`, String.raw`TXT: "\256" is not a byte, which ends at \255`],
  ['CAA 0 is-sue x', 'CAA: tag: "is-sue" is not made of letters and digits'],
  ['TLSA 3 1 1 abc', 'TLSA: certificate association data: not hexadecimal'],
  ['DNSKEY 256 3 8 A=B=', 'DNSKEY: public key: not base64'],
  ['DNSKEY 256 3 ROT13 AA==', 'DNSKEY: "ROT13" is not a DNSSEC algorithm'],
  [
    'RRSIG A 8 1 5 20201301000000 20200101000000 1 . AA==',
    'RRSIG: expiration: "20201301000000" is not a time as YYYYMMDDHHmmSS',
  ],
  ['NSEC a. A BANANA', 'NSEC: "BANANA" is not a record type'],
  ['NSEC3 1 0 0 - !!', 'NSEC3: next hash: "!!" is not base32hex'],
  ['LOC 91 N 0 E 0m', 'LOC: latitude: not degrees (to 90), minutes, seconds and N or S'],
  ['EUI48 00-11-22', 'EUI48: "00-11-22" is not 6 bytes as 00-11-22-..'],
  ['HTTPS 1 . port=99999', 'HTTPS: port: "99999" is not a value for it'],
  ['HTTPS 1 . banana=1', 'HTTPS: "banana" is not a service parameter'],
  ['HTTPS 1 . port=1 port=2', 'HTTPS: port stands twice'],
  ['HTTPS 1 . mandatory=port', 'HTTPS: mandatory: port is repeated or missing'],
  ['HTTPS 1 . alpn', 'HTTPS: alpn: "" is not a value for it'],
  ['TYPE65280 abc', String.raw`TYPE65280: "abc" where \# must stand, the type has no text form of its own`],
  [String.raw`TYPE65280 \# 3 abcd`, String.raw`TYPE65280: 2 bytes where \# says 3`],
  [String.raw`A \# 3 010203`, 'A: the bytes do not fit the type'],
];
for (const [text, message] of BAD) {
  test(`rdata: ${text} is refused with what is wrong`, (t) => {
    t.is(t.throws(() => parseRecord(`a. 1 IN ${text}`), { name: 'RecordTextError' }).message, message);
  });
}

test('rdata: a text string over 255 bytes is cut into several', (t) => {
  const { rdata } = parseRecord(`a. TXT "${'x'.repeat(600)}"`);
  t.deepEqual([rdata[0], rdata[256], rdata[512], rdata.length], [255, 255, 90, 603]);
});

test('rdata: unknown data up to 65,535 bytes, not more', (t) => {
  for (const length of [257, 1000, 65_535]) {
    t.is(parseRecord(`a. TYPE65280 \\# ${length} ${'ab'.repeat(length)}`).rdata.length, length);
  }
  const tooLong = `a. OPENPGPKEY ${'AAAA'.repeat(21_846)}`;
  t.throws(() => parseRecord(tooLong), { message: 'OPENPGPKEY: the record data is over 65535 bytes' });
});

test('rdata: only names of the types of RFC 1035 may be compressed', (t) => {
  const names = (text: string): string[] => {
    const { type, rdata } = parseRecord(`a. 1 IN ${text}`);
    return findRdataNames(type, rdata).map(({ at, compressible }) => `${formatName(rdata, at)} ${compressible}`);
  };
  t.deepEqual(names('SOA ns.a. mail.b. 1 2 3 4 5'), ['ns.a. true', 'mail.b. true']);
  t.deepEqual(names('MX 1 m.a.'), ['m.a. true']);
  t.deepEqual(names('CNAME c.a.'), ['c.a. true']);
  t.deepEqual(names('SRV 1 2 3 s.a.'), ['s.a. false']);
  t.deepEqual(names('NAPTR 1 2 "a" "b" "c" n.a.'), ['n.a. false']);
  t.deepEqual(names('RP r.a. t.a.'), ['r.a. false', 't.a. false']);
  t.deepEqual(names('HTTPS 1 h.a. port=1'), ['h.a. false']);
  t.deepEqual(names('NSEC n.a. A'), ['n.a. false']);
  t.deepEqual(names('DNAME d.a.'), ['d.a. false']);
  t.deepEqual(names('TXT x'), []);
});

test('equalRdata: names without letter case, everything else byte by byte', (t) => {
  const equal = (type: string, left: string, right: string): boolean =>
    equalRdata(parseType(type)!, parseRecord(`a. ${type} ${left}`).rdata, parseRecord(`a. ${type} ${right}`).rdata);
  t.true(equal('MX', '5 A.example.', '5 a.EXAMPLE.'));
  t.false(equal('MX', '5 a.example.', '6 a.example.'));
  t.false(equal('TXT', '"A"', '"a"'));
  t.false(equal('NS', 'aa.b.', 'a.bb.'));
  t.true(equal('SOA', 'NS. m. 1 2 3 4 5', 'ns. M. 1 2 3 4 5'));
});
