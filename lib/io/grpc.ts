// DNS over gRPC as CoreDNS has it: service coredns.dns.DnsService, call Query, message { bytes msg = 1 }. Worker.
import type http2 from 'node:http2';
import type { HttpRequest, HttpResponse } from './http-exchange.ts';
import { type HttpDialect, type HttpListener, type HttpOptions, openHttp } from './http-listener.ts';
import { type BatchHandler, TRANSMIT_CAPACITY } from './udp-batch.ts';

const PATH = '/coredns.dns.DnsService/Query';
const MEDIA_TYPE = 'application/grpc';
/** Status codes of gRPC. */
const CODE = { OK: 0, UNKNOWN: 2, INVALID_ARGUMENT: 3, RESOURCE_EXHAUSTED: 8, UNIMPLEMENTED: 12 } as const;
const TEXTS: Readonly<Record<number, string>> = {
  [CODE.UNKNOWN]: 'no response',
  [CODE.INVALID_ARGUMENT]: 'invalid request',
  [CODE.RESOURCE_EXHAUSTED]: 'too many requests at once',
  [CODE.UNIMPLEMENTED]: 'unknown method',
};
/** As CoreDNS; calls under way on one connection. */
const DEFAULT_STREAMS = 256;
/** Compressed flag and length before every message. */
const FRAME_HEADER = 5;
/** Key of field 1, length-delimited. */
const MSG_KEY = 0x0a;
const MAX_VARINT = 3;
/** Room for fields that a later version of the message may have. */
const MAX_OTHER_FIELDS = 1024;
const WIRE_TYPE = { VARINT: 0, FIXED64: 1, LENGTH: 2, FIXED32: 5 } as const;

/** How DNS messages stand in gRPC; codes are gRPC's. */
const DIALECT: HttpDialect = {
  transport: 'grpc',
  http1: false,
  maxBodyBytes: FRAME_HEADER + 1 + MAX_VARINT + TRANSMIT_CAPACITY + MAX_OTHER_FIELDS,
  rejected: CODE.INVALID_ARGUMENT,
  unanswered: CODE.UNKNOWN,
  busy: CODE.RESOURCE_EXHAUSTED,
  begin,
  decode,
  reply,
  refuse,
};

/**
 * Opens a DNS-over-gRPC listener: HTTP/2, in clear without `tls`.
 *
 * @throws Error of Node's with `code` (`EADDRINUSE`, ...), as a rejection
 */
export async function openGrpc(options: HttpOptions, handler: BatchHandler): Promise<HttpListener> {
  return openHttp({ maxStreams: DEFAULT_STREAMS, ...options }, DIALECT, handler);
}

function begin(request: HttpRequest): number | undefined {
  return request.method === 'POST' && request.url === PATH ? undefined : CODE.UNIMPLEMENTED;
}

function decode(body: Uint8Array): Uint8Array | number {
  if (body.length < FRAME_HEADER) return CODE.INVALID_ARGUMENT;
  // No compression was offered, so none may be used.
  if (body[0] !== 0) return CODE.UNIMPLEMENTED;
  const length = ((body[1]! << 24) | (body[2]! << 16) | (body[3]! << 8) | body[4]!) >>> 0;
  if (length !== body.length - FRAME_HEADER) return CODE.INVALID_ARGUMENT;
  return readMessage(body.subarray(FRAME_HEADER)) ?? CODE.INVALID_ARGUMENT;
}

/** Field 1 of a protobuf message, of several the last one; other fields are stepped over. Undefined when malformed. */
function readMessage(bytes: Uint8Array): Uint8Array | undefined {
  let found: Uint8Array = bytes.subarray(0, 0);
  const reader = { bytes, at: 0 };
  while (reader.at < bytes.length) {
    const key = readVarint(reader);
    if (key === undefined || key < 8) return undefined;
    switch (key & 7) {
      case WIRE_TYPE.VARINT:
        if (readVarint(reader) === undefined) return undefined;
        break;
      case WIRE_TYPE.FIXED64:
        reader.at += 8;
        break;
      case WIRE_TYPE.FIXED32:
        reader.at += 4;
        break;
      case WIRE_TYPE.LENGTH: {
        const length = readVarint(reader);
        if (length === undefined || reader.at + length > bytes.length) return undefined;
        if (key === MSG_KEY) found = bytes.subarray(reader.at, reader.at + length);
        reader.at += length;
        break;
      }
      default:
        return undefined;
    }
  }
  return reader.at === bytes.length ? found : undefined;
}

/** At most 28 bits: nothing in a body within its limit is larger. */
function readVarint(reader: { readonly bytes: Uint8Array; at: number }): number | undefined {
  let value = 0;
  for (let shift = 0; shift < 28; shift += 7) {
    const byte = reader.bytes[reader.at++];
    if (byte === undefined) return undefined;
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  return undefined;
}

function reply(response: HttpResponse, bytes: Uint8Array, at: number, length: number): number {
  const fieldLength = 1 + varintLength(length) + length;
  const frame = Buffer.allocUnsafe(FRAME_HEADER + fieldLength);
  frame[0] = 0;
  frame.writeUInt32BE(fieldLength, 1);
  frame[FRAME_HEADER] = MSG_KEY;
  let to = FRAME_HEADER + 1;
  let rest = length;
  for (; rest > 0x7f; rest >>>= 7) frame[to++] = (rest & 0x7f) | 0x80;
  frame[to++] = rest;
  frame.set(bytes.subarray(at, at + length), to);
  const http2Response = response as http2.Http2ServerResponse;
  http2Response.writeHead(200, { 'content-type': MEDIA_TYPE });
  http2Response.addTrailers({ 'grpc-status': `${CODE.OK}` });
  http2Response.end(frame);
  return 200;
}

function varintLength(value: number): number {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : MAX_VARINT;
}

/** A response without a message has its status among the headers. */
function refuse(response: HttpResponse, code: number): number {
  const to = response as http2.Http2ServerResponse;
  to.writeHead(200, {
    'content-type': MEDIA_TYPE,
    'grpc-status': `${code}`,
    'grpc-message': TEXTS[code] ?? '',
  });
  to.end();
  return 200;
}
