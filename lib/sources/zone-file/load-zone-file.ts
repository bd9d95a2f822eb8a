// A zone file and what it includes -> the records of a zone, read and parsed in small slices. Control thread.
import fs from 'node:fs';
import path from 'node:path';
import { StringDecoder } from 'node:string_decoder';
import { RRTYPE } from '../../wire/types.ts';
import { type Include, isRecord, MasterFileParser, type MasterFileState, startOfZone } from './master-file.ts';
import { ZoneContents } from './zone-contents.ts';
import { ZoneFileError } from './zone-file-error.ts';
import { nextTurn, type Pause } from './zone-publisher.ts';

/** Bytes read and parsed in one turn: about 5 ms. */
const CHUNK_BYTES = 32_768;
/** Generated records between two turns. */
const GENERATED_PER_TURN = 1000;
/** How deep files may include files. */
const MAX_INCLUDE_DEPTH = 7;
/** Bytes of all files of a zone together. */
const MAX_ZONE_BYTES = 2 ** 30;
/** A line without end is no zone file. */
const MAX_LINE_LENGTH = 300_000;

/** A file as it was when it was opened; a change of any part means another file. */
export type FileMark = { readonly path: string; readonly mark: string };

/** What came of reading a zone, with the files that were opened on the way. */
export type ZoneLoad = { readonly files: readonly FileMark[] } & (
  | { readonly kind: 'loaded'; readonly contents: ZoneContents }
  /** The SOA has the serial that the caller knows already; the rest was not read. */
  | { readonly kind: 'same' }
  | { readonly kind: 'failed'; readonly error: ZoneFileError }
);

/** What a file looks like from outside; '' when it is not there. Never rejects. */
export async function markFile(file: string): Promise<string> {
  try {
    const { ino, size, mtimeNs, ctimeNs } = await fs.promises.stat(file, { bigint: true });
    return `${ino} ${size} ${mtimeNs} ${ctimeNs}`;
  } catch {
    return '';
  }
}

/**
 * Reads a zone. Never rejects: what is wrong with the files is in the result, with file and line.
 *
 * @param origin wire form, lower case
 * @param knownSerial stops at a SOA with this serial
 */
export async function loadZoneFile(
  file: string,
  origin: Uint8Array,
  knownSerial?: number,
  pause: Pause = nextTurn,
): Promise<ZoneLoad> {
  const loader = new Loader(origin, knownSerial, pause);
  const { files, contents } = loader;
  try {
    await loader.read(file, startOfZone(origin), 0);
    if (loader.isSame) return { kind: 'same', files };
    if (contents.serial === undefined) throw new ZoneFileError('the file has no SOA record', file);
    loader.checkDenial();
    return { kind: 'loaded', contents, files };
  } catch (error) {
    if (error instanceof ZoneFileError) return { kind: 'failed', error, files };
    throw error;
  }
}

class Loader {
  readonly contents: ZoneContents;
  readonly files: FileMark[] = [];
  isSame = false;
  /** Where the first NSEC3 record stands. */
  #hashed: { readonly file: string; readonly line: number } | undefined;
  #hasParameters = false;
  readonly #knownSerial: number | undefined;
  readonly #pause: Pause;
  #bytes = 0;

  constructor(origin: Uint8Array, knownSerial: number | undefined, pause: Pause) {
    this.contents = new ZoneContents(origin);
    this.#knownSerial = knownSerial;
    this.#pause = pause;
  }

  /** @throws ZoneFileError when hashed denial cannot be answered from */
  checkDenial(): void {
    if (this.#hashed === undefined || this.#hasParameters) return;
    const { file, line } = this.#hashed;
    throw new ZoneFileError('NSEC3 records need an NSEC3PARAM record at the apex (RFC 5155 section 4)', file, line);
  }

  async read(file: string, state: MasterFileState, depth: number): Promise<void> {
    this.files.push({ path: file, mark: await markFile(file) });
    const parser = new MasterFileParser(file, state);
    let line = 0;
    for await (const chunk of this.#chunks(file)) {
      for (const text of chunk) {
        line++;
        const step = parser.takeLine(text);
        if (step === undefined) continue;
        if (isRecord(step)) this.#add(step, file, line);
        else if (step.kind === 'generate') await this.#addGenerated(step.records, file, line);
        else await this.#include(step, depth, file, line);
        if (this.isSame) return;
      }
    }
    parser.end();
  }

  async #include({ path: name, state }: Include, depth: number, from: string, line: number): Promise<void> {
    if (depth >= MAX_INCLUDE_DEPTH)
      throw new ZoneFileError(`$INCLUDE deeper than ${MAX_INCLUDE_DEPTH} files`, from, line);
    try {
      await this.read(path.resolve(path.dirname(from), name), state, depth + 1);
    } catch (error) {
      // A file that cannot be opened has no line; the one that names it has.
      if (!(error instanceof ZoneFileError) || error.line > 0) throw error;
      throw new ZoneFileError(`$INCLUDE: ${error.format()}`, from, line);
    }
  }

  #add(record: Parameters<ZoneContents['add']>[0], file: string, line: number): void {
    const { type } = record;
    if (type === RRTYPE.NSEC3) this.#hashed ??= { file, line };
    else if (type === RRTYPE.NSEC3PARAM) this.#hasParameters = true;
    this.contents.add(record);
    if (type === RRTYPE.SOA && this.contents.serial === this.#knownSerial) this.isSame = true;
  }

  async #addGenerated(
    records: Iterable<Parameters<ZoneContents['add']>[0]>,
    file: string,
    line: number,
  ): Promise<void> {
    let left = GENERATED_PER_TURN;
    for (const record of records) {
      this.#add(record, file, line);
      if (--left > 0) continue;
      left = GENERATED_PER_TURN;
      await this.#pause();
    }
  }

  /** Lines without their breaks, many at a time. A turn of the event loop passes in between. */
  async *#chunks(file: string): AsyncGenerator<readonly string[]> {
    const fail = (error: unknown): ZoneFileError => new ZoneFileError((error as Error).message, file, 0, true);
    const handle = await fs.promises.open(file, 'r').catch((error: unknown) => Promise.reject(fail(error)));
    try {
      if (!(await handle.stat()).isFile()) throw new ZoneFileError('not a file', file);
      const buffer = Buffer.alloc(CHUNK_BYTES);
      const decoder = new StringDecoder('utf8');
      let rest = '';
      for (;;) {
        const { bytesRead } = await handle
          .read(buffer, 0, CHUNK_BYTES)
          .catch((error: unknown) => Promise.reject(fail(error)));
        if (bytesRead === 0) break;
        this.#bytes += bytesRead;
        if (this.#bytes > MAX_ZONE_BYTES) throw new ZoneFileError(`over ${MAX_ZONE_BYTES} bytes`, file);
        const lines = (rest + decoder.write(buffer.subarray(0, bytesRead))).split('\n');
        rest = lines.pop()!;
        if (rest.length > MAX_LINE_LENGTH)
          throw new ZoneFileError(`a line of over ${MAX_LINE_LENGTH} characters`, file);
        yield lines;
      }
      rest += decoder.end();
      if (rest !== '') yield [rest];
    } finally {
      await handle.close();
    }
  }
}
