// The file of `prometheus { tls FILE }`: what it comes to, and the line of everything that is wrong in it.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'ava';
import { ConfigError } from '../../../lib/base/errors.ts';
import { setupPrometheus } from '../../../lib/plugins/prometheus/setup.ts';
import { readWebConfig, type WebConfig } from '../../../lib/plugins/prometheus/web-config.ts';
import { createCertificate } from '../io/certificate.ts';
import { directivesOf, makeContext } from './fake-chain.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'web-config-'));
test.after.always(() => fs.rmSync(folder, { recursive: true, force: true }));
const { cert, key } = createCertificate('metrics.test');
fs.writeFileSync(path.join(folder, 'cert.pem'), cert);
fs.writeFileSync(path.join(folder, 'key.pem'), key);
fs.writeFileSync(path.join(folder, 'other.pem'), createCertificate('other.test').key);

let files = 0;
function write(text: string): string {
  const file = path.join(folder, `web${++files}.yml`);
  fs.writeFileSync(file, text);
  return file;
}
const read = (text: string): WebConfig => readWebConfig(write(text));

const PAIR = '  cert_file: cert.pem\n  key_file: key.pem\n';
const DEFAULTS = {
  cert,
  key,
  clientAuth: 'none',
  minVersion: 'TLSv1.2',
  maxVersion: 'TLSv1.3',
  honorCipherOrder: true,
};

test('web configuration: files are looked for beside it', (t) => {
  const { tls, headers, files: seen } = read(`tls_server_config:\n${PAIR}`);
  t.deepEqual(tls as unknown, DEFAULTS);
  t.deepEqual(headers, {});
  t.deepEqual(seen.map((file) => path.basename(file)), [`web${files}.yml`, 'cert.pem', 'key.pem']); // biome-ignore format: short
});

test('web configuration: certificates of clients, versions, ciphers, curves, headers, keys without value', (t) => {
  const { tls, headers } = read(
    `tls_server_config:
${PAIR}  client_ca_file: cert.pem
  client_auth_type: RequireAndVerifyClientCert
  client_allowed_sans: []
  min_version: TLS13
  max_version: TLS13
  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]
  prefer_server_cipher_suites: false
  curve_preferences:
    - X25519
    - CurveP256
http_server_config:
  http2: false
  headers:
    X-Frame-Options: deny
    Strict-Transport-Security:
basic_auth_users:
`.replace('client_allowed_sans: []', 'client_allowed_sans:'),
  );
  t.deepEqual(tls as unknown, {
    ...DEFAULTS,
    ca: cert,
    clientAuth: 'require-and-verify',
    minVersion: 'TLSv1.3',
    ciphers: 'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256:TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384',
    ecdhCurve: 'X25519:P-256',
    honorCipherOrder: false,
  });
  t.deepEqual(headers, { 'X-Frame-Options': 'deny' });
});

test('web configuration: PEM texts can stand in it', (t) => {
  const indent = (pem: string): string => pem.replace(/^/gm, '    ');
  const { tls } = read(`tls_server_config:\n  cert: |\n${indent(cert)}\n  key: |\n${indent(key)}\n`);
  t.is(tls?.cert.trim(), cert.trim());
});

for (const text of ['', 'tls_server_config:\n', '# nothing\n', 'http_server_config:\n  http2: true\n']) {
  test(`web configuration: ${JSON.stringify(text)} serves in clear`, (t) => {
    t.is(read(text).tls, undefined);
  });
}

const WRONG: readonly (readonly [text: string, line: number, message: RegExp])[] = [
  ['tls_server_config:\n  cert_file: [\n', 3, /./],
  ['- a\n', 1, /a mapping is expected/],
  ['tls_server_confg:\n  cert_file: x\n', 1, /unknown key "tls_server_confg", did you mean "tls_server_config"\?/],
  [`tls_server_config:\n${PAIR}  keyfile: x\n`, 4, /unknown key "keyfile", did you mean "key_file"\?/],
  ['tls_server_config:\n  cert_file: cert.pem\n', 1, /key_file: is missing/],
  ['\ntls_server_config:\n  key_file: key.pem\n', 2, /cert_file: is missing/],
  ['tls_server_config:\n  key_file: key.pem\n  cert_file: nosuch.pem\n', 3, /cannot read nosuch\.pem/],
  [`tls_server_config:\n${PAIR}  cert: x\n`, 4, /cert: excludes cert_file/],
  ['tls_server_config:\n  cert_file: cert.pem\n  key_file: other.pem\n', 2, /cannot be used/],
  [`tls_server_config:\n${PAIR}  min_version: TLS14\n`, 4, /min_version: expected TLS10 or .* not "TLS14"/],
  [`tls_server_config:\n${PAIR}  min_version: TLS13\n  max_version: TLS12\n`, 5, /max_version: is below min_version/],
  [`tls_server_config:\n${PAIR}  client_auth_type: Always\n`, 4, /client_auth_type: expected NoClientCert or/],
  [`tls_server_config:\n${PAIR}  client_ca_file: cert.pem\n`, 4, /has no effect/],
  [`tls_server_config:\n${PAIR}  cipher_suites: [NOSUCH]\n`, 2, /cannot be used/],
  [`tls_server_config:\n${PAIR}  cipher_suites: NOSUCH\n`, 4, /expected a list/],
  [`tls_server_config:\n${PAIR}  curve_preferences: [P256]\n`, 4, /expected CurveP256 or/],
  [`tls_server_config:\n${PAIR}  client_allowed_sans: [a]\n`, 4, /client_allowed_sans: is not built/],
  [
    `tls_server_config:\n${PAIR}basic_auth_users:\n  alice: $2y$10$x\n`,
    4,
    /basic_auth_users: passwords \(bcrypt\) are not built/,
  ],
  ['http_server_config:\n  headers:\n    X-Other: a\n', 3, /unknown key "X-Other"/],
  ['http_server_config:\n  headers:\n    X-Frame-Options: "a\\nb"\n', 3, /character that no header may have/],
  ['rate_limit:\n  interval: 1s\n', 1, /rate_limit/],
];
for (const [text, line, message] of WRONG) {
  test(`web configuration: ${JSON.stringify(text)} is wrong in line ${line}`, (t) => {
    const error = t.throws(() => read(text), { instanceOf: ConfigError, message });
    t.deepEqual([error.code, error.line, path.basename(error.file)], ['FILE', line, `web${files}.yml`]);
  });
}

test("prometheus: tls names the endpoint's file; one that is missing is an error of the Corefile's line", async (t) => {
  const services: unknown[] = [];
  const context = { ...makeContext(['.']), addService: (service: unknown) => void services.push(service) };
  const file = write(`tls_server_config:\n${PAIR}`);
  await setupPrometheus(directivesOf('prometheus', `prometheus :9153 {\n tls ${file}\n}`), context);
  t.deepEqual(services, [{ kind: 'metrics', address: ':9153', webConfig: file }]);
  const missing = async (): Promise<unknown> =>
    setupPrometheus(directivesOf('prometheus', 'prometheus {\n tls /nosuch.yml\n}'), context);
  const error = await t.throwsAsync(missing, { instanceOf: ConfigError, message: /cannot read \/nosuch\.yml/ });
  t.not(error.line, 0);
  const twice = async (): Promise<unknown> =>
    setupPrometheus(directivesOf('prometheus', `prometheus {\n tls ${file}\n tls ${file}\n}`), context);
  t.is((await t.throwsAsync(twice, { instanceOf: ConfigError })).code, 'OPTION_CONFLICT');
});
