// The types that dns-packet knows, in both directions: what it encodes reads as our text, what we encode reads as its objects.
import test from 'ava';
import dnsPacket, { type Answer, type Packet } from 'dns-packet';
import { MessageWriter } from '../../../lib/wire/message-writer.ts';
import { SECTION } from '../../../lib/wire/record-index.ts';
import { parseRecord } from '../../../lib/wire/record.ts';
import { decodeMessage } from '../wire-text.ts';

const buffer = (hex: string): Buffer => Buffer.from(hex, 'hex');
const base64 = (text: string): Buffer => Buffer.from(text, 'base64');

/** dns-packet's data, which its type declarations do not know for every type, and ours. */
const CASES: readonly (readonly [type: string, data: unknown, text: string])[] = [
  ['A', '192.0.2.1', '192.0.2.1'],
  ['AAAA', '2001:db8::1', '2001:db8::1'],
  ['NS', 'ns.example', 'ns.example.'],
  ['CNAME', 'c.example', 'c.example.'],
  ['DNAME', 'd.example', 'd.example.'],
  ['PTR', 'p.example', 'p.example.'],
  ['MX', { preference: 10, exchange: 'mail.example' }, '10 mail.example.'],
  ['SRV', { priority: 1, weight: 2, port: 53, target: 'ns.example' }, '1 2 53 ns.example.'],
  [
    'SOA',
    { mname: 'ns.example', rname: 'mail.example', serial: 1, refresh: 7200, retry: 1800, expire: 86_400, minimum: 5 },
    'ns.example. mail.example. 1 7200 1800 86400 5',
  ],
  ['TXT', [Buffer.from('one two'), Buffer.from([0xff, 0x22])], String.raw`"one two" "\255\""`],
  ['HINFO', { cpu: 'a b', os: 'c' }, '"a b" "c"'],
  ['RP', { mbox: 'admin.example', txt: 'txt.example' }, 'admin.example. txt.example.'],
  ['CAA', { flags: 128, tag: 'issue', value: 'ca.example', issuerCritical: true }, '128 issue "ca.example"'],
  [
    'NAPTR',
    { order: 100, preference: 10, flags: 's', services: 'SIP+D2U', regexp: '', replacement: '_sip.example' },
    '100 10 "s" "SIP+D2U" "" _sip.example.',
  ],
  [
    'SSHFP',
    { algorithm: 1, hash: 1, fingerprint: '00112233445566778899AABBCCDDEEFF00112233' },
    '1 1 00112233445566778899AABBCCDDEEFF00112233',
  ],
  ['TLSA', { usage: 3, selector: 1, matchingType: 1, certificate: buffer('00ff') }, '3 1 1 00ff'],
  ['DS', { keyTag: 1, algorithm: 8, digestType: 2, digest: buffer('00ff') }, '1 8 2 00FF'],
  ['DNSKEY', { flags: 257, algorithm: 8, key: base64('AQPSKg==') }, '257 3 8 AQPSKg=='],
  [
    'RRSIG',
    {
      typeCovered: 'A',
      algorithm: 8,
      labels: 2,
      originalTTL: 5,
      expiration: 1_893_456_000,
      inception: 1_577_836_800,
      keyTag: 7,
      signersName: 'example',
      signature: base64('AQPSKg=='),
    },
    'A 8 2 5 20300101000000 20200101000000 7 example. AQPSKg==',
  ],
  ['NSEC', { nextDomain: 'b.example', rrtypes: ['A', 'MX', 'RRSIG', 'CAA'] }, 'b.example. A MX RRSIG CAA'],
  [
    'NSEC3',
    {
      algorithm: 1,
      flags: 1,
      iterations: 12,
      salt: buffer('aabb'),
      nextDomain: buffer('174eb2409fe28bcb4887a1836f957f0a8425e27b'),
      rrtypes: ['NS'],
    },
    '1 1 12 AABB 2T7B4G4VSA5SMI47K61MV5BV1A22BOJR NS',
  ],
];

for (const [type, data, text] of CASES) {
  test(`dns-packet: its ${type} reads as ${text}`, (t) => {
    const answer = { type, name: 'a.example', ttl: 5, data } as Answer;
    const message = dnsPacket.encode({ type: 'response', id: 1, answers: [answer] });
    t.deepEqual(decodeMessage(message).answer, [`a.example. 5 IN ${type} ${text}`]);
  });

  test(`dns-packet: our ${type} ${text} reads as its data`, (t) => {
    const writer = new MessageWriter();
    writer.begin(1, 0x8180);
    t.true(writer.addRecord(SECTION.ANSWER, parseRecord(`a.example. 5 IN ${type} ${text}`)));
    const message: Packet = dnsPacket.decode(Buffer.from(writer.bytes.subarray(0, writer.finish())));
    t.like(message.answers?.[0], { type, name: 'a.example', ttl: 5 } as Answer);
    t.like(message.answers?.[0], { data } as Answer);
  });
}
