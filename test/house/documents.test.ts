// Documents that repeat what the code says, and the fixed shape of the package.
import fs from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { ERROR_CODES } from '../../lib/base/errors.ts';
import { listFolders, PACKAGE_DIR, readPackageFile, readSourceFiles } from './source-files.ts';

test('house: docs/errors.md lists the codes and meanings of lib/base/errors.ts', (t) => {
  const rows = [...(readPackageFile('docs/errors.md') ?? '').matchAll(/^\| `([A-Z_]+)` \| (.+) \|$/gm)];
  t.deepEqual(Object.fromEntries(rows.map(([, code, meaning]) => [code, meaning])), { ...ERROR_CODES });
});

test('house: every error code is used in lib', (t) => {
  const text = readSourceFiles()
    .filter(({ path: file }) => file !== 'base/errors.ts')
    .map((file) => file.text)
    .join('\n');
  t.deepEqual(
    Object.keys(ERROR_CODES).filter((code) => !text.includes(`'${code}'`)),
    [],
  );
});

test('house: docs/architecture.md names every folder of lib, and no folder that is not there', (t) => {
  const text = readPackageFile('docs/architecture.md');
  t.not(text, undefined);
  const folders = listFolders('lib');
  t.deepEqual(
    folders.filter((folder) => !text!.includes(`lib/${folder}`)),
    [],
  );
  const named = [...text!.matchAll(/\blib\/([a-z0-9-]+)\//g)].map(([, folder]) => folder!);
  t.deepEqual(
    named.filter((folder) => !folders.includes(folder)),
    [],
  );
});

test('house: the package has its fixed top level', (t) => {
  const missing = [
    '.ci/run',
    'CHANGELOG.md',
    'CONTRIBUTING.md',
    'Corefile.example',
    'LICENSE',
    'README.md',
    'bench',
    'bin/clusterdns',
    'deploy',
    'docs',
    'lib',
    'package.json',
    'test',
    'tsconfig.json',
    'zones',
  ].filter((file) => !fs.existsSync(path.join(PACKAGE_DIR, file)));
  t.deepEqual(missing, []);
});

test('house: package.json has the scripts and settings that the documents promise', (t) => {
  const manifest = JSON.parse(readPackageFile('package.json')!) as {
    readonly license: string;
    readonly type: string;
    readonly bin: Readonly<Record<string, string>>;
    readonly engines: { readonly node: string };
    readonly scripts: Readonly<Record<string, string>>;
  };
  t.is(manifest.license, 'Apache-2.0');
  t.is(manifest.type, 'module');
  t.is(manifest.bin.clusterdns, 'bin/clusterdns');
  t.is(manifest.engines.node, '>=20');
  for (const name of ['start', 'prestart', 'test', 'pretest', 'build', 'types', 'lint', 'format', 'test:unit']) {
    t.true(name in manifest.scripts, name);
  }
  for (const name of ['prestart', 'pretest', 'build']) t.regex(manifest.scripts[name]!, /ensure-install/);
  t.true((fs.statSync(path.join(PACKAGE_DIR, 'bin/clusterdns')).mode & 0o111) !== 0);
});
