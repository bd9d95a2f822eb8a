// The files of lib/ as the house tests look at them: path below lib/, text, imports.
import fs from 'node:fs';
import path from 'node:path';

export const PACKAGE_DIR: string = path.resolve(import.meta.dirname, '../..');
const LIB = path.join(PACKAGE_DIR, 'lib');

export type SourceFile = {
  /** Below lib/, with slashes: `chain/query.ts`. */
  readonly path: string;
  readonly text: string;
  /** Paths of the imported files of lib/, in the same form. */
  readonly imports: readonly string[];
};

/** Every TypeScript file of lib/, sorted by path. */
export function readSourceFiles(): SourceFile[] {
  return fs
    .readdirSync(LIB, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => file.replaceAll(path.sep, '/'))
    .sort()
    .map((file) => {
      const text = fs.readFileSync(path.join(LIB, file), 'utf8');
      return { path: file, text, imports: readImports(file, text) };
    });
}

function readImports(file: string, text: string): string[] {
  const found = [...text.matchAll(/(?:^|\n)\s*(?:import|export)\b[^'";]*?from\s+'(\.[^']+)'/g)];
  const dynamic = [...text.matchAll(/\bimport\(\s*'(\.[^']+)'\s*\)/g)];
  return [...found, ...dynamic].map(([, target]) => path.posix.join(path.posix.dirname(file), target!));
}

/** Folders right below a folder of the package. */
export function listFolders(folder: string): string[] {
  return fs
    .readdirSync(path.join(PACKAGE_DIR, folder), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort();
}

/** Text of a file of the package; undefined when it is not there. */
export function readPackageFile(file: string): string | undefined {
  try {
    return fs.readFileSync(path.join(PACKAGE_DIR, file), 'utf8');
  } catch {
    return undefined;
  }
}
