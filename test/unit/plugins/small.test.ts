// Plugins with a few rules each, asked through a block: what the client gets.
import test from 'ava';
import { ConfigError, type ErrorCode } from '../../../lib/base/errors.ts';
import { Outcome } from '../../../lib/chain/outcome.ts';
import { answerWith, BlockRig, type Asked } from './block-rig.ts';
import { parseName } from '../../../lib/wire/name.ts';

const NSID = 3;
const LOCAL_SOA =
  '604800 SOA {"mname":"localhost","rname":"root.localhost","serial":1,"refresh":0,"retry":0,"expire":0,"minimum":604800}';

type Case = {
  readonly what: string;
  readonly body: string;
  readonly name: string;
  readonly asked?: Asked;
  readonly rcode?: string;
  readonly flags?: readonly string[];
  readonly answers?: readonly string[];
  readonly authorities?: readonly string[];
  readonly additionals?: readonly string[];
};

const CASES: readonly Case[] = [
  {
    what: 'any: ANY gets one HINFO with the asked spelling (RFC 8482)',
    body: 'any\nwhoami',
    name: 'WWW.example.org',
    asked: { type: 'ANY' },
    answers: ['WWW.example.org 8482 HINFO {"cpu":"ANY obsoleted","os":"See RFC 8482"}'],
  },
  {
    what: 'any: other types pass',
    body: 'any\nwhoami',
    name: 'example.org',
    flags: ['aa', 'rd'],
    additionals: [
      'example.org 0 A 127.0.0.1',
      '_udp.example.org 0 SRV {"priority":0,"weight":0,"port":40053,"target":"."}',
    ],
  },
  {
    what: 'whoami: IPv6 client over TCP',
    body: 'whoami',
    name: 'example.org',
    asked: { from: '2001:db8::7', tcp: true, type: 'MX' },
    flags: ['aa', 'rd'],
    additionals: [
      'example.org 0 AAAA 2001:db8::7',
      '_tcp.example.org 0 SRV {"priority":0,"weight":0,"port":40053,"target":"."}',
    ],
  },
  {
    what: 'chaos: the version given, in class CH',
    body: 'chaos v1 me\nwhoami',
    name: 'version.bind',
    asked: { type: 'TXT', class: 'CH' },
    answers: ['version.bind 0 TXT "v1"'],
  },
  {
    what: 'chaos: class IN passes',
    body: 'chaos v1 me\nwhoami',
    name: 'version.bind',
    asked: { type: 'TXT' },
    flags: ['aa', 'rd'],
    additionals: [
      'version.bind 0 A 127.0.0.1',
      '_udp.version.bind 0 SRV {"priority":0,"weight":0,"port":40053,"target":"."}',
    ],
  },
  {
    what: 'local: localhost. A',
    body: 'local',
    name: 'LOCALHOST',
    answers: ['LOCALHOST 604800 A 127.0.0.1'],
  },
  {
    what: 'local: names under localhost.',
    body: 'local',
    name: 'a.b.localhost',
    asked: { type: 'AAAA' },
    answers: ['a.b.localhost 604800 AAAA ::1'],
  },
  {
    what: 'local: localhost. as a prefix',
    body: 'local',
    name: 'localhost.corp.test',
    answers: ['localhost.corp.test 604800 A 127.0.0.1'],
  },
  {
    what: 'local: another type is NODATA',
    body: 'local',
    name: 'www.localhost',
    asked: { type: 'TXT' },
    authorities: [`www.localhost ${LOCAL_SOA}`],
  },
  {
    what: 'local: NS of the zone',
    body: 'local',
    name: '127.in-addr.arpa',
    asked: { type: 'NS' },
    answers: ['127.in-addr.arpa 604800 NS localhost'],
  },
  {
    what: 'local: SOA of the zone',
    body: 'local',
    name: '0.in-addr.arpa',
    asked: { type: 'SOA' },
    answers: [`0.in-addr.arpa ${LOCAL_SOA}`],
  },
  {
    what: 'local: A of a reverse zone is NODATA',
    body: 'local',
    name: '127.in-addr.arpa',
    authorities: [`127.in-addr.arpa ${LOCAL_SOA}`],
  },
  {
    what: 'local: PTR of 127.0.0.1',
    body: 'local',
    name: '1.0.0.127.in-addr.arpa',
    asked: { type: 'PTR' },
    answers: ['1.0.0.127.in-addr.arpa 604800 PTR localhost'],
  },
  {
    what: 'local: another type of 127.0.0.1 is NODATA',
    body: 'local',
    name: '1.0.0.127.in-addr.arpa',
    authorities: [`127.in-addr.arpa ${LOCAL_SOA}`],
  },
  {
    what: 'local: another reverse name does not exist',
    body: 'local',
    name: 'x.255.in-addr.arpa',
    asked: { type: 'PTR' },
    rcode: 'NXDOMAIN',
    authorities: [`255.in-addr.arpa ${LOCAL_SOA}`],
  },
  { what: 'local: a name that only begins alike passes', body: 'local', name: 'localhostx.test', rcode: 'SERVFAIL' },
  {
    what: 'local: localhost_prefix off',
    body: 'local {\nlocalhost_prefix off\n}',
    name: 'localhost.corp.test',
    rcode: 'SERVFAIL',
  },
  {
    what: 'erratic: fixed address',
    body: 'erratic {\ndrop 0\n}',
    name: 'x.test',
    flags: ['aa', 'rd'],
    answers: ['x.test 0 A 192.0.2.53'],
  },
  {
    what: 'erratic: fixed IPv6 address',
    body: 'erratic {\ndrop 0\n}',
    name: 'x.test',
    asked: { type: 'AAAA' },
    flags: ['aa', 'rd'],
    answers: ['x.test 0 AAAA 2001:db8::53'],
  },
  {
    what: 'erratic: other types SERVFAIL',
    body: 'erratic {\ndrop 0\n}',
    name: 'x.test',
    asked: { type: 'MX' },
    rcode: 'SERVFAIL',
  },
  {
    what: 'erratic: every answer cut',
    body: 'erratic {\ntruncate 1\n}',
    name: 'x.test',
    flags: ['aa', 'tc', 'rd'],
    answers: ['x.test 0 A 192.0.2.53'],
  },
  {
    what: 'header: response flags, the last action wins',
    body: 'header {\nresponse set ra aa\nresponse clear aa rd\n}\nwhoami',
    name: '.',
    asked: { type: 'NS' },
    flags: ['ra'],
    additionals: ['. 0 A 127.0.0.1', '_udp 0 SRV {"priority":0,"weight":0,"port":40053,"target":"."}'],
  },
  { what: 'a chain without an answer is SERVFAIL', body: 'nsid x', name: 'x.test', rcode: 'SERVFAIL' },
];

for (const { what, body, name, asked, ...expected } of CASES) {
  test(what, async (t) => {
    const { rcode, flags, answers, authorities, additionals } = await new BlockRig(body).ask(name, asked);
    const nothing = { rcode: 'NOERROR', flags: ['rd'], answers: [], authorities: [], additionals: [] };
    t.deepEqual({ rcode, flags, answers, authorities, additionals }, { ...nothing, ...expected });
  });
}

test('chaos: each author in a record of its own, long texts cut to 255 bytes', async (t) => {
  const rig = new BlockRig(`chaos v1 zoe ${'a'.repeat(300)} zoe`);
  t.true(rig.context.listener.anyClass);
  const { answers } = await rig.ask('authors.bind', { type: 'TXT', class: 'CH' });
  t.deepEqual([...answers].sort(), [`authors.bind 0 TXT "${'a'.repeat(255)}"`, 'authors.bind 0 TXT "zoe"']);
});

test('nsid: sent to clients that ask, and only to them (RFC 5001)', async (t) => {
  const rig = new BlockRig('nsid Use The Force\nwhoami');
  const text = Buffer.from('Use The Force');
  const asked = await rig.ask('x.test', { options: [{ code: NSID, data: Buffer.alloc(0) }] });
  t.true(asked.bytes.includes(Buffer.concat([Buffer.from([0, NSID, 0, text.length]), text])));
  const other = await rig.ask('x.test', { udpSize: 1232 });
  t.false(other.bytes.includes(text));
});

test('bufsize: a larger size is lowered in the query, its message and the reply', async (t) => {
  const rig = new BlockRig('bufsize 1100\nwhoami');
  const { query, bytes } = await rig.ask('x.test', { udpSize: 4096 });
  t.is(query.sizeLimit, 1100);
  t.is(Buffer.from(query.packet).readUInt16BE(query.packetLength - 8), 1100);
  t.is(bytes.readUInt16BE(bytes.length - 8), 1100);
  t.is((await rig.ask('x.test', { udpSize: 800 })).query.udpSize, 800);
  t.is((await rig.ask('x.test')).query.udpSize, 512);
});

test('cancel: sets the deadline, 5001 ms unless given', async (t) => {
  t.is((await new BlockRig('cancel\nwhoami').ask('x.test')).query.deadlineMs, 5001);
  t.is((await new BlockRig('cancel 1s\nwhoami').ask('x.test')).query.deadlineMs, 1000);
});

test('metadata: a table per query that log can show', async (t) => {
  const rig = new BlockRig('metadata\nwhoami');
  t.is((await rig.ask('x.test')).query.metadata?.size, 0);
});

test('minimal: a positive answer loses its other sections, a denial and a referral keep them', async (t) => {
  const owner = parseName('x.test.')!;
  const ns = (section: 0 | 1 | 2) =>
    [
      section,
      owner,
      2,
      60,
      (a: { writeName(name: Uint8Array): void }) => a.writeName(parseName('ns.x.test.')!),
    ] as const;
  const address = (section: 0 | 1 | 2) =>
    [section, owner, 1, 60, (a: { putLong(v: number): void }) => a.putLong(0x7f000001)] as const;
  const positive = await new BlockRig('minimal', { last: answerWith([address(0), ns(1), address(2)]) }).ask('x.test');
  t.deepEqual([positive.answers.length, positive.authorities.length, positive.additionals.length], [1, 0, 0]);
  t.is(positive.answer.length + positive.answer.saved, 12 + 12 + 22);
  const referral = await new BlockRig('minimal', { last: answerWith([ns(1), address(2)]) }).ask('x.test');
  t.deepEqual([referral.authorities.length, referral.additionals.length], [1, 1]);
  const denial = await new BlockRig('minimal', { last: answerWith([ns(1)], 3) }).ask('x.test');
  t.is(denial.authorities.length, 1);
});

test('erratic: drops every second query by default, delays by the clock', async (t) => {
  const dropping = new BlockRig('erratic');
  t.is((await dropping.ask('x.test')).outcome, Outcome.DROPPED);
  t.is((await dropping.ask('x.test')).outcome, Outcome.ANSWERED);
  const slow = new BlockRig('erratic {\ndelay 1 50ms\n}');
  const reply = slow.ask('x.test');
  t.is(slow.clock.pending, 1);
  slow.clock.advance(50);
  t.is((await reply).rcode, 'NOERROR');
});

test('header: query flags are changed in the message that forward sends on', async (t) => {
  const { query, flags } = await new BlockRig('header {\nquery clear rd\n}\nwhoami').ask('x.test');
  t.is(query.packet[2]! & 1, 0);
  t.deepEqual(flags, ['aa']);
});

const REFUSED: readonly (readonly [body: string, code: ErrorCode, message: string])[] = [
  ['any hinfo', 'ARGUMENT_COUNT', 'any: takes no arguments, has 1'],
  ['whoami now', 'ARGUMENT_COUNT', 'whoami: takes no arguments, has 1'],
  ['whoami {\nx\n}', 'ARGUMENT_COUNT', 'whoami: takes no block'],
  ['chaos v {\nx\n}', 'OPTION_UNKNOWN', 'chaos: unknown option "x"'],
  ['local please', 'ARGUMENT_COUNT', 'local: takes no arguments, has 1'],
  ['local {\nlocalhost_prefix maybe\n}', 'ARGUMENT_VALUE', 'local: localhost_prefix: expected on or off, not "maybe"'],
  ['nsid a\nnsid b', 'DIRECTIVE_REPEATED', 'nsid: can stand once in a server block, the first one is in line 2'],
  ['bufsize 511', 'ARGUMENT_VALUE', 'bufsize: expected an integer from 512 to 4096, not "511"'],
  ['bufsize big', 'ARGUMENT_VALUE', 'bufsize: expected an integer from 512 to 4096, not "big"'],
  ['bufsize 1232 512', 'ARGUMENT_COUNT', 'bufsize: takes 0 to 1 argument, has 2'],
  ['header {\nresponse set xx\n}', 'ARGUMENT_VALUE', 'header: response: expected aa or ra or rd, not "xx"'],
  ['header {\nresponse toggle ra\n}', 'ARGUMENT_VALUE', 'header: response: expected set or clear, not "toggle"'],
  ['header {\nresponse set\n}', 'ARGUMENT_COUNT', 'header: response: takes at least 2 arguments, has 1'],
  ['header {\nboth set ra\n}', 'OPTION_UNKNOWN', 'header: unknown option "both", options are query, response'],
  ['header', 'ARGUMENT_COUNT', 'header: no flag is changed, write "response set ra" or the like into its block'],
  ['minimal x', 'ARGUMENT_COUNT', 'minimal: takes no arguments, has 1'],
  ['erratic {\ndrop all\n}', 'ARGUMENT_VALUE', 'erratic: drop: expected an integer from 0 to 2147483647, not "all"'],
  [
    'erratic {\ndelay 3 fast\n}',
    'ARGUMENT_VALUE',
    'erratic: delay: expected a duration with a unit (300ms, 30s, 1h30m), not "fast"',
  ],
  [
    'erratic {\ngarble 3\n}',
    'OPTION_UNKNOWN',
    'erratic: unknown option "garble", options are drop, delay, truncate, large',
  ],
  ['cancel 5', 'ARGUMENT_VALUE', 'cancel: expected a duration with a unit (300ms, 30s, 1h30m), not "5"'],
  ['cancel -1s', 'ARGUMENT_VALUE', 'cancel: expected a duration above 0, not "-1s"'],
  ['cancel 1s 2s', 'ARGUMENT_COUNT', 'cancel: takes 0 to 1 argument, has 2'],
  ['metadata {\nx\n}', 'ARGUMENT_COUNT', 'metadata: takes no block'],
];
for (const [body, code, message] of REFUSED) {
  test(`refused: ${JSON.stringify(body)}`, (t) => {
    const error = t.throws(() => new BlockRig(body), { instanceOf: ConfigError });
    t.is(error?.code, code);
    t.is(error?.message, message);
  });
}
