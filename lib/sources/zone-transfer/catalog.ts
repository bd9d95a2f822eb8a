// A catalog zone: which other zones a secondary is to serve (RFC 9432). Control thread.
import { formatName, nameLength } from '../../wire/name.ts';
import { RRTYPE } from '../../wire/types.ts';
import { canonicalKey, relativeName } from '../zone-file/canonical-key.ts';
import type { ZoneContents } from '../zone-file/zone-contents.ts';
import { TransferError } from './transfer-reader.ts';

const VERSION = '2';

export type CatalogMember = {
  /** Label below `zones`, in lower case, as text: another one means another zone of the same name. */
  readonly id: string;
  /** Wire form, lower case. */
  readonly origin: Uint8Array;
  /** Catalog that may take the member over (`coo` property), text; undefined without. */
  readonly newOwner: string | undefined;
};

/** @throws TransferError when the zone is no catalog that can be understood; then it must not be used (section 5.1) */
export function readCatalog(contents: ZoneContents): CatalogMember[] {
  if (!contents.records('').some(({ type }) => type === RRTYPE.NS))
    throw new TransferError('a catalog without NS record');
  const versions = textsOf(contents, label('version'));
  if (versions.length !== 1) throw new TransferError('a catalog has exactly one version record');
  if (versions[0] !== VERSION) throw new TransferError(`a catalog of version ${JSON.stringify(versions[0])}`);
  const zones = label('zones');
  const members: CatalogMember[] = [];
  const seen = new Set<string>();
  for (const key of contents.keys()) {
    if (!key.startsWith(zones) || countLabels(key) !== 2) continue;
    const targets = pointersOf(contents, key);
    if (targets.length === 0) continue;
    const id = formatName(withRoot(relativeName(key.slice(zones.length))));
    if (targets.length !== 1) throw new TransferError(`the member ${id} of a catalog has several PTR records`);
    const origin = targets[0]!;
    const name = formatName(origin);
    if (seen.has(name)) throw new TransferError(`the zone ${name} is twice in a catalog`);
    seen.add(name);
    const owners = pointersOf(contents, key + label('coo'));
    if (owners.length > 1) throw new TransferError(`the member ${id} of a catalog has several coo records`);
    members.push({ id, origin, newOwner: owners[0] && formatName(owners[0]) });
  }
  return members;
}

/** Key of one label. */
function label(text: string): string {
  const name = new Uint8Array(text.length + 2);
  name[0] = text.length;
  name.set(Buffer.from(text), 1);
  return canonicalKey(name, Uint8Array.of(0))!;
}

function countLabels(key: string): number {
  return key.split('\0').length - 1;
}

function withRoot(name: Uint8Array): Uint8Array {
  const whole = new Uint8Array(name.length + 1);
  whole.set(name);
  return whole;
}

/** Targets of the PTR records at a name, lower case. */
function pointersOf(contents: ZoneContents, key: string): Uint8Array[] {
  return contents
    .records(key)
    .filter(({ type }) => type === RRTYPE.PTR)
    .map(({ bytes, at }) => bytes.slice(at, at + nameLength(bytes, at)).map(lowerByte));
}

/** ASCII letters; length bytes are below them. */
function lowerByte(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
}

/** Texts of the TXT records at a name, the strings of each joined. */
function textsOf(contents: ZoneContents, key: string): string[] {
  return contents
    .records(key)
    .filter(({ type }) => type === RRTYPE.TXT)
    .map(({ bytes, at, length }) => {
      let text = '';
      for (let from = at; from < at + length; from += bytes[from]! + 1) {
        text += Buffer.from(bytes.subarray(from + 1, from + 1 + bytes[from]!)).toString('latin1');
      }
      return text;
    });
}
