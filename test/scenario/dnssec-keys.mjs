// Makes DNSSEC key pairs as dnssec-keygen writes them, and trust anchors for delv. Main thread of a test program.
import { generateKeyPairSync } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';

/** Flags of a key that signs its zone and is the way into it (RFC 4034 section 2.1.1). */
const ENTRY_FLAGS = 257;

/** Names are those of the files' `Algorithm` line. */
export const ALGORITHMS = {
  ECDSAP256SHA256: { number: 13, make: () => makeEcKey() },
  ED25519: { number: 15, make: () => makeEdKey() },
  RSASHA256: { number: 8, make: () => makeRsaKey() },
};

const decode = (text) => Buffer.from(text, 'base64url');

function makeEcKey() {
  const { x, y, d } = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' });
  return { published: Buffer.concat([decode(x), decode(y)]), secret: { PrivateKey: decode(d) } };
}

function makeEdKey() {
  const { x, d } = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
  return { published: decode(x), secret: { PrivateKey: decode(d) } };
}

/** RFC 3110: length of the exponent, exponent, modulus. */
function makeRsaKey() {
  const { n, e, d, p, q, dp, dq, qi } = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({
    format: 'jwk',
  });
  const secret = {
    Modulus: decode(n),
    PublicExponent: decode(e),
    PrivateExponent: decode(d),
    Prime1: decode(p),
    Prime2: decode(q),
    Exponent1: decode(dp),
    Exponent2: decode(dq),
    Coefficient: decode(qi),
  };
  return { published: Buffer.concat([Buffer.of(decode(e).length), decode(e), decode(n)]), secret };
}

/**
 * Writes `FOLDER/Kzone.+013+12345.key` and `.private`.
 *
 * @returns base: path without ending; anchor: statement for delv's file of trust anchors
 */
export function writeKey(folder, zone, algorithm) {
  const { number, make } = ALGORITHMS[algorithm];
  const { published, secret } = make();
  const text = `${ENTRY_FLAGS} 3 ${number} ${published.toString('base64')}`;
  const tag = keyTag(Buffer.concat([Buffer.of(ENTRY_FLAGS >>> 8, ENTRY_FLAGS & 255, 3, number), published]));
  const base = path.join(folder, `K${zone}+${String(number).padStart(3, '0')}+${String(tag).padStart(5, '0')}`);
  fs.writeFileSync(`${base}.key`, `${zone} IN DNSKEY ${text}\n`);
  const lines = Object.entries(secret).map(([name, bytes]) => `${name}: ${bytes.toString('base64')}`);
  fs.writeFileSync(
    `${base}.private`,
    `Private-key-format: v1.3\nAlgorithm: ${number} (${algorithm})\n${lines.join('\n')}\n`,
  );
  const anchor = `trust-anchors { ${zone} static-key ${ENTRY_FLAGS} 3 ${number} "${published.toString('base64')}"; };\n`;
  return { base, anchor };
}

/** RFC 4034 appendix B. */
function keyTag(rdata) {
  let sum = 0;
  for (const [i, byte] of rdata.entries()) sum += i % 2 === 0 ? byte << 8 : byte;
  return (sum + (sum >>> 16)) & 0xffff;
}
