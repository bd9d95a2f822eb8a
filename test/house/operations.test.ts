// docs/operations.md names what an operator can set and see, all of it.
import test from 'ava';
import { USAGE } from '../../lib/control/flags.ts';
import { EXIT } from '../../lib/control/signals.ts';
import { readPackageFile, readSourceFiles } from './source-files.ts';

const page = readPackageFile('docs/operations.md') ?? '';
const source = readSourceFiles();

/** Text of a section, by its heading. */
function section(heading: string): string {
  return page.split(/^## /m).find((text) => text.startsWith(`${heading}\n`)) ?? '';
}

test('operations: every flag of -help is in the table', (t) => {
  const flags = [...USAGE.matchAll(/^ {2}(-[a-z.]+)/gm)].map(([, flag]) => flag!);
  t.true(flags.length > 5);
  t.deepEqual(
    flags.filter((flag) => !section('Flags').includes(`\`${flag}`)),
    [],
  );
});

test('operations: every exit code is in the table, and no other', (t) => {
  const rows = [...section('Exit codes').matchAll(/^\| (\d+) \|/gm)].map(([, code]) => Number(code));
  t.deepEqual(rows, Object.values(EXIT));
});

test('operations: every environment variable of ours is in the table', (t) => {
  const names = source.flatMap(({ text }) => text.match(/\bCLUSTERDNS_[A-Z]+\b/g) ?? []);
  t.deepEqual(
    [...new Set(names)].filter((name) => !section('Environment').includes(`\`${name}=`)),
    [],
  );
});

test('operations: the metrics named clusterdns_ are those of lib', (t) => {
  const built = source.flatMap(({ text }) => [...text.matchAll(/'(clusterdns_[a-z_]+)'/g)].map(([, name]) => name!));
  const named = section('Metrics').match(/\bclusterdns_[a-z_]+/g) ?? [];
  t.deepEqual([...new Set(named)].toSorted(), [...new Set(built)].toSorted());
});

test('operations: plugin pages and documents it links to are there', (t) => {
  const documents = ['docs/operations.md', 'docs/migrating.md', 'docs/principles.md', 'deploy/README.md'];
  for (const file of documents) {
    const folder = file.slice(0, file.lastIndexOf('/') + 1);
    for (const [, target] of (readPackageFile(file) ?? '').matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)) {
      const { pathname } = new URL(target!, `file:///${folder}`);
      t.not(readPackageFile(pathname.slice(1)), undefined, `${file}: ${target}`);
    }
  }
});
