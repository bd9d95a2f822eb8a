// The HTTP endpoints over real loopback sockets.
import http from 'node:http';
import zlib from 'node:zlib';
import test from 'ava';
import { createLogger } from '../../../lib/base/log.ts';
import type { Service } from '../../../lib/chain/plugin.ts';
import { HttpServices } from '../../../lib/control/http-services.ts';

type Reply = { readonly status: number; readonly headers: http.IncomingHttpHeaders; readonly body: Buffer };

function request(port: number, path: string, options: http.RequestOptions = {}): Promise<Reply> {
  return new Promise((resolve, reject) => {
    http
      .request({ host: '127.0.0.1', port, path, agent: false, ...options }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () =>
          resolve({ status: response.statusCode!, headers: response.headers, body: Buffer.concat(chunks) }),
        );
      })
      .on('error', reject)
      .end();
  });
}

const METRICS_TEXT = 'a_total 1\n'.repeat(500);
const HEALTH: Service = { kind: 'health', address: '127.0.0.1:0', lameduckMs: 0 };
const READY: Service = { kind: 'ready', address: '127.0.0.1:00', mode: 'until-ready' };
const METRICS: Service = { kind: 'metrics', address: 'localhost:0' };

function createServices(notReady: string[] = []): { services: HttpServices; lines: string[] } {
  const lines: string[] = [];
  const services = new HttpServices({
    notReady: () => notReady,
    metrics: () => METRICS_TEXT,
    log: createLogger({ sink: (line) => void lines.push(line) }),
  });
  return { services, lines };
}

test('http: /health, /ready and /metrics answer as CoreDNS does', async (t) => {
  const notReady: string[] = [];
  const { services, lines } = createServices(notReady);
  (await services.prepare([HEALTH, READY, METRICS])).take();
  const health = await request(services.portOf(HEALTH.address)!, '/health', { method: 'POST' });
  t.is(health.status, 200);
  t.is(health.body.toString(), 'OK');
  t.is((await request(services.portOf(HEALTH.address)!, '/')).status, 404);
  t.is((await request(services.portOf(HEALTH.address)!, '/ready')).status, 404);

  t.is((await request(services.portOf(READY.address)!, '/ready')).body.toString(), 'OK');
  notReady.push('kubernetes');
  const ready = await request(services.portOf(READY.address)!, '/ready');
  t.is(ready.status, 503);
  t.is(ready.body.toString(), 'kubernetes');
  t.deepEqual(lines, ['[INFO] plugin/ready: Plugins not ready: "kubernetes"\n']);

  const port = services.portOf(METRICS.address)!;
  const plain = await request(port, '/metrics?x=1');
  t.regex(plain.headers['content-type']!, /^text\/plain; version=0\.0\.4/);
  t.is(plain.body.toString(), METRICS_TEXT);
  const zipped = await request(port, '/metrics', { headers: { 'accept-encoding': 'deflate, gzip;q=0.5' } });
  t.is(zipped.headers['content-encoding'], 'gzip');
  t.is(zlib.gunzipSync(zipped.body).toString(), METRICS_TEXT);
  const refused = await request(port, '/metrics', { headers: { 'accept-encoding': 'gzip;q=0' } });
  t.is(refused.headers['content-encoding'], undefined);
  const head = await request(port, '/metrics', { method: 'HEAD' });
  t.is(head.status, 200);
  t.is(head.body.length, 0);
  (await services.prepare([])).take();
});

test('http: a reload keeps an address open that stays, opens new ones and closes those that go', async (t) => {
  const { services } = createServices();
  (await services.prepare([HEALTH])).take();
  const port = services.portOf(HEALTH.address)!;
  (await services.prepare([HEALTH, METRICS])).take();
  t.is(services.portOf(HEALTH.address), port);
  t.is((await request(services.portOf(METRICS.address)!, '/metrics')).status, 200);
  (await services.prepare([METRICS])).take();
  await t.throwsAsync(request(port, '/health'), { code: 'ECONNREFUSED' });
  services.close('metrics');
  t.is(services.portOf(METRICS.address), undefined);
});

test('http: what was opened for a reload that failed is closed again', async (t) => {
  const { services } = createServices();
  (await services.prepare([HEALTH])).take();
  (await services.prepare([METRICS])).drop();
  t.is(services.portOf(METRICS.address), undefined);
  t.is((await request(services.portOf(HEALTH.address)!, '/health')).status, 200);
  (await services.prepare([])).take();
});

test('http: a busy address is an error for health, a log line for ready and metrics', async (t) => {
  const busy = http.createServer();
  await new Promise<void>((resolve) => busy.listen(0, '127.0.0.1', resolve));
  const { port } = busy.address() as { port: number };
  const address = `127.0.0.1:${port}`;
  const { services, lines } = createServices();
  await t.throwsAsync(services.prepare([{ ...HEALTH, address }]), { code: 'LISTEN', message: /EADDRINUSE/ });
  (await services.prepare([{ ...READY, address }])).take();
  t.regex(lines.join(''), /^\[ERROR\] plugin\/ready: the endpoint \/ready is not served: .*EADDRINUSE/);
  busy.close();
});
