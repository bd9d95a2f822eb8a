// Takes a record's data out of a message as bytes of its own, names in full. Pure; cold paths.
import { MAX_NAME_LENGTH, nameLength, readName } from './name.ts';
import { LAYOUT } from './rdata/codec.ts';
import { findLayout } from './rdata/registry.ts';

/**
 * @param bytes,base the message starts at `bytes[base]`; `at` and `end` count from there and enclose the data
 * @returns uncompressed data, or undefined when it does not fit its type
 */
export function readRdata(
  bytes: Uint8Array,
  base: number,
  type: number,
  recordClass: number,
  at: number,
  end: number,
): Uint8Array | undefined {
  const parts: Uint8Array[] = [];
  let length = 0;
  const keep = (part: Uint8Array): void => {
    parts.push(part);
    length += part.length;
  };
  for (const step of findLayout(type, recordClass) ?? []) {
    if (step >= LAYOUT.STRINGS) break;
    if (step === LAYOUT.NAME || step === LAYOUT.COMPRESSIBLE_NAME) {
      const name = new Uint8Array(MAX_NAME_LENGTH + 1);
      at = readName(bytes, base, at, end, name);
      if (at === -1) return undefined;
      keep(name.subarray(0, nameLength(name)));
    } else {
      const size = step === LAYOUT.STRING ? bytes[base + at]! + 1 : step;
      if (at + size > end) return undefined;
      keep(bytes.subarray(base + at, base + at + size));
      at += size;
    }
  }
  keep(bytes.subarray(base + at, base + end));
  const rdata = new Uint8Array(length);
  let to = 0;
  for (const part of parts) {
    rdata.set(part, to);
    to += part.length;
  }
  return rdata;
}
