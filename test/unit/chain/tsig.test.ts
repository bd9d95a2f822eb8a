// Signed queries as kdig and dig wrote them, what the tsig plugin makes of them, and the signatures of its replies.
import { createHmac } from 'node:crypto';
import dnsPacket from 'dns-packet';
import test from 'ava';
import { Answer } from '../../../lib/chain/answer.ts';
import { finish } from '../../../lib/chain/finish.ts';
import { Outcome } from '../../../lib/chain/outcome.ts';
import type { Env, Handler } from '../../../lib/chain/plugin.ts';
import { PARSED, Query, TRANSPORT } from '../../../lib/chain/query.ts';
import { BADSIG, TsigVerifier } from '../../../lib/chain/tsig.ts';
import { createTsigHandler } from '../../../lib/plugins/tsig/handler.ts';
import type { TsigOptions } from '../../../lib/plugins/tsig/setup.ts';
import { readTsig, type TsigRecord } from '../../../lib/wire/tsig.ts';
import { parseName } from '../../../lib/wire/name.ts';
import { RCODE, RRTYPE } from '../../../lib/wire/types.ts';

const SECRET = Buffer.from('NoTCJU+DMqFWywaPyxSijrDEA/eC3nK0xi3AMEZuPVk=', 'base64');
const secrets = { 'known.key.': new Uint8Array(SECRET) };
const verifier = new TsigVerifier(secrets);
/** When the queries below were signed, give or take two seconds. */
const SIGNED_MS = 1_795_353_575_000;

const QUESTION = '0178046175746804746573740000010001';
/** `x.auth.test. A`, signed with the key `known.key.`. */
const SIGNED: Readonly<Record<string, string>> = {
  'kdig, hmac-sha256': `7f870120000100000000000 1${QUESTION}056b6e6f776e036b65790000fa00ff00000000003d0b686d61632d7368613235360000006b02ebe6012c0020341514a6e2e759fa6022d9c82f6578c3ef021639b207289f96631175a8f8eebd7f8700000000`,
  'kdig, hmac-sha512, EDNS': `8ea501200001000000000002${QUESTION}00002910000000000000 00056b6e6f776e036b65790000fa00ff00000000005d0b686d61632d7368613531320000006b02ebe7012c0040d130aebcb2666238a3753b504fe0ef99a759eb8c30f8fc1fe60d441788ca820029eacd41cc60e49e75657a72c6bd5391386a3734f75662c9a4a04aa7227bc6418ea500000000`,
  'dig, hmac-sha1, EDNS with a cookie': `3f3001200001000000000002${QUESTION}00002904d000000000000c000a00081d42c5458d679a02056b6e6f776e036b65790000fa00ff00000000002f09686d61632d736861310000006b02ebe8012c00147168d6348a91899c724481228b3a7d88bd36fda63f3000000000`,
  'dig, hmac-md5': `e1ab01200001000000000002${QUESTION}00002904d000000000000c000a00083c62d5c0aeb3aecf056b6e6f776e036b65790000fa00ff00000000003a08686d61632d6d6435077369672d616c670372656703696e740000006b02ebe9012c00103f990353b1a37531b6ab636775d0a37ce1ab00000000`,
};
const bytesOf = (name: string): Buffer => Buffer.from(SIGNED[name]!.replaceAll(' ', ''), 'hex');
const SHA256 = 'kdig, hmac-sha256';

type Asked = { readonly query: Query; readonly reply: Buffer };

/** What a server with this plugin answers; `next` answers NOERROR with one address unless given. */
function ask(
  packet: Uint8Array,
  options: Partial<TsigOptions> = {},
  nowMs = SIGNED_MS,
  check: TsigVerifier | undefined = verifier,
  next: Handler = answerAddress,
): Asked {
  const query = new Query();
  if (query.parse(Uint8Array.from(packet), 0, packet.length) !== PARSED.OK) throw new Error('query is malformed');
  query.transport = TRANSPORT.UDP;
  query.sizeLimit = Math.max(512, query.udpSize);
  if (query.tsigAt !== -1 && check) query.tsig = check.verify(query, nowMs);
  const answer = new Answer();
  answer.begin(query);
  const all = { zones: ['auth.test.'], types: [], opcodes: [], ...options };
  void createTsigHandler(all, { next } as unknown as Env)(query, answer);
  const length = finish(query, answer);
  return { query, reply: Buffer.from(answer.bytes.subarray(answer.base, answer.base + length)) };
}

const answerAddress: Handler = (_query, answer) => {
  answer.addAddresses(60, 4, Uint8Array.of(192, 0, 2, 1), 0, 1);
  return Outcome.ANSWERED;
};

/** The TSIG record of a reply and the reply without it. */
function split(reply: Buffer): { readonly record: TsigRecord; readonly unsigned: Buffer } {
  const query = new Query();
  query.parse(Uint8Array.from(reply), 0, reply.length);
  const record = readTsig(query.packet, 0, query.tsigAt, reply.length);
  if (record === undefined) throw new Error('the reply has no TSIG record');
  const unsigned = Buffer.from(reply.subarray(0, query.tsigAt));
  unsigned.writeUInt16BE(unsigned.readUInt16BE(10) - 1, 10);
  return { record, unsigned };
}

const short = (value: number): Buffer => Buffer.of(value >> 8, value & 255);

/** The code of a reply by the letter of RFC 8945 section 4.3, computed apart from the code under test. */
function macOf(hash: string, requestMac: Uint8Array, { record, unsigned }: ReturnType<typeof split>): Buffer {
  const time = Buffer.alloc(6);
  time.writeUIntBE(record.timeSeconds, 0, 6);
  return createHmac(hash, SECRET)
    .update(Buffer.concat([short(requestMac.length), requestMac, unsigned]))
    .update(Buffer.concat([Buffer.from('\u0005known\u0003key\u0000', 'latin1'), short(255), Buffer.alloc(4)]))
    .update(Buffer.concat([record.algorithm, time, short(record.fudgeSeconds), short(record.error)]))
    .update(Buffer.concat([short(record.other.length), record.other]))
    .digest();
}

const HASHES: Readonly<Record<string, string>> = {
  'kdig, hmac-sha256': 'sha256',
  'kdig, hmac-sha512, EDNS': 'sha512',
  'dig, hmac-sha1, EDNS with a cookie': 'sha1',
  'dig, hmac-md5': 'md5',
};
for (const name of Object.keys(SIGNED)) {
  test(`tsig: ${name}: accepted, and the reply is signed`, (t) => {
    const request = split(bytesOf(name)).record;
    const { query, reply } = ask(bytesOf(name));
    t.is(reply[3]! & 15, RCODE.NOERROR);
    const parts = split(reply);
    t.is(parts.record.error, 0);
    t.is(parts.record.originalId, query.id);
    t.is(parts.record.timeSeconds, SIGNED_MS / 1000);
    t.deepEqual(Buffer.from(parts.record.mac), macOf(HASHES[name]!, request.mac, parts));
    const decoded = dnsPacket.decode(parts.unsigned);
    t.is(decoded.answers?.length, 1);
    t.is(decoded.additionals?.length, query.hasEdns ? 1 : 0);
  });

  test(`tsig: ${name}: any changed byte of message or record makes it wrong`, (t) => {
    const packet = bytesOf(name);
    for (let at = 0; at < packet.length; at++) {
      const changed = Buffer.from(packet);
      changed[at] = changed[at]! ^ 1;
      const query = new Query();
      if (query.parse(changed, 0, changed.length) !== PARSED.OK || query.tsigAt === -1) continue;
      const transaction = verifier.verify(query, SIGNED_MS);
      // The message's own ID is not covered: forwarders change it.
      if (at < 2) t.is(transaction.error, 0);
      else t.not(transaction.error, 0, `byte ${at}`);
    }
  });
}

test('tsig: the chain below sees the query without its TSIG record', (t) => {
  let seen: dnsPacket.DecodedPacket | undefined;
  ask(bytesOf('kdig, hmac-sha512, EDNS'), {}, SIGNED_MS, verifier, (query, answer) => {
    seen = dnsPacket.decode(Buffer.from(query.packet.subarray(query.packetAt, query.packetAt + query.packetLength)));
    return answerAddress(query, answer);
  });
  t.deepEqual(
    seen?.additionals?.map(({ type }) => type),
    ['OPT'],
  );
});

const wrong = Buffer.from(bytesOf(SHA256));
wrong[wrong.length - 10]! ^= 1;
const ERRORS: readonly (readonly [
  what: string,
  packet: Buffer,
  nowMs: number,
  check: TsigVerifier,
  rcode: number,
  error: number,
])[] = [
  ['a wrong code', wrong, SIGNED_MS, verifier, RCODE.NOTAUTH, BADSIG],
  ['another key', bytesOf(SHA256), SIGNED_MS, new TsigVerifier({ 'other.key.': SECRET }), RCODE.NOTAUTH, RCODE.BADKEY],
  [
    'another secret',
    bytesOf(SHA256),
    SIGNED_MS,
    new TsigVerifier({ 'known.key.': Buffer.of(1) }),
    RCODE.NOTAUTH,
    BADSIG,
  ],
  ['no key at all', bytesOf(SHA256), SIGNED_MS, new TsigVerifier({}), RCODE.NOTAUTH, RCODE.BADKEY],
  ['301 s late', bytesOf(SHA256), SIGNED_MS + 301_000, verifier, RCODE.NOTAUTH, RCODE.BADTIME],
  ['302 s early', bytesOf(SHA256), SIGNED_MS - 302_000, verifier, RCODE.NOTAUTH, RCODE.BADTIME],
];
for (const [what, packet, nowMs, check, rcode, error] of ERRORS) {
  test(`tsig: ${what}: an error and no answer`, (t) => {
    const { reply } = ask(packet, {}, nowMs, check, () => {
      t.fail('the chain was asked');
      return Outcome.ANSWERED;
    });
    t.is(reply[3]! & 15, rcode);
    const parts = split(reply);
    t.is(parts.record.error, error);
    t.is(dnsPacket.decode(parts.unsigned).answers?.length, 0);
    if (error === RCODE.BADTIME) {
      // RFC 8945 section 5.2.3: signed, with the server's time beside the client's.
      const request = split(packet).record;
      t.is(parts.record.timeSeconds, request.timeSeconds);
      t.is(Buffer.from(parts.record.other).readUIntBE(0, 6), nowMs / 1000);
      t.deepEqual(Buffer.from(parts.record.mac), macOf('sha256', request.mac, parts));
    } else t.is(parts.record.mac.length, 0);
  });
}

test('tsig: 300 s of difference are allowed', (t) => {
  t.is(ask(bytesOf(SHA256), {}, SIGNED_MS + 299_000).reply[3]! & 15, RCODE.NOERROR);
  t.is(ask(bytesOf(SHA256), {}, SIGNED_MS - 301_000).reply[3]! & 15, RCODE.NOERROR);
});

test('tsig: further messages of a reply are signed on top of the one before, with the times alone', (t) => {
  const query = new Query();
  const packet = bytesOf(SHA256);
  query.parse(packet, 0, packet.length);
  const transaction = verifier.verify(query, SIGNED_MS);
  const message = dnsPacket.encode({ type: 'response', id: 5, questions: [{ name: 'x.auth.test', type: 'AXFR' }] });
  const codes: Buffer[] = [];
  for (let i = 0; i < 3; i++) {
    const bytes = new Uint8Array(message.length + transaction.sizeBytes);
    bytes.set(message);
    const length = transaction.sign(bytes, 0, message.length);
    t.is(length, bytes.length);
    const { record } = split(Buffer.from(bytes));
    if (i > 0) {
      const time = Buffer.alloc(6);
      time.writeUIntBE(SIGNED_MS / 1000, 0, 6);
      const expected = createHmac('sha256', SECRET)
        .update(Buffer.concat([short(32), codes[i - 1]!, message, time, short(record.fudgeSeconds)]))
        .digest();
      t.deepEqual(Buffer.from(record.mac), expected);
    }
    codes.push(Buffer.from(record.mac));
  }
});

test('tsig: a reply that does not fit with its signature is cut, and signed all the same', (t) => {
  const { reply } = ask(bytesOf(SHA256), {}, SIGNED_MS, verifier, (_query, answer) => {
    answer.addAddresses(60, 16, new Uint8Array(16 * 20), 0, 16);
    return Outcome.ANSWERED;
  });
  t.true(reply.length <= 512);
  t.is(reply[2]! & 2, 2);
  const parts = split(reply);
  t.deepEqual(Buffer.from(parts.record.mac), macOf('sha256', split(bytesOf(SHA256)).record.mac, parts));
});

const unsigned = (name: string, type: 'A' | 'AXFR', flags = 0): Buffer =>
  dnsPacket.encode({ type: 'query', id: 1, flags, questions: [{ name, type }] });
const NOTIFY = 4 << 11;
const REQUIRED: readonly (readonly [what: string, packet: Buffer, options: Partial<TsigOptions>, rcode: number])[] = [
  ['nothing is required', unsigned('x.auth.test', 'A'), {}, RCODE.NOERROR],
  ['the type is required', unsigned('x.auth.test', 'AXFR'), { types: [RRTYPE.AXFR] }, RCODE.REFUSED],
  ['another type is required', unsigned('x.auth.test', 'A'), { types: [RRTYPE.AXFR] }, RCODE.NOERROR],
  ['all types are required', unsigned('x.auth.test', 'A'), { types: 'all' }, RCODE.REFUSED],
  ['all types are required in another zone', unsigned('x.other.test', 'A'), { types: 'all' }, RCODE.NOERROR],
  ['the opcode is required', unsigned('auth.test', 'A', NOTIFY), { opcodes: [4] }, RCODE.REFUSED],
  ['another opcode is required', unsigned('auth.test', 'A'), { opcodes: [4] }, RCODE.NOERROR],
  ['all opcodes are required', unsigned('auth.test', 'A'), { opcodes: 'all' }, RCODE.REFUSED],
];
for (const [what, packet, options, rcode] of REQUIRED) {
  test(`tsig: an unsigned query, ${what}`, (t) => {
    const { reply } = ask(packet, options);
    t.is(reply[3]! & 15, rcode);
    t.is(dnsPacket.decode(reply).additionals?.length, 0);
  });
}

test('tsig: a signed query is enough for whatever is required', (t) => {
  t.is(ask(bytesOf(SHA256), { types: 'all', opcodes: 'all' }).reply[3]! & 15, RCODE.NOERROR);
});

test('tsig: outside of its zones signatures are nobody business', (t) => {
  const { reply } = ask(wrong, { zones: ['other.test.'] });
  t.is(reply[3]! & 15, RCODE.NOERROR);
  t.is(dnsPacket.decode(reply).additionals?.length, 0);
});

/** The SHA-256 query with its record's data replaced. */
function withCode(mac: Buffer, extra = Buffer.alloc(0)): Buffer {
  const packet = bytesOf(SHA256);
  const recordAt = 12 + QUESTION.length / 2;
  const owner = parseName('known.key')!;
  const old = split(packet).record;
  const time = Buffer.alloc(6);
  time.writeUIntBE(old.timeSeconds, 0, 6);
  const data = Buffer.concat([
    old.algorithm,
    time,
    short(300),
    short(mac.length),
    mac,
    short(old.originalId),
    short(0),
    short(0),
    extra,
  ]);
  return Buffer.concat([
    packet.subarray(0, recordAt),
    owner,
    short(250),
    short(255),
    Buffer.alloc(4),
    short(data.length),
    data,
  ]);
}

const code = Buffer.from(split(bytesOf(SHA256)).record.mac);
const FORMS: readonly (readonly [what: string, packet: Buffer, error: number])[] = [
  ['the whole code', withCode(code), 0],
  ['half of the code', withCode(code.subarray(0, 16)), RCODE.BADTRUNC],
  ['half of a wrong code', withCode(Buffer.alloc(16)), BADSIG],
  ['less than half', withCode(code.subarray(0, 15)), RCODE.FORMERR],
  ['more than the hash has', withCode(Buffer.concat([code, code])), RCODE.FORMERR],
  ['no code', withCode(Buffer.alloc(0)), RCODE.FORMERR],
  ['bytes behind the data', withCode(code, Buffer.of(0)), RCODE.FORMERR],
];
for (const [what, packet, error] of FORMS) {
  test(`tsig: ${what} is error ${error}`, (t) => {
    const query = new Query();
    t.is(query.parse(packet, 0, packet.length), PARSED.OK);
    t.is(verifier.verify(query, SIGNED_MS).error, error);
  });
}

test('tsig: a record that is cut anywhere is never accepted', (t) => {
  const packet = bytesOf(SHA256);
  for (let length = 12 + QUESTION.length / 2; length < packet.length; length++) {
    const query = new Query();
    t.is(query.parse(packet, 0, length), PARSED.FORMERR, `${length} bytes`);
    t.is(readTsig(packet, 0, 12 + QUESTION.length / 2, length), undefined, `${length} bytes`);
  }
});

test('tsig: a TSIG record that is not the last one makes the message malformed', (t) => {
  const packet = bytesOf(SHA256);
  const record = packet.subarray(12 + QUESTION.length / 2);
  const twice = Buffer.concat([packet, record]);
  twice[11] = 2;
  const inAuthority = Buffer.from(packet);
  inAuthority[9] = 1;
  inAuthority[11] = 0;
  for (const bytes of [twice, inAuthority]) t.is(new Query().parse(bytes, 0, bytes.length), PARSED.FORMERR);
});
