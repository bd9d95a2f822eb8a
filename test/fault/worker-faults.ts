// One fault of one of two workers, with the product's pool, threads and sockets, and what the clients saw of it:
//
//   node test/fault/worker-faults.ts stall|throw|exit|native|flood auto|dgram      one line of JSON
//
// A program of its own: while a process forks, the child holds a copy of every socket, closed ones too.
import dgram from 'node:dgram';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import { systemClock } from '../../lib/base/clock.ts';
import { createLogger } from '../../lib/base/log.ts';
import { WorkerPool } from '../../lib/control/pool.ts';
import { seizeSockets } from '../../lib/control/stuck-sockets.ts';
import { readSchedule } from '../../lib/control/thread-schedule.ts';
import { spawnWorker } from '../../lib/control/worker-thread.ts';
import { HEARTBEAT } from '../../lib/link/messages.ts';
import type { Plan } from '../../lib/link/plan.ts';
import { allRows, createCellMemory, sumCell } from '../../lib/metrics/cells.ts';
import { KERNEL_DROPS_CELL } from '../../lib/metrics/registry.ts';
import { createStoreMemory } from '../../lib/store/layout.ts';
import { encodeQuery } from '../unit/wire-text.ts';

const WORKERS = 2;
const CLIENTS = 40;
/** Every client asks ten times a second. */
const TICK_MS = 5;
const ASKING_PER_TICK = 2;
const QUIET_MS = 500;
const TCP_QUERIES = 8;
/** More than any receive buffer takes. */
const FLOOD = 20_000;
const FLOOD_BYTES = 500;

/** What one client sent that has no answer yet, and who answered it. */
class Client {
  readonly socket: dgram.Socket = dgram.createSocket('udp4');
  /** Thread that answered last, undefined before the first answer. */
  thread: number | undefined;
  answeredMs = 0;
  asked = 0;
  /** By id: when it was sent. */
  readonly pending = new Map<number, number>();

  async open(port: number): Promise<void> {
    this.socket.bind(0, '127.0.0.1');
    await once(this.socket, 'listening');
    this.socket.connect(port, '127.0.0.1');
    await once(this.socket, 'connect');
    // Nobody may be there for a moment: then the answer is missing, which is counted.
    this.socket.on('error', () => undefined);
    this.socket.on('message', (reply) => {
      this.pending.delete(reply.readUInt16BE(0));
      this.thread = reply.readUInt16BE(reply.length - 2);
      this.answeredMs = performance.now();
    });
  }

  ask(): void {
    const id = this.asked++ & 0xffff;
    this.pending.set(id, performance.now());
    this.socket.send(encodeQuery({ name: 'who.test.', id }));
  }

  send(name: string): void {
    this.socket.send(encodeQuery({ name, id: 0xffff }));
  }
}

function makePlan(port: number): Plan {
  return {
    generation: 1,
    debug: false,
    blocks: [{ zones: ['.'], view: '', servers: ['dns://'], chain: [{ plugin: 'faulty', options: {} }] }],
    listeners: [
      {
        scheme: 'dns',
        address: '127.0.0.1',
        port,
        zones: [{ zone: '.', blocks: [{ block: 0, server: 0 }] }],
        anyClass: false,
        readTimeoutMs: 5000,
        writeTimeoutMs: 5000,
        idleTimeoutMs: 5000,
        maxQueriesPerConnection: -1,
      },
    ],
  };
}

const [fault = 'stall', udp = 'auto'] = process.argv.slice(2);
const cells = createCellMemory(WORKERS);
const lines: string[] = [];

/** Two workers that answer on a port. */
async function startPool(): Promise<{ readonly pool: WorkerPool; readonly port: number }> {
  const heartbeat = new SharedArrayBuffer(WORKERS * HEARTBEAT.WORDS * Int32Array.BYTES_PER_ELEMENT);
  const store = createStoreMemory();
  const mode = udp === 'dgram' ? 'dgram' : 'auto';
  const pool = new WorkerPool({
    workers: WORKERS,
    heartbeat,
    clock: systemClock,
    log: createLogger({ sink: (line) => void lines.push(line.trim().split('\n', 1)[0]!) }),
    spawn: (worker) =>
      spawnWorker({ worker, store, cells, heartbeat, udp: mode }, new URL('faulty-worker.ts', import.meta.url)),
    seizeSockets,
    readSchedule,
    onLost: () => undefined,
    onFatal: () => undefined,
    onNotified: () => undefined,
  });
  pool.start();
  for (let attempt = 0; ; attempt++) {
    const port = await findPort();
    try {
      await pool.prepare(makePlan(port));
      await pool.activate(makePlan(port));
      return { pool, port };
    } catch (error) {
      // Somebody else has taken the port in between.
      if (attempt === 5) throw error;
    }
  }
}

async function findPort(): Promise<number> {
  const socket = dgram.createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  await once(socket, 'close');
  return port;
}

/** Looks again and again; the one who started this program sets the limit. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => void setTimeout(resolve, 5));
}

/** UDP sockets of this port that the kernel knows. */
function countSockets(port: number): number {
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const table = fs.readFileSync('/proc/self/net/udp', 'latin1').trim().split('\n').slice(1);
  // A client's socket has the port as its remote one.
  return table.filter((line) => line.trim().split(/\s+/)[1]!.endsWith(local)).length;
}

async function askTcp(port: number): Promise<void> {
  const socket = net.connect(port, '127.0.0.1');
  const query = encodeQuery({ name: 'who.test.' });
  socket.write(Buffer.concat([Buffer.of(0, query.length), query]));
  await once(socket, 'data');
  socket.destroy();
}

const { pool, port } = await startPool();
const clients = Array.from({ length: CLIENTS }, () => new Client());
for (const client of clients) await client.open(port);
let next = 0;
const ticker = setInterval(() => {
  for (let i = 0; i < ASKING_PER_TICK; i++) clients[next++ % CLIENTS]!.ask();
}, TICK_MS);
await until(() => clients.every(({ thread }) => thread !== undefined));
const before = new Map(clients.map((client) => [client, client.thread]));
const threads = new Set(before.values());
const victim = clients[0]!;
const startMs = performance.now();

function describe(more: Record<string, unknown>): void {
  process.stdout.write(`${JSON.stringify({ fault, udp, threads: threads.size, ...more, lines })}\n`);
}

if (fault === 'flood') {
  victim.send('busy.test.');
  const noise = Buffer.alloc(FLOOD_BYTES);
  for (let i = 0; i < FLOOD; i++) victim.socket.send(noise);
  const drops = (): number => sumCell(allRows(cells), KERNEL_DROPS_CELL);
  await until(() => drops() > 0);
  clearInterval(ticker);
  describe({ replaced: pool.replaced, drops: drops() });
} else {
  victim.send(`${fault}.test.`);
  const others = clients.filter((client) => before.get(client) !== victim.thread);
  const served = clients.filter((client) => before.get(client) === victim.thread);
  // A client's pending queries tell who has an answer: the first one after the fault.
  await until(() => pool.replaced > 0);
  const noticedMs = performance.now();
  await until(() => clients.some(({ thread }) => !threads.has(thread)));
  const replacedMs = performance.now();
  await until(() => clients.every(({ answeredMs }) => answeredMs > replacedMs));
  const sockets = countSockets(port);
  const lastMs = performance.now();
  await until(() => performance.now() > lastMs + QUIET_MS);
  clearInterval(ticker);
  const stoppedMs = performance.now();
  const unanswered = (some: readonly Client[], sinceMs: number): number =>
    some.reduce((sum, { pending }) => sum + [...pending.values()].filter((sentMs) => sentMs >= sinceMs).length, 0);
  // The last ones are still on their way.
  await until(() => unanswered(clients, replacedMs) === 0 || performance.now() > stoppedMs + 2000);
  await Promise.all(Array.from({ length: TCP_QUERIES }, () => askTcp(port)));
  const lostMs = served.flatMap(({ pending }) => [...pending.values()]);
  describe({
    replaced: pool.replaced,
    noticedMs: Math.round(noticedMs - startMs),
    replacedMs: Math.round(replacedMs - startMs),
    silentMs: Math.round(Math.max(startMs, ...lostMs) - startMs),
    sockets,
    asked: clients.reduce((sum, { asked }) => sum + asked, 0),
    askedByOthers: others.reduce((sum, { asked }) => sum + asked, 0),
    lostByOthers: unanswered(others, 0),
    lostByServed: unanswered(served, 0),
    lostAfter: unanswered(clients, replacedMs),
  });
}
for (const { socket } of clients) socket.close();
await pool.stop(1000);
process.exit(0);
