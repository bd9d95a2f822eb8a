// Answers signed on the fly: what is added to which answer, which key signs, which signatures are kept.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { generateKeyPairSync } from 'node:crypto';
import test from 'ava';
import { ConfigError, type ErrorCode } from '../../../lib/base/errors.ts';
import { keyTag } from '../../../lib/wire/dnssec/signing-key.ts';
import { SignatureCache } from '../../../lib/plugins/dnssec/signature-cache.ts';
import { parseRecord } from '../../../lib/wire/record.ts';
import { answerWith, BlockRig, type FixedRecord, type Reply } from './block-rig.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'dnssec-'));
test.after.always(() => fs.rmSync(folder, { recursive: true }));

/** Writes a P-256 pair; returns its base name and tag. */
function makeKey(flags: number, owner = 'example.org.'): { readonly base: string; readonly tag: number } {
  const { x, y, d } = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' });
  const point = Buffer.concat([Buffer.from(x!, 'base64url'), Buffer.from(y!, 'base64url')]);
  const text = `${owner} IN DNSKEY ${flags} 3 13 ${point.toString('base64')}`;
  const tag = keyTag(parseRecord(text).rdata);
  const base = path.join(folder, `K${owner}+013+${tag}`);
  fs.writeFileSync(`${base}.key`, `; made for a test\n${text}\n`);
  const secret = Buffer.from(d!, 'base64url').toString('base64');
  fs.writeFileSync(
    `${base}.private`,
    `Private-key-format: v1.3\nAlgorithm: 13 (ECDSAP256SHA256)\nPrivateKey: ${secret}\n`,
  );
  return { base, tag };
}
const entry = makeKey(257);
const second = makeKey(257);
const zoneKey = makeKey(256);

/** `section name ttl type data`, as records of a chain's end. */
function records(...lines: readonly (readonly [0 | 1 | 2, string])[]): FixedRecord[] {
  return lines.map(([section, text]) => {
    const { name, type, ttlSeconds, rdata } = parseRecord(text);
    return [section, name, type, ttlSeconds, (answer) => answer.putBytes(rdata, 0, rdata.length)];
  });
}
const THE_SOA = 'example.org. 3600 IN SOA ns.example.org. h.example.org. 1 2 3 4 60';

function makeRig(last: readonly FixedRecord[], rcode = 0, keys = [entry], zones = 'example.org'): BlockRig {
  const names = keys.map(({ base }) => base).join(' ');
  return new BlockRig(`dnssec ${zones} {\n key file ${names}\n}`, { zones: ['.'], last: answerWith(last, rcode) });
}

/** Records as `owner TYPE`, signatures as `owner RRSIG TYPE tag`. */
function brief(lines: readonly string[]): string[] {
  return lines.map((line) => {
    const [name, , type, ...rest] = line.split(' ');
    if (type !== 'RRSIG') return `${name} ${type}`;
    const { typeCovered, keyTag: tag } = JSON.parse(rest.join(' ')) as { typeCovered: string; keyTag: number };
    return `${name} RRSIG ${typeCovered} ${tag}`;
  });
}
const authority = (reply: Reply): string[] => brief(reply.authorities);

test('dnssec: a positive answer has the signature of each RRset behind its section, with DO only', async (t) => {
  const rig = makeRig(
    records([0, 'www.example.org. 300 IN A 192.0.2.1'], [0, 'www.example.org. 300 IN A 192.0.2.2'],
      [1, 'example.org. 3600 IN NS ns.example.org.'], [2, 'ns.example.org. 60 IN A 192.0.2.3'],
      [2, 'elsewhere.test. 60 IN A 192.0.2.4']),
  ); // biome-ignore format: records
  const plain = await rig.ask('www.example.org', { udpSize: 4096 });
  t.deepEqual(brief(plain.answers), ['www.example.org A', 'www.example.org A']);
  const reply = await rig.ask('www.example.org', { dnssecOk: true, udpSize: 4096 });
  const sig = (name: string, type: string): string => `${name} RRSIG ${type} ${entry.tag}`;
  t.deepEqual(brief(reply.answers), ['www.example.org A', 'www.example.org A', sig('www.example.org', 'A')]);
  t.deepEqual(authority(reply), ['example.org NS', sig('example.org', 'NS')]);
  t.deepEqual(brief(reply.additionals), ['ns.example.org A', 'elsewhere.test A', sig('ns.example.org', 'A')]);
  rig.close();
});

const DENIALS = [
  // what                   rcode name                 type    answers                                         authority
  ['a name that is not', 3, 'nope.example.org', 'A', [], 'nope.example.org'],
  ['a type that is not', 0, 'www.example.org', 'TXT', [], 'www.example.org'],
  ['the apex', 0, 'example.org', 'TXT', [], 'example.org'],
  ['an alias to nothing', 3, 'a.example.org', 'A', ['a.example.org. 5 IN CNAME b.example.org.'], 'b.example.org'],
] as const;
for (const [what, rcode, name, type, answers, denied] of DENIALS) {
  test(`dnssec: ${what} is NOERROR with an NSEC record, signed, for the shortest time it may be kept`, async (t) => {
    const rig = makeRig(records(...answers.map((line) => [0, line] as const), [1, THE_SOA]), rcode);
    const reply = await rig.ask(name, { type, dnssecOk: true, udpSize: 4096 });
    t.is(reply.rcode, 'NOERROR');
    t.deepEqual(authority(reply), ['example.org SOA', `example.org RRSIG SOA ${entry.tag}`, `${denied} NSEC`,
      `${denied} RRSIG NSEC ${entry.tag}`]); // biome-ignore format: records
    const nsec = reply.authorities.find((line) => line.includes(' NSEC '))!;
    t.true(nsec.startsWith(`${denied} 60 NSEC`), nsec);
    t.false(new RegExp(`"${type}"`).test(nsec), 'the type that was asked is not in the list');
    t.is(/"MX"/.test(nsec), rcode === 0, 'other types are in the list when the name is there');
    rig.close();
  });
}

test('dnssec: a denial is not touched when its SOA record is of another zone', async (t) => {
  const rig = makeRig(records([1, 'org. 3600 IN SOA ns.org. h.org. 1 2 3 4 60']), 3);
  const reply = await rig.ask('nope.example.org', { dnssecOk: true });
  t.is(reply.rcode, 'NXDOMAIN');
  t.deepEqual(authority(reply), ['org SOA']);
  rig.close();
});

test('dnssec: a query for NSEC gets the made record as its answer', async (t) => {
  const rig = makeRig(records([1, THE_SOA]));
  const reply = await rig.ask('www.example.org', { type: 'NSEC', dnssecOk: true, udpSize: 4096 });
  t.deepEqual(brief(reply.answers), ['www.example.org NSEC', `www.example.org RRSIG NSEC ${entry.tag}`]);
  t.deepEqual(reply.authorities, []);
  rig.close();
});

const NS_LINE = 'sub.example.org. 300 IN NS ns.sub.example.org.';
const GLUE = 'ns.sub.example.org. 300 IN A 192.0.2.9';
test('dnssec: a referral without DS has a signed NSEC record at the cut, its NS records and glue stay unsigned', async (t) => {
  const rig = makeRig(records([1, NS_LINE], [2, GLUE]));
  const reply = await rig.ask('x.sub.example.org', { dnssecOk: true, udpSize: 4096 });
  t.deepEqual(authority(reply), [
    'sub.example.org NS',
    'sub.example.org NSEC',
    `sub.example.org RRSIG NSEC ${entry.tag}`,
  ]);
  t.deepEqual(brief(reply.additionals), ['ns.sub.example.org A']);
  rig.close();
});

test('dnssec: a referral with DS has the signature of the DS records alone', async (t) => {
  const rig = makeRig(records([1, NS_LINE], [1, `sub.example.org. 300 IN DS 1 13 2 ${'ab'.repeat(32)}`], [2, GLUE]));
  const reply = await rig.ask('x.sub.example.org', { dnssecOk: true, udpSize: 4096 });
  t.deepEqual(authority(reply), ['sub.example.org NS', 'sub.example.org DS', `sub.example.org RRSIG DS ${entry.tag}`]);
  rig.close();
});

test('dnssec: what came with a signature is not signed again', async (t) => {
  const own = `www.example.org. 300 IN RRSIG A 13 3 300 20300101000000 20200101000000 7 example.org. AAAA`;
  const rig = makeRig(records([0, 'www.example.org. 300 IN A 192.0.2.1'], [0, own]));
  const reply = await rig.ask('www.example.org', { dnssecOk: true });
  t.deepEqual(brief(reply.answers), ['www.example.org A', 'www.example.org RRSIG A 7']);
  rig.close();
});

test('dnssec: with both kinds of key the entry key signs the keys and the other one the rest', async (t) => {
  const rig = makeRig(records([0, 'www.example.org. 300 IN A 192.0.2.1']), 0, [entry, zoneKey]);
  const keys = await rig.ask('EXAMPLE.org', { type: 'DNSKEY', dnssecOk: true, udpSize: 4096 });
  t.deepEqual(keys.flags, ['aa', 'rd']);
  t.deepEqual(brief(keys.answers), [
    'example.org DNSKEY',
    'example.org DNSKEY',
    `example.org RRSIG DNSKEY ${entry.tag}`,
  ]);
  const reply = await rig.ask('www.example.org', { dnssecOk: true });
  t.deepEqual(brief(reply.answers), ['www.example.org A', `www.example.org RRSIG A ${zoneKey.tag}`]);
  rig.close();
});

test('dnssec: keys of one kind sign everything each', async (t) => {
  const rig = makeRig(records([0, 'www.example.org. 300 IN A 192.0.2.1']), 0, [entry, second]);
  const reply = await rig.ask('www.example.org', { dnssecOk: true, udpSize: 4096 });
  t.deepEqual(
    brief(reply.answers).slice(1),
    [entry, second].map(({ tag }) => `www.example.org RRSIG A ${tag}`),
  );
  rig.close();
});

test('dnssec: signatures are kept for six days and then made anew', async (t) => {
  const rig = makeRig(records([0, 'www.example.org. 300 IN A 192.0.2.1']));
  const ask = async (): Promise<string> => (await rig.ask('www.example.org', { dnssecOk: true })).answers[1]!;
  const first = await ask();
  t.is(await ask(), first);
  rig.clock.advance(5.9 * 86_400_000);
  t.is(await ask(), first);
  t.is(rig.metric('coredns_dnssec_cache_hits_total', { server: 'dns://:1053' }), 2);
  rig.clock.advance(0.2 * 86_400_000);
  t.not(await ask(), first);
  t.is(rig.metric('coredns_dnssec_cache_misses_total'), 2);
  t.is(rig.metric('coredns_dnssec_cache_entries', { type: 'signature' }), 1);
  rig.close();
});

test('SignatureCache: never over its capacity, and what is used outlives what is not', (t) => {
  const cache = new SignatureCache(3);
  cache.keep('used', [], 10);
  for (let i = 0; i < 20; i++) {
    cache.keep(`once ${i}`, [], 10);
    t.truthy(cache.find('used', 0));
    t.true(cache.size <= 3);
  }
  t.is(cache.find('once 3', 0), undefined);
});

const WRONG: readonly (readonly [body: string, code: ErrorCode, message: RegExp])[] = [
  ['dnssec {\n key\n}', 'ARGUMENT_COUNT', /needs "file"/],
  ['dnssec {\n key file\n}', 'ARGUMENT_COUNT', /name of a key file/],
  ['dnssec {\n key files x\n}', 'ARGUMENT_VALUE', /did you mean "file"/],
  ['dnssec {\n key aws_secretsmanager x\n}', 'ARGUMENT_VALUE', /not built/],
  [`dnssec {\n key file ${folder}/Kabsent\n}`, 'FILE', /Kabsent\.key/],
  [`dnssec example.org {\n key file ${entry.base}\n cache_capacity many\n}`, 'ARGUMENT_VALUE', /integer/],
  [
    `dnssec other.test {\n key file ${entry.base}\n}`,
    'ARGUMENT_VALUE',
    /key example\.org\. \(keyid: \d+\) can not sign/,
  ],
  ['dnssec {\n keys file x\n}', 'OPTION_UNKNOWN', /did you mean "key"/],
  ['dnssec\ndnssec', 'DIRECTIVE_REPEATED', /once/],
];
for (const [body, code, message] of WRONG) {
  test(`dnssec: ${JSON.stringify(body.replace(folder, '').replace(String(entry.tag), 'TAG'))} is ${code}`, (t) => {
    const error = t.throws(() => new BlockRig(body), { instanceOf: ConfigError, message });
    t.is(error.code, code);
    t.true(error.line > 0);
  });
}

test('dnssec: an answer is the same over a promise', async (t) => {
  const fixed = answerWith(records([0, 'www.example.org. 300 IN A 192.0.2.1']));
  const rig = new BlockRig(`dnssec {\n key file ${entry.base}\n}`, {
    zones: ['example.org.'],
    last: async (query, answer) => {
      await Promise.resolve();
      return fixed(query, answer);
    },
  });
  const reply = await rig.ask('www.example.org', { dnssecOk: true });
  t.deepEqual(brief(reply.answers), ['www.example.org A', `www.example.org RRSIG A ${entry.tag}`]);
  rig.close();
});
