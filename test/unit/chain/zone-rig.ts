// A zone without files, sockets or threads: text -> store -> answers. For tests of what answers from zones.
import dnsPacket from 'dns-packet';
import { Answer } from '../../../lib/chain/answer.ts';
import { BlockOffers } from '../../../lib/chain/block-offers.ts';
import { finish } from '../../../lib/chain/finish.ts';
import { Outcome, type Result } from '../../../lib/chain/outcome.ts';
import type { Env, Handler } from '../../../lib/chain/plugin.ts';
import { Query } from '../../../lib/chain/query.ts';
import { makeSubquery, MAX_DEPTH } from '../../../lib/chain/subquery.ts';
import { createFileHandler } from '../../../lib/plugins/file/handler.ts';
import { isRecord, MasterFileParser, startOfZone } from '../../../lib/sources/zone-file/master-file.ts';
import { ZoneContents } from '../../../lib/sources/zone-file/zone-contents.ts';
import { ZonePublisher } from '../../../lib/sources/zone-file/zone-publisher.ts';
import { createStoreMemory } from '../../../lib/store/layout.ts';
import { StoreReader } from '../../../lib/store/reader.ts';
import { StoreWriter } from '../../../lib/store/writer.ts';
import { parseNameLower, readName, formatName } from '../../../lib/wire/name.ts';
import { LAYOUT } from '../../../lib/wire/rdata/codec.ts';
import { findLayout, formatRdata } from '../../../lib/wire/rdata/registry.ts';
import { formatRcode, formatType, parseType, RCODE } from '../../../lib/wire/types.ts';

/** Records of a zone's text. @throws ZoneFileError */
export function parseZone(text: string, origin: string): ZoneContents {
  const name = parseNameLower(origin)!;
  const contents = new ZoneContents(name);
  const parser = new MasterFileParser('db', startOfZone(name));
  for (const line of text.split('\n')) {
    const step = parser.takeLine(line);
    if (step === undefined) continue;
    if (isRecord(step)) contents.add(step);
    else if (step.kind === 'generate') for (const record of step.records) contents.add(record);
  }
  parser.end();
  return contents;
}

export type ZoneRigOptions = {
  readonly fallthrough?: readonly string[];
  /** Answers what is in none of the zones. */
  readonly elsewhere?: (query: Query, answer: Answer) => Result;
};

export class ZoneRig {
  readonly #memory = createStoreMemory({ arenaBytes: 2 ** 22, readers: 2 });
  readonly writer: StoreWriter = new StoreWriter(this.#memory, { minSlots: 64 });
  readonly store: StoreReader = new StoreReader(this.#memory, 0);
  readonly directory: number = this.writer.openTree();
  readonly publisher: ZonePublisher = new ZonePublisher(this.writer, this.directory, () => Promise.resolve());
  readonly offers: BlockOffers = new BlockOffers();
  readonly handler: Handler;
  /** Names the whole server was asked for. */
  readonly resolved: string[] = [];

  constructor(zones: readonly string[], options: ZoneRigOptions = {}) {
    const elsewhere = options.elsewhere ?? refuse;
    const env = {
      store: this.store,
      offers: this.offers,
      next: elsewhere,
      isLast: options.elsewhere === undefined,
      resolve: (query: Query, name: Uint8Array, type: number, into: Answer): Result => {
        this.resolved.push(formatName(name));
        const subquery = makeSubquery(query, name, type);
        into.begin(subquery);
        if (query.depth >= MAX_DEPTH) {
          into.fail(RCODE.SERVFAIL, 'too deep');
          return Outcome.FAILED;
        }
        return this.handler(subquery, into);
      },
    } as unknown as Env;
    const fileZones = zones.map((zone) => ({ zone, directory: this.directory }));
    this.handler = createFileHandler({ zones: fileZones, fallthrough: options.fallthrough ?? [] }, env);
  }

  publish(text: string, origin: string): Promise<void> {
    return this.publisher.publish(parseZone(text, origin));
  }

  /** `RCODE[ aa]`, then a line per record: `section owner ttl type data`. */
  async ask(name: string, type = 'A', dnssecOk = false): Promise<string[]> {
    const query = makeQuery(name, type, dnssecOk);
    const answer = new Answer();
    answer.begin(query);
    const outcome = await this.handler(query, answer);
    if (outcome === Outcome.DROPPED) return ['DROPPED'];
    const length = finish(query, answer);
    return describe(answer, length);
  }
}

function refuse(_query: Query, answer: Answer): Outcome {
  answer.fail(RCODE.REFUSED);
  return Outcome.FAILED;
}

export function makeQuery(name: string, type: string, dnssecOk = false): Query {
  const bytes = dnsPacket.encode({
    type: 'query',
    id: 7,
    questions: [{ type: 'A', name }],
    additionals: dnssecOk
      ? ([
          { type: 'OPT', name: '.', udpPayloadSize: 4096, flags: 0x8000, options: [] },
        ] as unknown as dnsPacket.Answer[])
      : [],
  });
  const end = bytes.indexOf(0, 12) + 1;
  bytes.writeUInt16BE(parseType(type)!, end);
  const query = new Query();
  if (query.parse(bytes, 0, bytes.length) !== 0) throw new Error(`test query for ${name} is malformed`);
  query.sizeLimit = 65_535;
  return query;
}

const SECTION_NAMES = ['answer', 'authority', 'additional'];

/** The head line and a line per record. */
export function describe(answer: Answer, length: number): string[] {
  const { bytes, base, records } = answer;
  const owner = new Uint8Array(256);
  const lines = [`${formatRcode(answer.rcode)}${answer.authoritative ? ' aa' : ''}${answer.truncated ? ' tc' : ''}`];
  for (let i = 0; i < records.count; i++) {
    if (readName(bytes, base, records.ownerAt(i), length, owner) === -1) throw new Error(`record ${i}: bad owner`);
    const type = records.type(i);
    const rdata = expand(answer, i, length);
    const section = SECTION_NAMES[records.section(i)]!;
    lines.push(
      `${section} ${formatName(owner).toLowerCase()} ${answer.ttl(i)} ${formatType(type)} ${formatRdata(type, rdata)}`,
    );
  }
  return lines;
}

/** RDATA with its names written out. */
function expand(answer: Answer, i: number, length: number): Uint8Array {
  const { bytes, base, records } = answer;
  const parts: Uint8Array[] = [];
  let at = records.rdataAt(i);
  const name = new Uint8Array(256);
  for (const step of findLayout(records.type(i), 1) ?? []) {
    if (step > LAYOUT.STRING) break;
    if (step === LAYOUT.NAME || step === LAYOUT.COMPRESSIBLE_NAME) {
      at = readName(bytes, base, at, length, name);
      if (at === -1) throw new Error(`record ${i}: bad name in its data`);
      parts.push(parseNameLower(formatName(name))!);
    } else {
      const size = step === LAYOUT.STRING ? bytes[base + at]! + 1 : step;
      parts.push(bytes.slice(base + at, base + at + size));
      at += size;
    }
  }
  parts.push(bytes.slice(base + at, base + records.endAt(i)));
  return Buffer.concat(parts);
}
