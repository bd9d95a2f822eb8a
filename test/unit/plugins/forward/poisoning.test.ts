// What an upstream, or someone who writes in its name, cannot plant: other names, other questions, other types.
import test from 'ava';
import type dnsPacket from 'dns-packet';
import { format } from '../fake-chain.ts';
import { makeForwardRig } from './rig.ts';

const a = (name: string, data: string) => ({ type: 'A' as const, name, ttl: 60, data });
const cname = (name: string, data: string) => ({ type: 'CNAME' as const, name, ttl: 60, data });
const dname = (name: string, data: string) => ({ type: 'DNAME' as const, name, ttl: 60, data });

const CASES: readonly (readonly [string, readonly dnsPacket.Answer[], readonly string[]])[] = [
  // what                             answer section of the upstream                                    names that pass
  ['the name itself', [a('x.test', '10.0.0.1'), a('X.TEST', '10.0.0.2')], ['x.test', 'x.test']],
  [
    'a chain',
    [cname('x.test', 'y.test'), cname('y.test', 'z.other'), a('z.other', '10.0.0.1')],
    ['x.test', 'y.test', 'z.other'],
  ],
  [
    'a chain in any order',
    [a('z.other', '10.0.0.1'), cname('y.test', 'z.other'), cname('x.test', 'y.test')],
    ['z.other', 'y.test', 'x.test'],
  ],
  ['a foreign name', [a('x.test', '10.0.0.1'), a('bank.test', '6.6.6.6')], ['x.test']],
  ['a name below', [a('x.test', '10.0.0.1'), a('www.x.test', '6.6.6.6')], ['x.test']],
  [
    'a chain of others',
    [a('x.test', '10.0.0.1'), cname('bank.test', 'evil.test'), a('evil.test', '6.6.6.6')],
    ['x.test'],
  ],
  ['an alias loop', [cname('x.test', 'y.test'), cname('y.test', 'x.test')], ['x.test', 'y.test']],
];
for (const [what, answers, names] of CASES) {
  test(`DNS-01-003: answer section with ${what}: only the chain of the question passes`, async (t) => {
    const rig = makeForwardRig('forward . 192.0.2.1', { 1: { reply: { answers } } });
    const { packet } = await rig.query('x.test');
    t.deepEqual(
      packet.answers!.map(({ name }) => name.toLowerCase()),
      names,
    );
    t.is(rig.metric('clusterdns_forward_strays_total'), answers.length - names.length);
  });
}

test('a DNAME above the name passes with the alias made from it, one beside does not', async (t) => {
  const good = makeForwardRig('forward . 192.0.2.1', {
    1: {
      reply: {
        answers: [dname('old.test', 'new.test'), cname('x.old.test', 'x.new.test'), a('x.new.test', '10.0.0.1')],
      },
    },
  });
  t.is((await good.query('x.old.test')).packet.answers!.length, 3);
  const bad = makeForwardRig('forward . 192.0.2.1', {
    1: { reply: { answers: [dname('bank.test', 'evil.test'), a('x.old.test', '10.0.0.1')] } },
  });
  t.deepEqual(format((await bad.query('x.old.test')).packet.answers), ['x.old.test 60 A 10.0.0.1']);
});

test('40 addresses of one name, with authority and additional records, are untouched', async (t) => {
  const answers = Array.from({ length: 40 }, (_, i) => a('x.test', `10.0.0.${i}`));
  const rig = makeForwardRig('forward . 192.0.2.1', {
    1: {
      reply: {
        answers,
        authorities: [{ type: 'NS', name: 'test', ttl: 60, data: 'ns.elsewhere' }],
        additionals: [a('ns.elsewhere', '10.0.0.9')],
      },
    },
  });
  const { packet } = await rig.query('x.test');
  t.deepEqual([packet.answers!.length, packet.authorities!.length, packet.additionals!.length], [40, 1, 1]);
});

test('a reply about foreign names alone is no answer: another upstream is asked, without one it is SERVFAIL', async (t) => {
  const foreign = { reply: { answers: [a('bank.test', '6.6.6.6')] } };
  const two = makeForwardRig('forward . 192.0.2.1 192.0.2.2 {\n policy sequential\n}', {
    1: foreign,
    2: { reply: { answers: [a('x.test', '10.0.0.1')] } },
  });
  t.deepEqual(format((await two.query('x.test')).packet.answers), ['x.test 60 A 10.0.0.1']);
  const { answer, packet } = await makeForwardRig('forward . 192.0.2.1', { 1: foreign }).query('x.test');
  t.deepEqual([answer.rcode, packet.answers!.length], [2, 0]);
});
