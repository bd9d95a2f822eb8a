// 20,000 malformed packets over UDP and TCP: the server lives, answers in between, and its memory stays flat.
import dgram from 'node:dgram';
import net from 'node:net';
import { startUpstream } from '../conformance/stub-upstream.mjs';
import { decodeMessage } from '../conformance/dnswire.mjs';
import { expect, expectEqual } from './checks.mjs';
import { buildQuery } from './dns-client.mjs';
import { DEMO_VIEW, kubeadmCorefile, startServer, stopServer } from './server.mjs';
import { sleep } from './programs.mjs';

const UDP_PACKETS = 18_000;
const TCP_MESSAGES = 2_000;
const PACKETS_BETWEEN_QUESTIONS = 100;
const MESSAGES_A_CONNECTION = 20;
const FLAT_KIB = 10 * 1024;
const SEED = 20_261_122;

const QUESTIONS = [
  ['web.shop.svc.cluster.local.', 'A'],
  ['web.shop.svc.cluster.local.', 'AAAA'],
  ['_postgres._tcp.db.shop.svc.cluster.local.', 'SRV'],
  ['workers.shop.svc.cluster.local.', 'A'],
  ['17.0.96.10.in-addr.arpa.', 'PTR'],
  ['cluster.local.', 'SOA'],
  ['host1.example.com.', 'A'],
];

function makeRandom(seed) {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

const MUTATIONS = [
  // Bits turned over.
  (packet, random) => {
    for (let n = random(8) + 1; n > 0; n--) packet[random(packet.length)] ^= 1 << random(8);
    return packet;
  },
  // Cut off.
  (packet, random) => packet.subarray(0, random(packet.length)),
  // Something behind the end.
  (packet, random) => Buffer.concat([packet, randomBytes(random(300), random)]),
  // Counts that promise more than there is.
  (packet, random) => {
    packet.writeUInt16BE(random(65_536), 4 + 2 * random(4));
    return packet;
  },
  // Compression pointers and long labels in the name.
  (packet, random) => {
    const at = 12 + random(packet.length - 13);
    packet[at] = 0xc0 | random(64);
    packet[at + 1] = random(256);
    return packet;
  },
  (packet, random) => {
    packet[12 + random(packet.length - 12)] = random(256);
    return packet;
  },
  // Noise behind a header, and nothing but noise.
  (packet, random) => Buffer.concat([packet.subarray(0, 12), randomBytes(random(500), random)]),
  (_packet, random) => randomBytes(random(600), random),
  // Two messages in one.
  (packet) => Buffer.concat([packet, packet]),
];

function randomBytes(length, random) {
  return Buffer.from({ length }, () => random(256));
}

function makeMalformed(random) {
  const [name, type] = QUESTIONS[random(QUESTIONS.length)];
  const packet = buildQuery(random(65_536), name, type, random(2) === 0 ? {} : { udpSize: random(65_536) });
  return MUTATIONS[random(MUTATIONS.length)](packet, random);
}

export async function run(checks) {
  checks.area('malformed');
  const upstream = await startUpstream({ any: ['60 A 192.0.2.1'] });
  const server = await startServer(kubeadmCorefile(DEMO_VIEW, upstream.addr), {
    ask: ['kubernetes.default.svc.cluster.local.', 'A'],
  });
  try {
    await checkUdp(checks, server);
    await checkTcp(checks, server);
    await checks.check('it still runs and answers every kind of question', async () => {
      expect(server.program.ended === undefined, `ended: ${JSON.stringify(server.program.ended)}`);
      for (const [name, type] of QUESTIONS) {
        const reply = await server.client.ask(name, type);
        expectEqual([reply?.rcode, (reply?.data.length ?? 0) > 0], ['NOERROR', true], `${name} ${type}`);
      }
      expect(!/recovered|panic|TypeError|RangeError/i.test(server.program.output), server.program.output.slice(-1500));
    });
  } finally {
    await stopServer(server);
    await upstream.close();
  }
}

async function checkUdp(checks, server) {
  const random = makeRandom(SEED);
  const replies = { count: 0, bad: [] };
  const sockets = Array.from({ length: 4 }, () => dgram.createSocket('udp4').on('message', readAny));
  function readAny(bytes) {
    replies.count++;
    try {
      const message = decodeMessage(bytes);
      if (!message.qr) replies.bad.push(`a query came back: ${bytes.toString('hex')}`);
    } catch (error) {
      // A question that cannot be read goes back as a bare header.
      if (bytes.length !== 12) replies.bad.push(`${error.message}: ${bytes.toString('hex')}`);
    }
  }
  const rss = [];
  await checks.check(
    `${UDP_PACKETS} malformed packets over UDP, a right answer after every ${PACKETS_BETWEEN_QUESTIONS}`,
    async () => {
      for (let n = 1; n <= UDP_PACKETS; n++) {
        sockets[n % sockets.length].send(makeMalformed(random), server.port, '127.0.0.1');
        if (n % PACKETS_BETWEEN_QUESTIONS === 0) await expectAnswer(server, n);
        if (n % (UDP_PACKETS / 6) === 0) rss.push(server.program.rssKib());
      }
      return `${replies.count} replies`;
    },
  );
  await checks.check('every reply is a well-formed response', () =>
    expect(replies.bad.length === 0, `${replies.bad.length}: ${replies.bad.slice(0, 3).join('\n')}`),
  );
  await checks.check(`memory is flat within ${FLAT_KIB / 1024} MiB`, () => {
    const grown = rss.at(-1) - rss[1];
    expect(grown < FLAT_KIB, `grew by ${grown} KiB: ${rss.join(' ')}`);
    return rss.map((kib) => `${Math.round(kib / 1024)}`).join(' ') + ' MiB';
  });
  for (const socket of sockets) socket.close();
}

async function expectAnswer(server, n) {
  for (let attempt = 0; attempt < 3; attempt++) {
    const reply = await server.client.ask('web.shop.svc.cluster.local.', 'A', { timeoutMs: 1000 });
    if (reply !== undefined) return expectEqual(reply.data, ['10.96.0.17'], `answer after ${n} packets`);
  }
  throw new Error(
    `no answer after ${n} packets; ${JSON.stringify(server.program.ended)} ${server.program.output.slice(-1000)}`,
  );
}

async function checkTcp(checks, server) {
  const random = makeRandom(SEED + 1);
  await checks.check(`${TCP_MESSAGES} malformed messages over TCP, a right answer after every connection`, async () => {
    const before = server.program.rssKib();
    for (let n = 0; n < TCP_MESSAGES; n += MESSAGES_A_CONNECTION) {
      await sendStream(server.port, random);
      const reply = await server.client.ask('web.shop.svc.cluster.local.', 'A', { tcp: true });
      expectEqual(reply?.data, ['10.96.0.17'], `answer after ${n} messages`);
    }
    const grown = server.program.rssKib() - before;
    expect(grown < FLAT_KIB, `memory grew by ${grown} KiB`);
    return `memory ${Math.round(grown / 1024)} MiB`;
  });
}

/** One connection with malformed messages; one length in eight lies. */
async function sendStream(port, random) {
  const socket = net.connect(port, '127.0.0.1');
  socket.on('error', () => {});
  socket.resume();
  for (let n = 0; n < MESSAGES_A_CONNECTION; n++) {
    const message = makeMalformed(random);
    const length = Buffer.alloc(2);
    length.writeUInt16BE(random(8) === 0 ? random(65_536) : message.length);
    socket.write(Buffer.concat([length, message]));
  }
  await sleep(5);
  if (random(2) === 0) socket.end();
  else socket.resetAndDestroy();
}
