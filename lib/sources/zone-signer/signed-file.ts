// Signed zone files: whether one is still good, and writing a new one in its place. Control thread.
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { formatRecord, parseRecord, type ResourceRecord } from '../../wire/record.ts';
import { RecordTextError } from '../../wire/text.ts';
import { RRTYPE } from '../../wire/types.ts';
import type { Pause } from '../zone-file/zone-publisher.ts';

const DAY_MS = 86_400_000;
/** Signatures older than this are renewed. */
const RENEW_AFTER_MS = 6 * DAY_MS;
/** Signatures that end within this time are renewed. */
const RENEW_BEFORE_MS = 7 * DAY_MS;
/** The SOA record and its signatures stand at the beginning. */
const HEAD_BYTES = 65_536;
const HEAD_RECORDS = 100;
/** Signing is about 50 µs a signature; other work of the thread gets its turn after this time. */
const SLICE_MS = 4;
const WRITE_CHARACTERS = 65_536;

/**
 * Why the file has to be made anew, or undefined when its signatures are good.
 *
 * @param source zone file that it is made from
 * @param tags of the keys that sign
 */
export async function findStaleness(
  file: string,
  source: string,
  tags: readonly number[],
  nowMs: number,
): Promise<string | undefined> {
  try {
    const [signed, unsigned] = await Promise.all([fs.promises.stat(file), fs.promises.stat(source)]);
    if (unsigned.mtimeMs > signed.mtimeMs) return `${JSON.stringify(source)} was written since`;
    const signatures = readSoaSignatures(await readHead(file));
    if (signatures.length === 0) return `no SOA RRSIG found in first ${HEAD_RECORDS} records`;
    const signedTags = signatures.map(({ tag }) => tag).sort((a, b) => a - b);
    if (signedTags.join() !== tags.toSorted((a, b) => a - b).join()) return 'the keys have changed';
    for (const signature of signatures) {
      const reason = judge(signature, nowMs);
      if (reason !== undefined) return reason;
    }
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

type SoaSignature = { readonly tag: number; readonly inceptionMs: number; readonly expirationMs: number };

function judge({ inceptionMs, expirationMs }: SoaSignature, nowMs: number): string | undefined {
  const inception = JSON.stringify(new Date(inceptionMs).toISOString());
  if (inceptionMs > nowMs) return `inception ${inception} date is in the future`;
  if (nowMs - inceptionMs > RENEW_AFTER_MS) return `inception ${inception} was more than 144h ago`;
  if (expirationMs - nowMs >= RENEW_BEFORE_MS) return undefined;
  return `expiration ${JSON.stringify(new Date(expirationMs).toISOString())} is less than 168h away`;
}

async function readHead(file: string): Promise<string> {
  const handle = await fs.promises.open(file, 'r');
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await handle.close();
  }
}

function readSoaSignatures(head: string): SoaSignature[] {
  const signatures: SoaSignature[] = [];
  for (const line of head.split('\n', HEAD_RECORDS)) {
    if (!/\sRRSIG\s+SOA\s/.test(line)) continue;
    try {
      const { type, rdata } = parseRecord(line);
      if (type !== RRTYPE.RRSIG) continue;
      const view = new DataView(rdata.buffer, rdata.byteOffset);
      const expirationMs = view.getUint32(8) * 1000;
      signatures.push({ tag: view.getUint16(16), inceptionMs: view.getUint32(12) * 1000, expirationMs });
    } catch (error) {
      // Cut off, or not ours: as good as not there.
      if (!(error instanceof RecordTextError)) throw error;
    }
  }
  return signatures;
}

/** Writes the records and puts the file into its place in one step; undefined among them is a place to pause. @throws Error of the file system */
export async function writeSignedFile(
  file: string,
  records: Iterable<ResourceRecord | undefined>,
  pause: Pause,
): Promise<void> {
  const temporary = path.join(path.dirname(file), `signed-${randomBytes(6).toString('hex')}`);
  const handle = await fs.promises.open(temporary, 'wx', 0o644);
  try {
    let text = '';
    let sinceMs = performance.now();
    for (const record of records) {
      if (record !== undefined) text += `${formatRecord(record, '\t')}\n`;
      if (text.length >= WRITE_CHARACTERS) {
        await handle.appendFile(text);
        text = '';
      }
      if (performance.now() - sinceMs < SLICE_MS) continue;
      await pause();
      sinceMs = performance.now();
    }
    await handle.appendFile(text);
    await handle.close();
    await fs.promises.rename(temporary, file);
  } catch (error) {
    await handle.close().catch(() => undefined);
    await fs.promises.rm(temporary, { force: true });
    throw error;
  }
}
