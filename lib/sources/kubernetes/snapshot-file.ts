// The saved view on disk: objects as they are held, some of them a line of JSON, between a header and a checksum. Control thread.
//
//   {header}          what it is of, and how much there is
//   #RESOURCE         the lines up to the next such one are of this resource
//   +[ports]          a port list; lists are numbered from 0 in the order in which they come
//   [objects]         `ports` of an object is the number of its list
//   =CHECKSUM
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { internPorts, internText, type Port } from './objects/interned.ts';
import type { ObjectIdentity } from './objects/metadata.ts';

const FORMAT = 'clusterdns-kubernetes-snapshot';
/** Moves when objects are held in another form. */
const FORMAT_VERSION = 2;
/** No cluster is near; a larger file is not ours. */
const MAX_BYTES = 1024 * 1024 * 1024;
/** Text gathered before it is written. */
const CHUNK_CHARS = 256 * 1024;
/** Objects a line: what a start takes in before other work gets a turn. */
const LINE_OBJECTS = 64;
const CHECKSUM_LINE_BYTES = 66;

/** Objects of one resource. */
export type SnapshotPart = { readonly resource: string; readonly objects: readonly ObjectIdentity[] };

/** What is to be saved, as it was at one moment. */
export type SnapshotContents = {
  /** What the view is of; only the same one may read it. */
  readonly origin: string;
  /** Unix milliseconds when the view was known to be true. */
  readonly trueAtMs: number;
  /** Names in the store, for a table of the right size at once. */
  readonly names: number;
  readonly parts: readonly SnapshotPart[];
};

export type Snapshot = {
  /** Unix milliseconds when the view was known to be true. */
  readonly trueAtMs: number;
  readonly objectCount: number;
  readonly names: number;
  /** Some objects at a time, in the order in which they were saved; every resource is named. */
  readonly slices: () => Iterable<SnapshotPart>;
};

/** The file is there and must not be used; the message says why. */
export class SnapshotRefused extends Error {}

/**
 * Writes beside the file, syncs, and takes its place, so that there is always one whole file.
 *
 * @throws Error of the file system; the file that was there stays
 */
export async function writeSnapshot(file: string, contents: SnapshotContents): Promise<void> {
  const temporary = `${file}.${process.pid}.tmp`;
  const handle = await fs.promises.open(temporary, 'w', 0o600);
  try {
    const hash = createHash('sha256');
    const put = async (text: string): Promise<void> => {
      hash.update(text);
      await handle.writeFile(text);
    };
    let text = '';
    for (const line of formatLines(contents)) {
      text += line;
      if (text.length < CHUNK_CHARS) continue;
      await put(text);
      text = '';
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

function* formatLines({ parts, ...rest }: SnapshotContents): Generator<string> {
  const objectCount = parts.reduce((sum, { objects }) => sum + objects.length, 0);
  yield `${JSON.stringify({ format: FORMAT, version: FORMAT_VERSION, ...rest, objectCount })}\n`;
  const numbers = new Map<readonly Port[], number>();
  let known = 0;
  for (const { resource, objects } of parts) {
    yield `#${resource}\n`;
    for (let at = 0; at < objects.length; at += LINE_OBJECTS) {
      const line = objects.slice(at, at + LINE_OBJECTS).map((object: Saved) => {
        const { ports } = object;
        if (ports === undefined) return object;
        let number = numbers.get(ports);
        if (number === undefined) numbers.set(ports, (number = numbers.size));
        return { ...object, ports: number };
      });
      for (const ports of [...numbers.keys()].slice(known)) yield `+${JSON.stringify(ports)}\n`;
      known = numbers.size;
      yield `${JSON.stringify(line)}\n`;
    }
  }
}

/**
 * Reads and checks a file in one go; what is in it is taken apart slice by slice.
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
  const { trueAtMs, objectCount, names } = header;
  return { trueAtMs, objectCount, names, slices: () => readSlices(bytes, bodyAt) };
}

type Header = Omit<SnapshotContents, 'parts'> & { readonly version: number; readonly objectCount: number };
/** What some kinds of object have in common. */
type Saved = ObjectIdentity & { namespace?: string; ports?: readonly Port[] };

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
  const { objectCount = 0, names = 0 } = header ?? {};
  return { header: { version, origin, trueAtMs, objectCount, names }, bodyAt: end + 1 };
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
function* readSlices(bytes: Buffer, from: number): Generator<SnapshotPart> {
  const portLists: (readonly Port[])[] = [];
  let resource = '';
  for (let at = from; at < bytes.length - CHECKSUM_LINE_BYTES; ) {
    const end = bytes.indexOf(0x0a, at);
    const line = bytes.toString('utf8', at, end);
    at = end + 1;
    if (line.startsWith('#')) {
      resource = line.slice(1);
      yield { resource, objects: [] };
    } else if (line.startsWith('+')) portLists.push(internPorts(JSON.parse(line.slice(1))));
    else {
      const objects: (Omit<Saved, 'ports'> & { ports?: number | readonly Port[] })[] = JSON.parse(line);
      for (const object of objects) {
        // What many objects have in common is kept once, as when they come from the cluster.
        if (object.namespace !== undefined) object.namespace = internText(object.namespace);
        if (typeof object.ports === 'number') object.ports = portLists[object.ports]!;
      }
      yield { resource, objects };
    }
  }
}
