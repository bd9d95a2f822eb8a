// Chooses how UDP is read: recvmmsg/sendmmsg where they prove themselves, else node:dgram. Worker.
import dgram from 'node:dgram';
import { type Libc, loadLibc } from './libc.ts';
import type { BatchHandler, UdpBatch, UdpOptions } from './udp-batch.ts';
import { openDgram } from './udp-dgram.ts';
import { openMmsg } from './udp-mmsg.ts';

/** Forces one of the two: `CLUSTERDNS_UDP=dgram` or `CLUSTERDNS_UDP=mmsg`. */
export const UDP_VARIABLE = 'CLUSTERDNS_UDP';

/** Which way is taken in this thread and why, for one line of the log. */
export type UdpChoice = { readonly kind: 'mmsg' | 'dgram'; readonly reason: string };

/** Long, for a node that has just started is busy; only a system that loses the packet waits as long. */
const SELF_TEST_MS = 3000;
/** Turns of the event loop after that: on a busy machine the timer may come before the packet that waits in the socket. */
const LAST_TURNS = 4;
let choice: Promise<UdpChoice> | undefined;
let settled: UdpChoice | undefined;

/** The same for the whole life of a thread; the first call tries recvmmsg out on the loopback interface. */
export function chooseUdp(): Promise<UdpChoice> {
  choice ??= decide(process.env[UDP_VARIABLE] ?? '').then((found) => {
    settled = found;
    return found;
  });
  return choice;
}

/** The calls when recvmmsg was chosen; undefined when dgram was, or nothing has been chosen yet. */
export function chosenLibc(): Libc | undefined {
  const libc = settled?.kind === 'mmsg' ? loadLibc() : undefined;
  return typeof libc === 'string' ? undefined : libc;
}

async function decide(forced: string): Promise<UdpChoice> {
  if (forced === 'dgram' || forced === 'mmsg') return { kind: forced, reason: `${UDP_VARIABLE}=${forced}` };
  const libc = loadLibc();
  if (typeof libc === 'string') return { kind: 'dgram', reason: libc };
  const failure = (await testMmsg(libc, '127.0.0.1')) && (await testMmsg(libc, '::1'));
  if (failure) return { kind: 'dgram', reason: `recvmmsg self-test: ${failure}` };
  return { kind: 'mmsg', reason: 'recvmmsg self-test passed' };
}

/**
 * Opens a UDP listener the chosen way.
 *
 * @throws Error with `code` (`EADDRINUSE`, `EACCES`, `EADDRNOTAVAIL`, ...), as a rejection
 */
export async function openUdp(options: UdpOptions, handler: BatchHandler): Promise<UdpBatch> {
  const { kind } = await chooseUdp();
  if (kind === 'dgram') return openDgram(options, handler);
  const libc = loadLibc();
  if (typeof libc === 'string') throw new Error(libc);
  return openMmsg(libc, options, handler);
}

/** One packet to a listener of its own and back. Resolves to what went wrong, '' when nothing did. */
async function testMmsg(libc: Libc, address: string): Promise<string> {
  const family = address.includes(':') ? 6 : 4;
  // Without reusePort: with it, the kernel may pick the port of another worker's test.
  const options = { address, port: 0, family, reusePort: false, receiveBufferBytes: 65536, batchSize: 4 } as const;
  const client = dgram.createSocket(family === 4 ? 'udp4' : 'udp6');
  let server: UdpBatch | undefined;
  try {
    server = openMmsg(libc, options, {
      begin: () => undefined,
      packet(rx, rxAt, rxLength, tx, txAt) {
        for (let i = 0; i < rxLength; i++) tx[txAt + i] = rx[rxAt + i]! ^ 0xff;
        return rxLength;
      },
      end: () => undefined,
    });
    const { port } = server;
    return await new Promise((resolve) => {
      const timer = setTimeout(() => giveUp(LAST_TURNS), SELF_TEST_MS);
      const giveUp = (turns: number): void => {
        if (turns === 0) resolve('no reply');
        else setImmediate(giveUp, turns - 1);
      };
      const finish = (text: string): void => {
        clearTimeout(timer);
        resolve(text);
      };
      client.on('error', (error) => finish(error.message));
      client.on('message', (reply) => finish(reply.equals(PROBE_REPLY) ? '' : 'wrong reply'));
      client.send(PROBE, port, address);
    });
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    server?.close();
    client.close();
  }
}

const PROBE: Uint8Array = Uint8Array.of(1, 2, 3, 250);
const PROBE_REPLY: Uint8Array = PROBE.map((byte) => byte ^ 0xff);
