// Lines of a master file -> records (RFC 1035 section 5.1, $TTL of RFC 2308, $GENERATE of BIND). Control thread; reads no file
// itself: what it includes is told to the caller.
import { parseRecordTokens, type ResourceRecord } from '../../wire/record.ts';
import { parseTtl, parseZoneName, RecordTextError, type Token, tokenizeRecord } from '../../wire/text.ts';
import { parseGenerate } from './generate.ts';
import { ZoneFileError } from './zone-file-error.ts';

/** Longest record in text, in characters. */
const MAX_RECORD_TEXT = 300_000;
/** Stands for "no TTL so far" where a number must be; no TTL is negative. */
const NO_TTL = -1;

/** What a file hands on to one that it includes, and takes back as it was. */
export type MasterFileState = {
  readonly origin: Uint8Array;
  /** -1: none known yet. */
  readonly ttlSeconds: number;
  /** Set by $TTL: explicit TTLs of records do not change it then. */
  readonly hasTtlDirective: boolean;
  readonly owner: Uint8Array | undefined;
};

/** What a line amounts to besides a record. */
export type Include = { readonly kind: 'include'; readonly path: string; readonly state: MasterFileState };
export type Generated = { readonly kind: 'generate'; readonly records: Iterable<ResourceRecord> };
export type Line = ResourceRecord | Include | Generated | undefined;

export function isRecord(line: Exclude<Line, undefined>): line is ResourceRecord {
  return 'rdata' in line;
}

/** The state at the start of a zone's file. */
export function startOfZone(origin: Uint8Array): MasterFileState {
  return { origin, ttlSeconds: NO_TTL, hasTtlDirective: false, owner: undefined };
}

export class MasterFileParser {
  readonly #file: string;
  #origin: Uint8Array;
  #ttlSeconds: number;
  #hasTtlDirective: boolean;
  #owner: Uint8Array | undefined;
  #line = 0;
  /** Lines of a record whose parentheses are still open. */
  #pending = '';
  #open = 0;
  #firstLine = 0;

  /** @param file path for messages */
  constructor(file: string, state: MasterFileState) {
    this.#file = file;
    this.#origin = state.origin;
    this.#ttlSeconds = state.ttlSeconds;
    this.#hasTtlDirective = state.hasTtlDirective;
    this.#owner = state.owner;
  }

  /**
   * Takes the next line, without its line break.
   * @throws ZoneFileError
   */
  takeLine(text: string): Line {
    this.#line++;
    if (this.#open === 0) {
      this.#firstLine = this.#line;
      if (!MARKS.test(text)) return this.#readWords(splitWords(text), text);
    }
    const open = this.#open + countOpen(text, this.#fail);
    if (open < 0) throw this.#fail('")" without "("');
    const whole = this.#open === 0 ? text : `${this.#pending}\n${text}`;
    if (whole.length > MAX_RECORD_TEXT) {
      throw this.#fail(`a record of over ${MAX_RECORD_TEXT} characters, a ")" may be missing`);
    }
    this.#open = open;
    if (open > 0) {
      this.#pending = whole;
      return undefined;
    }
    this.#pending = '';
    return this.#read(() => tokenizeRecord(whole), whole);
  }

  /** The file is at its end. @throws ZoneFileError when a parenthesis is open */
  end(): void {
    if (this.#open > 0) throw this.#fail('"(" without ")"');
  }

  /** Makes (not throws) an error at the record under way. */
  readonly #fail = (message: string): ZoneFileError => new ZoneFileError(message, this.#file, this.#firstLine);

  #readWords(words: readonly Token[], text: string): Line {
    return words.length === 0 ? undefined : this.#read(() => words, text);
  }

  #read(tokenize: () => readonly Token[], text: string): Line {
    try {
      const tokens = tokenize();
      const [first] = tokens;
      if (first === undefined) return undefined;
      const ownerOmitted = text.startsWith(' ') || text.startsWith('\t');
      if (!ownerOmitted && !first.quoted && first.text.startsWith('$'))
        return this.#directive(first.text, tokens, text);
      return this.#record(tokens, ownerOmitted);
    } catch (error) {
      if (error instanceof RecordTextError) throw this.#fail(error.message);
      throw error;
    }
  }

  #record(tokens: readonly Token[], ownerOmitted: boolean): ResourceRecord {
    if (ownerOmitted && this.#owner === undefined) throw this.#fail('the first record has no owner name');
    const record = parseRecordTokens(
      tokens,
      {
        origin: this.#origin,
        ttlSeconds: this.#ttlSeconds,
        ...(this.#owner === undefined ? {} : { owner: this.#owner }),
      },
      ownerOmitted,
    );
    if (record.ttlSeconds === NO_TTL) throw this.#fail('the record has no TTL and no $TTL stands above it');
    if (!this.#hasTtlDirective) this.#ttlSeconds = record.ttlSeconds;
    this.#owner = record.name;
    return record;
  }

  #directive(word: string, tokens: readonly Token[], text: string): Line {
    const value = tokens[1]?.text;
    if (value === undefined) throw this.#fail(`${word} without a value`);
    switch (word.toUpperCase()) {
      case '$ORIGIN':
        this.#expectCount(word, tokens, 2);
        this.#origin = parseZoneName(value, this.#origin);
        return undefined;
      case '$TTL': {
        this.#expectCount(word, tokens, 2);
        const seconds = parseTtl(value);
        if (seconds === undefined) throw this.#fail(`$TTL: "${value}" is not a number of seconds`);
        this.#ttlSeconds = seconds;
        this.#hasTtlDirective = true;
        return undefined;
      }
      case '$INCLUDE': {
        this.#expectCount(word, tokens, 3);
        const origin = tokens[2] === undefined ? this.#origin : parseZoneName(tokens[2].text, this.#origin);
        return { kind: 'include', path: value, state: { ...this.#state(), origin } };
      }
      case '$GENERATE':
        return { kind: 'generate', records: this.#generate(text) };
      default:
        throw this.#fail(`unknown directive "${word}", known are $ORIGIN, $TTL, $INCLUDE and $GENERATE`);
    }
  }

  #state(): MasterFileState {
    return {
      origin: this.#origin,
      ttlSeconds: this.#ttlSeconds,
      hasTtlDirective: this.#hasTtlDirective,
      owner: this.#owner,
    };
  }

  #expectCount(word: string, tokens: readonly Token[], most: number): void {
    const extra = tokens[most];
    if (extra !== undefined) throw this.#fail(`${word}: "${extra.text}" follows a complete directive`);
  }

  *#generate(text: string): Generator<ResourceRecord> {
    const defaults = {
      origin: this.#origin,
      ...(this.#ttlSeconds === NO_TTL ? {} : { ttlSeconds: this.#ttlSeconds }),
    };
    const line = this.#firstLine;
    try {
      for (const record of parseGenerate(text)) yield parseRecordTokens(tokenizeRecord(record), defaults, false);
    } catch (error) {
      if (error instanceof RecordTextError) throw new ZoneFileError(`$GENERATE: ${error.message}`, this.#file, line);
      throw error;
    }
  }
}

const MARKS = /[()"\\;]/;

/** Words of a line without quotes, escapes, comments and parentheses: most lines of most files. */
function splitWords(text: string): Token[] {
  const words = text.match(/[^ \t\r]+/g);
  return words === null ? [] : words.map((word) => ({ text: word, quoted: false }));
}

/** Parentheses that a line opens less those it closes. */
function countOpen(text: string, fail: (message: string) => ZoneFileError): number {
  let open = 0;
  let inQuotes = false;
  for (let at = 0; at < text.length; at++) {
    const char = text.charCodeAt(at);
    if (char === BACKSLASH) at++;
    else if (char === QUOTE) inQuotes = !inQuotes;
    else if (inQuotes) continue;
    else if (char === SEMICOLON) break;
    else if (char === OPEN) open++;
    else if (char === CLOSE) open--;
  }
  if (inQuotes) throw fail('a quote is not closed');
  return open;
}
const BACKSLASH = 0x5c;
const QUOTE = 0x22;
const SEMICOLON = 0x3b;
const OPEN = 0x28;
const CLOSE = 0x29;
