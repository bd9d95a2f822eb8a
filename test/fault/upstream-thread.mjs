// A nameserver that behaves as told, in a thread of its own so that load does not disturb the measurement. Worker of a test program.
//
// Behaviour: {delayMs, silent, rcode, address, forge, relayTo}. An A question gets `address`. `forge`: what is sent before the right
// reply: 'id', 'question', 'garbage', 'short', 'query'; `relayTo`: {address, port} to send everything to, as a stub resolver would.
import dgram from 'node:dgram';
import { parentPort, workerData } from 'node:worker_threads';

const { address, counters } = workerData;
const counts = new Int32Array(counters);
const COUNT = { RECEIVED: 0, PORTS: 1 };
let { behaviour } = workerData;
const socket = dgram.createSocket({ type: 'udp4', recvBufferSize: 1 << 22 });
const ports = new Set();
const ids = [];
const delayed = [];

socket.on('message', (bytes, from) => {
  Atomics.add(counts, COUNT.RECEIVED, 1);
  if (behaviour.watchPorts) {
    ports.add(from.port);
    ids.push(bytes.readUInt16BE(0));
    counts[COUNT.PORTS] = ports.size;
  }
  if (behaviour.silent) return;
  if (behaviour.relayTo) return relay(bytes, from);
  if (behaviour.delayMs) delayed.push({ bytes, from, atMs: performance.now() + behaviour.delayMs });
  else reply(bytes, from);
  return undefined;
});

// One timer for all delayed replies: a timer each would be most of the work.
setInterval(() => {
  const nowMs = performance.now();
  let due = 0;
  while (due < delayed.length && delayed[due].atMs <= nowMs) due++;
  for (const { bytes, from } of delayed.splice(0, due)) reply(bytes, from);
}, 5).unref();

function relay(bytes, from) {
  const onward = dgram.createSocket('udp4');
  const end = () => onward.close();
  const timer = setTimeout(end, 3000);
  onward.on('message', (back) => {
    clearTimeout(timer);
    socket.send(back, from.port, from.address);
    end();
  });
  onward.on('error', () => {});
  onward.bind(0, address, () => onward.send(bytes, behaviour.relayTo.port, behaviour.relayTo.address));
}

function reply(query, from) {
  const send = (bytes) => socket.send(bytes, from.port, from.address, ignore);
  const right = makeReply(query);
  for (const forgery of behaviour.forge ?? []) send(forge(forgery, right));
  send(right);
}

const ignore = () => {};

function makeReply(query) {
  let end = 12;
  while (query[end] !== 0) end += query[end] + 1;
  end += 5;
  const isA = query.readUInt16BE(end - 4) === 1;
  const hasAnswer = isA && !behaviour.rcode;
  const bytes = Buffer.alloc(end + (hasAnswer ? 16 : 0));
  query.copy(bytes, 0, 0, end);
  bytes[2] = 0x80 | (query[2] & 1);
  bytes[3] = 0x80 | (behaviour.rcode ?? 0);
  bytes.writeUInt16BE(hasAnswer ? 1 : 0, 6);
  bytes.writeUInt32BE(0, 8);
  if (!hasAnswer) return bytes;
  bytes.set([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, behaviour.ttl ?? 5, 0, 4], end);
  bytes.set((behaviour.address ?? address).split('.').map(Number), end + 12);
  return bytes;
}

function forge(kind, right) {
  const bytes = Buffer.from(right);
  if (bytes.length > 16) bytes.set([6, 6, 6, 6], bytes.length - 4);
  if (kind === 'id') bytes.writeUInt16BE(bytes.readUInt16BE(0) ^ 0x5a5a, 0);
  else if (kind === 'question') bytes[13] ^= 1;
  else if (kind === 'garbage') for (let i = 2; i < bytes.length; i++) bytes[i] = (i * 37) & 255;
  else if (kind === 'short') return bytes.subarray(0, 7);
  else if (kind === 'query') bytes[2] &= 0x7f;
  return bytes;
}

parentPort.on('message', (message) => {
  if (message.behaviour) behaviour = message.behaviour;
  if (message.report) parentPort.postMessage({ ids: ids.splice(0), ports: [...ports] });
  if (message.close) socket.close(() => parentPort.close());
});
socket.bind(workerData.port, address, () => parentPort.postMessage({ port: socket.address().port }));
