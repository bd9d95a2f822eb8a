// The plugin `loadbalance`: order of sections, shuffling, preferred ranges, weights. Nothing but the order changes.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'ava';
import { ConfigError } from '../../../lib/base/errors.ts';
import { parseWeights } from '../../../lib/plugins/loadbalance/weights.ts';
import { parseName } from '../../../lib/wire/name.ts';
import { answerWith, BlockRig, type FixedRecord } from './block-rig.ts';

const OWNER = parseName('www.example.org.')!;
const TARGET = parseName('target.example.org.')!;
const MAIL = parseName('mail.example.org.')!;

const address = (section: 0 | 1 | 2, owner: Uint8Array, last: number, ttl = 60): FixedRecord => [
  section,
  owner,
  1,
  ttl,
  (answer) => answer.putLong(0x0a000000 + last),
];
const address6 = (section: 0 | 1 | 2, owner: Uint8Array, last: number): FixedRecord => [
  section,
  owner,
  28,
  60,
  (answer) =>
    answer.putBytes(Uint8Array.from([0x20, 1, 13, 0xb8, ...Array.from({ length: 11 }, () => 0), last]), 0, 16),
];
const cname: FixedRecord = [0, OWNER, 5, 60, (answer) => answer.writeName(TARGET)];
const mx = (preference: number, exchange: Uint8Array): FixedRecord => [
  0,
  OWNER,
  15,
  60,
  (answer) => {
    answer.putShort(preference);
    answer.writeName(exchange);
  },
];
const txt: FixedRecord = [0, OWNER, 16, 60, (answer) => answer.putBytes(Uint8Array.of(1, 0x78), 0, 2)];
const srv = (target: Uint8Array): FixedRecord => [
  0,
  OWNER,
  33,
  60,
  (answer) => {
    answer.putLong(0);
    answer.putShort(53);
    answer.writePlainName(target);
  },
];

const ADDRESSES = Array.from({ length: 5 }, (_, i) => address(0, OWNER, i, 60 + i));

test('loadbalance: addresses of one name come in every order, each with its own TTL', async (t) => {
  const rig = new BlockRig('loadbalance', { last: answerWith(ADDRESSES) });
  const first = new Map<string, number>();
  const all = ADDRESSES.map((_, i) => `www.example.org ${60 + i} A 10.0.0.${i}`);
  for (let i = 0; i < 500; i++) {
    const { answers } = await rig.ask('www.example.org');
    t.deepEqual([...answers].sort(), all);
    first.set(answers[0]!, (first.get(answers[0]!) ?? 0) + 1);
  }
  t.is(first.size, 5);
  for (const [record, count] of first) t.true(count > 60 && count < 140, `${record} came first ${count} times of 500`);
});

test('loadbalance: every order of three is about as frequent', async (t) => {
  const rig = new BlockRig('loadbalance round_robin', { last: answerWith(ADDRESSES.slice(0, 3)) });
  const orders = new Map<string, number>();
  for (let i = 0; i < 1200; i++) {
    const order = (await rig.ask('www.example.org')).answers.map((record) => record.at(-1)).join('');
    orders.set(order, (orders.get(order) ?? 0) + 1);
  }
  t.is(orders.size, 6);
  for (const [order, count] of orders) t.true(count > 130 && count < 270, `${order}: ${count} of 1200`);
});

type OrderCase = readonly [what: string, records: readonly FixedRecord[], expected: readonly RegExp[]];
const ORDERS: readonly OrderCase[] = [
  [
    'CNAME stays in front of its addresses',
    [cname, address(0, TARGET, 1), address(0, TARGET, 2)],
    [/CNAME/, / A /, / A /],
  ],
  [
    'a late CNAME moves to the front',
    [address(0, TARGET, 1), cname, address(0, TARGET, 2)],
    [/CNAME target/, /target.* A /, /target.* A /],
  ],
  [
    'CNAME, others, addresses, MX',
    [mx(10, MAIL), address(0, OWNER, 1), txt, mx(20, TARGET), cname],
    [/CNAME/, /TXT/, / A /, /MX/, /MX/],
  ],
  ['IPv4 and IPv6 together', [address(0, OWNER, 1), address6(0, OWNER, 2), txt], [/TXT/, / A{1,4} /, / A{1,4} /]],
];
for (const [what, records, expected] of ORDERS) {
  test(`loadbalance: ${what}`, async (t) => {
    const plain = await new BlockRig('any', { last: answerWith(records) }).ask('www.example.org');
    const rig = new BlockRig('loadbalance', { last: answerWith(records) });
    for (let i = 0; i < 20; i++) {
      const { answers, answer } = await rig.ask('www.example.org');
      expected.forEach((pattern, at) => t.regex(answers[at]!, pattern));
      t.deepEqual([...answers].sort(), [...plain.answers].sort());
      t.is(answer.length + answer.saved, plain.answer.length + plain.answer.saved);
    }
  });
}

test('loadbalance: glue of SRV targets is shuffled as whole records, both families', async (t) => {
  const glue = [address(2, TARGET, 1), address6(2, TARGET, 2), address(2, MAIL, 3), address6(2, MAIL, 4)];
  const records = [srv(TARGET), srv(MAIL), ...glue];
  const plain = await new BlockRig('any', { last: answerWith(records) }).ask('www.example.org', { type: 'SRV' });
  const rig = new BlockRig('loadbalance', { last: answerWith(records) });
  const seen = new Set<string>();
  for (let i = 0; i < 200; i++) {
    const reply = await rig.ask('www.example.org', { type: 'SRV' });
    t.deepEqual(reply.answers, plain.answers);
    t.deepEqual([...reply.additionals].sort(), [...plain.additionals].sort());
    seen.add(reply.additionals.join());
  }
  t.is(seen.size, 24);
});

test('loadbalance: MX are shuffled, names written anew', async (t) => {
  const rig = new BlockRig('loadbalance', { last: answerWith([mx(10, MAIL), mx(20, TARGET), address(2, MAIL, 1)]) });
  const seen = new Set<string>();
  for (let i = 0; i < 40; i++) {
    const { answers, additionals } = await rig.ask('www.example.org', { type: 'MX' });
    seen.add(answers.join());
    t.deepEqual(additionals, ['mail.example.org 60 A 10.0.0.1']);
  }
  t.is(seen.size, 2);
});

test('loadbalance: an error answer and a transfer are left alone', async (t) => {
  const rig = new BlockRig('loadbalance', { last: answerWith([...ADDRESSES].toReversed(), 3) });
  const plain = await new BlockRig('any', { last: answerWith([...ADDRESSES].toReversed(), 3) }).ask('www.example.org');
  for (let i = 0; i < 10; i++) t.deepEqual((await rig.ask('www.example.org')).answers, plain.answers);
});

test('loadbalance: preferred ranges come first in their order, other records last', async (t) => {
  const rig = new BlockRig('loadbalance {\nprefer 10.0.0.4/32 10.0.0.0/31\n}', {
    last: answerWith([txt, ...ADDRESSES]),
  });
  for (let i = 0; i < 20; i++) {
    const order = (await rig.ask('www.example.org')).answers.map((record) => record.at(-1));
    t.is(order[0], '4');
    t.deepEqual(order.slice(1, 3).sort(byText), ['0', '1']);
    t.deepEqual(order.slice(3, 5).sort(byText), ['2', '3']);
    t.is(order[5], '"');
  }
});

const byText = (a = '', b = ''): number => (a < b ? -1 : 1);

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'weights-test-'));
test.after.always(() => fs.rmSync(folder, { recursive: true, force: true }));

test('loadbalance: weighted puts one in front as often as its weight says, the rest stays', async (t) => {
  const file = path.join(folder, 'weights');
  fs.writeFileSync(file, '# comment\nwww.EXAMPLE.org\n10.0.0.1 3\n10.0.0.2 5\n');
  const rig = new BlockRig(`loadbalance weighted ${file}`, { last: answerWith(ADDRESSES.slice(0, 3)) });
  const first = [0, 0, 0];
  for (let i = 0; i < 900; i++) first[Number((await rig.ask('www.example.org')).answers[0]!.at(-1))]!++;
  // 1 (no weight given), 3 and 5 of 9.
  [100, 300, 500].forEach((expected, i) => t.true(Math.abs(first[i]! - expected) < 60, `${i}: ${first[i]}`));
  rig.close();
  t.is(rig.clock.pending, 0);
});

test('loadbalance: a weight file that is not there yet is a warning, without reload an error', (t) => {
  const missing = path.join(folder, 'missing');
  t.regex(new BlockRig(`loadbalance weighted ${missing}\nany`).warnings.join(), /trying again in 30s/);
  const error = t.throws(() => new BlockRig(`loadbalance weighted ${missing} {\nreload 0\n}`), {
    instanceOf: ConfigError,
  });
  t.is(error?.code, 'FILE');
});

const BAD_WEIGHTS: readonly (readonly [text: string, message: string])[] = [
  ['10.0.0.1 1', 'line 1: a name must come before its addresses'],
  ['10.0.0.1', 'line 1: "10.0.0.1" stands where a name is expected, is its weight missing?'],
  ['a.test\n10.0.0.1 0', 'line 2: weight "0" is not from 1 to 255'],
  ['a.test\n10.0.0.1 256', 'line 2: weight "256" is not from 1 to 255'],
  ['a.test\n10.0.0.x 1', 'line 2: "10.0.0.x" is not an IP address'],
  ['a.test\n10.0.0.1 1 1', 'line 2: expected "ADDRESS WEIGHT", not "10.0.0.1 1 1"'],
];
for (const [text, message] of BAD_WEIGHTS) {
  test(`loadbalance: weights ${JSON.stringify(text)} are refused`, (t) => {
    t.throws(() => parseWeights(text), { message });
  });
}

const REFUSED: readonly (readonly [body: string, message: RegExp])[] = [
  ['loadbalance nosuch', /expected round_robin or weighted, not "nosuch"/],
  ['loadbalance round_robin x', /takes 0 to 1/],
  ['loadbalance weighted', /takes 2 arguments, has 1/],
  ['loadbalance {\nprefer 10.0.0.0\n}', /expected an address range/],
  ['loadbalance {\nnosuch\n}', /unknown option "nosuch"/],
];
for (const [body, message] of REFUSED) {
  test(`loadbalance refused: ${JSON.stringify(body)}`, (t) => {
    t.throws(() => new BlockRig(body), { instanceOf: ConfigError, message });
  });
}
