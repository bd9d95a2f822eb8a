// Plugin folders, tables and READMEs say the same, and every example in a README is one that the server takes.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'ava';
import { createLogger } from '../../lib/base/log.ts';
import { checkCorefile } from '../../lib/control/check.ts';
import { HANDLERS } from '../../lib/plugins/handlers.ts';
import { CONFIG_ONLY, PLUGIN_ORDER } from '../../lib/plugins/order.ts';
import { SETUPS } from '../../lib/plugins/setups.ts';
import { listFolders, PACKAGE_DIR, readPackageFile } from './source-files.ts';

const SECTIONS = ['Name', 'Description', 'Syntax', 'Examples', 'Metrics', 'Ready', 'Limits'];
/** Sections a plugin may do without: it has no metrics, or nothing to be ready for. */
const OPTIONAL = new Set(['Metrics', 'Ready']);
const folders = listFolders('lib/plugins');
const built = Object.keys(SETUPS).sort();

test('house: plugin folders are exactly the plugins that have a setup', (t) => {
  t.deepEqual(folders, built);
});

test('house: every plugin is in the ordered list', (t) => {
  t.deepEqual(
    built.filter((name) => !(PLUGIN_ORDER as readonly string[]).includes(name)),
    [],
  );
});

test('house: every plugin has a handler, unless it only configures', (t) => {
  t.deepEqual(
    Object.keys(HANDLERS).sort(),
    built.filter((name) => !CONFIG_ONLY.has(name)),
  );
});

for (const name of folders) {
  const readme = readPackageFile(`lib/plugins/${name}/README.md`);
  test(`house: ${name} has a README with its sections in order`, (t) => {
    t.not(readme, undefined);
    const headings = [...(readme ?? '').matchAll(/^## (.+)$/gm)].map(([, title]) => title!);
    const wanted = SECTIONS.filter((title) => !OPTIONAL.has(title) || headings.includes(title));
    t.deepEqual(
      headings.filter((title) => SECTIONS.includes(title)),
      wanted,
    );
  });
  const examples = [...(readme ?? '').matchAll(/^```(?:corefile|text corefile)\n([\s\S]*?)^```$/gim)];
  for (const [index, [, text]] of examples.entries()) {
    test(`house: example ${index + 1} of ${name}'s README is a Corefile that can be served`, async (t) => {
      const log = createLogger({ sink: () => {} });
      const problems = await checkCorefile({ text: completeExample(text!), file: 'README.md' }, 53, log);
      t.deepEqual(
        problems.map((problem) => problem.format()),
        [],
      );
    });
  }
}

/** Examples are written to be read from the package's folder; a bare directive is put into a server block. */
function completeExample(text: string): string {
  const isBlock = /^\s*(?:\([\w-]+\)|\S.*)\s*\{\s*$/m.test(text) && /^[^\s#]\S*(?:\s+\S+)*\s*\{/m.test(text);
  const [first = ''] = text.trim().split(/\s/, 1);
  const startsWithDirective = (PLUGIN_ORDER as readonly string[]).includes(first);
  return isBlock && !startsWithDirective ? text : `. {\n${text}\n}\n`;
}

test('house: Corefile.example can be served', async (t) => {
  const text = readPackageFile('Corefile.example');
  t.not(text, undefined);
  const cwd = fs.realpathSync(process.cwd());
  t.is(cwd, fs.realpathSync(PACKAGE_DIR), `tests run from the package (${os.EOL}${path.sep})`);
  const log = createLogger({ sink: () => {} });
  t.deepEqual(await checkCorefile({ text: text ?? '', file: 'Corefile.example' }, 53, log), []);
});
