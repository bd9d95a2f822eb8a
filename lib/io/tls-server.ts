// What TLS listeners have in common: server options, client certificates, key log. Worker.
import { createHmac } from 'node:crypto';
import fs from 'node:fs';
import type tls from 'node:tls';
import type { ListenerTls } from '../link/plan.ts';

/** Clients that have not shaken hands after this are let go; also the default of `handshakeTimeoutMs`. */
const DEFAULT_HANDSHAKE_MS = 3000;
/** What Node wants: names, HMAC and AES key of session tickets. */
const TICKET_KEY_BYTES = 48;

/**
 * Options for a TLS server: at least TLS 1.2, tickets that every worker's server understands.
 *
 * @throws Error of OpenSSL's when certificate or key cannot be used
 */
export function tlsServerOptions(
  options: ListenerTls,
  handshakeTimeoutMs: number = DEFAULT_HANDSHAKE_MS,
): tls.TlsOptions {
  const { cert, key, ca, clientAuth = 'none' } = options;
  const ticketKeys = deriveTicketKeys(options);
  return {
    cert,
    key,
    ...(ca === undefined ? {} : { ca }),
    ...(ticketKeys === undefined ? {} : { ticketKeys }),
    requestCert: clientAuth !== 'none',
    rejectUnauthorized: clientAuth === 'require-and-verify',
    minVersion: 'TLSv1.2',
    handshakeTimeout: handshakeTimeoutMs,
  };
}

/** Go's five ways of client authentication: whether this client may stay. */
export function isAcceptedClient(
  socket: Pick<tls.TLSSocket, 'authorized' | 'getPeerCertificate'>,
  clientAuth: ListenerTls['clientAuth'] = 'none',
): boolean {
  if (clientAuth === 'none' || clientAuth === 'request') return true;
  const given = Object.keys(socket.getPeerCertificate() ?? {}).length > 0;
  if (clientAuth === 'require') return given;
  if (clientAuth === 'verify-if-given') return !given || socket.authorized;
  return socket.authorized;
}

/** Appends the session secrets to a file, in the format that packet analysers read. A full disk stops no query. */
export function logKeys(server: tls.Server, file: string): void {
  const stream = fs.createWriteStream(file, { flags: 'a', mode: 0o600 });
  stream.on('error', () => undefined);
  server.on('keylog', (line: Buffer) => void stream.write(line));
  server.on('close', () => stream.end());
}

/**
 * The same keys in every worker, others for every certificate and way of client authentication: a session never resumes
 * where it would not have begun.
 */
function deriveTicketKeys({ ticketSecret, cert, ca, clientAuth }: ListenerTls): Buffer | undefined {
  if (ticketSecret === undefined) return undefined;
  const part = (label: string): Buffer =>
    createHmac('sha256', ticketSecret)
      .update(JSON.stringify([label, cert, ca, clientAuth]))
      .digest();
  return Buffer.concat([part('name'), part('keys')]).subarray(0, TICKET_KEY_BYTES);
}
