// Self-signed certificates for tests, made by the openssl program.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/** PEM texts of a certificate for one DNS name and 127.0.0.1, good for a day; it is its own authority. */
export function createCertificate(name: string): { readonly cert: string; readonly key: string } {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'certificate-'));
  try {
    const cert = path.join(folder, 'cert.pem');
    const key = path.join(folder, 'key.pem');
    const args = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1'];
    args.push(
      '-subj',
      `/CN=${name}`,
      '-addext',
      `subjectAltName=DNS:${name},IP:127.0.0.1`,
      '-keyout',
      key,
      '-out',
      cert,
    );
    execFileSync('openssl', args, { stdio: 'pipe' });
    return { cert: fs.readFileSync(cert, 'utf8'), key: fs.readFileSync(key, 'utf8') };
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}
