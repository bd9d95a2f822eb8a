// What clients must not be able to do: connections that say nothing, garbage instead of TLS and HTTP, and faults that no code
// catches. The process lives, answers in between, and says and counts what happened.
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import tls from 'node:tls';
import { expect, expectEqual } from './checks.mjs';
import { findFreePort, findProgram, makeFolder, runProgram, waitFor } from './programs.mjs';
import { startServer, stopServer } from './server.mjs';

const HALF_OPEN = 1000;
const GARBAGE_CONNECTIONS = 60;
const SEED = 20_261_122;

const HOSTS = `hosts {
        192.0.2.1 a.test
    }
    prometheus 127.0.0.1:{metrics}
    errors`;

export async function run(checks) {
  checks.area('hostile');
  await checkConnections(checks);
  await checkEncrypted(checks);
  await checkFaults(checks);
}

async function expectAnswer(server, when) {
  for (const tcp of [false, true]) {
    const reply = await server.client.ask('a.test.', 'A', { tcp, timeoutMs: 5000 });
    expectEqual(
      reply?.data,
      ['192.0.2.1'],
      `answer ${when}, ${tcp ? 'TCP' : 'UDP'}; ${server.program.output.slice(-1000)}`,
    );
  }
  expect(server.program.ended === undefined, `ended: ${JSON.stringify(server.program.ended)}`);
}

/** A worker that a busy machine kept from its work says something else. */
function expectNoFault(server) {
  expect(!/worker \d ended: (?!no sign of life)/.test(server.program.output), server.program.output.slice(-1000));
}

async function readMetric(server, name) {
  const text = await (await fetch(`http://127.0.0.1:${server.metrics}/metrics`)).text();
  const line = text.split('\n').find((found) => found.startsWith(`${name} `));
  return Number(line?.split(' ')[1] ?? Number.NaN);
}

async function checkConnections(checks) {
  const server = await startServer(`.:{port} {\n    bind 127.0.0.1\n    ${HOSTS}\n}\n`, { ask: ['a.test.', 'A'] });
  try {
    await checks.check(
      `${HALF_OPEN} connections that never finish a message: others are answered over TCP and UDP`,
      async () => {
        const sockets = [];
        for (let n = 0; n < HALF_OPEN; n++) {
          const socket = net.connect(server.port, '127.0.0.1');
          socket.on('error', () => {});
          // Nothing, half a length, or a length without its message.
          if (n % 3 > 0) socket.write(Buffer.from([0, 40, 1].slice(0, (n % 3) + (n % 2))));
          sockets.push(socket);
          if (n % 200 === 199) await expectAnswer(server, `with ${n + 1} open`);
        }
        for (const [n, socket] of sockets.entries()) {
          if (n % 2 === 0) socket.resetAndDestroy();
          else socket.end();
        }
        await expectAnswer(server, 'after they are gone');
        for (const socket of sockets) socket.destroy();
        expectEqual(await readMetric(server, 'coredns_panics_total'), 0, 'panics');
        expectNoFault(server);
      },
    );
    await checks.check('HTTP garbage at the metrics endpoint', async () => {
      for (const text of HTTP_GARBAGE) await throwAt(server.metrics, Buffer.from(text, 'latin1'));
      await throwRandom(server.metrics, false);
      expectEqual(await readMetric(server, 'coredns_panics_total'), 0, 'panics');
    });
  } finally {
    await stopServer(server);
  }
}

const HTTP_GARBAGE = [
  'GET\r\n\r\n',
  'GET /metrics HTTP/9.9\r\n\r\n',
  `GET /${'a'.repeat(100_000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
  `GET /metrics HTTP/1.1\r\n${'X: y\r\n'.repeat(5000)}\r\n`,
  'GET /metrics%00%ff%zz HTTP/1.1\r\nHost: \u0001\r\n\r\n',
  'POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n',
  'POST /metrics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
  'CONNECT a:1 HTTP/1.1\r\nHost: x\r\n\r\n',
  'GET /metrics HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\u0000\u0001',
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
];

/** Sends bytes, takes what comes, and ends the connection in one of two ways. */
function throwAt(port, bytes, options = {}) {
  return new Promise((resolve) => {
    const socket = options.secure
      ? tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ALPNProtocols: options.protocols ?? [] })
      : net.connect(port, '127.0.0.1');
    socket.on('error', resolve);
    socket.on('close', resolve);
    socket.resume();
    socket.once(options.secure ? 'secureConnect' : 'connect', () => {
      socket.write(bytes);
      setTimeout(() => (bytes.length % 2 === 0 ? socket.destroy() : socket.end()), 20).unref();
      setTimeout(() => socket.destroy(), 200);
    });
  });
}

function makeRandom(seed) {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

async function throwRandom(port, secure, protocols) {
  const random = makeRandom(SEED);
  const all = Array.from({ length: GARBAGE_CONNECTIONS }, () => {
    const bytes = Buffer.from({ length: 1 + random(2000) }, () => random(256));
    // Some begin like a TLS record or an HTTP/2 preface.
    if (random(3) === 0) bytes.set([0x16, 3, 1, random(256), random(256), 1].slice(0, bytes.length));
    const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
    const message = random(3) === 0 ? Buffer.concat([Buffer.from(preface), bytes]) : bytes;
    return throwAt(port, message, { secure, protocols });
  });
  await Promise.all(all);
}

async function checkEncrypted(checks) {
  if (findProgram('openssl') === undefined) {
    checks.skip('garbage at the encrypted listeners', 'openssl is not installed');
    return;
  }
  const [dot, doh, grpc] = [await findFreePort(), await findFreePort(), await findFreePort()];
  const block = (key) => `${key} {\n    bind 127.0.0.1\n    tls {dir}/cert.pem {dir}/key.pem\n    ${HOSTS}\n}\n`;
  const plain = `.:{port} {\n    bind 127.0.0.1\n    ${HOSTS}\n}\n`;
  const files = await makeCertificate();
  const corefile = plain + block(`tls://.:${dot}`) + block(`https://.:${doh}`) + block(`grpc://.:${grpc}`);
  const server = await startServer(corefile, { ask: ['a.test.', 'A'], files });
  try {
    for (const [name, port, protocols] of [
      ['TLS', dot, ['dot']],
      ['HTTPS', doh, ['h2', 'http/1.1']],
      ['gRPC', grpc, ['h2']],
    ]) {
      await checks.check(`garbage before and after the handshake of ${name}: the server goes on`, async () => {
        await throwRandom(port, false);
        await throwRandom(port, true, protocols);
        for (const text of HTTP_GARBAGE) await throwAt(port, Buffer.from(text, 'latin1'), { secure: true, protocols });
        await expectAnswer(server, 'afterwards');
        expectEqual(await readMetric(server, 'coredns_panics_total'), 0, 'panics');
        expectNoFault(server);
      });
    }
  } finally {
    await stopServer(server);
  }
}

async function makeCertificate() {
  const dir = makeFolder('certificate');
  const [key, cert] = [path.join(dir, 'key.pem'), path.join(dir, 'cert.pem')];
  const words = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '30'];
  await runProgram('openssl', [...words, '-subj', '/CN=a.test', '-keyout', key, '-out', cert]);
  return { 'key.pem': fs.readFileSync(key, 'utf8'), 'cert.pem': fs.readFileSync(cert, 'utf8') };
}

/** Faults that a bug anywhere in the program would be, put in from outside: a module that Node loads before the program. */
const FAULTS = `
import { isMainThread } from 'node:worker_threads';
import fs from 'node:fs';
const read = () => {
  try {
    return fs.readFileSync(process.env.FAULT_FILE, 'utf8');
  } catch {
    return '';
  }
};
// A replacement finds the order that ended its predecessor.
let done = read();
setInterval(() => {
  const wanted = read();
  if (wanted === done) return;
  done = wanted;
  const [thread, how] = wanted.split(' ');
  if ((thread === 'control') !== isMainThread) return;
  if (how === 'throw') throw new Error('thrown by the test');
  if (how === 'reject') void Promise.reject(new Error('rejected by the test'));
}, 50).unref();
`;

async function checkFaults(checks) {
  const dir = makeFolder('faults');
  const file = path.join(dir, 'fault');
  fs.writeFileSync(path.join(dir, 'faults.mjs'), FAULTS);
  const env = { FAULT_FILE: file, NODE_OPTIONS: `--import ${path.join(dir, 'faults.mjs')}`, CLUSTERDNS_WORKERS: '2' };
  const server = await startServer(`.:{port} {\n    bind 127.0.0.1\n    ${HOSTS}\n}\n`, { ask: ['a.test.', 'A'], env });
  const inflict = (what) => {
    fs.writeFileSync(`${file}.new`, what);
    fs.renameSync(`${file}.new`, file);
  };
  const metric = async (name, wanted) =>
    waitFor(`${name} ${wanted}`, async () => (await readMetric(server, name)) === wanted, 20_000);
  try {
    // Sockets answer a little earlier than the start is over; a fault in between ends the process as a failed start does.
    await waitFor('the end of the start', () => server.program.output.includes('clusterdns-'));
    for (const [count, how] of ['throw', 'reject'].entries()) {
      await checks.check(`the control thread, ${how}: logged, counted, and everything goes on`, async () => {
        inflict(`control ${how}`);
        await metric('coredns_panics_total', count + 1);
        expect(
          /Recovered from panic in the control thread: Error: (thrown|rejected) by the test/.test(
            server.program.output,
          ),
          server.program.output,
        );
        await expectAnswer(server, 'afterwards');
      });
    }
    await checks.check('the configuration can still be changed', async () => {
      server.writeCorefile(`.:{port} {\n    bind 127.0.0.1\n    ${HOSTS.replace('192.0.2.1', '192.0.2.2')}\n}\n`);
      server.program.signal('SIGUSR1');
      const changed = async () =>
        (await server.client.ask('a.test.', 'A', { timeoutMs: 500 }))?.data.join() === '192.0.2.2';
      await waitFor('the new configuration', changed, 20_000);
    });
    for (const how of ['throw', 'reject']) {
      await checks.check(`the workers, ${how}: logged, counted, replaced`, async () => {
        const before = await readMetric(server, 'clusterdns_workers_replaced_total');
        inflict(`worker ${how}`);
        const replaced = async () => (await readMetric(server, 'clusterdns_workers_replaced_total')) >= before + 2;
        await waitFor('two more workers replaced', replaced, 20_000);
        const answers = async () => (await server.client.ask('a.test.', 'A', { timeoutMs: 500 }))?.rcode === 'NOERROR';
        await waitFor('an answer', answers, 20_000);
        expect(
          /worker \d ended: Error: (thrown|rejected) by the test/.test(server.program.output),
          server.program.output,
        );
      });
    }
  } finally {
    await stopServer(server);
  }
}
