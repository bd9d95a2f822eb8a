// Messages that say much with few bytes: what reading them allocates. Nothing here waits, so nobody else allocates meanwhile.
import test from 'ava';
import { Answer } from '../../../lib/chain/answer.ts';
import { admit, ADMISSION } from '../../../lib/chain/finish.ts';
import { PARSED, Query } from '../../../lib/chain/query.ts';
import { ReplyReader } from '../../../lib/plugins/forward/relay.ts';
import { RRTYPE } from '../../../lib/wire/types.ts';

const MAX_MESSAGE = 65_535;
/** Of the input's size. */
const MAX_GROWTH = 4;
const WARM_RUNS = 50;
const FLAGS = { QUERY: 0x01, REPLY: 0x81 } as const;

/** A name of 255 bytes, as long as one can be. */
function longestName(): Buffer {
  const label = Buffer.concat([Uint8Array.of(63), Buffer.alloc(63, 0x61)]);
  return Buffer.concat([label, label, label, Uint8Array.of(61), Buffer.alloc(61, 0x61), Uint8Array.of(0)]);
}

/**
 * As many records as fit, each with the longest name twice by two pointers.
 * @param isMixed a last record is about another name, so that the reply is written anew without it
 */
function makeBomb(flags: number, isMixed = false): Uint8Array {
  const name = longestName();
  const type = RRTYPE.CNAME;
  const fixed = [0, type, 0, 1, 0, 0, 0, 60, 0, 2, 0xc0, 12];
  const record = Uint8Array.of(0xc0, 12, ...fixed);
  const other = isMixed ? Uint8Array.of(1, 0x78, 0, ...fixed) : new Uint8Array(0);
  const count = Math.floor((MAX_MESSAGE - 12 - name.length - 4 - other.length) / record.length);
  const header = Buffer.from([0, 7, flags, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
  header.writeUInt16BE(count + (isMixed ? 1 : 0), 6);
  const records = Array.from({ length: count }, () => record);
  return new Uint8Array(Buffer.concat([header, name, Uint8Array.of(0, type, 0, 1), ...records, other]));
}

/** Bytes that one more run allocates; what is compiled and kept for reuse is there by then. */
function allocatedBy(run: () => void): number {
  for (let i = 0; i < WARM_RUNS; i++) run();
  const before = process.memoryUsage();
  run();
  const after = process.memoryUsage();
  return after.heapUsed + after.external - before.heapUsed - before.external;
}

test('CVE-2026-82399: a query of 64 KiB with thousands of records is refused by its header alone', (t) => {
  const bomb = makeBomb(FLAGS.QUERY);
  t.true(bomb.length > 65_000);
  let admission: number = ADMISSION.PASS;
  const bytes = allocatedBy(() => void (admission = admit(bomb, 0, bomb.length)));
  t.is(admission, ADMISSION.FORMERR);
  t.true(bytes < MAX_GROWTH * bomb.length, `${bytes} bytes`);
});

for (const isMixed of [false, true]) {
  const how = isMixed ? 'written anew' : 'relayed';
  test(`CVE-2026-82399: an upstream reply of 64 KiB, 4,600 records of names of 255 bytes, is ${how} within four times its size`, (t) => {
    const bomb = makeBomb(FLAGS.REPLY, isMixed);
    const packet = bomb.slice(0, 12 + 255 + 4);
    packet.set([0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    const query = new Query();
    t.is(query.parse(packet, 0, packet.length), PARSED.OK);
    query.sizeLimit = MAX_MESSAGE;
    const reader = new ReplyReader();
    const answer = new Answer();
    const bytes = allocatedBy(() => {
      answer.begin(query);
      reader.read(query, bomb, bomb.length);
      reader.relay(query, answer);
    });
    t.is(reader.strays, isMixed ? 1 : 0);
    t.true(answer.records.count > 4000);
    t.true(answer.length <= MAX_MESSAGE);
    t.true(bytes < MAX_GROWTH * bomb.length, `${bytes} bytes`);
  });
}
