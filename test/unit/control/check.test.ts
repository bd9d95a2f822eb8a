// -check: every problem in one go.
import test from 'ava';
import { createLogger } from '../../../lib/base/log.ts';
import { checkCorefile } from '../../../lib/control/check.ts';

const log = createLogger({ sink: () => {} });

async function check(text: string): Promise<string[]> {
  const problems = await checkCorefile({ text, file: 'Corefile' }, 53, log);
  return problems.map((problem) => problem.format());
}

test('check: a Corefile without problems has none', async (t) => {
  t.deepEqual(await check('.:53 {\n    errors\n    whoami\n}\n'), []);
});

test('check: problems of several blocks and directives come in the order of their lines', async (t) => {
  const lines = await check('a.org {\n    whoami extra\n    errors nowhere\n}\nb.org {\n    health x\n}\n');
  t.deepEqual(
    lines.map((line) => line.split(' ', 2).join(' ')),
    ['Corefile:2: whoami:', 'Corefile:3: errors:', 'Corefile:6: health:'],
  );
});

test('check: a directive that is not built is a problem beside the others', async (t) => {
  const lines = await check('. {\n    geoip file\n    whoami extra\n}\n');
  t.is(lines.length, 2);
  t.regex(lines[0]!, /^Corefile:2: geoip: /);
});

test('check: a text that does not parse has one problem', async (t) => {
  const lines = await check('. {\n    whoami\n');
  t.is(lines.length, 1);
  t.regex(lines[0]!, /^Corefile:\d+: .*closing/);
});
