// The file behind `prometheus { tls FILE }`: how the metrics are served, in the form that Prometheus' exporters share ("web
// configuration"). Loaded only where it is used, because of `yaml`. Control thread.
import { createSecureContext, type SecureVersion } from 'node:tls';
import type { ListenerTls } from '../../link/plan.ts';
import { YamlFile, type YamlSection } from './yaml-section.ts';

export type WebTls = Pick<ListenerTls, 'cert' | 'key' | 'ca' | 'clientAuth'> & {
  readonly minVersion: SecureVersion;
  readonly maxVersion: SecureVersion;
  /** Names with colons between them, as OpenSSL takes them. */
  readonly ciphers?: string;
  readonly ecdhCurve?: string;
  readonly honorCipherOrder: boolean;
};

export type WebConfig = {
  /** Undefined: in clear, as the file says nothing about TLS. */
  readonly tls: WebTls | undefined;
  /** Of every reply. */
  readonly headers: Readonly<Record<string, string>>;
  /** Paths of all files that were read, this one among them. */
  readonly files: readonly string[];
};

/** Go's names; RequireClientCert is an older word for the one below it. */
const CLIENT_AUTH: Readonly<Record<string, NonNullable<ListenerTls['clientAuth']>>> = {
  NoClientCert: 'none',
  RequestClientCert: 'request',
  RequireClientCert: 'require',
  RequireAnyClientCert: 'require',
  VerifyClientCertIfGiven: 'verify-if-given',
  RequireAndVerifyClientCert: 'require-and-verify',
};
const VERSIONS: Readonly<Record<string, SecureVersion>> = {
  TLS10: 'TLSv1',
  TLS11: 'TLSv1.1',
  TLS12: 'TLSv1.2',
  TLS13: 'TLSv1.3',
};
const CURVES: Readonly<Record<string, string>> = {
  CurveP256: 'P-256',
  CurveP384: 'P-384',
  CurveP521: 'P-521',
  X25519: 'X25519',
  X25519MLKEM768: 'X25519MLKEM768',
};
const TLS_KEYS = [
  'cert', 'key', 'client_ca', 'cert_file', 'key_file', 'client_ca_file', 'client_auth_type', 'min_version', 'max_version',
  'cipher_suites', 'prefer_server_cipher_suites', 'curve_preferences',
]; // biome-ignore format: a list
const HEADERS = [
  'Content-Security-Policy',
  'X-Frame-Options',
  'X-Content-Type-Options',
  'X-XSS-Protection',
  'Strict-Transport-Security',
];

/** Refused rather than left out: without them the metrics would be open to more than was asked for. */
const REFUSED = {
  basic_auth_users:
    'passwords (bcrypt) are not built, ask for certificates of clients: "client_auth_type: RequireAndVerifyClientCert"',
  rate_limit: 'a limit of requests is not built, leave it out',
};
const REFUSED_IN_TLS = {
  client_allowed_sans: 'is not built, let the authority in client_ca_file sign certificates of these clients only',
};

/** @throws ConfigError `FILE` with the file and the line at fault */
export function readWebConfig(path: string): WebConfig {
  const file = new YamlFile(path);
  const root = file.read(['tls_server_config', 'http_server_config'], REFUSED);
  const section = root.section('tls_server_config', TLS_KEYS, REFUSED_IN_TLS);
  const tls = section.isEmpty ? undefined : readTls(section);
  // `http2` changes nothing: the metrics go over HTTP/1.1, which everyone who reads them speaks.
  const headers = readHeaders(root.section('http_server_config', ['http2', 'headers']).section('headers', HEADERS));
  return { tls, headers, files: file.files };
}

function readTls(section: YamlSection): WebTls {
  const cert = section.content('cert');
  const key = section.content('key');
  const ca = section.content('client_ca');
  if (cert === undefined) throw section.error('cert_file', 'is missing');
  if (key === undefined) throw section.error('key_file', 'is missing');
  const clientAuth = section.choice(
    'client_auth_type',
    section.text('client_auth_type') ?? 'NoClientCert',
    CLIENT_AUTH,
  );
  if (ca !== undefined && clientAuth === 'none') {
    throw section.error('client_ca_file', 'has no effect without "client_auth_type: RequireAndVerifyClientCert"');
  }
  const ciphers = section.list('cipher_suites').join(':');
  const curves = section.list('curve_preferences').map((name) => section.choice('curve_preferences', name, CURVES));
  const tls = {
    cert,
    key,
    ...(ca === undefined ? {} : { ca }),
    clientAuth,
    minVersion: section.choice('min_version', section.text('min_version') ?? 'TLS12', VERSIONS),
    maxVersion: section.choice('max_version', section.text('max_version') ?? 'TLS13', VERSIONS),
    ...(ciphers === '' ? {} : { ciphers }),
    ...(curves.length === 0 ? {} : { ecdhCurve: curves.join(':') }),
    honorCipherOrder: section.text('prefer_server_cipher_suites') !== 'false',
  };
  // The names are in alphabetical order.
  if (tls.minVersion > tls.maxVersion) throw section.error('max_version', 'is below min_version');
  try {
    createSecureContext(tls);
  } catch (error) {
    throw section.error(
      'cert_file',
      `certificate, key, versions or ciphers cannot be used: ${(error as Error).message}`,
    );
  }
  return tls;
}

function readHeaders(section: YamlSection): Readonly<Record<string, string>> {
  const headers: Record<string, string> = {};
  for (const name of HEADERS) {
    const text = section.text(name);
    if (text === undefined) continue;
    if (/[^\t\x20-\x7e]/.test(text)) throw section.error(name, 'holds a character that no header may have');
    headers[name] = text;
  }
  return headers;
}
