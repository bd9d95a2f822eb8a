// The plugin `log`: which queries get a line and what stands in it; and the line itself from every kind of reply.
import test from 'ava';
import { LineWriter } from '../../../lib/base/line-writer.ts';
import { Answer } from '../../../lib/chain/answer.ts';
import { Outcome } from '../../../lib/chain/outcome.ts';
import type { Handler, HandlerFactory } from '../../../lib/chain/plugin.ts';
import { createLogHandler } from '../../../lib/plugins/log/handler.ts';
import { compileFormat } from '../../../lib/plugins/log/line.ts';
import type { LogOptions } from '../../../lib/plugins/log/setup.ts';
import { parseName } from '../../../lib/wire/name.ts';
import { ConfigError } from '../../../lib/base/errors.ts';
import { answerWith, BlockRig, type Asked, type FixedRecord } from './block-rig.ts';

const OWNER = parseName('www.example.org.')!;
const A: FixedRecord = [0, OWNER, 1, 60, (answer) => answer.putLong(0x0a000001)];
const SOA: FixedRecord = [1, OWNER, 6, 60, (answer) => answer.putBytes(new Uint8Array(22), 0, 22)];
const NS: FixedRecord = [1, OWNER, 2, 60, (answer) => answer.writeName(OWNER)];

const fail: Handler = (_query, answer) => {
  answer.fail(2, 'why');
  return Outcome.FAILED;
};

/** Asks a block that ends in `last` and returns what `log` wrote. */
async function logged(body: string, last: Handler, name: string, asked: Asked = {}, durationMs = 0): Promise<string> {
  let text = '';
  const writer = new LineWriter(1, {
    write: (bytes, from, length, done) => {
      text += Buffer.from(bytes.subarray(from, from + length)).toString();
      done(null, length);
    },
    writeNow: (bytes, from, length) => {
      text += Buffer.from(bytes.subarray(from, from + length)).toString();
      return length;
    },
  });
  const rig = new BlockRig(body, { last });
  const options = rig.chain.find(({ plugin }) => plugin === 'log')!.options as LogOptions;
  const env = {
    next: last,
    clock: rig.clock,
    cells: rig.cells,
    onClose: () => undefined,
  } as unknown as Parameters<HandlerFactory<LogOptions>>[1];
  const slow: Handler = (query, answer) => {
    rig.clock.advance(durationMs);
    return last(query, answer);
  };
  const handler = createLogHandler(options, { ...env, next: slow }, writer);
  const query = rig.makeQuery(name, asked);
  const answer = new Answer();
  answer.begin(query);
  await handler(query, answer);
  writer.close();
  return text;
}

const LINES: readonly (readonly [
  what: string,
  line: string,
  last: Handler,
  name: string,
  asked?: Asked,
  ms?: number,
])[] = [
  [
    'common format, name in lower case, uncompressed sizes',
    '[INFO] 127.0.0.1:40053 - 4711 "A IN www.example.org. udp 33 false 512" NOERROR qr,rd 64 0.00125s\n',
    answerWith([A]),
    'WWW.example.ORG',
    {},
    1.25,
  ],
  [
    'IPv6, TCP, EDNS',
    '[INFO] [2001:db8::1]:40053 - 4711 "AAAA IN www.example.org. tcp 44 true 65535" NXDOMAIN qr,rd 33 0s\n',
    answerWith([], 3),
    'www.example.org',
    { from: '2001:db8::1', tcp: true, type: 'AAAA', dnssecOk: true },
  ],
  [
    'a failure is logged as the reply the server makes',
    '[INFO] 127.0.0.1:40053 - 4711 "TYPE65280 IN . udp 17 false 512" SERVFAIL qr,rd 17 2s\n',
    fail,
    '.',
    { type: 'UNKNOWN_65280' },
    2000,
  ],
  [
    'a dropped query has no reply',
    '[INFO] 127.0.0.1:40053 - 4711 "A IN x. udp 19 false 4096" - - 0 0s\n',
    () => Outcome.DROPPED,
    'x',
    { udpSize: 4096 },
  ],
];
for (const [what, line, last, name, asked, ms] of LINES) {
  test(`log: ${what}`, async (t) => {
    const expected = asked?.udpSize === undefined ? line : line.replace(' 19 ', ' 30 ');
    t.is(await logged('log', last, name, asked, ms), expected);
  });
}

test('log: a reply that waits is logged when it is there', async (t) => {
  const late: Handler = async (query, answer) => {
    await Promise.resolve();
    return answerWith([A])(query, answer);
  };
  t.regex(await logged('log', late, 'www.example.org'), / NOERROR qr,rd 64 /);
});

test('log: a reply that will be cut shows tc', async (t) => {
  const many = answerWith(Array.from({ length: 40 }, () => A));
  t.regex(await logged('log', many, 'www.example.org'), / NOERROR qr,tc,rd 1273 /);
});

const CLASSES: readonly (readonly [what: string, last: Handler, expected: string])[] = [
  ['NOERROR with an answer', answerWith([A]), 'success'],
  ['NOERROR with nothing', answerWith([]), 'success'],
  ['a referral', answerWith([NS]), 'success'],
  ['NXDOMAIN', answerWith([SOA], 3), 'denial'],
  ['NXDOMAIN without SOA', answerWith([], 3), 'denial'],
  ['NODATA', answerWith([SOA]), 'denial'],
  ['NXDOMAIN with an answer', answerWith([A], 3), 'error'],
  ['SERVFAIL', fail, 'error'],
  ['a dropped query', () => Outcome.DROPPED, 'error'],
];
for (const [what, last, expected] of CLASSES) {
  test(`log: ${what} is of class ${expected}`, async (t) => {
    const seen: string[] = [];
    for (const name of ['success', 'denial', 'error', 'all']) {
      if ((await logged(`log {\nclass ${name}\n}`, last, 'www.example.org')) !== '') seen.push(name);
    }
    t.deepEqual(seen, [expected, 'all']);
  });
}

const FORMATS: readonly (readonly [directive: string, line: string])[] = [
  [
    'log . "{name}|{/a/b}|{what}|{ {type} }|{local}|{>opcode}|}"',
    '[INFO] www.example.org.|-|{what}|{ A }|0.0.0.0|0|}\n',
  ],
  [
    'log . "{combined}"',
    '[INFO] 127.0.0.1:40053 - 4711 "A IN www.example.org. udp 33 false 512" NOERROR qr,rd 64 0s "0"\n',
  ],
  ['log {name}', ''],
  ['log other.test "x {name}"', ''],
  ['log other.test\nlog example.org "second {type}"\nlog . "third"', '[INFO] second A\n'],
  ['log a..b', ''],
];
for (const [directive, line] of FORMATS) {
  test(`log: ${JSON.stringify(directive)}`, async (t) => {
    t.is(await logged(directive, answerWith([A]), 'www.example.org'), line);
  });
}

test('log: sets what metadata shows of the reply', async (t) => {
  const rig = new BlockRig('metadata\nlog {\nclass error\n}', { last: answerWith([SOA]) });
  const { query } = await rig.ask('www.example.org');
  t.deepEqual(
    [...query.metadata!],
    [
      ['log/type', 'NODATA'],
      ['log/class', 'denial'],
    ],
  );
  rig.close();
});

test('log: a name with odd bytes cannot break the line', async (t) => {
  const line = await logged('log . "{name}"', answerWith([]), 'a\nb c.example.org');
  t.is(line, '[INFO] a\\010b\\032c.example.org.\n');
});

test('log: a line is cut at its bound', async (t) => {
  const line = await logged(`log . "{name}${'x'.repeat(5000)}"`, answerWith([]), 'www.example.org');
  t.is(line.length, 4096);
  t.true(line.endsWith('x\n'));
});

test('log: fields and text are told apart once', (t) => {
  const kinds = (format: string): number => compileFormat(format).length;
  t.is(kinds('no field'), 1);
  t.is(kinds('{type}{name}'), 2);
  t.is(kinds('a{type}b{/m/x}c'), 5);
  t.is(kinds(''), 0);
});

test('log refused: an unknown class and an unknown option', (t) => {
  t.throws(() => new BlockRig('log {\nclass nosuch\n}'), {
    instanceOf: ConfigError,
    message: 'log: class: expected all or success or denial or error, not "nosuch"',
  });
  t.throws(() => new BlockRig('log {\nnosuch\n}'), { instanceOf: ConfigError, message: /unknown option "nosuch"/ });
  t.throws(() => new BlockRig('log {\nclass\n}'), { instanceOf: ConfigError, message: /takes at least 1 argument/ });
});
