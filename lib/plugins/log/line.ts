// Writes one query log line byte by byte into the line writer's buffer. Worker.
import { formatIpAddress } from '../../base/ip-address.ts';
import { MAX_LINE_BYTES } from '../../base/line-writer.ts';
import type { Answer } from '../../chain/answer.ts';
import { Outcome } from '../../chain/outcome.ts';
import { TRANSPORT, type Query } from '../../chain/query.ts';
import { formatName, LOWER } from '../../wire/name.ts';
import { CLASS, formatRcode, formatType } from '../../wire/types.ts';

const LITERAL = 0;
const METADATA = 1;
/** What stands for a value; the numbers are those of `Piece.kind`. */
const FIELDS: readonly string[] = [
  '', '', '{type}', '{name}', '{class}', '{proto}', '{size}', '{remote}', '{port}', '{local}', '{>id}', '{>opcode}',
  '{>do}', '{>bufsize}', '{rcode}', '{rsize}', '{duration}', '{>rflags}',
]; // biome-ignore format: a list
const OPT_LENGTH = 11;
const NO_TEXT = new Uint8Array(0);

/** A part of a line: fixed text, a value of the query, or a metadata label. */
export type Piece = { readonly kind: number; readonly text: Uint8Array; readonly label: string };

/** Takes a format apart. What is no known field stays text; of nested braces the inner pair counts. */
export function compileFormat(format: string): Piece[] {
  const pieces: Piece[] = [];
  let literal = '';
  let rest = format;
  const flush = (): void => {
    if (literal !== '') pieces.push({ kind: LITERAL, text: Buffer.from(literal), label: '' });
    literal = '';
  };
  for (let close = rest.indexOf('}'); close !== -1; close = rest.indexOf('}')) {
    const open = rest.lastIndexOf('{', close);
    const field = open === -1 ? '' : rest.slice(open, close + 1);
    const kind = field === '' ? -1 : FIELDS.indexOf(field);
    if (kind > METADATA || field.startsWith('{/')) {
      literal += rest.slice(0, open);
      flush();
      pieces.push(
        kind > METADATA
          ? { kind, text: NO_TEXT, label: '' }
          : { kind: METADATA, text: NO_TEXT, label: field.slice(2, -1) },
      );
    } else literal += rest.slice(0, close + 1);
    rest = rest.slice(close + 1);
  }
  literal += rest;
  flush();
  return pieces;
}

/** Reused for every line of a worker. */
export class LineBuilder {
  #bytes: Uint8Array = NO_TEXT;
  #at = 0;
  #limit = 0;

  /**
   * Writes `[INFO] `, the pieces and a line break.
   *
   * @param at where the line may take up to `MAX_LINE_BYTES`
   * @param qtype the type asked, before any rewriting
   * @returns offset behind the line
   */
  build(
    bytes: Uint8Array,
    at: number,
    pieces: readonly Piece[],
    query: Query,
    qtype: number,
    answer: Answer,
    outcome: Outcome,
    durationMs: number,
  ): number {
    this.#bytes = bytes;
    this.#at = at;
    this.#limit = at + MAX_LINE_BYTES - 1;
    this.#putText('[INFO] ');
    for (const piece of pieces) {
      if (piece.kind === LITERAL) this.#putBytes(piece.text);
      else if (piece.kind === METADATA) this.#putText(query.metadata?.get(piece.label) ?? '-');
      else if (piece.kind < 14) this.#putQuestion(piece.kind, query, qtype);
      else this.#putReply(piece.kind, query, answer, outcome, durationMs);
    }
    bytes[this.#at++] = 0x0a;
    return this.#at;
  }

  #putQuestion(kind: number, query: Query, qtype: number): void {
    switch (kind) {
      case 2:
        return this.#putText(formatType(qtype));
      case 3:
        return this.#putName(query.rawName);
      case 4:
        return this.#putText(formatClass(query.qclass));
      case 5:
        return this.#putText(query.transport === TRANSPORT.UDP ? 'udp' : 'tcp');
      case 6:
        return this.#putNumber(query.packetLength);
      case 7:
        return this.#putAddress(query.clientAddress, query.family);
      case 8:
        return this.#putNumber(query.clientPort);
      case 9:
        return this.#putAddress(query.serverAddress, query.family);
      case 10:
        return this.#putNumber(query.id);
      case 11:
        return this.#putNumber(query.opcode);
      case 12:
        return this.#putText(query.dnssecOk ? 'true' : 'false');
      default:
        return this.#putNumber(query.transport === TRANSPORT.UDP ? Math.max(512, query.udpSize) : 65_535);
    }
  }

  #putReply(kind: number, query: Query, answer: Answer, outcome: Outcome, durationMs: number): void {
    const isDropped = outcome === Outcome.DROPPED;
    switch (kind) {
      case 14:
        return isDropped ? this.#putText('-') : this.#putRcode(answer.rcode);
      case 15:
        return this.#putNumber(isDropped ? 0 : answer.length + answer.saved);
      case 16:
        return this.#putSeconds(durationMs);
      default:
        return isDropped ? this.#putText('-') : this.#putFlags(query, answer);
    }
  }

  #putByte(byte: number): void {
    if (this.#at < this.#limit) this.#bytes[this.#at++] = byte;
  }

  #putBytes(text: Uint8Array): void {
    for (let i = 0; i < text.length; i++) this.#putByte(text[i]!);
  }

  /** ASCII by code, anything else as UTF-8. A line break would let a value forge a line. */
  #putText(text: string): void {
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code > 0x7e) return this.#putBytes(Buffer.from(text.slice(i).replace(/[\r\n]/g, ' ')));
      this.#putByte(code < 0x20 ? 0x20 : code);
    }
  }

  /** A whole number of at least 0. */
  #putNumber(value: number): void {
    let unit = 1;
    while (unit * 10 <= value) unit *= 10;
    for (; unit >= 1; unit /= 10) this.#putByte(0x30 + (Math.floor(value / unit) % 10));
  }

  /** Seconds with up to nine decimals, no zeros at the end. */
  #putSeconds(durationMs: number): void {
    const nanoseconds = Math.max(0, Math.round(durationMs * 1e6));
    this.#putNumber(Math.floor(nanoseconds / 1e9));
    let rest = nanoseconds % 1e9;
    if (rest > 0) {
      this.#putByte(0x2e);
      for (let unit = 1e8; rest > 0; unit /= 10) {
        this.#putByte(0x30 + Math.floor(rest / unit));
        rest %= unit;
      }
    }
    this.#putByte(0x73);
  }

  #putName(name: Uint8Array): void {
    if (name[0] === 0) return this.#putByte(0x2e);
    for (let at = 0; name[at] !== 0; ) {
      const end = at + 1 + name[at]!;
      for (at++; at < end; at++) {
        const byte = name[at]!;
        // Anything unusual: the whole name by the function that knows all escapes.
        if (!isPlain(byte)) {
          this.#undoName(at - 1);
          return this.#putText(formatName(name.map((value) => LOWER[value]!)));
        }
        this.#putByte(LOWER[byte]!);
      }
      this.#putByte(0x2e);
    }
  }

  /** Takes back the part of the name written so far; every byte after the first length byte became one character. */
  #undoName(written: number): void {
    if (this.#at < this.#limit) this.#at -= written;
  }

  #putAddress(address: Uint8Array, family: number): void {
    if (family === 4) {
      for (let i = 0; i < 4; i++) {
        if (i > 0) this.#putByte(0x2e);
        this.#putNumber(address[i]!);
      }
      return;
    }
    this.#putByte(0x5b);
    this.#putText(formatIpAddress(address));
    this.#putByte(0x5d);
  }

  #putRcode(rcode: number): void {
    const text = formatRcode(rcode);
    if (text.startsWith('RCODE')) this.#putNumber(rcode);
    else this.#putText(text);
  }

  #putFlags(query: Query, answer: Answer): void {
    this.#putText('qr');
    if (answer.authoritative) this.#putText(',aa');
    if (answer.truncated || answer.length + optLengthOf(query, answer) > query.sizeLimit) this.#putText(',tc');
    if (query.recursionDesired) this.#putText(',rd');
    if (answer.recursionAvailable) this.#putText(',ra');
    if (answer.authenticData) this.#putText(',ad');
    if (query.checkingDisabled) this.#putText(',cd');
  }
}

/** What OPT will take, to know before the reply is cut whether it will be. Echoed options are left out: a guess. */
function optLengthOf(query: Query, answer: Answer): number {
  if (!query.hasEdns) return 0;
  return OPT_LENGTH + answer.options.length + (answer.ede === -1 ? 0 : 6 + answer.edeText.length);
}

/** Letters, digits, hyphen, underscore and asterisk. */
function isPlain(byte: number): boolean {
  return (
    (byte >= 0x61 && byte <= 0x7a) ||
    (byte >= 0x30 && byte <= 0x39) ||
    byte === 0x2d ||
    byte === 0x5f ||
    byte === 0x2a ||
    (byte >= 0x41 && byte <= 0x5a)
  );
}

function formatClass(qclass: number): string {
  switch (qclass) {
    case CLASS.IN:
      return 'IN';
    case CLASS.CH:
      return 'CH';
    case CLASS.HS:
      return 'HS';
    case CLASS.NONE:
      return 'NONE';
    case CLASS.ANY:
      return 'ANY';
    default:
      return `CLASS${qclass}`;
  }
}
