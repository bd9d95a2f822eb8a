// `template`: what clients get, what is counted, what the Corefile may say.
import test from 'ava';
import { ConfigError, type ErrorCode } from '../../../lib/base/errors.ts';
import { Outcome } from '../../../lib/chain/outcome.ts';
import { parseUnsigned } from '../../../lib/plugins/template/line.ts';
import { answerWith, type Asked, BlockRig } from './block-rig.ts';

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

const NEXT = ['rd'];
const OWN = ['aa', 'rd'];

const CASES: readonly Case[] = [
  {
    what: 'a name from groups, lower case whatever the client wrote',
    body: 'template IN A {\n match ^ip-(?P<a>[0-9]+)-(?P<b>[0-9]+)[.]\n answer "{{ .Name }} 60 IN A 10.0.{{ .Group.a }}.{{ index .Match 2 }}"\n}',
    name: 'IP-1-2.Example.org',
    answers: ['ip-1-2.example.org 60 A 10.0.1.2'],
  },
  {
    what: 'another type goes to the next plugin',
    body: 'template IN A {\n answer "{{ .Name }} 60 IN A 10.0.0.1"\n}',
    name: 'a.org',
    asked: { type: 'AAAA' },
    flags: NEXT,
  },
  {
    what: 'another zone goes to the next plugin',
    body: 'template IN A in.test {\n answer "{{ .Name }} 60 IN A 10.0.0.1"\n}',
    name: 'a.org',
    flags: NEXT,
  },
  {
    what: 'no match without fallthrough is SERVFAIL',
    body: 'template IN A {\n match ^x\n answer "{{ .Name }} 60 IN A 10.0.0.1"\n}',
    name: 'a.org',
    rcode: 'SERVFAIL',
    flags: ['rd'],
  },
  {
    what: 'fallthrough for other zones does not help',
    body: 'template IN A {\n match ^x\n fallthrough other.test\n}',
    name: 'a.org',
    rcode: 'SERVFAIL',
    flags: ['rd'],
  },
  {
    what: 'fallthrough goes to the next template',
    body: 'template IN A {\n match ^x\n fallthrough\n}\ntemplate IN A {\n answer "{{ .Name }} 5 A 10.0.0.2"\n}',
    name: 'a.org',
    answers: ['a.org 5 A 10.0.0.2'],
  },
  {
    what: 'all sections, rcode, in the order of a message',
    body: 'template ANY ANY t {\n additional "x.t. 1 IN A 10.0.0.3"\n authority "t. 1 IN NS ns.t."\n answer "{{ .Name }} 1 {{ .Class }} TXT {{ .Type }}" "{{ .Name }} 1 IN TXT \\"{{ .Zone }} {{ .Remote }}\\""\n rcode NXDOMAIN\n}',
    name: 'a.t',
    asked: { type: 'TXT' },
    rcode: 'NXDOMAIN',
    answers: ['a.t 1 TXT "TXT"', 'a.t 1 TXT "t. 127.0.0.1"'],
    authorities: ['t 1 NS ns.t'],
    additionals: ['x.t 1 A 10.0.0.3'],
  },
  {
    what: 'a CNAME for an address query is followed',
    body: 'template IN A {\n match ^alias[.]\n answer "{{ .Name }} 9 IN CNAME target.test."\n fallthrough\n}\ntemplate IN A {\n answer "{{ .Name }} 5 A 10.0.0.2"\n}',
    name: 'alias.test',
    answers: ['alias.test 9 CNAME target.test', 'target.test 5 A 10.0.0.2'],
  },
  {
    what: 'a CNAME for another type is not followed',
    body: 'template IN ANY {\n answer "{{ .Name }} 9 IN CNAME target.test."\n}',
    name: 'alias.test',
    asked: { type: 'TXT' },
    answers: ['alias.test 9 CNAME target.test'],
  },
  {
    what: 'variables and conditions',
    body: `template IN A {\n match ^(?P<ip>[0-9-]+)[.]\n var ip replace(group('ip'), '-', '.')\n var n len(ip) + 1\n expr "incidr(ip, '10.0.0.0/8')"\n answer "{{ .Name }} {{ .Var.n }} IN A {{ .Var.ip }}"\n fallthrough\n}`,
    name: '10-1-2-3.test',
    answers: ['10-1-2-3.test 9 A 10.1.2.3'],
  },
  {
    what: 'a false condition falls through',
    body: 'template IN A {\n expr false\n answer "{{ .Name }} 1 A 10.0.0.1"\n fallthrough\n}',
    name: 'a.test',
    flags: NEXT,
  },
  {
    what: 'a condition that fails is SERVFAIL also with fallthrough',
    body: `template IN A {\n expr "incidr('x', '10.0.0.0/8')"\n answer "{{ .Name }} 1 A 10.0.0.1"\n fallthrough\n}`,
    name: 'a.test',
    rcode: 'SERVFAIL',
    flags: ['rd'],
  },
  {
    what: 'the query: spelling, flags, EDNS',
    body: 'template IN TXT {\n answer "{{ .Name }} 1 TXT {{ .Question.Name }} {{ .Message.RecursionDesired }} {{ with .Message.IsEdns0 }}{{ .UDPSize }}{{ end }} {{ (index .Message.Question 0).Qtype }}"\n}',
    name: 'A.Test',
    asked: { type: 'TXT', udpSize: 1400 },
    answers: ['a.test 1 TXT "A.Test." "true" "1400" "16"'],
  },
];

const last = answerWith([]);

for (const {
  what,
  body,
  name,
  asked,
  rcode = 'NOERROR',
  flags = OWN,
  answers = [],
  authorities = [],
  additionals = [],
} of CASES) {
  test(`template: ${what}`, async (t) => {
    const reply = await new BlockRig(body, { last }).ask(name, asked);
    t.deepEqual(
      {
        rcode: reply.rcode,
        flags: reply.flags,
        answers: reply.answers,
        authorities: reply.authorities,
        additionals: reply.additionals,
      },
      { rcode, flags, answers, authorities, additionals },
    );
  });
}

const FAILURES: readonly (readonly [line: string, counter: string, error: RegExp])[] = [
  ['{{ .Name }} 60 IN A 999.0.0.1', 'coredns_template_rr_failures_total', /A: /],
  ['{{ .Nosuch }} 60 IN A 10.0.0.1', 'coredns_template_template_failures_total', /can't evaluate field Nosuch/],
  ['{{ parseInt .Name 10 8 }}', 'coredns_template_template_failures_total', /parsing "a.test."/],
  ['', 'coredns_template_rr_failures_total', /missing/],
];
for (const [line, counter, error] of FAILURES) {
  test(`template: "${line}" is SERVFAIL with an error, counted`, async (t) => {
    const rig = new BlockRig(`template IN A {\n answer "${line}"\n}`);
    const reply = await rig.ask('a.test');
    t.is(reply.rcode, 'SERVFAIL');
    t.is(reply.outcome, Outcome.FAILED);
    t.regex(reply.answer.error, error);
    t.is(rig.metric(counter, { section: 'answer', class: 'IN', type: 'A', zone: '.' }), 1);
    t.is(rig.metric('coredns_template_matches_total', { class: 'IN', type: 'A' }), 1);
  });
}

test('template: matches of a template for ANY are counted by class and type', async (t) => {
  const rig = new BlockRig('template ANY ANY {\n rcode NXDOMAIN\n}');
  for (const type of ['A', 'TXT', 'CAA', 'DNSKEY']) await rig.ask('a.test', { type });
  const count = (type: string): number => rig.metric('coredns_template_matches_total', { class: 'IN', type });
  t.deepEqual(['A', 'TXT', 'other', 'MX'].map(count), [1, 1, 2, 0]);
});

test('template: an extended error goes to clients with EDNS only', async (t) => {
  const rig = new BlockRig('template ANY ANY {\n rcode NXDOMAIN\n ederror 21 "not served"\n}');
  const plain = await rig.ask('a.test');
  t.false(plain.bytes.includes('not served'));
  const withEdns = await rig.ask('a.test', { udpSize: 1232 });
  t.true(withEdns.bytes.includes('not served'));
});

test('template: rcode SERVFAIL is a bare code without an error text', async (t) => {
  const reply = await new BlockRig('template IN A {\n rcode SERVFAIL\n answer "x. 1 A 10.0.0.1"\n}').ask('a.test');
  t.is(reply.outcome, Outcome.FAILED);
  t.is(reply.answer.error, '');
  t.deepEqual(reply.answers, []);
});

const REFUSED: readonly (readonly [body: string, code: ErrorCode, line: number])[] = [
  ['template', 'ARGUMENT_COUNT', 2],
  ['template IN', 'ARGUMENT_COUNT', 2],
  ['template XX A', 'ARGUMENT_VALUE', 2],
  ['template in A', 'ARGUMENT_VALUE', 2],
  ['template IN NOSUCH', 'ARGUMENT_VALUE', 2],
  ['template IN a', 'ARGUMENT_VALUE', 2],
  ['template IN A {\n match (\n}', 'ARGUMENT_VALUE', 3],
  ['template IN A {\n match (?=x)\n}', 'ARGUMENT_VALUE', 3],
  ['template IN A {\n match\n}', 'ARGUMENT_COUNT', 3],
  ['template IN A {\n\n answer "{{ .Name "\n}', 'ARGUMENT_VALUE', 4],
  ['template IN A {\n answer "{{ nofunc }}"\n}', 'ARGUMENT_VALUE', 3],
  ['template IN A {\n rcode nxdomain\n}', 'ARGUMENT_VALUE', 3],
  ['template IN A {\n rcode\n}', 'ARGUMENT_COUNT', 3],
  ['template IN A {\n rcode NXDOMAIN junk\n}', 'ARGUMENT_COUNT', 3],
  ['template IN A {\n ederror 65536\n}', 'ARGUMENT_VALUE', 3],
  ['template IN A {\n ederror 1 a b\n}', 'ARGUMENT_COUNT', 3],
  ['template IN A {\n nosuch\n}', 'OPTION_UNKNOWN', 3],
  ['template IN A {\n var x\n}', 'ARGUMENT_COUNT', 3],
  ['template IN A {\n var 1x 1\n}', 'ARGUMENT_VALUE', 3],
  ['template IN A {\n var len 1\n}', 'ARGUMENT_VALUE', 3],
  ['template IN A {\n var group 1\n}', 'ARGUMENT_VALUE', 3],
  ['template IN A {\n var true 1\n}', 'ARGUMENT_VALUE', 3],
  ['template IN A {\n var a b\n var b 1\n}', 'ARGUMENT_VALUE', 3],
  ['template IN A {\n expr "client_ip( =="\n}', 'ARGUMENT_VALUE', 3],
];
for (const [body, code, line] of REFUSED) {
  test(`template: refuses ${JSON.stringify(body)} with ${code} in line ${line}`, (t) => {
    const error = t.throws(() => new BlockRig(body), { instanceOf: ConfigError });
    t.like(error, { code, line });
  });
}

const INTEGERS: readonly (readonly [text: string, base: number, bits: number, value: bigint | string])[] = [
  ['255', 10, 8, 255n],
  ['256', 10, 8, 'value out of range'],
  ['ff', 16, 0, 255n],
  ['FF', 16, 64, 255n],
  ['0xff', 0, 64, 255n],
  ['0b11', 0, 64, 3n],
  ['017', 0, 64, 15n],
  ['1_000', 0, 64, 1000n],
  ['18446744073709551615', 10, 64, 18_446_744_073_709_551_615n],
  ['18446744073709551616', 10, 64, 'value out of range'],
  ['-1', 10, 64, 'invalid syntax'],
  ['', 10, 64, 'invalid syntax'],
  ['12', 2, 64, 'invalid syntax'],
  ['1', 37, 64, 'invalid base 37'],
  ['1', 10, 65, 'invalid bit size 65'],
];
for (const [text, base, bits, value] of INTEGERS) {
  test(`template: parseInt "${text}" ${base} ${bits} is ${value}`, (t) => {
    if (typeof value === 'bigint') t.is(parseUnsigned(text, base, bits), value);
    else t.throws(() => parseUnsigned(text, base, bits), { message: new RegExp(`: ${value}$`) });
  });
}
