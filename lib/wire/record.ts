// One resource record outside of a message: its parts, and its line in text both ways. Pure; cold paths.
import { formatName } from './name.ts';
import { formatRdata, parseRdata } from './rdata/registry.ts';
import { RecordTextError, TextReader, type Token, parseTtl, parseZoneName, tokenizeRecord } from './text.ts';
import { CLASS, formatType, parseType } from './types.ts';

export type ResourceRecord = {
  /** Owner, uncompressed wire form, letter case kept. */
  readonly name: Uint8Array;
  readonly type: number;
  readonly class: number;
  readonly ttlSeconds: number;
  /** Uncompressed. */
  readonly rdata: Uint8Array;
};

/** What a line may leave out. */
export type RecordDefaults = {
  /** What names without a final dot are relative to, wire form; the root unless given. */
  readonly origin?: Uint8Array;
  /** TTL of a line without one; 3600 unless given. */
  readonly ttlSeconds?: number;
  /** Owner of a line that starts with white space; an error unless given. */
  readonly owner?: Uint8Array;
};

const ROOT = Uint8Array.of(0);
const DEFAULT_TTL_SECONDS = 3600;
const CLASS_NAMES = new Map<number, string>(Object.entries(CLASS).map(([name, code]) => [code, name]));

/** `IN`, ... or `CLASSn` (RFC 3597 section 5). */
export function formatClass(code: number): string {
  return CLASS_NAMES.get(code) ?? `CLASS${code}`;
}

/** The number of `IN`, `CLASS42`, ... in any letter case, or undefined. */
export function parseClass(text: string): number | undefined {
  const upper = text.toUpperCase();
  const match = /^CLASS(\d{1,5})$/.exec(upper);
  if (match) return Number(match[1]) <= 65_535 ? Number(match[1]) : undefined;
  return (CLASS as Readonly<Record<string, number>>)[upper];
}

/**
 * Reads `name [ttl] [class] type rdata`, TTL and class in either order.
 *
 * @throws RecordTextError what is wrong, with the type in front where it is known
 * @see RFC 1035 section 5.1
 */
export function parseRecord(text: string, defaults: RecordDefaults = {}): ResourceRecord {
  return parseRecordTokens(tokenizeRecord(text), defaults, /^[ \t]/.test(text));
}

/** Like `parseRecord`, from words; `ownerOmitted` when the line started with white space. @throws RecordTextError */
export function parseRecordTokens(
  tokens: readonly Token[],
  defaults: RecordDefaults,
  ownerOmitted: boolean,
): ResourceRecord {
  const origin = defaults.origin ?? ROOT;
  const owner = ownerOmitted && defaults.owner;
  let next = owner ? 0 : 1;
  const ownerWord = tokens[0]?.text;
  if (ownerWord === undefined) throw new RecordTextError('a record is missing');
  let ttlSeconds: number | undefined;
  let recordClass: number | undefined;
  for (; ; next++) {
    const word = tokens[next]?.text;
    if (word === undefined) throw new RecordTextError('a record type is missing');
    const ttl = ttlSeconds === undefined ? parseTtl(word) : undefined;
    const code = recordClass === undefined ? parseClass(word) : undefined;
    if (ttl !== undefined) ttlSeconds = ttl;
    else if (code !== undefined) recordClass = code;
    else break;
  }
  const typeWord = tokens[next]!.text;
  const type = parseType(typeWord);
  if (type === undefined) throw new RecordTextError(`"${typeWord}" is not a record type`);
  const name = owner || parseZoneName(ownerWord, origin);
  recordClass ??= CLASS.IN;
  ttlSeconds ??= defaults.ttlSeconds ?? DEFAULT_TTL_SECONDS;
  try {
    const rdata = parseRdata(type, new TextReader(tokens, origin, next + 1), recordClass);
    return { name, type, class: recordClass, ttlSeconds, rdata };
  } catch (error) {
    if (error instanceof RecordTextError) throw new RecordTextError(`${formatType(type)}: ${error.message}`);
    throw error;
  }
}

/** `name ttl class type rdata`, separated by `separator`. */
export function formatRecord(record: ResourceRecord, separator = ' '): string {
  const { name, ttlSeconds, type, rdata } = record;
  const parts = [formatName(name), String(ttlSeconds), formatClass(record.class), formatType(type)];
  const data = formatRdata(type, rdata, record.class);
  if (data !== '') parts.push(data);
  return parts.join(separator);
}
