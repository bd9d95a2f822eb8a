// Fuzzes everything that reads messages from the network: `npm run fuzz -- [--seconds 60] [--cases 0] [--seed N]`.
// A fixed number of cases runs in `npm test` (test/unit/wire/fuzz.test.ts).
import fs from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { ADMISSION, admit } from '../../lib/chain/finish.ts';
import { PARSED, Query } from '../../lib/chain/query.ts';
import { INDEXED, MessageInfo, indexMessage } from '../../lib/wire/message-reader.ts';
import { MessageWriter } from '../../lib/wire/message-writer.ts';
import { MAX_NAME_LENGTH, formatName, nameLength, readName } from '../../lib/wire/name.ts';
import { LAYOUT } from '../../lib/wire/rdata/codec.ts';
import { findLayout } from '../../lib/wire/rdata/registry.ts';
import { parseRecord } from '../../lib/wire/record.ts';
import { RecordIndex } from '../../lib/wire/record-index.ts';
import { RecordTextError } from '../../lib/wire/text.ts';
import { decodeMessage } from '../unit/wire-text.ts';
import { Random, mutate } from './mutate.ts';

const SEEDS = path.join(import.meta.dirname, 'seeds');
/** Failures after which a run ends. */
const MAX_FAILURES = 3;
/** Looks at bytes of the message that `indexMessage` may take per byte of it, and for a message of no length. */
const LOOKS_PER_BYTE = 3;
const LOOKS_AT_LEAST = 100;
/** Every how many cases the slow checks run. */
const SLOW_EVERY = 16;

export type FuzzFailure = { readonly hex: string; readonly what: string };
export type FuzzReport = {
  readonly cases: number;
  /** Messages that were found well-formed, and queries that were. */
  readonly valid: number;
  readonly queries: number;
  readonly failures: readonly FuzzFailure[];
};

/** Seed messages, one file each in hexadecimal. */
export function loadSeeds(): Uint8Array[] {
  const files = fs.readdirSync(SEEDS).filter((file) => file.endsWith('.hex'));
  return files
    .sort()
    .map((file) =>
      Uint8Array.from(Buffer.from(fs.readFileSync(path.join(SEEDS, file), 'utf8').replaceAll(/\s/g, ''), 'hex')),
    );
}

const index = new RecordIndex();
const info = new MessageInfo();
const query = new Query();
const writer = new MessageWriter();
const scratch = new Uint8Array(MAX_NAME_LENGTH + 1);

/** Runs `cases` mutated messages (and every seed as it is) through all checks, or until `until` says so. */
export function fuzzMessages(seed: number, cases: number, until: () => boolean = () => false): FuzzReport {
  const corpus = loadSeeds();
  const random = new Random(seed);
  const failures: FuzzFailure[] = [];
  const report = { cases: 0, valid: 0, queries: 0, failures };
  for (let i = 0; i < cases && failures.length < MAX_FAILURES && !(i % 256 === 0 && until()); i++) {
    const message = corpus[i] ?? mutate(corpus, random);
    report.cases++;
    try {
      if (checkIndex(message)) {
        report.valid++;
        if (i % SLOW_EVERY === 0 || i < corpus.length) checkCopy(message);
      }
      if (i % SLOW_EVERY === 0 || i < corpus.length) checkLooks(message);
      if (checkQuery(message)) report.queries++;
    } catch (error) {
      failures.push({
        hex: Buffer.from(message).toString('hex'),
        what: error instanceof Error ? (error.stack ?? '') : '',
      });
    }
  }
  return report;
}

function expect(condition: boolean, what: string): void {
  if (!condition) throw new Error(what);
}

/** `indexMessage` must say the same as a plain walk with `readName`, wherever the message lies. Whether it is valid. */
function checkIndex(message: Uint8Array): boolean {
  const packet = new Uint8Array(message.length + 8).fill(0xff);
  packet.set(message, 4);
  const code = indexMessage(packet, 4, message.length, index, info);
  expect(info.end <= Math.max(12, message.length), 'the end lies behind the message');
  expect(index.count * 11 <= message.length, 'more records than bytes for them');
  const reference = countRecords(message);
  expect((code === INDEXED.OK) === (reference !== -1), `code ${code}, plain walk ${reference}`);
  if (code !== INDEXED.OK) return false;
  expect(index.count + (info.hasEdns ? 1 : 0) === reference, 'another number of records than the plain walk');
  return true;
}

/** Records of a valid message, OPT included; -1 when it is not valid. */
function countRecords(message: Uint8Array): number {
  if (message.length < 12) return -1;
  const u16 = (at: number): number => (message[at] ?? 0) * 256 + (message[at + 1] ?? 0);
  const questions = u16(4);
  const total = u16(6) + u16(8) + u16(10);
  let at = 12;
  let opts = 0;
  if (questions > 1) return -1;
  if (questions === 1) {
    at = readName(message, 0, at, message.length, scratch);
    if (at === -1 || at + 4 > message.length) return -1;
    at += 4;
  }
  for (let i = 0; i < total; i++) {
    const ownerAt = at;
    at = readName(message, 0, at, message.length, scratch);
    if (at === -1 || at + 10 > message.length) return -1;
    const type = u16(at);
    const rdataAt = at + 10;
    const end = rdataAt + u16(at + 8);
    if (end > message.length) return -1;
    if (type === 41) {
      const isPlaced = i >= u16(6) + u16(8) && at === ownerAt + 1 && ++opts === 1;
      if (!isPlaced || !hasWholeOptions(message.subarray(rdataAt, end))) return -1;
    } else if (!hasLayout(message, findLayout(type, u16(at + 2)), rdataAt, end)) return -1;
    at = end;
  }
  return total;
}

function hasWholeOptions(options: Uint8Array): boolean {
  let rest = options;
  while (rest.length >= 4) {
    const size = 4 + rest[2]! * 256 + rest[3]!;
    if (size > rest.length) return false;
    rest = rest.subarray(size);
  }
  return rest.length === 0;
}

function hasLayout(message: Uint8Array, layout: Uint8Array | undefined, at: number, end: number): boolean {
  for (const step of layout ?? [LAYOUT.REST]) {
    if (step === LAYOUT.REST) return at <= end;
    if (step < LAYOUT.NAME) at += step;
    else if (step <= LAYOUT.COMPRESSIBLE_NAME) {
      at = readName(message, 0, at, end, scratch);
      if (at === -1) return false;
    } else {
      do {
        if (at >= end) return false;
        at += message[at]! + 1;
      } while (step === LAYOUT.STRINGS && at < end);
    }
    if (at > end) return false;
  }
  return at === end;
}

/** A valid message copied record by record reads the same; each line of its text is a record with the same data. */
function checkCopy(message: Uint8Array): void {
  const whole = message.slice(0, info.end);
  const text = decodeMessage(whole);
  writer.begin(info.id, info.flags);
  if (info.questionCount === 1) {
    readName(whole, 0, 12, whole.length, scratch);
    writer.addQuestion(scratch, info.qtype, info.qclass);
  }
  let copied = 0;
  while (copied < index.count && writer.copyRecord(index.section(copied), whole, 0, index, copied)) copied++;
  const bytes = writer.bytes.slice(0, writer.finish());
  const again = decodeMessage(bytes);
  const before = [...text.answer, ...text.authority, ...text.additional];
  const after = [...again.answer, ...again.authority, ...again.additional];
  expect(copied === index.count || bytes.length > 60_000, 'a record was not copied');
  expect(after.join('\n') === before.slice(0, copied).join('\n'), 'the copy reads differently');
  for (const line of after) checkText(line);
}

function checkText(line: string): void {
  try {
    const record = parseRecord(line);
    expect(Buffer.byteLength(line) >= record.rdata.length / 4, 'text far shorter than its data');
  } catch (error) {
    // SVCB with a list of mandatory keys that are not there is readable, but no valid text.
    if (!(error instanceof RecordTextError) || !line.includes('mandatory=')) throw error;
  }
}

/** The indexer looks at no byte more than a few times, counted, not timed. */
function checkLooks(message: Uint8Array): void {
  let looks = 0;
  const counted = new Proxy(message, {
    get(target, key): unknown {
      looks++;
      return Reflect.get(target, key);
    },
  });
  indexMessage(counted, 0, message.length, index, info);
  expect(looks <= message.length * LOOKS_PER_BYTE + LOOKS_AT_LEAST, `${looks} looks at ${message.length} bytes`);
}

/** What the packet loop does with a packet before any plugin sees it. Whether it is a query. */
function checkQuery(message: Uint8Array): boolean {
  const packet = new Uint8Array(message.length + 8).fill(0x20);
  packet.set(message, 4);
  if (message.length < 12 || admit(packet, 4, message.length) !== ADMISSION.PASS) return false;
  const code = query.parse(packet, 4, message.length);
  expect(query.nameLength === nameLength(query.name), 'the length of the name is another');
  expect(query.formatName().length < 4 * MAX_NAME_LENGTH, 'the name is too long');
  if (code !== PARSED.OK) return false;
  expect(readName(message, 0, 12, message.length, scratch) === query.questionEnd - 4, 'the name ends elsewhere');
  expect(formatName(scratch) === formatName(query.rawName), 'the name is another');
  expect(query.optionsAt + query.optionsLength <= message.length || !query.hasEdns, 'options behind the message');
  query.findOption(10);
  return true;
}

function main(): void {
  const { values } = parseArgs({
    options: { seconds: { type: 'string' }, cases: { type: 'string' }, seed: { type: 'string' } },
  });
  const seed = Number(values.seed ?? Date.now() % 1_000_000);
  const seconds = Number(values.seconds ?? (values.cases === undefined ? 60 : Infinity));
  const endMs = performance.now() + seconds * 1000;
  const report = fuzzMessages(seed, Number(values.cases ?? Infinity), () => performance.now() > endMs);
  const { cases, valid, queries, failures } = report;
  console.log(`seed ${seed}: ${cases} cases, ${valid} valid messages, ${queries} queries, ${failures.length} failures`);
  for (const { hex, what } of failures) console.log(`${what}\n${hex}`);
  process.exitCode = failures.length === 0 ? 0 : 1;
}

if (import.meta.main) main();
