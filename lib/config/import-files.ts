// Files that `import PATTERN` names. Control thread; reads synchronously, configuration is not on any hot path.
import fs from 'node:fs';
import path from 'node:path';
import { quote } from '../base/quote.ts';

/** The few file operations an import needs, so that tests run without files. Paths are absolute. */
export interface ConfigFiles {
  /** @throws an error with a readable message when the file cannot be read; `EISDIR` for a folder */
  readText(file: string): string;
  exists(file: string): boolean;
  /** Names in a folder, in any order; empty when it cannot be listed. */
  listNames(folder: string): readonly string[];
}

export const systemFiles: ConfigFiles = {
  readText: (file) => fs.readFileSync(file, 'utf8'),
  exists: (file) => fs.lstatSync(file, { throwIfNoEntry: false }) !== undefined,
  listNames(folder) {
    try {
      return fs.readdirSync(folder);
    } catch {
      return [];
    }
  },
};

const WILDCARD = /[*?[\]]/;
const META = /[*?[\\]/;

/** `fault` completes `import: `; otherwise the matching paths, sorted within each folder. */
export type Matches = { readonly files: readonly string[]; readonly isPattern: boolean } | { readonly fault: string };

/**
 * Finds what an import names.
 *
 * @param pattern a path or a pattern with at most one `*` and one `?`; relative to the folder of `importingFile`
 */
export function findImportFiles(pattern: string, importingFile: string, files: ConfigFiles): Matches {
  const whole = path.isAbsolute(pattern) ? pattern : path.resolve(path.dirname(path.resolve(importingFile)), pattern);
  const count = (char: string): number => whole.split(char).length - 1;
  if (count('*') > 1 || count('?') > 1 || (whole.includes('[') && whole.includes(']'))) {
    return { fault: `${quote(pattern)} may hold one "*" and one "?", and no "[...]"` };
  }
  if (whole.includes('[')) return { fault: `${quote(pattern)} is not a valid pattern` };
  // A backslash with nothing to escape matches nothing.
  const matches = whole.endsWith('\\') ? [] : expand(whole, files);
  const isPattern = WILDCARD.test(whole);
  if (matches.length === 0 && !isPattern) return { fault: `neither a snippet defined above nor a file: ${pattern}` };
  return { files: matches, isPattern };
}

function expand(pattern: string, files: ConfigFiles): string[] {
  if (!META.test(pattern)) return files.exists(pattern) ? [pattern] : [];
  const folder = path.dirname(pattern);
  const base = toRegExp(path.basename(pattern));
  return expand(folder, files).flatMap((parent) =>
    [...files.listNames(parent)]
      .filter((name) => base.test(name))
      .sort()
      .map((name) => path.join(parent, name)),
  );
}

/** `*` is any run of characters, `?` one, `\x` the character x; a leading dot is nothing special. */
function toRegExp(pattern: string): RegExp {
  const source = pattern.replaceAll(/\\?[^]/gu, (part) => {
    if (part === '*') return '[^/]*';
    if (part === '?') return '[^/]';
    const char = part.length > 1 && part.startsWith('\\') ? part.slice(1) : part;
    return /[\^$\\.*+?()[\]{}|/]/.test(char) ? `\\${char}` : char;
  });
  return new RegExp(`^${source}$`, 'su');
}
