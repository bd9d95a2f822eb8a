// What writer and readers of concurrent-readers.test.ts agree on: names, values, cells.

/** Names that are always there, and names that come and go. */
export const STABLE = 500;
export const CHURNING = 20_000;
export const TREE = 5;
export const TYPE = 16;
export const LOOKUPS_PER_BATCH = 32;
export const CELL = { READY: 0, STOP: 1 } as const;
/** From this cell on: the last version of each name that was put, 0 while it may not be there. */
export const VERSIONS_AT = 16;

export function nameOf(id: number): Uint8Array {
  const label = Buffer.from(`name-${id}`);
  return Uint8Array.of(label.length, ...label, 2, 110, 115, 3, 115, 118, 99);
}

/** A value that tells whether it is whole: id, version, filler, sum of all before. */
export function valueOf(id: number, version: number, fillers: number): Uint8Array {
  const words = new Int32Array(3 + fillers);
  words[0] = id;
  words[1] = version;
  for (let i = 0; i < fillers; i++) words[2 + i] = Math.imul(version + i, 0x9e37_79b1);
  words[2 + fillers] = sumOf(words, 0, 2 + fillers);
  return new Uint8Array(words.buffer);
}

export function sumOf(words: Int32Array, at: number, length: number): number {
  let sum = 17;
  for (let i = 0; i < length; i++) sum = (Math.imul(sum, 31) + words[at + i]!) | 0;
  return sum;
}
