// -check: every problem in one go.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
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

test('check: a broken zone file is a problem with its own line', async (t) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'check-'));
  t.teardown(() => fs.rmSync(folder, { recursive: true }));
  const zone = path.join(folder, 'db');
  fs.writeFileSync(zone, '@ 60 IN SOA ns hostmaster 1 2 3 4 5\nwww 60 IN A not-an-address\n');
  const lines = await check(`a.org {\n    file ${zone}\n}\n`);
  t.is(lines.length, 1);
  t.true(lines[0]!.startsWith(`${zone}:2: file: `), lines[0]);
  fs.writeFileSync(zone, '@ 60 IN SOA ns hostmaster 1 2 3 4 5\nwww 60 IN A 192.0.2.1\n');
  t.deepEqual(await check(`a.org {\n    file ${zone}\n}\n`), []);
});
