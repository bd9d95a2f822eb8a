// The option `key file NAME...` of the plugins that sign: reads key pairs in the form of dnssec-keygen. Control thread.
import fs from 'node:fs';
import path from 'node:path';
import type { Option, Token } from '../config/directive.ts';
import { parsePrivateKey, type SigningKeyData, SigningKeyError } from '../wire/dnssec/signing-key.ts';
import { lowerName } from '../wire/name.ts';
import { parseRecord } from '../wire/record.ts';
import { RecordTextError } from '../wire/text.ts';
import { RRTYPE } from '../wire/types.ts';

/** Key files are a few hundred bytes. */
const MAX_KEY_FILE_BYTES = 65_536;

/**
 * Reads the key pairs that the option names. Each word is `Kzone.+013+12345`, with or without `.key` or `.private`.
 *
 * @param root folder that relative paths start from
 * @throws ConfigError `ARGUMENT_COUNT`, `ARGUMENT_VALUE`; `FILE` when a file cannot be read or holds no key
 */
export function readKeyOption(option: Option, root: string): SigningKeyData[] {
  const [kind, ...names] = option.args;
  if (kind === undefined) throw option.error('ARGUMENT_COUNT', 'key: needs "file" and the names of key files');
  if (kind.text === 'aws_secretsmanager') {
    throw option.error('ARGUMENT_VALUE', 'key: aws_secretsmanager is not built, write the keys to files', kind.line);
  }
  option.parseWord(kind, ['file']);
  if (names.length === 0) throw option.error('ARGUMENT_COUNT', 'key: the name of a key file is missing');
  return names.map((name) => readKeyPair(option, name, root));
}

function readKeyPair(option: Option, name: Token, root: string): SigningKeyData {
  const base = path.resolve(root, name.text.replace(/\.(?:key|private)$/, ''));
  const publicText = readFile(option, name, `${base}.key`);
  const privateText = readFile(option, name, `${base}.private`);
  try {
    const record = parseRecord(joinLines(publicText));
    if (record.type !== RRTYPE.DNSKEY) throw new SigningKeyError('the record is not a DNSKEY');
    const owner = record.name.slice();
    lowerName(owner);
    const { ttlSeconds, rdata } = record;
    return { owner, ttlSeconds, dnskey: rdata, privateKey: parsePrivateKey(privateText, rdata) };
  } catch (error) {
    if (!(error instanceof SigningKeyError) && !(error instanceof RecordTextError)) throw error;
    throw option.error('FILE', `key: ${base}: ${error.message}`, name.line);
  }
}

/** The one record of a key file: comments taken off, parentheses opened. */
function joinLines(text: string): string {
  return text
    .split('\n')
    .map((line) => line.replace(/;.*$/, ''))
    .join(' ')
    .replace(/[()]/g, ' ')
    .trim();
}

function readFile(option: Option, name: Token, file: string): string {
  try {
    if (fs.statSync(file).size > MAX_KEY_FILE_BYTES) throw new Error(`${file}: too large for a key file`);
    return fs.readFileSync(file, 'utf8');
  } catch (error) {
    throw option.error('FILE', `key: ${(error as Error).message}`, name.line);
  }
}
