// `view`: what its setup hands on and refuses. Which block is chosen is the router's: test/unit/chain/router.test.ts.
import test from 'ava';
import { ConfigError, type ErrorCode } from '../../../lib/base/errors.ts';
import { answerWith, BlockRig } from './block-rig.ts';

test('view: conditions go on as text, words joined', (t) => {
  const rig = new BlockRig("view inside {\n expr type() == 'A'\n expr \"do() and name() matches '^a'\"\n}");
  t.deepEqual(rig.chain, [
    {
      plugin: 'view',
      options: { name: 'inside', expressions: ["type() == 'A'", "do() and name() matches '^a'"] },
    },
  ]);
});

test('view: its name is metadata, for names that metadata is collected for', async (t) => {
  const rig = new BlockRig('metadata in.test\nview inside {\n}', { last: answerWith([]) });
  t.is((await rig.ask('a.in.test')).query.metadata?.get('view/name'), 'inside');
  t.is((await rig.ask('a.test')).query.metadata?.get('view/name'), undefined);
});

const REFUSED: readonly (readonly [body: string, code: ErrorCode, line: number])[] = [
  ['view', 'ARGUMENT_COUNT', 2],
  ['view a b', 'ARGUMENT_COUNT', 2],
  ['view a {\n nosuch\n}', 'OPTION_UNKNOWN', 3],
  ['view a {\n expr\n}', 'ARGUMENT_VALUE', 3],
  ['view a {\n expr this is not )\n}', 'ARGUMENT_VALUE', 3],
  ['view a {\n expr true\n expr nosuch() == 1\n}', 'ARGUMENT_VALUE', 4],
  ["view a {\n expr name() matches '('\n}", 'ARGUMENT_VALUE', 3],
  ['view a {\n}\nview b {\n}', 'DIRECTIVE_REPEATED', 4],
];
for (const [body, code, line] of REFUSED) {
  test(`view: refuses ${JSON.stringify(body)} with ${code} in line ${line}`, (t) => {
    const error = t.throws(() => new BlockRig(body), { instanceOf: ConfigError });
    t.like(error, { code, line });
  });
}
