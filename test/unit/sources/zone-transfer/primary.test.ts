// What a primary may send over TCP and what is made of it: sockets on loopback.
import net, { type AddressInfo } from 'node:net';
import test from 'ava';
import { tcpPrimaryClient } from '../../../../lib/sources/zone-transfer/primary.ts';
import { MessageWriter } from '../../../../lib/wire/message-writer.ts';
import { parseNameLower } from '../../../../lib/wire/name.ts';
import { formatRecord, parseRecord, type ResourceRecord } from '../../../../lib/wire/record.ts';
import { SECTION } from '../../../../lib/wire/record-index.ts';
import { CLASS, RRTYPE } from '../../../../lib/wire/types.ts';

const ORIGIN = parseNameLower('z.test.')!;
const SOA = 'Z.test. 60 IN SOA ns.z.test. h.z.test. 7 1 2 3 4';

/** The reply's messages, each with its records; `flags` of all, QR by default. */
type Script = {
  readonly messages: readonly (readonly string[])[];
  readonly flags?: number;
  readonly hasWrongId?: boolean;
  readonly cut?: number;
};

/** Answers the first query of a connection, in pieces of 7 bytes, then closes when told to. */
async function withPrimary<T>(script: Script, run: (port: number) => Promise<T>): Promise<T> {
  const server = net.createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', (query) => {
      const reply = Buffer.concat(
        script.messages.map((records, i) => frame(records, i, script, query.readUInt16BE(2))),
      );
      const bytes = script.cut === undefined ? reply : reply.subarray(0, script.cut);
      for (let at = 0; at < bytes.length; at += 7) socket.write(bytes.subarray(at, at + 7));
      if (script.cut !== undefined) socket.end();
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  try {
    return await run((server.address() as AddressInfo).port);
  } finally {
    server.close();
  }
}

function frame(
  records: readonly string[],
  index: number,
  { flags = 0x8400, hasWrongId = false }: Script,
  queryId: number,
): Buffer {
  const writer = new MessageWriter();
  writer.begin(hasWrongId ? queryId ^ 1 : queryId, flags);
  // Later messages may leave the question out (RFC 5936 section 2.2.1).
  if (index === 0) writer.addQuestion(ORIGIN, RRTYPE.AXFR, CLASS.IN);
  for (const record of records) writer.addRecord(SECTION.ANSWER, parseRecord(record));
  const message = writer.bytes.slice(0, writer.finish());
  return Buffer.concat([Buffer.of(message.length >>> 8, message.length & 255), message]);
}

const ask = (port: number): ReturnType<typeof tcpPrimaryClient.fetchZone> =>
  tcpPrimaryClient.fetchZone(ORIGIN, { address: '127.0.0.1', port }, new AbortController().signal);

test('fetchZone: a zone in several messages is one zone, its last SOA record left out', async (t) => {
  const messages = [
    [SOA],
    ['a.z.test. 5 IN A 192.0.2.1', 'a.z.test. 5 IN MX 1 WWW.z.test.'],
    ['other.test. 5 IN A 192.0.2.2', SOA],
  ];
  const contents = await withPrimary({ messages }, ask);
  t.is(contents.serial, 7);
  t.is(contents.recordCount, 3);
  t.is(contents.warnings.length, 1);
});

test('fetchZone: a zone of an SOA record alone takes it twice', async (t) => {
  t.is((await withPrimary({ messages: [[SOA, SOA]] }, ask)).recordCount, 1);
});

const BROKEN: readonly (readonly [what: string, script: Script, message: RegExp])[] = [
  ['REFUSED', { messages: [[]], flags: 0x8405 }, /bad xfr rcode: REFUSED/],
  ['another ID', { messages: [[SOA, SOA]], hasWrongId: true }, /not a reply/],
  ['a query', { messages: [[SOA, SOA]], flags: 0 }, /not a reply/],
  ['no records', { messages: [[]] }, /without records/],
  ['another record first', { messages: [['a.z.test. 5 IN A 192.0.2.1', SOA]] }, /first record is not the SOA/],
  [
    'the SOA record of another zone',
    { messages: [[SOA.replace('Z.test', 'y.z.test')]] },
    /first record is not the SOA/,
  ],
  ['another serial at the end', { messages: [[SOA, SOA.replace(' 7 ', ' 8 ')]] }, /changed during the transfer/],
  ['records behind the end', { messages: [[SOA, SOA, 'a.z.test. 5 IN A 192.0.2.1']] }, /follow the last SOA/],
  ['an early end', { messages: [[SOA, 'a.z.test. 5 IN A 192.0.2.1']], cut: 60 }, /closed before the end/],
];
for (const [what, script, message] of BROKEN) {
  test(`fetchZone: ${what} is no zone`, async (t) => {
    await t.throwsAsync(withPrimary(script, ask), { message });
  });
}

test('fetchZone: no listener, and an abort under way, reject', async (t) => {
  const port = await withPrimary({ messages: [] }, (free) => Promise.resolve(free));
  await t.throwsAsync(ask(port), { message: /ECONNREFUSED/ });
  const abort = new AbortController();
  await withPrimary({ messages: [] }, async (open) => {
    const asked = tcpPrimaryClient.fetchZone(ORIGIN, { address: '127.0.0.1', port: open }, abort.signal);
    setImmediate(() => abort.abort());
    await t.throwsAsync(asked);
  });
});

test('fetchSerial: the serial of the SOA record, or why there is none', async (t) => {
  const serial = (script: Script): Promise<number> =>
    withPrimary(script, (port) =>
      tcpPrimaryClient.fetchSerial(ORIGIN, { address: '127.0.0.1', port }, new AbortController().signal),
    );
  t.is(await serial({ messages: [[SOA]] }), 7);
  await t.throwsAsync(serial({ messages: [['z.test. 5 IN A 192.0.2.1']] }), { message: /no SOA record/ });
});

const soa = (serial: number): string => `z.test. 60 IN SOA ns.z.test. h.z.test. ${serial} 1 2 3 4`;
const HELD = parseRecord(soa(5)).rdata;

/** `current`, `whole SERIAL RECORDS`, or the steps. */
async function askChange(port: number): Promise<unknown> {
  const primary = { address: '127.0.0.1', port };
  const change = await tcpPrimaryClient.fetchChange(ORIGIN, HELD, primary, new AbortController().signal);
  if (change.kind === 'current') return 'current';
  if (change.kind === 'whole') return `whole ${change.contents.serial} ${change.contents.recordCount}`;
  const text = (records: readonly ResourceRecord[]): string => records.map((record) => formatRecord(record)).join(', ');
  return change.steps.map(({ removed, added }) => `-${text(removed)} +${text(added)}`);
}

const A1 = 'a.z.test. 5 IN A 192.0.2.1';
const A2 = 'a.z.test. 5 IN A 192.0.2.2';
const A3 = 'a.z.test. 5 IN A 192.0.2.3';

const CHANGES: readonly (readonly [what: string, messages: readonly (readonly string[])[], expected: unknown])[] = [
  ['the same version', [[soa(5)]], 'current'],
  ['an older version', [[soa(4)]], 'current'],
  ['a whole zone', [[soa(7), A1, soa(7)]], 'whole 7 2'],
  ['a whole zone in several messages', [[soa(7)], [A1], [A2, soa(7)]], 'whole 7 3'],
  ['a whole zone of a SOA record alone', [[soa(7), soa(7)]], 'whole 7 1'],
  ['one step', [[soa(7), soa(5), A1, soa(7), A2, soa(7)]], [`-${A1} +${A2}`]],
  ['a step that only adds', [[soa(7), soa(5), soa(7), A2, soa(7)]], [`- +${A2}`]],
  ['a step that only removes', [[soa(7), soa(5), A1, soa(7), soa(7)]], [`-${A1} +`]],
  [
    'two steps in several messages',
    [[soa(7)], [soa(5), A1, soa(6), A2], [soa(6)], [A2, soa(7), A3, soa(7)]],
    [`-${A1} +${A2}`, `-${A2} +${A3}`],
  ],
];
for (const [what, messages, expected] of CHANGES) {
  test(`fetchChange: ${what}`, async (t) => {
    t.deepEqual(await withPrimary({ messages }, askChange), expected);
  });
}

const BROKEN_CHANGES: readonly (readonly [what: string, script: Script, message: RegExp])[] = [
  ['not implemented', { messages: [[soa(7)]], flags: 0x8404 }, /NOTIMP/],
  ['no SOA record first', { messages: [[A1, soa(7)]] }, /first record/],
  [
    'a gap between steps',
    { messages: [[soa(9), soa(5), A1, soa(6), A2, soa(7), A2, soa(9), A3, soa(9)]] },
    /are missing/,
  ],
  ['a step backwards', { messages: [[soa(9), soa(5), A1, soa(4), A2, soa(9)]] }, /no newer version/],
  ['a step too far', { messages: [[soa(9), soa(5), A1, soa(10), A2, soa(9)]] }, /no newer version/],
  ['records behind the end', { messages: [[soa(7), soa(5), soa(7), soa(7), A1]] }, /records follow/],
  ['no end', { messages: [[soa(7), soa(5), A1, soa(7), A2]], cut: 10_000 }, /closed before the end/],
];
for (const [what, script, message] of BROKEN_CHANGES) {
  test(`fetchChange: ${what} is an error`, async (t) => {
    await t.throwsAsync(withPrimary(script, askChange), { message, name: 'TransferError' });
  });
}
