// docs/security.md: every advisory of CoreDNS has a test with its number, or a reason why it has none.
import fs from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { PACKAGE_DIR, readPackageFile } from './source-files.ts';

/** What CoreDNS has published, and three audits and fixes that have no CVE. */
const ADVISORIES = `
  CVE-2017-15133 DNS-01-003 CVE-2019-19794 CVE-2022-2835 CVE-2022-2837 TOB-CDNS-8 CVE-2023-28452 CVE-2023-30464
  CVE-2024-0874 #8261 CVE-2025-47950 CVE-2025-58063 CVE-2025-68151 CVE-2026-26017 #8289 #8290 CVE-2026-26018
  CVE-2026-32934 CVE-2026-32936 CVE-2026-33190 CVE-2026-35579 CVE-2026-33489 CVE-2026-86003 CVE-2026-82399`
  .trim()
  .split(/\s+/);

const page = readPackageFile('docs/security.md') ?? '';

/** Cells of the rows of a section's table. */
function rowsOf(heading: string): string[][] {
  const section = page.split(/^## /m).find((text) => text.startsWith(`${heading}\n`)) ?? '';
  return section
    .split('\n')
    .filter((line) => line.startsWith('| ') && !line.startsWith('| advisory') && !line.startsWith('| ---'))
    .map((line) =>
      line
        .split('|')
        .map((cell) => cell.trim())
        .slice(1, -1),
    );
}

function numbersIn(cell: string): string[] {
  return ADVISORIES.filter((number) => cell.split(/[ ,()]+/).includes(number));
}

/** Titles of a test file with what they are put together from: lines that call `test`, and the tables before them. */
function readTests(file: string): string {
  return fs
    .readFileSync(path.join(PACKAGE_DIR, file), 'utf8')
    .split('\n')
    .filter((line) => !line.trimStart().startsWith('//'))
    .join('\n');
}

test('house: every advisory is in one of the tables of docs/security.md, once', (t) => {
  const named = [...rowsOf('Advisories'), ...rowsOf('Not applicable')].flatMap(([first]) => numbersIn(first!));
  t.deepEqual(named.toSorted(), ADVISORIES.toSorted());
});

test('house: the test of each advisory has its number', (t) => {
  const rows = rowsOf('Advisories');
  t.true(rows.length > 10);
  for (const cells of rows) {
    const file = /`(test\/[^`]+)`/.exec(cells.at(-1)!)?.[1] ?? '';
    const text = readPackageFile(file) === undefined ? '' : readTests(file);
    for (const number of numbersIn(cells[0]!)) t.true(text.includes(number), `${number} is not in ${file}`);
  }
});

test('house: whatever has no test has a reason', (t) => {
  for (const [advisory, reason] of rowsOf('Not applicable')) t.true((reason?.length ?? 0) > 40, advisory);
});
