import test from 'ava';
import { Answer } from '../../../lib/chain/answer.ts';
import { ADMISSION, admit, finish, writeRejection } from '../../../lib/chain/finish.ts';
import { Query } from '../../../lib/chain/query.ts';
import { EDE, RCODE } from '../../../lib/wire/types.ts';
import { decodeMessage, encodeQuery, type QueryInput } from '../wire-text.ts';

function ask(input: QueryInput, sizeLimit = 512): { query: Query; answer: Answer } {
  const packet = encodeQuery(input);
  const query = new Query();
  query.parse(packet, 0, packet.length);
  query.sizeLimit = sizeLimit;
  const answer = new Answer();
  answer.begin(query);
  return { query, answer };
}

function complete(query: Query, answer: Answer): ReturnType<typeof decodeMessage> & { length: number } {
  const length = finish(query, answer);
  return { ...decodeMessage(answer.bytes.subarray(answer.base, answer.base + length)), length };
}

const ADDRESSES = Uint8Array.from({ length: 400 }, (_, i) => i);

test('finish: without EDNS in the query there is none in the reply, an extended code becomes SERVFAIL', (t) => {
  const { query, answer } = ask({ name: 'a.example.' });
  answer.rcode = RCODE.BADVERS;
  answer.ede = EDE.OTHER;
  const reply = complete(query, answer);
  t.is(reply.rcode, 'SERVFAIL');
  t.falsy(reply.edns);
});

test('finish: EDNS comes back with the size and DO of the client, an extended error and the options CoreDNS echoes', (t) => {
  const { query, answer } = ask({
    name: 'a.example.',
    edns: { udpSize: 1400, do: true, options: ['10:0102030405060708', '8:0001180a0000', '65001:ab'] },
  });
  answer.ede = EDE.NOT_READY;
  answer.edeText = 'soon';
  const { edns } = complete(query, answer);
  t.like(edns, { udpSize: 1400, do: true });
  t.deepEqual(edns?.options, ['10:0102030405060708', '15:000e736f6f6e']);
});

test('finish: options that do not fit beside the question are left out', (t) => {
  const { query, answer } = ask({ name: 'a.example.', edns: { udpSize: 512, options: [`12:${'00'.repeat(600)}`] } });
  const reply = complete(query, answer);
  t.deepEqual(reply.edns?.options, []);
  t.true(reply.length <= 512);
});

for (const [limit, expected] of [
  [512, 29],
  [1232, 74],
  [65_535, 100],
] as const) {
  test(`finish: of 100 addresses ${expected} fit into ${limit} bytes and TC tells`, (t) => {
    const { query, answer } = ask({ name: 'a.example.', edns: { udpSize: limit } }, limit);
    answer.addAddresses(30, 4, ADDRESSES, 0, 100);
    const reply = complete(query, answer);
    t.is(reply.answer.length, expected);
    t.is(answer.truncated, expected < 100);
    t.true(reply.length <= limit);
  });
}

const HEADERS = [
  // flags, QD, AN, NS, AR, bytes          admission
  [0x0100, 1, 0, 0, 0, 12, ADMISSION.PASS],
  [0x0100, 1, 0, 0, 2, 12, ADMISSION.PASS],
  [0x2000, 1, 0, 0, 0, 12, ADMISSION.PASS],
  [0x8100, 1, 0, 0, 0, 12, ADMISSION.DROP],
  [0x0100, 1, 0, 0, 0, 11, ADMISSION.DROP],
  [0x1000, 1, 0, 0, 0, 12, ADMISSION.NOTIMP],
  [0x2800, 1, 0, 0, 0, 12, ADMISSION.NOTIMP],
  [0x0100, 0, 0, 0, 0, 12, ADMISSION.FORMERR],
  [0x0100, 2, 0, 0, 0, 12, ADMISSION.FORMERR],
  [0x0100, 257, 0, 0, 0, 12, ADMISSION.FORMERR],
  [0x0100, 1, 2, 0, 0, 12, ADMISSION.FORMERR],
  [0x0100, 1, 0, 2, 0, 12, ADMISSION.FORMERR],
  [0x0100, 1, 0, 0, 3, 12, ADMISSION.FORMERR],
  [0x0100, 1, 0, 0, 256, 12, ADMISSION.FORMERR],
] as const;
for (const [flags, questions, answers, authorities, additionals, length, expected] of HEADERS) {
  const counts = [questions, answers, authorities, additionals];
  test(`admit: flags ${flags.toString(16)}, counts ${counts.join(' ')}, ${length} bytes is ${expected}`, (t) => {
    const packet = Buffer.alloc(20);
    packet.writeUInt16BE(flags, 2 + 4);
    for (const [i, count] of counts.entries()) packet.writeUInt16BE(count, 4 + 4 + 2 * i);
    t.is(admit(packet, 4, length), expected);
  });
}

test('writeRejection: ID, RD and the opcode of NOTIMP come back, counts are zero', (t) => {
  const packet = Uint8Array.of(0xab, 0xcd, 0x29, 0x10, 0, 1, 0, 0, 0, 0, 0, 0);
  const reply = new Uint8Array(12);
  t.is(writeRejection(packet, 0, ADMISSION.NOTIMP, reply, 0), 12);
  t.deepEqual([...reply], [0xab, 0xcd, 0xa9, 0x14, 0, 0, 0, 0, 0, 0, 0, 0]);
  writeRejection(packet, 0, ADMISSION.FORMERR, reply, 0);
  t.deepEqual([...reply.subarray(0, 4)], [0xab, 0xcd, 0x81, 0x11]);
});
