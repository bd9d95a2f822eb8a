// Asks for the same names at a fixed rate until told to stop, and notes every answer that is not the known one. Worker of a
// test program, so that what the main thread does delays nobody.
import { parentPort, workerData } from 'node:worker_threads';
import { DnsClient } from '../scenario/dns-client.mjs';

/** names: [name, type, allowed answers as sorted rdata joined by a comma, or a response code]. */
const { port, names, perSecond } = workerData;
const TICK_MS = 4;
const client = new DnsClient(port);
const tookMs = [];
const wrong = [];
let sent = 0;
let underWay = 0;

async function ask([name, type, allowed]) {
  underWay++;
  const startMs = performance.now();
  const reply = await client.ask(name, type, { udpSize: 1232, timeoutMs: 2000 });
  tookMs.push(performance.now() - startMs);
  const seen = reply === undefined ? 'no answer' : reply.data.join() || reply.rcode;
  if (!allowed.includes(seen)) wrong.push(`${name}: ${seen}`);
  underWay--;
}

const startMs = performance.now();
const timer = setInterval(() => {
  const due = ((performance.now() - startMs) / 1000) * perSecond;
  // A thread that was held up does not catch up with a burst.
  for (let burst = 0; sent < due && burst < 20; burst++) void ask(names[sent++ % names.length]);
  if (sent < due) sent = Math.floor(due);
}, TICK_MS);

parentPort.on('message', () => {
  clearInterval(timer);
  const poll = setInterval(() => {
    if (underWay > 0) return;
    clearInterval(poll);
    client.close();
    tookMs.sort((a, b) => a - b);
    const at = (share) => Math.round((tookMs[Math.floor(tookMs.length * share)] ?? 0) * 10) / 10;
    parentPort.postMessage({ asked: tookMs.length, wrong, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(0.9999) });
    parentPort.close();
  }, 10);
});
