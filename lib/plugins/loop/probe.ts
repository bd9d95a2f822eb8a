// Sends the probe of `loop` to this server itself until one exchange succeeds. Control thread.
import dgram from 'node:dgram';
import { randomInt } from 'node:crypto';
import type { Clock } from '../../base/clock.ts';
import { splitHostPort } from '../../base/ip-address.ts';
import { parseName } from '../../wire/name.ts';
import { CLASS, RRTYPE } from '../../wire/types.ts';
import { drawLabel } from './setup.ts';

const TRY_FOR_MS = 30_000;
const RETRY_MS = 1000;
const EXCHANGE_TIMEOUT_MS = 2000;

export type LoopProbe = {
  /** End of the name to ask for, absolute. */
  readonly probe: string;
  /** `host:port`; an empty host is this machine. */
  readonly address: string;
};

/** Asks once over UDP; false when no reply came in time. Replaced in tests. */
export type AskOnce = (message: Uint8Array, host: string, port: number, timeoutMs: number) => Promise<boolean>;

/**
 * Asks for HINFO of a fresh name below `probe` each second, for 30 seconds or until any reply comes. Whether the question
 * comes back more than twice is the handler's to see.
 *
 * @param signal ends it early: reload or shutdown
 * @returns whether a reply came
 */
export async function runLoopProbe(
  { probe, address }: LoopProbe,
  clock: Clock,
  signal: AbortSignal,
  ask: AskOnce = askOnce,
): Promise<boolean> {
  const target = splitHostPort(address);
  if (target === undefined) return false;
  const deadlineMs = clock.monotonicMs() + TRY_FOR_MS;
  while (!signal.aborted && clock.monotonicMs() < deadlineMs) {
    const message = writeHinfoQuery(`${drawLabel()}.${probe}`);
    if (message === undefined) return false;
    if (await ask(message, target.host === '' ? '127.0.0.1' : target.host, Number(target.port), EXCHANGE_TIMEOUT_MS)) {
      return true;
    }
    await pause(clock, signal);
  }
  return false;
}

/** Undefined when the zone leaves no room for the random labels. */
function writeHinfoQuery(name: string): Uint8Array | undefined {
  const wire = parseName(name);
  if (wire === undefined) return undefined;
  const message = new Uint8Array(12 + wire.length + 4);
  const id = randomInt(0x10000);
  message[0] = id >>> 8;
  message[1] = id & 255;
  message[2] = 1; // RD
  message[5] = 1; // QDCOUNT
  message.set(wire, 12);
  message[12 + wire.length + 1] = RRTYPE.HINFO;
  message[12 + wire.length + 3] = CLASS.IN;
  return message;
}

function pause(clock: Clock, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.after(RETRY_MS, resolve);
    signal.addEventListener(
      'abort',
      () => {
        cancel();
        resolve();
      },
      { once: true },
    );
  });
}

function askOnce(message: Uint8Array, host: string, port: number, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = dgram.createSocket(host.includes(':') ? 'udp6' : 'udp4');
    const end = (answered: boolean): void => {
      clearTimeout(timer);
      socket.close();
      resolve(answered);
    };
    const timer = setTimeout(end, timeoutMs, false);
    timer.unref();
    socket.unref();
    socket.once('error', () => end(false));
    socket.once('message', (reply) => {
      if (reply.length >= 12 && reply[0] === message[0] && reply[1] === message[1]) end(true);
    });
    socket.connect(port, host, () => socket.send(message));
  });
}
