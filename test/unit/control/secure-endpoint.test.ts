// /metrics over TLS as a web configuration says it, over real loopback sockets.
import fs from 'node:fs';
import https from 'node:https';
import os from 'node:os';
import path from 'node:path';
import type { TLSSocket } from 'node:tls';
import test from 'ava';
import type { Service } from '../../../lib/chain/plugin.ts';
import { HttpServices } from '../../../lib/control/http-services.ts';
import { createCertificate } from '../io/certificate.ts';
import { keepLines } from '../plugins/block-rig.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'secure-endpoint-'));
test.after.always(() => fs.rmSync(folder, { recursive: true, force: true }));
const first = createCertificate('first.test');
const second = createCertificate('second.test');
const client = createCertificate('client.test');

type Reply = { readonly status: number; readonly text: string; readonly subject: string; readonly frame: unknown };

function ask(port: number, options: https.RequestOptions): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const request = https.request(
      { host: '127.0.0.1', port, path: '/metrics', agent: false, ...options },
      (response) => {
        let text = '';
        const subject = (response.socket as TLSSocket).getPeerCertificate().subject.CN;
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        response.on('end', () => {
          resolve({
            status: response.statusCode!,
            text,
            subject: String(subject),
            frame: response.headers['x-frame-options'],
          });
        });
      },
    );
    request.on('error', reject).end();
  });
}

let configs = 0;
async function serve(
  more: string,
): Promise<{ readonly port: number; readonly lines: string[]; readonly at: string; readonly close: () => void }> {
  const at = path.join(folder, String(++configs));
  fs.mkdirSync(at);
  put(at, first);
  fs.writeFileSync(path.join(at, 'ca.pem'), client.cert);
  const webConfig = path.join(at, 'web.yml');
  fs.writeFileSync(webConfig, `tls_server_config:\n  cert_file: cert.pem\n  key_file: key.pem\n${more}`);
  const lines: string[] = [];
  const services = new HttpServices({ notReady: () => [], metrics: () => 'a 1\n', log: keepLines(lines) });
  const service: Service = { kind: 'metrics', address: '127.0.0.1:0', webConfig };
  (await services.prepare([service])).take();
  return { port: services.portOf(`127.0.0.1:0 ${webConfig}`)!, lines, at, close: () => services.close('metrics') };
}

function put(at: string, { cert, key }: typeof first): void {
  fs.writeFileSync(path.join(at, 'cert.pem'), cert);
  fs.writeFileSync(path.join(at, 'key.pem'), key);
}

test('https: metrics with the headers of the web configuration; plain HTTP gets none', async (t) => {
  const { port, close } = await serve('http_server_config:\n  headers:\n    X-Frame-Options: deny\n');
  t.teardown(close);
  const reply = await ask(port, { ca: first.cert });
  t.deepEqual(reply, { status: 200, text: 'a 1\n', subject: 'first.test', frame: 'deny' });
  await t.throwsAsync(ask(port, { ca: second.cert }), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' });
  await t.throwsAsync(fetch(`http://127.0.0.1:${port}/metrics`));
});

test('https: clients without a certificate of the authority are turned away when it is required', async (t) => {
  const { port, close } = await serve('  client_ca_file: ca.pem\n  client_auth_type: RequireAndVerifyClientCert\n');
  t.teardown(close);
  t.is((await ask(port, { ca: first.cert, cert: client.cert, key: client.key })).status, 200);
  await t.throwsAsync(ask(port, { ca: first.cert }));
  await t.throwsAsync(ask(port, { ca: first.cert, cert: second.cert, key: second.key }));
});

test('https: a version below the least is turned away', async (t) => {
  const { port, close } = await serve('  min_version: TLS13\n');
  t.teardown(close);
  t.is((await ask(port, { ca: first.cert })).status, 200);
  await t.throwsAsync(ask(port, { ca: first.cert, maxVersion: 'TLSv1.2' }));
});

test('https: a certificate that is written anew is used without a reload, a broken one is not', async (t) => {
  const { port, lines, at, close } = await serve('');
  t.teardown(close);
  fs.writeFileSync(path.join(at, 'cert.pem'), 'broken');
  const subjectIs = async (subject: string): Promise<void> => {
    while ((await ask(port, { rejectUnauthorized: false })).subject !== subject) {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  };
  while (!lines.some((line) => line.includes('goes on as it was'))) {
    await subjectIs('first.test');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  put(at, second);
  await subjectIs('second.test');
  t.pass();
});
