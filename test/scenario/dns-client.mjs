// Asks a DNS server over UDP and TCP and shows replies as text. Its reader and writer are those of the conformance
// checks, independent of lib/wire. Main thread of a test program.
import dgram from 'node:dgram';
import net from 'node:net';
import { decodeMessage, encodeMessage, rcodeName, rrText } from '../conformance/dnswire.mjs';

const REPLY_TIMEOUT_MS = 2000;

/** One query as bytes. */
export function buildQuery(id, name, type, { udpSize, rd = true, dnssecOk = false } = {}) {
  const edns = udpSize === undefined ? undefined : { udp: udpSize, do: dnssecOk };
  return encodeMessage({ id, rd, questions: [{ name, type }], ...(edns === undefined ? {} : { edns }) });
}

/** A reply as {rcode, tc, aa, answers: [text], data: [rdata, sorted], ...}. @throws Error when it is malformed. */
export function readReply(bytes) {
  const message = decodeMessage(bytes);
  return {
    rcode: rcodeName(message.rcode),
    tc: message.tc,
    aa: message.aa,
    answers: message.answers.map(rrText),
    authority: message.authorities.map(rrText),
    additional: message.additionals.map(rrText),
    data: message.answers.map((record) => record.rdata).sort((a, b) => (a < b ? -1 : 1)),
    sizeBytes: bytes.length,
  };
}

/** Client of one server; any number of queries at a time over one UDP socket. */
export class DnsClient {
  #port;
  #address;
  #socket;
  #waiting = new Map();
  #nextId = Math.floor(Math.random() * 65_536);

  constructor(port, address = '127.0.0.1') {
    this.#port = port;
    this.#address = address;
    this.#socket = dgram.createSocket(address.includes(':') ? 'udp6' : 'udp4');
    this.#socket.on('error', () => {});
    this.#socket.on('message', (bytes) => {
      if (bytes.length >= 2) this.#waiting.get(bytes.readUInt16BE(0))?.(bytes);
    });
  }

  /** Asks over UDP (or `tcp: true`); undefined when no reply came within `timeoutMs`. */
  async ask(name, type, { timeoutMs = REPLY_TIMEOUT_MS, tcp = false, ...query } = {}) {
    const id = this.#takeId();
    const bytes = buildQuery(id, name, type, query);
    const reply = tcp
      ? await askTcp(this.#port, this.#address, bytes, timeoutMs)
      : await this.#ask(id, bytes, timeoutMs);
    return reply === undefined ? undefined : readReply(reply);
  }

  /** Sends bytes as they are and waits for nothing. */
  send(bytes) {
    this.#socket.send(bytes, this.#port, this.#address);
  }

  close() {
    this.#socket.close();
  }

  #takeId() {
    do this.#nextId = (this.#nextId + 1) & 0xffff;
    while (this.#waiting.has(this.#nextId));
    return this.#nextId;
  }

  #ask(id, bytes, timeoutMs) {
    return new Promise((resolve) => {
      const end = (reply) => {
        clearTimeout(timer);
        this.#waiting.delete(id);
        resolve(reply);
      };
      const timer = setTimeout(end, timeoutMs);
      this.#waiting.set(id, end);
      this.#socket.send(bytes, this.#port, this.#address);
    });
  }
}

/** One query over a connection of its own; undefined without a reply. */
function askTcp(port, address, bytes, timeoutMs) {
  return new Promise((resolve) => {
    const socket = net.connect(port, address);
    let received = Buffer.alloc(0);
    const end = (reply) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(reply);
    };
    const timer = setTimeout(end, timeoutMs);
    const length = Buffer.alloc(2);
    length.writeUInt16BE(bytes.length);
    socket.on('error', () => end());
    socket.on('close', () => end());
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return;
      end(received.subarray(2, 2 + received.readUInt16BE(0)));
    });
    socket.write(Buffer.concat([length, bytes]));
  });
}
