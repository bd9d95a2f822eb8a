// Names below an origin as strings whose usual order is the canonical order of names (RFC 4034 section 6.1). Control thread.
//
// Labels from the right, each byte as the code unit one higher, each label closed by U+0000: a label that begins like another
// and is shorter comes first, and a name's key begins with the keys of all names above it.
import { LOWER } from '../../wire/name.ts';

/** Key of the name at the end of each label. */
const LABEL_END = '\0';

/** What stands for `*` as the next label down. */
export const WILDCARD_LABEL: string = String.fromCharCode(0x2b) + LABEL_END;

/**
 * Key of a name, any letter case; '' for the origin itself.
 *
 * @param origin wire form, lower case
 * @returns undefined when the name is not below the origin
 */
export function canonicalKey(name: Uint8Array, origin: Uint8Array): string | undefined {
  const start = name.length - origin.length;
  if (start < 0) return undefined;
  for (let i = 0; i < origin.length; i++) if (LOWER[name[start + i]!] !== origin[i]) return undefined;
  let key = '';
  let at = 0;
  while (at < start) {
    const length = name[at]!;
    let label = '';
    for (const end = ++at + length; at < end; at++) label += CODE_UNITS[name[at]!]!;
    key = label + LABEL_END + key;
  }
  // The origin's bytes may end a longer label by chance.
  return at === start ? key : undefined;
}

/** Code unit of each byte, in lower case. */
const CODE_UNITS: readonly string[] = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(LOWER[byte]! + 1));

/** Relative name of a key: wire form, lower case, without root label. */
export function relativeName(key: string): Uint8Array {
  // Each label has one code unit more than bytes, and one length byte.
  const name = new Uint8Array(key.length);
  let to = key.length;
  for (let at = 0; at < key.length; ) {
    const end = key.indexOf(LABEL_END, at);
    to -= end - at + 1;
    name[to] = end - at;
    for (let i = 0; at < end; i++, at++) name[to + 1 + i] = key.charCodeAt(at) - 1;
    at = end + 1;
  }
  return name;
}

/** Ends of the labels of `key` beyond the first `from` code units: each is the length of the key of a name above or of itself. */
export function* keyBoundaries(key: string, from: number): Generator<number> {
  for (let at = key.indexOf(LABEL_END, from); at !== -1; at = key.indexOf(LABEL_END, at + 1)) yield at + 1;
}
