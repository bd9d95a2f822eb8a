// How long an HTTP cache may keep a reply, by what the reply says.
import dnsPacket from 'dns-packet';
import test from 'ava';
import { minimalTtl } from '../../../lib/io/minimal-ttl.ts';

const questions = [{ name: 'a.example.org', type: 'A' as const }];
const a = (ttl: number): dnsPacket.Answer => ({ name: 'a.example.org', type: 'A', ttl, data: '192.0.2.1' });
const soa: dnsPacket.Answer = {
  name: 'example.org',
  type: 'SOA',
  ttl: 30,
  data: { mname: 'ns.example.org', rname: 'h.example.org', serial: 1, refresh: 1, retry: 1, expire: 1, minimum: 10 },
};
const ns: dnsPacket.Answer = { name: 'example.org', type: 'NS', ttl: 900, data: 'ns.example.org' };
const opt: dnsPacket.Answer = {
  name: '.',
  type: 'OPT',
  udpPayloadSize: 1232,
  extendedRcode: 0,
  ednsVersion: 0,
  flags: 0,
  flag_do: false,
  options: [],
};

const CASES: readonly (readonly [what: string, reply: dnsPacket.Packet, seconds: number])[] = [
  ['the shortest of the answers', { answers: [a(300), a(60)] }, 60],
  ['the shortest of all sections', { answers: [a(300)], authorities: [ns], additionals: [a(20)] }, 20],
  ['one hour at most', { answers: [a(86_400)] }, 3600],
  ['a TTL of nearly 2^32', { answers: [a(0xffff_ffff)] }, 3600],
  ['nothing at all', { answers: [a(0)] }, 0],
  ['OPT has no TTL', { answers: [a(300)], additionals: [opt] }, 300],
  ['no records', { additionals: [opt] }, 5],
  ['SERVFAIL', { flags: 2, answers: [a(300)] }, 5],
  ['NXDOMAIN: the SOA', { flags: 3, authorities: [soa] }, 30],
  ['NODATA: the SOA', { authorities: [soa] }, 30],
  ['a referral', { authorities: [ns], additionals: [a(300)] }, 5],
];
for (const [what, reply, seconds] of CASES) {
  test(`minimalTtl: ${what}`, (t) => {
    const bytes = dnsPacket.encode({ type: 'response', questions, ...reply });
    const shifted = Buffer.concat([Buffer.alloc(7, 0xff), bytes, Buffer.alloc(3, 0xff)]);
    t.is(minimalTtl(shifted, 7, bytes.length), seconds);
  });
}

test('minimalTtl: a cut message is not read past its end', (t) => {
  const bytes = dnsPacket.encode({ type: 'response', questions, answers: [a(300)] });
  t.is(minimalTtl(bytes, 0, bytes.length - 12), 5);
});
