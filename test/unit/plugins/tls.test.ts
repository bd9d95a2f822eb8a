// The tls directive: what it leaves in the listener's settings, and what it says about files that cannot be used.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'ava';
import { ConfigError } from '../../../lib/base/errors.ts';
import type { ListenerTls } from '../../../lib/link/plan.ts';
import { tlsServerOptions } from '../../../lib/io/tls-server.ts';
import { createCertificate } from '../io/certificate.ts';
import { BlockRig } from './block-rig.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tls-setup-'));
test.after.always(() => fs.rmSync(folder, { recursive: true, force: true }));
const { cert, key } = createCertificate('dns.test');
const other = createCertificate('other.test');
for (const [name, text] of Object.entries({
  'cert.pem': cert,
  'key.pem': key,
  'other.pem': other.key,
  'text.pem': 'hello',
})) {
  fs.writeFileSync(path.join(folder, name), text);
}

const at = (body: string): string => `root ${folder}\n${body}`;

test('tls: certificate and key of the files below root, no client certificate asked for', (t) => {
  t.deepEqual(new BlockRig(at('tls cert.pem key.pem')).context.listener.tls, { cert, key });
});

test('tls: of two the last one counts', (t) => {
  const rig = new BlockRig(at('tls cert.pem key.pem cert.pem\ntls cert.pem key.pem'));
  t.deepEqual(rig.context.listener.tls, { cert, key });
});

const CLIENT_AUTH: readonly (readonly [string, NonNullable<ListenerTls['clientAuth']>])[] = [
  ['nocert', 'none'],
  ['request', 'request'],
  ['require', 'require'],
  ['verify_if_given', 'verify-if-given'],
  ['require_and_verify', 'require-and-verify'],
];
for (const [word, clientAuth] of CLIENT_AUTH) {
  test(`tls: client_auth ${word}`, (t) => {
    const rig = new BlockRig(at(`tls cert.pem key.pem cert.pem {\nclient_auth ${word}\n}`));
    t.deepEqual(rig.context.listener.tls, { cert, key, ca: cert, clientAuth });
  });
}

test('tls: the key log is made for its owner alone, with a warning', (t) => {
  const rig = new BlockRig(at('tls cert.pem key.pem {\nkeylog keys.log\n}'));
  const keyLogFile = path.join(folder, 'keys.log');
  t.is(rig.context.listener.tls?.keyLogFile, keyLogFile);
  t.is(fs.statSync(keyLogFile).mode & 0o777, 0o600);
  t.is(rig.warnings.length, 1);
});

const REFUSED: readonly (readonly [body: string, code: string, line: number, message: RegExp])[] = [
  ['tls', 'ARGUMENT_COUNT', 3, /takes 2 to 3 arguments/],
  ['tls cert.pem', 'ARGUMENT_COUNT', 3, /takes 2 to 3 arguments, has 1/],
  ['tls cert.pem key.pem cert.pem x', 'ARGUMENT_COUNT', 3, /has 4/],
  ['tls nosuch.pem key.pem', 'FILE', 3, /cannot read nosuch.pem/],
  ['tls key.pem cert.pem', 'FILE', 3, /key.pem is no certificate in PEM form: .*swapped/],
  ['tls cert.pem cert.pem', 'FILE', 3, /cert.pem is no private key in PEM form: .*swapped/],
  ['tls text.pem key.pem', 'FILE', 3, /text.pem is no certificate/],
  ['tls cert.pem other.pem', 'FILE', 3, /key in other.pem does not belong to the certificate in cert.pem/],
  ['tls cert.pem key.pem key.pem', 'FILE', 3, /key.pem is no certificate/],
  ['tls cert.pem key.pem {\nclient_auth verify\n}', 'ARGUMENT_VALUE', 4, /expected nocert or request/],
  ['tls cert.pem key.pem {\nkeylog\n}', 'ARGUMENT_COUNT', 4, /keylog/],
  ['tls cert.pem key.pem {\nkeylog /nosuch/folder/log\n}', 'FILE', 4, /cannot write the key log/],
  ['tls cert.pem key.pem {\nclient-auth request\n}', 'OPTION_UNKNOWN', 4, /did you mean "client_auth"/],
  ['tls {\nacme example.org\n}', 'DIRECTIVE_NOT_BUILT', 3, /certbot.*"tls CERT KEY"/],
  ['tls cert.pem key.pem {\nacme example.org\n}', 'DIRECTIVE_NOT_BUILT', 4, /cert-manager/],
];
for (const [body, code, line, message] of REFUSED) {
  test(`tls: refused with a line: ${JSON.stringify(body)}`, (t) => {
    const error = t.throws(() => new BlockRig(at(body)), { instanceOf: ConfigError, message });
    t.is(error.code, code as ConfigError['code']);
    t.is(error.line, line);
  });
}

test('tls: workers share ticket keys, another client authentication has others', (t) => {
  const options: ListenerTls = { cert, key, ticketSecret: new Uint8Array(32) };
  const keys = tlsServerOptions(options).ticketKeys;
  t.is(keys?.length, 48);
  t.deepEqual(tlsServerOptions(structuredClone(options)).ticketKeys, keys);
  t.notDeepEqual(tlsServerOptions({ ...options, clientAuth: 'require' }).ticketKeys, keys);
});
