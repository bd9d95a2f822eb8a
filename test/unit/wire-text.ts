// Messages as text for tests: `encodeQuery`, `encodeReply`, `decodeMessage`. Uses the project's rdata codecs, which have tests of their own.
import { formatRdata } from '../../lib/wire/rdata/registry.ts';
import { formatClass, parseClass, parseRecord } from '../../lib/wire/record.ts';
import { LAYOUT } from '../../lib/wire/rdata/codec.ts';
import { findLayout } from '../../lib/wire/rdata/registry.ts';
import { formatName, nameLength, parseName, readName } from '../../lib/wire/name.ts';
import { OPCODE, RCODE, RRTYPE, formatRcode, formatType, parseType } from '../../lib/wire/types.ts';

export type EdnsText = {
  readonly udpSize: number;
  readonly version: number;
  readonly do: boolean;
  /** Upper eight bits of the response code. */
  readonly extendedRcode: number;
  /** `code:hex`, in order. */
  readonly options: readonly string[];
};

export type MessageText = {
  readonly id: number;
  /** Those set, in the order qr aa tc rd ra ad cd. */
  readonly flags: readonly string[];
  readonly opcode: number;
  /** `NOERROR`, ..., upper bits of OPT included. */
  readonly rcode: string;
  /** `name class type` of every question. */
  readonly question: readonly string[];
  /** `name ttl class type rdata` of every record, in order. OPT is in `edns`. */
  readonly answer: readonly string[];
  readonly authority: readonly string[];
  readonly additional: readonly string[];
  readonly edns: EdnsText | undefined;
};

const FLAGS: readonly (readonly [string, number])[] = [
  ['qr', 0x8000],
  ['aa', 0x0400],
  ['tc', 0x0200],
  ['rd', 0x0100],
  ['ra', 0x0080],
  ['ad', 0x0020],
  ['cd', 0x0010],
];

export type EdnsInput = {
  readonly udpSize?: number;
  readonly version?: number;
  readonly do?: boolean;
  readonly extendedRcode?: number;
  /** `code:hex`. */
  readonly options?: readonly string[];
};

export type QueryInput = {
  readonly name: string;
  /** `A` unless given; a number is taken as it is. */
  readonly type?: string | number;
  readonly class?: string | number;
  /** 1 unless given. */
  readonly id?: number;
  /** `['rd']` unless given. */
  readonly flags?: readonly string[];
  readonly opcode?: number;
  readonly edns?: EdnsInput | boolean;
};

/** Wire form of a query. `edns: true` is an OPT with 1232 bytes and nothing else. @throws Error for a bad name or type */
export function encodeQuery(query: QueryInput): Uint8Array {
  return encodeMessage({ flags: ['rd'], ...query, answer: [], authority: [], additional: [] });
}

export type ReplyInput = Partial<QueryInput> & {
  readonly rcode?: keyof typeof RCODE;
  /** Records as text, `name ttl class type rdata`. */
  readonly answer?: readonly string[];
  readonly authority?: readonly string[];
  readonly additional?: readonly string[];
};

/** Wire form of a reply, names uncompressed; flags `qr rd ra` unless given. Without a name there is no question. */
export function encodeReply(reply: ReplyInput): Uint8Array {
  return encodeMessage({ flags: ['qr', 'rd', 'ra'], ...reply });
}

function encodeMessage(message: ReplyInput): Uint8Array {
  const { id = 1, opcode = OPCODE.QUERY, rcode = 'NOERROR', edns, name } = message;
  let flags = (opcode << 11) | (RCODE[rcode] & 15);
  for (const [flag, bit] of FLAGS) if (message.flags?.includes(flag)) flags |= bit;
  const sections = [message.answer ?? [], message.authority ?? [], message.additional ?? []];
  const parts: Uint8Array[] = [];
  if (name !== undefined) {
    parts.push(wireName(name), u16(typeNumber(message.type ?? 'A'), classNumber(message.class ?? 'IN')));
  }
  for (const text of sections.flat()) parts.push(encodeRecord(text));
  if (edns) parts.push(encodeOpt(edns === true ? {} : edns, RCODE[rcode] >>> 4));
  const counts = sections.map((section) => section.length);
  counts[2]! += edns ? 1 : 0;
  return Uint8Array.from(Buffer.concat([u16(id, flags, name === undefined ? 0 : 1, ...counts), ...parts]));
}

function encodeRecord(text: string): Uint8Array {
  const record = parseRecord(text);
  const fixed = u16(
    record.type,
    record.class,
    record.ttlSeconds >>> 16,
    record.ttlSeconds & 0xffff,
    record.rdata.length,
  );
  return Buffer.concat([record.name, fixed, record.rdata]);
}

function encodeOpt(edns: EdnsInput, extendedRcode: number): Uint8Array {
  const options = (edns.options ?? []).map((option) => {
    const [code = '', hex = ''] = option.split(':');
    return Buffer.concat([u16(Number(code), hex.length / 2), Buffer.from(hex, 'hex')]);
  });
  const data = Buffer.concat(options);
  const upper = ((edns.extendedRcode ?? extendedRcode) << 8) | (edns.version ?? 0);
  const fixed = u16(RRTYPE.OPT, edns.udpSize ?? 1232, upper, edns.do ? 0x8000 : 0, data.length);
  return Buffer.concat([Uint8Array.of(0), fixed, data]);
}

function u16(...values: number[]): Uint8Array {
  return Uint8Array.from(values.flatMap((value) => [(value >>> 8) & 255, value & 255]));
}

function wireName(text: string): Uint8Array {
  const name = parseName(text);
  if (!name) throw new Error(`"${text}" is not a name`);
  return name;
}

function typeNumber(type: string | number): number {
  const number = typeof type === 'number' ? type : parseType(type);
  if (number === undefined) throw new Error(`"${type}" is not a type`);
  return number;
}

function classNumber(value: string | number): number {
  const number = typeof value === 'number' ? value : parseClass(value);
  if (number === undefined) throw new Error(`"${value}" is not a class`);
  return number;
}

/**
 * The message at `bytes[0 .. bytes.length)` as text. Strict: trailing bytes, a bad name, data that runs over and a second
 * OPT are errors, so a test that decodes also checks the message.
 * @throws Error
 */
export function decodeMessage(bytes: Uint8Array): MessageText {
  const reader = new Decoder(bytes);
  const [id, flags, ...counts] = [reader.u16(), reader.u16(), reader.u16(), reader.u16(), reader.u16(), reader.u16()];
  const question: string[] = [];
  for (let i = 0; i < (counts[0] ?? 0); i++) {
    const name = formatName(reader.name());
    const type = formatType(reader.u16());
    question.push(`${name} ${formatClass(reader.u16())} ${type}`);
  }
  const [answer, authority, additional] = [1, 2, 3].map((i) => reader.section(counts[i] ?? 0)) as [
    string[],
    string[],
    string[],
  ];
  if (reader.at !== bytes.length) throw new Error(`${bytes.length - reader.at} bytes follow the message`);
  return {
    id,
    flags: FLAGS.filter(([, bit]) => flags & bit).map(([flag]) => flag),
    opcode: (flags >>> 11) & 15,
    rcode: formatRcode((flags & 15) | ((reader.edns?.extendedRcode ?? 0) << 4)),
    question,
    answer,
    authority,
    additional,
    edns: reader.edns,
  };
}

class Decoder {
  readonly #bytes: Uint8Array;
  at = 0;
  edns: EdnsText | undefined;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  u16(): number {
    const [high, low] = this.take(2);
    return (high! << 8) | low!;
  }

  take(length: number): Uint8Array {
    if (this.at + length > this.#bytes.length) throw new Error(`the message ends at ${this.#bytes.length}`);
    this.at += length;
    return this.#bytes.subarray(this.at - length, this.at);
  }

  name(): Uint8Array {
    const into = new Uint8Array(256);
    const after = readName(this.#bytes, 0, this.at, this.#bytes.length, into);
    if (after === -1) throw new Error(`the name at ${this.at} is malformed`);
    this.at = after;
    return into.subarray(0, nameLength(into));
  }

  section(count: number): string[] {
    const lines: string[] = [];
    for (let i = 0; i < count; i++) {
      const name = formatName(this.name());
      const type = this.u16();
      const recordClass = this.u16();
      const ttl = this.u16() * 65_536 + this.u16();
      const end = this.u16() + this.at;
      if (type === RRTYPE.OPT) this.#opt(name, recordClass, ttl, end);
      else
        lines.push(
          `${name} ${ttl} ${formatClass(recordClass)} ${formatType(type)} ${this.#rdata(type, recordClass, end)}`,
        );
    }
    return lines;
  }

  #rdata(type: number, recordClass: number, end: number): string {
    const parts: Uint8Array[] = [];
    for (const step of findLayout(type, recordClass) ?? []) {
      if (step < LAYOUT.NAME) parts.push(this.take(step));
      else if (step <= LAYOUT.COMPRESSIBLE_NAME) parts.push(this.name());
      else if (step === LAYOUT.STRING) parts.push(this.take(1 + this.#bytes[this.at]!));
      else break;
    }
    if (this.at > end) throw new Error(`the data of ${formatType(type)} is longer than its length`);
    parts.push(this.take(end - this.at));
    return formatRdata(type, Buffer.concat(parts), recordClass);
  }

  #opt(name: string, udpSize: number, ttl: number, end: number): void {
    if (name !== '.' || this.edns) throw new Error('OPT with an owner or twice');
    const options: string[] = [];
    while (this.at < end) options.push(`${this.u16()}:${Buffer.from(this.take(this.u16())).toString('hex')}`);
    if (this.at !== end) throw new Error('the options run over');
    this.edns = {
      udpSize,
      version: (ttl >>> 16) & 255,
      do: (ttl & 0x8000) !== 0,
      extendedRcode: ttl >>> 24,
      options,
    };
  }
}
