// Where the Corefile's text comes from: a file, standard input, ./Corefile or nowhere. Control thread.
import fs from 'node:fs';
import { ConfigError } from '../base/errors.ts';
import type { CorefileText } from './configure.ts';

const DEFAULT_FILE = 'Corefile';
/** Larger texts are no Corefiles. */
const MAX_BYTES = 64 * 2 ** 20;
/** Go's words for what system calls return, which operators search for. */
const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or directory',
  EACCES: 'permission denied',
  EISDIR: 'is a directory',
};

/** Reads the text again at each call. @throws ConfigError `FILE` */
export type LoadCorefile = () => CorefileText;

/**
 * @param conf value of `-conf`: a path, `stdin`, or undefined for `./Corefile`, whose absence means the built-in default
 */
export function createCorefileLoader(conf: string | undefined): LoadCorefile {
  if (conf === 'stdin') {
    // A pipe can be read once; a reload sets the same text up again.
    let text: string | undefined;
    return () => ({ text: (text ??= readStdin()), file: 'stdin' });
  }
  return () => {
    const file = conf ?? DEFAULT_FILE;
    try {
      return { text: readLimited(file), file };
    } catch (error) {
      const { code = '', message } = error as NodeJS.ErrnoException;
      if (conf === undefined && code === 'ENOENT') return { text: '', file };
      throw new ConfigError('FILE', `open ${file}: ${REASONS[code] ?? message}`);
    }
  };
}

function readLimited(file: string): string {
  const { size } = fs.statSync(file);
  if (size > MAX_BYTES) throw new Error(`larger than ${MAX_BYTES / 2 ** 20} MiB`);
  return fs.readFileSync(file, 'utf8');
}

/** All of standard input; nothing when it is a terminal, as in CoreDNS. */
function readStdin(): string {
  if (process.stdin.isTTY) return '';
  try {
    return fs.readFileSync(0, 'utf8');
  } catch (error) {
    throw new ConfigError('FILE', `stdin: ${(error as Error).message}`);
  }
}
