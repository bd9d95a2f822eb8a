// Sends queries at a fixed rate from one address and says what came back. Worker of a test program.
import dgram from 'node:dgram';
import { parentPort, workerData } from 'node:worker_threads';
import { buildQuery } from '../scenario/dns-client.mjs';

/** names: list to go through, or one with {n} that makes each query different; from: an address or several, used in turn;
 *  sockets: source ports. */
const { address, port, from, names, perSecond, seconds, timeoutMs = 6000, ednsSize = 1232 } = workerData;
const addresses = [from].flat();
const { sockets = addresses.length } = workerData;
const TICK_MS = 5;
const results = { sent: 0, rcodes: {}, rights: 0, lateMs: [], lost: 0, withEde: 0 };
const waiting = new Map();
const open = [];
let counter = Math.floor(Math.random() * 1e9);

for (let i = 0; i < sockets; i++) {
  const socket = dgram.createSocket({ type: 'udp4', recvBufferSize: 1 << 22 });
  socket.on('message', (bytes) => hear(i, bytes));
  await new Promise((resolve) => socket.bind(0, addresses[i % addresses.length], resolve));
  open.push(socket);
}

function hear(index, bytes) {
  const key = index * 65_536 + bytes.readUInt16BE(0);
  const startMs = waiting.get(key);
  if (startMs === undefined) return;
  waiting.delete(key);
  results.lateMs.push(performance.now() - startMs);
  const rcode = bytes[3] & 15;
  results.rcodes[rcode] = (results.rcodes[rcode] ?? 0) + 1;
  if (rcode === 0 && bytes.readUInt16BE(6) > 0) results.rights++;
  // An extended error is option 15 of the OPT record, which stands last.
  if (bytes.includes(Buffer.from([0, 15]), 12)) results.withEde++;
}

/** Queries as bytes; `{n}` stands as eight letters that are different each time. */
const templates = names.map((name) => {
  const bytes = buildQuery(0, name.replace('{n}', 'nnnnnnnn'), 'A', { udpSize: ednsSize });
  return { bytes, at: name.includes('{n}') ? bytes.indexOf('nnnnnnnn') : -1 };
});

function writeLetters(into, number) {
  for (let i = 0, rest = number; i < into.length; i++, rest = Math.floor(rest / 26)) into[i] = 0x61 + (rest % 26);
}

function send() {
  const index = counter % sockets;
  const id = Math.floor(counter / sockets) & 0xffff;
  const { bytes: template, at } = templates[counter % templates.length];
  const bytes = Buffer.from(template);
  bytes.writeUInt16BE(id, 0);
  if (at !== -1) writeLetters(bytes.subarray(at, at + 8), counter);
  counter++;
  waiting.set(index * 65_536 + id, performance.now());
  results.sent++;
  open[index].send(bytes, port, address, ignore);
}

const ignore = () => {};
const startMs = performance.now();
const timer = setInterval(() => {
  const dueMs = Math.min(performance.now() - startMs, seconds * 1000);
  while (results.sent < (dueMs / 1000) * perSecond) send();
  if (dueMs < seconds * 1000) return;
  clearInterval(timer);
  finish();
}, TICK_MS);

function finish() {
  const endMs = performance.now() + timeoutMs;
  const poll = setInterval(() => {
    if (waiting.size > 0 && performance.now() < endMs) return;
    clearInterval(poll);
    results.lost = waiting.size;
    results.lateMs.sort((a, b) => a - b);
    const at = (share) => Math.round(results.lateMs[Math.floor(results.lateMs.length * share)] ?? 0);
    const { lateMs, ...rest } = results;
    parentPort.postMessage({ ...rest, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: Math.round(lateMs.at(-1) ?? 0) });
    for (const socket of open) socket.close();
  }, 20);
}
