import test from 'ava';
import dnsPacket from 'dns-packet';
import * as fc from 'fast-check';
import { INDEXED, MessageInfo, indexMessage } from '../../../lib/wire/message-reader.ts';
import { MessageWriter } from '../../../lib/wire/message-writer.ts';
import { parseName } from '../../../lib/wire/name.ts';
import { RecordIndex, SECTION } from '../../../lib/wire/record-index.ts';
import { formatRecord, parseRecord } from '../../../lib/wire/record.ts';
import { CLASS, RRTYPE } from '../../../lib/wire/types.ts';
import { decodeMessage, encodeReply } from '../wire-text.ts';
import { anyName, anyRecord } from './arbitraries.ts';

// The same cases at every run; another seed here looks further.
fc.configureGlobal({ seed: 1 });

const NO_OPTIONS = new Uint8Array(0);
const name = (text: string): Uint8Array => parseName(text)!;
const written = (writer: MessageWriter): Uint8Array => {
  const length = writer.finish();
  return writer.bytes.slice(0, length);
};

test('MessageWriter: names are compressed where it is allowed, letter case stays', (t) => {
  const writer = new MessageWriter();
  writer.begin(7, 0x8180);
  writer.addQuestion(name('Web.example.'), RRTYPE.MX, CLASS.IN);
  writer.addRecord(SECTION.ANSWER, parseRecord('Web.example. 5 IN MX 10 mail.example.'));
  writer.addRecord(SECTION.ANSWER, parseRecord('web.example. 5 IN SRV 1 2 3 mail.example.'));
  const bytes = written(writer);
  // Question 17; MX: pointer 2, fixed 10, preference 2, `mail` and a pointer 7; SRV: `web` and a pointer 6, 10, 6, 14.
  t.is(bytes.length, 12 + 17 + (2 + 10 + 2 + 7) + (6 + 10 + 6 + 14));
  t.deepEqual(decodeMessage(bytes).answer, [
    'Web.example. 5 IN MX 10 mail.example.',
    'web.example. 5 IN SRV 1 2 3 mail.example.',
  ]);
});

test('MessageWriter: dns-packet reads the same records', (t) => {
  const writer = new MessageWriter();
  writer.begin(7, 0x8580);
  writer.addQuestion(name('a.example.'), RRTYPE.ANY, CLASS.IN);
  for (const text of [
    'a.example. 5 IN A 192.0.2.1',
    'a.example. 5 IN AAAA 2001:db8::1',
    'b.a.example. 6 IN SRV 1 2 3 a.example.',
    'a.example. 6 IN TXT "x y" z',
  ]) {
    t.true(writer.addRecord(SECTION.ANSWER, parseRecord(text)));
  }
  t.true(writer.addRecord(SECTION.AUTHORITY, parseRecord('example. 7 IN SOA ns.example. mail.example. 1 2 3 4 5')));
  t.true(writer.addRecord(SECTION.ADDITIONAL, parseRecord('ns.example. 8 IN A 192.0.2.3')));
  t.true(writer.addOpt(1400, 0, 0, 0x8000, NO_OPTIONS));
  const message = dnsPacket.decode(Buffer.from(written(writer)));
  t.deepEqual(
    message.answers?.map((answer) => [answer.name, answer.type, 'ttl' in answer ? answer.ttl : 0]),
    [
      ['a.example', 'A', 5],
      ['a.example', 'AAAA', 5],
      ['b.a.example', 'SRV', 6],
      ['a.example', 'TXT', 6],
    ],
  );
  t.like(message.answers?.[1], { data: '2001:db8::1' });
  t.like(message.answers?.[2], { data: { priority: 1, weight: 2, port: 3, target: 'a.example' } });
  t.like(message.authorities?.[0], {
    type: 'SOA',
    data: { mname: 'ns.example', rname: 'mail.example', serial: 1, minimum: 5 },
  });
  t.like(message.additionals?.[1], { type: 'OPT', udpPayloadSize: 1400, flag_do: true });
});

test('MessageWriter: written, indexed and read again, every record is the same', (t) => {
  const writer = new MessageWriter();
  const index = new RecordIndex();
  const info = new MessageInfo();
  fc.assert(
    fc.property(anyName, fc.array(anyRecord, { maxLength: 12 }), fc.nat(2), (qname, records, sections) => {
      writer.begin(1, 0x8180);
      t.true(writer.addQuestion(qname, RRTYPE.A, CLASS.IN));
      const sectionOf = (i: number): 0 | 1 | 2 =>
        Math.min(2, Math.floor((i * (sections + 1)) / (records.length + 1))) as 0 | 1 | 2;
      for (const [i, record] of records.entries()) t.true(writer.addRecord(sectionOf(i), record));
      const bytes = written(writer);
      t.is(indexMessage(bytes, 0, bytes.length, index, info), INDEXED.OK);
      t.is(info.end, bytes.length);
      const text = records.map((record) => formatRecord(record));
      const { answer, authority, additional } = decodeMessage(bytes);
      t.deepEqual([...answer, ...authority, ...additional], text);
      for (let i = 0; i < index.count; i++) {
        t.deepEqual(
          [index.ownerAt(i), index.ttlAt(i), index.endAt(i), index.section(i)],
          [writer.records.ownerAt(i), writer.records.ttlAt(i), writer.records.endAt(i), writer.records.section(i)],
        );
      }
      // A copy, record by record, from another place in memory is the same message.
      const shifted = Uint8Array.from([...bytes.subarray(0, 5), ...bytes]);
      const copy = new MessageWriter();
      copy.begin(1, 0x8180);
      copy.addQuestion(qname, RRTYPE.A, CLASS.IN);
      for (let i = 0; i < index.count; i++) t.true(copy.copyRecord(index.section(i), shifted, 5, index, i));
      t.deepEqual(written(copy), bytes);
    }),
    { numRuns: 300 },
  );
});

test('MessageWriter: an OPT that stood in the middle can be put at the end', (t) => {
  const before = encodeReply({
    name: 'a.example.',
    answer: ['a.example. 5 IN CNAME b.example.'],
    additional: ['b.example. 5 IN A 192.0.2.1'],
  });
  const index = new RecordIndex();
  const info = new MessageInfo();
  t.is(indexMessage(before, 0, before.length, index, info), INDEXED.OK);
  const writer = new MessageWriter();
  writer.begin(2, 0x8180);
  writer.addQuestion(name('a.example.'), RRTYPE.A, CLASS.IN);
  for (let i = 0; i < index.count; i++) writer.copyRecord(index.section(i), before, 0, index, i);
  writer.addOpt(1232, 16, 0, 0, Uint8Array.of(0, 15, 0, 2, 0, 18));
  const message = decodeMessage(written(writer));
  t.deepEqual(message.additional, ['b.example. 5 IN A 192.0.2.1']);
  t.deepEqual(message.edns?.options, ['15:0012']);
  t.is(message.rcode, 'BADVERS');
});

test('MessageWriter: a record that does not fit is left out whole, smaller ones still fit', (t) => {
  const writer = new MessageWriter();
  writer.begin(1, 0x8180, 100);
  t.true(writer.addQuestion(name('a.example.'), RRTYPE.TXT, CLASS.IN));
  t.false(writer.addRecord(SECTION.ANSWER, parseRecord(`new.label. 5 IN TXT "${'x'.repeat(80)}"`)));
  // `new.label.` was taken back with its record: this owner must not point to it.
  t.true(writer.addRecord(SECTION.ANSWER, parseRecord('new.label. 5 IN TXT "y"')));
  t.false(writer.addOpt(1232, 0, 0, 0, new Uint8Array(60)));
  const message = decodeMessage(written(writer));
  t.deepEqual(message.answer, ['new.label. 5 IN TXT "y"']);
  t.is(message.edns, undefined);
});

test('MessageWriter: never over 65,535 bytes, pointers only below 0x4000', (t) => {
  const writer = new MessageWriter();
  writer.begin(1, 0x8180, 1_000_000);
  let count = 0;
  while (
    writer.addRecord(
      SECTION.ANSWER,
      parseRecord(`host-${count}.Zone-${count >>> 4}.example. 5 IN MX 1 mail-${count}.zone-${count >>> 4}.example.`),
    )
  )
    count++;
  const bytes = written(writer);
  t.true(bytes.length <= 65_535 && bytes.length > 65_400, `${bytes.length}`);
  const message = decodeMessage(bytes);
  t.is(message.answer.length, count);
  t.is(
    message.answer[count - 1],
    `host-${count - 1}.Zone-${(count - 1) >>> 4}.example. 5 IN MX 1 mail-${count - 1}.zone-${(count - 1) >>> 4}.example.`,
  );
});

test('MessageWriter: a message begun anew has no names of the last one', (t) => {
  const writer = new MessageWriter();
  for (let round = 0; round < 3; round++) {
    writer.begin(round, 0x8180);
    writer.addQuestion(name(`r${round}.example.`), RRTYPE.A, CLASS.IN);
    writer.addRecord(SECTION.ANSWER, parseRecord('r0.example. 5 IN CNAME r1.example.'));
    t.deepEqual(decodeMessage(written(writer)).answer, ['r0.example. 5 IN CNAME r1.example.']);
  }
});
