// EDNS(0): the OPT record and its options in wire form (RFC 6891), extended errors (RFC 8914). Pure, allocation-free.
import { EDNS_OPTION, RRTYPE } from './types.ts';

/** Bytes of an OPT record without options: root owner and fixed fields. */
export const OPT_LENGTH = 11;
/** Bytes in front of an option's data: code and length. */
export const OPTION_HEADER_LENGTH = 4;
/** Longest extra text of an extended error that is written, in bytes. */
export const MAX_EXTRA_TEXT_LENGTH = 255;

/** Whether code/length/data triples fill exactly `length` bytes (RFC 6891 section 6.1.2). */
export function areOptionsWellFormed(bytes: Uint8Array, at: number, length: number): boolean {
  const end = at + length;
  while (at < end) {
    if (at + OPTION_HEADER_LENGTH > end) return false;
    at += OPTION_HEADER_LENGTH + readU16(bytes, at + 2);
  }
  return at === end;
}

/**
 * Where option `code` starts (its code bytes) among the well-formed options at `bytes[at .. at + length)`, or -1. To go
 * through all options: from one, the next is at `nextOption`.
 */
export function findOption(bytes: Uint8Array, at: number, length: number, code: number): number {
  for (const end = at + length; at + OPTION_HEADER_LENGTH <= end; at = nextOption(bytes, at)) {
    if (optionCode(bytes, at) === code) return at;
  }
  return -1;
}

export function optionCode(bytes: Uint8Array, optionAt: number): number {
  return readU16(bytes, optionAt);
}

/** Bytes of the option's data, which starts `OPTION_HEADER_LENGTH` after the option. */
export function optionLength(bytes: Uint8Array, optionAt: number): number {
  return readU16(bytes, optionAt + 2);
}

/** Where the option after this one starts. */
export function nextOption(bytes: Uint8Array, optionAt: number): number {
  return optionAt + OPTION_HEADER_LENGTH + optionLength(bytes, optionAt);
}

/**
 * Writes an OPT record without options at `at`; the caller has made sure of `OPT_LENGTH` bytes of room.
 *
 * @param udpSize payload size to announce, in bytes
 * @param rcode whole response code; its upper eight bits go into the record
 * @param flags DO is 0x8000
 * @returns offset after the record; options written there need `finishOpt`
 */
export function writeOpt(
  into: Uint8Array,
  at: number,
  udpSize: number,
  rcode: number,
  version: number,
  flags: number,
): number {
  into[at] = 0;
  writeU16(into, at + 1, RRTYPE.OPT);
  writeU16(into, at + 3, udpSize);
  into[at + 5] = rcode >>> 4;
  into[at + 6] = version;
  writeU16(into, at + 7, flags);
  writeU16(into, at + 9, 0);
  return at + OPT_LENGTH;
}

/** Sets the length of the OPT record at `optAt` whose options end at `end`. */
export function finishOpt(into: Uint8Array, optAt: number, end: number): void {
  writeU16(into, optAt + 9, end - optAt - OPT_LENGTH);
}

/** Writes one option; returns the offset after it. */
export function writeOption(into: Uint8Array, at: number, code: number, data: Uint8Array): number {
  writeU16(into, at, code);
  writeU16(into, at + 2, data.length);
  into.set(data, at + OPTION_HEADER_LENGTH);
  return at + OPTION_HEADER_LENGTH + data.length;
}

/** Bytes that `writeExtendedError` takes. */
export function extendedErrorLength(extraText: string): number {
  return OPTION_HEADER_LENGTH + 2 + encodeExtraText(extraText).length;
}

/**
 * Writes an extended error as one option; text over 255 bytes is cut at a character.
 * @returns offset after it
 * @see RFC 8914 section 2
 */
export function writeExtendedError(into: Uint8Array, at: number, infoCode: number, extraText: string): number {
  const text = encodeExtraText(extraText);
  writeU16(into, at, EDNS_OPTION.EXTENDED_ERROR);
  writeU16(into, at + 2, 2 + text.length);
  writeU16(into, at + 4, infoCode);
  into.set(text, at + 6);
  return at + 6 + text.length;
}

function encodeExtraText(text: string): Uint8Array {
  if (text === '') return EMPTY;
  const { written } = ENCODER.encodeInto(text, EXTRA_TEXT);
  return EXTRA_TEXT.subarray(0, written);
}
const EMPTY = new Uint8Array(0);
const ENCODER = new TextEncoder();
const EXTRA_TEXT = new Uint8Array(MAX_EXTRA_TEXT_LENGTH);

function readU16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

function writeU16(into: Uint8Array, at: number, value: number): void {
  into[at] = value >>> 8;
  into[at + 1] = value;
}
