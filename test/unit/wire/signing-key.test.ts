// Keys and signatures: the examples of the RFCs, and what every algorithm signs verifies.
import { createPublicKey, generateKeyPairSync, verify } from 'node:crypto';
import test from 'ava';
import { makeCanonicalRrset } from '../../../lib/wire/dnssec/canonical-rrset.ts';
import { keyTag, parsePrivateKey, SigningKey, SigningKeyError } from '../../../lib/wire/dnssec/signing-key.ts';
import { parseName, parseNameLower } from '../../../lib/wire/name.ts';
import { formatRdata } from '../../../lib/wire/rdata/registry.ts';
import { parseRecord } from '../../../lib/wire/record.ts';
import { RRTYPE } from '../../../lib/wire/types.ts';

const ED25519_KEY = 'example.com. 3600 IN DNSKEY 257 3 15 l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4=';
const ED25519_PRIVATE =
  'Private-key-format: v1.2\nAlgorithm: 15 (ED25519)\nPrivateKey: ODIyNjAzODQ2MjgwODAxMjI2NDUxOTAyMDQxNDIyNjI=\n';

function makeKey(keyText: string, privateText: string): SigningKey {
  const { name, rdata, ttlSeconds } = parseRecord(keyText);
  return new SigningKey({ owner: name, ttlSeconds, dnskey: rdata, privateKey: parsePrivateKey(privateText, rdata) });
}

test('SigningKey.sign: Ed25519 gives the signature of RFC 8080 section 6.1', (t) => {
  const key = makeKey(ED25519_KEY, ED25519_PRIVATE);
  t.is(key.tag, 3613);
  const owner = parseNameLower('example.com.')!;
  const mx = parseRecord('example.com. 3600 IN MX 10 MAIL.example.com.').rdata;
  const rrsig = key.sign(makeCanonicalRrset(owner, RRTYPE.MX, [mx]), {
    signer: owner,
    originalTtlSeconds: 3600,
    inceptionSeconds: 1_438_207_200,
    expirationSeconds: 1_440_021_600,
  });
  t.is(
    formatRdata(RRTYPE.RRSIG, rrsig),
    'MX 15 2 3600 20150819220000 20150729220000 3613 example.com. ' +
      'oL9krJun7xfBOIWcGHi7mag5/hdZrKWw15jPGrHpjQeRAvTdszaPD+QLs3fx8A4M3e23mRZ9VrbpMngwcrqNAg==',
  );
});

test('makeCanonicalRrset: records in the order of their bytes, duplicates once, names in lower case', (t) => {
  const owner = parseNameLower('example.com.')!;
  const texts = ['MX 20 B.example.com.', 'MX 10 c.example.com.', 'MX 20 b.example.com.', 'MX 10 a.example.com.'];
  const rdatas = texts.map((text) => parseRecord(`example.com. 1 IN ${text}`).rdata);
  t.deepEqual(
    makeCanonicalRrset(owner, RRTYPE.MX, rdatas).rdatas.map((rdata) => formatRdata(RRTYPE.MX, rdata)),
    ['10 a.example.com.', '10 c.example.com.', '20 b.example.com.'],
  );
});

const b64 = (text: string | undefined): string => Buffer.from(text!, 'base64url').toString('base64');

/** Public key bytes and private key file of a fresh pair. */
function generate(algorithm: number): { publicKey: Buffer; text: string } {
  if (algorithm === 8 || algorithm === 10) {
    const jwk = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey.export({ format: 'jwk' });
    const exponent = Buffer.from(jwk.e!, 'base64url');
    const fields = [['Modulus', jwk.n], ['PublicExponent', jwk.e], ['PrivateExponent', jwk.d], ['Prime1', jwk.p],
      ['Prime2', jwk.q], ['Exponent1', jwk.dp], ['Exponent2', jwk.dq], ['Coefficient', jwk.qi]]; // biome-ignore format: pairs
    return {
      publicKey: Buffer.concat([Buffer.of(exponent.length), exponent, Buffer.from(jwk.n!, 'base64url')]),
      text: `Algorithm: ${algorithm}\n${fields.map(([name, value]) => `${name}: ${b64(value)}\n`).join('')}`,
    };
  }
  const pair =
    algorithm === 13 || algorithm === 14
      ? generateKeyPairSync('ec', { namedCurve: algorithm === 13 ? 'P-256' : 'P-384' })
      : algorithm === 15
        ? generateKeyPairSync('ed25519')
        : generateKeyPairSync('ed448');
  const jwk = pair.privateKey.export({ format: 'jwk' });
  const publicKey = Buffer.concat([jwk.x, jwk.y].map((part) => Buffer.from(part ?? '', 'base64url')));
  return { publicKey, text: `Algorithm: ${algorithm}\nPrivateKey: ${b64(jwk.d)}\n` };
}

for (const [algorithm, hash] of [
  [8, 'sha256'],
  [10, 'sha512'],
  [13, 'sha256'],
  [14, 'sha384'],
  [15, null],
  [16, null],
] as const) {
  // biome-ignore format: a list
  test(`SigningKey.sign: what algorithm ${algorithm} signs verifies with its public key`, (t) => {
    const { publicKey, text } = generate(algorithm);
    const dnskey = new Uint8Array(Buffer.concat([Buffer.of(1, 0, 3, algorithm), publicKey]));
    const key = new SigningKey({
      owner: parseName('x.')!,
      ttlSeconds: 1,
      dnskey,
      privateKey: parsePrivateKey(text, dnskey),
    });
    t.true(key.isZoneSigning);
    t.false(key.isKeySigning);
    const owner = parseNameLower('*.x.')!;
    const signer = parseNameLower('x.')!;
    const rdata = Uint8Array.of(192, 0, 2, 1);
    const rrset = makeCanonicalRrset(owner, RRTYPE.A, [rdata]);
    const rrsig = key.sign(rrset, { signer, originalTtlSeconds: 300, inceptionSeconds: 1, expirationSeconds: 2 });
    t.is(rrsig[3], 1, 'the asterisk is no label (RFC 4034 section 3.1.3)');
    const fixedEnd = 18 + signer.length;
    const record = Buffer.concat([owner, Buffer.of(0, 1, 0, 1, 0, 0, 1, 44, 0, 4), rdata]);
    const signed = Buffer.concat([rrsig.subarray(0, fixedEnd), record]);
    const jwk = publicJwk(algorithm, publicKey);
    const verifier = createPublicKey({ key: jwk, format: 'jwk' });
    const signature = rrsig.subarray(fixedEnd);
    t.true(verify(hash, signed, { key: verifier, dsaEncoding: 'ieee-p1363' }, signature));
    signed[signed.length - 1]! ^= 1;
    t.false(verify(hash, signed, { key: verifier, dsaEncoding: 'ieee-p1363' }, signature));
  });
}

function publicJwk(algorithm: number, bytes: Buffer): Record<string, string> {
  const text = (from: number, to?: number): string => bytes.subarray(from, to).toString('base64url');
  if (algorithm <= 10) return { kty: 'RSA', e: text(1, 1 + bytes[0]!), n: text(1 + bytes[0]!) };
  if (algorithm >= 15) return { kty: 'OKP', crv: algorithm === 15 ? 'Ed25519' : 'Ed448', x: text(0) };
  const half = bytes.length / 2;
  return { kty: 'EC', crv: algorithm === 13 ? 'P-256' : 'P-384', x: text(0, half), y: text(half) };
}

const { rdata: ed25519 } = parseRecord(ED25519_KEY);
const BROKEN = [
  // what                            private key file                                          message
  ['another key', ED25519_PRIVATE.replace('ODIy', 'ODIz'), /does not belong/],
  ['another algorithm', 'Algorithm: 13\nPrivateKey: AAAA\n', /for algorithm 13, not 15/],
  ['no number', 'Algorithm: 15\n', /no privatekey field/],
  ['nothing', '', /algorithm NaN/],
] as const;
for (const [what, text, message] of BROKEN) {
  test(`parsePrivateKey: ${what} is told`, (t) => {
    t.throws(() => parsePrivateKey(text, ed25519), { instanceOf: SigningKeyError, message });
  });
}

test('parsePrivateKey: an algorithm that is not known is told with those that are', (t) => {
  t.throws(() => parsePrivateKey('Algorithm: 12\n', Uint8Array.of(1, 1, 3, 12)), {
    message: /12 is not one of 5 .*ED448/,
  });
});

test('keyTag: that of RFC 4034 section 5.4', (t) => {
  const key =
    'dskey.example.com. 86400 IN DNSKEY 256 3 5 AQOeiiR0GOMYkDshWoSKz9XzfwJr1AYtsmx3TGkJaNXVbfi/2pHm822aJ5iI9BMzNXxeYCmZ' +
    'DRD99WYwYqUSdjMmmAphXdvxegXd/M5+X7OrzKBaMbCVdFLUUh6DhweJBjEVv5f2wwjM9XzcnOf+EPbtG9DMBmADjFDc2w/rljwvFw==';
  t.is(keyTag(parseRecord(key).rdata), 60_485);
});
