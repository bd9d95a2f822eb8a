import test from 'ava';
import dnsPacket from 'dns-packet';
import { INDEXED, MessageInfo, indexMessage } from '../../../lib/wire/message-reader.ts';
import { readName } from '../../../lib/wire/name.ts';
import { RecordIndex } from '../../../lib/wire/record-index.ts';
import { encodeQuery, encodeReply } from '../wire-text.ts';

const index = new RecordIndex();
const info = new MessageInfo();
const codes = Object.entries(INDEXED);
const indexed = (bytes: Uint8Array): string =>
  codes.find(([, code]) => code === indexMessage(bytes, 0, bytes.length, index, info))![0];
const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replaceAll(/\s/g, ''), 'hex'));

test('indexMessage: records of all sections, offsets from the start of the message, OPT apart', (t) => {
  const reply = encodeReply({
    id: 0x1234,
    name: 'Web.example.',
    type: 'MX',
    rcode: 'NXDOMAIN',
    answer: ['web.example. 5 IN MX 10 mail.example.', 'web.example. 6 IN MX 20 mx.example.'],
    authority: ['example. 7 IN SOA ns. mail. 1 2 3 4 5'],
    additional: ['mail.example. 8 IN A 192.0.2.1'],
    edns: { udpSize: 1400, do: true, version: 0, options: ['10:0102', '15:0012'] },
  });
  const packet = Uint8Array.from([9, 9, 9, ...reply, 9]);
  t.is(indexMessage(packet, 3, reply.length, index, info), INDEXED.OK);
  t.deepEqual([...index.counts], [2, 1, 1]);
  t.deepEqual([info.id, info.rcode, info.questionCount, info.qtype, info.qclass], [0x1234, 3, 1, 15, 1]);
  t.is(info.questionEnd, 12 + 13 + 4);
  t.is(info.end, reply.length);
  t.deepEqual([info.hasEdns, info.udpSize, info.dnssecOk, info.ednsVersion], [true, 1400, true, 0]);
  t.deepEqual([info.optEnd - info.optAt, info.optionsAt - info.optAt, info.optionsLength], [11 + 12, 11, 12]);
  t.deepEqual([...reply.subarray(info.optionsAt, info.optionsAt + 4)], [0, 10, 0, 2]);
  t.is(reply[index.ttlAt(1) + 3], 6);
  t.is(index.endAt(0), index.ownerAt(1));
});

test('indexMessage: the upper bits of the response code come from OPT', (t) => {
  t.is(indexed(encodeReply({ name: 'a.', rcode: 'BADVERS', edns: true })), 'OK');
  t.is(info.rcode, 16);
  t.is(indexed(encodeReply({ name: 'a.', rcode: 'REFUSED' })), 'OK');
  t.deepEqual([info.rcode, info.hasEdns, info.udpSize], [5, false, 512]);
});

test('indexMessage: accepts what dns-packet encodes, with the same records', (t) => {
  const message = dnsPacket.encode({
    type: 'response',
    questions: [{ type: 'SRV', name: '_dns._udp.example' }],
    answers: [
      {
        type: 'SRV',
        name: '_dns._udp.example',
        ttl: 5,
        data: { port: 53, priority: 1, weight: 2, target: 'a.example' },
      },
      { type: 'TXT', name: 'a.example', data: ['x', 'y'] },
      { type: 'CAA', name: 'a.example', data: { flags: 0, tag: 'issue', value: 'ca.example' } },
      {
        type: 'NAPTR',
        name: 'a.example',
        data: { order: 1, preference: 2, flags: 's', services: 'x', regexp: '', replacement: 'b' },
      },
    ],
    authorities: [{ type: 'NS', name: 'example', data: 'ns.example' }],
    additionals: [{ type: 'AAAA', name: 'a.example', data: '2001:db8::1' }],
  });
  t.is(indexed(message), 'OK');
  t.deepEqual([...index.counts], [4, 1, 1]);
  t.deepEqual(
    [0, 1, 2, 3, 4, 5].map((i) => index.type(i)),
    [33, 16, 257, 35, 2, 28],
  );
});

const HEAD = '0001 8180 0001 0001 0000 0000  0161 00 0001 0001'; // a. IN A, one answer
const CASES: readonly (readonly [what: string, message: string, expected: keyof typeof INDEXED])[] = [
  ['11 bytes', '0001 8180 0001 0001 0000 00', 'TRUNCATED'],
  ['only a header', '0001 8180 0000 0000 0000 0000', 'OK'],
  ['two questions', '0001 8180 0002 0000 0000 0000  00 0001 0001  00 0001 0001', 'FORMERR'],
  ['65535 answers promised, none there', '0001 8180 0001 ffff ffff ffff  00 0001 0001', 'TRUNCATED'],
  ['a compressed owner', `${HEAD} c00c 0001 0001 00000005 0004 c0000201`, 'OK'],
  ['bytes behind the last record', `${HEAD} c00c 0001 0001 00000005 0004 c0000201 ffff`, 'OK'],
  ['the end inside the fixed fields', `${HEAD} c00c 0001 0001 00000005 00`, 'TRUNCATED'],
  ['the end inside the data', `${HEAD} c00c 0001 0001 00000005 0004 c00002`, 'TRUNCATED'],
  ['the end inside an owner', '0001 8180 0001 0001 0000 0000 0161 00 0001 0001  07 61616161616161 61616161', 'FORMERR'],
  ['an owner that points to itself', `${HEAD} c013 0001 0001 00000005 0004 c0000201`, 'FORMERR'],
  ['an owner that points forwards', `${HEAD} c01f 0001 0001 00000005 0004 00000201`, 'FORMERR'],
  ['an A of 3 bytes', `${HEAD} c00c 0001 0001 00000005 0003 c00002`, 'FORMERR'],
  ['an A of 5 bytes', `${HEAD} c00c 0001 0001 00000005 0005 c000020101`, 'FORMERR'],
  ['an A of class CH of other length', `${HEAD} c00c 0001 0003 00000005 0003 00abcd`, 'OK'],
  ['a CNAME, compressed', `${HEAD} c00c 0005 0001 00000005 0002 c00c`, 'OK'],
  ['a CNAME with a byte left over', `${HEAD} c00c 0005 0001 00000005 0003 c00c00`, 'FORMERR'],
  ['a CNAME whose name runs over its data', `${HEAD} c00c 0005 0001 00000005 0002 0361 6161 00`, 'FORMERR'],
  ['a CNAME without data', `${HEAD} c00c 0005 0001 00000005 0000`, 'FORMERR'],
  ['a CNAME that points to itself', `${HEAD} c00c 0005 0001 00000005 0002 c01f`, 'FORMERR'],
  ['a CNAME that points to its own owner', `${HEAD} c00c 0005 0001 00000005 0002 c013`, 'OK'],
  ['a SOA with 19 bytes behind the names', `${HEAD} c00c 0006 0001 00000005 0015 0000 ${'00'.repeat(19)}`, 'FORMERR'],
  ['a SOA', `${HEAD} c00c 0006 0001 00000005 0016 0000 ${'00'.repeat(20)}`, 'OK'],
  ['a TXT whose string runs over', `${HEAD} c00c 0010 0001 00000005 0002 0261`, 'FORMERR'],
  ['a TXT without a string', `${HEAD} c00c 0010 0001 00000005 0000`, 'FORMERR'],
  ['unknown data of any form', `${HEAD} c00c ff00 0001 00000005 0003 c0ffff`, 'OK'],
  ['unknown data, empty', `${HEAD} c00c ff00 0001 00000005 0000`, 'OK'],
  ['OPT among the answers', `${HEAD} 00 0029 04d0 00000000 0000`, 'FORMERR'],
];
for (const [what, message, expected] of CASES) {
  test(`indexMessage: ${what} is ${expected}`, (t) => t.is(indexed(bytes(message)), expected));
}

const OPT = '00 0029 04d0 00000000 0000';
const ADDITIONAL = '0001 8180 0001 0000 0000'; // and the count
const EDNS_CASES: readonly (readonly [what: string, message: string, expected: keyof typeof INDEXED])[] = [
  ['one OPT', `${ADDITIONAL} 0001 00 0001 0001 ${OPT}`, 'OK'],
  ['two OPT', `${ADDITIONAL} 0002 00 0001 0001 ${OPT} ${OPT}`, 'FORMERR'],
  ['OPT with an owner', `${ADDITIONAL} 0001 00 0001 0001 0161 ${OPT}`, 'FORMERR'],
  ['OPT with a pointer to a root as owner', `${ADDITIONAL} 0001 00 0001 0001 c00c 0029 04d0 00000000 0000`, 'FORMERR'],
  ['an option over the end', `${ADDITIONAL} 0001 00 0001 0001 00 0029 04d0 00000000 0005 000a 0002 00`, 'FORMERR'],
  ['half an option header', `${ADDITIONAL} 0001 00 0001 0001 00 0029 04d0 00000000 0003 000a 00`, 'FORMERR'],
  [
    'OPT in the middle',
    `${ADDITIONAL} 0003 00 0001 0001 00 0001 0001 00000005 0004 c0000201 ${OPT} 00 0001 0001 00000005 0004 c0000202`,
    'OK',
  ],
];
for (const [what, message, expected] of EDNS_CASES) {
  test(`indexMessage: ${what} is ${expected}`, (t) => t.is(indexed(bytes(message)), expected));
}

test('indexMessage: what was read before the end stays in the index', (t) => {
  const whole = encodeReply({
    name: 'a.',
    answer: ['a. 1 IN A 192.0.2.1', 'a. 1 IN A 192.0.2.2', 'a. 1 IN A 192.0.2.3'],
  });
  const cut = whole.slice(0, whole.length - 3);
  t.is(indexed(cut), 'TRUNCATED');
  t.is(index.count, 2);
  t.is(info.end, index.endAt(1));
});

/** Counts how many bytes of a message are looked at; the indexer sees an ordinary array. */
function countReads(message: Uint8Array): { readonly bytes: Uint8Array; readonly reads: () => number } {
  let reads = 0;
  const counted = new Proxy(message, {
    get(target, key) {
      reads++;
      return Reflect.get(target, key) as unknown;
    },
  });
  return { bytes: counted, reads: () => reads };
}

const pointer = (target: number): string => (0xc000 | target).toString(16);

/** `records` empty records of an unknown type whose owners are what `owner` says, in hexadecimal. */
function recordsOf(records: number, owner: (i: number, at: number) => string, prefix: string): Uint8Array {
  let at = 12 + prefix.length / 2;
  let hex = '';
  for (let i = 0; i < records; i++) {
    const name = owner(i, at);
    hex += `${name}ff000001000000050000`;
    at += name.length / 2 + 10;
  }
  const count = (records + (prefix === '' ? 0 : 1)).toString(16).padStart(4, '0');
  return bytes(`000181800000${count}00000000${prefix}${hex}`);
}

const BOMBS: readonly (readonly [what: string, message: Uint8Array])[] = [
  [
    'owners are a chain of 120 pointers, then all point to its end',
    recordsOf(5400, (i, at) => (i === 0 ? '00' : pointer(i === 1 ? at - 11 : Math.min(at - 12, 23 + 118 * 12))), ''),
  ],
  [
    'all owners point to a name of 127 labels',
    recordsOf(5000, () => 'c017', `00ff00000100000005${(0xff).toString(16).padStart(4, '0')}${'0161'.repeat(127)}00`),
  ],
  [
    'owners point to ever other offsets of interleaved labels',
    recordsOf(
      4900,
      (i) => (0xc017 + (i % 253)).toString(16),
      `00ff00000100000005${(0xff).toString(16).padStart(4, '0')}${'0102'.repeat(127)}00`,
    ),
  ],
];
for (const [what, message] of BOMBS) {
  test(`indexMessage: ${what}: at most 3 looks per byte of ${message.length}`, (t) => {
    const counted = countReads(message);
    t.is(indexMessage(counted.bytes, 0, message.length, index, info), INDEXED.OK);
    t.true(counted.reads() <= message.length * 3, `${counted.reads()} looks`);
  });
}

test('indexMessage: a name that readName refuses is refused here, wherever it was reached before', (t) => {
  // 12: label of 2 bytes [c0 0e], root. At 13 (inside the label) a pointer to 14, which is behind 12 but before nothing.
  const inner = bytes(`000181800000000200000000 02c00e00 ff00 0001 00000005 0000 c00d ff00 0001 00000005 0000`);
  const scratch = new Uint8Array(256);
  t.is(readName(inner, 0, 26, inner.length, scratch), -1);
  t.is(indexed(inner), 'FORMERR');
});

test('indexMessage: allocates nothing', (t) => {
  const message = encodeReply({
    name: 'web.example.',
    answer: Array.from({ length: 40 }, (_, i) => `web.example. 5 IN A 192.0.2.${i}`),
    authority: ['example. 7 IN SOA ns. mail. 1 2 3 4 5'],
    edns: true,
  });
  const rounds: number[] = [];
  for (let round = 0; round < 6; round++) {
    const before = process.memoryUsage().heapUsed;
    for (let i = 0; i < 2000; i++) indexMessage(message, 0, message.length, index, info);
    rounds.push(process.memoryUsage().heapUsed - before);
  }
  // One small object a call would be 2000 times 16 bytes; compiling the function costs some in the first rounds.
  t.true(Math.min(...rounds.map((bytes) => Math.abs(bytes))) < 16_000, `${rounds.join(', ')} bytes`);
});

test('indexMessage: a label that leads behind the end finds nothing of a longer message before', (t) => {
  const record = 'ff00 0001 00000005';
  // At 23 in both: a label of 30 bytes, reached by a pointer. In the longer one it ends at a root label at 54.
  const longer = bytes(`0001 8180 0000 0002 0000 0000 00 ${record} 0020 1e${'61'.repeat(30)}00 c017 ${record} 0000`);
  const shorter = bytes(`0001 8180 0000 0002 0000 0000 00 ${record} 0002 1e61 c017 ${record} 0000`);
  t.is(indexed(longer), 'OK');
  t.is(shorter.length, 37);
  t.is(indexed(shorter), 'FORMERR');
});

const FIXED = 'ff00 0001 00000005';
/** The name of `labels` one-byte labels in the data of the first record, at 23; owners of further records follow. */
function behindName(labels: number, ...owners: string[]): Uint8Array {
  const name = `${'0161'.repeat(labels)}00`;
  const length = (name.length / 2).toString(16).padStart(4, '0');
  const count = (owners.length + 1).toString(16).padStart(4, '0');
  return bytes(
    `0001 8180 0000 ${count} 0000 0000 00 ${FIXED} ${length} ${name} ${owners.map((owner) => `${owner} ${FIXED} 0000`).join('')}`,
  );
}

test('indexMessage: 255 bytes by a pointer are a name, 256 are none, whether the target is known or not', (t) => {
  // 126 labels are 253 bytes with the root; the owner adds a label of 1 or 2 bytes.
  t.is(indexed(behindName(126, '0162c017')), 'OK');
  t.is(indexed(behindName(126, '026262c017')), 'FORMERR');
  t.is(indexed(behindName(126, 'c017', '0162c017')), 'OK');
  t.is(indexed(behindName(126, 'c017', '026262c017')), 'FORMERR');
});

test('indexMessage: a known tail is checked against the labels that lead to it now', (t) => {
  // At 29 a pointer to 23, where `3 61 61 02 0` stands up to 28. From 26 a label of 2 bytes leads to 29 as well, but then
  // 23 to 28 do not lie before it.
  const message = (...owners: string[]): Uint8Array => {
    const count = (owners.length + 1).toString(16).padStart(4, '0');
    const records = owners.map((owner) => `${owner} ${FIXED} 0000`).join('');
    return bytes(`0001 8180 0000 ${count} 0000 0000 00 ${FIXED} 0008 0361610200 61 c017 ${records}`);
  };
  t.is(indexed(message('c01d')), 'OK');
  t.is(indexed(message('c01a')), 'FORMERR');
  t.is(indexed(message('c01d', 'c01a')), 'FORMERR');
});

test('indexMessage: 126 pointers are a name, 127 are none, whether followed at once or record by record', (t) => {
  const stepwise = (records: number): Uint8Array =>
    recordsOf(records, (i, at) => (i === 0 ? '00' : pointer(i === 1 ? at - 11 : at - 12)), '');
  t.is(indexed(stepwise(127)), 'OK');
  t.is(indexed(stepwise(128)), 'FORMERR');
  // A root label at 23, then pointers each to the one before, all of them data of the first record.
  const chain = (pointers: number): Uint8Array => {
    const hex = Array.from({ length: pointers - 1 }, (_, i) =>
      (0xc000 | (i === 0 ? 23 : 22 + 2 * i)).toString(16),
    ).join('');
    const length = (1 + hex.length / 2).toString(16).padStart(4, '0');
    const owner = (0xc000 | (22 + 2 * (pointers - 1))).toString(16);
    return bytes(`0001 8180 0000 0002 0000 0000 00 ${FIXED} ${length} 00${hex} ${owner} ${FIXED} 0000`);
  };
  t.is(indexed(chain(126)), 'OK');
  t.is(indexed(chain(127)), 'FORMERR');
});

test('indexMessage: a query is a message too', (t) => {
  t.is(indexed(encodeQuery({ name: 'a.example.', edns: true })), 'OK');
  t.is(index.count, 0);
});
