// The saved view on disk: objects as they are held, one line of JSON each, between a header and a checksum. Control thread.
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { internPorts, internText, type Port } from './objects/interned.ts';
import type { ObjectIdentity } from './objects/metadata.ts';

const FORMAT = 'clusterdns-kubernetes-snapshot';
/** Moves when objects are held in another form. */
const FORMAT_VERSION = 1;
/** No cluster is near; a larger file is not ours. */
const MAX_BYTES = 1024 * 1024 * 1024;
/** Text gathered before it is written. */
const CHUNK_CHARS = 256 * 1024;
const CHECKSUM_LINE_BYTES = 66;

/** The objects of one resource. */
export type SnapshotPart = { readonly resource: string; readonly objects: Iterable<ObjectIdentity> };

export type Snapshot = {
  /** Unix milliseconds when the view was known to be true. */
  readonly trueAtMs: number;
  readonly parts: ReadonlyMap<string, readonly ObjectIdentity[]>;
  readonly objectCount: number;
};

/** The file is there and must not be used; the message says why. */
export class SnapshotRefused extends Error {}

/**
 * Writes beside the file, syncs, and takes its place, so that there is always one whole file. Objects that change while it
 * writes are in it as they were or as they are.
 *
 * @param origin what the view is of; only the same one may read it
 * @throws Error of the file system; the file that was there stays
 */
export async function writeSnapshot(
  file: string,
  origin: string,
  trueAtMs: number,
  parts: readonly SnapshotPart[],
): Promise<void> {
  const temporary = `${file}.${process.pid}.tmp`;
  const handle = await fs.promises.open(temporary, 'w', 0o600);
  try {
    const hash = createHash('sha256');
    const put = async (text: string): Promise<void> => {
      hash.update(text);
      await handle.writeFile(text);
    };
    let text = `${JSON.stringify({ format: FORMAT, version: FORMAT_VERSION, origin, trueAtMs })}\n`;
    for (const { resource, objects } of parts) {
      text += `#${resource}\n`;
      for (const object of objects) {
        text += `${JSON.stringify(object)}\n`;
        if (text.length < CHUNK_CHARS) continue;
        await put(text);
        text = '';
      }
    }
    await put(text);
    await handle.writeFile(`=${hash.digest('hex')}\n`);
    await handle.sync();
  } catch (error) {
    await handle.close();
    await fs.promises.rm(temporary, { force: true });
    throw error;
  }
  await handle.close();
  await fs.promises.rename(temporary, file);
  const folder = await fs.promises.open(path.dirname(file));
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/**
 * Reads a file in one go; some 100 ms for 10,000 Services with 10 endpoints each.
 *
 * @param maxAgeMs how long ago the view may have been true
 * @returns undefined when there is no file
 * @throws SnapshotRefused when it is damaged, of another origin, of another version or too old; Error of the file system
 */
export function readSnapshot(file: string, origin: string, nowMs: number, maxAgeMs: number): Snapshot | undefined {
  let bytes: Buffer;
  try {
    const { size } = fs.statSync(file);
    if (size > MAX_BYTES) throw new SnapshotRefused(`is damaged: ${size} bytes long`);
    bytes = fs.readFileSync(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const { header, bodyAt } = readHeader(bytes);
  if (header.version !== FORMAT_VERSION)
    throw new SnapshotRefused(`is of format ${header.version}, this program reads ${FORMAT_VERSION}`);
  checkSum(bytes);
  if (header.origin !== origin) throw new SnapshotRefused('is of another cluster or of another configuration');
  const ageMs = nowMs - header.trueAtMs;
  if (ageMs > maxAgeMs)
    throw new SnapshotRefused(`is ${Math.round(ageMs / 1000)} s old, more than ${Math.round(maxAgeMs / 1000)} s`);
  return { trueAtMs: header.trueAtMs, ...readParts(bytes, bodyAt) };
}

type Header = { readonly version: number; readonly origin: string; readonly trueAtMs: number };

function readHeader(bytes: Buffer): { header: Header; bodyAt: number } {
  const end = bytes.indexOf(0x0a);
  let header: Partial<Header & { format: string }> | null = null;
  try {
    header = JSON.parse(bytes.toString('utf8', 0, Math.min(Math.max(0, end), 65_536)));
  } catch {
    // Told below.
  }
  const { format, version, origin, trueAtMs } = header ?? {};
  if (format !== FORMAT || typeof version !== 'number' || typeof origin !== 'string' || typeof trueAtMs !== 'number')
    throw new SnapshotRefused('is damaged or no snapshot: its first line is not one of ours');
  return { header: { version, origin, trueAtMs }, bodyAt: end + 1 };
}

function checkSum(bytes: Buffer): void {
  const at = bytes.length - CHECKSUM_LINE_BYTES;
  const line = at < 0 ? '' : bytes.toString('latin1', at);
  if (
    line !==
    `=${createHash('sha256')
      .update(bytes.subarray(0, Math.max(0, at)))
      .digest('hex')}\n`
  )
    throw new SnapshotRefused('is damaged: its checksum does not match');
}

/** The checksum holds, so the lines are those that were written. */
function readParts(bytes: Buffer, from: number): Pick<Snapshot, 'parts' | 'objectCount'> {
  const parts = new Map<string, ObjectIdentity[]>();
  let objects: ObjectIdentity[] = [];
  let objectCount = 0;
  for (let at = from; at < bytes.length - CHECKSUM_LINE_BYTES; ) {
    const end = bytes.indexOf(0x0a, at);
    const line = bytes.toString('utf8', at, end);
    at = end + 1;
    if (line.startsWith('#')) {
      objects = [];
      parts.set(line.slice(1), objects);
    } else {
      objects.push(share(JSON.parse(line)));
      objectCount++;
    }
  }
  return { parts, objectCount };
}

/** What many objects have in common is kept once, as when they come from the cluster. */
function share(object: ObjectIdentity & { namespace?: string; ports?: readonly Port[] }): ObjectIdentity {
  if (object.namespace !== undefined) object.namespace = internText(object.namespace);
  if (object.ports !== undefined) object.ports = internPorts(object.ports);
  return object;
}
