// The plugin `errors`: which failures become lines and how patterns put them together.
import test from 'ava';
import { ConfigError, type ErrorCode } from '../../../lib/base/errors.ts';
import { Outcome } from '../../../lib/chain/outcome.ts';
import type { Handler } from '../../../lib/chain/plugin.ts';
import { FloodGuard } from '../../../lib/plugins/errors/flood-guard.ts';
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

test('errors: a dead upstream at 5,000 queries a second for a minute is at most 20 lines with counts and a sample', async (t) => {
  let port = 1024;
  const rig = new BlockRig('errors', {
    last: (query, answer) =>
      failWith(`read udp 10.0.0.9:${1024 + (port++ % 60_000)}->10.0.0.${1 + (port % 3)}:53: i/o timeout`)(
        query,
        answer,
      ),
  });
  // A hundredth of the load in a hundredth of the steps: what counts is the time.
  for (let i = 0; i < 3000; i++) {
    void rig.ask(`n${i}.test`);
    rig.clock.advance(20);
  }
  rig.close();
  t.true(rig.lines.length <= 20, rig.lines.join('\n'));
  t.is(rig.lines.filter((line) => / errors like /.test(line)).length, 3);
  t.regex(
    rig.lines[5]!,
    /^\[ERROR\] plugin\/errors: \d+ errors like '2 n\d+\.test\. A: read udp 10\.0\.0\.9:\d+->10\.0\.0\.\d:53: i\/o timeout' occurred in last 20s$/,
  );
  const counted = rig.lines.reduce((sum, line) => sum + Number(/: (\d+) errors like/.exec(line)?.[1] ?? 1), 0);
  t.is(counted, 3000);
});

test('errors: few errors are all lines of their own, different ones do not count as alike', async (t) => {
  const rig = new BlockRig('errors', { last: failWith('i/o timeout') });
  for (let i = 0; i < 5; i++) await rig.ask('x');
  t.is(rig.lines.length, 5);
  await rig.ask('late');
  rig.clock.advance(20_000);
  t.is(rig.lines[5], '[ERROR] plugin/errors: 2 late. A: i/o timeout');
  rig.clock.advance(61_000);
  for (let i = 0; i < 5; i++) await rig.ask('x');
  t.is(rig.lines.length, 11);
  let text = 0;
  const texts = ['connection refused', 'no healthy proxies', 'EOF', 'bad reply'];
  const other = new BlockRig('errors', { last: (query, answer) => failWith(texts[text++ % 4]!)(query, answer) });
  for (let i = 0; i < 20; i++) await other.ask('x');
  t.is(other.lines.length, 20);
});

test('errors: workers count together, one writes for all; each writes every error', async (t) => {
  const last = failWith('i/o timeout');
  const one = new BlockRig('errors', { last });
  const { guard } = one.chain[0]!.options as { guard: SharedArrayBuffer };
  const lines: string[] = [];
  const two = new FloodGuard(guard, one.clock, (line) => lines.push(line));
  for (let i = 0; i < 50; i++) {
    await one.ask('x');
    two.report('i/o timeout', () => '2 y. A');
  }
  one.clock.advance(20_000);
  t.is(one.lines.length + lines.length, 6);
  t.regex([...one.lines, ...lines].join('\n'), /: 95 errors like|^95 errors like/m);
  const every = new BlockRig('errors {\neach\n}', { last });
  for (let i = 0; i < 50; i++) await every.ask('x');
  t.is(every.lines.length, 50);
});
