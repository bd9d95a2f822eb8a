// Reads a Corefile from memory for tests: no files but the given ones, no environment but the given one.
import path from 'node:path';
import type { ConfigError } from '../../../lib/base/errors.ts';
import { parseCorefile, type Corefile } from '../../../lib/config/corefile.ts';
import type { ConfigFiles } from '../../../lib/config/import-files.ts';
import { directiveNames, PLUGIN_ORDER } from '../../../lib/plugins/order.ts';

export type TestInput = {
  readonly file?: string;
  readonly environment?: Record<string, string>;
  /** Path relative to the Corefile's folder -> text; null is a folder. */
  readonly files?: Readonly<Record<string, string | null>>;
  /** Directives that are not built. */
  readonly without?: readonly string[];
  readonly defaultPort?: number;
  readonly onNotBuilt?: (error: ConfigError) => void;
};

export function parseTestCorefile(text: string, input: TestInput = {}): Corefile {
  const { file = 'Corefile', environment = {}, files = {}, without = [], ...rest } = input;
  return parseCorefile(text, {
    file,
    environment,
    files: memoryFiles({ ...files, [path.basename(file)]: text }, path.dirname(path.resolve(file))),
    directives: directiveNames(PLUGIN_ORDER.filter((name) => !without.includes(name))),
    ...rest,
  });
}

/** Imports come from the disk; `file` is where the text would stand. */
export function parseFromDisk(text: string, file: string): Corefile {
  return parseCorefile(text, { file, environment: {}, directives: directiveNames(PLUGIN_ORDER) });
}

function memoryFiles(texts: Readonly<Record<string, string | null>>, folder: string): ConfigFiles {
  const byPath = new Map(Object.entries(texts).map(([name, text]) => [path.join(folder, name), text]));
  const isFolder = (file: string): boolean =>
    byPath.get(file) === null || [...byPath.keys()].some((other) => other.startsWith(`${file}/`));
  return {
    readText(file) {
      const text = byPath.get(file);
      if (typeof text === 'string') return text;
      throw Object.assign(new Error(`cannot read ${file}`), { code: isFolder(file) ? 'EISDIR' : 'ENOENT' });
    },
    exists: (file) => byPath.has(file) || isFolder(file),
    listNames: (parent) =>
      [...new Set([...byPath.keys()].filter((file) => file.startsWith(`${parent}/`)))].map(
        (file) => file.slice(parent.length + 1).split('/')[0]!,
      ),
  };
}
