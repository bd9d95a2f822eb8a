// `rewrite`: what the next plugin is asked, what the client gets, what the Corefile may say. Results are CoreDNS's.
import test from 'ava';
import { ConfigError, type ErrorCode } from '../../../lib/base/errors.ts';
import { Outcome } from '../../../lib/chain/outcome.ts';
import type { Handler } from '../../../lib/chain/plugin.ts';
import { formatName } from '../../../lib/wire/name.ts';
import { RCODE } from '../../../lib/wire/types.ts';
import { type Asked, BlockRig } from './block-rig.ts';

/** Answers every type with names below the one asked. */
const BACKEND = `
template IN MX {
  answer "{{ .Name }} 50 IN MX 10 mail.{{ .Name }}"
  authority "{{ .Zone }} 99 IN NS ns.{{ .Name }}"
  additional "mail.{{ .Name }} 50 IN A 192.0.2.25"
}
template IN SRV {
  answer "{{ .Name }} 50 IN SRV 1 2 3 srv.{{ .Name }}"
}
template IN A {
  match ^(?P<x>.*)[.]alias[.]test[.]$
  answer "{{ .Name }} 30 IN CNAME target.{{ .Group.x }}.test."
  fallthrough
}
template IN A {
  answer "{{ .Name }} 60 IN A 192.0.2.1" "{{ .Name }} 20 IN A 192.0.2.2"
}
template IN TXT {
  answer "{{ .Name }} 60 IN TXT {{ .Name }}"
}
template ANY ANY {
  rcode NXDOMAIN
  authority "test. 60 IN SOA ns.test. host.test. 1 2 3 4 5"
}`;

const A = (name: string): string[] => [`${name} 60 A 192.0.2.1`, `${name} 20 A 192.0.2.2`];
const MX = (name: string, target = name): string[] => [`${name} 50 MX {"preference":10,"exchange":"mail.${target}"}`];

const CASES: readonly (readonly [rules: string, name: string, type: string, answers: readonly string[]])[] = [
  ['name a.test b.test', 'a.test', 'A', A('a.test')],
  ['name a.test b.test', 'A.Test', 'A', A('a.test')],
  ['name a.test b.test', 'x.a.test', 'A', A('x.a.test')],
  ['name A.TEST. B.test.', 'a.test', 'MX', MX('a.test')],
  ['name a.test b.test', 'a.test', 'TXT', ['a.test 60 TXT "b.test."']],
  ['name prefix foo bar', 'foo.test', 'A', A('bar.test')],
  ['name prefix foo bar', 'foofoo.test', 'A', A('foofoo.test')],
  ['name prefix foo bar answer auto', 'foo.test', 'MX', MX('foo.test')],
  ['name suffix bar.test baz.test', 'xbar.test', 'A', A('xbaz.test')],
  ['name suffix .bar.test .baz.test answer auto', 'x.bar.test', 'MX', MX('x.bar.test')],
  ['name suffix .bar.test .baz.test answer auto', 'bar.test', 'A', A('bar.test')],
  ['name substring mid end', 'mid.mid.x', 'A', A('end.end.x')],
  ['name regex (.*)-(us)\\.org {1}.s.{2}.consul', 'ftp-us.org', 'A', A('ftp.s.us.consul')],
  ['name regex (.*)-(us)\\.org {1}.s.{2}.consul answer auto', 'ftp-us.org', 'MX', MX('ftp-us.org')],
  ['name regex (.*)\\.org {1}.net answer name (.*)\\.net {1}.org', 'a.org', 'MX', MX('a.org', 'a.net')],
  ['name regex (.*)\\.org {1}.net answer value (.*)\\.net {1}.org', 'a.org', 'MX', MX('a.net', 'a.org')],
  ['name regex (.*)\\.org {1}.net answer name (.*)\\.net {1}.org value (.*)\\.net {1}.org', 'a.org', 'MX', MX('a.org')],
  ['{\n name regex (.*)\\.org {1}.net\n answer name (.*)\\.net {1}.org\n}', 'a.org', 'A', A('a.org')],
  ['continue name a.test b.test\nrewrite name b.test c.test', 'a.test', 'TXT', ['a.test 60 TXT "c.test."']],
  ['stop name a.test b.test\nrewrite name b.test c.test', 'a.test', 'TXT', ['a.test 60 TXT "b.test."']],
  ['type AAAA A', 'a.test', 'AAAA', A('a.test')],
  ['TYPE aaaa a', 'a.test', 'AAAA', A('a.test')],
  ['ttl a.test 7', 'a.test', 'A', ['a.test 7 A 192.0.2.1', 'a.test 7 A 192.0.2.2']],
  ['ttl suffix test 30-55', 'a.test', 'A', ['a.test 55 A 192.0.2.1', 'a.test 30 A 192.0.2.2']],
  ['ttl regex ^a -30', 'a.test', 'A', ['a.test 30 A 192.0.2.1', 'a.test 20 A 192.0.2.2']],
  ['ttl prefix a 30-', 'a.test', 'A', ['a.test 60 A 192.0.2.1', 'a.test 30 A 192.0.2.2']],
  ['ttl b.test 7', 'a.test', 'A', A('a.test')],
  ['continue ttl suffix rocks 15\nrewrite name suffix .rocks .test answer auto', 'a.rocks', 'TXT', ['a.rocks 15 TXT "a.test."']],
  ['cname target.one.test other.test', 'one.alias.test', 'A', ['one.alias.test 30 CNAME other.test', ...A('other.test')]],
  ['cname target.one.test other.test', 'two.alias.test', 'A', ['two.alias.test 30 CNAME target.two.test', ...A('target.two.test')]],
  ['continue cname suffix one.test. uno.test.\nrewrite cname prefix target.two zwei', 'two.alias.test', 'A', ['two.alias.test 30 CNAME zwei.test', ...A('zwei.test')]],
  ['cname regex (.*)\\.one\\.test\\. {1}.new.test.', 'one.alias.test', 'A', ['one.alias.test 30 CNAME target.new.test', ...A('target.new.test')]],
  ['cname x.test y.test\nrewrite cname target.one.test other.test', 'one.alias.test', 'A', ['one.alias.test 30 CNAME target.one.test', ...A('target.one.test')]],
]; // biome-ignore format: a table

for (const [rules, name, type, answers] of CASES) {
  test(`rewrite: ${JSON.stringify(rules)}, ${name} ${type} is ${answers[0]}`, async (t) => {
    const reply = await new BlockRig(`rewrite ${rules}\n${BACKEND}`).ask(name, { type });
    t.is(reply.rcode, 'NOERROR');
    t.deepEqual(reply.answers, answers);
    t.is(formatName(reply.bytes, 12), formatName(reply.query.rawName), 'the question is put back');
  });
}

test('rewrite: authority and additional records are changed back too', async (t) => {
  const reply = await new BlockRig(`rewrite name a.test b.test\n${BACKEND}`).ask('a.test', { type: 'MX' });
  t.deepEqual(reply.authorities, ['. 99 NS ns.a.test']);
  t.deepEqual(reply.additionals, ['mail.a.test 50 A 192.0.2.25']);
});

test('rewrite: the response code, once for a whole chain of rules', async (t) => {
  const body = `rewrite continue rcode suffix test NXDOMAIN NOERROR\nrewrite rcode prefix b NOERROR REFUSED\n${BACKEND}`;
  t.is((await new BlockRig(body).ask('a.test', { type: 'CAA' })).rcode, 'NOERROR');
  t.is((await new BlockRig(body).ask('b.test', { type: 'TXT' })).rcode, 'REFUSED');
});

test('rewrite: a bare error code is changed like any other; its error text stays for errors', async (t) => {
  const last: Handler = (query, answer) => {
    answer.fail(RCODE.SERVFAIL, query.formatName() === 'b.test.' ? 'broken' : '');
    return Outcome.FAILED;
  };
  const rig = new BlockRig('rewrite continue name a.test b.test\nrewrite rcode regex .* 2 0', { last });
  const bare = await rig.ask('x.test');
  t.like(bare, { rcode: 'NOERROR', outcome: Outcome.ANSWERED });
  const failed = await rig.ask('a.test');
  t.like(failed, { rcode: 'NOERROR', outcome: Outcome.FAILED });
  t.is(failed.answer.error, 'broken');
});

test('rewrite: a name that is none after a rule is SERVFAIL with an error', async (t) => {
  const reply = await new BlockRig(`rewrite name regex ^bad[.](.*)$ ..{1}\n${BACKEND}`).ask('bad.test');
  t.is(reply.rcode, 'SERVFAIL');
  t.is(reply.answer.error, 'invalid name after rewrite: ..test..');
});

test('rewrite: a name in the answer that is none after a rule is SERVFAIL with an error', async (t) => {
  const body = `rewrite name suffix .test .test answer name (.*) {1}.{1}.${'x'.repeat(64)}\n${BACKEND}`;
  const reply = await new BlockRig(body).ask('a.test');
  t.is(reply.rcode, 'SERVFAIL');
  t.regex(reply.answer.error, /^invalid name in the answer after rewrite: a\.test/);
});

test('rewrite: a query that waits, a dropped one, and a second one through the same rule', async (t) => {
  const last: Handler = async (query, answer) => {
    const name = query.formatName();
    await Promise.resolve();
    if (name === 'drop.b.test.') return Outcome.DROPPED;
    answer.addAddresses(9, 4, Uint8Array.of(192, 0, 2, 9), 0, 1);
    return Outcome.ANSWERED;
  };
  const rig = new BlockRig('rewrite name suffix .a.test .b.test answer auto', { last });
  t.is((await rig.ask('drop.a.test')).outcome, Outcome.DROPPED);
  const [one, two] = await Promise.all([rig.ask('one.a.test'), rig.ask('two.a.test')]);
  t.deepEqual(one.answers, ['one.a.test 9 A 192.0.2.9']);
  t.deepEqual(two.answers, ['two.a.test 9 A 192.0.2.9']);
});

test('rewrite: the next plugin sees name, type, class, client and metadata of the rewritten query', async (t) => {
  const seen: unknown[] = [];
  const last: Handler = (query) => {
    seen.push(query.formatName(), query.qtype, query.qclass, query.clientPort, query.hasEdns, query.metadata?.size);
    return Outcome.ANSWERED;
  };
  const body = 'metadata\nrewrite continue name a.test b.test\nrewrite continue type A AAAA\nrewrite class CH IN';
  await new BlockRig(body, { last }).ask('a.test', { class: 'CH', udpSize: 1232 });
  t.deepEqual(seen, ['b.test.', 28, 1, 40_053, true, 0]);
});

const LOCAL = 0xffee;
const hex = (text: string): Buffer => Buffer.from(text, 'hex');

/** Options as text: `CODE=HEX`. */
function optionsOf(bytes: Uint8Array): string[] {
  const found: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = (bytes[at + 2]! << 8) | bytes[at + 3]!;
    found.push(
      `${(bytes[at]! << 8) | bytes[at + 1]!}=${Buffer.from(bytes.subarray(at + 4, at + 4 + length)).toString('hex')}`,
    );
    at += 4 + length;
  }
  return found;
}

const EDNS: readonly (readonly [rules: string, given: string, sent: readonly string[], replied: readonly string[]])[] = [
  ['edns0 local set 0xffee 0x6162', '', ['65518=6162'], ['65518=6162']],
  ['edns0 local set 0xffee ab', '01', ['65518=6162'], ['65518=6162']],
  ['edns0 local append 0xffee ab', '01', ['65518=01', '65518=6162'], ['65518=01', '65518=6162']],
  ['edns0 local replace 0xffee ab', '', [], []],
  ['edns0 local replace 0xffee ab', '01', ['65518=6162'], ['65518=6162']],
  ['edns0 local unset 0xffee', '01', [], []],
  ['edns0 local set 0xffee ab revert', '', ['65518=6162'], []],
  ['edns0 local set 0xffee ab revert', '01', ['65518=6162'], ['65518=01']],
  ['continue edns0 local set 0xffee ab\nrewrite edns0 local replace 0xffee cd revert', '', ['65518=6364'], ['65518=6162']],
  ['edns0 local set 1 {qname}', '', ['1=612e746573742e'], ['1=612e746573742e']],
  ['edns0 local set 1 {qtype}', '', ['1=0001'], ['1=0001']],
  ['edns0 local set 1 {client_ip}', '', ['1=7f000001'], ['1=7f000001']],
  ['edns0 local set 1 {client_port}', '', ['1=9c75'], ['1=9c75']],
  ['edns0 local set 1 {protocol}', '', ['1=756470'], ['1=756470']],
  ['edns0 local set 1 {no/label}', '', [], []],
  ['edns0 nsid set', '', ['3='], ['3=']],
  ['edns0 nsid set revert', '', ['3='], []],
  ['edns0 subnet set 24 56', '', ['8=000118007f0000'], []],
  ['edns0 subnet set 20 56', '', ['8=000114007f0000'], []],
]; // biome-ignore format: a table
for (const [rules, given, sent, replied] of EDNS) {
  test(`rewrite: ${JSON.stringify(rules)} with option "${given}"`, async (t) => {
    let seen: string[] = [];
    const last: Handler = (query) => {
      seen = optionsOf(query.packet.subarray(query.packetAt + query.optionsAt).subarray(0, query.optionsLength));
      return Outcome.ANSWERED;
    };
    const asked: Asked = { udpSize: 1232, options: given === '' ? [] : [{ code: LOCAL, data: hex(given) }] };
    const reply = await new BlockRig(`rewrite ${rules}`, { last }).ask('a.test', asked);
    t.deepEqual(seen, sent);
    t.deepEqual(optionsOf(reply.bytes.subarray(reply.answer.questionEnd + 11)), replied);
  });
}

test('rewrite: a query without EDNS gets an OPT record of 4096 bytes, its reply none', async (t) => {
  let size = 0;
  const last: Handler = (query) => {
    size = query.hasEdns ? query.udpSize : -1;
    return Outcome.ANSWERED;
  };
  const reply = await new BlockRig('rewrite edns0 local set 0xffee ab', { last }).ask('a.test');
  t.is(size, 4096);
  t.is(reply.bytes.length, reply.answer.questionEnd);
});

test('rewrite: names with bytes that need escapes are compared as text', async (t) => {
  const rig = new BlockRig(`rewrite name prefix a\\.b x\n${BACKEND}`);
  const query = rig.makeQuery('axb.test');
  t.is(query.formatName(), 'axb.test.');
  t.deepEqual((await rig.ask('a.b.test', { type: 'TXT' })).answers, ['a.b.test 60 TXT "a.b.test."']);
});

const REFUSED: readonly (readonly [rules: string, code: ErrorCode])[] = [
  ['', 'ARGUMENT_COUNT'],
  ['continue', 'ARGUMENT_COUNT'],
  ['nosuch a b', 'ARGUMENT_VALUE'],
  ['answer name a b', 'ARGUMENT_VALUE'],
  ['name a', 'ARGUMENT_COUNT'],
  ['name nosuch a b', 'ARGUMENT_VALUE'],
  ['name regex ( a', 'ARGUMENT_VALUE'],
  ['name regex (a) {0}.{1}', 'ARGUMENT_VALUE'],
  ['name exact a *b', 'ARGUMENT_VALUE'],
  ['name exact a b c', 'ARGUMENT_COUNT'],
  ['name exact a b c d', 'ARGUMENT_VALUE'],
  ['name exact a b answer name ( x', 'ARGUMENT_VALUE'],
  ['name exact a b answer name x', 'ARGUMENT_COUNT'],
  ['name suffix a b answer auto name x y', 'OPTION_CONFLICT'],
  ['name a b {\n answer auto\n}', 'ARGUMENT_COUNT'],
  ['type A', 'ARGUMENT_COUNT'],
  ['type A NOSUCH', 'ARGUMENT_VALUE'],
  ['class IN B', 'ARGUMENT_VALUE'],
  ['ttl a', 'ARGUMENT_COUNT'],
  ['ttl a -', 'ARGUMENT_VALUE'],
  ['ttl a 5-3', 'ARGUMENT_VALUE'],
  ['ttl a 4294967296', 'ARGUMENT_VALUE'],
  ['ttl foo a 5', 'ARGUMENT_VALUE'],
  ['rcode a 24 0', 'ARGUMENT_VALUE'],
  ['rcode a NOERROR', 'ARGUMENT_COUNT'],
  ['cname regex ( b', 'ARGUMENT_VALUE'],
  ['edns0 local', 'ARGUMENT_COUNT'],
  ['edns0 local foo', 'ARGUMENT_VALUE'],
  ['edns0 local set 0xfffff a', 'ARGUMENT_VALUE'],
  ['edns0 local set 1 0xabc', 'ARGUMENT_VALUE'],
  ['edns0 local set 1 {foo}', 'ARGUMENT_VALUE'],
  ['edns0 subnet set 33 1', 'ARGUMENT_VALUE'],
  ['edns0 nsid set x', 'ARGUMENT_COUNT'],
];
for (const [rules, code] of REFUSED) {
  test(`rewrite: refuses ${JSON.stringify(rules)} with ${code}`, (t) => {
    const error = t.throws(() => new BlockRig(`\nrewrite ${rules}`), { instanceOf: ConfigError });
    t.is(error?.code, code);
    t.is(error?.line, 3);
  });
}
