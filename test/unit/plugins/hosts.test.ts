// The plugin `hosts` and its source together: what a hosts file and inline entries answer, and when they change.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'ava';
import { ConfigError, type ErrorCode } from '../../../lib/base/errors.ts';
import { Outcome } from '../../../lib/chain/outcome.ts';
import { BlockRig, type Asked } from './block-rig.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'hosts-test-'));
test.after.always(() => fs.rmSync(folder, { recursive: true, force: true }));

let files = 0;
function writeHosts(text: string): string {
  const file = path.join(folder, `hosts-${files++}`);
  fs.writeFileSync(file, text);
  return file;
}

const FILE = writeHosts(
  [
    '# nodes',
    '10.0.0.1 node1 Node1.Example.org # first',
    '10.0.0.2\tnode1',
    'fe80::1%eth0 node1',
    '::ffff:10.0.0.3 mapped',
    '300.1.1.1 broken',
    '10.0.0.9',
    '10.9.9.9 *.wild.test exact.wild.test bad..name',
    '2001:db8::5 exact.wild.test',
  ].join('\n'),
);
const BODY = `hosts ${FILE} {\n192.0.2.1 inline node1\nttl 60\nfallthrough f.test\n}\nwhoami`;

type Expected = { rcode?: string; answers?: readonly string[]; additionals?: number; outcome?: Outcome };
const CASES: readonly (readonly [what: string, name: string, asked: Asked, expected: Expected])[] = [
  [
    'file and inline addresses add up, file first',
    'node1',
    {},
    { answers: ['node1 60 A 10.0.0.1', 'node1 60 A 10.0.0.2', 'node1 60 A 192.0.2.1'] },
  ],
  ['names are found in any case', 'nOde1.eXample.org', {}, { answers: ['nOde1.eXample.org 60 A 10.0.0.1'] }],
  ['the zone of an IPv6 address is dropped', 'node1', { type: 'AAAA' }, { answers: ['node1 60 AAAA fe80::1'] }],
  ['a mapped address is IPv4', 'mapped', {}, { answers: ['mapped 60 A 10.0.0.3'] }],
  ['a known name without the family is NODATA', 'inline', { type: 'AAAA' }, { answers: [] }],
  ['another type of a known name is NODATA', 'inline', { type: 'TXT' }, { answers: [] }],
  ['an unknown name is SERVFAIL', 'nope', {}, { rcode: 'SERVFAIL', outcome: Outcome.FAILED }],
  ['a bad address is left out', 'broken', {}, { rcode: 'SERVFAIL', outcome: Outcome.FAILED }],
  ['an unknown name in a fallthrough zone goes on', 'x.f.test', {}, { answers: [], additionals: 2 }],
  ['a wildcard matches one label', 'any.wild.test', {}, { answers: ['any.wild.test 60 A 10.9.9.9'] }],
  ['a wildcard does not match two labels', 'a.any.wild.test', {}, { rcode: 'SERVFAIL', outcome: Outcome.FAILED }],
  [
    'an exact name beats the wildcard',
    'exact.wild.test',
    { type: 'AAAA' },
    { answers: ['exact.wild.test 60 AAAA 2001:db8::5'] },
  ],
  [
    'PTR of a file address, one record a name',
    '1.0.0.10.in-addr.arpa',
    { type: 'PTR' },
    { answers: ['1.0.0.10.in-addr.arpa 60 PTR node1', '1.0.0.10.in-addr.arpa 60 PTR node1.example.org'] },
  ],
  [
    'PTR of a wildcard address is only the exact name',
    '9.9.9.10.in-addr.arpa',
    { type: 'PTR' },
    { answers: ['9.9.9.10.in-addr.arpa 60 PTR exact.wild.test'] },
  ],
  [
    'PTR of an unknown address goes on without fallthrough',
    '9.0.0.10.in-addr.arpa',
    { type: 'PTR' },
    { answers: [], additionals: 2 },
  ],
];
for (const [
  what,
  name,
  asked,
  { rcode = 'NOERROR', answers = [], additionals = 0, outcome = Outcome.ANSWERED },
] of CASES) {
  test(`hosts: ${what}`, async (t) => {
    const rig = new BlockRig(BODY);
    const reply = await rig.ask(name, asked);
    rig.close();
    t.is(reply.rcode, rcode);
    t.deepEqual(reply.answers, answers);
    t.is(reply.additionals.length, additionals);
    t.is(reply.outcome, outcome);
    t.is(reply.flags.includes('aa'), rcode === 'NOERROR');
    t.is(reply.answer.error, '');
  });
}

test('hosts: only names inside the zones are kept, others go to the next plugin; PTR counts in any zone', async (t) => {
  const rig = new BlockRig('hosts /nosuch/hosts in.test {\n192.0.2.1 a.in.test b.out.test\n}\nwhoami');
  t.deepEqual(rig.warnings, ['plugin/hosts: File does not exist: /nosuch/hosts']);
  t.deepEqual((await rig.ask('a.in.test')).answers, ['a.in.test 3600 A 192.0.2.1']);
  t.is((await rig.ask('b.out.test')).additionals.length, 2);
  t.deepEqual((await rig.ask('1.2.0.192.in-addr.arpa', { type: 'PTR' })).answers, [
    '1.2.0.192.in-addr.arpa 3600 PTR a.in.test',
  ]);
  rig.close();
});

test('hosts: no_reverse makes no PTR', async (t) => {
  const rig = new BlockRig('hosts /nosuch/hosts {\n192.0.2.1 a\nno_reverse\n}\nwhoami');
  t.is((await rig.ask('1.2.0.192.in-addr.arpa', { type: 'PTR' })).additionals.length, 2);
  rig.close();
});

test('hosts: fallthrough_unsupported passes other types of known names on', async (t) => {
  const rig = new BlockRig('hosts /nosuch/hosts {\n192.0.2.1 a\nfallthrough\nfallthrough_unsupported\n}\nwhoami');
  t.is((await rig.ask('a', { type: 'TXT' })).additionals.length, 2);
  t.is((await rig.ask('a', { type: 'AAAA' })).additionals.length, 0);
  rig.close();
});

test('hosts: a changed file is seen at the next look, unchanged names stay, and the metrics follow', async (t) => {
  const file = writeHosts('10.0.0.1 a\n10.0.0.2 b\n');
  fs.utimesSync(file, 1000, 1000);
  const rig = new BlockRig(`hosts ${file} {\nreload 15s\nfallthrough\n}\nwhoami`);
  t.is(rig.metric('coredns_hosts_entries', { hostsfile: file }), 4);
  t.is(rig.metric('coredns_hosts_reload_timestamp_seconds'), 1000);
  fs.writeFileSync(file, '10.0.0.1 a\n10.0.0.3 c\n10.0.0.4 c\n');
  fs.utimesSync(file, 2000, 2000);
  rig.clock.advance(14_999);
  t.is(rig.clock.pending, 1);
  rig.clock.advance(1);
  await waitFor(() => rig.clock.pending === 1);
  t.deepEqual((await rig.ask('c')).answers, ['c 3600 A 10.0.0.3', 'c 3600 A 10.0.0.4']);
  t.deepEqual((await rig.ask('a')).answers, ['a 3600 A 10.0.0.1']);
  t.is((await rig.ask('b')).additionals.length, 2);
  t.is(rig.metric('coredns_hosts_entries', { hostsfile: file }), 6);
  t.is(rig.metric('coredns_hosts_reload_timestamp_seconds'), 2000);
  rig.close();
  t.is(rig.clock.pending, 0);
});

test('hosts: a file that disappears leaves its names in place, one that appears is read', async (t) => {
  const file = path.join(folder, 'appears');
  const rig = new BlockRig(`hosts ${file} {\nreload 5s\nfallthrough\n}\nwhoami`);
  fs.writeFileSync(file, '10.0.0.1 a\n');
  rig.clock.advance(5000);
  await waitFor(() => rig.clock.pending === 1);
  fs.rmSync(file);
  rig.clock.advance(5000);
  await waitFor(() => rig.clock.pending === 1);
  t.deepEqual((await rig.ask('a')).answers, ['a 3600 A 10.0.0.1']);
  rig.close();
});

/** Lets file operations finish; bounded. */
async function waitFor(isDone: () => boolean): Promise<void> {
  for (let turns = 0; turns < 2000 && !isDone(); turns++) await new Promise((resolve) => setImmediate(resolve));
}

const REFUSED: readonly (readonly [body: string, code: ErrorCode, line: number])[] = [
  ['hosts {\nttl 0\n}', 'ARGUMENT_VALUE', 3],
  ['hosts {\nttl 65536\n}', 'ARGUMENT_VALUE', 3],
  ['hosts {\nreload -1s\n}', 'ARGUMENT_VALUE', 3],
  ['hosts {\nfallthrough\n192.0.2.1 late\n}', 'OPTION_UNKNOWN', 4],
  ['hosts {\nfallthrough_unsupported\n}', 'OPTION_CONFLICT', 2],
  ['hosts {\n192.0.2.1 a\n}\nhosts {\n192.0.2.2 b\n}', 'DIRECTIVE_REPEATED', 5],
];
for (const [body, code, line] of REFUSED) {
  test(`hosts refused: ${JSON.stringify(body)}`, (t) => {
    const error = t.throws(() => new BlockRig(body), { instanceOf: ConfigError });
    t.deepEqual([error?.code, error?.line], [code, line]);
  });
}
