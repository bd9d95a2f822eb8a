// The directive `sign`: which files are signed for which zones, and what is refused.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { generateKeyPairSync } from 'node:crypto';
import test from 'ava';
import { ConfigError, type ErrorCode } from '../../../lib/base/errors.ts';
import type { SourceSpec } from '../../../lib/chain/plugin.ts';
import { setupSign } from '../../../lib/plugins/sign/setup.ts';
import type { SignSourceOptions } from '../../../lib/sources/zone-signer/source.ts';
import { directivesOf, makeContext } from './fake-chain.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sign-setup-'));
test.after.always(() => fs.rmSync(folder, { recursive: true }));

function writeKey(name: string, flags: number, secret?: string): void {
  const { x, d } = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
  const text = (part: string): string => Buffer.from(part, 'base64url').toString('base64');
  // Over several lines, as some tools write it.
  fs.writeFileSync(
    path.join(folder, `${name}.key`),
    `; test\nz.test. 60 IN DNSKEY ${flags} 3 15 (\n  ${text(x!)} ) ; end\n`,
  );
  fs.writeFileSync(
    path.join(folder, `${name}.private`),
    `Algorithm: 15 (ED25519)\nPrivateKey: ${secret ?? text(d!)}\n`,
  );
}
writeKey('Kentry', 257);
writeKey('Kzone', 256);
writeKey('Kwrong', 257, Buffer.alloc(32, 1).toString('base64'));
fs.writeFileSync(path.join(folder, 'Ktext.key'), 'z.test. IN TXT "no key"\n');
fs.writeFileSync(path.join(folder, 'Ktext.private'), '');

function setup(body: string): { readonly sources: readonly SourceSpec[]; readonly warnings: readonly string[] } {
  const sources: SourceSpec[] = [];
  const context = { ...makeContext(['z.test.']), root: folder, addSource: (spec: SourceSpec) => sources.push(spec) };
  setupSign(directivesOf('sign', body), context);
  return { sources, warnings: context.warnings };
}

test('setupSign: a source for each zone, files below root, the default folder', (t) => {
  const { sources } = setup(
    'sign db a.test b.test {\n key file Kentry.key\n directory out\n}\nsign /x/db {\n key file Kentry\n}',
  );
  t.deepEqual(
    sources.map(({ options }) => {
      const { file, zone, directory, keys } = options as SignSourceOptions;
      return [file, zone, directory, keys.length, keys[0]!.ttlSeconds];
    }),
    [
      [path.join(folder, 'db'), 'a.test.', path.join(folder, 'out'), 1, 60],
      [path.join(folder, 'db'), 'b.test.', path.join(folder, 'out'), 1, 60],
      ['/x/db', 'z.test.', '/var/lib/coredns', 1, 60],
    ],
  );
  t.is(new Set(sources.map(({ key }) => key)).size, 3);
  t.false(sources.some(({ key }) => key.includes('privateKey')));
});

test('setupSign: without a key nothing is signed, and a warning says so', (t) => {
  const { sources, warnings } = setup('sign db');
  t.deepEqual(sources, []);
  t.regex(warnings.join(), /no "key"/);
});

const WRONG: readonly (readonly [body: string, code: ErrorCode, message: RegExp])[] = [
  ['sign', 'ARGUMENT_COUNT', /name of a zone file/],
  ['sign db {\n key file Kabsent\n}', 'FILE', /Kabsent\.key/],
  ['sign db {\n key file Kzone\n}', 'ARGUMENT_VALUE', /Kzone is not an entry key/],
  ['sign db {\n key file Kwrong\n}', 'FILE', /Kwrong: .*does not belong/],
  ['sign db {\n key file Ktext\n}', 'FILE', /Ktext: the record is not a DNSKEY/],
  ['sign db {\n key directory .\n}', 'ARGUMENT_VALUE', /expected file/],
  ['sign db {\n directory a b\n}', 'ARGUMENT_COUNT', /directory: takes 1 argument/],
  ['sign db {\n folder a\n}', 'OPTION_UNKNOWN', /unknown option "folder"/],
];
for (const [body, code, message] of WRONG) {
  test(`setupSign: ${JSON.stringify(body)} is ${code}`, (t) => {
    const error = t.throws(() => setup(body), { instanceOf: ConfigError, message });
    t.is(error.code, code);
  });
}
