// One server on every kind of listener, as a worker opens them, and a way to ask each. For tests of what must hold on all.
import dgram from 'node:dgram';
import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';
import type { ExecutionContext } from 'ava';
import { ManualClock } from '../../../lib/base/clock.ts';
import type { Handler } from '../../../lib/chain/plugin.ts';
import type { Router } from '../../../lib/chain/router.ts';
import type { TsigVerifier } from '../../../lib/chain/tsig.ts';
import { TRANSPORT } from '../../../lib/chain/query.ts';
import { openGrpc } from '../../../lib/io/grpc.ts';
import { openHttps } from '../../../lib/io/https.ts';
import { openTcp } from '../../../lib/io/tcp.ts';
import { openUdp } from '../../../lib/io/udp.ts';
import { createStoreMemory } from '../../../lib/store/layout.ts';
import { StoreReader } from '../../../lib/store/reader.ts';
import { SocketHandler } from '../../../lib/worker/listener-sockets.ts';
import { PacketLoop } from '../../../lib/worker/loop.ts';
import { createCertificate } from '../io/certificate.ts';
import { askHttp1, askHttp2, connectHttp2 } from '../io/http-clients.ts';

const { cert, key } = createCertificate('dns.test');
const MEDIA = { 'content-type': 'application/dns-message' };
const GRPC = {
  method: 'POST',
  path: '/coredns.dns.DnsService/Query',
  headers: { 'content-type': 'application/grpc', te: 'trailers' },
};

/** How a listener is asked; undefined when the reply is no DNS message. */
type Ask = (t: ExecutionContext, port: number, message: Uint8Array) => Promise<Buffer | undefined>;
export type Kind = 'udp' | 'tcp' | 'tls' | 'https' | 'grpc';

/** Every way in: name, kind of listener, client. */
export const WAYS: readonly (readonly [way: string, kind: Kind, ask: Ask])[] = [
  ['UDP', 'udp', askUdp],
  ['TCP', 'tcp', async (t, port, message) => askStream(t, net.connect(port, '127.0.0.1'), message)],
  [
    'TLS',
    'tls',
    async (t, port, message) => {
      const socket = tls.connect({ port, host: '127.0.0.1', ca: cert, servername: 'dns.test' });
      await once(socket, 'secureConnect');
      return askStream(t, socket, message);
    },
  ],
  ['HTTPS, GET by HTTP/1.1', 'https', async (_t, port, message) => bodyOf(await askHttp1(port, getOf(message), cert))],
  [
    'HTTPS, POST by HTTP/1.1',
    'https',
    async (_t, port, message) => bodyOf(await askHttp1(port, { method: 'POST', headers: MEDIA, body: message }, cert)),
  ],
  [
    'HTTPS, GET by HTTP/2',
    'https',
    async (t, port, message) => bodyOf(await askHttp2(await connectHttp2(t, port, cert), getOf(message))),
  ],
  [
    'HTTPS, POST by HTTP/2',
    'https',
    async (t, port, message) => {
      const session = await connectHttp2(t, port, cert);
      return bodyOf(await askHttp2(session, { method: 'POST', headers: MEDIA, body: message }));
    },
  ],
  [
    'gRPC',
    'grpc',
    async (t, port, message) => {
      const { body } = await askHttp2(await connectHttp2(t, port, cert), { ...GRPC, body: frame(message) });
      // Five bytes of frame, a tag, one or two of length.
      return body.length === 0 ? undefined : body.subarray(body[6]! < 128 ? 7 : 8);
    },
  ],
];

function getOf(message: Uint8Array): { path: string } {
  return { path: `/dns-query?dns=${Buffer.from(message).toString('base64url')}` };
}

function bodyOf({ status, body }: { status: number; body: Buffer }): Buffer | undefined {
  return status === 200 ? body : undefined;
}

async function askUdp(t: ExecutionContext, port: number, message: Uint8Array): Promise<Buffer> {
  const socket = dgram.createSocket('udp4');
  t.teardown(() => socket.close());
  socket.send(message, port, '127.0.0.1');
  const [reply] = (await once(socket, 'message')) as [Buffer];
  return reply;
}

async function askStream(t: ExecutionContext, socket: net.Socket, message: Uint8Array): Promise<Buffer> {
  t.teardown(() => socket.destroy());
  socket.write(Buffer.concat([Uint8Array.of(message.length >> 8, message.length & 255), message]));
  let bytes = Buffer.alloc(0);
  while (bytes.length < 2 || bytes.length < 2 + bytes.readUInt16BE(0)) {
    const [chunk] = (await once(socket, 'data')) as [Buffer];
    bytes = Buffer.concat([bytes, chunk]);
  }
  return bytes.subarray(2);
}

function frame(message: Uint8Array): Buffer {
  const length = message.length < 128 ? [message.length] : [(message.length & 127) | 128, message.length >> 7];
  const field = Buffer.from([0x0a, ...length, ...message]);
  const header = Buffer.alloc(5);
  header.writeUInt32BE(field.length, 1);
  return Buffer.concat([header, field]);
}

/** Opens a listener of this kind whose queries go to `handler`. @param nowMs time of its clock, which stands still */
export async function listen(
  t: ExecutionContext,
  kind: Kind,
  handler: Handler,
  { tsig, nowMs }: { tsig?: TsigVerifier; nowMs?: number } = {},
): Promise<number> {
  const router = { route: () => handler } as unknown as Router;
  const transport =
    kind === 'udp' ? TRANSPORT.UDP : kind === 'tcp' ? TRANSPORT.TCP : kind === 'tls' ? TRANSPORT.TLS : TRANSPORT.HTTPS;
  const state = { index: 0, router, anyClass: false, dropped: undefined, transport, tsig };
  const store = new StoreReader(createStoreMemory(), 0);
  const loop = new PacketLoop(new ManualClock(nowMs), store, new Float64Array(64), (where, error) => {
    t.fail(`${where}: ${String(error)}`);
  });
  const sockets = new SocketHandler(state, loop);
  const bound = { address: '127.0.0.1', port: 0, family: 4 as const, reusePort: false };
  const encrypted = { ...bound, tls: { cert, key } };
  const open = {
    udp: () => openUdp({ ...bound, receiveBufferBytes: 1 << 20 }, sockets),
    tcp: () => openTcp(bound, sockets),
    tls: () => openTcp(encrypted, sockets),
    https: () => openHttps(encrypted, sockets),
    grpc: () => openGrpc(encrypted, sockets),
  };
  const listener = await open[kind]();
  t.teardown(() => listener.close());
  return listener.port;
}
