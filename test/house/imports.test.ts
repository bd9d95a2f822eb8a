// Imports go down only, and a plugin never imports another plugin.
import test from 'ava';
import { listFolders, readSourceFiles } from './source-files.ts';

const RANKS: Readonly<Record<string, number>> = {
  base: 0,
  wire: 1,
  metrics: 1,
  config: 2,
  store: 2,
  chain: 3,
  // Types only; below chain, which compiles the plans that are described here.
  link: 2.5,
  sources: 4,
  plugins: 4,
  io: 4,
  worker: 5,
  control: 5,
};

const files = readSourceFiles();
const folderOf = (file: string): string => file.split('/')[0]!;

test('house: every folder of lib has a rank', (t) => {
  t.deepEqual(listFolders('lib'), Object.keys(RANKS).sort());
});

test('house: a folder imports only itself and folders of lower rank', (t) => {
  const wrong = files.flatMap(({ path, imports }) =>
    imports
      .filter((target) => folderOf(target) !== folderOf(path))
      .filter((target) => !(RANKS[folderOf(target)]! < RANKS[folderOf(path)]!))
      .map((target) => `${path} imports ${target}`),
  );
  t.deepEqual(wrong, []);
});

test('house: a plugin never imports another plugin', (t) => {
  const pluginOf = (file: string): string | undefined => /^plugins\/([^/]+)\//.exec(file)?.[1];
  const wrong = files.flatMap(({ path, imports }) => {
    const own = pluginOf(path);
    return imports
      .filter((target) => own !== undefined && pluginOf(target) !== undefined && pluginOf(target) !== own)
      .map((target) => `${path} imports ${target}`);
  });
  t.deepEqual(wrong, []);
});

test('house: every import of a file of lib names a file that exists', (t) => {
  const known = new Set(files.map(({ path }) => path));
  const wrong = files.flatMap(({ path, imports }) =>
    imports.filter((target) => !known.has(target)).map((target) => `${path} imports ${target}`),
  );
  t.deepEqual(wrong, []);
});
