// Directive `tls` -> certificate, key and rules of the block's tls, https and grpc listeners. Control thread.
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import type { SetupContext } from '../../chain/plugin.ts';
import type { Directive, Option, Token } from '../../config/directive.ts';
import type { ListenerTls } from '../../link/plan.ts';

const OPTIONS = ['client_auth', 'keylog'] as const;
const ACME_OPTIONS = ['acme', 'email', 'ca', 'ca_root', 'storage', 'resolver'] as const;
const ACME_ADVICE =
  'obtaining certificates (acme) is not built: let cert-manager or an ACME client such as certbot write the files and name them, "tls CERT KEY"';

/** Words of `client_auth`, as Go and CoreDNS have them. */
const CLIENT_AUTH = {
  nocert: 'none',
  request: 'request',
  require: 'require',
  verify_if_given: 'verify-if-given',
  require_and_verify: 'require-and-verify',
} as const satisfies Record<string, ListenerTls['clientAuth']>;

/** `tls` has no handler. */
export type TlsOptions = undefined;

type Rules = { clientAuth?: NonNullable<ListenerTls['clientAuth']>; keyLogFile?: string };

/**
 * Reads `tls CERT KEY [CA] { client_auth WORD ; keylog FILE }`; of several the last one counts. The files are read now
 * and again at every reload.
 *
 * @throws ConfigError `ARGUMENT_COUNT`, `ARGUMENT_VALUE`, `OPTION_UNKNOWN`; `FILE` when a file cannot be read or is not
 *   what it must be; `DIRECTIVE_NOT_BUILT` for acme
 */
export function setupTls(directives: readonly Directive[], context: SetupContext): TlsOptions {
  for (const directive of directives) {
    if (directive.args.length === 0 && directive.options().some(({ name }) => isAcmeOption(name))) {
      throw directive.error('DIRECTIVE_NOT_BUILT', ACME_ADVICE);
    }
    directive.expectArguments(2, 3);
    const rules: Rules = {};
    for (const option of directive.options()) readOption(directive, option, rules, context);
    context.listener.tls = { ...readFiles(directive, context), ...rules };
  }
}

function isAcmeOption(name: string): boolean {
  return (ACME_OPTIONS as readonly string[]).includes(name);
}

function readOption(directive: Directive, option: Option, rules: Rules, context: SetupContext): void {
  switch (option.name) {
    case 'client_auth': {
      option.expectArguments(1);
      const words = Object.keys(CLIENT_AUTH) as (keyof typeof CLIENT_AUTH)[];
      rules.clientAuth = CLIENT_AUTH[option.parseWord(option.argument(), words)];
      break;
    }
    case 'keylog':
      option.expectArguments(1);
      rules.keyLogFile = openKeyLog(option, context);
      break;
    default:
      if (isAcmeOption(option.name)) throw option.error('DIRECTIVE_NOT_BUILT', ACME_ADVICE);
      throw directive.unknownOption(option, OPTIONS);
  }
}

/** Made now, so that only its owner can read it and a path that cannot be written is an error of the configuration. */
function openKeyLog(option: Option, context: SetupContext): string {
  const file = path.resolve(context.root, option.argument().text);
  try {
    fs.closeSync(fs.openSync(file, 'a', 0o600));
  } catch (error) {
    throw option.error('FILE', `cannot write the key log: ${(error as Error).message}`);
  }
  context.warn(`plugin/tls: session secrets are written to ${file}: whoever reads it can read the traffic`);
  return file;
}

function readFiles(directive: Directive, context: SetupContext): Pick<ListenerTls, 'cert' | 'key' | 'ca'> {
  const [certWord, keyWord, caWord] = directive.args as [Token, Token, Token | undefined];
  const cert = readPem(directive, certWord, context.root);
  const key = readPem(directive, keyWord, context.root);
  const certificate = parseCertificate(directive, certWord, cert);
  if (!certificate.checkPrivateKey(parseKey(directive, keyWord, key))) {
    throw directive.error('FILE', `the key in ${keyWord.text} does not belong to the certificate in ${certWord.text}`);
  }
  if (Date.parse(certificate.validTo) < Date.now()) {
    context.warn(`plugin/tls: the certificate in ${certWord.text} expired on ${certificate.validTo}`);
  }
  const ca = caWord === undefined ? undefined : readPem(directive, caWord, context.root);
  if (caWord !== undefined) parseCertificate(directive, caWord, ca!);
  const parts = { cert, key, ...(ca === undefined ? {} : { ca }) };
  try {
    process.getBuiltinModule('node:tls').createSecureContext(parts);
  } catch (error) {
    throw directive.error('FILE', `certificate and key cannot be used: ${(error as Error).message}`);
  }
  return parts;
}

function readPem(directive: Directive, word: Token, root: string): string {
  try {
    return fs.readFileSync(path.resolve(root, word.text), 'utf8');
  } catch (error) {
    throw directive.error('FILE', `cannot read ${word.text}: ${(error as Error).message}`);
  }
}

function parseCertificate(directive: Directive, { text }: Token, pem: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (error) {
    const hint = /PRIVATE KEY-----/.test(pem)
      ? 'it holds a private key, are the two files swapped?'
      : (error as Error).message;
    throw directive.error('FILE', `${text} is no certificate in PEM form: ${hint}`);
  }
}

function parseKey(directive: Directive, { text }: Token, pem: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch (error) {
    const reason = /ENCRYPTED/.test(pem)
      ? 'it is encrypted, store it without a passphrase'
      : /BEGIN CERTIFICATE/.test(pem)
        ? 'it holds a certificate, are the two files swapped?'
        : (error as Error).message;
    throw directive.error('FILE', `${text} is no private key in PEM form: ${reason}`);
  }
}
