// The plugin `errors`: which failures become lines and how patterns put them together.
import test from 'ava';
import { ConfigError, type ErrorCode } from '../../../lib/base/errors.ts';
import { Outcome } from '../../../lib/chain/outcome.ts';
import type { Handler } from '../../../lib/chain/plugin.ts';
import { BlockRig } from './block-rig.ts';

const failWith =
  (error: string, rcode = 2): Handler =>
  (_query, answer) => {
    answer.fail(rcode, error);
    return Outcome.FAILED;
  };

test('errors: a failure with a text is one line; a bare code and an answer are none', async (t) => {
  const rig = new BlockRig('errors', { last: failWith('read udp 10.0.0.1:5->10.0.0.2:53: i/o timeout') });
  await rig.ask('Example.ORG');
  t.deepEqual(rig.lines, ['[ERROR] plugin/errors: 2 example.org. A: read udp 10.0.0.1:5->10.0.0.2:53: i/o timeout']);
  const bare = new BlockRig('errors', { last: failWith('', 5) });
  await bare.ask('x');
  await new BlockRig('errors\nwhoami').ask('x');
  t.deepEqual(bare.lines, []);
});

test('errors: a failure that comes late is logged when it is there', async (t) => {
  const late: Handler = async (query, answer) => {
    await Promise.resolve();
    return failWith('late', 2)(query, answer);
  };
  const rig = new BlockRig('errors', { last: late });
  const { rcode } = await rig.ask('x', { type: 'TXT' });
  t.is(rcode, 'SERVFAIL');
  t.deepEqual(rig.lines, ['[ERROR] plugin/errors: 2 x. TXT: late']);
});

test('errors: consolidate writes one line a period, others come at once', async (t) => {
  const texts = ['i/o timeout', 'other', 'i/o timeout', 'i/o timeout'];
  const rig = new BlockRig('errors {\nconsolidate 5m ".* timeout$" warning\n}', {
    last: (query, answer) => failWith(texts.shift()!)(query, answer),
  });
  for (let i = 0; i < 4; i++) await rig.ask('x');
  t.deepEqual(rig.lines, ['[ERROR] plugin/errors: 2 x. A: other']);
  rig.clock.advance(300_000);
  t.deepEqual(rig.lines.slice(1), ["[WARNING] plugin/errors: 3 errors like '.* timeout$' occurred in last 5m0s"]);
  rig.clock.advance(600_000);
  t.is(rig.lines.length, 2);
});

test('errors: show_first prints the first at once and no summary of one; close writes what is open', async (t) => {
  const rig = new BlockRig('errors {\nconsolidate 30s timeout show_first\n}', { last: failWith('timeout') });
  await rig.ask('x');
  rig.clock.advance(30_000);
  t.deepEqual(rig.lines, ['[ERROR] plugin/errors: 2 x. A: timeout']);
  await rig.ask('x');
  await rig.ask('x');
  rig.close();
  t.deepEqual(rig.lines.slice(1), [
    '[ERROR] plugin/errors: 2 x. A: timeout',
    "[ERROR] plugin/errors: 2 errors like 'timeout' occurred in last 30s",
  ]);
  t.is(rig.clock.pending, 0);
});

const REFUSED: readonly (readonly [body: string, code: ErrorCode, line: number, message: RegExp])[] = [
  ['errors stdout stderr', 'ARGUMENT_COUNT', 2, /takes 0 to 1/],
  ['errors syslog', 'ARGUMENT_VALUE', 2, /expected stdout, not "syslog"/],
  ['errors {\nnosuch\n}', 'OPTION_UNKNOWN', 3, /unknown option "nosuch"/],
  ['errors {\nconsolidate 5m "("\n}', 'ARGUMENT_VALUE', 3, /missing closing \): `\(`/],
  ['errors {\nconsolidate 5x ".*"\n}', 'ARGUMENT_VALUE', 3, /expected a duration/],
  ['errors {\nconsolidate 5m\n}', 'ARGUMENT_COUNT', 3, /takes 2 to 4/],
  ['errors {\nconsolidate 5m x info error\n}', 'OPTION_CONFLICT', 3, /two log levels/],
  ['errors {\nconsolidate 5m x show_first info\n}', 'ARGUMENT_VALUE', 3, /before show_first/],
  ['errors\nerrors', 'DIRECTIVE_REPEATED', 3, /can stand once/],
];
for (const [body, code, line, message] of REFUSED) {
  test(`errors refused: ${JSON.stringify(body)}`, (t) => {
    const error = t.throws(() => new BlockRig(body), { instanceOf: ConfigError, message });
    t.deepEqual([error?.code, error?.line], [code, line]);
  });
}
